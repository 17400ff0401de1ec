/* SPDX-License-Identifier: Apache-2.0 */
/* limit.c - see limit.h for the contract.
 *
 * One fixed window of a minute a key, started by the first request that finds none running:
 *
 *     window_ms          window_ms + 60 s
 *        |--- requests, tokens ---|      (nothing)      |--- next request
 *
 * Tokens are known only when a call ends; a call that outlives its window counts in the one
 * that runs when it ends, or starts one: they were used, so they count somewhere.  Asking and
 * taking are one step, so a refusal leaves no trace.
 */
#include "policy/limit.h"

static bool window_over(const struct km_limit_state *s, uint64_t now_ms)
{
    return s->window_ms == 0 || now_ms - s->window_ms >= KM_LIMIT_WINDOW_MS;
}

static void start_window(struct km_limit_state *s, uint64_t now_ms)
{
    s->window_ms = now_ms ? now_ms : 1;
    s->requests = 0;
    s->tokens = 0;
}

enum km_limit_kind km_limit_take(struct km_limit_state *s, const struct km_limits *l,
                                 uint64_t now_ms)
{
    bool over = window_over(s, now_ms);

    if (l->parallel >= 0 && s->running >= l->parallel)
        return KM_LIMIT_PARALLEL;
    if (l->rpm >= 0 && (over ? 0 : s->requests) >= l->rpm)
        return KM_LIMIT_REQUESTS;
    if (l->tpm >= 0 && (over ? 0 : s->tokens) >= l->tpm)
        return KM_LIMIT_TOKENS;
    if (over)
        start_window(s, now_ms);
    s->requests++;
    s->running++;
    return KM_LIMIT_NONE;
}

enum km_limit_kind km_limit_again(struct km_limit_state *s, const struct km_limits *l,
                                  uint64_t now_ms)
{
    struct km_limits rates = { l->rpm, l->tpm, -1 };
    enum km_limit_kind kind = km_limit_take(s, &rates, now_ms);

    if (kind == KM_LIMIT_NONE)
        s->running--;
    return kind;
}

enum km_limit_kind km_limit_place(struct km_limit_state *s, const struct km_limits *l)
{
    if (l->parallel >= 0 && s->running >= l->parallel)
        return KM_LIMIT_PARALLEL;
    s->running++;
    return KM_LIMIT_NONE;
}

void km_limit_use(struct km_limit_state *s, int64_t tokens, uint64_t now_ms)
{
    if (tokens <= 0)
        return;
    if (window_over(s, now_ms))
        start_window(s, now_ms);
    s->tokens = tokens > INT64_MAX - s->tokens ? INT64_MAX : s->tokens + tokens;
}

void km_limit_release(struct km_limit_state *s, int64_t tokens, uint64_t now_ms)
{
    if (s->running > 0)
        s->running--;
    km_limit_use(s, tokens, now_ms);
}

uint64_t km_limit_reset_ms(const struct km_limit_state *s, uint64_t now_ms)
{
    return window_over(s, now_ms) ? 0 : s->window_ms + KM_LIMIT_WINDOW_MS - now_ms;
}

const char *km_limit_kind_name(enum km_limit_kind kind)
{
    switch (kind) {
    case KM_LIMIT_NONE:
        return "none";
    case KM_LIMIT_REQUESTS:
        return "requests";
    case KM_LIMIT_TOKENS:
        return "tokens";
    case KM_LIMIT_PARALLEL:
        return "max_parallel_requests";
    }
    return "none";
}
