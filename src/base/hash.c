/* SPDX-License-Identifier: Apache-2.0 */
/* hash.c - see hash.h for the contract.
 *
 * SipHash-1-3 (Aumasson, Bernstein): keys of tables come from clients, and a hash whose
 * seed is unknown to them cannot be made to collide on purpose.  One round a word and three
 * at the end are what Rust, Python and Ruby use for the same job; the stronger 2-4 is for
 * authentication, which is HMAC's work here.
 *
 * CRC-32 goes by half bytes: a table of sixteen, for checks on frames of a few hundred
 * bytes, where a larger table would cost more cache than it saves.
 */
#include "base/hash.h"

#include <unistd.h>

void km_hash_seed_random(struct km_hash_seed *seed)
{
    km_assert(getentropy(seed, sizeof *seed) == 0);
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t m)
{
    s->v3 ^= m;
    sip_round(s);
    s->v0 ^= m;
}

/* Little-endian, whatever the machine is. */
static inline uint64_t load(const char *p, size_t n)
{
    uint64_t v = 0;

    memcpy(&v, p, n);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

uint64_t km_hash(const struct km_hash_seed *seed, struct km_str s)
{
    struct sip h = {
        .v0 = seed->k0 ^ UINT64_C(0x736f6d6570736575),
        .v1 = seed->k1 ^ UINT64_C(0x646f72616e646f6d),
        .v2 = seed->k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = seed->k1 ^ UINT64_C(0x7465646279746573),
    };
    const size_t whole = s.n & ~(size_t)7;
    uint64_t last = (uint64_t)s.n << 56;

    for (size_t i = 0; i < whole; i += 8)
        sip_word(&h, load(s.p + i, 8));
    if (s.n > whole)
        last |= load(s.p + whole, s.n - whole);
    sip_word(&h, last);
    h.v2 ^= 0xff;
    sip_round(&h);
    sip_round(&h);
    sip_round(&h);
    return h.v0 ^ h.v1 ^ h.v2 ^ h.v3;
}

uint32_t km_crc32(uint32_t crc, const void *p, size_t n)
{
    static const uint32_t half[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const uint8_t *bytes = p;

    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ half[crc & 15];
        crc = crc >> 4 ^ half[crc & 15];
    }
    return ~crc;
}
