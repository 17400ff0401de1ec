/* SPDX-License-Identifier: Apache-2.0 */
/* window.h - two counts of the last ten seconds, by all workers, without a lock.
 *
 * `all` counts events and `some` those among them that somebody watches: requests and repetitions,
 * outcomes and failures.  Any thread; atomics.
 */
#ifndef KM_POLICY_WINDOW_H
#define KM_POLICY_WINDOW_H

#include <stdint.h>

#define KM_WINDOW_SECONDS 10

struct km_window {
    _Atomic uint64_t seconds[KM_WINDOW_SECONDS]; /* see window.c */
};

struct km_window_sum {
    uint64_t all, some;
};

void km_window_count_all(struct km_window *w, uint64_t now_ms);
void km_window_count_some(struct km_window *w, uint64_t now_ms); /* of those counted as all */
struct km_window_sum km_window_sum(const struct km_window *w, uint64_t now_ms);

#endif
