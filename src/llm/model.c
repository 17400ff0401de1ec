/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - model groups and how a requested name finds one.
 *
 *     model_list (file order)      deployments[]       groups[] (first appearance)
 *       gpt-4o  -> openai/gpt-4o ─> d0 ─┐
 *       gpt-4o  -> azure/...     ─> d1 ─┴─ candidates ─> "gpt-4o"
 *       o/%      -> openai/%      ─> d2 ─── candidates ─> pattern "o/%"   (% for a star)
 *       %        -> %             ─> one deployment for each provider that has a key
 *
 * A name is looked up as: exact group, alias, deployment id, wildcard (most literal bytes
 * first).  That order is LiteLLM's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "llm/gating.h"
#include "llm/fallback.h"
#include "llm/model_build.h"
#include "llm/refusal.h"
#include "llm/vendor.h"

#define MODELS_MAX 10000
#define MODELS_BYTES ((size_t)256 * 1024 * 1024)

struct alias {
    struct km_str name, group;
    bool hidden;
};

struct km_models {
    struct km_arena arena;
    struct km_deployment *deployments;
    size_t ndeployments;
    size_t nlenders; /* behind the deployments: the environment's credentials, by vendor */
    struct km_model_group *groups; /* exact ones and patterns, in order of the file */
    size_t ngroups;
    const struct km_model_group **patterns; /* most literal bytes first */
    size_t npatterns;
    struct alias *aliases;
    size_t naliases;
    struct km_map *by_name; /* exact groups */
    struct km_map *by_alias;
    struct km_map *by_id; /* one-candidate groups */
    struct km_str *names;
    size_t nnames;
    struct km_breaker_settings breaker;
    const struct km_router_settings *router; /* of the configuration, which lives as long */
    const struct km_fallbacks *fallbacks;
    struct km_strategy_settings strategy;
};

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

/* The further attempts by kind of failure that are configured for a group; NULL: none are. */
static const struct km_failure_counts *retry_policy_of(const struct km_models *m,
                                                       struct km_str group)
{
    const struct km_table_list *own = &m->router->group_retry_policies;

    for (size_t i = 0; i < own->n; i++)
        if (km_str_eq(own->names[i], group))
            return (const struct km_failure_counts *)own->v + i;
    return &m->router->retry_policy;
}

static struct km_strategy_facts facts_of(const struct km_models *m, struct km_deployment *d)
{
    const bool priced = d->price.input >= 0 || d->price.output >= 0;
    const int64_t input = d->price.input > 0 ? d->price.input : 0;
    const int64_t output = d->price.output > 0 ? d->price.output : 0;

    return (struct km_strategy_facts){ .load = km_strategy_counts(&m->strategy) ? &d->load : NULL,
                                       .cost = priced ? input + output : -1,
                                       .rpm = d->rpm,
                                       .tpm = d->tpm };
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
    g->retry = retry_policy_of(m, g->name);
    g->falls_back = km_fallbacks_has(m->fallbacks, g->name);
    for (size_t i = 0; i < m->ndeployments; i++) {
        struct km_deployment *d = &m->deployments[i];
        if (km_str_eq(d->group, g->name))
            v[g->n++] = (struct km_candidate){
                .weight = d->share,
                .order = d->order,
                .breaker = &d->breaker,
                .settings = &m->breaker,
                .gate = d->gate,
                .gate_rules = &d->gate_rules,
                .facts = facts_of(m, d),
                .deployment = d,
            };
    }
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
        *c = (struct km_candidate){
            .weight = 1,
            .breaker = &d->breaker,
            .settings = &m->breaker,
            .gate = d->gate,
            .gate_rules = &d->gate_rules,
            .deployment = d,
        };
        *g = (struct km_model_group){
            .name = d->group,
            .v = c,
            .n = 1,
            .retry = retry_policy_of(m, d->group),
            .falls_back = km_fallbacks_has(m->fallbacks, d->group),
        };
        if (km_map_set(m->by_id, d->id, g, NULL) < 0)
            return km_fail(err, KM_E_NOMEM, "out of memory");
    }
    return 0;
}

/* `alias: group`, or `alias: {model: group, hidden: true}`. */
static int add_aliases(struct km_models *m, const struct km_node *node, struct km_err *err)
{
    struct alias *v;

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

/* In the order of the setting's names. */
static const enum km_strategy strategies[] = {
    KM_STRATEGY_SHUFFLE, KM_STRATEGY_LEAST_BUSY, KM_STRATEGY_USAGE,  KM_STRATEGY_USAGE,
    KM_STRATEGY_LATENCY, KM_STRATEGY_COST,       KM_STRATEGY_SHUFFLE
};

static struct km_strategy_settings strategy_of(const struct km_router_settings *router)
{
    const struct km_node *buffer = router->strategy_args.buffer;
    const bool number = buffer && (buffer->type == KM_NODE_FLOAT || buffer->type == KM_NODE_INT);

    return (struct km_strategy_settings){
        .strategy = strategies[router->strategy],
        .ttl_ms = router->strategy_args.ttl_ms,
        .buffer_percent =
            number && buffer->f > 0 && buffer->f < 1000 ? (int64_t)(buffer->f * 100) : 0,
    };
}

/* Budgets of providers are not held yet, and refused where they are configured. */
static void check_strategy(const struct km_config *config, const struct km_router_settings *router,
                           struct km_diags *diags)
{
    static const int64_t by_budget = 6;

    if (router->strategy == by_budget)
        km_diag_add(diags, KM_DIAG_WARNING, "W0303",
                    km_node_path(km_config_root(config), "router_settings.routing_strategy"), NULL,
                    "provider-budget-routing is not served yet: deployments are chosen as "
                    "simple-shuffle does");
}

/* All of them are in diags; what stops the load says how many. */
static int no_errors(const struct km_diags *diags, size_t before, struct km_err *err)
{
    size_t n = km_diags_count(diags, KM_DIAG_ERROR) - before;

    return n ? km_fail(err, KM_E_CONFIG, "model_list has %zu error%s: see `kanmon config check`", n,
                       n == 1 ? "" : "s")
             : 0;
}

/* What LiteLLM's settings say of cool-downs takes the place of our own. */
static struct km_breaker_settings breaker_of(const struct km_models_args *args,
                                             const struct km_router_settings *router)
{
    const struct km_llm_defaults *module = km_config_get(args->config, &km_llm_defaults_table);
    const struct km_cooldown_settings *own = &router->cooldown, *less = &module->cooldown;
    const int64_t allowed = own->allowed_fails >= 0 ? own->allowed_fails : less->allowed_fails;
    const int64_t time_ms = own->time_ms > 0 ? own->time_ms : less->time_ms;
    struct km_breaker_settings s = { .failures = 0 };

    if (args->breaker)
        s = *args->breaker;
    if (allowed >= 0)
        s.a_minute = allowed + 1;
    if (time_ms > 0)
        s.open_ms = time_ms;
    s.never = router->no_cooldowns;
    s.allowed_of = &router->allowed_fails_policy;
    return s;
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
    m->breaker = breaker_of(args, m->router);
    km_arena_init(&m->arena, MODELS_BYTES, NULL);
    m->strategy = strategy_of(m->router);
    check_strategy(args->config, m->router, diags);
    m->by_name = km_map_new_borrowed(MODELS_MAX);
    m->by_alias = km_map_new_borrowed(MODELS_MAX);
    m->by_id = km_map_new_borrowed(MODELS_MAX);
    m->fallbacks = km_fallbacks_new(args->config, &m->arena, diags);
    r = m->fallbacks && m->by_name && m->by_alias && m->by_id
            ? build_deployments(m, &b, &s->models, err)
            : km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0)
        r = km_deployments_gate(m->deployments, m->ndeployments, args, &m->arena, diags, err);
    if (r == 0)
        r = build_lenders(m, &b, err);
    if (r == 0)
        r = build_groups(m, err);
    if (r == 0)
        r = index_ids(m, err);
    if (r == 0)
        r = build_names(m, args->config, err);
    if (r == 0)
        r = km_models_check(m, &b, err);
    if (r == 0)
        km_fallbacks_check(m->fallbacks, m, diags);
    if (r == 0)
        r = no_errors(diags, errors, err);
    if (r < 0) {
        km_models_free(m);
        return r;
    }
    *ret_models = m;
    return 0;
}

static void matched(const struct km_models *m, struct km_model_match *ret,
                    const struct km_model_group *g)
{
    ret->v = g->v;
    ret->n = g->n;
    ret->group = g->name;
    ret->retry = g->retry;
    ret->falls_back = g->falls_back;
    ret->strategy = &m->strategy;
}

static bool find_exact(const struct km_models *m, struct km_str name, struct km_model_match *ret)
{
    const struct km_model_group *g = km_map_get(m->by_name, name);

    if (g)
        matched(m, ret, g);
    return g != NULL;
}

static bool find_pattern(const struct km_models *m, struct km_str name, struct km_model_match *ret)
{
    for (size_t i = 0; i < m->npatterns; i++)
        if (km_str_glob(m->patterns[i]->name, name, &ret->star)) {
            matched(m, ret, m->patterns[i]);
            return true;
        }
    return false;
}

int km_models_find(const struct km_models *m, struct km_str name, struct km_model_match *ret_match,
                   struct km_err *err)
{
    const struct alias *alias;
    const struct km_model_group *g;

    *ret_match = (struct km_model_match){ 0 };
    if (find_exact(m, name, ret_match))
        return 0;
    alias = km_map_get(m->by_alias, name);
    if (alias) {
        ret_match->alias_of = alias->group;
        if (find_exact(m, alias->group, ret_match) || find_pattern(m, alias->group, ret_match))
            return 0;
    }
    g = km_map_get(m->by_id, name);
    if (g) {
        matched(m, ret_match, g);
        return 0;
    }
    if (find_pattern(m, name, ret_match))
        return 0;
    km_fail_param(err, KM_E_INVALID, NULL,
                  "There is no model '%.*s' here. GET /v1/models lists those your key may use.",
                  KM_STR_ARG(km_str_sub(name, 0, 200)));
    if (err)
        err->kind = KM_REFUSED_MODEL;
    return KM_E_INVALID;
}

const struct km_fallbacks *km_models_fallbacks(const struct km_models *m)
{
    return m->fallbacks;
}

size_t km_models_count(const struct km_models *m)
{
    return m->ndeployments;
}

size_t km_models_all(const struct km_models *m)
{
    return m->ndeployments + m->nlenders;
}

/* --- below a vendor's prefix (vendor.h) --- */

static bool is_of(const struct km_deployment *d, const struct km_vendor *v)
{
    return d->provider && km_str_starts(km_str_c(d->provider->name), km_str_c(v->provider)) &&
           (strlen(d->provider->name) == strlen(v->provider) ||
            km_str_ends(km_str_c(d->provider->name), KM_STR("_beta")));
}

/* It calls nobody. */
static bool mocks(const struct km_deployment *d)
{
    return d->mock_response.n > 0;
}

static void put(struct km_vendor_match *ret, struct km_candidate *v, const struct km_models *m,
                struct km_deployment *d)
{
    v[ret->match.n++] = (struct km_candidate){ .weight = d->share,
                                               .order = d->order,
                                               .breaker = &d->breaker,
                                               .settings = &m->breaker,
                                               .gate = d->gate,
                                               .gate_rules = &d->gate_rules,
                                               .deployment = d };
}

/* Those of the group of that name. */
static void by_group(const struct km_models *m, const struct km_vendor *v, struct km_str model,
                     struct km_candidate *room, struct km_vendor_match *ret)
{
    struct km_model_match found;

    if (km_models_find(m, model, &found, NULL) < 0)
        return;
    ret->known = true;
    ret->group = found.alias_of.n ? found.alias_of : found.group;
    ret->match.star = found.star;
    for (size_t i = 0; i < found.n; i++)
        if (is_of(found.v[i].deployment, v) && !mocks(found.v[i].deployment))
            put(ret, room, m, found.v[i].deployment);
}

/* Those whose name at the vendor it is. */
static void by_model(const struct km_models *m, const struct km_vendor *v, struct km_str model,
                     struct km_candidate *room, struct km_vendor_match *ret)
{
    for (size_t i = 0; i < m->ndeployments; i++) {
        struct km_deployment *d = &m->deployments[i];

        if (!is_of(d, v) || mocks(d) || !km_str_eq(d->upstream_model, model))
            continue;
        ret->group = !ret->match.n || km_str_eq(ret->group, d->group) ? d->group : KM_STR_NONE;
        put(ret, room, m, d);
    }
}

static void lenders(const struct km_models *m, const struct km_vendor *v, bool any,
                    struct km_candidate *room, struct km_vendor_match *ret)
{
    struct km_deployment *own = &m->deployments[m->ndeployments + (size_t)(v - km_vendors)];

    ret->lent = true;
    for (size_t i = 0; i < m->ndeployments; i++)
        if (is_of(&m->deployments[i], v) && m->deployments[i].lends && !mocks(&m->deployments[i]) &&
            !m->deployments[i].unavailable.n)
            put(ret, room, m, &m->deployments[i]);
    if (ret->match.n)
        return;
    for (size_t i = 0; own->unavailable.n && any && i < m->ndeployments; i++)
        if (is_of(&m->deployments[i], v) && !mocks(&m->deployments[i]) &&
            !m->deployments[i].unavailable.n) {
            put(ret, room, m, &m->deployments[i]);
            return;
        }
    put(ret, room, m, own);
}

int km_models_vendor(const struct km_models *m, const struct km_vendor *v, struct km_str model,
                     struct km_arena *arena, struct km_vendor_match *ret, struct km_err *err)
{
    struct km_candidate *room = km_arena_zalloc(arena, (m->ndeployments + 1) * sizeof *room);
    const struct km_deployment *d;

    *ret = (struct km_vendor_match){ .match.group = model };
    if (!room)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (model.n)
        by_group(m, v, model, room, ret);
    if (model.n && !ret->match.n && !ret->known)
        by_model(m, v, model, room, ret);
    if (!ret->match.n)
        lenders(m, v, model.n == 0, room, ret);
    ret->match.v = room;
    d = room[0].deployment;
    if (ret->match.n > 1 || !d->unavailable.n)
        return 0;
    return km_fail(
        err, KM_E_NOT_FOUND,
        "Nothing is configured for %.*s%s%.*s: %.*s. Add the model to model_list, or set "
        "the provider's own variables.",
        KM_STR_ARG(v->prefix), model.n ? " and model " : "", KM_STR_ARG(km_str_sub(model, 0, 100)),
        KM_STR_ARG(d->unavailable));
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
