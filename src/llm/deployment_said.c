/* SPDX-License-Identifier: Apache-2.0 */
/* deployment_said.c - the prices that litellm_params and model_info set.
 *
 * Rows of the settings have the plain prices; names with a tier or a service behind them, and
 * mappings, are read from the mapping itself by policy/price_columns.h, which knows them all:
 *
 *     input_cost_per_token: 1e-6                       a row
 *     input_cost_per_token_above_200k_tokens: 2e-6     a step
 *     provider_specific_entry: {us: 1.1}               a dotted name
 *     tiered_pricing: [{range: [0, 32000], ...}]       a step an entry
 *
 * None of them is ever sent to a provider.
 */
#include "llm/model_build.h"

static int set_scalar(struct km_price_draft *d, struct km_str name, const struct km_node *value,
                      struct km_err *err)
{
    bool scalar =
        value->type == KM_NODE_INT || value->type == KM_NODE_FLOAT || value->type == KM_NODE_STR;
    struct km_err unsaid; /* it holds the value, which may be anything */

    if (value->type == KM_NODE_NULL ||
        (scalar && km_price_draft_set(d, name, value->text, &unsaid) >= 0))
        return 0;
    return km_fail(err, KM_E_INVALID, "%.*s: expected a number, not negative", KM_STR_ARG(name));
}

/* {search_context_size_low: 0.01}: dotted names; what else stands in the mapping is LiteLLM's. */
static int set_mapping(struct km_price_draft *d, struct km_arena *arena, struct km_str outer,
                       const struct km_node *map, struct km_err *err)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < map->n; i++)
        if (map->v[i]->type != KM_NODE_MAP && map->v[i]->type != KM_NODE_SEQ)
            r = set_scalar(
                d,
                km_arena_printf(arena, "%.*s.%.*s", KM_STR_ARG(outer), KM_STR_ARG(map->k[i]->text)),
                map->v[i], err);
    return r;
}

static int set_tier(struct km_price_draft *d, const struct km_node *tier, struct km_err *err)
{
    const struct km_node *range = km_node_get(tier, KM_STR("range"));
    int64_t from;
    int r = 0;

    if (!range || range->type != KM_NODE_SEQ || range->n != 2 ||
        km_str_decimal(range->v[0]->text, 0, &from) < 0)
        return km_fail(err, KM_E_INVALID,
                       "an entry of tiered_pricing has a range of two numbers of tokens");
    km_price_draft_tier(d, from);
    for (size_t i = 0; r >= 0 && i < tier->n; i++)
        if (tier->v[i] != range)
            r = set_scalar(d, tier->k[i]->text, tier->v[i], err);
    return r < 0 ? r : km_price_draft_tier_end(d, err);
}

/* A member of litellm_params or model_info that is no row, or no plain one. */
static int set_member(struct km_price_draft *d, struct km_arena *arena, struct km_str name,
                      const struct km_node *value, struct km_err *err)
{
    int r = 0;

    if (value->type == KM_NODE_MAP)
        return set_mapping(d, arena, name, value, err);
    if (value->type != KM_NODE_SEQ)
        return set_scalar(d, name, value, err);
    for (size_t i = 0; r >= 0 && i < value->n; i++)
        r = set_tier(d, value->v[i], err);
    return r;
}

struct km_price km_deployment_prices_said(struct km_arena *arena, struct km_str provider,
                                          const int64_t *prices, const struct km_node *all)
{
    struct km_price_draft d;
    struct km_err ignored; /* said when the entry is checked */

    km_price_draft_init(&d, provider);
    for (int i = 0; i < KM_PRICE_COLUMN_COUNT; i++)
        km_price_draft_put(&d, (enum km_price_column)i, prices[i]);
    for (size_t i = 0; all && all->type == KM_NODE_MAP && i < all->n; i++)
        if (km_price_counts(all->k[i]->text) &&
            set_member(&d, arena, all->k[i]->text, all->v[i], &ignored) < 0)
            d.from = -1;
    km_price_draft_finish(&d, provider);
    return km_price_join(arena, (struct km_price)KM_PRICE_NONE, d.price);
}

bool km_deployment_price_member(const struct km_model_build *b, const struct km_node *key,
                                const struct km_node *value, struct km_err *err)
{
    struct km_price_draft d;

    km_price_draft_init(&d, KM_STR_NONE);
    return set_member(&d, b->arena, key->text, value, err) >= 0;
}
