/* SPDX-License-Identifier: Apache-2.0 */
/* hash.h - SipHash-1-3 keyed by a process-wide random seed: for tables, never for storage.
 * CRC-32 (IEEE) for framing checks. */
#ifndef KM_BASE_HASH_H
#define KM_BASE_HASH_H

#include "base/str.h"

struct km_hash_seed {
    uint64_t k0, k1;
};

void km_hash_seed_random(struct km_hash_seed *seed);
uint64_t km_hash(const struct km_hash_seed *seed, struct km_str s);
uint32_t km_crc32(uint32_t crc, const void *p, size_t n); /* start with 0 */

#endif
