/* SPDX-License-Identifier: Apache-2.0 */
/* soft.h - who has passed a soft budget: to be told once a window, refusing nothing.
 *
 * Whoever settles marks the purse and counts (purse.h); who tells looks at the count now and then,
 * and at all purses when it has moved.
 */
#ifndef KM_POLICY_SOFT_H
#define KM_POLICY_SOFT_H

#include "policy/key.h"

struct km_soft_passed {
    const char *kind; /* "key", "team" ... */
    struct km_str name, of; /* a key's alias, or its shortened secret; of: of members, else empty */
    int64_t spent, soft; /* nano-USD */
};

/* Under the locks of the tables: it is to be quick. */
typedef void km_soft_fn(void *ctx, const struct km_soft_passed *passed);
/* Each that has passed since it was asked last, once.  Any thread; one number where nobody has. */
void km_keys_tell_soft(struct km_keys *keys, km_soft_fn *fn, void *ctx);

#endif
