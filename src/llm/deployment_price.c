/* SPDX-License-Identifier: Apache-2.0 */
/* deployment_price.c - what a deployment costs, and what is said of one that nobody knows it of.
 *
 *     litellm_params  over  model_info  over  the price tables' row of
 *         base_model there, base_model as "<provider>/<model>", or the model's own name
 *     + what the provider's own tools cost
 *     + the uplift of the region that its calls go to (of Vertex's: provider/vertex.c)
 *
 * Rows of the settings have the plain prices; names with a tier or a service behind them, and
 * mappings, are read from the mapping itself by policy/price_columns.h, which knows them all.  None
 * of them is ever sent to a provider.
 *
 * Programs that people run themselves and that nobody bills for (Ollama, LM Studio, llamafile,
 * without a key) cost nothing where nothing is said, and neither do mocks.  Whatever else has no
 * price is unknown: its calls are booked as unpriced, which is not the same as 0, and the models
 * are named in one line.
 */
#include "http/message.h"
#include "llm/model_build.h"

#define NAMED_MOST 12

/* --- what the configuration says --- */

static int set_scalar(struct km_price_draft *d, struct km_str name, const struct km_node *value,
                      struct km_err *err)
{
    bool scalar = value->type == KM_NODE_INT || value->type == KM_NODE_FLOAT ||
                  value->type == KM_NODE_STR;
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
            r = set_scalar(d,
                           km_arena_printf(arena, "%.*s.%.*s", KM_STR_ARG(outer),
                                           KM_STR_ARG(map->k[i]->text)),
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

static struct km_price said(struct km_arena *arena, struct km_str provider, const int64_t *prices,
                            const struct km_node *all)
{
    struct km_price_draft d;
    struct km_err ignored; /* said by km_deployment_price_check() */

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

/* --- what is listed --- */

static struct km_str base_model(const struct km_model_entry *entry)
{
    return entry->info.base_model.n ? entry->info.base_model : entry->params.base_model;
}

static bool find_listed(const struct km_deployment *d, const struct km_model_build *b,
                        const struct km_model_entry *entry, struct km_price *ret)
{
    const struct km_prices *prices = b->args->prices;
    struct km_str base = base_model(entry), provider, model;

    if (base.n && km_prices_find(prices, d->provider_name, base, ret))
        return true;
    if (base.n) {
        km_provider_split(base, &provider, &model);
        if (km_prices_find(prices, provider, model, ret))
            return true;
    }
    return km_prices_find(prices, d->provider_name, d->upstream_model, ret);
}

static bool is_among(struct km_str name, const char *const *names)
{
    while (*names && !km_str_eq(name, km_str_c(*names)))
        names++;
    return *names != NULL;
}

static bool is_own_machine(const struct km_deployment *d, const struct km_model_build *b,
                           const struct km_model_entry *entry)
{
    static const char *const programs[] = { "ollama", "ollama_chat", "lm_studio", "llamafile",
                                            NULL };

    return is_among(d->provider_name, programs) && d->provider &&
           !km_deployment_key(d, b, entry).n;
}

/* Where its calls go, as far as a region's uplift is concerned. */
static enum km_uplift uplift(const struct km_deployment *d, const struct km_model_build *b,
                             const struct km_model_entry *entry)
{
    struct km_str base = entry->params.api_base.n ? entry->params.api_base : entry->params.base_url;
    struct km_err ignored;
    struct km_url url;

    if (!base.n && d->provider && d->provider->base_env)
        base = km_deployment_env(b, d->provider->base_env);
    if (!base.n || km_url_parse(base, &url, &ignored) < 0)
        return KM_UPLIFT_NONE;
    return km_str_ieq(url.host, KM_STR("us.api.openai.com"))   ? KM_UPLIFT_US
           : km_str_ieq(url.host, KM_STR("eu.api.openai.com")) ? KM_UPLIFT_EU
                                                               : KM_UPLIFT_NONE;
}

struct km_price km_deployment_price(const struct km_deployment *d, const struct km_model_build *b,
                                    const struct km_model_entry *entry)
{
    const struct km_litellm_params *p = &entry->params;
    const struct km_model_info *info = &entry->info;
    struct km_price price = KM_PRICE_NONE, of_info;

    if (b->args->prices && !find_listed(d, b, entry, &price))
        km_prices_add_tools(b->args->prices, d->provider_name, &price);
    of_info = said(b->arena, d->provider_name, info->prices, info->all);
    price = km_price_join(b->arena, price, of_info);
    price = km_price_join(b->arena, price, said(b->arena, d->provider_name, p->prices, p->all));
    if (info->max_input_tokens >= 0)
        price.max_input_tokens = info->max_input_tokens;
    if (info->max_output_tokens >= 0 || info->max_tokens >= 0)
        price.max_output_tokens =
            info->max_output_tokens >= 0 ? info->max_output_tokens : info->max_tokens;
    if (!km_price_known(&price) && (d->mock_response.n || is_own_machine(d, b, entry)))
        price.input = price.output = 0;
    price.uplift = uplift(d, b, entry);
    return price;
}

/* --- what is said of those without a price --- */

static bool is_unpriced(const struct km_deployment *d)
{
    return !d->mock_response.n && !d->unavailable.n && !km_price_known(&d->price) &&
           km_str_chr(d->upstream_model, '*') == d->upstream_model.n;
}

static bool named_before(const struct km_models *m, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (is_unpriced(km_models_at(m, k)) &&
            km_str_eq(km_models_at(m, k)->group, km_models_at(m, i)->group))
            return true;
    return false;
}

void km_models_check_prices(const struct km_models *m, const struct km_model_build *b,
                            const struct km_node *at)
{
    struct km_buf names KM_CLEANUP(km_buf_done) = KM_BUF((size_t)1024 * 1024);
    size_t n = 0, shown = 0, more = 0;

    for (size_t i = 0; i < km_models_count(m); i++) {
        if (!is_unpriced(km_models_at(m, i)))
            continue;
        n++;
        if (shown == NAMED_MOST) {
            more++;
        } else if (!named_before(m, i)) {
            km_buf_printf(&names, "%s%.*s", shown++ ? ", " : "",
                          KM_STR_ARG(km_models_at(m, i)->group));
        }
    }
    if (!n || km_buf_failed(&names))
        return;
    if (more)
        km_buf_printf(&names, " and %zu more", more);
    km_diag_add(b->diags, KM_DIAG_WARNING, "W0310", at,
                b->args->offline
                    ? "set input_cost_per_token and output_cost_per_token (0: it costs nothing), or "
                      "run `kanmon prices import`; prices that a gateway has imported are not seen "
                      "from here"
                    : "set input_cost_per_token and output_cost_per_token (0: it costs nothing), or "
                      "run `kanmon prices import`",
                "%zu of %zu models have no price: %.*s; their spend is unknown", n,
                km_models_count(m), KM_STR_ARG(km_buf_view(&names)));
}
