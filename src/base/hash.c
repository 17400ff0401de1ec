/* SPDX-License-Identifier: Apache-2.0 */
/* hash.c - see hash.h for the contract.
 *
 * SipHash-1-3 (Aumasson, Bernstein): keys of tables come from clients, and a hash whose
 * seed is unknown to them cannot be made to collide on purpose.  One round a word and three
 * at the end are what Rust, Python and Ruby use for the same job; the stronger 2-4 is for
 * authentication, which is HMAC's work here.
 *
 * CRC-32 goes by eight bytes at a time, each through the table of its place: every event of an
 * AWS stream is summed up twice.  By half bytes, with a table of sixteen, that was a third of all
 * that translating one costs; the tables take 8 KiB.
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

/* A row is the exclusive or of its bits' rows, which makes a table of 256 one of eight. */
#define CRC1(i, a, b, c, d, e, f, g, h)                                                            \
    (((i)&1 ? (a) : 0) ^ ((i)&2 ? (b) : 0) ^ ((i)&4 ? (c) : 0) ^ ((i)&8 ? (d) : 0) ^               \
     ((i)&16 ? (e) : 0) ^ ((i)&32 ? (f) : 0) ^ ((i)&64 ? (g) : 0) ^ ((i)&128 ? (h) : 0))
#define CRC4(i, ...)                                                                               \
    CRC1((i), __VA_ARGS__), CRC1((i) + 1, __VA_ARGS__), CRC1((i) + 2, __VA_ARGS__),                \
        CRC1((i) + 3, __VA_ARGS__)
#define CRC16(i, ...)                                                                              \
    CRC4((i), __VA_ARGS__), CRC4((i) + 4, __VA_ARGS__), CRC4((i) + 8, __VA_ARGS__),                \
        CRC4((i) + 12, __VA_ARGS__)
#define CRC64(i, ...)                                                                              \
    CRC16((i), __VA_ARGS__), CRC16((i) + 16, __VA_ARGS__), CRC16((i) + 32, __VA_ARGS__),           \
        CRC16((i) + 48, __VA_ARGS__)
#define CRC256(...)                                                                                \
    {                                                                                              \
        CRC64(0, __VA_ARGS__), CRC64(64, __VA_ARGS__), CRC64(128, __VA_ARGS__),                    \
            CRC64(192, __VA_ARGS__)                                                                \
    }

/* [k][i]: what the byte i does to the sum when k bytes come after it. */
static const uint32_t crcs[8][256] = {
    CRC256(0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832, 0x1db71064, 0x3b6e20c8, 0x76dc4190,
           0xedb88320),
    CRC256(0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08, 0x4ac21251, 0x958424a2, 0xf0794f05,
           0x3b83984b),
    CRC256(0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8, 0x1c26a370, 0x384d46e0, 0x709a8dc0,
           0xe1351b80),
    CRC256(0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef, 0x5019579f, 0xa032af3e, 0x9b14583d,
           0xed59b63b),
    CRC256(0x3d6029b0, 0x7ac05360, 0xf580a6c0, 0x30704bc1, 0x60e09782, 0xc1c12f04, 0x58f35849,
           0xb1e6b092),
    CRC256(0xcb5cd3a5, 0x4dc8a10b, 0x9b914216, 0xec53826d, 0x03d6029b, 0x07ac0536, 0x0f580a6c,
           0x1eb014d8),
    CRC256(0xa6770bb4, 0x979f1129, 0xf44f2413, 0x33ef4e67, 0x67de9cce, 0xcfbd399c, 0x440b7579,
           0x8816eaf2),
    CRC256(0xccaa009e, 0x4225077d, 0x844a0efa, 0xd3e51bb5, 0x7cbb312b, 0xf9766256, 0x299dc2ed,
           0x533b85da),
};

uint32_t km_crc32(uint32_t crc, const void *p, size_t n)
{
    const char *bytes = p;

    crc = ~crc;
    for (; n >= 8; bytes += 8, n -= 8) {
        const uint64_t w = load(bytes, 8) ^ crc;

        crc = crcs[7][w & 255] ^ crcs[6][w >> 8 & 255] ^ crcs[5][w >> 16 & 255] ^
              crcs[4][w >> 24 & 255] ^ crcs[3][w >> 32 & 255] ^ crcs[2][w >> 40 & 255] ^
              crcs[1][w >> 48 & 255] ^ crcs[0][w >> 56];
    }
    for (; n > 0; bytes++, n--)
        crc = crc >> 8 ^ crcs[0][(crc ^ (unsigned char)*bytes) & 255];
    return ~crc;
}
