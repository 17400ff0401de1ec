/* SPDX-License-Identifier: Apache-2.0 */
/* near.c - near misses of names (see near.h).
 *
 * Where a misspelled name would do harm (a credential that is sent on, a limit that does not
 * hold) this decides whether the start stops, so it is a fixed rule and not a search for the best
 * guess: the same pair of names is judged the same way everywhere.
 */
#include "base/near.h"

enum { NAME_MAX_BYTES = 128, LONG_NAME = 8 };

/* Lower case, without '_' and '-'. */
static struct km_str fold(struct km_str name, char *space)
{
    size_t n = 0;

    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        if (c != '_' && c != '-')
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
