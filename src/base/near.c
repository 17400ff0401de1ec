/* SPDX-License-Identifier: Apache-2.0 */
/* near.c - near misses of names (see near.h).
 *
 * Where a misspelled name would do harm (a credential that is sent on, a limit that does not
 * hold) this decides whether the start stops, so it is a fixed rule and not a search for the best
 * guess: the same pair of names is judged the same way everywhere.
 */
#include "base/near.h"

enum { NAME_MAX_BYTES = 128, LONG_NAME = 8 };

/* A blank, a tab, U+0085, U+00A0, U+00AD, U+034F, U+061C, U+1680, U+180B to U+180E, U+2000 to
 * U+200F (zero width), U+2028 to U+202F, U+205F to U+206F, U+3000, U+FE00 to U+FE0F, U+FEFF. */
size_t km_unseen(struct km_str s)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        { 0x09, 0x09 },     { 0x20, 0x20 },     { 0x85, 0x85 },     { 0xa0, 0xa0 },
        { 0xad, 0xad },     { 0x34f, 0x34f },   { 0x61c, 0x61c },   { 0x1680, 0x1680 },
        { 0x180b, 0x180e }, { 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x206f },
        { 0x3000, 0x3000 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
    };
    const unsigned char *p = (const unsigned char *)s.p;
    uint32_t c = 0;
    size_t n = 0;

    if (s.n && p[0] < 0x80)
        c = p[0], n = 1;
    else if (s.n > 1 && p[0] >> 5 == 6)
        c = (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f), n = 2;
    else if (s.n > 2 && p[0] >> 4 == 14)
        c = (uint32_t)(p[0] & 0xf) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f), n = 3;
    for (size_t i = 0; n && i < sizeof ranges / sizeof ranges[0]; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return n;
    return 0;
}

/* Lower case, without '_', '-' and what is not seen. */
static struct km_str fold(struct km_str name, char *space)
{
    size_t n = 0, skip;

    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        skip = km_unseen(km_str_skip(name, i));
        if (skip)
            i += skip - 1;
        else if (c != '_' && c != '-')
            space[n++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return km_str(space, n);
}

bool km_near_miss(struct km_str a, struct km_str b)
{
    char spaces[2][NAME_MAX_BYTES];
    size_t longer = a.n > b.n ? a.n : b.n;

    if (longer > NAME_MAX_BYTES || !a.n || !b.n || km_str_eq(a, b))
        return false;
    return km_str_distance(fold(a, spaces[0]), fold(b, spaces[1])) <= (longer < LONG_NAME ? 1 : 2);
}
