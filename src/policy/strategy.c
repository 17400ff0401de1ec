/* SPDX-License-Identifier: Apache-2.0 */
/* strategy.c - see strategy.h for the contract.
 *
 * A strategy is a number for each deployment, so that the router has one way to choose: the lowest,
 * and by weight among equals.  What nobody knows yet is the best that can be (a latency), for then
 * it is tried and known, or the worst (a price), for then it may be anything.
 */
#include "policy/strategy.h"

static uint64_t score_usage(const struct km_strategy_facts *f, int64_t tokens, uint64_t now_ms)
{
    const uint64_t used = km_load_tokens(f->load, now_ms);

    if (f->rpm >= 0 && km_load_requests(f->load, now_ms) >= (uint64_t)f->rpm)
        return KM_SCORE_FULL;
    if (f->tpm >= 0 && used + (tokens > 0 ? (uint64_t)tokens : 0) > (uint64_t)f->tpm)
        return KM_SCORE_FULL;
    return used;
}

uint64_t km_strategy_score(const struct km_strategy_settings *s, const struct km_strategy_facts *f,
                           bool stream, int64_t tokens, uint64_t now_ms)
{
    if (s->strategy == KM_STRATEGY_COST)
        return f->cost >= 0 ? (uint64_t)f->cost : KM_SCORE_FULL - 1;
    if (!f->load)
        return 0;
    switch (s->strategy) {
    case KM_STRATEGY_LEAST_BUSY:
        return km_load_running(f->load) > 0 ? (uint64_t)km_load_running(f->load) : 0;
    case KM_STRATEGY_USAGE:
        return score_usage(f, tokens, now_ms);
    case KM_STRATEGY_LATENCY:
        return km_load_latency_us(f->load, stream, (uint64_t)s->ttl_ms, now_ms);
    default:
        return 0;
    }
}

uint64_t km_strategy_good(const struct km_strategy_settings *s, uint64_t best)
{
    if (s->strategy != KM_STRATEGY_LATENCY || best > UINT64_MAX / 1000)
        return best;
    return best + best * (uint64_t)s->buffer_percent / 100;
}
