/* SPDX-License-Identifier: Apache-2.0 */
/* commit.h - the only writing connection, and one transaction on it.
 *
 *     open --> transaction, transaction, ... (a checkpoint between two) --> close
 *
 * It is the writer's (writer.h), and of its thread alone: nothing here locks.
 */
#ifndef KM_STORE_COMMIT_H
#define KM_STORE_COMMIT_H

#include "store/apply.h"
#include "store/chunk.h"
#include "store/op.h"

struct km_commit {
    struct km_store *store;
    struct km_db *db; /* NULL: closed */
    struct km_apply *apply;
    struct km_spill *spill; /* NULL: it cannot be used */
    bool failed; /* the last transaction was; the next must prove that writing works */
    bool behind; /* what the process before left has to be written before anything else */
    bool handed_over;
    int64_t behind_to; /* number of its last frame in the spill file */
    uint64_t looked_ms; /* when the spill file was looked after */
    uint64_t expired_ms; /* when holds that are over were last looked for */
    char spill_why[256]; /* what was said of it last; empty: it can be used */
};

/* Opens the connection for c->store, migrates, and charges what a crash left open, unless the
 * file was handed over by a process that lives.  c is closed by km_commit_close() after an error
 * too.
 *
 * Where that cannot be written now, it is left for the first transaction that can, an outage
 * begins, and store->ahead shows the store as it will be (see ahead.h). */
int km_commit_open(struct km_commit *c, bool handed_over, struct km_err *err) KM_MUST_USE;
void km_commit_close(struct km_commit *c);

/* One transaction of these operations, then the records of these chunks; all of it, or nothing.
 * Each operation has its result and is not answered; what fails alone fails alone.  Notes in the
 * store, its log and its events whether it can be written. */
int km_commit(struct km_commit *c, struct km_op *ops, struct km_chunk *chunks,
              struct km_err *err) KM_MUST_USE;

/* --- beside the store (commit_spill.c) --- */

/* Without the file the store works, but no call has room in it (room.h).  Said once. */
void km_commit_open_spill(struct km_commit *c);
/* All that was spilled is committed: the file is emptied. */
void km_commit_empty_spill(struct km_commit *c);
/* The store has all that can be read of it, and frames up to `done`: emptied, or, where it is
 * damaged, kept under another name and made anew. */
void km_commit_clear_spill(struct km_commit *c, int64_t done);
/* What is not committed goes to the spill file.  *ret_safe: all of it lies there. */
void km_commit_spill(struct km_commit *c, struct km_chunk *chunks, bool *ret_safe);

/* Looks after the spill file and the room in it: cheap, whenever the writer has been at work. */
void km_commit_tend(struct km_commit *c);

/* --- the file itself --- */

/* The file has lost its name: a copy of what was committed, said in the log and by the outage. */
void km_commit_rescue(struct km_commit *c);

/* Pages in its log since the last checkpoint. */
int km_commit_log_pages(const struct km_commit *c);

/* A checkpoint, when the log has this many pages and writing works. */
void km_commit_checkpoint(struct km_commit *c, int from_pages);

#endif
