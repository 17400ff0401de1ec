/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - is a parameter of a query there once?  (message.h)
 *
 * km_query_get() finds the first of a name, and others behind us the last, or a list of both.  So
 * parameters that decide are refused when they are there twice.  Others may be: some APIs write
 * lists like that.
 */
#include "http/message.h"

static bool is_name(struct km_arena *a, struct km_str key, struct km_str name)
{
    if (key.n < name.n) /* an escaped name can only be longer than what it stands for */
        return false;
    return km_str_eq(key, name) ||
           (km_str_chr(key, '%') < key.n && km_url_decode(a, key, true, &key, NULL) == 0 &&
            km_str_eq(key, name));
}

const struct km_str *km_query_twice(struct km_arena *a, struct km_str query,
                                    const struct km_str *names, size_t n)
{
    uint32_t seen = 0;
    struct km_str pair;

    while (km_str_split(&query, '&', &pair)) {
        struct km_str key = km_str_sub(pair, 0, km_str_chr(pair, '='));

        for (size_t i = 0; i < n; i++) {
            if (!is_name(a, key, names[i]))
                continue;
            if (seen & UINT32_C(1) << i)
                return &names[i];
            seen |= UINT32_C(1) << i;
        }
    }
    return NULL;
}
