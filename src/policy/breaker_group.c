/* SPDX-License-Identifier: Apache-2.0 */
/* breaker_group.c - see breaker_group.h for the contract.
 *
 * Which deployments are down is a set of bits, by place modulo 64: two that share a bit count as
 * one, which opens it later and never sooner.  A call that goes well reads one word, and writes
 * only where there is something to forget.
 */
#include "policy/breaker_group.h"

#include <stdatomic.h>

void km_breaker_group_init(struct km_breaker_group *g, const struct km_breaker_settings *s)
{
    *g = (struct km_breaker_group){ .settings = { .failures = 1,
                                                  .open_ms = s->open_ms,
                                                  .open_most_ms = s->open_most_ms,
                                                  .deployments = s->deployments,
                                                  .never = s->never || !s->deployments,
                                                  .ramps = s->ramps } };
}

bool km_breaker_group_counts(enum km_failure failure)
{
    return failure == KM_FAILURE_CONNECTION || failure == KM_FAILURE_TIMEOUT ||
           failure == KM_FAILURE_SERVER || failure == KM_FAILURE_BAD_GATEWAY ||
           failure == KM_FAILURE_UNAVAILABLE;
}

void km_breaker_group_fail(struct km_breaker_group *g, unsigned place, uint64_t now_ms)
{
    const uint64_t bit = (uint64_t)1 << (place % 64);
    const uint64_t down = atomic_fetch_or_explicit(&g->down, bit, memory_order_relaxed) | bit;

    if (km_breaker_state(&g->breaker, now_ms) != KM_BREAKER_CLOSED ||
        km_breaker_share(&g->breaker, now_ms) < 100 ||
        __builtin_popcountll(down) >= g->settings.deployments)
        (void)km_breaker_fail(&g->breaker, &g->settings, KM_FAILURE_OTHER, now_ms);
}

void km_breaker_group_ok(struct km_breaker_group *g, uint64_t now_ms)
{
    if (atomic_load_explicit(&g->down, memory_order_relaxed))
        atomic_store_explicit(&g->down, 0, memory_order_relaxed);
    km_breaker_report(&g->breaker, &g->settings, true, now_ms);
}
