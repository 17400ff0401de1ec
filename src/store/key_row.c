/* SPDX-License-Identifier: Apache-2.0 */
/* key_row.c - see key_row.h for the contract.
 *
 * What a copy is made of the columns say (row_copy.h); here is which they are, and how a list of
 * models is read.
 */
#include "store/key_row.h"

#include <stdlib.h>

#include "base/encode.h"
#include "store/row_copy.h"

static struct km_row_shape shape_of_key(void)
{
    return (struct km_row_shape){ .size = sizeof(struct km_key_row),
                                  .v = km_key_columns,
                                  .n = km_key_columns_n };
}

struct km_key_row *km_key_row_new(const struct km_key_row *from)
{
    const struct km_row_shape shape = shape_of_key();

    return km_row_copy_new(&shape, from);
}

int km_key_row_copy(const struct km_key_row *from, struct km_arena *arena, struct km_key_row *ret)
{
    const struct km_row_shape shape = shape_of_key();

    return km_row_copy(&shape, from, arena, ret);
}

struct km_key_row *km_key_row_free(struct km_key_row *row)
{
    free(row);
    return NULL;
}

/* The character an escape of km_buf_json stands for: it writes \uXXXX for control bytes only. */
static char escaped(struct km_str s, size_t *i)
{
    static const char letters[] = "b\bf\fn\nr\rt\t";
    char byte;

    for (size_t k = 0; k < sizeof letters - 1; k += 2)
        if (s.p[*i] == letters[k])
            return letters[k + 1];
    if (s.p[*i] == 'u' && km_unhex(km_str_sub(s, *i + 3, 2), &byte, 1) == 0) {
        *i += 4;
        return byte;
    }
    return s.p[*i];
}

static size_t unescape(char *out, struct km_str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        bool escape = s.p[i] == '\\' && i + 1 < s.n;

        if (escape)
            i++;
        out[n++] = escape ? escaped(s, &i) : s.p[i];
    }
    return n;
}

static size_t string_end(struct km_str s, size_t from)
{
    while (from < s.n && s.p[from] != '"')
        from += s.p[from] == '\\' ? 2 : 1;
    return from;
}

int km_key_models_parse(struct km_str json, struct km_str **ret_v, size_t *ret_n)
{
    size_t n = 0, i = 1, most = json.n / 3 + 1;
    struct km_str *v;
    char *at;

    if (json.n < 2 || json.p[0] != '[' || json.p[json.n - 1] != ']')
        return KM_E_INVALID;
    v = malloc(most * sizeof *v + json.n); /* each needs two quotes and a comma at least */
    if (!v)
        return KM_E_NOMEM;
    at = (char *)(v + most);
    while (i < json.n - 1) {
        size_t end;

        if (json.p[i] != '"' || (end = string_end(json, i + 1)) >= json.n - 1) {
            free(v);
            return KM_E_INVALID;
        }
        v[n].p = at;
        v[n].n = unescape(at, km_str_sub(json, i + 1, end - i - 1));
        at += v[n++].n;
        i = end + 1;
        i += i < json.n - 1 && json.p[i] == ',';
    }
    *ret_v = v;
    *ret_n = n;
    return 0;
}
