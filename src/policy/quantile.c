/* SPDX-License-Identifier: Apache-2.0 */
/* quantile.c - see quantile.h.
 *
 * The guess goes up when a number is above it and down when one is below, by steps whose sizes are
 * to each other as the shares on either side: where nine of ten are below, nine small steps down
 * undo one up, and it stays.  A step is a share of the guess itself, so that it finds any order of
 * magnitude; it is smaller the more was learnt, and never goes past the number that caused it.
 *
 * Only the side a number lies on counts, hardly how far away it is: a single one, however absurd,
 * moves the guess by one step.
 */
#include "policy/quantile.h"

#define SCALE 16
#define FIRST_SHARE 8 /* a step is this share of the guess at first */
#define LAST_SHARE 64

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void km_quantile_learn_percent(struct km_quantile *q, int64_t number, int percent)
{
    int64_t share = FIRST_SHARE + (int64_t)q->count, unit, at;

    if (number < 1)
        return;
    at = smaller(number, KM_QUANTILE_MOST) * SCALE;
    if (q->count < KM_QUANTILE_COUNT)
        q->count++;
    if (q->sixteenths <= 0) {
        q->sixteenths = at;
        return;
    }
    unit = q->sixteenths / (10 * smaller(share, LAST_SHARE)) + 1;
    if (at > q->sixteenths)
        q->sixteenths += smaller(at - q->sixteenths, unit * percent / 2);
    else
        q->sixteenths -= smaller(q->sixteenths - at, unit * (100 - percent) / 2);
}

void km_quantile_learn(struct km_quantile *q, int64_t number, int tenths)
{
    km_quantile_learn_percent(q, number, 10 * tenths);
}

int64_t km_quantile_get(const struct km_quantile *q)
{
    return (q->sixteenths + SCALE / 2) / SCALE;
}
