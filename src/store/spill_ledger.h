/* SPDX-License-Identifier: Apache-2.0 */
/* spill_ledger.h - pieces of the ledger as frames of the spill file, and back into the store. */
#ifndef KM_STORE_SPILL_LEDGER_H
#define KM_STORE_SPILL_LEDGER_H

#include "store/apply.h"
#include "store/chunk.h"
#include "store/spill.h"

/* Those of the list that lie in no frame yet; durable when this returns 0.  What was written before
 * an error stays. */
int km_spill_chunks(struct km_spill *s, struct km_chunk *list, struct km_err *err) KM_MUST_USE;

/* Number of the last frame that a chunk of the list lies in; 0: none does. */
int64_t km_spill_last_of(const struct km_chunk *list);

/* In a transaction: the store has every frame up to this one. */
int km_spill_note(struct km_db *db, int64_t seq, struct km_err *err) KM_MUST_USE;

/* Up to which one it has; 0: none was ever noted. */
int km_spill_noted(struct km_db *db, int64_t *ret_seq, struct km_err *err) KM_MUST_USE;

/* Writes what the store does not have yet of the frames up to `upto`.  *ret_n: how many entries;
 * *ret_done: the store has frames up to this one. */
int km_spill_replay(struct km_spill *s, struct km_db *db, struct km_apply *apply, int64_t upto,
                    size_t *ret_n, int64_t *ret_done, struct km_err *err) KM_MUST_USE;
/* The same in a transaction of the caller's, who will not commit it: nothing is noted, and the file
 * stays as it is. */
int km_spill_rehearse(struct km_spill *s, struct km_db *db, struct km_apply *apply,
                      struct km_err *err) KM_MUST_USE;

#endif
