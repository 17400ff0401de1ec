/* SPDX-License-Identifier: Apache-2.0 */
/* outage.h - whether the store can be written, why not, and which calls go on meanwhile.
 *
 *     none ──a commit fails──> unwritable ──a commit succeeds──> none
 *       │                          │
 *       └── the file is gone, another one, shorter: lost;  read errors: damaged ── to the end
 *
 * The writer, the guard and the readers report here; every new call asks, which is one load of an
 * atomic while nothing is wrong.  Any thread.
 */
#ifndef KM_STORE_OUTAGE_H
#define KM_STORE_OUTAGE_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/store.h"

#define KM_OUTAGE_BUDGETED_MS 1000 /* of failed commits, then calls with a budget are refused */
#define KM_OUTAGE_CALLS 1000 /* admitted while nothing can be committed, then all are refused */

enum km_outage_kind {
    KM_OUTAGE_NONE,
    KM_OUTAGE_UNWRITABLE, /* a full disk, an I/O error: tried again */
    KM_OUTAGE_LOST, /* the file was deleted, replaced or cut; only a restart ends it */
    KM_OUTAGE_DAMAGED, /* what is read is no store any more; only a restart ends it */
};

struct km_outage {
    _Atomic int kind; /* enum km_outage_kind; rises only, but for unwritable */
    _Atomic bool unspilled; /* what was acknowledged lies in memory alone */
    _Atomic uint64_t since_ms; /* monotonic */
    _Atomic int64_t admitted; /* calls since then */
    _Atomic uint64_t refused; /* calls of this life */
    bool strict;
    enum km_store_unavailable policy;

    pthread_mutex_t lock; /* guards what follows */
    int64_t since_us; /* wall */
    char reason[KM_STORE_REASON]; /* without a path */
    char text[KM_STORE_TEXT]; /* with what to do */
};

void km_outage_init(struct km_outage *o, bool strict, enum km_store_unavailable policy);
void km_outage_done(struct km_outage *o);

/* true: it is news.  A worse kind replaces a lesser one, the same or a lesser changes nothing. */
bool km_outage_begin(struct km_outage *o, enum km_outage_kind kind, const char *reason,
                     const char *text);
/* More to say of one that goes on. */
void km_outage_add(struct km_outage *o, const char *text);
/* A commit succeeded.  true: it is news. */
bool km_outage_end(struct km_outage *o);

static inline enum km_outage_kind km_outage_kind(const struct km_outage *o)
{
    return (enum km_outage_kind)atomic_load_explicit(&o->kind, memory_order_relaxed);
}

/* The file is not ours to write any more. */
static inline bool km_outage_final(const struct km_outage *o)
{
    return km_outage_kind(o) >= KM_OUTAGE_LOST;
}

/* May a call begin, which is counted then?  KM_E_STORE says why not. */
int km_outage_admit(struct km_outage *o, bool budgeted, struct km_err *err) KM_MUST_USE;

/* Fails with what the outage is. */
int km_outage_fail(struct km_outage *o, struct km_err *err);

void km_outage_tell(struct km_outage *o, struct km_store_health *ret);

#endif
