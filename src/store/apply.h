/* SPDX-License-Identifier: Apache-2.0 */
/* apply.h - ledger records become rows.  Writer's thread, inside its transaction.
 *
 *     km_apply_record()...  km_apply_finish()  COMMIT  km_apply_committed()
 *                                              or ROLLBACK  km_apply_rolled_back()
 */
#ifndef KM_STORE_APPLY_H
#define KM_STORE_APPLY_H

#include "store/driver.h"
#include "store/record.h"

struct km_apply;
struct km_audit_chain;

int km_apply_new(struct km_db *db, struct km_apply **ret_apply, struct km_err *err) KM_MUST_USE;
struct km_apply *km_apply_free(struct km_apply *a);

/* The record must stay until the next km_apply_finish() or km_apply_rolled_back(). */
int km_apply_record(struct km_apply *a, const struct km_record *r, struct km_err *err) KM_MUST_USE;
/* What was gathered: roll-ups and the spend of keys. */
int km_apply_finish(struct km_apply *a, struct km_err *err) KM_MUST_USE;
void km_apply_committed(struct km_apply *a);
void km_apply_rolled_back(struct km_apply *a);

/* The end of the audit chain; an operation's record is put there. */
struct km_audit_chain *km_apply_chain(struct km_apply *a);
/* An operation was undone within the transaction. */
void km_apply_op_undone(struct km_apply *a);

/* Keys changed under us (a new budget window, a deletion): what is known of them is asked anew. */
void km_apply_forget_keys(struct km_apply *a);

/* What came so far is rows, but for what km_apply_finish() adds up: records before need not stay.
 * */
int km_apply_flush(struct km_apply *a, struct km_err *err) KM_MUST_USE;

#endif
