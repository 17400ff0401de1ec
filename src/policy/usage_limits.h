/* SPDX-License-Identifier: Apache-2.0 */
/* usage_limits.h - can this be what a call used?
 *
 * An upstream's count is believed as long as it is possible: it is what the provider bills.  One
 * that is not (a broken counter, a hostile server) is no report but a fault, and the call is
 * settled by an estimate instead.
 */
#ifndef KM_POLICY_USAGE_LIMITS_H
#define KM_POLICY_USAGE_LIMITS_H

#include "policy/price.h"

#define KM_OUTPUT_MOST INT64_C(262144) /* of a model nobody knows, which was not bounded */
#define KM_INPUT_MOST INT64_C(10000000) /* the same of what it reads */
#define KM_HOSTED_MOST INT64_C(1000) /* uses of a tool that the provider runs, in one answer */
#define KM_PAGES_MOST INT64_C(10000) /* of a document that is read; vendors take a thousand */
#define KM_INPUT_SLACK 4096 /* tokens that a provider's own template and tools add */

/* What is known of a call before its answer; -1: not said, not known. */
struct km_usage_limits {
    int64_t bound_sent; /* tokens of one answer, as the upstream was told */
    int64_t known_max; /* what its model writes at most */
    int64_t answers; /* how many were asked for; at least 1 */
    int64_t bytes_sent; /* of the body */
    int64_t window; /* what its model reads at most */
    bool opens_input; /* it may read what was not sent (struct km_llm_priced) */
};

/* No count is negative, the output is at most twice what the limits allow, the input at most what
 * was sent, or where more may have been read the model's window; no tool was used more often than
 * KM_HOSTED_MOST times for each answer, and no document has more than KM_PAGES_MOST pages. */
bool km_usage_is_possible(const struct km_usage *u, const struct km_usage_limits *l);

#endif
