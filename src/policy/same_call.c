/* SPDX-License-Identifier: Apache-2.0 */
/* same_call.c - see same_call.h for the contract.
 *
 *     value ──> number        object: the sum over its members, so that no order has to be made
 *                             array:  one item after the other
 *                             number: its sign, its digits without zeros at either end, and where
 *                                     the point stands
 *
 * Nothing is allocated and the text is read once: arguments may be megabytes.  The number is of
 * this process (its seed is random), so nobody can prepare two calls that are taken for one.
 */
#include "policy/same_call.h"

#define DEPTH_MOST 256 /* what is deeper counts by its kind and its length alone */
#define EXPONENT_MOST (INT64_C(1) << 40)

static uint64_t mix(const struct km_hash_seed *seed, uint64_t tag, uint64_t a, uint64_t b)
{
    const uint64_t v[] = { tag, a, b };

    return km_hash(seed, km_str((const char *)v, sizeof v));
}

/* --- numbers --- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What stands behind the `e`; as much as can matter. */
static int64_t exponent_of(struct km_str text)
{
    const bool less = text.n && text.p[0] == '-';
    int64_t e = 0;

    for (size_t i = 0; i < text.n; i++)
        if (is_digit(text.p[i]) && e < EXPONENT_MOST)
            e = e * 10 + (text.p[i] - '0');
    return less ? -e : e;
}

/* Digits of the mantissa from the first to the last that is no zero, and the power of ten of the
 * last. */
static uint64_t number_of(const struct km_hash_seed *seed, struct km_str text)
{
    size_t e = km_str_chr(text, 'e'), behind = 0, zeros = 0;
    const uint64_t step = seed->k0 | 1;
    uint64_t digits = 0;
    bool point = false;

    if (e == text.n)
        e = km_str_chr(text, 'E');
    for (size_t i = 0; i < e; i++) {
        const char c = text.p[i];

        point = point || c == '.';
        if (!is_digit(c))
            continue;
        behind += point;
        if (c == '0') {
            zeros++;
            continue;
        }
        for (; digits && zeros; zeros--)
            digits *= step;
        zeros = 0;
        digits = digits * step + (uint64_t)(c - '0') + (digits == 0 ? seed->k1 : 0);
    }
    if (!digits) /* 0, -0.0, 0e9 */
        return mix(seed, KM_JSON_NUMBER, 0, 0);
    return mix(
        seed, KM_JSON_NUMBER, text.p[0] == '-' ? ~digits : digits,
        (uint64_t)(exponent_of(km_str_skip(text, e + 1)) + (int64_t)zeros - (int64_t)behind));
}

/* --- values --- */

static uint64_t value_of(const struct km_hash_seed *seed, const struct km_json *v, int depth);

static uint64_t inside(const struct km_hash_seed *seed, const struct km_json *v, int depth)
{
    const bool object = km_json_kind(v) == KM_JSON_OBJECT;
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str name;
    uint64_t all = 0;

    for (km_json_iter(v, &it); km_json_next(&it, &name, &item);) {
        const uint64_t one = value_of(seed, item, depth + 1);

        all = object ? all + mix(seed, KM_JSON_OBJECT, km_hash(seed, name), one)
                     : mix(seed, KM_JSON_ARRAY, all, one);
    }
    return all;
}

static uint64_t value_of(const struct km_hash_seed *seed, const struct km_json *v, int depth)
{
    const enum km_json_type kind = km_json_kind(v);
    struct km_str text = KM_STR_NONE;

    switch (kind) {
    case KM_JSON_OBJECT:
    case KM_JSON_ARRAY:
        return mix(seed, kind, km_json_count(v), depth < DEPTH_MOST ? inside(seed, v, depth) : 0);
    case KM_JSON_NUMBER:
        return km_json_number(v, &text) ? number_of(seed, text) : 0;
    case KM_JSON_STRING:
        return km_json_string(v, &text) ? mix(seed, kind, km_hash(seed, text), text.n) : 0;
    default:
        return mix(seed, kind, 0, 0);
    }
}

uint64_t km_same_call(const struct km_hash_seed *seed, struct km_str name,
                      const struct km_json *arguments)
{
    const uint64_t said =
        arguments ? value_of(seed, arguments, 0) : mix(seed, KM_JSON_OBJECT, 0, 0);

    return mix(seed, KM_JSON_ABSENT, km_hash(seed, name), said);
}

uint64_t km_same_call_text(const struct km_hash_seed *seed, struct km_str name,
                           struct km_str arguments, struct km_arena *scratch)
{
    const struct km_json *root = NULL;

    arguments = km_str_trim(arguments);
    if (!arguments.n || km_json_parse(scratch, arguments, &root, NULL) == 0)
        return km_same_call(seed, name, root);
    return mix(seed, KM_JSON_NULL, km_hash(seed, name), km_hash(seed, arguments));
}

uint64_t km_same_call_then(const struct km_hash_seed *seed, uint64_t before, uint64_t next)
{
    return mix(seed, KM_JSON_ARRAY, before, next);
}
