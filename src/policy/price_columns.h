/* SPDX-License-Identifier: Apache-2.0 */
/* price_columns.h - the one list of prices: what LiteLLM calls each, and where struct km_price has
 * it.
 *
 * All that reads a price reads it by this list: the built-in table (scripts/builtin-prices.mjs
 * writes members by these names), `kanmon prices import`, and litellm_params and model_info of the
 * configuration, whose rows are made of it.  A price that one knows, all know.
 *
 * The names of a token's prices are a grammar, as they are to LiteLLM:
 *
 *     input_cost_per_token [_above_200k_tokens] [_flex | _priority | _batches | ...]
 */
#ifndef KM_POLICY_PRICE_COLUMNS_H
#define KM_POLICY_PRICE_COLUMNS_H

#include "policy/price.h"

/* What may stand behind a name. */
enum km_price_form {
    KM_PRICE_PLAIN,
    KM_PRICE_ABOVE = 1, /* _above_200k_tokens: a longer prompt than that */
    KM_PRICE_SERVICE = 2, /* _priority: a service */
    KM_PRICE_ALIAS = 4, /* counts only where the other name of its place is not set */
    KM_PRICE_A_THOUSAND = 8, /* the price of a thousand */
};

#define KM_PRICE_STEPPED (KM_PRICE_ABOVE | KM_PRICE_SERVICE)

/* X(id, LiteLLM's name, member of struct km_price, forms, help): USD each. */
#define KM_PRICE_COLUMNS(X)                                                                        \
    X(INPUT, "input_cost_per_token", input, KM_PRICE_STEPPED,                                      \
      "USD for a token of input. This and the other prices of tokens may have "                    \
      "`_above_200k_tokens` (or another number) behind them, the price of every call with a "      \
      "longer prompt, and `_flex`, `_priority`, `_batches`, `_balanced` or `_ultrafast`, that of " \
      "a service; docs/providers.md says more.")                                                   \
    X(OUTPUT, "output_cost_per_token", output, KM_PRICE_STEPPED, "USD for a token of output.")     \
    X(CACHE_READ, "cache_read_input_token_cost", cache_read, KM_PRICE_STEPPED,                     \
      "USD for a token read from the provider's cache; else what input costs.")                    \
    X(CACHE_HIT, "input_cost_per_token_cache_hit", cache_read, KM_PRICE_ALIAS,                     \
      "Another name of cache_read_input_token_cost.")                                              \
    X(CACHE_WRITE, "cache_creation_input_token_cost", cache_write, KM_PRICE_STEPPED,               \
      "USD for a token written to the provider's cache; else what input costs.")                   \
    X(CACHE_WRITE_1H, "cache_creation_input_token_cost_above_1hr", cache_write_1h,                 \
      KM_PRICE_STEPPED,                                                                            \
      "USD for a token that the provider's cache keeps for an hour; else as other written ones.")  \
    X(REASONING, "output_cost_per_reasoning_token", reasoning, KM_PRICE_STEPPED,                   \
      "USD for a token of thinking; else what output costs.")                                      \
    X(AUDIO_INPUT, "input_cost_per_audio_token", audio_input, KM_PRICE_SERVICE,                    \
      "USD for a token of audio that is heard; else what text costs.")                             \
    X(AUDIO_OUTPUT, "output_cost_per_audio_token", audio_output, KM_PRICE_SERVICE,                 \
      "USD for a token of audio that is spoken; else what text costs.")                            \
    X(AUDIO_READ, "cache_read_input_audio_token_cost", audio_cache_read, KM_PRICE_SERVICE,         \
      "USD for a token of audio from the provider's cache; else what audio costs.")                \
    X(AUDIO_WRITE, "cache_creation_input_audio_token_cost", audio_cache_read, KM_PRICE_ALIAS,      \
      "Another name of cache_read_input_audio_token_cost: nobody charges for writing audio into "  \
      "a cache.")                                                                                  \
    X(IMAGE_INPUT, "input_cost_per_image_token", image_input, KM_PRICE_SERVICE,                    \
      "USD for a token of an image; else what text costs.")                                        \
    X(IMAGE_READ, "cache_read_input_image_token_cost", image_cache_read, KM_PRICE_SERVICE,         \
      "USD for a token of an image from the provider's cache; else what an image costs.")          \
    X(IMAGE_OUTPUT, "output_cost_per_image_token", image_output, KM_PRICE_SERVICE,                 \
      "USD for a token of an image that is made; else what text costs.")                           \
    X(REQUEST, "input_cost_per_request", request, KM_PRICE_PLAIN,                                  \
      "USD for a request, beside what its tokens cost.")                                           \
    X(QUERY, "input_cost_per_query", request, KM_PRICE_ALIAS,                                      \
      "USD for a search of a reranker: as input_cost_per_request.")                                \
    X(A_QUERY, "cost_per_query", request, KM_PRICE_ALIAS,                                          \
      "Another name of input_cost_per_query.")                                                     \
    X(SECOND, "input_cost_per_second", second, KM_PRICE_PLAIN,                                     \
      "USD for a second of audio that is transcribed.")                                            \
    X(CHARACTER, "input_cost_per_character", media.character, KM_PRICE_PLAIN,                      \
      "USD for a character of text that is spoken.")                                               \
    X(OUTPUT_SECOND, "output_cost_per_second", media.output_second, KM_PRICE_PLAIN,                \
      "USD for a second of audio, heard or spoken; wins over input_cost_per_second.")              \
    X(INPUT_IMAGE, "input_cost_per_image", media.input_image, KM_PRICE_PLAIN,                      \
      "USD for an image that is made.")                                                            \
    X(OUTPUT_IMAGE, "output_cost_per_image", media.output_image, KM_PRICE_PLAIN,                   \
      "USD for an image that is made; wins over input_cost_per_image.")                            \
    X(INPUT_PIXEL, "input_cost_per_pixel", media.input_pixel, KM_PRICE_PLAIN,                      \
      "USD for a pixel of an image that is made.")                                                 \
    X(OUTPUT_PIXEL, "output_cost_per_pixel", media.output_pixel, KM_PRICE_PLAIN,                   \
      "USD for a pixel of an image that is made; wins over input_cost_per_pixel.")                 \
    X(PAGE, "ocr_cost_per_page", page, KM_PRICE_PLAIN, "USD for a page that is read.")             \
    X(ANNOTATED_PAGE, "annotation_cost_per_page", annotated_page, KM_PRICE_PLAIN,                  \
      "USD for a page that is annotated, beside reading it; else what reading costs.")             \
    X(SESSION, "code_interpreter_cost_per_session", session, KM_PRICE_PLAIN,                       \
      "USD for a session of the provider's code interpreter.")                                     \
    X(CITATION, "citation_cost_per_token", citation, KM_PRICE_PLAIN,                               \
      "USD for a token of what Perplexity's searches found, where it counts them.")                \
    X(FILE_SEARCH, "file_search_cost_per_1k_calls", file_search, KM_PRICE_A_THOUSAND,              \
      "USD for a thousand calls of the provider's file search.")

/* X(LiteLLM's name, help): no plain prices, or several in one. */
#define KM_PRICE_OTHERS(X)                                                                         \
    X("search_context_cost_per_query",                                                             \
      "USD for a web search of the provider's: a mapping of `search_context_size_low`, "           \
      "`search_context_size_medium` (that of a search that says no size) and "                     \
      "`search_context_size_high`.")                                                               \
    X("web_search_billing_unit",                                                                   \
      "What a web search is charged by: `per_query`, or `per_prompt` whatever the number of "      \
      "searches, as Gemini 2 bills it.")                                                           \
    X("provider_specific_entry",                                                                   \
      "What the price of every token is multiplied by: `fast` for Anthropic's `speed: fast`, "     \
      "`us` for its `inference_geo: us`.")                                                         \
    X("tiered_pricing",                                                                            \
      "Prices by the length of the prompt: a list of mappings, each with a `range` of tokens and " \
      "the prices that hold for the whole call.")                                                  \
    X("regional_endpoint_uplift_multiplier",                                                       \
      "What the price of every token is multiplied by where vertex_location is not `global`.")     \
    X("regional_processing_uplift_multiplier_us",                                                  \
      "Likewise where api_base is `us.api.openai.com`.")                                           \
    X("regional_processing_uplift_multiplier_eu",                                                  \
      "Likewise where api_base is `eu.api.openai.com`.")

#define KM_PRICE_ID(id, name, member, forms, help) KM_PRICE_##id,
enum km_price_column { KM_PRICE_COLUMNS(KM_PRICE_ID) KM_PRICE_COLUMN_COUNT };
#undef KM_PRICE_ID

/* Is it a name of a price that counts, with what may stand behind it?  Those of KM_PRICE_OTHERS
 * are. */
bool km_price_counts(struct km_str name);
/* Is it one of KM_PRICE_COLUMNS itself, with nothing behind it? */
bool km_price_is_plain(struct km_str name);
/* Why a price of LiteLLM's counts for nothing, as the end of a sentence; NULL: it counts, or is no
 * price. */
const char *km_price_no_effect(struct km_str name);
/* LiteLLM's word for a service, as requests and columns have it: "flex", "fast", "batches" ... */
bool km_service_find(struct km_str name, enum km_service *ret);

/* A price in the making. */
struct km_price_draft {
    struct km_price price; /* but for steps */
    struct km_price_step steps[KM_PRICE_STEPS_MOST];
    int64_t from; /* of the tier that is being read: km_price_draft_tier(); -1: none */
    bool inclusive; /* the provider's steps begin with their number, not above it */
    struct km_rates tier;
};

void km_price_draft_init(struct km_price_draft *d, struct km_str provider);
/* 1: taken.  0: it is no price that counts.  Nested names are dotted
 * ("search_context_cost_per_query.search_context_size_low").  KM_E_INVALID: not a number that a
 * price can be, or more steps than KM_PRICE_STEPS_MOST. */
int km_price_draft_set(struct km_price_draft *d, struct km_str name, struct km_str value,
                       struct km_err *err) KM_MUST_USE;
/* Likewise, of a column by its id, in pico-USD; -1: nothing. */
void km_price_draft_put(struct km_price_draft *d, enum km_price_column column, int64_t pico);
/* An entry of tiered_pricing: between these, names are of the tier, whose prompts have more than
 * `from` tokens.  end: KM_E_INVALID: too many. */
void km_price_draft_tier(struct km_price_draft *d, int64_t from);
int km_price_draft_tier_end(struct km_price_draft *d, struct km_err *err) KM_MUST_USE;
/* d->price with what its provider makes of what is not said; its steps are the draft's. */
void km_price_draft_finish(struct km_price_draft *d, struct km_str provider);

#endif
