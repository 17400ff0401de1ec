/* SPDX-License-Identifier: Apache-2.0 */
/* model_rules.c - by which rules a deployment of a group is taken, tried again and left alone.
 *
 * LiteLLM's settings as the configuration has them, made into what src/policy decides by:
 * strategies, filters, retries by group, breakers.  Nothing is decided here.
 *
 *     router_settings, litellm_settings ──> model_rules.c ──> km_models, its groups ──> router
 */
#include "llm/model_inside.h"

const struct km_failure_counts *km_models_retry_policy(const struct km_models *m,
                                                       struct km_str group)
{
    const struct km_table_list *own = &m->router->group_retry_policies;

    for (size_t i = 0; i < own->n; i++)
        if (km_str_eq(own->names[i], group))
            return (const struct km_failure_counts *)own->v + i;
    return &m->router->retry_policy;
}

struct km_strategy_facts km_models_facts(const struct km_models *m, struct km_deployment *d)
{
    const bool priced = d->price.input >= 0 || d->price.output >= 0;
    const int64_t input = d->price.input > 0 ? d->price.input : 0;
    const int64_t output = d->price.output > 0 ? d->price.output : 0;

    return (struct km_strategy_facts){ .load = km_strategy_counts(&m->strategy) || m->economy->on
                                                   ? &d->load
                                                   : NULL,
                                       .cost = priced ? input + output : -1,
                                       .rpm = d->rpm,
                                       .tpm = d->tpm };
}

/* LiteLLM asks the first deployment of a group that says anything of tags. */
static bool filters_tags(const struct km_models *m, const struct km_candidate *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct km_deployment *d = v[i].deployment;

        if (d->tag_filtering >= 0)
            return d->tag_filtering > 0;
    }
    return m->router->filters.tags;
}

static bool has_budgets(const struct km_candidate *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((const struct km_deployment *)v[i].deployment)->has_budget)
            return true;
    return false;
}

unsigned km_models_filters(const struct km_models *m, const struct km_candidate *v, size_t n)
{
    return (m->economy->on ? (unsigned)(KM_FILTER_COSTS | KM_FILTER_FITS) : 0) |
           (m->router->filters.fits ? (unsigned)KM_FILTER_FITS : 0) |
           (filters_tags(m, v, n) ? (unsigned)KM_FILTER_TAGS : 0) |
           (has_budgets(v, n) ? (unsigned)KM_FILTER_BUDGET : 0);
}

/* In the order of the setting's names. */
static const enum km_strategy strategies[] = {
    KM_STRATEGY_SHUFFLE, KM_STRATEGY_LEAST_BUSY, KM_STRATEGY_USAGE,  KM_STRATEGY_USAGE,
    KM_STRATEGY_LATENCY, KM_STRATEGY_COST,       KM_STRATEGY_SHUFFLE
};

struct km_strategy_settings km_models_strategy(const struct km_router_settings *router)
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
struct km_breaker_settings km_models_breaker(const struct km_models_args *args,
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
