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

#define KM_RETRY_BUDGET_SECONDS 10
#define KM_RETRY_BUDGET_PERCENT 20
#define KM_RETRY_BUDGET_LEAST 10 /* so many in KM_RETRY_BUDGET_SECONDS in any case */

struct km_retry_budget {
    /* By second: its number, the requests, the repetitions among them (see retry_budget.c). */
    _Atomic uint64_t seconds[KM_RETRY_BUDGET_SECONDS];
};

/* A request is about to leave for it.  Any thread. */
void km_retry_budget_count(struct km_retry_budget *b, uint64_t now_ms);
/* May one more be a repetition?  true: it counts as one from now on.  Any thread; workers that ask
 * at the same moment may together pass the limit by as many as they are. */
bool km_retry_budget_take(struct km_retry_budget *b, uint64_t now_ms);

#endif
