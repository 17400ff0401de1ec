/* SPDX-License-Identifier: Apache-2.0 */
/* writer.c - see writer.h for the contract.
 *
 *     IDLE --wake--> ARMED --6/8 of commit_ms passed--> take, one transaction --> IDLE
 *       \--urgent--> URGENT ------------at once------> take all, the same --^
 *
 * In eventual accounting a first entry arms the writer, and it waits 6/8 of commit_ms for
 * company: at most 67 commits a second by default, however many calls.  The intents of calls
 * younger than 1/8 it leaves to the worker once: 7/8 are gone when it has come again, and 1/8 is
 * for the commit, so that every entry is in the file within commit_ms.  In strict accounting, and
 * for operations, it goes at once, and company is what queued while the last commit was under
 * way: the slower the disk, the larger the group.  A worker that finds the state set already does
 * not signal.
 *
 * Of a transaction that fails (commit.h) the operations are answered with the error; chunks stay,
 * in their order, lie in the spill file meanwhile, and are tried again.  When the file is lost
 * (outage.h) they go to the spill file and nowhere else.
 */
#include "store/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/time.h"
#include "store/commit.h"
#include "store/inside.h"
#include "sys/background.h"

#define RETRY_MS 250
#define CHECKPOINT_IDLE 256 /* pages in the log worth a checkpoint when idle */
#define QUIET_MS 200 /* no entry for so long: idle, and not between two commits of a busy time */
#define CHECKPOINT_MS 5000 /* likewise, of a log with fewer pages */
#define CHECKPOINT_BUSY 8192 /* 32 MiB: worth one even when busy */

enum wake { IDLE, ARMED, URGENT };
enum asked { ASKED_NOTHING, ASKED_RELEASE, ASKED_TAKE_BACK };

struct km_writer {
    struct km_store *store;
    pthread_t thread;
    struct km_commit commit; /* writer's thread; closed: released */
    struct km_chunk *pending; /* taken, not committed; writer's thread */
    struct km_chunk **pending_end;
    uint64_t retry_ms; /* after a failure: when a commit is tried again */
    struct km_err why; /* of that failure */
    bool rescued; /* the store is lost, and what can be done about it was */

    _Atomic int wake; /* enum wake; rises outside the lock only by way of wake() */
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t more; /* to the writer */
    pthread_cond_t released; /* to who waits in release() */
    uint64_t armed_ms;
    struct km_op *ops, **ops_end;
    struct km_chunk *adopted, **adopted_end;
    km_ledger_forward_fn *forward;
    void *forward_ctx;
    bool stop;
    enum asked asked;
    int asked_result;
    struct km_err asked_err;
};

/* --- the queue --- */

void km_writer_wake(struct km_writer *w, bool urgent)
{
    int want = urgent ? URGENT : ARMED;

    if (atomic_load_explicit(&w->wake, memory_order_relaxed) >= want)
        return;
    pthread_mutex_lock(&w->lock);
    if (atomic_load_explicit(&w->wake, memory_order_relaxed) < want) {
        if (atomic_load_explicit(&w->wake, memory_order_relaxed) == IDLE)
            w->armed_ms = km_mono_ms();
        atomic_store_explicit(&w->wake, want, memory_order_relaxed);
        pthread_cond_signal(&w->more);
    }
    pthread_mutex_unlock(&w->lock);
}

void km_writer_adopt(struct km_writer *w, struct km_chunk *list)
{
    if (!list)
        return;
    pthread_mutex_lock(&w->lock);
    *w->adopted_end = list;
    while (*w->adopted_end)
        w->adopted_end = &(*w->adopted_end)->next;
    pthread_mutex_unlock(&w->lock);
    km_writer_wake(w, true);
}

static void on_answer(struct km_msg *msg, void *owner)
{
    struct km_op *op = KM_CONTAINER(msg, struct km_op, msg);

    (void)owner;
    if (op->done)
        op->done(op->ctx, op->result < 0 ? &op->err : NULL);
    op->free(op);
}

static void answer(struct km_op *op)
{
    op->msg.run = on_answer;
    if (op->reply)
        km_mailbox_post(op->reply, &op->msg);
    else
        op->free(op);
}

static void answer_all(struct km_op *ops)
{
    while (ops) {
        struct km_op *op = ops;

        ops = op->next;
        answer(op);
    }
}

void km_writer_submit(struct km_writer *w, struct km_op *op)
{
    bool urgent = !op->eventual || w->store->strict; /* it is the writer's when it is queued */

    op->next = NULL;
    pthread_mutex_lock(&w->lock);
    *w->ops_end = op;
    w->ops_end = &op->next;
    pthread_mutex_unlock(&w->lock);
    km_writer_wake(w, urgent);
}

static void let_go(struct km_writer *w)
{
    while (w->pending) {
        struct km_chunk *c = w->pending;

        w->pending = c->next;
        km_chunk_committed(c);
    }
    w->pending_end = &w->pending;
}

/* What cannot be committed now goes where a crash leaves it; whoever waits is told why, or, where
 * calls are to go on, that it is safe. */
static bool spill(struct km_writer *w, const struct km_err *why)
{
    bool serve = w->store->outage.policy == KM_STORE_UNAVAILABLE_SERVE, safe = true;

    if (w->pending)
        km_commit_spill(&w->commit, w->pending, &safe);
    for (struct km_chunk *c = w->pending; c; c = c->next)
        km_chunk_tell(c, serve && safe ? NULL : why);
    return safe;
}

static void commit(struct km_writer *w, struct km_op *ops)
{
    struct km_err err = { 0 };
    int r = km_commit(&w->commit, ops, w->pending, &err);

    for (struct km_op *op = ops; r == 0 && op; op = op->next)
        if (op->committed && op->result == 0)
            op->committed(op);
    answer_all(ops);
    if (r == 0) {
        let_go(w);
        return;
    }
    w->retry_ms = km_mono_ms() + RETRY_MS;
    w->why = err;
    (void)spill(w, &err);
}

/* The file is not ours any more: nothing is changed, what was used is kept for another store. */
static void keep_aside(struct km_writer *w, struct km_op *ops)
{
    struct km_err err = { 0 };

    km_outage_fail(&w->store->outage, &err);
    for (struct km_op *op = ops; op; op = op->next) {
        op->result = err.code;
        op->err = err;
    }
    answer_all(ops);
    if (spill(w, &err))
        let_go(w);
    if (w->rescued)
        return;
    w->rescued = true;
    if (km_outage_kind(&w->store->outage) == KM_OUTAGE_LOST)
        km_commit_rescue(&w->commit);
}

/* --- after the hand-over --- */

static void refuse(struct km_op *ops)
{
    for (struct km_op *op = ops; op; op = op->next)
        op->result = km_fail(&op->err, KM_E_STORE,
                             "the store was handed over to a new process: ask that one");
    answer_all(ops);
}

static void forward_all(struct km_writer *w)
{
    km_ledger_forward_fn *fn;
    void *ctx;

    pthread_mutex_lock(&w->lock);
    fn = w->forward;
    ctx = w->forward_ctx;
    pthread_mutex_unlock(&w->lock);
    for (struct km_chunk *c = w->pending; fn && c; c = c->next)
        for (struct km_record *rec = NULL; (rec = km_chunk_next(c, rec));)
            if (rec->kind != KM_RECORD_VOID)
                fn(ctx, km_str((const char *)rec, rec->size));
    if (fn && w->pending && w->store->strict)
        fn(ctx, KM_STR_NONE);
    while (fn && w->pending) {
        struct km_chunk *c = w->pending;

        w->pending = c->next;
        km_chunk_committed(c);
    }
    if (!w->pending)
        w->pending_end = &w->pending;
}

static int release(struct km_writer *w, struct km_err *err)
{
    /* The connection may be the last that reaches what the files held, and the guard, which looks
     * twice a second, may not have seen yet that they are gone. */
    km_store_look(w->store);
    if (km_outage_final(&w->store->outage))
        return km_outage_fail(&w->store->outage, err);
    if (w->commit.failed && (w->pending || w->commit.behind))
        return km_fail(err, KM_E_STORE, "the store cannot be written: it is not handed over");
    if (w->commit.db) {
        atomic_fetch_add(&w->store->turns, 1); /* before the log goes with the connection */
        km_commit_close(&w->commit);
        km_place_unlock(&w->store->place);
    }
    return 0;
}

static int take_back(struct km_writer *w, struct km_err *err)
{
    const bool in_file = w->store->driver->file != NULL;
    int r = w->commit.db || !in_file ? 0 : km_place_lock(&w->store->place, err);

    if (w->commit.db || r < 0)
        return r;
    r = in_file ? km_place_hold(&w->store->place, err) : 0;
    if (r == 0)
        r = km_commit_open(&w->commit, true, err);
    if (r == 0) {
        atomic_fetch_add(&w->store->turns, 1);
        km_writer_wake(w, true); /* for what gathered meanwhile */
        return 0;
    }
    km_commit_close(&w->commit);
    km_place_unlock(&w->store->place);
    return r;
}

static void do_asked(struct km_writer *w)
{
    struct km_err err = { 0 };
    int r = w->asked == ASKED_RELEASE ? release(w, &err) : take_back(w, &err);

    pthread_mutex_lock(&w->lock);
    w->asked = ASKED_NOTHING;
    w->asked_result = r;
    w->asked_err = err;
    pthread_cond_broadcast(&w->released);
    pthread_mutex_unlock(&w->lock);
}

/* The connection is the thread's: it is asked, and waited for. */
static int ask(struct km_writer *w, enum asked what, struct km_err *err)
{
    int r;

    pthread_mutex_lock(&w->lock);
    w->asked = what;
    atomic_store(&w->wake, URGENT);
    pthread_cond_signal(&w->more);
    while (w->asked)
        pthread_cond_wait(&w->released, &w->lock);
    r = w->asked_result;
    if (r < 0 && err)
        *err = w->asked_err;
    pthread_mutex_unlock(&w->lock);
    return r;
}

int km_writer_release(struct km_writer *w, struct km_err *err)
{
    return ask(w, ASKED_RELEASE, err);
}

int km_writer_take_back(struct km_writer *w, struct km_err *err)
{
    return ask(w, ASKED_TAKE_BACK, err);
}

void km_writer_forward(struct km_writer *w, km_ledger_forward_fn *fn, void *ctx)
{
    pthread_mutex_lock(&w->lock);
    w->forward = fn;
    w->forward_ctx = ctx;
    pthread_mutex_unlock(&w->lock);
    km_writer_wake(w, true);
}

/* --- the thread --- */

/* false: the time has come, and nobody. */
static bool wait_until(struct km_writer *w, uint64_t at_ms)
{
    const struct timespec ts = { .tv_sec = (time_t)(at_ms / 1000),
                                 .tv_nsec = (long)(at_ms % 1000) * 1000000 };

    return pthread_cond_timedwait(&w->more, &w->lock, &ts) != ETIMEDOUT;
}

/* When the thread has to look again though nobody asks; 0: never. */
static uint64_t next_look_ms(const struct km_writer *w)
{
    uint64_t at = 0;

    if (atomic_load(&w->wake) == ARMED)
        at = w->armed_ms + w->store->commit_ms * 6 / 8;
    if (w->commit.failed && (at == 0 || w->retry_ms < at))
        at = w->retry_ms ? w->retry_ms : 1; /* it began so: at once */
    return at;
}

/* Under the lock.  Nothing is to be done: the log is moved to the file, once it is long or nobody
 * has written for a while.  A file that is copied then has everything. */
static void be_idle(struct km_writer *w)
{
    int pages = km_commit_log_pages(&w->commit);
    bool is_long = pages >= CHECKPOINT_IDLE;

    if (pages == 0 || km_outage_final(&w->store->outage)) {
        pthread_cond_wait(&w->more, &w->lock);
        return;
    }
    if (wait_until(w, km_mono_ms() + (is_long ? QUIET_MS : CHECKPOINT_MS)))
        return;
    pthread_mutex_unlock(&w->lock);
    km_commit_checkpoint(&w->commit, 1);
    pthread_mutex_lock(&w->lock);
}

/* Under the lock.  Returns when there is something to do. */
static void wait_for_work(struct km_writer *w)
{
    while (!w->stop && atomic_load(&w->wake) != URGENT) {
        uint64_t at_ms = next_look_ms(w);

        if (at_ms == 0) {
            be_idle(w);
            continue;
        }
        if (km_mono_ms() >= at_ms)
            return;
        (void)wait_until(w, at_ms);
    }
}

static void add_pending(struct km_writer *w, struct km_chunk *list)
{
    *w->pending_end = list;
    while (*w->pending_end)
        w->pending_end = &(*w->pending_end)->next;
}

static void take_ledgers(struct km_writer *w, bool all)
{
    struct km_store *store = w->store;
    int64_t keep_us = all ? 0 : (int64_t)store->commit_ms * 1000 / 8;
    bool kept = false;

    pthread_mutex_lock(&store->lock);
    for (size_t i = 0, n = atomic_load(&store->nledgers); i < n; i++)
        add_pending(w, km_ledger_take(store->ledgers[i], keep_us, &kept));
    pthread_mutex_unlock(&store->lock);
    if (store->imports)
        add_pending(w, km_ledger_take(store->imports, 0, NULL));
    /* More will come soon: armed now, nobody has to wake us for it. */
    if (kept || (w->pending && !store->strict))
        km_writer_wake(w, false);
}

static void *run(void *arg)
{
    struct km_writer *w = arg;
    bool stop = false;

    if (!w->store->strict) /* there clients wait for it */
        km_thread_to_background();
    while (!stop) {
        struct km_op *ops;
        bool asked, all, urgent;

        pthread_mutex_lock(&w->lock);
        wait_for_work(w);
        /* Before the ledgers are taken: what is appended after its ledger was taken wakes us
         * again. */
        urgent = atomic_exchange(&w->wake, IDLE) == URGENT || w->stop;
        all = urgent || w->commit.failed || !w->commit.db;
        ops = w->ops;
        w->ops = NULL;
        w->ops_end = &w->ops;
        add_pending(w, w->adopted);
        w->adopted = NULL;
        w->adopted_end = &w->adopted;
        stop = w->stop;
        asked = w->asked != ASKED_NOTHING;
        pthread_mutex_unlock(&w->lock);

        take_ledgers(w, all);
        if (stop && w->commit.db)
            km_store_look(w->store); /* nobody looks after it */
        if (!w->commit.db) {
            refuse(ops);
            forward_all(w);
        } else if (km_outage_final(&w->store->outage)) {
            keep_aside(w, ops);
        } else if (w->commit.failed && !ops && !urgent && km_mono_ms() < w->retry_ms) {
            (void)spill(w, &w->why); /* what fails now will hardly work a moment later */
        } else if (ops || w->pending || w->commit.failed) {
            commit(w, ops);
            km_commit_checkpoint(&w->commit, CHECKPOINT_BUSY);
        }
        km_commit_tend(&w->commit);
        if (asked)
            do_asked(w);
    }
    return NULL;
}

/* --- life --- */

static void destroy(struct km_writer *w)
{
    km_commit_close(&w->commit);
    pthread_cond_destroy(&w->more);
    pthread_cond_destroy(&w->released);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

int km_writer_new(struct km_store *store, bool handed_over, struct km_writer **ret_writer,
                  struct km_err *err)
{
    struct km_writer *w = calloc(1, sizeof *w);
    pthread_condattr_t attr;
    int r;

    if (!w)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    w->store = w->commit.store = store;
    w->pending_end = &w->pending;
    w->ops_end = &w->ops;
    w->adopted_end = &w->adopted;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->more, &attr);
    pthread_cond_init(&w->released, &attr);
    pthread_condattr_destroy(&attr);
    r = km_commit_open(&w->commit, handed_over, err);
    if (r == 0) {
        if (pthread_create(&w->thread, NULL, run, w) != 0)
            r = km_fail_errno(err, errno, "cannot start the store's writer");
    }
    if (r < 0) {
        destroy(w);
        return r;
    }
    *ret_writer = w;
    return 0;
}

struct km_writer *km_writer_free(struct km_writer *w)
{
    size_t lost = 0;

    if (!w)
        return NULL;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    km_commit_checkpoint(&w->commit, 1);
    for (const struct km_chunk *c = w->pending; c; c = c->next)
        lost += c->safe ? 0 : c->n;
    let_go(w);
    if (lost)
        km_log_msg(w->store->log, KM_LOG_ERROR, "store.lost",
                   "%zu bytes of the ledger could not be written before the end", lost);
    destroy(w);
    return NULL;
}
