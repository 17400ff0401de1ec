/* SPDX-License-Identifier: Apache-2.0 */
/* guard.h - a thread that looks whether the store is still the file that was opened, and whether
 * what it holds can be read.  What it finds it says by km_store_lose(). */
#ifndef KM_STORE_GUARD_H
#define KM_STORE_GUARD_H

#include "store/store.h"

#define KM_GUARD_TICK_MS 500 /* between two looks at the file */

struct km_guard;

int km_guard_new(struct km_store *store, struct km_guard **ret_guard,
                 struct km_err *err) KM_MUST_USE;
struct km_guard *km_guard_free(struct km_guard *g); /* joins; NULL is fine */

#endif
