/* SPDX-License-Identifier: Apache-2.0 */
/* probing.c - see probing.h for the contract. */
#include "policy/probing.h"

#include <stdatomic.h>

size_t km_probing_next(size_t at, size_t n, bool (*may)(const void *ctx, size_t i), const void *ctx)
{
    for (size_t i = 0; i < n; i++)
        if (may(ctx, (at + i) % n))
            return (at + i) % n;
    return n;
}

uint64_t km_probing_gap_ms(uint64_t interval_ms, size_t asked)
{
    const uint64_t gap = asked ? interval_ms / asked : interval_ms;

    return gap > KM_PROBE_LEAST_MS ? gap : KM_PROBE_LEAST_MS;
}

enum km_probe_verdict km_probing_judge(int status)
{
    if ((status >= 200 && status < 300) || status == 429)
        return KM_PROBE_WELL;
    return status == 400 || status == 413 || status == 422 ? KM_PROBE_UNKNOWN : KM_PROBE_ILL;
}

const char *km_probing_word(enum km_probe_verdict verdict)
{
    return verdict == KM_PROBE_WELL ? "healthy" : verdict == KM_PROBE_ILL ? "unhealthy" : "unknown";
}

void km_probing_tell(struct km_probe_state *s, int status, uint64_t now_ms)
{
    atomic_store_explicit(&s->status, status, memory_order_relaxed);
    atomic_store_explicit(&s->at_ms, now_ms ? now_ms : 1, memory_order_relaxed);
    atomic_store_explicit(&s->verdict, (int)km_probing_judge(status), memory_order_relaxed);
}

enum km_probe_verdict km_probing_verdict(const struct km_probe_state *s)
{
    return (enum km_probe_verdict)atomic_load_explicit(&s->verdict, memory_order_relaxed);
}
