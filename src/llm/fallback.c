/* SPDX-License-Identifier: Apache-2.0 */
/* fallback.c - see fallback.h for the contract.
 *
 * A list stands in the file as LiteLLM has it, and as one would expect it to be taken:
 *
 *     - gpt-4: [claude, gemini]        [{group: [followers]}, ...]
 *     gpt-4: claude                    {group: follower}
 *
 * `default_fallbacks: [a, b]` is the general list's row "*", which follows whatever has no row of
 * its own.  A call asks each group once, so a cycle would end by itself; but a list with one
 * promises a fallback that does not exist.
 */
#include "llm/fallback.h"

#include <stdio.h>
#include <string.h>

#include "config/tree.h"
#include "llm/model.h"
#include "llm/model_settings.h"

#define ROWS_MOST 4096 /* of a list */

enum kind { ANY, CONTEXT, CONTENT, BUDGET, KINDS };

static const struct {
    const char *name;
    size_t offset;
} settings[KINDS] = {
    [ANY] = { "fallbacks", offsetof(struct km_fallback_nodes, any) },
    [CONTEXT] = { "context_window_fallbacks", offsetof(struct km_fallback_nodes, context) },
    [CONTENT] = { "content_policy_fallbacks", offsetof(struct km_fallback_nodes, content) },
    [BUDGET] = { "budget_fallbacks", offsetof(struct km_fallback_nodes, budget) },
};

struct row {
    struct km_str of;
    struct km_fallback_list to;
    const struct km_node *at;
    struct km_str group; /* what `of` is a name of: km_fallbacks_check() */
    size_t seen; /* by the search for a circle that began at row seen - 1 */
};

struct list {
    bool configured;
    struct row *v;
    size_t n;
    char path[64]; /* where it stands */
};

struct km_fallbacks {
    struct list kinds[KINDS];
    int64_t most;
};

/* --- from the file --- */

/* The setting where it says something: the router's before the module's. */
static const struct km_node *find_node(const struct km_config *config, size_t offset,
                                       const char *name, struct list *l)
{
    const struct km_router_settings *router = km_config_get(config, &km_router_settings_table);
    const struct km_llm_defaults *module = km_config_get(config, &km_llm_defaults_table);
    const struct km_fallback_nodes *all[] = { &router->fallbacks, &module->fallbacks };
    static const char *const sections[] = { "router_settings", "litellm_settings" };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const struct km_node *node;

        memcpy(&node, (const char *)all[i] + offset, sizeof node);
        snprintf(l->path, sizeof l->path, "%s.%s", sections[i], name);
        if (node && !km_node_says_nothing(node))
            return node;
    }
    return NULL;
}

static void complain(struct km_diags *diags, const struct km_node *at, const char *path)
{
    km_diag_add(diags, KM_DIAG_ERROR, "E0102", at, "write `- model: [its followers]`",
                "%s is a list of model groups, each with the models that follow it", path);
}

static bool read_followers(const struct km_node *node, struct km_arena *arena,
                           struct km_fallback_list *ret)
{
    const size_t n = node->type == KM_NODE_SEQ ? node->n : 1;
    struct km_str *v = km_arena_alloc(arena, (n + 1) * sizeof *v);

    *ret = (struct km_fallback_list){ .v = v };
    for (size_t i = 0; v && i < n; i++) {
        const struct km_node *item = node->type == KM_NODE_SEQ ? node->v[i] : node;

        if (item->type != KM_NODE_STR || !item->text.n)
            return false;
        v[ret->n++] = item->text;
    }
    return true;
}

/* The rows of one mapping; false: it is none. */
static bool read_rows(struct list *l, const struct km_node *map, struct km_arena *arena,
                      struct km_diags *diags)
{
    if (map->type != KM_NODE_MAP)
        return false;
    for (size_t i = 0; i < map->n && l->n < ROWS_MOST; i++) {
        struct row *row = &l->v[l->n];

        *row = (struct row){ .of = map->k[i]->text, .at = map->k[i] };
        if (read_followers(map->v[i], arena, &row->to))
            l->n++;
        else
            complain(diags, map->v[i], l->path);
    }
    return true;
}

static size_t count_rows(const struct km_node *node)
{
    size_t n = 0;

    if (node->type == KM_NODE_MAP)
        return node->n;
    for (size_t i = 0; node->type == KM_NODE_SEQ && i < node->n; i++)
        n += node->v[i]->type == KM_NODE_MAP ? node->v[i]->n : 1;
    return n;
}

static bool read_list(struct list *l, const struct km_node *node, struct km_arena *arena,
                      struct km_diags *diags)
{
    /* One more, for default_fallbacks. */
    l->v = km_arena_zalloc(arena, ((node ? count_rows(node) : 0) + 1) * sizeof *l->v);
    l->configured = node != NULL;
    if (!node || !l->v)
        return l->v != NULL;
    if (read_rows(l, node, arena, diags))
        return true;
    if (node->type != KM_NODE_SEQ)
        complain(diags, node, l->path);
    for (size_t i = 0; node->type == KM_NODE_SEQ && i < node->n; i++)
        if (!read_rows(l, node->v[i], arena, diags))
            complain(diags, node->v[i], l->path);
    return true;
}

static void read_defaults(struct km_fallbacks *f, const struct km_config *config,
                          struct km_arena *arena, struct km_diags *diags)
{
    struct list at = { 0 }, *l = &f->kinds[ANY];
    const struct km_node *node =
        find_node(config, offsetof(struct km_fallback_nodes, rest), "default_fallbacks", &at);
    struct row *row = &l->v[l->n];

    if (!node)
        return;
    *row = (struct row){ .of = KM_STR("*"), .at = node };
    if (read_followers(node, arena, &row->to))
        l->n++;
    else
        complain(diags, node, at.path);
    l->configured = true;
}

static struct row *row_of(const struct list *l, struct km_str name)
{
    for (size_t i = 0; i < l->n; i++)
        if (km_str_eq(l->v[i].of, name))
            return &l->v[i];
    return NULL;
}

static int64_t read_most(const struct km_config *config)
{
    const struct km_router_settings *router = km_config_get(config, &km_router_settings_table);

    return router->max_fallbacks;
}

const struct km_fallbacks *km_fallbacks_new(const struct km_config *config, struct km_arena *arena,
                                            struct km_diags *diags)
{
    struct km_fallbacks *f = km_arena_zalloc(arena, sizeof *f);

    for (int kind = 0; f && kind < KINDS; kind++) {
        struct list *l = &f->kinds[kind];

        if (!read_list(l, find_node(config, settings[kind].offset, settings[kind].name, l), arena,
                       diags))
            return NULL;
    }
    if (!f)
        return NULL;
    read_defaults(f, config, arena, diags);
    f->most = read_most(config);
    return f;
}

/* --- cycles --- */

/* An alias, a model of a wildcard: the group that it is a name of, which each call asks once. */
static struct km_str group_of(const struct km_models *models, struct km_str name)
{
    struct km_model_match match;

    return km_models_find(models, name, &match, NULL) == 0 ? match.group : name;
}

/* Does one of its followers, or of theirs, lead back?  The way there, from its end. */
static bool leads_to(const struct list *l, const struct km_models *models, struct row *from,
                     const struct row *to, struct km_buf *way)
{
    const size_t mark = (size_t)(to - l->v) + 1;

    from->seen = mark;
    for (size_t i = 0; i < from->to.n; i++) {
        const struct km_str group = group_of(models, from->to.v[i]);
        const bool back = km_str_eq(group, to->group);
        struct row *next = back ? NULL : row_of(l, from->to.v[i]);

        if (!back && !next)
            next = row_of(l, group);
        if (!back && (!next || next->seen == mark || !leads_to(l, models, next, to, way)))
            continue;
        km_buf_printf(way, " <- %.*s", KM_STR_ARG(from->of));
        return true;
    }
    return false;
}

static void check_cycles(const struct list *l, const struct km_models *models,
                         const struct km_config *config, struct km_arena *arena,
                         struct km_diags *diags)
{
    struct km_buf way KM_CLEANUP(km_buf_done) = KM_BUF(1024);

    for (size_t i = 0; i < l->n; i++)
        l->v[i].group = group_of(models, l->v[i].of);
    for (size_t i = 0; i < l->n; i++) {
        km_buf_reset(&way);
        if (km_str_eq(l->v[i].of, KM_STR("*")) || !leads_to(l, models, &l->v[i], &l->v[i], &way) ||
            km_config_accepts(config, arena, km_str_c(l->path)))
            continue;
        km_diag_add(diags, KM_DIAG_ERROR, "E0307", l->v[i].at,
                    "let one of them have no follower; or list the setting in "
                    "kanmon_settings.accept_unsupported: a call asks each group once",
                    "%s goes round in a circle: %.*s%.*s", l->path, KM_STR_ARG(l->v[i].of),
                    KM_STR_ARG(km_buf_view(&way)));
        return; /* the other members of the circle say the same */
    }
}

/* --- names that nothing has --- */

static void check_name(const struct list *l, const struct row *row, struct km_str name,
                       const struct km_models *models, struct km_diags *diags)
{
    struct km_model_match ignored;

    if (km_models_find(models, name, &ignored, NULL) == 0)
        return;
    km_diag_add(diags, KM_DIAG_WARNING, "W0312", row->at, "name a model_name of model_list",
                "%s names model '%.*s', and there is no such model", l->path, KM_STR_ARG(name));
}

void km_fallbacks_check(const struct km_fallbacks *f, const struct km_models *models,
                        const struct km_config *config, struct km_arena *arena,
                        struct km_diags *diags)
{
    for (int kind = 0; kind < KINDS; kind++) {
        const struct list *l = &f->kinds[kind];

        check_cycles(l, models, config, arena, diags);
        for (size_t i = 0; i < l->n; i++) {
            if (!km_str_eq(l->v[i].of, KM_STR("*")))
                check_name(l, &l->v[i], l->v[i].of, models, diags);
            for (size_t k = 0; k < l->v[i].to.n; k++)
                check_name(l, &l->v[i], l->v[i].to.v[k], models, diags);
        }
    }
}

/* --- asked --- */

static struct km_fallback_list find_in(const struct list *l, struct km_str model,
                                       struct km_str group)
{
    const struct row *row = row_of(l, model);

    if (!row)
        row = row_of(l, group);
    if (!row)
        row = row_of(l, KM_STR("*"));
    return row ? row->to : (struct km_fallback_list){ 0 };
}

struct km_fallback_list km_fallbacks_find(const struct km_fallbacks *f, enum km_failure failure,
                                          struct km_str model, struct km_str group)
{
    enum kind kind = failure == KM_FAILURE_CONTEXT_WINDOW   ? CONTEXT
                     : failure == KM_FAILURE_CONTENT_POLICY ? CONTENT
                                                            : ANY;

    return find_in(&f->kinds[f->kinds[kind].configured ? kind : ANY], model, group);
}

struct km_fallback_list km_fallbacks_of_budget(const struct km_fallbacks *f, struct km_str model,
                                               struct km_str group)
{
    return find_in(&f->kinds[BUDGET], model, group);
}

bool km_fallbacks_has(const struct km_fallbacks *f, struct km_str group)
{
    for (int kind = 0; kind < BUDGET; kind++)
        if (find_in(&f->kinds[kind], group, group).n)
            return true;
    return false;
}

int64_t km_fallbacks_most(const struct km_fallbacks *f)
{
    return f->most;
}
