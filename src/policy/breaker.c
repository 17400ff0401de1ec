/* SPDX-License-Identifier: Apache-2.0 */
/* breaker.c - see breaker.h for the contract.
 *
 * Atomics, no lock:
 *
 *     closed     open_until == 0
 *     open       now < open_until
 *     half-open  now >= open_until: the first to move probe_at from 0 takes the probe
 *     ramp       closed, since ramp_from: a failure opens it again at once
 *
 * A probe that is never reported (its worker gave up, its process was replaced) must not keep
 * the breaker half-open for ever, so a probe older than the open time may be taken over.
 * A success closes the breaker from any state: a call sent before it opened, or sent as a last
 * resort, that comes back well is as good a proof as a probe.  Orders between the atomics do not
 * matter: a race costs one call too many or too few, never a state that nobody leaves.
 *
 * What opens it is the first of these that is configured: a limit for the kind of failure, one for
 * all failures of a minute (both are LiteLLM's), or failures in a row and, beside them, a rate.
 */
#include "policy/breaker.h"

#include <stdatomic.h>

#include "base/backoff.h"

static uint64_t open_ms(const struct km_breaker_settings *s)
{
    return s && s->open_ms > 0 ? (uint64_t)s->open_ms : KM_BREAKER_OPEN_MS;
}

/* The next time it opens. */
static uint64_t next_open_ms(struct km_breaker *b, const struct km_breaker_settings *s)
{
    unsigned before = atomic_fetch_add_explicit(&b->opened, 1, memory_order_relaxed);

    return s && s->open_most_ms > 0 ? km_backoff(open_ms(s), (uint64_t)s->open_most_ms, before)
                                    : open_ms(s);
}

static int64_t threshold(const struct km_breaker_settings *s)
{
    return s && s->failures > 0 ? s->failures : KM_BREAKER_FAILURES;
}

enum km_breaker_state km_breaker_state(const struct km_breaker *b, uint64_t now_ms)
{
    uint64_t until = atomic_load_explicit(&b->open_until, memory_order_relaxed);

    if (until == 0)
        return KM_BREAKER_CLOSED;
    return now_ms < until ? KM_BREAKER_OPEN : KM_BREAKER_HALF_OPEN;
}

uint64_t km_breaker_left_ms(const struct km_breaker *b, uint64_t now_ms)
{
    uint64_t until = atomic_load_explicit(&b->open_until, memory_order_relaxed);

    return until > now_ms ? until - now_ms : 0;
}

bool km_breaker_allow(struct km_breaker *b, const struct km_breaker_settings *s, uint64_t now_ms)
{
    uint64_t probe;

    switch (km_breaker_state(b, now_ms)) {
    case KM_BREAKER_CLOSED:
        return true;
    case KM_BREAKER_OPEN:
        return false;
    case KM_BREAKER_HALF_OPEN:
        break;
    }
    probe = atomic_load_explicit(&b->probe_at, memory_order_relaxed);
    if (probe != 0 && now_ms < probe + open_ms(s))
        return false;
    /* 0 means "none": a clock that reads 0 is not one we meet, but 1 costs nothing. */
    return atomic_compare_exchange_strong(&b->probe_at, &probe, now_ms ? now_ms : 1);
}

void km_breaker_release(struct km_breaker *b)
{
    if (atomic_load_explicit(&b->probe_at, memory_order_relaxed))
        atomic_store_explicit(&b->probe_at, 0, memory_order_relaxed);
}

static void open_it(struct km_breaker *b, const struct km_breaker_settings *s, uint64_t now_ms)
{
    atomic_store_explicit(&b->open_until, now_ms + next_open_ms(b, s), memory_order_relaxed);
    atomic_store_explicit(&b->probe_at, 0, memory_order_relaxed);
    atomic_store_explicit(&b->ramp_from, 0, memory_order_relaxed);
}

static void report_success(struct km_breaker *b, const struct km_breaker_settings *s,
                           uint64_t now_ms)
{
    /* Loads first: in the usual case nothing is written and the line stays shared. */
    if (s && s->rate_percent)
        km_window_count_all(&b->outcomes, now_ms);
    if (atomic_load_explicit(&b->failures, memory_order_relaxed))
        atomic_store_explicit(&b->failures, 0, memory_order_relaxed);
    if (!atomic_load_explicit(&b->open_until, memory_order_relaxed))
        return;
    atomic_store_explicit(&b->open_until, 0, memory_order_relaxed);
    atomic_store_explicit(&b->probe_at, 0, memory_order_relaxed);
    atomic_store_explicit(&b->opened, 0, memory_order_relaxed);
    atomic_store_explicit(&b->ramp_from, s && s->ramps ? now_ms : 0, memory_order_relaxed);
}

void km_breaker_reset(struct km_breaker *b)
{
    report_success(b, NULL, 0);
    atomic_store_explicit(&b->ramp_from, 0, memory_order_relaxed);
    atomic_store_explicit(&b->rest_until, 0, memory_order_relaxed);
}

/* --- what opens it --- */

/* Another failure of this minute: how many are they?  | minute, 32 bits | count, 32 bits | */
static int64_t count_of_minute(_Atomic uint64_t *at, uint64_t now_ms)
{
    const uint64_t fresh = (now_ms / 60000 & UINT32_MAX) << 32;
    uint64_t word = atomic_load_explicit(at, memory_order_relaxed);

    while ((word & ~(uint64_t)UINT32_MAX) != fresh)
        if (atomic_compare_exchange_weak_explicit(at, &word, fresh | 1, memory_order_relaxed,
                                                  memory_order_relaxed))
            return 1;
    word = atomic_fetch_add_explicit(at, 1, memory_order_relaxed);
    return (int64_t)(word & UINT32_MAX) + 1;
}

static bool is_over_rate(struct km_breaker *b, const struct km_breaker_settings *s, uint64_t now_ms)
{
    struct km_window_sum sum;

    if (!s || !s->rate_percent)
        return false;
    km_window_count_all(&b->outcomes, now_ms);
    km_window_count_some(&b->outcomes, now_ms);
    sum = km_window_sum(&b->outcomes, now_ms);
    return sum.all >= (uint64_t)s->rate_least &&
           sum.some * 100 >= sum.all * (uint64_t)s->rate_percent;
}

static bool is_too_much(struct km_breaker *b, const struct km_breaker_settings *s,
                        enum km_failure failure, uint64_t now_ms)
{
    const int64_t of_kind = s && s->allowed_of ? km_failure_count(s->allowed_of, failure) : -1;
    const int row = atomic_fetch_add_explicit(&b->failures, 1, memory_order_relaxed) + 1;

    if (of_kind >= 0)
        return count_of_minute(
                   &b->minutes[failure < KM_FAILURES_COUNTED ? failure : KM_FAILURES_COUNTED],
                   now_ms) > of_kind;
    if (s && s->a_minute > 0)
        return count_of_minute(&b->minutes[KM_FAILURES_COUNTED], now_ms) >= s->a_minute;
    return is_over_rate(b, s, now_ms) || row >= threshold(s);
}

bool km_breaker_fail(struct km_breaker *b, const struct km_breaker_settings *s,
                     enum km_failure failure, uint64_t now_ms)
{
    const enum km_breaker_state state = km_breaker_state(b, now_ms);
    const bool ramps = km_breaker_share(b, now_ms) < 100;
    const bool much = is_too_much(b, s, failure, now_ms);

    if (s && s->never)
        return false;
    if (state != KM_BREAKER_HALF_OPEN && !(state == KM_BREAKER_CLOSED && (much || ramps)))
        return false;
    open_it(b, s, now_ms);
    return state == KM_BREAKER_CLOSED;
}

void km_breaker_report(struct km_breaker *b, const struct km_breaker_settings *s, bool ok,
                       uint64_t now_ms)
{
    if (ok)
        report_success(b, s, now_ms);
    else
        (void)km_breaker_fail(b, s, KM_FAILURE_OTHER, now_ms);
}

/* --- how much it gets --- */

unsigned km_breaker_share(const struct km_breaker *b, uint64_t now_ms)
{
    static const unsigned steps[] = { 10, 25, 50 };
    const uint64_t from = atomic_load_explicit(&b->ramp_from, memory_order_relaxed);
    const uint64_t step = from ? (now_ms - from) / KM_BREAKER_STEP_MS : 3;

    return step < 3 ? steps[step] : 100;
}

void km_breaker_rest(struct km_breaker *b, uint64_t ms, uint64_t now_ms)
{
    const uint64_t until = now_ms + (ms < KM_BREAKER_REST_MOST_MS ? ms : KM_BREAKER_REST_MOST_MS);

    if (atomic_load_explicit(&b->rest_until, memory_order_relaxed) < until)
        atomic_store_explicit(&b->rest_until, until, memory_order_relaxed);
}

bool km_breaker_rests(const struct km_breaker *b, uint64_t now_ms)
{
    return now_ms < atomic_load_explicit(&b->rest_until, memory_order_relaxed);
}
