/* SPDX-License-Identifier: Apache-2.0 */
/* place_metrics.c - how many calls wait in line, how long they did, and how many were refused.
 *
 * By resource, which is a name of the configuration, and class.  Looked up by name each time: a
 * call that waits has the time.
 */
#include "call/place_metrics.h"

#include "call/call.h"

static const struct km_metric_row depth = { .name = "kanmon_queue_depth",
                                            .type = KM_GAUGE,
                                            .help = "Calls that wait in line.",
                                            .labels = { "resource", "priority" } };
static const struct km_metric_row shed = {
    .name = "kanmon_queue_shed_total",
    .type = KM_COUNTER,
    .help = "Calls refused because their line was full, or they had waited as long as they may.",
    .labels = { "resource", "priority" }
};
static const struct km_metric_row waits = {
    .name = "kanmon_queue_wait_seconds",
    .type = KM_HISTOGRAM,
    .help = "Seconds in line, of calls that had to wait.",
    .labels = { "resource", "priority" },
    .scale = 3,
    .bounds = { 10, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000 },
};

static void count(const struct km_worker *w, const struct km_metric_row *row,
                  const struct km_gate *gate, enum km_priority p, int64_t n)
{
    struct km_str labels[2] = { km_gate_name(gate), km_priority_name(p) };

    km_metric_count(w->gw->metrics, row, labels, w->index, n);
}

void km_count_in_line(const struct km_worker *w, const struct km_gate *gate, enum km_priority p,
                      int64_t n)
{
    count(w, &depth, gate, p, n);
}

void km_count_shed(const struct km_worker *w, const struct km_gate *gate, enum km_priority p)
{
    count(w, &shed, gate, p, 1);
}

void km_count_waited(const struct km_worker *w, const struct km_gate *gate, enum km_priority p,
                     uint64_t ms)
{
    struct km_str labels[2] = { km_gate_name(gate), km_priority_name(p) };
    struct km_series *s = km_metric_series(w->gw->metrics, &waits, labels);

    km_metric_observe(s, w->index, (int64_t)ms);
    km_metric_leave(w->gw->metrics, s);
}
