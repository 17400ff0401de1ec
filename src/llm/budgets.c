/* SPDX-License-Identifier: Apache-2.0 */
/* budgets.c - see budgets.h for the contract.
 *
 * LiteLLM's older members (budget_limit, time_period) and its newer ones (max_budget,
 * budget_duration) say the same.  A budget without a period is one for ever: LiteLLM would hold
 * none, and a limit that is written down is meant.  What cannot be read stops the start, for it
 * would limit nothing.
 */
#include "llm/budgets.h"

#include "base/time.h"
#include "llm/model_inside.h"

struct reading {
    struct km_models *m;
    struct km_diags *diags;
};

static void wrong(struct reading *r, const struct km_node *at, struct km_str of, const char *what)
{
    km_diag_add(r->diags, KM_DIAG_ERROR, "E0309", at,
                "a budget is {max_budget: 100, budget_duration: 30d}: a number of USD, and a "
                "length of time",
                "the budget of '%.*s' %s", KM_STR_ARG(km_str_sub(of, 0, 100)), what);
}

/* Neither name, or an empty value: NULL. */
static const struct km_node *member(const struct km_node *map, const char *one, const char *other)
{
    const struct km_node *v = km_node_get(map, km_str_c(one));

    if (!v || v->type == KM_NODE_NULL)
        v = km_node_get(map, km_str_c(other));
    return v && v->type != KM_NODE_NULL ? v : NULL;
}

static bool is_scalar(const struct km_node *v)
{
    return v->type == KM_NODE_INT || v->type == KM_NODE_FLOAT || v->type == KM_NODE_STR;
}

/* false: it says none, or a wrong one. */
static bool read_one(struct reading *r, const struct km_node *max, const struct km_node *duration,
                     struct km_said_budget *b)
{
    if (!max)
        return false;
    if (!is_scalar(max) || km_str_decimal(max->text, 9, &b->max) < 0 || b->max < 0) {
        wrong(r, max, b->id, "is no number of USD");
        return false;
    }
    if (duration &&
        (!is_scalar(duration) || km_time_parse_duration(duration->text, &b->duration_s) < 0 ||
         b->duration_s <= 0)) {
        wrong(r, duration, b->id, "has a period that is no length of time");
        return false;
    }
    b->duration = duration ? km_arena_str(&r->m->arena, duration->text) : KM_STR_NONE;
    return true;
}

static void keep(struct reading *r, const struct km_node *at, const struct km_said_budget *b)
{
    struct km_models *m = r->m;

    if (b->id.n == 0 || b->id.n > KM_ACCOUNT_ID_BYTES || !km_account_id_is_good(b->id))
        wrong(r, at, b->id, "is of a name that is none, or too long");
    else
        m->budgets[m->nbudgets++] = *b;
}

/* A mapping of names; there is room for all of them. */
static void read_map(struct reading *r, const struct km_node *map, enum km_account_kind kind)
{
    for (size_t i = 0; map && i < map->n; i++) {
        const struct km_node *v = map->v[i];
        struct km_said_budget b = { .kind = kind,
                                    .id = km_arena_str(&r->m->arena, map->k[i]->text) };

        if (v->type != KM_NODE_MAP || !member(v, "max_budget", "budget_limit"))
            wrong(r, v, b.id, "has no max_budget");
        else if (read_one(r, member(v, "max_budget", "budget_limit"),
                          member(v, "budget_duration", "time_period"), &b))
            keep(r, map->k[i], &b);
    }
}

static bool has_account(const struct km_models *m, enum km_account_kind kind, struct km_str id)
{
    for (size_t i = 0; i < m->nbudgets; i++)
        if (m->budgets[i].kind == kind && km_str_eq(m->budgets[i].id, id))
            return true;
    return false;
}

/* Those that a star was made into have one budget together, under the entry's own id. */
static void read_deployment(struct reading *r, const struct km_deployment *d)
{
    struct km_said_budget b = { .kind = KM_ACCOUNT_DEPLOYMENT, .id = d->budget_id };

    if (!has_account(r->m, b.kind, b.id) && read_one(r, d->max_budget, d->budget_duration, &b))
        keep(r, d->max_budget, &b);
}

static const struct km_node *map_of(struct reading *r, const struct km_node *node, const char *name)
{
    if (!node || node->type == KM_NODE_NULL)
        return NULL;
    if (node->type == KM_NODE_MAP)
        return node;
    wrong(r, node, km_str_c(name), "must be a mapping of names to budgets");
    return NULL;
}

int km_budgets_read(struct km_models *m, struct km_diags *diags, struct km_err *err)
{
    const struct km_llm_defaults *llm = km_config_get(m->config, &km_llm_defaults_table);
    struct reading r = { m, diags };
    const struct km_node *providers =
        map_of(&r, m->router->provider_budgets, "provider_budget_config");
    const struct km_node *tags = map_of(&r, llm->tag_budgets, "tag_budget_config");
    const size_t all = m->ndeployments + m->nlenders;

    m->budgets = km_arena_zalloc(&m->arena,
                                 ((providers ? providers->n : 0) + (tags ? tags->n : 0) + all + 1) *
                                     sizeof *m->budgets);
    if (!m->budgets)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    read_map(&r, providers, KM_ACCOUNT_PROVIDER);
    read_map(&r, tags, KM_ACCOUNT_TAG);
    for (size_t i = 0; i < all; i++)
        read_deployment(&r, &m->deployments[i]);
    for (size_t i = 0; i < all; i++) {
        struct km_deployment *d = &m->deployments[i];

        d->has_budget = has_account(m, KM_ACCOUNT_PROVIDER, d->provider_name) ||
                        has_account(m, KM_ACCOUNT_DEPLOYMENT, d->budget_id);
    }
    return 0;
}

const struct km_said_budget *km_models_budgets(const struct km_models *m, size_t *ret_n)
{
    *ret_n = m->nbudgets;
    return m->budgets;
}
