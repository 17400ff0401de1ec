/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_take.c - the writer's side of a worker's ledger; see chunk.h for the contract.
 *
 *     take ──> [ chunk ][ chunk ] ── spilled? ──> committed ──> home: callbacks run, it is spare
 *                                        └── told: safe, or why not; the records stay
 */
#include <stdlib.h>

#include "base/time.h"
#include "store/ledger_batch.h"

#define SPARE_CHUNKS 4

/* Moves the open intents of calls that began in from_us .. to_us to the chunk being filled, as
 * far as it and the index have room.  One that was in no index goes on to the store: its
 * settlement may lie behind it in these very chunks, and must not come there first.  Under the
 * lock. */
static bool keep_open(struct km_ledger *l, struct km_chunk *taken, int64_t from_us, int64_t to_us)
{
    bool kept = false;

    for (struct km_record *rec = NULL; (rec = km_chunk_next(taken, rec));) {
        struct km_record *copy;

        if (rec->kind != KM_RECORD_INTENT || rec->done || !rec->alone || rec->start_us < from_us ||
            rec->start_us > to_us || l->nindex == KM_LEDGER_INTENTS ||
            l->cur->n + rec->size > l->cur->cap)
            continue;
        copy = km_ledger_place(l, rec->size);
        memcpy(copy, rec, rec->size);
        rec->kind = KM_RECORD_VOID;
        km_ledger_index(l, copy);
        kept = true;
    }
    return kept;
}

struct km_chunk *km_ledger_take(struct km_ledger *l, int64_t keep_us, bool *ret_kept)
{
    int64_t now_us = keep_us > 0 ? km_wall_us() : 0;
    struct km_chunk *all;

    pthread_mutex_lock(&l->lock);
    /* Without memory for another chunk the one being filled stays until there is. */
    if (l->cur->n > 0)
        (void)km_ledger_turn(l);
    all = l->full;
    l->full = NULL;
    l->full_end = &l->full;
    km_ledger_forget(l);
    for (struct km_chunk *c = all; c; c = c->next) {
        c->ledger = l;
        atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
        if (keep_us > 0 && keep_open(l, c, now_us - keep_us, now_us))
            *ret_kept = true;
    }
    pthread_mutex_unlock(&l->lock);
    return all;
}

static void go_home(struct km_chunk *c)
{
    struct km_ledger *l = c->ledger;

    c->n = 0;
    c->waited = false;
    c->spilled = 0;
    c->safe = false;
    pthread_mutex_lock(&l->lock);
    if (l->nspare < SPARE_CHUNKS && !l->closed) {
        c->next = l->spare;
        l->spare = c;
        l->nspare++;
        c = NULL;
    }
    pthread_mutex_unlock(&l->lock);
    km_chunk_free(c);
    km_ledger_unref(l);
}

static void on_committed(struct km_msg *msg, void *owner)
{
    struct km_chunk *c = KM_CONTAINER(msg, struct km_chunk, msg);
    bool closed;

    (void)owner;
    pthread_mutex_lock(&c->ledger->lock);
    closed = c->ledger->closed;
    pthread_mutex_unlock(&c->ledger->lock);
    for (struct km_record *rec = NULL; !closed && (rec = km_chunk_next(c, rec));)
        if (rec->kind != KM_RECORD_VOID && rec->done)
            rec->done(rec->ctx, NULL);
    go_home(c);
}

/* Posting under the lock: km_ledger_free() sets closed under it, and the mailbox may go after. */
static bool post(struct km_ledger *l, struct km_msg *msg)
{
    bool posted;

    pthread_mutex_lock(&l->lock);
    posted = l->reply && !l->closed;
    if (posted)
        km_mailbox_post(l->reply, msg);
    pthread_mutex_unlock(&l->lock);
    return posted;
}

void km_chunk_spilled(struct km_chunk *c, int64_t frame)
{
    km_assert(!c->safe); /* counted twice, more would be spilled than waits */
    c->spilled = frame;
    c->safe = true;
    pthread_mutex_lock(&c->ledger->lock);
    c->ledger->spilled += c->n;
    pthread_mutex_unlock(&c->ledger->lock);
}

void km_chunk_committed(struct km_chunk *c)
{
    if (c->safe) { /* first: what waits is never less than what is spilled of it */
        pthread_mutex_lock(&c->ledger->lock);
        c->ledger->spilled -= c->n;
        pthread_mutex_unlock(&c->ledger->lock);
    }
    /* Release: who sees that nothing waits sees what was done with it. */
    atomic_fetch_sub_explicit(&c->ledger->waiting, c->n, memory_order_release);
    c->msg.run = on_committed;
    if (!c->waited || !post(c->ledger, &c->msg))
        go_home(c);
}

/* Who waits for a commit that does not come now: a copy, because the records stay with the
 * writer. */
struct notice {
    struct km_msg msg;
    struct km_ledger *ledger;
    struct km_err err;
    size_t n;
    struct {
        km_store_done_fn *done;
        void *ctx;
    } v[];
};

static void on_told(struct km_msg *msg, void *owner)
{
    struct notice *n = KM_CONTAINER(msg, struct notice, msg);
    bool closed;

    (void)owner;
    pthread_mutex_lock(&n->ledger->lock);
    closed = n->ledger->closed;
    pthread_mutex_unlock(&n->ledger->lock);
    for (size_t i = 0; !closed && i < n->n; i++)
        n->v[i].done(n->v[i].ctx, n->err.code ? &n->err : NULL);
    km_ledger_unref(n->ledger);
    free(n);
}

void km_chunk_tell(struct km_chunk *c, const struct km_err *err)
{
    struct notice *notice;
    size_t n = 0;

    for (struct km_record *rec = NULL; c->waited && (rec = km_chunk_next(c, rec));)
        n += rec->done != NULL;
    if (n == 0)
        return;
    notice = malloc(sizeof *notice + n * sizeof notice->v[0]);
    if (!notice)
        return; /* they are told when the records are written after all */
    notice->msg.run = on_told;
    notice->ledger = c->ledger;
    notice->err = err ? *err : (struct km_err){ 0 };
    notice->n = 0;
    for (struct km_record *rec = NULL; (rec = km_chunk_next(c, rec));) {
        if (!rec->done)
            continue;
        notice->v[notice->n].done = rec->done;
        notice->v[notice->n++].ctx = rec->ctx;
        rec->done = NULL;
    }
    c->waited = false;
    atomic_fetch_add_explicit(&c->ledger->refs, 1, memory_order_relaxed);
    if (!post(notice->ledger, &notice->msg)) {
        km_ledger_unref(notice->ledger);
        free(notice);
    }
}
