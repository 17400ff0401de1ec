/* SPDX-License-Identifier: Apache-2.0 */
/* quantile.h - a quantile of numbers that come one by one, without keeping them.
 *
 * A plain value of the caller's, who locks or packs it; all zero: nothing was learnt.
 */
#ifndef KM_POLICY_QUANTILE_H
#define KM_POLICY_QUANTILE_H

#include <stdint.h>

#define KM_QUANTILE_MOST (INT64_C(1) << 40) /* more counts as this */
#define KM_QUANTILE_COUNT 255

struct km_quantile {
    int64_t sixteenths; /* of the number */
    uint32_t count; /* learnt; up to KM_QUANTILE_COUNT */
};

/* tenths: 5 is the median, 9 the number that nine of ten are below.  Numbers under 1 are
 * ignored. */
void km_quantile_learn(struct km_quantile *q, int64_t number, int tenths);
void km_quantile_learn_percent(struct km_quantile *q, int64_t number, int percent);
int64_t km_quantile_get(const struct km_quantile *q); /* 0: nothing was learnt */

#endif
