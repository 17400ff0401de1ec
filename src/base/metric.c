/* SPDX-License-Identifier: Apache-2.0 */
/* metric.c - see metric.h for the contract.
 *
 *     registry -> family (a row) -> series (label values) -> cells
 *
 *     cells:  [ worker 0 | pad to 64 ][ worker 1 | pad ] ... [ of series that are gone ]
 *     a cell: counter, gauge: one value;  histogram: a count for each bound, one for +Inf,
 *             and the sum
 *
 * A cell has one writer, so adding is a plain load, an addition and a plain store: they are
 * atomic only so that a reader on another thread sees a whole number, and cost what an
 * ordinary variable costs.  Cells of two workers never share a cache line.
 *
 * Label values can come from outside, and change with each reload, so the number of series is
 * bounded.  Each row with labels gets one spare series beside that bound, whose values are all
 * "other"; it appears in the text once it has been handed out or has taken over what a series
 * that went had counted.  That has a cell of its own, guarded by the lock: the other cells
 * belong to their workers.  A series is known by its finished label text:
 * values that are cut to the same text are the same series, and no line appears twice.
 */
#include "base/metric.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/list.h"
#include "base/map.h"

#define LINE 64                 /* bytes of a cache line */
#define VALUE_MAX ((size_t)128) /* of a label value; longer ones are cut */
#define KEY_MAX ((size_t)8192)

struct km_series {
    struct km_list link; /* in its family */
    struct km_list loose; /* nobody keeps it: the oldest first */
    const struct km_metric_row *row;
    struct km_buf labels; /* model="a",key="b" */
    size_t keepers;
    bool shown, other;
    size_t workers; /* and one cell more */
    size_t stride; /* values from one worker's cell to the next */
    size_t bounds; /* of a histogram */
    _Atomic int64_t *cells;
};

struct family {
    struct km_list link;
    const struct km_metric_row *row;
    struct km_list series;
    size_t count; /* of them */
    struct km_series *other;
};

struct km_metrics {
    pthread_mutex_t lock;
    size_t workers, max_series, count;
    struct km_list families; /* in order of first use */
    struct km_list loose; /* series */
    struct km_map *by_name;  /* row name to family */
    struct km_map *by_key;   /* row name and labels to series */
};

struct km_metrics *km_metrics_new(size_t workers, size_t max_series)
{
    struct km_metrics *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->workers = workers ? workers : 1;
    m->max_series = max_series;
    km_list_init(&m->families);
    km_list_init(&m->loose);
    pthread_mutex_init(&m->lock, NULL);
    m->by_name = km_map_new_borrowed(SIZE_MAX);
    m->by_key = km_map_new(SIZE_MAX);
    if (!m->by_name || !m->by_key)
        return km_metrics_free(m);
    return m;
}

static struct km_series *free_series(struct km_series *s)
{
    if (!s)
        return NULL;
    km_buf_done(&s->labels);
    free(s->cells);
    free(s);
    return NULL;
}

static void free_family(struct family *family)
{
    KM_LIST_EACH(it, &family->series)
    free_series(KM_CONTAINER(it, struct km_series, link));
    free_series(family->other);
    free(family);
}

struct km_metrics *km_metrics_free(struct km_metrics *m)
{
    if (!m)
        return NULL;
    KM_LIST_EACH(it, &m->families)
    free_family(KM_CONTAINER(it, struct family, link));
    km_map_free(m->by_name, NULL);
    km_map_free(m->by_key, NULL);
    pthread_mutex_destroy(&m->lock);
    free(m);
    return NULL;
}

static size_t bounds_of(const struct km_metric_row *row)
{
    size_t n = 0;

    if (row->type != KM_HISTOGRAM)
        return 0;
    while (n < KM_METRIC_BUCKETS && row->bounds[n])
        n++;
    return n;
}

/* A label value in the text format's own escapes; what is not UTF-8 may not be there. */
static void put_value(struct km_buf *b, struct km_str v)
{
    v = km_str_sub(v, 0, VALUE_MAX);
    while (v.n) {
        size_t n = km_utf8_step(v);

        if (n == 0)
            km_buf_bytes(b, "\xef\xbf\xbd", 3);
        else if (v.p[0] == '\n')
            km_buf_bytes(b, "\\n", 2);
        else if (v.p[0] == '"' || v.p[0] == '\\')
            km_buf_bytes(b, (char[]){ '\\', v.p[0] }, 2);
        else
            km_buf_bytes(b, v.p, n);
        v = km_str_skip(v, n ? n : 1);
    }
}

/* values NULL: all "other". */
static void put_labels(struct km_buf *b, const struct km_metric_row *row,
                       const struct km_str *values)
{
    for (size_t i = 0; i < KM_METRIC_LABELS && row->labels[i]; i++) {
        if (i)
            km_buf_byte(b, ',');
        km_buf_str(b, km_str_c(row->labels[i]));
        km_buf_str(b, KM_STR("=\""));
        put_value(b, values ? values[i] : KM_STR("other"));
        km_buf_byte(b, '"');
    }
}

static struct km_series *make_series(const struct km_metrics *m, const struct km_metric_row *row,
                                     const struct km_str *values)
{
    struct km_series *s = calloc(1, sizeof *s);
    const size_t per_line = LINE / sizeof(int64_t);
    size_t bytes;

    if (!s)
        return NULL;
    km_buf_init(&s->labels, KEY_MAX);
    put_labels(&s->labels, row, values);
    km_list_init(&s->loose);
    s->row = row;
    s->workers = m->workers;
    s->bounds = bounds_of(row);
    s->stride = row->type == KM_HISTOGRAM ? s->bounds + 2 : 1;
    s->stride = (s->stride + per_line - 1) / per_line * per_line;
    bytes = (s->workers + 1) * s->stride * sizeof(int64_t);
    s->cells = aligned_alloc(LINE, bytes);
    if (!s->cells || km_buf_failed(&s->labels))
        return free_series(s);
    for (size_t i = 0; i < (s->workers + 1) * s->stride; i++)
        atomic_init(&s->cells[i], 0);
    return s;
}

static struct family *family_of(struct km_metrics *m, const struct km_metric_row *row)
{
    struct family *f = km_map_get(m->by_name, km_str_c(row->name));

    if (f)
        return f;
    f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->row = row;
    km_list_init(&f->series);
    if (row->labels[0])
        f->other = make_series(m, row, NULL);
    if (f->other)
        f->other->other = true;
    if ((row->labels[0] && !f->other) || km_map_set(m->by_name, km_str_c(row->name), f, NULL) < 0) {
        free_family(f);
        return NULL;
    }
    km_list_push(&m->families, &f->link);
    return f;
}

static int64_t total(const struct km_series *s, size_t index);

/* Under the lock.  A gauge tells what is now: nothing of it remains. */
static void fold(struct km_series *other, const struct km_series *s)
{
    _Atomic int64_t *gone = other->cells + other->workers * other->stride;

    if (s->row->type == KM_GAUGE)
        return;
    for (size_t i = 0; i < s->stride; i++)
        atomic_store_explicit(
            &gone[i],
            (int64_t)((uint64_t)atomic_load_explicit(&gone[i], memory_order_relaxed) +
                      (uint64_t)total(s, i)),
            memory_order_relaxed);
    other->shown = true;
}

static void put_key(struct km_buf *key, const struct km_metric_row *row)
{
    km_buf_str(key, km_str_c(row->name));
    km_buf_byte(key, '{');
}

static void drop_series(struct km_metrics *m, struct km_series *s)
{
    struct km_buf key KM_CLEANUP(km_buf_done) = KM_BUF(KEY_MAX);
    struct family *f = km_map_get(m->by_name, km_str_c(s->row->name));

    put_key(&key, s->row);
    km_buf_str(&key, km_buf_view(&s->labels));
    if (km_buf_failed(&key))
        return; /* it stays: memory is short, not labels */
    km_map_del(m->by_key, km_buf_view(&key));
    fold(f->other, s);
    km_list_remove(&s->link);
    km_list_remove(&s->loose);
    m->count--;
    f->count--;
    free_series(s);
}

static bool is_full(const struct km_metrics *m, const struct family *f)
{
    return m->count >= m->max_series || (f->row->most && f->count >= f->row->most);
}

/* The oldest that nobody keeps; of the row, where it is the row that is full.  NULL: none. */
static struct km_series *oldest_loose(struct km_metrics *m, const struct family *f)
{
    bool any = m->count >= m->max_series;

    KM_LIST_EACH(it, &m->loose)
    {
        struct km_series *s = KM_CONTAINER(it, struct km_series, loose);

        if (any || s->row == f->row)
            return s;
    }
    return NULL;
}

/* The bound does not count rows without labels: they are as many as the program has. */
static struct km_series *add_series(struct km_metrics *m, struct family *f, struct km_str key,
                                    const struct km_str *values)
{
    const bool labelled = f->row->labels[0] != NULL;
    struct km_series *s = labelled && is_full(m, f) ? oldest_loose(m, f) : NULL;

    if (s)
        drop_series(m, s);
    s = labelled && is_full(m, f) ? NULL : make_series(m, f->row, values);
    if (s && km_map_set(m->by_key, key, s, NULL) < 0)
        s = free_series(s);
    if (!s) {
        if (f->other)
            f->other->shown = true;
        return f->other;
    }
    s->shown = true;
    m->count += labelled;
    f->count += labelled;
    if (labelled)
        km_list_push(&m->loose, &s->loose);
    km_list_push(&f->series, &s->link);
    return s;
}

/* Under the lock. */
static struct km_series *find_series(struct km_metrics *m, const struct km_metric_row *row,
                                     const struct km_str *values)
{
    struct km_buf key KM_CLEANUP(km_buf_done) = KM_BUF(KEY_MAX);
    struct family *f = family_of(m, row);
    struct km_series *s;

    if (!f)
        return NULL;
    put_key(&key, row);
    put_labels(&key, row, values);
    /* Values that spell out "other" are that series, or its lines would be there twice. */
    if (f->other && km_str_ends(km_buf_view(&key), km_buf_view(&f->other->labels)) &&
        key.n == strlen(row->name) + 1 + f->other->labels.n) {
        f->other->shown = true;
        return f->other;
    }
    s = km_map_get(m->by_key, km_buf_view(&key));
    return s ? s : add_series(m, f, km_buf_view(&key), values);
}

struct km_series *km_metric_series(struct km_metrics *m, const struct km_metric_row *row,
                                   const struct km_str *values)
{
    struct km_series *s;

    pthread_mutex_lock(&m->lock);
    s = find_series(m, row, values);
    if (s) {
        s->keepers++;
        km_list_remove(&s->loose);
    }
    pthread_mutex_unlock(&m->lock);
    return s;
}

bool km_metric_is_other(const struct km_series *s)
{
    return s->other;
}

/* The spare ones and those without labels stay. */
void km_metric_release(struct km_metrics *m, struct km_series *s)
{
    const struct family *f;

    if (!s)
        return;
    pthread_mutex_lock(&m->lock);
    km_assert(s->keepers > 0);
    f = km_map_get(m->by_name, km_str_c(s->row->name));
    if (--s->keepers == 0 && f->other && s != f->other)
        drop_series(m, s);
    pthread_mutex_unlock(&m->lock);
}

void km_metric_leave(struct km_metrics *m, struct km_series *s)
{
    const struct family *f;

    if (!s)
        return;
    pthread_mutex_lock(&m->lock);
    km_assert(s->keepers > 0);
    f = km_map_get(m->by_name, km_str_c(s->row->name));
    if (--s->keepers == 0 && f->other && s != f->other)
        km_list_push(&m->loose, &s->loose);
    pthread_mutex_unlock(&m->lock);
}

void km_metric_count(struct km_metrics *m, const struct km_metric_row *row,
                     const struct km_str *values, size_t worker, int64_t delta)
{
    pthread_mutex_lock(&m->lock);
    km_metric_add(find_series(m, row, values), worker, delta);
    pthread_mutex_unlock(&m->lock);
}

static inline void bump(_Atomic int64_t *cell, int64_t delta)
{
    int64_t v = atomic_load_explicit(cell, memory_order_relaxed);

    /* Wraps like the counter it is, instead of being undefined. */
    atomic_store_explicit(cell, (int64_t)((uint64_t)v + (uint64_t)delta), memory_order_relaxed);
}

static inline _Atomic int64_t *cell_of(struct km_series *s, size_t worker)
{
    km_assert(worker < s->workers);
    return s->cells + worker * s->stride;
}

void km_metric_add(struct km_series *s, size_t worker, int64_t delta)
{
    if (s)
        bump(cell_of(s, worker), delta);
}

void km_metric_set(struct km_series *s, size_t worker, int64_t value)
{
    if (s)
        atomic_store_explicit(cell_of(s, worker), value, memory_order_relaxed);
}

void km_metric_observe(struct km_series *s, size_t worker, int64_t value)
{
    _Atomic int64_t *cell;
    size_t i = 0;

    if (!s)
        return;
    km_assert(s->row->type == KM_HISTOGRAM);
    cell = cell_of(s, worker);
    while (i < s->bounds && value > s->row->bounds[i])
        i++;
    bump(&cell[i], 1);
    bump(&cell[s->bounds + 1], value);
}

/* One value of the cell, over all workers. */
static int64_t total(const struct km_series *s, size_t index)
{
    uint64_t sum = 0;

    for (size_t w = 0; w <= s->workers; w++)
        sum +=
            (uint64_t)atomic_load_explicit(&s->cells[w * s->stride + index], memory_order_relaxed);
    return (int64_t)sum;
}

int64_t km_metric_value(const struct km_series *s)
{
    int64_t count = 0;

    if (!s)
        return 0;
    if (s->row->type != KM_HISTOGRAM)
        return total(s, 0);
    for (size_t i = 0; i <= s->bounds; i++)
        count += total(s, i);
    return count;
}

/* name_suffix{labels,le="bound"} value; a bound of NULL: no le. */
static void put_line(struct km_buf *out, const struct km_series *s, const char *suffix,
                     const char *le, int64_t value, int scale)
{
    const bool labels = s->labels.n > 0;

    km_buf_str(out, km_str_c(s->row->name));
    km_buf_str(out, km_str_c(suffix));
    if (labels || le)
        km_buf_byte(out, '{');
    km_buf_str(out, km_buf_view(&s->labels));
    if (le) {
        km_buf_str(out, labels ? KM_STR(",le=\"") : KM_STR("le=\""));
        km_buf_str(out, km_str_c(le));
        km_buf_byte(out, '"');
    }
    if (labels || le)
        km_buf_byte(out, '}');
    km_buf_byte(out, ' ');
    km_buf_decimal(out, value, scale);
    km_buf_byte(out, '\n');
}

static void put_histogram(struct km_buf *out, const struct km_series *s)
{
    int64_t count = 0;

    for (size_t i = 0; i <= s->bounds; i++) {
        struct km_buf le KM_CLEANUP(km_buf_done) = KM_BUF(64);

        if (i < s->bounds)
            km_buf_decimal(&le, s->row->bounds[i], s->row->scale);
        else
            km_buf_str(&le, KM_STR("+Inf"));
        count += total(s, i);
        put_line(out, s, "_bucket", km_buf_cstr(&le), count, 0);
    }
    put_line(out, s, "_sum", NULL, total(s, s->bounds + 1), s->row->scale);
    put_line(out, s, "_count", NULL, count, 0);
}

static void put_series(struct km_buf *out, const struct km_series *s)
{
    if (s->row->type == KM_HISTOGRAM)
        put_histogram(out, s);
    else
        put_line(out, s, "", NULL, total(s, 0), s->row->scale);
}

static void put_help(struct km_buf *out, const char *help)
{
    for (; *help; help++) {
        if (*help == '\n')
            km_buf_str(out, KM_STR("\\n"));
        else if (*help == '\\')
            km_buf_str(out, KM_STR("\\\\"));
        else
            km_buf_byte(out, *help);
    }
}

static void put_family(struct km_buf *out, const struct family *f)
{
    static const char *const types[] = { "counter", "gauge", "histogram" };

    km_buf_str(out, KM_STR("# HELP "));
    km_buf_str(out, km_str_c(f->row->name));
    km_buf_byte(out, ' ');
    put_help(out, f->row->help);
    km_buf_str(out, KM_STR("\n# TYPE "));
    km_buf_str(out, km_str_c(f->row->name));
    km_buf_byte(out, ' ');
    km_buf_str(out, km_str_c(types[f->row->type]));
    km_buf_byte(out, '\n');
    KM_LIST_EACH(it, &f->series)
    put_series(out, KM_CONTAINER(it, struct km_series, link));
    if (f->other && f->other->shown)
        put_series(out, f->other);
}

void km_metrics_text(struct km_metrics *m, struct km_buf *out)
{
    pthread_mutex_lock(&m->lock);
    KM_LIST_EACH(it, &m->families)
    put_family(out, KM_CONTAINER(it, struct family, link));
    pthread_mutex_unlock(&m->lock);
}
