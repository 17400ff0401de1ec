/* SPDX-License-Identifier: Apache-2.0 */
/* virtual.c - see virtual.h for the contract.
 *
 * `servers` is read here by hand, because its keys are names of servers and of what they have.
 * Each list of a part becomes lines that are tried in their order:
 *
 *     tools: [a, b]                     two lines
 *     tools: {a: {name: x}, "b*": }     two lines, the first with another name
 *     tools: "*"                        one line that takes everything
 *     (not there)                       none
 *
 * What can be seen to be wrong is said at load time: names that two lines would both show, and a
 * new name for more than one thing.  What servers list besides is not known then; a name that is
 * taken by another gets its long form (view.c).
 */
#include "mcp/view/virtual.h"

#include <stdlib.h>

#include "base/map.h"

#define ARENA_BYTES ((size_t)4 * 1024 * 1024)
#define VIRTUALS_MOST 1000
#define PICKS_MOST 10000 /* lines of one list */

struct build {
    struct km_diags *diags;
    struct km_mcp_set *set;
    struct km_mcp_virtual *v; /* the one that is made */
    bool failed;
};

static const char *const kinds[KM_MCP_LISTS] = {
    [KM_MCP_TOOLS] = "tools",
    [KM_MCP_RESOURCES] = "resources",
    [KM_MCP_TEMPLATES] = "resources", /* one list says both */
    [KM_MCP_PROMPTS] = "prompts",
};

/* --- counting --- */

struct km_mcp_virtual *km_mcp_virtual_ref(struct km_mcp_virtual *v)
{
    v->refs++;
    return v;
}

struct km_mcp_virtual *km_mcp_virtual_unref(struct km_mcp_virtual *v)
{
    if (!v || --v->refs > 0)
        return NULL;
    for (size_t i = 0; i < v->nparts; i++)
        km_mcp_upstream_unref(v->parts[i].upstream);
    km_arena_done(&v->arena);
    free(v);
    return NULL;
}

struct km_mcp_virtual *km_mcp_virtual_find(const struct km_mcp_set *set, struct km_str name)
{
    for (size_t i = 0; i < set->nvirtuals; i++)
        if (km_str_eq(set->virtuals[i]->name, name))
            return set->virtuals[i];
    return NULL;
}

static bool takes(struct km_str pattern, struct km_str name)
{
    if (pattern.n && pattern.p[pattern.n - 1] == '*')
        return km_str_starts(name, km_str_sub(pattern, 0, pattern.n - 1));
    return km_str_eq(pattern, name);
}

const struct km_mcp_pick *km_mcp_part_pick(const struct km_mcp_part *part, enum km_mcp_list list,
                                           struct km_str name)
{
    for (size_t i = 0; i < part->lists[list].n; i++)
        if (takes(part->lists[list].v[i].name, name))
            return &part->lists[list].v[i];
    return NULL;
}

/* --- reading --- */

static void wrong(struct build *b, const struct km_node *at, const char *help, const char *what,
                  struct km_str name)
{
    b->failed = true;
    km_diag_add(b->diags, KM_DIAG_ERROR, "E0402", at, help, "mcp_virtual_servers.%.*s: %s '%.*s'",
                KM_STR_ARG(b->v->name), what, KM_STR_ARG(km_str_sub(name, 0, 100)));
}

/* {name, title, description}, or a new name alone. */
static void read_dress(struct build *b, const struct km_node *node, struct km_mcp_pick *pick)
{
    struct km_mcp_dress *d = &pick->dress;
    struct {
        struct km_str key;
        struct km_str *to;
    } words[] = { { KM_STR("name"), &d->name },
                  { KM_STR("title"), &d->title },
                  { KM_STR("description"), &d->description } };

    if (!node || node->type == KM_NODE_NULL)
        return;
    if (node->type == KM_NODE_STR) {
        d->name = km_arena_str(&b->v->arena, node->text);
    } else if (node->type != KM_NODE_MAP) {
        wrong(b, node, "write `{name: ..., description: ...}`", "no name is", node->text);
        return;
    }
    for (size_t i = 0; node->type == KM_NODE_MAP && i < node->n; i++) {
        struct km_str *to = NULL;

        for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
            if (km_str_eq(node->k[i]->text, words[k].key))
                to = words[k].to;
        if (!to || node->v[i]->type != KM_NODE_STR)
            wrong(b, node->k[i], "an entry has `name`, `title` and `description`, each a text",
                  "an entry cannot have", node->k[i]->text);
        else
            *to = km_arena_str(&b->v->arena, node->v[i]->text);
    }
    if (d->name.n && pick->name.p[pick->name.n - 1] == '*')
        wrong(b, node, "name the one that is meant", "one new name for all of", pick->name);
}

static void read_list(struct build *b, const struct km_node *node, struct km_mcp_part *part,
                      enum km_mcp_list list)
{
    size_t n = node->type == KM_NODE_STR ? 1 : node->n;
    struct km_mcp_pick *v;

    if ((node->type != KM_NODE_STR && node->type != KM_NODE_SEQ && node->type != KM_NODE_MAP) ||
        n > PICKS_MOST) {
        wrong(b, node, "write a list of names, a map of them, or \"*\"", "no list is",
              km_str_c(kinds[list]));
        return;
    }
    v = km_arena_zalloc(&b->v->arena, (n + 1) * sizeof *v);
    for (size_t i = 0; v && i < n; i++) {
        const struct km_node *name = node->type == KM_NODE_STR   ? node
                                     : node->type == KM_NODE_SEQ ? node->v[i]
                                                                 : node->k[i];

        v[i].name = km_arena_str(&b->v->arena, name->text);
        if (name->type == KM_NODE_SEQ || name->type == KM_NODE_MAP || !name->text.n)
            wrong(b, name, NULL, "a name is missing in", km_str_c(kinds[list]));
        else if (node->type == KM_NODE_MAP)
            read_dress(b, node->v[i], &v[i]);
    }
    part->lists[list].v = v;
    part->lists[list].n = v ? n : 0;
}

static void read_part(struct build *b, const struct km_node *node, struct km_mcp_part *part)
{
    static const struct km_mcp_pick everything = { .name = { "*", 1 } };
    bool all = node->type == KM_NODE_NULL ||
               (node->type == KM_NODE_STR && km_str_eq(node->text, everything.name));

    if (!all && node->type != KM_NODE_MAP) {
        wrong(b, node, "write `{tools: [...], resources: [...], prompts: [...]}` or \"*\"",
              "this is no part of a server:", node->text);
        return;
    }
    for (int list = 0; all && list < KM_MCP_LISTS; list++) {
        part->lists[list].v = &everything;
        part->lists[list].n = 1;
    }
    for (size_t i = 0; !all && i < node->n; i++) {
        bool known = false;

        for (int list = 0; list < KM_MCP_LISTS; list++)
            if (km_str_eq(node->k[i]->text, km_str_c(kinds[list]))) {
                known = true;
                read_list(b, node->v[i], part, (enum km_mcp_list)list);
            }
        if (!known)
            wrong(b, node->k[i], "a server has `tools`, `resources` and `prompts`",
                  "a server has nothing called", node->k[i]->text);
    }
}

static void read_parts(struct build *b, const struct km_node *servers, const struct km_node *at)
{
    struct km_mcp_virtual *v = b->v;

    if (!servers || servers->type != KM_NODE_MAP || !servers->n) {
        wrong(b, servers ? servers : at, "write `servers: {SERVER: {tools: [...]}}`",
              "nothing is below", v->name);
        return;
    }
    v->parts = km_arena_zalloc(&v->arena, servers->n * sizeof *v->parts);
    for (size_t i = 0; v->parts && i < servers->n; i++) {
        struct km_mcp_upstream *u = km_mcp_set_find(b->set, servers->k[i]->text);

        if (!u) {
            wrong(b, servers->k[i], "it is the name of an entry of mcp_servers",
                  "there is no server", servers->k[i]->text);
            continue;
        }
        for (size_t k = 0; k < v->nparts; k++)
            if (v->parts[k].upstream == u)
                wrong(b, servers->k[i], "put both into one", "two entries are of the server",
                      u->name);
        v->parts[v->nparts].upstream = km_mcp_upstream_ref(u);
        read_part(b, servers->v[i], &v->parts[v->nparts++]);
    }
}

/* --- names that would be two things --- */

static struct km_str shown(const struct km_mcp_pick *pick)
{
    return pick->dress.name.n ? pick->dress.name : pick->name;
}

static void check_names(struct build *b, enum km_mcp_list list, const struct km_node *at)
{
    const struct km_mcp_virtual *v = b->v;
    struct km_map *seen = km_map_new_borrowed((size_t)2 * PICKS_MOST);

    for (size_t i = 0; seen && i < v->nparts; i++)
        for (size_t k = 0; k < v->parts[i].lists[list].n; k++) {
            const struct km_mcp_pick *pick = &v->parts[i].lists[list].v[k];
            const struct km_mcp_part *other = km_map_get(seen, shown(pick));

            if (pick->name.p[pick->name.n - 1] == '*')
                continue;
            if (other && (other == &v->parts[i] || !v->entry.prefix)) {
                b->failed = true;
                km_diag_add(b->diags, KM_DIAG_ERROR, "E0402", at, "give one of them another `name`",
                            "mcp_virtual_servers.%.*s: %s of mcp_servers.%.*s and of "
                            "mcp_servers.%.*s are both called '%.*s'",
                            KM_STR_ARG(v->name), kinds[list], KM_STR_ARG(other->upstream->name),
                            KM_STR_ARG(v->parts[i].upstream->name), KM_STR_ARG(shown(pick)));
            } else if (km_map_set(seen, shown(pick), (void *)(uintptr_t)&v->parts[i], NULL) < 0) {
                b->failed = true;
            }
        }
    if (!seen)
        b->failed = true;
    km_map_free(seen, NULL);
}

static void check_own_name(struct build *b, const struct km_node *at)
{
    const struct km_mcp_upstream *u = km_mcp_set_find(b->set, b->v->name);

    if (km_str_eq(b->v->name, KM_STR("kanmon")))
        wrong(b, at, "choose another name", "kanmon's own server is called", b->v->name);
    if (u)
        wrong(b, at, "choose another name", "it is called like mcp_servers.", u->name);
    for (size_t i = 0; i < b->set->n; i++)
        for (size_t k = 0; k < b->set->v[i]->entry->access_groups.n; k++)
            if (km_str_eq(b->set->v[i]->entry->access_groups.v[k], b->v->name)) {
                wrong(b, at, "choose another name", "it is called like an access group of server",
                      b->set->v[i]->name);
                return;
            }
}

/* --- the list --- */

static struct km_str_list keep_list(struct km_arena *arena, const struct km_str_list *list)
{
    struct km_str *v = km_arena_alloc(arena, (list->n + 1) * sizeof *v);

    for (size_t i = 0; v && i < list->n; i++)
        v[i] = km_arena_str(arena, list->v[i]);
    return (struct km_str_list){ v, v ? list->n : 0 };
}

static struct km_mcp_virtual *make(struct build *b, struct km_str name,
                                   const struct km_mcp_virtual_entry *entry,
                                   const struct km_node *at)
{
    struct km_mcp_virtual *v = calloc(1, sizeof *v);

    if (!v)
        return NULL;
    v->refs = 1;
    km_arena_init(&v->arena, ARENA_BYTES, NULL);
    v->name = km_arena_str(&v->arena, name);
    v->entry = *entry;
    v->entry.servers = NULL;
    v->entry.description = km_arena_str(&v->arena, entry->description);
    v->entry.instructions = km_arena_str(&v->arena, entry->instructions);
    v->entry.access_groups = keep_list(&v->arena, &entry->access_groups);
    v->entry.visible = keep_list(&v->arena, &entry->visible);
    b->v = v;
    check_own_name(b, at);
    read_parts(b, entry->servers, at);
    for (int list = 0; !b->failed && list < KM_MCP_LISTS; list++)
        if (list == KM_MCP_TOOLS || list == KM_MCP_PROMPTS) /* a resource keeps its URI */
            check_names(b, (enum km_mcp_list)list, at);
    return km_arena_overflowed(&v->arena) ? km_mcp_virtual_unref(v) : v;
}

int km_mcp_virtuals_new(const struct km_config *config, struct km_mcp_set *set,
                        struct km_diags *diags, struct km_err *err)
{
    const struct km_table_list *list = km_config_get(config, &km_mcp_virtual_table);
    const struct km_node *nodes =
        km_node_path(km_config_root(config), "kanmon_settings.mcp_virtual_servers");
    struct build b = { .diags = diags, .set = set };

    if (list->n > VIRTUALS_MOST)
        return km_fail(err, KM_E_CONFIG, "over %d virtual MCP servers", VIRTUALS_MOST);
    set->virtuals = calloc(list->n + 1, sizeof(struct km_mcp_virtual *));
    for (size_t i = 0; set->virtuals && i < list->n; i++) {
        struct km_mcp_virtual *v =
            make(&b, list->names[i], (const struct km_mcp_virtual_entry *)list->v + i,
                 km_node_get(nodes, list->names[i]));

        if (!v)
            return km_fail(err, KM_E_NOMEM, "mcp_virtual_servers.%.*s is too large",
                           KM_STR_ARG(list->names[i]));
        set->virtuals[set->nvirtuals++] = v;
    }
    if (!set->virtuals)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    return b.failed ? km_fail(err, KM_E_CONFIG, "mcp_virtual_servers cannot be used as it is") : 0;
}
