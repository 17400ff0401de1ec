/* SPDX-License-Identifier: Apache-2.0 */
/* retry_budget.h - how many of an upstream's requests may be repetitions: a fifth of those of the
 * last ten seconds, and never fewer than ten.
 *
 * An upstream that fails everything gets each call as often as its callers' retries have it, just
 * when it can least bear it; and so do upstreams behind upstreams.  The budget bounds that,
 * whatever is configured.  One for each deployment, shared by all workers; atomics.
 */
#ifndef KM_POLICY_RETRY_BUDGET_H
#define KM_POLICY_RETRY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/window.h"

#define KM_RETRY_BUDGET_PERCENT 20
#define KM_RETRY_BUDGET_LEAST 10 /* so many in KM_WINDOW_SECONDS in any case */

struct km_retry_budget {
    struct km_window requests; /* and the repetitions among them */
};

/* A request is about to leave for it.  Any thread. */
static inline void km_retry_budget_count(struct km_retry_budget *b, uint64_t now_ms)
{
    km_window_count_all(&b->requests, now_ms);
}

/* May one more be a repetition?  true: it counts as one from now on.  Any thread; workers that ask
 * at the same moment may together pass the limit by as many as they are. */
static inline bool km_retry_budget_take(struct km_retry_budget *b, uint64_t now_ms)
{
    const struct km_window_sum sum = km_window_sum(&b->requests, now_ms);

    if (sum.some >= KM_RETRY_BUDGET_LEAST && sum.some * 100 >= sum.all * KM_RETRY_BUDGET_PERCENT)
        return false;
    km_window_count_some(&b->requests, now_ms);
    return true;
}

#endif
