/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_batch.c - see ledger_batch.h for the contract.
 *
 *     full chunks ──> chunk being filled        spare chunks
 *           ^                ^
 *           └── index: the intents and the progress in them, by the call's id
 */
#include "store/ledger_batch.h"

#include <stdlib.h>
#include <sys/mman.h>

/* Straight from the system and back to it: what piled up while a disk was slow must not stay
 * with the process for ever. */
struct km_chunk *km_chunk_new(void)
{
    struct km_chunk *c = mmap(NULL, sizeof *c + KM_CHUNK_BYTES, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (c == MAP_FAILED)
        return NULL;
    c->cap = KM_CHUNK_BYTES;
    return c;
}

void km_chunk_free(struct km_chunk *c)
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

void km_ledger_unref(struct km_ledger *l)
{
    if (atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
        return;
    while (l->spare) {
        struct km_chunk *c = l->spare;

        l->spare = c->next;
        km_chunk_free(c);
    }
    km_chunk_free(l->cur);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* --- the index; under the lock --- */

static size_t slot_of(const struct km_uuid *id)
{
    return (size_t)(id->b[15] | id->b[14] << 8) & (KM_LEDGER_SLOTS - 1);
}

void km_ledger_index(struct km_ledger *l, struct km_record *rec)
{
    size_t i = slot_of(&rec->id);

    rec->alone = l->nindex < KM_LEDGER_INTENTS;
    if (!rec->alone)
        return;
    while (l->index[i])
        i = (i + 1) & (KM_LEDGER_SLOTS - 1);
    l->index[i] = rec;
    l->nindex++;
}

/* The intent of this call, or its progress, if it may be written over: not taken, its committing
 * awaited by nobody.  The slot stays: a later look-up finds another kind of record there. */
static struct km_record **index_find(struct km_ledger *l, const struct km_uuid *id)
{
    for (size_t i = slot_of(id); l->index[i]; i = (i + 1) & (KM_LEDGER_SLOTS - 1)) {
        struct km_record *rec = l->index[i];

        if (memcmp(rec->id.b, id->b, sizeof id->b) == 0)
            return (rec->kind == KM_RECORD_INTENT || rec->kind == KM_RECORD_PROGRESS) && !rec->done
                       ? &l->index[i]
                       : NULL;
    }
    return NULL;
}

void km_ledger_forget(struct km_ledger *l)
{
    if (l->nindex)
        memset(l->index, 0, sizeof l->index);
    l->nindex = 0;
}

/* --- the chunk being filled; under the lock --- */

/* The next comes from the spares. */
bool km_ledger_turn(struct km_ledger *l)
{
    struct km_chunk *next = l->spare;

    if (next) {
        l->spare = next->next;
        l->nspare--;
        next->next = NULL;
    } else if (!(next = km_chunk_new())) {
        return false;
    }
    *l->full_end = l->cur;
    l->full_end = &l->cur->next;
    l->cur = next;
    return true;
}

struct km_record *km_ledger_place(struct km_ledger *l, size_t size)
{
    struct km_record *rec;

    if (l->cur->n + size > l->cur->cap && !km_ledger_turn(l))
        return NULL;
    rec = record_at(l->cur, l->cur->n);
    l->cur->n += size;
    atomic_fetch_add_explicit(&l->waiting, size, memory_order_relaxed);
    return rec;
}

bool km_ledger_append(struct km_ledger *l, const struct km_ledger_entry *e, size_t size,
                      enum km_record_kind kind, km_store_done_fn *done, void *ctx)
{
    struct km_record *rec = km_ledger_place(l, size);

    if (!rec)
        return false;
    km_record_write(rec, size, e, kind);
    rec->done = done;
    rec->ctx = ctx;
    l->cur->waited = l->cur->waited || done;
    if ((kind == KM_RECORD_INTENT || kind == KM_RECORD_PROGRESS) && !done)
        km_ledger_index(l, rec);
    return true;
}

bool km_ledger_replace(struct km_ledger *l, const struct km_ledger_entry *e, size_t size)
{
    struct km_record **slot = index_find(l, &e->id), *rec = slot ? *slot : NULL;
    const uint8_t was = rec ? rec->kind : KM_RECORD_VOID;

    if (rec && rec->size >= size) {
        size = rec->size;
        km_record_write(rec, size, e, KM_RECORD_SETTLED);
        rec->alone = was == KM_RECORD_INTENT;
    } else if (rec) {
        struct km_record *grown;

        rec->kind = KM_RECORD_VOID;
        grown = km_ledger_place(l, size);
        if (grown) {
            km_record_write(grown, size, e, KM_RECORD_SETTLED);
            grown->alone = was == KM_RECORD_INTENT;
        } else {
            rec->kind = was; /* no memory: it will be charged by what is known */
        }
    }
    return rec != NULL;
}

bool km_ledger_renumber(struct km_ledger *l, const struct km_ledger_entry *e)
{
    struct km_record **slot = index_find(l, &e->id);

    if (!slot)
        return false;
    (*slot)->alone = (*slot)->kind == KM_RECORD_INTENT;
    km_record_renumber(*slot, e, KM_RECORD_SETTLED);
    return true;
}

bool km_ledger_update(struct km_ledger *l, const struct km_ledger_entry *e, size_t size, bool grow)
{
    struct km_record **slot = index_find(l, &e->id), *at = slot ? *slot : NULL;
    const enum km_record_kind kind = at ? (enum km_record_kind)at->kind : KM_RECORD_VOID;
    const uint8_t alone = at ? at->alone : 0;

    if (at && at->size >= size) {
        size = at->size;
    } else {
        at = at && grow ? km_ledger_place(l, size) : NULL;
        if (!at)
            return false;
        (*slot)->kind = KM_RECORD_VOID;
        *slot = at;
    }
    km_record_write(at, size, e, kind);
    at->alone = alone;
    return true;
}
