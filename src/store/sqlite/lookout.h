/* SPDX-License-Identifier: Apache-2.0 */
/* lookout.h - whether the store's files are those that were opened, and have what was written.
 *
 * The guard looks twice a second, and the writer before it moves the log into the store or lets
 * the files go (km_store_look()).  Any thread, one at a time. */
#ifndef KM_STORE_SQLITE_LOOKOUT_H
#define KM_STORE_SQLITE_LOOKOUT_H

#include "store/driver.h"

struct km_lookout;

int km_lookout_new(struct km_store *store, struct km_lookout **ret_lookout,
                   struct km_err *err) KM_MUST_USE;
struct km_lookout *km_lookout_free(struct km_lookout *w); /* NULL is fine */

/* The first look notes what there is.  true: *ret_found is what is wrong.  NULL is fine. */
bool km_lookout_look(struct km_lookout *w, struct km_lookout_found *ret_found);

/* Was there a write since it was asked last that was not ours, and tells nothing by itself? */
bool km_lookout_was_written(struct km_lookout *w);

/* The files go to another process: nothing of theirs is held when this returns, and nothing is
 * judged until they are ours again (store->turns). */
void km_lookout_rest(struct km_lookout *w);

#endif
