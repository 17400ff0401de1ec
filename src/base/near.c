/* SPDX-License-Identifier: Apache-2.0 */
/* near.c - near misses of names (see near.h).
 *
 * Where a misspelled name would do harm (a credential that is sent on, a limit that does not
 * hold) this decides whether the start stops, so it is a fixed rule and not a search for the best
 * guess: the same pair of names is judged the same way everywhere.
 */
#include "base/near.h"

enum { NAME_MAX_BYTES = 128, LONG_NAME = 8 };

/* Bytes of what nobody sees in a name: a blank, a tab, U+00A0, U+00AD, U+2000 to U+200F (zero
 * width), U+2028, U+2029, U+202F, U+2060, U+3000, U+FEFF.  0: it can be seen. */
static size_t unseen(struct km_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;

    if (p[0] == ' ' || p[0] == '\t')
        return 1;
    if (s.n > 1 && p[0] == 0xc2 && (p[1] == 0xa0 || p[1] == 0xad))
        return 2;
    if (s.n < 3)
        return 0;
    if (p[0] == 0xe2 && p[1] == 0x80)
        return p[2] <= 0x8f || p[2] == 0xa8 || p[2] == 0xa9 || p[2] == 0xaf ? 3 : 0;
    if ((p[0] == 0xe2 && p[1] == 0x81 && p[2] == 0xa0) ||
        (p[0] == 0xe3 && p[1] == 0x80 && p[2] == 0x80) ||
        (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf))
        return 3;
    return 0;
}

/* Lower case, without '_', '-' and what is not seen. */
static struct km_str fold(struct km_str name, char *space)
{
    size_t n = 0, skip;

    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        skip = unseen(km_str_skip(name, i));
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
