/* SPDX-License-Identifier: Apache-2.0 */
/* route_rule.c - see route_rule.h for the contract.
 *
 * Conditions are checked from the cheap to the dear; a rule without any holds for every call.
 * A header or a member that a call does not have is the empty text, for which `*` alone holds. 
 * What a caller says of itself (headers, metadata) leads to no group that its key may not use:
 * whoever acts on the verdict asks for that.
 */
#include "policy/route_rule.h"

static bool is_one(const struct km_str_list *list, struct km_str s)
{
    for (size_t i = 0; i < list->n; i++)
        if (km_str_glob(list->v[i], s, NULL))
            return true;
    return list->n == 0;
}

static bool are_all(const struct km_str_map *map, struct km_str (*get)(void *, struct km_str),
                    void *ctx)
{
    for (size_t i = 0; i < map->n; i++)
        if (!get || !km_str_glob(map->v[i].value, get(ctx, map->v[i].name), NULL))
            return false;
    return true;
}

static bool holds(const struct km_route_rule *r, const struct km_route_call *c)
{
    return is_one(&r->models, c->model) && is_one(&r->keys, c->key) && is_one(&r->teams, c->team) &&
           (r->tokens_from < 0 || c->tokens >= r->tokens_from) &&
           (r->tokens_to < 0 || c->tokens <= r->tokens_to) &&
           are_all(&r->headers, c->header, c->ctx) && are_all(&r->metadata, c->metadata, c->ctx);
}

const struct km_route_rule *km_route_rules_find(const struct km_route_rules *rules,
                                                const struct km_route_call *call)
{
    for (size_t i = 0; i < rules->n; i++)
        if (holds(&rules->v[i], call))
            return &rules->v[i];
    return NULL;
}

struct km_str km_route_rule_target(const struct km_route_rule *rule, unsigned part)
{
    const struct km_route_part *parts = rule->split.v;
    int64_t below = 0;

    if (rule->to.n)
        return rule->to;
    for (size_t i = 0; i < rule->split.n; i++) {
        below += parts[i].percent * 100;
        if ((int64_t)part < below)
            return parts[i].to;
    }
    return KM_STR_NONE;
}
