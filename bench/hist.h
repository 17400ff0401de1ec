/* SPDX-License-Identifier: Apache-2.0 */
/* hist.h - a histogram of durations with a fixed relative error.
 *
 * As in HdrHistogram, every power of two is cut into the same number of equal parts
 * (128): a value is off by less than 0.8 %, whatever its size, and recording one is
 * an increment.  Values are nanoseconds, from 0 to about 18 minutes; larger ones count
 * as the largest.
 *
 * Lifetime: the caller's storage; zeroed memory is an empty histogram.
 * Thread: one writer.
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>
#include <stdio.h>

enum { HIST_SUB_BITS = 7, HIST_TOP_BIT = 40 };
enum { HIST_CELLS = (HIST_TOP_BIT - HIST_SUB_BITS + 1) << HIST_SUB_BITS };

struct hist {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t min_ns;
    uint64_t max_ns;
    uint64_t cells[HIST_CELLS];
};

void hist_add(struct hist *h, uint64_t ns);

/* The value below which `percent` of the recorded values lie; 0 when empty. */
uint64_t hist_percentile(const struct hist *h, double percent);

/* {"count":..,"mean_us":..,"p50_us":..,"p90_us":..,"p99_us":..,"p999_us":..,"max_us":..} */
void hist_print_json(const struct hist *h, FILE *out);

#endif
