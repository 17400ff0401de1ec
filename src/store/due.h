/* SPDX-License-Identifier: Apache-2.0 */
/* due.h - batches whose charge is not in the books yet: which to look at, and when again.
 *
 * A batch is due from its making on, until its charge is on disk or whoever looks gives it up.
 * Thread and answers as in store.h.
 */
#ifndef KM_STORE_DUE_H
#define KM_STORE_DUE_H

#include "store/objects.h"

struct km_due {
    struct km_object object; /* its owner: whose books, the key's hash as it is now */
    int64_t created_us;
    int64_t looks; /* so far */
    bool settled; /* charged, and that is on disk: nothing is left to do */
};

/* The record, for km_due_read(), of what has been due longest; KM_E_NOT_FOUND: nothing is. */
void km_store_due_next(struct km_store *store, struct km_mailbox *reply, int64_t now_us,
                       km_store_json_fn *fn, void *ctx);
/* Views into the record. */
int km_due_read(struct km_str record, struct km_due *ret, struct km_err *err) KM_MUST_USE;
/* One more look is taken or was: it is due again then; 0: never. */
void km_store_due_set(struct km_store *store, struct km_mailbox *reply,
                      const struct km_object *object, int64_t due_us, km_store_done_fn *done,
                      void *ctx);

struct km_db;
/* For the writer, when those who began before before_us (0: all) have ended: a claim of theirs
 * that never came to a row is none. */
int km_due_release(struct km_db *db, int64_t before_us, struct km_err *err) KM_MUST_USE;

#endif
