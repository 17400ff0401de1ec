/* SPDX-License-Identifier: Apache-2.0 */
/* price.h - what a call costs: integers all the way.
 *
 * A price is int64 pico-USD a token read from decimal text; a call is summed in pico-USD with
 * 128 bits and rounded half up to nano-USD once, what costs anything to at least 1.  Most prices
 * are flat: they have no steps, and a call then costs a handful of multiplications.
 */
#ifndef KM_POLICY_PRICE_H
#define KM_POLICY_PRICE_H

#include "base/arena.h"
#include "base/map.h"

/* How a provider was asked to serve a call, where that changes its prices. */
enum km_service {
    KM_SERVICE_STANDARD,
    KM_SERVICE_FLEX,
    KM_SERVICE_PRIORITY,
    KM_SERVICE_BATCH,
    KM_SERVICE_BALANCED,
    KM_SERVICE_ULTRAFAST,
    KM_SERVICES
};

/* What was said of how a call was, or is to be, served, and of what it used: of the rest nobody
 * spoke, and of a count 0 is not what was said. */
enum km_said {
    KM_SAID_SERVICE = 1,
    KM_SAID_SPEED = 2,
    KM_SAID_GEO = 4,
    KM_SAID_SEARCH = 8,
    KM_SAID_REASONING = 16, /* tokens of it */
};

/* Tools that the provider runs itself, and bills by use. */
enum km_hosted {
    KM_HOSTED_WEB_SEARCH,
    KM_HOSTED_CODE_INTERPRETER, /* by session */
    KM_HOSTED_FILE_SEARCH,
    KM_HOSTED_KINDS
};

/* How much of what a web search finds the model is given: some bill by it. */
enum km_search { KM_SEARCH_MEDIUM, KM_SEARCH_LOW, KM_SEARCH_HIGH, KM_SEARCH_SIZES };

/* Where a deployment's calls go, as far as the price of its tokens depends on it. */
enum km_uplift { KM_UPLIFT_NONE, KM_UPLIFT_LOCATION, KM_UPLIFT_US, KM_UPLIFT_EU, KM_UPLIFTS };

/* Prices of tokens, pico-USD each; -1: as the kind it is one of (text, output, the plain write). */
#define KM_PRICE_RATES                                                                             \
    int64_t input, output, cache_read, cache_write;                                                \
    int64_t cache_write_1h; /* kept for an hour */                                                 \
    int64_t reasoning; /* of output */                                                             \
    int64_t audio_input, audio_output, audio_cache_read;                                           \
    int64_t image_input, image_output, image_cache_read

struct km_rates {
    KM_PRICE_RATES;
};
#define KM_RATES_COUNT (sizeof(struct km_rates) / sizeof(int64_t))
#define KM_RATES_NONE                                                                              \
    {                                                                                              \
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1                                             \
    }

/* Prices that take the place of the plain ones for a call of this service whose prompt has more
 * than `above` tokens (0: of any length); what they leave at -1 stays as it was. */
struct km_price_step {
    int64_t above;
    enum km_service service;
    struct km_rates rates;
};
#define KM_PRICE_STEPS_MOST 32

/* What is counted by other units than tokens; pico-USD each, -1: not set. */
struct km_media_price {
    int64_t character; /* of text that is spoken */
    int64_t output_second; /* of audio, heard or spoken; before `second` */
    int64_t input_image, output_image; /* an image that is made: output's first */
    int64_t input_pixel, output_pixel; /* of such an image */
};
#define KM_MEDIA_PRICES (sizeof(struct km_media_price) / sizeof(int64_t))

/* A value; `steps` points into the price table or the arena it was made in, which must outlive it.
 * The columns that fill it: price_columns.h. */
struct km_price {
    union {
        struct km_rates rates;
        struct {
            KM_PRICE_RATES;
        };
    };
    int64_t request; /* pico-USD, as the following; -1: not set */
    int64_t max_input_tokens, max_output_tokens; /* limits of the model; -1 unknown */
    int64_t second; /* of audio that is listened to, where that is what is charged */
    struct km_media_price media;
    int64_t search[KM_SEARCH_SIZES]; /* a web search; -1: as medium */
    int64_t session; /* of a code interpreter */
    int64_t file_search;
    int64_t page, annotated_page; /* of a document that is read */
    /* Thousandths that the price of every token is multiplied by, -1: once. */
    int64_t fast, in_us; /* where the usage says so */
    int64_t uplifts[KM_UPLIFTS]; /* of endpoints of a region; that of NONE is -1 */
    enum km_uplift uplift; /* which of them every call has */
    int64_t search_by_query; /* 1: Gemini bills each search; 0: one for a prompt; -1: as counted */
    int64_t search_always; /* 1: every call searches, whether it says so or not; else -1 */
    int64_t citation; /* a token of what was found, where that is counted beside the prompt */
    enum km_service service; /* what every call is priced as; STANDARD: as its usage says */
    unsigned nsteps;
    const struct km_price_step *steps; /* by `above`, and of one `above` by service */
};

#define KM_PRICE_NONE                                                                              \
    {                                                                                              \
        .rates = KM_RATES_NONE, .request = -1, .max_input_tokens = -1, .max_output_tokens = -1,    \
        .second = -1, .media = { -1, -1, -1, -1, -1, -1 }, .search = { -1, -1, -1 },               \
        .session = -1, .file_search = -1, .page = -1, .annotated_page = -1, .fast = -1,            \
        .in_us = -1, .uplifts = { -1, -1, -1, -1 }, .search_by_query = -1,                         \
        .search_always = -1, .citation = -1                                                        \
    }

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
    int64_t queries; /* that the price of a request is of: a reranker's units; 0: one */
    int64_t citation_tokens; /* of what searches found; no part of prompt */
    enum km_search search; /* of web searches, as the upstream said, or else as it was asked */
    int64_t pages; /* of documents that were read */
    int64_t annotated_pages; /* beside them: read once more, to annotate them */
    enum km_service service; /* as the upstream said, or else as it was asked */
    bool fast; /* Anthropic's `speed` */
    bool in_us; /* Anthropic's `inference_geo` */
    /* completion_tokens, of what is not known yet: the upstream's own count so far. */
    bool counting;
    unsigned said; /* enum km_said: of these the upstream spoke */
    /* The upstream said so, and its codec came to the end of what it says; else it is an estimate,
     * never less than what was said so far. */
    bool known;
};

/* false: no price for what was used (none of input, output, second and request known, nor a page
 * where pages were read).  Saturates.  A prompt over a step is priced by it throughout.  Parts of
 * the prompt without a price of their own cost what input costs, audio that was cached what audio
 * costs; a service without prices costs what the standard one does, a batch half of it.  Hosted
 * tools without a price cost nothing: admission asks before.  With u->media.one_way: tokens,
 * characters, seconds, images or pixels. */
bool km_price_cost(const struct km_price *p, const struct km_usage *u, int64_t *ret_nanousd);
/* What the same costs in a batch: tokens and hosted tools, and no request.  Without the prices of
 * longer prompts: what it is asked about is the sum of many calls. */
struct km_price km_price_batch(const struct km_price *p);
/* Is there a price for anything? */
bool km_price_known(const struct km_price *p);
/* Is every price that it has 0, or has it none? */
bool km_price_is_free(const struct km_price *p);

/* Is what a request asks for priced?  What is not is charged as if it had not been asked for, which
 * a budget must not be spent by.  Flex and batches are discounts: without a price of their own the
 * plain one is more than they cost, so they are priced.  A model that costs nothing costs nothing
 * at any speed. */
bool km_price_has_service(const struct km_price *p, enum km_service service);
bool km_price_has_hosted(const struct km_price *p, enum km_hosted hosted);
bool km_price_has_fast(const struct km_price *p);
bool km_price_has_us(const struct km_price *p);

/* What to reserve by: the most a token can cost, pico-USD, whatever of the prompt is cached, for
 * the service, speed and place asked for; by the steps that asked->prompt_tokens can get over (0:
 * any).  Tokens of audio, of images, and such as are cached for an hour are looked at where `asked`
 * has any.  request: what is beside the tokens; hosted uses and pages of `asked` included.  -1: not
 * known. */
struct km_price_worst {
    int64_t input, output, request;
};
struct km_price_worst km_price_worst(const struct km_price *p, const struct km_usage *asked);
/* So many tokens by it, nano-USD; saturates. */
int64_t km_price_worst_cost(const struct km_price_worst *w, int64_t input, int64_t output);
/* The dearer of both, each by itself. */
void km_price_worst_of(struct km_price_worst *w, const struct km_price_worst *other);

/* Fields set in `over` win over `base`.  Steps are of whoever has the plain prices: where `over`
 * sets input or output, or has steps, base's are gone; where it sets input or output, base's price
 * of a request and its uplifts of regions are too.  Where it has prices of images, seconds or
 * characters and none of tokens, base's tokens have none either. */
struct km_price km_price_merge(struct km_price base, struct km_price over);
/* Likewise, and steps that `over` has beside base's plain prices are added to base's.  Copies
 * steps into the arena. */
struct km_price km_price_join(struct km_arena *arena, struct km_price base, struct km_price over);

/* Tokens in a text that no deployment's measure is kept for (pace.h has one for the rest).  The
 * upper bound is for what is said in a session, and which prices of longer prompts may hold: no
 * byte-level tokenizer makes more tokens than there are bytes, and the bytes of a request's JSON
 * around a message are more than the tokens its template adds.  The estimate is one token for 4
 * characters of ASCII, one for a character elsewhere. */
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
/* Fills what tools of the provider cost, where the model's price does not say it, from the row
 * "provider/container".  km_prices_find() has done so. */
void km_prices_add_tools(const struct km_prices *p, struct km_str provider, struct km_price *price);

/* Splits a price file into entries: LiteLLM's JSON, or @pydantic/genai-prices data (its data.json,
 * or the package's own dist/index.js or dist/index.cjs, of which the array literal is read).
 * Calls each(model, LiteLLM-shaped JSON); a negative return stops and is handed back.  Of dated
 * prices the last that has begun holds, of prices by the hour the dearest.  *ret_n: how many. */
typedef int km_price_each_fn(void *ctx, struct km_str model, struct km_str json,
                             struct km_err *err);
int km_prices_parse_file(struct km_str text, km_price_each_fn *each, void *ctx, size_t *ret_n,
                         struct km_err *err) KM_MUST_USE;

#endif
