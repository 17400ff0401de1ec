/* SPDX-License-Identifier: Apache-2.0 */
/* schema.c - see schema.h for the contract.
 *
 * The value and its schema are walked together; the way down is a chain on the stack
 *
 *     arguments <- .filters <- [2] <- .name
 *
 * and becomes text only when something is wrong with what is there.  Both trees are bounded in
 * depth before they come here (km_json_spans refuses deeper messages), so recursion is too.
 */
#include "mcp/schema.h"

#include <stdlib.h>

#include "base/crypto.h"

#define VALUE_BYTES ((size_t)16 * 1024 * 1024)
#define FEW 8 /* members that are sorted where they are: at any depth, so not many */
#define MOSTLY 500 /* bytes of arguments: the most have fewer */

struct place {
    const struct place *up; /* NULL: the arguments themselves */
    struct km_str name; /* of a member; empty: an item */
    size_t index;
};

static void put_place(const struct place *at, struct km_buf *out)
{
    if (!at->up) {
        km_buf_str(out, KM_STR("arguments"));
        return;
    }
    put_place(at->up, out);
    if (at->name.n)
        km_buf_printf(out, ".%.*s", KM_STR_ARG(km_str_sub(at->name, 0, 64)));
    else
        km_buf_printf(out, "[%zu]", at->index);
}

static int wrong(const struct place *at, struct km_err *err, const char *what, struct km_str which)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1024);

    put_place(at, &b);
    return km_fail(err, KM_E_INVALID, "%s %s%.*s", km_buf_cstr(&b), what, KM_STR_ARG(which));
}

static bool is_type(const struct km_json *v, struct km_str type)
{
    int64_t ignored;

    switch (km_json_kind(v)) {
    case KM_JSON_NULL:
        return km_str_eq(type, KM_STR("null"));
    case KM_JSON_TRUE:
    case KM_JSON_FALSE:
        return km_str_eq(type, KM_STR("boolean"));
    case KM_JSON_NUMBER:
        return km_str_eq(type, KM_STR("number")) ||
               (km_str_eq(type, KM_STR("integer")) && km_json_i64(v, &ignored));
    case KM_JSON_STRING:
        return km_str_eq(type, KM_STR("string"));
    case KM_JSON_ARRAY:
        return km_str_eq(type, KM_STR("array"));
    case KM_JSON_OBJECT:
        return km_str_eq(type, KM_STR("object"));
    default:
        return false;
    }
}

static int check_type(const struct km_json *type, const struct km_json *v, const struct place *at,
                      struct km_err *err)
{
    struct km_json_iter it;
    struct km_str name, ignored;
    const struct km_json *item;

    if (km_json_string(type, &name))
        return is_type(v, name) ? 0 : wrong(at, err, "must be of type ", name);
    if (km_json_kind(type) != KM_JSON_ARRAY)
        return 0;
    for (km_json_iter(type, &it); km_json_next(&it, &ignored, &item);)
        if (km_json_string(item, &name) && is_type(v, name))
            return 0;
    return wrong(at, err, "is of a type that is not allowed here", KM_STR_NONE);
}

static int check_enum(const struct km_json *list, const struct km_json *v, const struct place *at,
                      struct km_err *err)
{
    struct km_buf mine KM_CLEANUP(km_buf_done) = KM_BUF(VALUE_BYTES);
    struct km_buf one KM_CLEANUP(km_buf_done) = KM_BUF(VALUE_BYTES);
    struct km_buf all KM_CLEANUP(km_buf_done) = KM_BUF(VALUE_BYTES);
    struct km_json_iter it;
    struct km_str ignored;
    const struct km_json *item;

    if (km_json_kind(list) != KM_JSON_ARRAY)
        return 0;
    km_json_write(v, &mine);
    for (km_json_iter(list, &it); km_json_next(&it, &ignored, &item);) {
        km_buf_reset(&one);
        km_json_write(item, &one);
        if (km_str_eq(km_buf_view(&one), km_buf_view(&mine)))
            return 0;
    }
    km_json_write(list, &all);
    return wrong(at, err, "must be one of ", km_str_sub(km_buf_view(&all), 0, 300));
}

static int check_range(const struct km_json *schema, const struct km_json *v,
                       const struct place *at, struct km_err *err)
{
    int64_t n, bound;
    struct km_str text;

    if (!km_json_i64(v, &n))
        return 0;
    if (km_json_i64(km_json_get(schema, "minimum"), &bound) && n < bound &&
        km_json_number(km_json_get(schema, "minimum"), &text))
        return wrong(at, err, "must be at least ", text);
    if (km_json_i64(km_json_get(schema, "maximum"), &bound) && n > bound &&
        km_json_number(km_json_get(schema, "maximum"), &text))
        return wrong(at, err, "must be at most ", text);
    return 0;
}

/* The member of that name; *ret_twice when it is there twice. */
static const struct km_json *member(const struct km_json *object, struct km_str name,
                                    bool *ret_twice)
{
    const struct km_json *item, *found = NULL;
    struct km_json_iter it;
    struct km_str key;

    for (km_json_iter(object, &it); km_json_next(&it, &key, &item);)
        if (km_str_eq(key, name)) {
            if (found && ret_twice)
                *ret_twice = true;
            found = found ? found : item;
        }
    return found;
}

static int check(const struct km_json *schema, const struct km_json *v, const struct place *at,
                 struct km_err *err);

static int check_object(const struct km_json *schema, const struct km_json *v,
                        const struct place *at, struct km_err *err)
{
    const struct km_json *properties = km_json_get(schema, "properties"), *item, *sub;
    struct km_json_iter it;
    struct km_str key, name;
    bool closed = km_json_kind(km_json_get(schema, "additionalProperties")) == KM_JSON_FALSE;
    bool twice = false;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return 0;
    for (km_json_iter(km_json_get(schema, "required"), &it); km_json_next(&it, &key, &item);)
        if (km_json_string(item, &name) && !member(v, name, NULL))
            return wrong(at, err, "needs the member ", name);
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item);) {
        struct place below = { at, key, 0 };
        int r;

        sub = member(properties, key, NULL);
        (void)member(v, key, &twice);
        if (twice)
            return wrong(at, err, "has a member twice: ", km_str_sub(key, 0, 64));
        if (!sub && closed)
            return wrong(at, err, "has no member ", km_str_sub(key, 0, 64));
        r = sub ? check(sub, item, &below, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_items(const struct km_json *schema, const struct km_json *v,
                       const struct place *at, struct km_err *err)
{
    const struct km_json *items = km_json_get(schema, "items"), *item;
    struct km_json_iter it;
    struct km_str ignored;
    struct place below = { at, KM_STR_NONE, 0 };
    int r = 0;

    if (!items || km_json_kind(v) != KM_JSON_ARRAY)
        return 0;
    for (km_json_iter(v, &it); r == 0 && km_json_next(&it, &ignored, &item); below.index++)
        r = check(items, item, &below, err);
    return r;
}

static int check(const struct km_json *schema, const struct km_json *v, const struct place *at,
                 struct km_err *err)
{
    int r = check_type(km_json_get(schema, "type"), v, at, err);

    if (r == 0)
        r = check_enum(km_json_get(schema, "enum"), v, at, err);
    if (r == 0)
        r = check_range(schema, v, at, err);
    if (r == 0)
        r = check_object(schema, v, at, err);
    return r == 0 ? check_items(schema, v, at, err) : r;
}

int km_schema_check(const struct km_json *schema, const struct km_json *value, struct km_err *err)
{
    const struct place top = { 0 };

    return check(schema, value, &top, err);
}

/* --- the digest --- */

struct pair {
    struct km_str key;
    const struct km_json *value;
    size_t at; /* a stable order for members of one name */
};

static int by_key(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = km_str_cmp(x->key, y->key);

    return order ? order : (x->at > y->at) - (x->at < y->at);
}

static void put_sorted(const struct km_json *v, struct km_buf *out);

static void put_object(const struct km_json *v, struct km_buf *out)
{
    size_t n = km_json_count(v), i = 0;
    struct pair few[FEW], *pairs = n <= FEW ? few : malloc(n * sizeof *pairs);
    struct km_json_iter it;

    if (!pairs) {
        out->failed = true;
        return;
    }
    for (km_json_iter(v, &it); i < n && km_json_next(&it, &pairs[i].key, &pairs[i].value); i++)
        pairs[i].at = i;
    qsort(pairs, i, sizeof *pairs, by_key);
    km_buf_byte(out, '{');
    for (size_t k = 0; k < i; k++) {
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
