/* SPDX-License-Identifier: Apache-2.0 */
/* incomplete.h - calls that were sent and never settled: charged by what was known last, the rest
 * of what they had reserved held (holds.h).  Writer's thread, inside its transaction. */
#ifndef KM_STORE_INCOMPLETE_H
#define KM_STORE_INCOMPLETE_H

#include "store/apply.h"
#include "store/holds.h"

struct km_incomplete {
    size_t n; /* calls */
    int64_t charged, held; /* nano-USD */
    int64_t until_us; /* the last of the holds; 0: there is none */
    bool keep; /* asked for: v has all of them */
    struct km_open_charge *v;
    size_t nv, cap;
};
void km_incomplete_done(struct km_incomplete *ret);

/* Those that began before before_us (0: all).  km_apply_finish() must follow. */
int km_incomplete_charge(struct km_db *db, struct km_apply *a, int64_t before_us, int64_t hold_us,
                         struct km_incomplete *ret, struct km_err *err) KM_MUST_USE;

/* Holds whose time is over go. */
int km_incomplete_expire(struct km_db *db, struct km_err *err) KM_MUST_USE;

#endif
