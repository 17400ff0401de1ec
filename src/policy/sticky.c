/* SPDX-License-Identifier: Apache-2.0 */
/* sticky.c - see sticky.h for the contract.
 *
 * Weighted rendezvous: a pair's hash is a number u between 0 and 1, and -log(u) / weight is how
 * long a deployment of that weight takes to come first; the shortest wins as often as its weight is
 * of all.  The logarithm is to the base 2 with 16 bits behind the point, by squaring: integers
 * alone, so that every machine comes to the same.
 */
#include "policy/sticky.h"

#include "base/hash.h"
#include "base/prng.h"

static const struct km_hash_seed everywhere = { 0x6b616e6d6f6e2d73u, 0x7469636b79000000u };

uint64_t km_sticky(struct km_str a, struct km_str b)
{
    uint64_t state = km_hash(&everywhere, a);
    uint64_t v = km_prng_next(&state) ^ km_hash(&everywhere, b);

    v = km_prng_next(&v);
    return v ? v : 1;
}

/* log2(v) times 65536; v at least 1. */
static uint64_t log2_of(uint64_t v)
{
    const unsigned whole = 63 - (unsigned)__builtin_clzll(v);
    uint64_t m = whole >= 31 ? v >> (whole - 31) : v << (31 - whole); /* 1 to 2, of 31 bits */
    uint64_t r = whole;

    for (int i = 0; i < 16; i++) {
        m = m * m >> 31;
        r <<= 1;
        if (m >> 32) {
            m >>= 1;
            r |= 1;
        }
    }
    return r;
}

uint64_t km_sticky_score(uint64_t sticky, uint64_t deployment, uint64_t weight)
{
    uint64_t state = sticky ^ deployment;
    const uint64_t u = km_prng_next(&state) | 1;
    const uint64_t took = ((uint64_t)64 << 16) - log2_of(u);

    return (took << 41) / (weight ? weight : 1);
}

unsigned km_sticky_part(uint64_t sticky, struct km_str of)
{
    uint64_t state = sticky ^ km_hash(&everywhere, of);

    return (unsigned)(km_prng_next(&state) % 10000);
}
