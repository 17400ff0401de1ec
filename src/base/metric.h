/* SPDX-License-Identifier: Apache-2.0 */
/* metric.h - counters, gauges and histograms declared as rows, counted in per-worker cells.
 *
 * A module declares rows; the registry holds series (a row with label values).  A series has
 * one cell a worker, on lines of their own: the worker adds without a lock, a reader sums.
 *
 *     static const struct km_metric_row requests = { "kanmon_requests_total", ... };
 *     struct km_series *s = km_metric_series(reg, &requests, labels);   once, kept
 *     km_metric_add(s, worker, 1);                                      hot path
 *     km_metric_release(reg, s);                                        its labels are gone
 *
 * The number of series is bounded, of all rows together and of a row that says so.  What a series
 * that goes has counted goes to the row's series `other`, so that sums over all labels never fall.
 * Past the bound the oldest of those that nobody keeps make room; if all are kept, new label
 * values share `other`.
 */
#ifndef KM_BASE_METRIC_H
#define KM_BASE_METRIC_H

#include "base/buf.h"

enum km_metric_type { KM_COUNTER, KM_GAUGE, KM_HISTOGRAM };

#define KM_METRIC_LABELS 6   /* most label names of one row */
#define KM_METRIC_BUCKETS 16 /* most bounds of one histogram, +Inf not counted */

struct km_metric_row {
    const char *name; /* Prometheus name, unit suffix included */
    enum km_metric_type type;
    const char *help;
    const char *labels[KM_METRIC_LABELS]; /* names; NULL ends */
    int scale;                            /* values are integers; shown / 10^scale */
    int64_t bounds[KM_METRIC_BUCKETS];    /* histogram: upper bounds, ascending; 0 ends */
    size_t most;                          /* series of this row; 0: as many as there may be */
};

struct km_metrics;
struct km_series;

/* workers: number of cells a series has.  max_series bounds memory. */
struct km_metrics *km_metrics_new(size_t workers, size_t max_series);
struct km_metrics *km_metrics_free(struct km_metrics *m);

/* Finds or makes the series with these label values (in the row's order), to be kept until as
 * many releases.  Any thread; takes a lock.  Never NULL after the row's `other` series could be
 * made. */
struct km_series *km_metric_series(struct km_metrics *m, const struct km_metric_row *row,
                                   const struct km_str *values);
/* Label values that found no room share it. */
bool km_metric_is_other(const struct km_series *s);
/* When nobody keeps it any more it is gone.  No worker adds to it now.  Any thread; NULL is
 * fine. */
void km_metric_release(struct km_metrics *m, struct km_series *s);
/* The same, but what it counted stays in sight until room is needed: its labels may be back. */
void km_metric_leave(struct km_metrics *m, struct km_series *s);
/* Adds by name, for what is rare: nothing is kept.  The thread of that worker. */
void km_metric_count(struct km_metrics *m, const struct km_metric_row *row,
                     const struct km_str *values, size_t worker, int64_t delta);

/* Worker's thread only (or any single thread for its own index). NULL series is ignored. */
void km_metric_add(struct km_series *s, size_t worker, int64_t delta);
void km_metric_set(struct km_series *s, size_t worker, int64_t value);
void km_metric_observe(struct km_series *s, size_t worker, int64_t value);

int64_t km_metric_value(const struct km_series *s); /* sum over workers */

/* Prometheus text format 0.0.4 of everything, rows in order of first use.  Any thread. */
void km_metrics_text(struct km_metrics *m, struct km_buf *out);

#endif
