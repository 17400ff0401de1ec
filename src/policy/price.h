/* SPDX-License-Identifier: Apache-2.0 */
/* price.h - what a call costs: integers all the way.
 *
 * A price is int64 pico-USD a token read from decimal text; a call is summed in pico-USD with
 * 128 bits and rounded half up to nano-USD once.
 */
#ifndef KM_POLICY_PRICE_H
#define KM_POLICY_PRICE_H

#include "base/arena.h"
#include "base/map.h"

/* What is counted by other units than tokens; pico-USD each, -1: not set. */
struct km_media_price {
    int64_t image_token; /* of an image that is made; -1: as text */
    int64_t character; /* of text that is spoken */
    int64_t output_second; /* of audio, heard or spoken; before `second` */
    int64_t input_image, output_image; /* an image that is made: output's first */
    int64_t input_pixel, output_pixel; /* of such an image */
    int64_t batch_input, batch_output; /* a token of a batch; -1: half a token's */
};

/* pico-USD a token (a request, a second where named); -1: not set. */
struct km_price {
    int64_t input, output, cache_read, cache_write;
    int64_t request;
    int64_t max_input_tokens, max_output_tokens; /* limits of the model; -1 unknown */
    /* A call whose prompt has more than tier_tokens is priced at these throughout; -1: as above. */
    int64_t tier_tokens;
    int64_t tier_input, tier_output, tier_cache_read, tier_cache_write;
    /* Tokens of another kind than text; -1: as text. */
    int64_t audio_input, audio_output, audio_cache_read;
    int64_t image_input, image_cache_read;
    int64_t second; /* of audio that is listened to, where that is what is charged */
    struct km_media_price media;
};

#define KM_PRICE_NONE                                                                              \
    {                                                                                              \
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,                    \
        {                                                                                          \
            -1, -1, -1, -1, -1, -1, -1, -1, -1                                                     \
        }                                                                                          \
    }

/* How a provider was asked to serve a call, where that changes its prices. */
enum km_service { KM_SERVICE_STANDARD, KM_SERVICE_FLEX, KM_SERVICE_PRIORITY, KM_SERVICE_BATCH };

/* What was said of how a call was, or is to be, served: of the rest nobody spoke. */
enum km_said { KM_SAID_SERVICE = 1, KM_SAID_SPEED = 2, KM_SAID_GEO = 4 };

/* Tools that the provider runs itself, and bills by use. */
enum km_hosted {
    KM_HOSTED_WEB_SEARCH,
    KM_HOSTED_CODE_INTERPRETER, /* by session */
    KM_HOSTED_FILE_SEARCH,
    KM_HOSTED_KINDS
};

/* What a call for images or audio used beside what every call may use. */
struct km_media_usage {
    bool one_way; /* of all that was counted the first that has a price is charged, alone */
    int64_t image_tokens; /* made: part of completion */
    int64_t characters; /* of text that is spoken */
    int64_t images; /* made */
    int64_t pixels; /* of each */
};

struct km_usage {
    int64_t prompt_tokens; /* all input, cached and cache-written included */
    int64_t completion_tokens;
    int64_t cached_tokens; /* read from the provider's cache, part of prompt */
    int64_t cache_write_tokens; /* part of prompt */
    int64_t cache_write_1h_tokens; /* part of cache_write: kept for an hour instead of minutes */
    int64_t reasoning_tokens; /* part of completion; 0: none, or not said */
    int64_t audio_tokens, image_tokens; /* part of prompt */
    int64_t audio_cached_tokens, image_cached_tokens; /* part of these, and of cached */
    int64_t audio_completion_tokens; /* part of completion */
    int64_t audio_ms; /* listened to, where time is what is counted */
    struct km_media_usage media;
    int64_t hosted[KM_HOSTED_KINDS]; /* uses */
    int64_t pages; /* of documents that were read */
    enum km_service service; /* as the upstream said, or else as it was asked */
    bool fast; /* Anthropic's `speed` */
    bool in_us; /* Anthropic's `inference_geo` */
    unsigned said; /* enum km_said: of these three the upstream spoke */
    /* The upstream said so, and its codec came to the end of what it says; else it is an estimate,
     * never less than what was said so far. */
    bool known;
};

/* false: no price for what was used (none of input, output, second and request known).  Saturates;
 * parts of the prompt without a price of their own cost what input costs, audio that was cached
 * what audio costs.  With u->media.one_way: tokens, characters, seconds, images or pixels. */
bool km_price_cost(const struct km_price *p, const struct km_usage *u, int64_t *ret_nanousd);
/* What the same costs in a batch. */
struct km_price km_price_batch(const struct km_price *p);
/* Is there a price for anything? */
bool km_price_known(const struct km_price *p);

/* Fields set in `over` win over `base`. */
struct km_price km_price_merge(struct km_price base, struct km_price over);

/* Tokens in a text.  The upper bound is for reservations: no byte-level tokenizer makes more
 * tokens than there are bytes, and the bytes of a request's JSON around a message are more than
 * the tokens its template adds.  The estimate is for missing usage: one a 4 characters of ASCII,
 * one a character elsewhere. */
int64_t km_tokens_upper(size_t bytes);
int64_t km_tokens_estimate(struct km_str text);

/* Prices by model name: imported ones over the small built-in table (source and date named in
 * price_builtin.c).  Immutable once built.  Look-up tries, imported rows first, "provider/model",
 * then "model" where that row is of the same provider, then names with `*` in the order they were
 * added. */
struct km_prices;
struct km_prices *km_prices_new(void); /* with the built-in rows */
struct km_prices *km_prices_free(struct km_prices *p);
/* One entry of LiteLLM's model_prices_and_context_window.json.  model may be a glob with `*`. */
int km_prices_add_json(struct km_prices *p, struct km_str model, struct km_str json,
                       struct km_err *err) KM_MUST_USE;
bool km_prices_find(const struct km_prices *p, struct km_str provider, struct km_str model,
                    struct km_price *ret_price);

/* Splits a price file into entries: LiteLLM's JSON, or @pydantic/genai-prices data (its data.json,
 * or the package's own dist/index.js or dist/index.cjs, of which the array literal is read).
 * Calls each(model, LiteLLM-shaped JSON); a negative return stops and is handed back.  Of dated
 * prices the last that has begun holds, of prices by the hour the dearest.  *ret_n: how many. */
typedef int km_price_each_fn(void *ctx, struct km_str model, struct km_str json,
                             struct km_err *err);
int km_prices_parse_file(struct km_str text, km_price_each_fn *each, void *ctx, size_t *ret_n,
                         struct km_err *err) KM_MUST_USE;

#endif
