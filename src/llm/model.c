/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - model groups and how a requested name finds one.
 *
 *     model_list (file order)      deployments[]       groups[] (first appearance)
 *       gpt-4o  -> openai/gpt-4o ─> d0 ─┐
 *       gpt-4o  -> azure/...     ─> d1 ─┴─ candidates ─> "gpt-4o"
 *       o/%      -> openai/%      ─> d2 ─── candidates ─> pattern "o/%"   (% for a star)
 *       %        -> %             ─> one deployment for each provider that has a key
 */
#include <stdio.h>
#include <stdlib.h>

#include "llm/affinity.h"
#include "llm/gating.h"
#include "llm/model_inside.h"
#include "llm/vendor.h"
#include "policy/gateway_budget.h"

#define MODELS_MAX 10000
#define MODELS_BYTES ((size_t)256 * 1024 * 1024)

struct km_models *km_models_free(struct km_models *m)
{
    if (!m)
        return NULL;
    for (size_t i = 0; i < m->ndeployments + m->nlenders; i++)
        km_deployment_done(&m->deployments[i]);
    km_map_free(m->by_name, NULL);
    km_map_free(m->by_alias, NULL);
    km_map_free(m->by_id, NULL);
    km_arena_done(&m->arena);
    free(m);
    return NULL;
}

static bool is_pattern(struct km_str name)
{
    return km_str_chr(name, '*') < name.n;
}

static bool is_star(const struct km_model_entry *e)
{
    return km_str_eq(e->params.model, KM_STR("*")) && !e->params.custom_llm_provider.n;
}

static size_t count_providers(void)
{
    size_t n = 0;

    while (km_provider_at(n))
        n++;
    return n;
}

/* A star that maps to a star: one deployment for each provider, reached as
 * "<provider>/<anything>". */
static int add_star(struct km_models *m, const struct km_model_build *b,
                    const struct km_model_entry *entry, struct km_err *err)
{
    const struct km_provider *p;

    for (size_t i = 0; (p = km_provider_at(i)) != NULL; i++) {
        struct km_deployment *d = &m->deployments[m->ndeployments];
        struct km_diags *quiet = km_diags_new();
        struct km_model_build silent = { b->args, b->arena, quiet, NULL };
        int r = quiet ? km_deployment_init(d, &silent, entry, p, err)
                      : km_fail(err, KM_E_NOMEM, "out of memory");

        km_diags_free(quiet);
        if (r < 0)
            return r;
        d->group = km_arena_printf(b->arena, "%s/*", p->name);
        d->id = km_arena_printf(b->arena, "%.*s-%s", KM_STR_ARG(d->id), p->name);
        if (d->unavailable.n) { /* a provider without a key is simply not offered */
            km_deployment_done(d);
            memset(d, 0, sizeof *d);
        } else {
            d->index = m->ndeployments++;
        }
    }
    return 0;
}

static int build_deployments(struct km_models *m, const struct km_model_build *b,
                             const struct km_table_list *list, struct km_err *err)
{
    const struct km_model_entry *entries = list->v;
    size_t room = 0;

    for (size_t i = 0; i < list->n; i++)
        room += is_star(&entries[i]) ? count_providers() + 1 : 1;
    if (room > MODELS_MAX)
        return km_fail(err, KM_E_LIMIT, "model_list: over %d deployments", MODELS_MAX);
    m->deployments = km_arena_zalloc(&m->arena, (room + KM_VENDORS) * sizeof *m->deployments);
    if (!m->deployments)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; i < list->n; i++) {
        struct km_deployment *d = &m->deployments[m->ndeployments];
        int r;

        if (km_model_entry_hidden(b, list, i))
            continue;
        km_deployment_params_check(b, &entries[i]);
        if (is_star(&entries[i])) {
            r = add_star(m, b, &entries[i], err);
        } else {
            d->index = m->ndeployments;
            r = km_deployment_init(d, b, &entries[i], NULL, err);
            m->ndeployments++;
        }
        if (r < 0)
            return r;
    }
    return 0;
}

/* What the environment alone is enough for: one for each prefix, offered to nobody by name. */
static int build_lenders(struct km_models *m, const struct km_model_build *b, struct km_err *err)
{
#define UNSET(id, name, member, forms, help) [KM_PRICE_##id] = -1,
    static const struct km_model_entry bare = {
        .params = { .model = { "*", 1 },
                    .rpm = -1,
                    .tpm = -1,
                    .weight = -1,
                    .num_retries = -1,
                    .prices = { KM_PRICE_COLUMNS(UNSET) },
                    .ssl_verify = true,
                    .use_in_pass_through = true },
        .info = { .prices = { KM_PRICE_COLUMNS(UNSET) },
                  .max_tokens = -1,
                  .max_input_tokens = -1,
                  .max_output_tokens = -1 },
    };
#undef UNSET

    for (size_t i = 0; i < KM_VENDORS; i++) {
        size_t at = m->ndeployments + m->nlenders;
        struct km_deployment *d = &m->deployments[at];
        struct km_diags *quiet = km_diags_new();
        struct km_model_build silent = { b->args, b->arena, quiet, NULL };
        struct km_model_entry entry = bare;
        int r;

        m->nlenders++;
        d->index = at;
        entry.info.id = km_arena_printf(b->arena, "environment-%s", km_vendors[i].provider);
        entry.model_name = km_arena_printf(b->arena, "%.*s/*", KM_STR_ARG(km_vendors[i].prefix));
        r = quiet ? km_deployment_init(d, &silent, &entry,
                                       km_provider_find(km_str_c(km_vendors[i].provider)), err)
                  : km_fail(err, KM_E_NOMEM, "out of memory");
        km_diags_free(quiet);
        if (r < 0)
            return r;
    }
    return 0;
}

static struct km_model_group *group_of(struct km_models *m, struct km_str name)
{
    for (size_t i = 0; i < m->ngroups; i++)
        if (km_str_eq(m->groups[i].name, name))
            return &m->groups[i];
    return NULL;
}

static int64_t metric_of(const struct km_deployment *d, unsigned metric)
{
    return metric == 0 ? d->weight : metric == 1 ? d->rpm : d->tpm;
}

/* The first of weight, rpm and tpm that one of its group and order has says the shares of all. */
static int64_t share_of(const struct km_model_group *g, const struct km_deployment *d)
{
    for (unsigned metric = 0; metric < 3; metric++)
        for (size_t i = 0; i < g->n; i++) {
            const struct km_deployment *other = g->v[i].deployment;

            if (other->order == d->order && metric_of(other, metric) > 0)
                return metric_of(d, metric) > 0 ? metric_of(d, metric) : 0;
        }
    return 1;
}

static int fill_group(struct km_models *m, struct km_model_group *g, struct km_err *err)
{
    struct km_candidate *v;
    size_t n = 0;

    for (size_t i = 0; i < m->ndeployments; i++)
        n += km_str_eq(m->deployments[i].group, g->name);
    v = km_arena_zalloc(&m->arena, n * sizeof *v);
    if (!v)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    g->v = v;
    g->retry = km_models_retry_policy(m, g->name);
    g->falls_back = km_fallbacks_has(m->fallbacks, g->name);
    g->hedge = m->hedge && km_hedge_has(m->hedge, g->name) ? m->hedge : NULL;
    for (size_t i = 0; i < m->ndeployments; i++) {
        struct km_deployment *d = &m->deployments[i];
        if (km_str_eq(d->group, g->name))
            v[g->n++] = (struct km_candidate){
                .order = d->order,
                .breaker = &d->breaker,
                .settings = d->breaking,
                .group = d->group_of,
                .place = d->place,
                .gate = d->gate,
                .gate_rules = &d->gate_rules,
                .facts = km_models_facts(m, d),
                .about = &d->facts,
                .deployment = d,
            };
    }
    for (size_t i = 0; i < g->n; i++)
        v[i].weight = share_of(g, v[i].deployment);
    g->filters = km_models_filters(m, g->v, g->n);
    g->affinity = g->n > 1 ? km_affinity_of(m->config, g->name) : 0;
    return 0;
}

static int by_literal_bytes(const void *a, const void *b)
{
    const struct km_model_group *x = *(const struct km_model_group *const *)a;
    const struct km_model_group *y = *(const struct km_model_group *const *)b;

    return x->name.n == y->name.n ? km_str_cmp(x->name, y->name) : x->name.n < y->name.n ? 1 : -1;
}

static int build_groups(struct km_models *m, struct km_err *err)
{
    m->groups = km_arena_zalloc(&m->arena, (m->ndeployments + 1) * sizeof *m->groups);
    m->patterns = km_arena_zalloc(&m->arena, (m->ndeployments + 1) * sizeof(void *));
    if (!m->groups || !m->patterns)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; i < m->ndeployments; i++)
        if (!km_map_get(m->by_name, m->deployments[i].group) &&
            !group_of(m, m->deployments[i].group)) {
            struct km_model_group *g = &m->groups[m->ngroups++];
            int r;

            g->name = m->deployments[i].group;
            r = fill_group(m, g, err);
            if (r < 0)
                return r;
            if (is_pattern(g->name))
                m->patterns[m->npatterns++] = g;
            else if (km_map_set(m->by_name, g->name, g, NULL) < 0)
                return km_fail(err, KM_E_NOMEM, "out of memory");
        }
    qsort(m->patterns, m->npatterns, sizeof(void *), by_literal_bytes);
    return 0;
}

/* Each deployment can be asked for by its id: a group of its own. */
static int index_ids(struct km_models *m, struct km_err *err)
{
    for (size_t i = 0; i < m->ndeployments; i++) {
        struct km_deployment *d = &m->deployments[i];
        struct km_model_group *g = km_arena_alloc(&m->arena, sizeof *g);
        struct km_candidate *c = km_arena_alloc(&m->arena, sizeof *c);

        if (!g || !c)
            return km_fail(err, KM_E_NOMEM, "out of memory");
        if (km_map_get(m->by_id, d->id))
            d->id = km_arena_printf(&m->arena, "%.*s-%zu", KM_STR_ARG(d->id), i);
        km_deployment_name_facts(d);
        *c = (struct km_candidate){ .weight = 1,
                                    .breaker = &d->breaker,
                                    .settings = d->breaking,
                                    .group = d->group_of,
                                    .place = d->place,
                                    .gate = d->gate,
                                    .gate_rules = &d->gate_rules,
                                    .about = &d->facts,
                                    .deployment = d };
        *g = (struct km_model_group){
            .name = d->group,
            .v = c,
            .n = 1,
            .retry = km_models_retry_policy(m, d->group),
            .falls_back = km_fallbacks_has(m->fallbacks, d->group),
            .filters = km_models_filters(m, c, 1),
        };
        if (km_map_set(m->by_id, d->id, g, NULL) < 0)
            return km_fail(err, KM_E_NOMEM, "out of memory");
    }
    return 0;
}

/* `alias: group`, or `alias: {model: group, hidden: true}`. */
static int add_aliases(struct km_models *m, const struct km_node *node, struct km_err *err)
{
    struct km_model_alias *v;

    if (!node || node->type != KM_NODE_MAP || node->n == 0)
        return 0;
    v = km_arena_zalloc(&m->arena, node->n * sizeof *v);
    if (!v)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; i < node->n; i++) {
        const struct km_node *target = node->v[i];
        const struct km_node *hidden = km_node_get(target, KM_STR("hidden"));

        if (target->type == KM_NODE_MAP)
            target = km_node_get(target, KM_STR("model"));
        if (!target || km_map_get(m->by_alias, node->k[i]->text))
            continue;
        v[i].name = km_arena_str(&m->arena, node->k[i]->text);
        v[i].group = km_arena_str(&m->arena, target->text);
        v[i].hidden = hidden && hidden->type == KM_NODE_BOOL && hidden->b;
        if (km_map_set(m->by_alias, v[i].name, &v[i], NULL) < 0)
            return km_fail(err, KM_E_NOMEM, "out of memory");
        if (!v[i].hidden)
            m->names[m->nnames++] = v[i].name;
    }
    return 0;
}

static size_t alias_count(const struct km_node *node)
{
    return node && node->type == KM_NODE_MAP ? node->n : 0;
}

static int build_names(struct km_models *m, const struct km_config *config, struct km_err *err)
{
    const struct km_llm_defaults *llm = km_config_get(config, &km_llm_defaults_table);
    const struct km_router_settings *router = km_config_get(config, &km_router_settings_table);
    size_t room = m->ngroups + alias_count(llm->model_group_alias) +
                  alias_count(router->model_group_alias) + 1;
    int r;

    m->names = km_arena_zalloc(&m->arena, room * sizeof *m->names);
    if (!m->names)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; i < m->ngroups; i++)
        m->names[m->nnames++] = m->groups[i].name;
    r = add_aliases(m, router->model_group_alias, err); /* router_settings wins */
    return r < 0 ? r : add_aliases(m, llm->model_group_alias, err);
}

/* All of them are in diags; what stops the load says how many. */
static int no_errors(const struct km_diags *diags, size_t before, struct km_err *err)
{
    size_t n = km_diags_count(diags, KM_DIAG_ERROR) - before;

    return n ? km_fail(err, KM_E_CONFIG, "model_list has %zu error%s: see `kanmon config check`", n,
                       n == 1 ? "" : "s")
             : 0;
}

int km_models_new(const struct km_models_args *args, struct km_diags *diags,
                  struct km_models **ret_models, struct km_err *err)
{
    const struct km_model_settings *s = km_config_get(args->config, &km_model_settings_table);
    struct km_models *m = calloc(1, sizeof *m);
    struct km_model_said *said = NULL;
    struct km_model_build b = { args, m ? &m->arena : NULL, diags, &said };
    size_t errors = km_diags_count(diags, KM_DIAG_ERROR);
    int r;

    if (!m)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    m->router = km_config_get(args->config, &km_router_settings_table);
    m->breaker = km_models_breaker(args, m->router);
    m->hedge = args->hedge;
    km_arena_init(&m->arena, MODELS_BYTES, NULL);
    m->strategy = km_models_strategy(m->router);
    m->by_name = km_map_new_borrowed(MODELS_MAX);
    m->by_alias = km_map_new_borrowed(MODELS_MAX);
    m->by_id = km_map_new_borrowed(MODELS_MAX);
    m->config = args->config;
    m->economy = km_config_get(args->config, &km_economy_settings_table);
    m->cheaper = km_gateway_budget_makes_cheaper(
        km_config_get(args->config, &km_gateway_budget_settings_table));
    m->rules = km_routes_read(args->config);
    m->fallbacks = km_fallbacks_new(args->config, &m->arena, diags);
    r = m->fallbacks && m->by_name && m->by_alias && m->by_id
            ? build_deployments(m, &b, &s->models, err)
            : km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0)
        r = km_deployments_gate(m->deployments, m->ndeployments, args, &m->arena, diags, err);
    if (r == 0)
        r = build_lenders(m, &b, err);
    if (r == 0)
        r = km_cooldowns_init(m->deployments, m->ndeployments + m->nlenders, &m->breaker, &m->arena,
                              &m->providers, err);
    if (r == 0)
        r = km_budgets_read(m, diags, err);
    if (r == 0)
        r = build_groups(m, err);
    if (r == 0)
        r = index_ids(m, err);
    if (r == 0)
        r = build_names(m, args->config, err);
    if (r == 0)
        r = km_models_check(m, &b, err);
    if (r == 0) {
        km_fallbacks_check(m->fallbacks, m, args->config, &m->arena, diags);
        km_routes_check(&m->rules, m, diags);
    }
    if (r == 0)
        r = no_errors(diags, errors, err);
    if (r < 0) {
        km_models_free(m);
        return r;
    }
    *ret_models = m;
    return 0;
}

const struct km_fallbacks *km_models_fallbacks(const struct km_models *m)
{
    return m->fallbacks;
}

const struct km_cooldown_groups *km_models_cooldown_groups(const struct km_models *m)
{
    return &m->providers;
}

const struct km_route_rules *km_models_rules(const struct km_models *m)
{
    return &m->rules;
}

const struct km_deployment *km_models_by_id(const struct km_models *m, struct km_str id)
{
    const struct km_model_group *g = km_map_get(m->by_id, id);

    return g ? g->v->deployment : NULL;
}

size_t km_models_count(const struct km_models *m)
{
    return m->ndeployments;
}

size_t km_models_all(const struct km_models *m)
{
    return m->ndeployments + m->nlenders;
}

struct km_deployment *km_models_at(const struct km_models *m, size_t i)
{
    return &m->deployments[i];
}

size_t km_models_names(const struct km_models *m, const struct km_str **ret_names)
{
    *ret_names = m->names;
    return m->nnames;
}
