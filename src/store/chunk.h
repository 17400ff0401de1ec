/* SPDX-License-Identifier: Apache-2.0 */
/* chunk.h - the writer's side of a worker's ledger: pieces of its batch. */
#ifndef KM_STORE_CHUNK_H
#define KM_STORE_CHUNK_H

#include "store/record.h"

#define KM_CHUNK_BYTES (64 * 1024)

/* Records, one after the other.  Belongs to the worker while it is filled, to the writer when
 * taken, and again to the worker while its callbacks run. */
struct km_chunk {
    struct km_msg msg;
    struct km_chunk *next;
    struct km_ledger *ledger; /* holds a reference */
    size_t n, cap;
    bool waited; /* some record has a done */
    int64_t spilled; /* number of its frame in the spill file; 0: it lies in none */
    bool safe; /* its records lie there, or it has none left: it needs no room */
    _Alignas(8) char bytes[];
};

/* for (rec = NULL; (rec = km_chunk_next(c, rec));) */
struct km_record *km_chunk_next(struct km_chunk *c, const struct km_record *rec);

/* What the worker has appended, oldest first; NULL when nothing.  With keep_us > 0 open intents of
 * calls younger than that stay, and *ret_kept becomes true when there were any: come again in
 * time.  Otherwise all of it, and ret_kept may be NULL. */
struct km_chunk *km_ledger_take(struct km_ledger *l, int64_t keep_us, bool *ret_kept);

/* Its records are committed: whoever waits is told, the chunk goes home. */
void km_chunk_committed(struct km_chunk *c);
/* The records stay with the writer, whoever waits is told: why the commit failed, or (NULL) that
 * they are safe all the same. */
void km_chunk_tell(struct km_chunk *c, const struct km_err *err);

/* A ledger without a loop, for records of another process; any thread may append. */
struct km_ledger *km_ledger_new_import(struct km_store *store);
int km_ledger_import(struct km_ledger *l, struct km_str record, struct km_err *err) KM_MUST_USE;

/* Its records lie in this frame of the spill file, or (0) it has none left, all of them void: it
 * needs no room there any more.  Once a chunk. */
void km_chunk_spilled(struct km_chunk *c, int64_t frame);
/* Bytes of the spill file that it may still take (room.h); any thread. */
uint64_t km_ledger_needs(struct km_ledger *l);

size_t km_ledger_waiting(const struct km_ledger *l); /* bytes; any thread */

#endif
