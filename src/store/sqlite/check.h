/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - reads a whole store, a slice at a time, to find damage.
 *
 * Over a read-only connection of its own, so that no commit waits for it; no slice keeps a
 * transaction open for longer than it runs.  One thread at a time.
 */
#ifndef KM_STORE_SQLITE_CHECK_H
#define KM_STORE_SQLITE_CHECK_H

#include <stdint.h>

#include "base/err.h"

struct km_check;

struct km_check *km_check_new(const char *path); /* NULL when out of memory */
struct km_check *km_check_free(struct km_check *c); /* NULL is fine */

/* The next slice: one table, or some thousand rows of the ledger.  KM_E_STORE: *ret_damaged says
 * whether it is damage, or only could not be read now. */
int km_check_step(struct km_check *c, bool *ret_done, bool *ret_damaged,
                  struct km_err *err) KM_MUST_USE;

/* Has a file of so many bytes room for all pages that the store says it has?  Of one that cannot be
 * asked: no. */
bool km_check_is_long_enough(const char *path, uint64_t bytes);

#endif
