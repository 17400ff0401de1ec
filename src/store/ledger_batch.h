/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_batch.h - a worker's batch, as the files of the ledger see it: what is appended to it
 * (ledger.c) and how the writer takes it (ledger_take.c).
 */
#ifndef KM_STORE_LEDGER_BATCH_H
#define KM_STORE_LEDGER_BATCH_H

#include "store/chunk.h"
#include "store/inside.h"

#define KM_LEDGER_SLOTS 2048 /* a power of two */
#define KM_LEDGER_INTENTS (KM_LEDGER_SLOTS / 2) /* more are rows of their own, as slow calls' are */

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
    struct km_record *index[KM_LEDGER_SLOTS]; /* intents and progress in cur and full */
    size_t nindex;
    bool closed;
};

struct km_chunk *km_chunk_new(void); /* NULL: no memory */
void km_chunk_free(struct km_chunk *c); /* NULL is fine */
void km_ledger_unref(struct km_ledger *l); /* the worker's, or a chunk's; any thread */

/* --- under the lock --- */

/* The chunk being filled goes to the full ones, another takes its place; false: no memory. */
bool km_ledger_turn(struct km_ledger *l);
/* Room for one more record, counted as waiting; NULL: no memory. */
struct km_record *km_ledger_place(struct km_ledger *l, size_t size);
/* An intent that found room in the index is `alone`: its settlement can take its place. */
void km_ledger_index(struct km_ledger *l, struct km_record *rec);
void km_ledger_forget(struct km_ledger *l); /* all that is in the index */
/* size: km_record_size(e).  false: no memory.  An intent, or progress, nobody waits for is indexed.
 * */
bool km_ledger_append(struct km_ledger *l, const struct km_ledger_entry *e, size_t size,
                      enum km_record_kind kind, km_store_done_fn *done, void *ctx);
/* A settlement.  true: what was known of the call was still ours and is now the settlement, or
 * stays what it is. */
bool km_ledger_replace(struct km_ledger *l, const struct km_ledger_entry *e, size_t size);
/* The same of its numbers alone.  false: nothing was done. */
bool km_ledger_renumber(struct km_ledger *l, const struct km_ledger_entry *e);
/* Progress.  true: what was known of the call was still ours and says so now.  grow: where it is
 * longer than that it may take another place; else, and without memory, that is false. */
bool km_ledger_update(struct km_ledger *l, const struct km_ledger_entry *e, size_t size, bool grow);

#endif
