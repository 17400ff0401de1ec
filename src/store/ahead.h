/* SPDX-License-Identifier: Apache-2.0 */
/* ahead.h - the store as it will be, for a start on a disk that is still full.
 *
 * What the process before could not write lies in the spill file, and the keys that are loaded now
 * must have it spent already.  So it is written in a transaction that is never committed, and
 * the keys are read inside of it. */
#ifndef KM_STORE_AHEAD_H
#define KM_STORE_AHEAD_H

#include "store/driver.h"

struct km_store;
struct km_spill;

/* store->ahead; spill may be NULL.  Nobody else can write until it is closed. */
int km_ahead_open(struct km_store *store, struct km_spill *spill, struct km_err *err) KM_MUST_USE;
void km_ahead_close(struct km_store *store);
/* A statement's rows from the store, or from inside that transaction while there is one: then
 * *ret_db stays NULL, for the connection is not the asker's. */
int km_ahead_ask(struct km_store *store, const struct km_statement *s, struct km_db **ret_db,
                 struct km_ready **ret_ready, struct km_err *err) KM_MUST_USE;
/* The same of one that takes something (km_ready_ask()). */
int km_ahead_ask_for(struct km_store *store, const struct km_statement *s, const void *in,
                     struct km_db **ret_db, struct km_ready **ret_ready,
                     struct km_err *err) KM_MUST_USE;

#endif
