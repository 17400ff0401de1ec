/* SPDX-License-Identifier: Apache-2.0 */
/* verdict.h - tokens that were judged good, and what they lead to, so that a signature is checked
 * once and not for every request.
 *
 * A verdict is found by the SHA-256 of the token; the token itself is not kept.  It is of use
 * while all it was made from is the same, which whoever finds one compares: the issuer's keys,
 * the virtual keys (km_keys_generation).  Whether the virtual key may be used now is asked each
 * time.  Shared by all workers, locked inside, bounded: what is over goes first, then what was not
 * used for longest among its few neighbours.
 */
#ifndef KM_DOOR_JWT_VERDICT_H
#define KM_DOOR_JWT_VERDICT_H

#include "base/arena.h"
#include "base/crypto.h"

#define KM_JWT_VERDICT_TEXT 1024 /* issuer and subject together; a longer one is not kept */

struct km_jwt_verdict {
    int64_t until_us; /* wall: the token's end, and the allowance for clocks */
    uint8_t keys[KM_SHA256_LEN]; /* of the issuer's key set */
    uint64_t generation; /* of the virtual keys */
    size_t issuer; /* its place among the snapshot's */
    bool admin; /* else: */
    uint8_t key[KM_SHA256_LEN]; /* hash of the virtual key */
    struct km_str iss, subject; /* kept as a copy, found in the arena of who asks */
};

struct km_jwt_verdicts;

struct km_jwt_verdicts *km_jwt_verdicts_new(void); /* NULL: no memory */
struct km_jwt_verdicts *km_jwt_verdicts_free(struct km_jwt_verdicts *t);
/* One that is good at now_us; false: none. */
bool km_jwt_verdict_find(struct km_jwt_verdicts *t, const uint8_t token[KM_SHA256_LEN],
                         int64_t now_us, struct km_arena *arena, struct km_jwt_verdict *ret);
/* Keeps or replaces; failing to is no failure. */
void km_jwt_verdict_keep(struct km_jwt_verdicts *t, const uint8_t token[KM_SHA256_LEN],
                         int64_t now_us, const struct km_jwt_verdict *verdict);

#endif
