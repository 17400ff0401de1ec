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

/* pico-USD a token (a request, a second where named); -1: not set. */
struct km_price {
    int64_t input, output, cache_read, cache_write;
    int64_t request;
    int64_t max_input_tokens, max_output_tokens;  /* limits of the model; -1 unknown */
};

#define KM_PRICE_NONE { -1, -1, -1, -1, -1, -1, -1 }

struct km_usage {
    int64_t prompt_tokens;      /* all input, cached and cache-written included */
    int64_t completion_tokens;
    int64_t cached_tokens;      /* read from the provider's cache, part of prompt */
    int64_t cache_write_tokens; /* part of prompt */
    bool known;                 /* the upstream said so; else estimated */
};

/* false: no price for what was used (neither input nor output known). Saturates. */
bool km_price_cost(const struct km_price *p, const struct km_usage *u, int64_t *ret_nanousd);

/* Fields set in `over` win over `base`. */
struct km_price km_price_merge(struct km_price base, struct km_price over);

/* Estimate of tokens in a text: an upper bound used for reservations (bytes / 2, at least one
 * a 4 characters) and a mid estimate for missing usage. */
int64_t km_tokens_upper(size_t bytes);
int64_t km_tokens_estimate(struct km_str text);

/* Prices by model name: imported ones over the small built-in table (source and date named in
 * price_builtin.c).  Immutable once built; look-up tries "provider/model", then "model". */
struct km_prices;
struct km_prices *km_prices_new(void);   /* with the built-in rows */
struct km_prices *km_prices_free(struct km_prices *p);
/* One entry of LiteLLM's model_prices_and_context_window.json. */
int km_prices_add_json(struct km_prices *p, struct km_str model, struct km_str json,
                       struct km_err *err) KM_MUST_USE;
bool km_prices_find(const struct km_prices *p, struct km_str provider, struct km_str model,
                    struct km_price *ret_price);

/* Splits a price file into entries: LiteLLM's JSON, or @pydantic/genai-prices data.
 * Calls each(model, LiteLLM-shaped JSON). *ret_n: how many. */
typedef int km_price_each_fn(void *ctx, struct km_str model, struct km_str json, struct km_err *err);
int km_prices_parse_file(struct km_str text, km_price_each_fn *each, void *ctx, size_t *ret_n,
                         struct km_err *err) KM_MUST_USE;

#endif
