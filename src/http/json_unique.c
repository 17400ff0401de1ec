/* SPDX-License-Identifier: Apache-2.0 */
/* json_unique.c - is each member of each object there once?  (json.h)
 *
 * RFC 8259 leaves open what a name means that occurs twice: this parser's look-up takes the first,
 * others the last.  Where bytes are judged here and read again elsewhere the two may differ, so
 * whoever judges refuses such a text.
 *
 *     object of few members    each name against those before it
 *     object of many           names ──> a table of places, by a hash with a random seed
 *
 * Names were decoded by the parser, so "b" is "\u0062".  The table lives in the caller's arena and
 * is bounded by it; it is walked as deep as the tree is, which the caller has bounded before.
 */
#include "base/hash.h"
#include "http/json.h"

#define FEW 16

static int twice(struct km_str name, struct km_err *err)
{
    return km_fail(err, KM_E_INVALID, "member '%.*s' occurs twice",
                   KM_STR_ARG(km_str_sub(name, 0, 80)));
}

static int few(const struct km_json *object, struct km_err *err)
{
    struct km_str names[FEW];
    struct km_json_iter it;
    const struct km_json *item;
    size_t n = 0;

    for (km_json_iter(object, &it); km_json_next(&it, &names[n], &item); n++)
        for (size_t i = 0; i < n; i++)
            if (km_str_eq(names[i], names[n]))
                return twice(names[n], err);
    return 0;
}

static int many(const struct km_json *object, struct km_arena *arena, struct km_err *err)
{
    size_t slots = 2 * FEW;
    struct km_json_iter it;
    const struct km_json *item;
    struct km_hash_seed seed;
    struct km_str *table, name;

    while (slots < 2 * km_json_count(object))
        slots *= 2;
    table = km_arena_zalloc(arena, slots * sizeof *table);
    if (!table)
        return km_fail(err, KM_E_NOMEM, "the message is too large");
    km_hash_seed_random(&seed);
    for (km_json_iter(object, &it); km_json_next(&it, &name, &item);) {
        size_t at = (size_t)km_hash(&seed, name) & (slots - 1);

        for (; table[at].p; at = (at + 1) & (slots - 1))
            if (km_str_eq(table[at], name))
                return twice(name, err);
        table[at] = name;
    }
    return 0;
}

int km_json_unique(const struct km_json *v, struct km_arena *arena, struct km_err *err)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    if (km_json_kind(v) == KM_JSON_OBJECT && km_json_count(v) > 1)
        r = km_json_count(v) < FEW ? few(v, err) : many(v, arena, err);
    else if (km_json_kind(v) != KM_JSON_OBJECT && km_json_kind(v) != KM_JSON_ARRAY)
        return 0;
    for (km_json_iter(v, &it); r == 0 && km_json_next(&it, &key, &item);)
        r = km_json_unique(item, arena, err);
    return r;
}
