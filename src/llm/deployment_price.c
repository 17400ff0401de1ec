/* SPDX-License-Identifier: Apache-2.0 */
/* deployment_price.c - what a deployment costs.
 *
 *     litellm_params  over  model_info  over  the price tables' row of
 *         base_model there, base_model as "<provider>/<model>", or the model's own name
 *     + what the provider's own tools cost
 *     + the uplift of the region that its calls go to (of Vertex's: provider/vertex.c)
 *
 * Programs that people run themselves and that nobody bills for (Ollama, LM Studio, llamafile,
 * without a key) cost nothing where nothing is said, and neither do mocks.  Whatever else has no
 * price is unknown: its calls are booked as unpriced, which is not the same as 0, and the models
 * are named in one line (model_check.c).
 */
#include "http/message.h"
#include "llm/model_build.h"

static bool find_listed(const struct km_deployment *d, const struct km_model_build *b,
                        const struct km_priced_as *as, struct km_price *ret)
{
    const struct km_prices *prices = b->args->prices;

    if (as->base.n && (km_prices_find(prices, d->provider_name, as->base, ret) ||
                       km_prices_find(prices, as->provider, as->model, ret)))
        return true;
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

    return is_among(d->provider_name, programs) && d->provider && !km_deployment_key(d, b, entry).n;
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

struct km_price km_deployment_price_as(const struct km_deployment *d,
                                       const struct km_model_build *b,
                                       const struct km_model_entry *entry,
                                       const struct km_priced_as *as)
{
    const struct km_litellm_params *p = &entry->params;
    const struct km_model_info *info = &entry->info;
    struct km_price price = KM_PRICE_NONE, of_info;
    bool star = km_deployment_has_star(d);

    /* What a star stands for is looked up at the call, tools and all. */
    if (b->args->prices && !find_listed(d, b, as, &price) && !star)
        km_prices_add_tools(b->args->prices, d->provider_name, &price);
    of_info = km_deployment_prices_said(b->arena, d->provider_name, info->prices, info->all);
    price = km_price_join(b->arena, price, of_info);
    price = km_price_join(b->arena, price,
                          km_deployment_prices_said(b->arena, d->provider_name, p->prices, p->all));
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
