/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c - arguments by what they say, however they are spelled (schema.h).
 *
 *     {"b": [1], "a": "\u0041"} ── members in order ──> {"a":"A","b":[1]} ──> SHA-256
 *
 * Sorting is by name and then by place, so that members of one name stay in their order.
 */
#include <stdlib.h>

#include "base/crypto.h"
#include "mcp/schema_part.h"

#define VALUE_BYTES ((size_t)16 * 1024 * 1024)
#define MOSTLY 500 /* bytes of arguments: the most have fewer */

static int by_key(const void *a, const void *b)
{
    const struct km_json_pair *x = a, *y = b;
    int order = km_str_cmp(x->key, y->key);

    return order ? order : (x->at > y->at) - (x->at < y->at);
}

struct km_json_pair *km_json_pairs(const struct km_json *object, struct km_json_pair *few,
                                   size_t nfew, size_t *ret_n)
{
    size_t n = km_json_count(object), i = 0;
    struct km_json_pair *pairs = n <= nfew ? few : malloc(n * sizeof *pairs);
    struct km_json_iter it;

    if (!pairs)
        return NULL;
    for (km_json_iter(object, &it); i < n && km_json_next(&it, &pairs[i].key, &pairs[i].value); i++)
        pairs[i].at = i;
    if (i > 1)
        qsort(pairs, i, sizeof *pairs, by_key);
    *ret_n = i;
    return pairs;
}

static void put_sorted(const struct km_json *v, struct km_buf *out);

static void put_object(const struct km_json *v, struct km_buf *out)
{
    struct km_json_pair few[KM_JSON_FEW];
    size_t n;
    struct km_json_pair *pairs = km_json_pairs(v, few, KM_JSON_FEW, &n);

    if (!pairs) {
        out->failed = true;
        return;
    }
    km_buf_byte(out, '{');
    for (size_t k = 0; k < n; k++) {
        if (k)
            km_buf_byte(out, ',');
        km_buf_json(out, pairs[k].key);
        km_buf_byte(out, ':');
        put_sorted(pairs[k].value, out);
    }
    km_buf_byte(out, '}');
    if (pairs != few)
        free(pairs);
}

static void put_sorted(const struct km_json *v, struct km_buf *out)
{
    struct km_json_iter it;
    struct km_str ignored;
    const struct km_json *item;

    if (km_json_kind(v) == KM_JSON_OBJECT) {
        put_object(v, out);
    } else if (km_json_kind(v) == KM_JSON_ARRAY) {
        km_buf_byte(out, '[');
        for (km_json_iter(v, &it); km_json_next(&it, &ignored, &item);) {
            if (out->n && out->p[out->n - 1] != '[')
                km_buf_byte(out, ',');
            put_sorted(item, out);
        }
        km_buf_byte(out, ']');
    } else {
        km_json_write(v, out);
    }
}

int km_json_digest(const struct km_json *value, uint8_t out[32], struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(VALUE_BYTES * 4);

    (void)!km_buf_reserve(&b, MOSTLY);
    if (value)
        put_sorted(value, &b);
    else
        km_buf_str(&b, KM_STR("{}"));
    if (km_buf_failed(&b))
        return km_fail(err, KM_E_NOMEM, "the arguments are too large");
    km_sha256(km_buf_view(&b), out);
    return 0;
}
