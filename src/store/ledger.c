/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.c - see ledger.h for the contract.  A worker's side of accounting.
 *
 *     worker                                     writer
 *     append record -> [ chunk being filled ]
 *     settle        ->   finds its intent in it: written over, one row instead of two
 *     progress      ->   finds its intent, or what it said before: written over, no row at all
 *                        [ full chunk ][ full chunk ] <- takes all, commits, sends them home
 *
 * Appending is a copy into the chunk under the ledger's own mutex, which the writer holds only
 * to take the list: no allocation a call, no wake-up while the writer knows that work waits.
 * An index of the intents and of the progress in all of them finds what a settlement may replace. 
 * When the writer comes, those of calls that have only just begun stay behind once: most will be
 * settled before it comes again, and an intent in the store is a row to write and one to delete. 
 * Whatever else it takes is its own from then on, and the index forgets it.
 *
 * The chunk that comes back carries the callbacks of its records; it is the message itself.
 * A chunk holds a reference to its ledger, so a worker may free its ledger while the writer
 * still works on the last of it.
 *
 * Room: the waiting bytes of one worker are bounded by its share of queue_bytes, and by the room
 * that is reserved in the spill file (room.h).  Intents keep room for their settlement in both, so
 * a settlement is never refused.  Nothing is kept for progress: without room there is none of it,
 * and a crash charges its call by what was said before.
 */
#include <stdlib.h>

#include "base/time.h"
#include "store/ledger_batch.h"
#include "store/writer.h"

#define SLIM_TEXT 64 /* bytes of each string of a record that has only the room it kept */

static struct km_ledger *make(struct km_store *store, struct km_mailbox *reply)
{
    struct km_ledger *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    l->store = store;
    l->reply = reply;
    atomic_init(&l->refs, 1);
    l->full_end = &l->full;
    l->cur = km_chunk_new();
    if (!l->cur || pthread_mutex_init(&l->lock, NULL) != 0) {
        km_chunk_free(l->cur);
        free(l);
        return NULL;
    }
    return l;
}

struct km_ledger *km_ledger_new_import(struct km_store *store)
{
    return make(store, NULL);
}

struct km_ledger *km_ledger_new(struct km_store *store, struct km_loop *loop,
                                struct km_mailbox *reply, size_t worker, struct km_err *err)
{
    struct km_ledger *l = make(store, reply);
    size_t n;

    (void)loop;
    (void)worker;
    if (!l) {
        km_fail(err, KM_E_NOMEM, "ledger: out of memory");
        return NULL;
    }
    pthread_mutex_lock(&store->lock);
    n = atomic_load(&store->nledgers);
    if (n < KM_STORE_LEDGERS) {
        store->ledgers[n] = l;
        atomic_store(&store->nledgers, n + 1);
    }
    pthread_mutex_unlock(&store->lock);
    km_room_share(store);
    if (n == KM_STORE_LEDGERS) {
        km_fail(err, KM_E_LIMIT, "ledger: more than %d workers", KM_STORE_LEDGERS);
        km_ledger_unref(l);
        return NULL;
    }
    return l;
}

/* The list forgets it; what it still holds goes to the writer with the imports. */
struct km_ledger *km_ledger_free(struct km_ledger *l)
{
    struct km_store *store;

    if (!l)
        return NULL;
    store = l->store;
    pthread_mutex_lock(&l->lock);
    l->closed = true;
    pthread_mutex_unlock(&l->lock);
    if (l->reply)
        km_writer_adopt(store->writer, km_ledger_take(l, 0, NULL));
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0, n = atomic_load(&store->nledgers); i < n; i++) {
        if (store->ledgers[i] != l)
            continue;
        store->ledgers[i] = store->ledgers[n - 1];
        atomic_store(&store->nledgers, n - 1);
        break;
    }
    pthread_mutex_unlock(&store->lock);
    km_room_share(store);
    km_ledger_unref(l);
    return NULL;
}

size_t km_ledger_waiting(const struct km_ledger *l)
{
    return atomic_load_explicit(&l->waiting, memory_order_acquire);
}

/* What waits is a third more with frames around: a record has at least three times the size of
 * one. */
uint64_t km_ledger_needs(struct km_ledger *l)
{
    uint64_t n;

    _Static_assert(sizeof(struct km_record) >= 3 * KM_SPILL_FRAME_HEAD, "the third");
    pthread_mutex_lock(&l->lock);
    n = km_ledger_waiting(l) - l->spilled;
    n += n / 3 + l->held;
    pthread_mutex_unlock(&l->lock);
    return n;
}

/* --- room --- */

static size_t room_of(const struct km_ledger_entry *e)
{
    return (e->audited ? KM_ROOM_SETTLE + KM_ROOM_AUDIT : KM_ROOM_SETTLE) + e->payers.n;
}

/* Room for what nothing was kept for. */
static int find_room(struct km_ledger *l, size_t kept, size_t more, struct km_err *err)
{
    struct km_store *store = l->store;

    if (km_outage_kind(&store->outage) == KM_OUTAGE_NONE &&
        kept + more < km_room_own(&store->room)) /* of none, not even the first call has its own */
        return 0;
    return km_room_find(store, more, err);
}

/* May a record that is longer than what was kept for it be so? */
static bool is_too_long(struct km_ledger *l, size_t size, size_t kept)
{
    return size + KM_SPILL_FRAME_HEAD > kept &&
           find_room(l, km_ledger_waiting(l) + l->held, size, NULL) < 0;
}

/* All that is charged, to whom, and of each name the begin. */
static struct km_ledger_entry slim(const struct km_ledger_entry *e)
{
    struct km_ledger_entry s = *e;
    struct km_str *const names[] = { &s.call_type, &s.model_group, &s.model, &s.deployment,
                                     &s.provider,  &s.api_base,    &s.user,  &s.client_ip };

    _Static_assert(sizeof(struct km_record) + sizeof names / sizeof names[0] * SLIM_TEXT + 8 +
                           KM_SPILL_FRAME_HEAD <=
                       KM_ROOM_SETTLE,
                   "it has its room");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        *names[i] = km_str_sub(*names[i], 0, SLIM_TEXT);
    s.metadata = s.attempts = KM_STR_NONE;
    return s;
}

/* --- the worker --- */

int km_ledger_intent(struct km_ledger *l, const struct km_ledger_entry *e, km_store_done_fn *done,
                     void *ctx, bool *ret_wait, struct km_err *err)
{
    struct km_store *store = l->store;
    size_t workers = atomic_load_explicit(&store->nledgers, memory_order_relaxed);
    size_t share = store->queue_bytes / (workers ? workers : 1);
    size_t kept = km_ledger_waiting(l) + l->held;
    size_t size = km_record_size(e);
    bool written;
    int r = km_outage_kind(&store->outage) == KM_OUTAGE_NONE
                ? 0
                : km_outage_admit(&store->outage, e->budgeted, err);

    if (r < 0)
        return r;
    if (kept > share) {
        km_fail(err, KM_E_OVERLOADED, "the ledger cannot be written fast enough: %zu bytes wait%s",
                km_ledger_waiting(l), km_store_healthy(store) ? "" : " (the store does not work)");
        if (err)
            err->retry_after_ms = 1000;
        return KM_E_OVERLOADED;
    }
    r = find_room(l, kept, 0, err);
    if (r < 0)
        return r;
    if (!store->strict)
        done = NULL;
    pthread_mutex_lock(&l->lock);
    written = km_ledger_append(l, e, size, KM_RECORD_INTENT, done, ctx);
    l->held += written ? room_of(e) : 0;
    pthread_mutex_unlock(&l->lock);
    if (!written)
        return km_fail(err, KM_E_NOMEM, "ledger: out of memory");
    *ret_wait = done != NULL;
    km_writer_wake(store->writer, store->strict);
    return 0;
}

void km_ledger_settle(struct km_ledger *l, const struct km_ledger_entry *e, km_store_done_fn *done,
                      void *ctx, bool *ret_wait)
{
    size_t kept = e->unasked ? 0 : KM_ROOM_SETTLE + e->payers_kept, size = km_record_size(e);
    struct km_store *store = l->store;
    struct km_ledger_entry shorter;
    bool replaced, written;

    *ret_wait = false;
    if (!store->strict)
        done = NULL;
    if (is_too_long(l, size, kept)) {
        shorter = slim(e);
        e = &shorter;
        size = km_record_size(e);
    }
    pthread_mutex_lock(&l->lock);
    l->held -= kept < l->held ? kept : l->held;
    replaced = !store->strict && km_ledger_replace(l, e, size);
    written = replaced || km_ledger_append(l, e, size, KM_RECORD_SETTLED, done, ctx);
    pthread_mutex_unlock(&l->lock);
    if (replaced)
        return;
    if (written)
        *ret_wait = done != NULL;
    else
        km_log_msg(store->log, KM_LOG_ERROR, "ledger.lost",
                   "out of memory: a settlement is not written; its call will be charged by "
                   "what was said of it before");
    km_writer_wake(store->writer, store->strict);
}

bool km_ledger_settle_in_place(struct km_ledger *l, const struct km_ledger_entry *e)
{
    const size_t kept = KM_ROOM_SETTLE + e->payers_kept;
    bool written;

    if (l->store->strict)
        return false;
    pthread_mutex_lock(&l->lock);
    written = km_ledger_renumber(l, e);
    if (written)
        l->held -= kept < l->held ? kept : l->held;
    pthread_mutex_unlock(&l->lock);
    return written;
}

/* May so many bytes of what is only better knowledge be appended? */
static bool has_room(struct km_ledger *l, size_t size)
{
    struct km_store *store = l->store;
    size_t workers = atomic_load_explicit(&store->nledgers, memory_order_relaxed);
    size_t kept = km_ledger_waiting(l) + l->held;

    return kept + size <= store->queue_bytes / (workers ? workers : 1) &&
           find_room(l, kept, size + KM_SPILL_FRAME_HEAD, NULL) == 0;
}

void km_ledger_progress(struct km_ledger *l, const struct km_ledger_entry *e,
                        km_store_done_fn *done, void *ctx, bool *ret_wait)
{
    size_t size = km_record_size(e);
    struct km_store *store = l->store;
    bool written;

    *ret_wait = false;
    if (!store->strict)
        done = NULL;
    pthread_mutex_lock(&l->lock);
    written = !done && km_ledger_update(l, e, size, false);
    pthread_mutex_unlock(&l->lock);
    if (written || (!done && !has_room(l, size)))
        return;
    pthread_mutex_lock(&l->lock);
    written = (!done && km_ledger_update(l, e, size, true)) ||
              km_ledger_append(l, e, size, KM_RECORD_PROGRESS, done, ctx);
    pthread_mutex_unlock(&l->lock);
    *ret_wait = written && done;
    km_writer_wake(store->writer, done != NULL);
}

static bool append_audit(struct km_ledger *l, const struct km_audit *audit, size_t kept,
                         km_store_done_fn *done, void *ctx)
{
    size_t size = km_record_audit_size(audit);
    struct km_record *rec;

    pthread_mutex_lock(&l->lock);
    l->held -= kept < l->held ? kept : l->held;
    rec = km_ledger_place(l, size);
    if (rec) {
        km_record_audit_write(rec, size, audit, km_wall_us());
        rec->done = done;
        rec->ctx = ctx;
        l->cur->waited = l->cur->waited || done;
    }
    pthread_mutex_unlock(&l->lock);
    return rec != NULL;
}

void km_ledger_audit(struct km_ledger *l, const struct km_audit *audit, bool kept,
                     km_store_done_fn *done, void *ctx, bool *ret_wait)
{
    struct km_store *store = l->store;
    size_t size = km_record_audit_size(audit), room = kept ? KM_ROOM_AUDIT : 0;
    struct km_audit shorter = *audit;

    if (!store->strict)
        done = NULL;
    *ret_wait = done != NULL;
    if (size <= KM_RECORD_AUDIT_BYTES && is_too_long(l, size, room))
        shorter.detail = KM_STR("{}");
    if (size > KM_RECORD_AUDIT_BYTES) {
        km_store_audit(store, done ? l->reply : NULL, audit, done, ctx);
    } else if (!append_audit(l, &shorter, room, done, ctx)) {
        *ret_wait = false;
        km_log_msg(store->log, KM_LOG_ERROR, "audit.lost",
                   "out of memory: the audit record of a call is not written");
    }
    km_writer_wake(store->writer, store->strict);
}

void km_ledger_flush(struct km_ledger *l)
{
    if (km_ledger_waiting(l) > 0)
        km_writer_wake(l->store->writer, l->store->strict);
}

int km_ledger_import(struct km_ledger *l, struct km_str record, struct km_err *err)
{
    struct km_record *rec;

    if (!km_record_valid(record) || record.n > KM_CHUNK_BYTES)
        return km_fail(err, KM_E_INVALID, "hand-over: not a ledger record of this version");
    pthread_mutex_lock(&l->lock);
    rec = km_ledger_place(l, record.n);
    if (rec) {
        memcpy(rec, record.p, record.n);
        rec->done = NULL;
        rec->alone = 0; /* its intent may be in the store, whatever the sender knew */
    }
    pthread_mutex_unlock(&l->lock);
    if (!rec)
        return km_fail(err, KM_E_NOMEM, "hand-over: out of memory");
    km_writer_wake(l->store->writer, false);
    return 0;
}
