/* SPDX-License-Identifier: Apache-2.0 */
/* revoke.h - a key that is blocked, deleted or past its end takes along what runs by it, and so
 * does an account that is blocked. */
#ifndef KM_HOST_REVOKE_H
#define KM_HOST_REVOKE_H

#include <stdint.h>

#include "base/err.h"

struct km_worker;

#define KM_REVOKE_MS 250 /* between two looks of a worker */

struct km_revoke {
    uint64_t generation; /* of the keys and accounts at the last walk */
    unsigned looks; /* since then */
};

/* Has every module end what runs by a key that may not be used any more.  They walk only when a key
 * or an account has changed since, and each few seconds for keys that expire.  On the worker's
 * loop, outside of any call. */
void km_revoke_look(struct km_worker *w);

/* May what runs by this key go on?  hash: the one its books go by, which a successor has taken
 * over.  Any thread. */
int km_revoke_check(struct km_worker *w, const uint8_t hash[32], struct km_err *err) KM_MUST_USE;

#endif
