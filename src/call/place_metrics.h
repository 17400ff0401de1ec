/* SPDX-License-Identifier: Apache-2.0 */
/* place_metrics.h - private to call/: lines of calls that wait, counted. */
#ifndef KM_CALL_PLACE_METRICS_H
#define KM_CALL_PLACE_METRICS_H

#include "policy/gate.h"

struct km_worker;

/* One more, or one less, waits. */
void km_count_in_line(const struct km_worker *w, const struct km_gate *gate, enum km_priority p,
                      int64_t n);
void km_count_waited(const struct km_worker *w, const struct km_gate *gate, enum km_priority p,
                     uint64_t ms);
/* It was refused by the line. */
void km_count_shed(const struct km_worker *w, const struct km_gate *gate, enum km_priority p);

#endif
