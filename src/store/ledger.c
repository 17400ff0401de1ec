/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.c - see ledger.h for the contract.  A worker's side of accounting.
 *
 *     worker                                     writer
 *     append record -> [ chunk being filled ]
 *     settle        ->   finds its intent in it: written over, one row instead of two
 *                        [ full chunk ][ full chunk ] <- takes all, commits, sends them home
 *
 * Appending is a copy into the chunk under the ledger's own mutex, which the writer holds only
 * to take the list: no allocation a call, no wake-up while the writer knows that work waits.
 * An index of the intents in all of them finds what a settlement may replace.  When the writer
 * comes, those of calls that have only just begun stay behind once: most will be settled before
 * it comes again, and an intent in the store is a row to write and one to delete.  Whatever else
 * it takes is its own from then on, and the index forgets it.
 *
 * The chunk that comes back carries the callbacks of its records; it is the message itself.
 * A chunk holds a reference to its ledger, so a worker may free its ledger while the writer
 * still works on the last of it.
 *
 * Room: the waiting bytes of one worker are bounded by its share of queue_bytes, and by the room
 * that is reserved in the spill file (room.h).  Intents keep room for their settlement in both, so
 * a settlement is never refused.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "base/time.h"
#include "store/chunk.h"
#include "store/inside.h"
#include "store/writer.h"

#define INDEX_SLOTS 2048 /* a power of two */
#define INDEX_MOST (INDEX_SLOTS / 2) /* intents; more are rows of their own, as slow calls' are */
#define SPARE_CHUNKS 4
#define SLIM_TEXT 64 /* bytes of each string of a record that has only the room it kept */

struct km_ledger {
    struct km_store *store;
    struct km_mailbox *reply; /* NULL: nobody waits (imports) */
    _Atomic int refs; /* the worker's, and one a chunk that is away */
    _Atomic size_t waiting; /* bytes appended and not committed */

    pthread_mutex_t lock; /* guards everything below */
    size_t held; /* bytes kept for what open calls will append; the worker alone changes it */
    size_t spilled; /* of those waiting; in need of no room in the spill file any more */
    struct km_chunk *cur; /* never NULL: a settlement must find room */
    struct km_chunk *full, **full_end;
    struct km_chunk *spare;
    size_t nspare;
    struct km_record *index[INDEX_SLOTS]; /* intents in cur and full */
    size_t nindex;
    bool closed;
};

/* Straight from the system and back to it: what piled up while a disk was slow must not stay
 * with the process for ever. */
static struct km_chunk *chunk_new(void)
{
    struct km_chunk *c = mmap(NULL, sizeof *c + KM_CHUNK_BYTES, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (c == MAP_FAILED)
        return NULL;
    c->cap = KM_CHUNK_BYTES;
    return c;
}

static void chunk_free(struct km_chunk *c)
{
    if (c)
        (void)munmap(c, sizeof *c + KM_CHUNK_BYTES);
}

static struct km_record *record_at(struct km_chunk *c, size_t at)
{
    return (struct km_record *)(void *)(c->bytes + at);
}

struct km_record *km_chunk_next(struct km_chunk *c, const struct km_record *rec)
{
    size_t at = rec ? (size_t)((const char *)rec - c->bytes) + rec->size : 0;

    return at < c->n ? record_at(c, at) : NULL;
}

static struct km_ledger *make(struct km_store *store, struct km_mailbox *reply)
{
    struct km_ledger *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    l->store = store;
    l->reply = reply;
    atomic_init(&l->refs, 1);
    l->full_end = &l->full;
    l->cur = chunk_new();
    if (!l->cur || pthread_mutex_init(&l->lock, NULL) != 0) {
        chunk_free(l->cur);
        free(l);
        return NULL;
    }
    return l;
}

static void unref(struct km_ledger *l)
{
    if (atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
        return;
    while (l->spare) {
        struct km_chunk *c = l->spare;

        l->spare = c->next;
        chunk_free(c);
    }
    chunk_free(l->cur);
    pthread_mutex_destroy(&l->lock);
    free(l);
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
        unref(l);
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
    unref(l);
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

/* --- the index; under the lock --- */

static size_t slot_of(const struct km_uuid *id)
{
    return (size_t)(id->b[15] | id->b[14] << 8) & (INDEX_SLOTS - 1);
}

/* An intent that found room is `alone`: its settlement can take its place. */
static void index_add(struct km_ledger *l, struct km_record *rec)
{
    size_t i = slot_of(&rec->id);

    rec->alone = l->nindex < INDEX_MOST;
    if (!rec->alone)
        return;
    while (l->index[i])
        i = (i + 1) & (INDEX_SLOTS - 1);
    l->index[i] = rec;
    l->nindex++;
}

/* The intent of this call, if it may be written over: not taken, its committing awaited by
 * nobody.  The slot stays: a later look-up finds another kind of record there. */
static struct km_record *index_find(struct km_ledger *l, const struct km_uuid *id)
{
    for (size_t i = slot_of(id); l->index[i]; i = (i + 1) & (INDEX_SLOTS - 1)) {
        struct km_record *rec = l->index[i];

        if (memcmp(rec->id.b, id->b, sizeof id->b) == 0)
            return rec->kind == KM_RECORD_INTENT && !rec->done ? rec : NULL;
    }
    return NULL;
}

static void index_clear(struct km_ledger *l)
{
    if (l->nindex)
        memset(l->index, 0, sizeof l->index);
    l->nindex = 0;
}

/* --- the chunk being filled; under the lock --- */

/* A full chunk goes to the list; the next comes from the spares. */
static bool turn_chunk(struct km_ledger *l)
{
    struct km_chunk *next = l->spare;

    if (next) {
        l->spare = next->next;
        l->nspare--;
        next->next = NULL;
    } else if (!(next = chunk_new())) {
        return false;
    }
    *l->full_end = l->cur;
    l->full_end = &l->cur->next;
    l->cur = next;
    return true;
}

static struct km_record *room_for(struct km_ledger *l, size_t size)
{
    struct km_record *rec;

    if (l->cur->n + size > l->cur->cap && !turn_chunk(l))
        return NULL;
    rec = record_at(l->cur, l->cur->n);
    l->cur->n += size;
    atomic_fetch_add_explicit(&l->waiting, size, memory_order_relaxed);
    return rec;
}

static bool append(struct km_ledger *l, const struct km_ledger_entry *e, size_t size,
                   enum km_record_kind kind, km_store_done_fn *done, void *ctx)
{
    struct km_record *rec = room_for(l, size);

    if (!rec)
        return false;
    km_record_write(rec, size, e, kind);
    rec->done = done;
    rec->ctx = ctx;
    l->cur->waited = l->cur->waited || done;
    if (kind == KM_RECORD_INTENT && !done)
        index_add(l, rec);
    return true;
}

/* true: the intent was still ours and is now the settlement, or stays what it is. */
static bool replace(struct km_ledger *l, const struct km_ledger_entry *e, size_t size)
{
    struct km_record *rec = index_find(l, &e->id);

    if (rec && rec->size >= size) {
        size = rec->size;
        km_record_write(rec, size, e, KM_RECORD_SETTLED);
        rec->alone = 1;
    } else if (rec) {
        struct km_record *grown;

        rec->kind = KM_RECORD_VOID;
        grown = room_for(l, size);
        if (grown) {
            km_record_write(grown, size, e, KM_RECORD_SETTLED);
            grown->alone = 1;
        } else {
            rec->kind = KM_RECORD_INTENT; /* no memory: it will be charged as reserved */
        }
    }
    return rec != NULL;
}

/* --- room --- */

static size_t room_of(const struct km_ledger_entry *e)
{
    return e->audited ? KM_ROOM_SETTLE + KM_ROOM_AUDIT : KM_ROOM_SETTLE;
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

/* All that is charged, and of each name the begin. */
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
    s.metadata = KM_STR_NONE;
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
    written = append(l, e, size, KM_RECORD_INTENT, done, ctx);
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
    size_t kept = e->unasked ? 0 : KM_ROOM_SETTLE, size = km_record_size(e);
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
    replaced = !store->strict && replace(l, e, size);
    written = replaced || append(l, e, size, KM_RECORD_SETTLED, done, ctx);
    pthread_mutex_unlock(&l->lock);
    if (replaced)
        return;
    if (written)
        *ret_wait = done != NULL;
    else
        km_log_msg(store->log, KM_LOG_ERROR, "ledger.lost",
                   "out of memory: a settlement is not written; its call will be charged as "
                   "reserved");
    km_writer_wake(store->writer, store->strict);
}

static bool append_audit(struct km_ledger *l, const struct km_audit *audit, size_t kept,
                         km_store_done_fn *done, void *ctx)
{
    size_t size = km_record_audit_size(audit);
    struct km_record *rec;

    pthread_mutex_lock(&l->lock);
    l->held -= kept < l->held ? kept : l->held;
    rec = room_for(l, size);
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
    rec = room_for(l, record.n);
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

/* --- the writer --- */

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
            rec->start_us > to_us || l->nindex == INDEX_MOST || l->cur->n + rec->size > l->cur->cap)
            continue;
        copy = room_for(l, rec->size);
        memcpy(copy, rec, rec->size);
        rec->kind = KM_RECORD_VOID;
        index_add(l, copy);
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
        (void)turn_chunk(l);
    all = l->full;
    l->full = NULL;
    l->full_end = &l->full;
    index_clear(l);
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
    chunk_free(c);
    unref(l);
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
    unref(n->ledger);
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
        unref(notice->ledger);
        free(notice);
    }
}
