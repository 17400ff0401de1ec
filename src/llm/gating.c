/* SPDX-License-Identifier: Apache-2.0 */
/* gating.c - see gating.h for the contract.
 *
 *     max_parallel_requests of litellm_params, else
 *     router_settings.default_max_parallel_requests      calls at once
 *     litellm_settings.priority_reservation              who has which part of them
 *     kanmon_settings.performance                        how many wait, for how long, pacing
 *
 * In LiteLLM a reservation is of a model's requests and tokens a minute; here it is of the places
 * of a deployment that has a number of them.  {"type": "rpm"} and {"type": "tpm"} are parts of such
 * limits, and count for nothing here.
 */
#include "llm/gating.h"

#include "base/map.h"
#include "policy/gate_settings.h"

#define DEFAULT_MILLI 250 /* as in LiteLLM */
#define THRESHOLD_MILLI 500

/* A part of the whole; -1: it is none. */
static int64_t milli_of(const struct km_node *node)
{
    const bool number = node && (node->type == KM_NODE_FLOAT || node->type == KM_NODE_INT);

    return number && node->f >= 0 && node->f <= 1 ? (int64_t)(node->f * 1000 + 0.5) : -1;
}

/* 0.9, or {"type": "percent", "value": 0.9}. */
static int64_t share_of(const struct km_node *node)
{
    const struct km_node *type;

    if (node->type != KM_NODE_MAP)
        return milli_of(node);
    type = km_node_get(node, KM_STR("type"));
    if (type && !(type->type == KM_NODE_STR && km_str_eq(type->text, KM_STR("percent"))))
        return -1;
    return milli_of(km_node_get(node, KM_STR("value")));
}

static void read_shares(struct km_shares *s, const struct km_node *map, struct km_diags *diags)
{
    for (size_t i = 0; i < map->n; i++) {
        const int64_t milli = share_of(map->v[i]);

        if (milli < 0)
            km_diag_add(diags, KM_DIAG_WARNING, "W0305", map->v[i],
                        "write a part of the whole: 0.9",
                        "priority_reservation of `%.*s` is not used: here shares are parts of "
                        "max_parallel_requests",
                        KM_STR_ARG(km_str_sub(map->k[i]->text, 0, 100)));
        else if (s->n == KM_SHARES_MOST)
            km_diag_add(diags, KM_DIAG_WARNING, "W0305", map->k[i], NULL,
                        "priority_reservation has over %d names; the rest is not used",
                        KM_SHARES_MOST);
        if (milli < 0 || s->n == KM_SHARES_MOST)
            continue;
        s->v[s->n].name = map->k[i]->text;
        s->v[s->n++].milli = (unsigned)milli;
    }
}

/* Together no more than the whole, as LiteLLM has it. */
static void fit(struct km_shares *s)
{
    unsigned sum = 0;

    for (size_t i = 0; i < s->n; i++)
        sum += s->v[i].milli;
    for (size_t i = 0; sum > 1000 && i < s->n; i++)
        s->v[i].milli = s->v[i].milli * 1000 / sum;
}

/* NULL: nothing is reserved. */
static const struct km_shares *shares_of(const struct km_llm_defaults *set, struct km_arena *arena,
                                         struct km_diags *diags)
{
    const int64_t rest = milli_of(set->reservation.default_priority);
    const int64_t threshold = milli_of(set->reservation.saturation_threshold);
    struct km_shares *s;

    if (!set->priority_reservation || set->priority_reservation->type != KM_NODE_MAP ||
        !set->priority_reservation->n)
        return NULL;
    s = km_arena_zalloc(arena, sizeof *s);
    if (!s)
        return NULL;
    read_shares(s, set->priority_reservation, diags);
    fit(s);
    s->default_milli = (unsigned)(rest >= 0 ? rest : DEFAULT_MILLI);
    s->threshold_milli = (unsigned)(threshold >= 0 ? threshold : THRESHOLD_MILLI);
    return s;
}

/* Two entries may have one id. */
static struct km_gate *gate_of(const struct km_deployment *d, size_t i, struct km_map *seen,
                               struct km_gates *gates, struct km_arena *arena)
{
    struct km_str name =
        km_arena_printf(arena, "%.*s/%.*s", KM_STR_ARG(d->group), KM_STR_ARG(d->id));

    if (name.n && km_map_get(seen, name))
        name = km_arena_printf(arena, "%.*s-%zu", KM_STR_ARG(name), i);
    return name.n && km_map_set(seen, name, gates, NULL) == 0 ? km_gates_of(gates, name) : NULL;
}

int km_deployments_gate(struct km_deployment *v, size_t n, const struct km_models_args *args,
                        struct km_arena *arena, struct km_diags *diags, struct km_err *err)
{
    const struct km_router_settings *router =
        km_config_get(args->config, &km_router_settings_table);
    const struct km_llm_defaults *module = km_config_get(args->config, &km_llm_defaults_table);
    const struct km_shares *shares = shares_of(module, arena, diags);
    struct km_map *seen;

    if (!args->gates || !n)
        return 0;
    seen = km_map_new_borrowed(n);
    for (size_t i = 0; seen && i < n; i++) {
        struct km_deployment *d = &v[i];

        d->gate = gate_of(d, i, seen, args->gates, arena);
        if (!d->gate)
            seen = km_map_free(seen, NULL);
        d->gate_rules = (struct km_gate_rules){
            .limit = d->max_parallel > 0 ? d->max_parallel : router->max_parallel,
            .most_waiting = args->waiting->length,
            .wait_ms = args->waiting->wait_ms,
            .shares = shares,
            /* Of a wildcard's models one is at its limits, not all. */
            .paces = args->waiting->paces && !router->no_cooldowns && !km_deployment_has_star(d),
        };
    }
    if (!seen)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_map_free(seen, NULL);
    return 0;
}
