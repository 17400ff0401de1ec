/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - see load.h for the contract.
 *
 * A count of a minute is one word, which whoever comes first in a new minute begins anew:
 *
 *     | minute, 24 bits | count, 40 bits |
 *
 * A latency is a moving average, an eighth of the newest: about the last ten, as LiteLLM keeps
 * them, without the list.  Two workers that learn at the same moment may lose one of the two.
 */
#include "policy/load.h"

#include <stdatomic.h>

#define COUNT_BITS 40
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define MINUTE_MASK ((UINT64_C(1) << 24) - 1)
#define SHARE 8
#define TIMED_OUT_US UINT64_C(1000000000) /* what a time-out counts for, as in LiteLLM */

static uint64_t minute_word(uint64_t now_ms)
{
    return (now_ms / 60000 & MINUTE_MASK) << COUNT_BITS;
}

static void add(_Atomic uint64_t *at, uint64_t n, uint64_t now_ms)
{
    const uint64_t fresh = minute_word(now_ms);
    uint64_t word = atomic_load_explicit(at, memory_order_relaxed);

    while ((word & ~COUNT_MASK) != fresh)
        if (atomic_compare_exchange_weak_explicit(at, &word, fresh | n, memory_order_relaxed,
                                                  memory_order_relaxed))
            return;
    if ((word & COUNT_MASK) + n < COUNT_MASK / 2)
        atomic_fetch_add_explicit(at, n, memory_order_relaxed);
}

static uint64_t count_of(const _Atomic uint64_t *at, uint64_t now_ms)
{
    uint64_t word = atomic_load_explicit(at, memory_order_relaxed);

    return (word & ~COUNT_MASK) == minute_word(now_ms) ? word & COUNT_MASK : 0;
}

static void learn(_Atomic uint64_t *at, uint64_t us)
{
    uint64_t before = atomic_load_explicit(at, memory_order_relaxed);

    us = us ? us : 1; /* 0 is "not known" */
    atomic_store_explicit(at, before ? before - before / SHARE + us / SHARE : us,
                          memory_order_relaxed);
}

void km_load_begin(struct km_load *l, uint64_t now_ms)
{
    atomic_fetch_add_explicit(&l->running, 1, memory_order_relaxed);
    add(&l->requests, 1, now_ms);
}

void km_load_end(struct km_load *l, const struct km_load_end *end, uint64_t now_ms)
{
    const uint64_t out = end->tokens_out > 0 ? (uint64_t)end->tokens_out : 1;

    atomic_fetch_sub_explicit(&l->running, 1, memory_order_relaxed);
    if (end->tokens > 0)
        add(&l->tokens, (uint64_t)end->tokens, now_ms);
    if (end->good || end->failed)
        km_window_count_all(&l->outcomes, now_ms);
    if (end->failed)
        km_window_count_some(&l->outcomes, now_ms);
    if (!end->good && !end->timed_out)
        return;
    learn(&l->took_us, end->timed_out ? TIMED_OUT_US : end->took_us);
    learn(&l->whole_us, end->timed_out ? TIMED_OUT_US : end->took_us / out);
    if (end->timed_out || end->first_us)
        learn(&l->first_us, end->timed_out ? TIMED_OUT_US : end->first_us);
    atomic_store_explicit(&l->learnt_ms, now_ms ? now_ms : 1, memory_order_relaxed);
}

int64_t km_load_running(const struct km_load *l)
{
    return atomic_load_explicit(&l->running, memory_order_relaxed);
}

uint64_t km_load_requests(const struct km_load *l, uint64_t now_ms)
{
    return count_of(&l->requests, now_ms);
}

uint64_t km_load_tokens(const struct km_load *l, uint64_t now_ms)
{
    return count_of(&l->tokens, now_ms);
}

static bool is_known(const struct km_load *l, uint64_t ttl_ms, uint64_t now_ms)
{
    const uint64_t learnt = atomic_load_explicit(&l->learnt_ms, memory_order_relaxed);

    return learnt && now_ms - learnt < ttl_ms;
}

uint64_t km_load_took_us(const struct km_load *l, bool stream, uint64_t ttl_ms, uint64_t now_ms)
{
    if (!is_known(l, ttl_ms, now_ms))
        return 0;
    return atomic_load_explicit(stream ? &l->first_us : &l->took_us, memory_order_relaxed);
}

uint64_t km_load_latency_us(const struct km_load *l, bool stream, uint64_t ttl_ms, uint64_t now_ms)
{
    if (!is_known(l, ttl_ms, now_ms))
        return 0;
    return atomic_load_explicit(stream ? &l->first_us : &l->whole_us, memory_order_relaxed);
}
