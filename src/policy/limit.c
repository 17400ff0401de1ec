/* SPDX-License-Identifier: Apache-2.0 */
/* limit.c - see limit.h for the contract.
 *
 * One fixed window of a minute a key, started by the first request that finds none running:
 *
 *     window_ms          window_ms + 60 s
 *        |--- requests, tokens ---|      (nothing)      |--- next request
 *
 * A call's tokens are known only when it ends.  Until then it holds what it will most likely need:
 *
 *     tokens (used in the window) + reserved (held by calls that run) + need <= tpm
 *
 * or, if both are 0, its input alone fits: else a call whose answer may be longer than the limit
 * would never be admitted.  So the sum is at most the limit, or the need of that one call.  What is
 * held outlasts windows; a call that outlives its window counts in the one that runs when it ends,
 * or starts one: its tokens were used, so they count somewhere.
 *
 * Of the answer nine tenths of the owner's are reserved, or less where less may come: a bound of
 * 32,000 that an agent sends with each call is not what it mostly needs.  Asking and taking are one
 * step, so a refusal leaves no trace.
 */
#include "policy/limit.h"

#define MOST (INT64_C(1) << 40) /* tokens of a call: no sum overflows */

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

static int64_t between(int64_t v, int64_t least, int64_t most)
{
    return v < least ? least : v > most ? most : v;
}

static int64_t sum(int64_t a, int64_t b)
{
    return b > INT64_MAX - a ? INT64_MAX : a + b;
}

struct km_limit_need km_limit_need(const struct km_limit_state *s, int64_t input, int64_t bound)
{
    int64_t mostly = s->output.count ? km_quantile_get(&s->output) : KM_LIMIT_OUTPUT_UNKNOWN;

    return (struct km_limit_need){ .input = between(input, 0, MOST),
                                   .output = bound >= 0 && bound < mostly ? bound : mostly };
}

int64_t km_limit_need_sum(const struct km_limit_need *need)
{
    return need->input + need->output;
}

int64_t km_limit_tokens(const struct km_limit_state *s)
{
    return sum(s->tokens, s->reserved);
}

/* held: what is reserved for it already. */
static enum km_limit_kind ask(const struct km_limit_state *s, const struct km_limits *l,
                              const struct km_limit_need *need, int64_t held, bool over)
{
    const int64_t others = sum(over ? 0 : s->tokens, s->reserved - between(held, 0, s->reserved));

    if (l->rpm >= 0 && (over ? 0 : s->requests) >= l->rpm)
        return KM_LIMIT_REQUESTS;
    if (l->tpm < 0)
        return KM_LIMIT_NONE;
    if (others >= l->tpm)
        return KM_LIMIT_TOKENS;
    if (km_limit_need_sum(need) <= l->tpm - others || (others == 0 && need->input <= l->tpm))
        return KM_LIMIT_NONE;
    return KM_LIMIT_TOKENS;
}

static enum km_limit_kind ask_place(const struct km_limit_state *s, const struct km_limits *l)
{
    return l->parallel >= 0 && s->running >= l->parallel ? KM_LIMIT_PARALLEL : KM_LIMIT_NONE;
}

enum km_limit_kind km_limit_again(struct km_limit_state *s, const struct km_limits *l, int64_t held,
                                  uint64_t now_ms)
{
    const struct km_limit_need need = { 0, between(held, 0, MOST) };
    const bool over = window_over(s, now_ms);
    const enum km_limit_kind kind = ask(s, l, &need, held, over);

    if (kind != KM_LIMIT_NONE)
        return kind;
    if (over)
        start_window(s, now_ms);
    s->requests++;
    return KM_LIMIT_NONE;
}

enum km_limit_kind km_limit_within(struct km_limit_state *s, const struct km_limits *l,
                                   const struct km_limit_need *need, uint64_t now_ms)
{
    const bool over = window_over(s, now_ms);
    const enum km_limit_kind kind = ask(s, l, need, 0, over);

    if (kind != KM_LIMIT_NONE)
        return kind;
    if (over)
        start_window(s, now_ms);
    s->requests++;
    s->reserved = sum(s->reserved, km_limit_need_sum(need));
    s->holders++;
    return KM_LIMIT_NONE;
}

enum km_limit_kind km_limit_take(struct km_limit_state *s, const struct km_limits *l,
                                 const struct km_limit_need *need, uint64_t now_ms)
{
    enum km_limit_kind kind = ask_place(s, l);

    if (kind == KM_LIMIT_NONE)
        kind = km_limit_within(s, l, need, now_ms);
    if (kind == KM_LIMIT_NONE)
        s->running++;
    return kind;
}

enum km_limit_kind km_limit_place(struct km_limit_state *s, const struct km_limits *l)
{
    const enum km_limit_kind kind = ask_place(s, l);

    if (kind == KM_LIMIT_NONE)
        s->running++;
    return kind;
}

void km_limit_release(struct km_limit_state *s)
{
    if (s->running > 0)
        s->running--;
}

void km_limit_give(struct km_limit_state *s, int64_t held)
{
    s->reserved -= between(held, 0, s->reserved);
    if (s->holders > 0)
        s->holders--;
}

void km_limit_use(struct km_limit_state *s, int64_t tokens, int64_t output, uint64_t now_ms)
{
    if (tokens <= 0)
        return;
    if (window_over(s, now_ms))
        start_window(s, now_ms);
    s->tokens = sum(s->tokens, tokens);
    km_quantile_learn(&s->output, output < tokens ? output : tokens, 9);
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
