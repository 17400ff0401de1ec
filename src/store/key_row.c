/* SPDX-License-Identifier: Apache-2.0 */
/* key_row.c - see key_row.h for the contract.
 *
 * A row crosses threads (the operation that writes it) and lives for ever (the table that
 * admits by it); both want one block to free:
 *
 *     [ struct km_key_row | models[n] | bytes of all strings ]
 *
 * The copy is the struct, then each string moved behind it; which they are is what the columns say
 * (key_columns.h), so a new one cannot be forgotten.
 */
#include "store/key_row.h"

#include <stdlib.h>

#include "base/encode.h"
#include "store/key_columns.h"

static struct km_str *text_at(struct km_key_row *row, const struct km_key_column *c)
{
    return (struct km_str *)(void *)((char *)row + c->offset);
}

static size_t bytes_of(const struct km_key_row *row)
{
    size_t n = sizeof *row + row->models.n * sizeof(struct km_str);

    for (size_t i = 0; i < km_key_columns_n; i++)
        if (km_key_is_text(&km_key_columns[i]))
            n += km_key_text(row, &km_key_columns[i]).n;
    for (size_t i = 0; i < row->models.n; i++)
        n += row->models.v[i].n;
    return n;
}

static struct km_str move(char **at, struct km_str s)
{
    struct km_str moved = { *at, s.n };

    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return moved;
}

struct km_key_row *km_key_row_new(const struct km_key_row *from)
{
    struct km_key_row *row = malloc(bytes_of(from));
    struct km_str *models;
    char *at;

    if (!row)
        return NULL;
    *row = *from;
    models = (struct km_str *)(void *)(row + 1);
    at = (char *)(models + from->models.n);
    for (size_t i = 0; i < from->models.n; i++)
        models[i] = move(&at, from->models.v[i]);
    row->models.v = models;
    for (size_t i = 0; i < km_key_columns_n; i++)
        if (km_key_is_text(&km_key_columns[i]))
            *text_at(row, &km_key_columns[i]) = move(&at, km_key_text(row, &km_key_columns[i]));
    return row;
}

int km_key_row_copy(const struct km_key_row *from, struct km_arena *arena, struct km_key_row *ret)
{
    struct km_str *models = km_arena_alloc(arena, (from->models.n + 1) * sizeof *models);

    if (!models)
        return KM_E_NOMEM;
    *ret = *from;
    for (size_t i = 0; i < km_key_columns_n; i++)
        if (km_key_is_text(&km_key_columns[i]))
            *text_at(ret, &km_key_columns[i]) =
                km_arena_str(arena, km_key_text(from, &km_key_columns[i]));
    for (size_t i = 0; i < from->models.n; i++)
        models[i] = km_arena_str(arena, from->models.v[i]);
    ret->models.v = models;
    return 0;
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
