/* SPDX-License-Identifier: Apache-2.0 */
/* strategy.h - by what a deployment is chosen among those that may serve a call: LiteLLM's
 * strategies by their names.
 *
 *     simple-shuffle           by chance, by weight, else rpm, else tpm
 *     least-busy               the fewest calls that are out
 *     usage-based-routing      the fewest tokens of this minute; one that is at its rpm or tpm is
 *       and -v2                not asked
 *     latency-based-routing    the fastest so far, and those that are nearly as fast
 *     cost-based-routing       the cheapest token
 *
 * Data in, number out; router.c chooses by it.  Thread: any.
 */
#ifndef KM_POLICY_STRATEGY_H
#define KM_POLICY_STRATEGY_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/load.h"

enum km_strategy {
    KM_STRATEGY_SHUFFLE,
    KM_STRATEGY_LEAST_BUSY,
    KM_STRATEGY_USAGE,
    KM_STRATEGY_LATENCY,
    KM_STRATEGY_COST,
};

struct km_strategy_settings {
    enum km_strategy strategy;
    int64_t ttl_ms; /* latencies that are older count no more */
    int64_t buffer_percent; /* who is by so much slower than the fastest counts as as fast */
};

/* What is known of a deployment beforehand. */
struct km_strategy_facts {
    struct km_load *load; /* NULL: nothing is counted */
    int64_t cost; /* of a token in and one out, in pico-USD; -1: not known */
    int64_t rpm, tpm; /* -1: no limit */
};

#define KM_SCORE_FULL UINT64_MAX /* it is at its limit: no call goes there */

/* Lower is better; all that have the lowest are as good.  tokens: what the call needs, by
 * estimate. */
uint64_t km_strategy_score(const struct km_strategy_settings *s, const struct km_strategy_facts *f,
                           bool stream, int64_t tokens, uint64_t now_ms);
/* The highest score that is as good as the best. */
uint64_t km_strategy_good(const struct km_strategy_settings *s, uint64_t best);
/* Does it choose by what is counted of deployments? */
static inline bool km_strategy_counts(const struct km_strategy_settings *s)
{
    return s->strategy == KM_STRATEGY_LEAST_BUSY || s->strategy == KM_STRATEGY_USAGE ||
           s->strategy == KM_STRATEGY_LATENCY;
}

#endif
