/* SPDX-License-Identifier: Apache-2.0 */
/* key_retired.h - the secrets that a key had before and that still open it.
 *
 * A regenerated key may leave its old secret a time of grace.  Its row says which and until when,
 * in a text: "hash:end hash:end ...".  A former secret is another way to the same key, with its
 * limits, its spend and its books, and to nothing once its time is over.
 */
#ifndef KM_POLICY_KEY_RETIRED_H
#define KM_POLICY_KEY_RETIRED_H

#include "base/buf.h"

#define KM_KEY_RETIRED_MOST 8 /* of one key at once */

struct km_key_retired {
    uint8_t hash[32]; /* SHA-256 of the secret */
    int64_t until_us; /* wall */
};

/* The next of what is left of it; false: it is over, or what is left is none. */
bool km_key_retired_next(struct km_str *text, struct km_key_retired *ret);
void km_key_retired_write(const struct km_key_retired *r, struct km_buf *out);

#endif
