/* SPDX-License-Identifier: Apache-2.0 */
/* json_unique.c - is each member of each object there once?  (json.h)
 *
 * RFC 8259 leaves open what a name means that occurs twice: yyjson's look-up takes the first,
 * others the last.  Where bytes are judged here and read again elsewhere the two may differ, so
 * such a text is refused by km_json_parse() itself.
 *
 *     object of few members    each name against those before it
 *     object of many           names ──> a table of places, by a hash with a random seed
 *
 * Names were decoded by the parser, so "b" is "\u0062".  yyjson keeps a tree as one array of
 * values in the order of the text, and the walk follows that: no depth of nesting makes it recurse.
 * The table lives in the caller's arena and is bounded by it.
 */
#include "http/json.h"

#include <yyjson.h>

#include "base/hash.h"

#define FEW 16

struct asked {
    struct km_arena *arena;
    km_json_fold_fn *fold; /* NULL: names as they are */
    struct km_err *err;
    struct km_str *table; /* NULL until an object is large */
    size_t room, slots; /* of which this object uses so many */
    struct km_hash_seed seed;
};

static int fail_twice(const struct asked *a, struct km_str name)
{
    return km_fail(a->err, KM_E_INVALID,
                   a->fold ? "member '%.*s' occurs twice but for its case"
                           : "member '%.*s' occurs twice",
                   KM_STR_ARG(km_str_sub(name, 0, 80)));
}

static int fail_room(const struct asked *a)
{
    return km_fail(a->err, KM_E_NOMEM, "the message is too large");
}

/* What names are compared by. */
static bool form_of(const struct asked *a, struct km_str name, struct km_str *ret)
{
    *ret = a->fold && name.n ? a->fold(a->arena, name) : name;
    return ret->n == 0 ? name.n == 0 : true;
}

static int check_few(const struct asked *a, const struct km_json *object)
{
    struct km_str forms[FEW];
    yyjson_val *key = unsafe_yyjson_get_first((yyjson_val *)(uintptr_t)object);
    const size_t members = km_json_count(object);

    for (size_t n = 0; n < members; n++, key = unsafe_yyjson_get_next(key + 1)) {
        const struct km_str name = km_str(unsafe_yyjson_get_str(key), unsafe_yyjson_get_len(key));

        if (!form_of(a, name, &forms[n]))
            return fail_room(a);
        for (size_t i = 0; i < n; i++)
            if (km_str_eq(forms[i], forms[n]))
                return fail_twice(a, name);
    }
    return 0;
}

/* An empty table for n names, at least half of it free. */
static bool make_table(struct asked *a, size_t n)
{
    if (!a->table)
        km_hash_seed_random(&a->seed);
    for (a->slots = 2 * FEW; a->slots < 2 * n;)
        a->slots *= 2;
    if (a->slots > a->room) {
        a->room = a->slots;
        a->table = km_arena_alloc(a->arena, a->room * sizeof *a->table);
    }
    if (!a->table)
        return false;
    memset(a->table, 0, a->slots * sizeof *a->table);
    return true;
}

static int check_many(struct asked *a, const struct km_json *object)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str name, form;

    if (!make_table(a, km_json_count(object)))
        return fail_room(a);
    for (km_json_iter(object, &it); km_json_next(&it, &name, &item);) {
        size_t at;

        if (!form_of(a, name, &form))
            return fail_room(a);
        at = (size_t)km_hash(&a->seed, form) & (a->slots - 1);
        for (; a->table[at].p; at = (at + 1) & (a->slots - 1))
            if (km_str_eq(a->table[at], form))
                return fail_twice(a, name);
        a->table[at] = form;
    }
    return 0;
}

static int check_object(struct asked *a, const struct km_json *v)
{
    size_t n = unsafe_yyjson_get_len((yyjson_val *)(uintptr_t)v);

    return n < 2 ? 0 : n <= FEW ? check_few(a, v) : check_many(a, v);
}

static int check_tree(struct asked *a, const struct km_json *v)
{
    yyjson_val *at = (yyjson_val *)(uintptr_t)v, *end;
    int r = 0;

    if (!yyjson_is_ctn(at))
        return 0;
    for (end = unsafe_yyjson_get_next(at); r == 0 && at < end; at++)
        if (unsafe_yyjson_get_type(at) == YYJSON_TYPE_OBJ)
            r = check_object(a, (const struct km_json *)at);
    return r;
}

int km_json_unique(const struct km_json *v, struct km_arena *arena, struct km_err *err)
{
    return check_tree(&(struct asked){ .arena = arena, .err = err }, v);
}

int km_json_unique_folded(const struct km_json *v, km_json_fold_fn *fold, struct km_arena *arena,
                          struct km_err *err)
{
    return check_tree(&(struct asked){ .arena = arena, .fold = fold, .err = err }, v);
}

int km_json_unique_but(const struct km_json *v, const struct km_str *names, size_t n,
                       struct km_arena *arena, struct km_err *err)
{
    struct asked a = { .arena = arena, .err = err };
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str name;
    int r = km_json_kind(v) == KM_JSON_OBJECT ? check_object(&a, v) : 0;

    for (km_json_iter(v, &it); r == 0 && km_json_next(&it, &name, &item);) {
        bool judged = yyjson_is_ctn((yyjson_val *)(uintptr_t)item);

        for (size_t i = 0; judged && it.object && i < n; i++)
            judged = !km_str_eq(name, names[i]);
        if (judged)
            r = check_tree(&a, item);
    }
    return r;
}
