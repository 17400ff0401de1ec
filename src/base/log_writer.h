/* SPDX-License-Identifier: Apache-2.0 */
/* log_writer.h - log lines go to files, pipes and terminals by a thread of their own.
 *
 *     any thread ── km_log_writer_put ──> queue, bounded ──> the writer's thread ── write(2)
 *
 * A reader that stalls (a full pipe, a stopped terminal, a disk that does not answer) holds up
 * the writer's thread and nothing else.  When the queue is full, lines are dropped and counted,
 * until half of it is free again; where they are missing, the outlet says how many.
 *
 * Lines come out in the order of km_log_writer_put, which also writes the time into a line: what
 * several threads say is in order of time.  An ordinary line waits up to KM_LOG_GATHER_MS for
 * others, so that a busy program writes many at once; an urgent one does not.
 */
#ifndef KM_BASE_LOG_WRITER_H
#define KM_BASE_LOG_WRITER_H

#include "base/str.h"

#define KM_LOG_GATHER_MS 100

struct km_log_writer;
struct km_log_outlet;

struct km_log_lost {
    uint64_t lines, bytes;
    int64_t when_us; /* of the first line after them */
};

/* What an outlet does, on the writer's thread only. */
struct km_log_outlet_ops {
    /* Returns how many bytes went out: fewer than bytes.n are a failure, the rest is lost. */
    size_t (*write)(struct km_log_outlet *o, struct km_str bytes);
    /* A whole line that says what was lost before it, for write(); its length, 0: nothing. */
    size_t (*report)(struct km_log_outlet *o, const struct km_log_lost *lost, char *text,
                     size_t cap);
    /* Nobody holds it any more.  The last thread that did runs it: its owner's, or the writer's. */
    void (*free)(struct km_log_outlet *o);
};

/* Where lines go to; the first member of what its owner keeps about it. */
struct km_log_outlet {
    const struct km_log_outlet_ops *ops;
    /* --- the writer's, under its lock --- */
    size_t refs; /* its owner, and each piece of the queue */
    struct km_log_lost lost; /* not reported yet */
    bool refusing; /* the queue was full, and is not half empty yet */
};

/* At most max bytes wait.  They are kept in blocks of `block` bytes, each of one outlet; a line
 * longer than that has one of its own.  The thread starts with the first line.  NULL when out of
 * memory. */
struct km_log_writer *km_log_writer_new(size_t max, size_t block);
/* Writes what waits, for at most most_ms; what is left then is dropped.  A thread that hangs in
 * the kernel is left behind with all it uses.  Nobody may put any more; outlets that were not
 * released must not be used.  Always returns NULL. */
struct km_log_writer *km_log_writer_free(struct km_log_writer *w, uint64_t most_ms);

void km_log_outlet_init(struct km_log_outlet *o, const struct km_log_outlet_ops *ops);
/* Its owner lets go; it is freed when the last of its lines is written. */
void km_log_outlet_release(struct km_log_writer *w, struct km_log_outlet *o);

/* Any thread; no system call but to wake the writer.  line is one or more whole lines, or bytes of
 * a file.  time_at: where KM_TIME_ISO_LEN bytes of it become the time; SIZE_MAX: nowhere. */
void km_log_writer_put(struct km_log_writer *w, struct km_log_outlet *o, struct km_str line,
                       size_t time_at, bool urgent);
/* A line that could not be made counts as lost. */
void km_log_writer_lose(struct km_log_writer *w, struct km_log_outlet *o);

/* Waits until all that was put is written, at most most_ms; false: it is not. */
bool km_log_writer_flush(struct km_log_writer *w, uint64_t most_ms);
/* Lines that were dropped or could not be written, ever. */
uint64_t km_log_writer_dropped(const struct km_log_writer *w);

/* Outlets that are files by name open them again, each before it writes next.  Any thread. */
void km_log_writer_reopen(struct km_log_writer *w);
uint64_t km_log_writer_reopens(const struct km_log_writer *w); /* how often that was said */

/* For an outlet that waits for its reader: the writer is ending and its time is over. */
bool km_log_writer_gives_up(struct km_log_writer *w);

#endif
