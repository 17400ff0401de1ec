/* SPDX-License-Identifier: Apache-2.0 */
/* same_call.h - are two calls of a tool the same, however their arguments are spelled? */
#ifndef KM_POLICY_SAME_CALL_H
#define KM_POLICY_SAME_CALL_H

#include "base/hash.h"
#include "http/json.h"

/* Calls that say the same have the same number: the tool's name, and its arguments whatever the
 * order of their members, their escapes, white space and the form of numbers (1, 1.0, 10e-1) are.
 * NULL is {}.  Two others have the same number by chance alone, one in 2^64. */
uint64_t km_same_call(const struct km_hash_seed *seed, struct km_str name,
                      const struct km_json *arguments);
/* The same where the arguments are still text; what is no JSON counts by its bytes. */
uint64_t km_same_call_text(const struct km_hash_seed *seed, struct km_str name,
                           struct km_str arguments, struct km_arena *scratch);
/* Several calls, one after the other, as one. */
uint64_t km_same_call_then(const struct km_hash_seed *seed, uint64_t before, uint64_t next);

#endif
