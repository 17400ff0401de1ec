/* SPDX-License-Identifier: Apache-2.0 */
/* breaker.c - see breaker.h for the contract.
 *
 * Three atomics, no lock:
 *
 *     closed     open_until == 0
 *     open       now < open_until
 *     half-open  now >= open_until: the first to move probe_at from 0 takes the probe
 *
 * A probe that is never reported (its worker gave up, its process was replaced) must not keep
 * the breaker half-open for ever, so a probe older than the open time may be taken over.
 * A success closes the breaker from any state: a call sent before it opened, or sent as a last
 * resort, that comes back well is as good a proof as a probe.  Orders between the atomics do not
 * matter: a race costs one call too many or too few, never a state that nobody leaves.
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

void km_breaker_reset(struct km_breaker *b)
{
    km_breaker_report(b, NULL, true, 0);
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
}

void km_breaker_report(struct km_breaker *b, const struct km_breaker_settings *s, bool ok,
                       uint64_t now_ms)
{
    if (ok) {
        /* Loads first: in the usual case nothing is written and the line stays shared. */
        if (atomic_load_explicit(&b->failures, memory_order_relaxed))
            atomic_store_explicit(&b->failures, 0, memory_order_relaxed);
        if (atomic_load_explicit(&b->open_until, memory_order_relaxed)) {
            atomic_store_explicit(&b->open_until, 0, memory_order_relaxed);
            atomic_store_explicit(&b->probe_at, 0, memory_order_relaxed);
            atomic_store_explicit(&b->opened, 0, memory_order_relaxed);
        }
        return;
    }
    if (km_breaker_state(b, now_ms) == KM_BREAKER_HALF_OPEN)
        open_it(b, s, now_ms);
    else if (atomic_fetch_add_explicit(&b->failures, 1, memory_order_relaxed) + 1 >= threshold(s) &&
             km_breaker_state(b, now_ms) == KM_BREAKER_CLOSED)
        open_it(b, s, now_ms);
}
