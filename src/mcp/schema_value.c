/* SPDX-License-Identifier: Apache-2.0 */
/* schema_value.c - one value against the words that concern it alone, and what is wrong with it.
 *
 *     type  enum  const  minimum  maximum ──> 0, or "arguments.filters[2].name must be ..."
 *
 * Values are compared as JSON and not as text: 1 is 1.0, and the order of members is none.
 */
#include <math.h>
#include <stdlib.h>

#include "mcp/schema_part.h"

#define NUMBER_BYTES 64 /* of a number that is compared: longer ones fit anything */
#define NUMBER_SURE 15 /* bytes: so few digits are a double of their own */
#define SHOWN_BYTES ((size_t)64 * 1024)

static void put_place(const struct km_schema_place *at, struct km_buf *out)
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

int km_schema_wrong(const struct km_schema_place *at, struct km_err *err, const char *what,
                    struct km_str which)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1024);

    if (!err)
        return KM_E_INVALID;
    put_place(at, &b);
    return km_fail(err, KM_E_INVALID, "%s %s%.*s", km_buf_cstr(&b), what, KM_STR_ARG(which));
}

/* May `n` more be looked at?  Else what is left fits. */
bool km_schema_may(struct km_schema_walk *w, size_t n)
{
    if (!w->composed)
        return true;
    if (w->steps < n) {
        w->steps = 0;
        w->unsure = true;
        return false;
    }
    w->steps -= n;
    return true;
}

/* --- one value --- */

static bool number_of(const struct km_json *v, double *ret)
{
    char text[NUMBER_BYTES];
    struct km_str s;

    if (!km_json_number(v, &s) || s.n >= sizeof text)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    *ret = strtod(text, NULL);
    return true;
}

/* Their doubles are the same; are they? */
static bool surely_same(const struct km_json *a, const struct km_json *b, double x)
{
    struct km_str s, t;
    int64_t n, m;

    if (!km_json_number(a, &s) || !km_json_number(b, &t) || km_str_eq(s, t))
        return true;
    if (km_json_i64(a, &n) && km_json_i64(b, &m))
        return n == m;
    return isnormal(x) && s.n <= NUMBER_SURE && t.n <= NUMBER_SURE;
}

/* Written without a fraction it is; a long one may have lost it. */
static bool is_integer(struct km_schema_walk *w, const struct km_json *v)
{
    struct km_str s;
    double number;

    if (!km_json_number(v, &s) ||
        (km_str_chr(s, '.') == s.n && km_str_chr(s, 'e') == s.n && km_str_chr(s, 'E') == s.n))
        return true;
    if (!number_of(v, &number)) {
        w->unsure = true;
        return true;
    }
    if (s.n > NUMBER_SURE || !isnormal(number))
        w->unsure = true;
    return number == floor(number);
}

static bool is_type(struct km_schema_walk *w, const struct km_json *v, struct km_str type)
{
    switch (km_json_kind(v)) {
    case KM_JSON_NULL:
        return km_str_eq(type, KM_STR("null"));
    case KM_JSON_TRUE:
    case KM_JSON_FALSE:
        return km_str_eq(type, KM_STR("boolean"));
    case KM_JSON_NUMBER:
        return km_str_eq(type, KM_STR("number")) ||
               (km_str_eq(type, KM_STR("integer")) && is_integer(w, v));
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

int km_schema_type(struct km_schema_walk *w, const struct km_json *type, const struct km_json *v,
                   const struct km_schema_place *at, struct km_err *err)
{
    struct km_json_iter it;
    struct km_str name, ignored;
    const struct km_json *item;

    if (km_json_string(type, &name))
        return is_type(w, v, name) ? 0 : km_schema_wrong(at, err, "must be of type ", name);
    if (km_json_kind(type) != KM_JSON_ARRAY)
        return 0;
    for (km_json_iter(type, &it); km_json_next(&it, &ignored, &item);)
        if (km_json_string(item, &name) && is_type(w, v, name))
            return 0;
    return km_schema_wrong(at, err, "is of a type that is not allowed here", KM_STR_NONE);
}

static bool equal(struct km_schema_walk *w, const struct km_json *a, const struct km_json *b);

static bool equal_numbers(struct km_schema_walk *w, const struct km_json *a,
                          const struct km_json *b)
{
    double x, y;

    if (!number_of(a, &x) || !number_of(b, &y)) {
        w->unsure = true;
        return true;
    }
    if (x == y && !surely_same(a, b, x))
        w->unsure = true;
    return x == y;
}

static bool equal_lists(struct km_schema_walk *w, const struct km_json *a, const struct km_json *b)
{
    struct km_json_iter i, k;
    struct km_str key;
    const struct km_json *x, *y;

    km_json_iter(b, &k);
    for (km_json_iter(a, &i); km_json_next(&i, &key, &x) && km_json_next(&k, &key, &y);)
        if (!equal(w, x, y))
            return false;
    return true;
}

static bool equal_objects(struct km_schema_walk *w, const struct km_json *a,
                          const struct km_json *b)
{
    struct km_json_iter i;
    struct km_str key;
    const struct km_json *x;

    for (km_json_iter(a, &i); km_json_next(&i, &key, &x);) {
        const struct km_json *y = km_schema_may(w, km_json_count(b)) ? km_json_member(b, key) : x;

        if (!y || !equal(w, x, y))
            return false;
    }
    return true;
}

/* As JSON, not as text: 1 is 1.0. */
static bool equal(struct km_schema_walk *w, const struct km_json *a, const struct km_json *b)
{
    enum km_json_type kind = km_json_kind(a);
    struct km_str x, y;

    if (!km_schema_may(w, 1))
        return true;
    if (kind != km_json_kind(b) ||
        ((kind == KM_JSON_ARRAY || kind == KM_JSON_OBJECT) && km_json_count(a) != km_json_count(b)))
        return false;
    if (kind == KM_JSON_ARRAY)
        return equal_lists(w, a, b);
    if (kind == KM_JSON_OBJECT)
        return equal_objects(w, a, b);
    if (kind == KM_JSON_NUMBER)
        return equal_numbers(w, a, b);
    return !km_json_string(a, &x) || !km_json_string(b, &y) ||
           (x.n == y.n && (!km_schema_may(w, x.n / 64) || km_str_eq(x, y)));
}

int km_schema_enum(struct km_schema_walk *w, const struct km_json *list, const struct km_json *v,
                   const struct km_schema_place *at, struct km_err *err)
{
    struct km_buf all KM_CLEANUP(km_buf_done) = KM_BUF(SHOWN_BYTES);
    struct km_json_iter it;
    struct km_str ignored;
    const struct km_json *item;

    if (km_json_kind(list) != KM_JSON_ARRAY)
        return 0;
    for (km_json_iter(list, &it); km_json_next(&it, &ignored, &item);)
        if (equal(w, item, v))
            return 0;
    if (err)
        km_json_write(list, &all);
    return km_schema_wrong(at, err, "must be one of ", km_str_sub(km_buf_view(&all), 0, 300));
}

int km_schema_const(struct km_schema_walk *w, const struct km_json *only, const struct km_json *v,
                    const struct km_schema_place *at, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(SHOWN_BYTES);

    if (!only || equal(w, only, v))
        return 0;
    if (err)
        km_json_write(only, &text);
    return km_schema_wrong(at, err, "must be ", km_str_sub(km_buf_view(&text), 0, 300));
}

/* -1, 0, 1: less than the bound, not known or equal, more. */
static int against(struct km_schema_walk *w, const struct km_json *v, const struct km_json *bound)
{
    int64_t n, m;
    double x, y;

    if (km_json_i64(v, &n) && km_json_i64(bound, &m))
        return (n > m) - (n < m);
    if (!bound || km_json_kind(v) != KM_JSON_NUMBER)
        return 0;
    if (!number_of(v, &x) || !number_of(bound, &y)) {
        w->unsure = true;
        return 0;
    }
    if (x == y && !surely_same(v, bound, x))
        w->unsure = true;
    return (x > y) - (x < y);
}

int km_schema_range(struct km_schema_walk *w, const struct km_json *schema, const struct km_json *v,
                    const struct km_schema_place *at, struct km_err *err)
{
    const struct km_json *least = km_json_get(schema, "minimum");
    const struct km_json *most = km_json_get(schema, "maximum");
    struct km_str text;

    if (against(w, v, least) < 0 && km_json_number(least, &text))
        return km_schema_wrong(at, err, "must be at least ", text);
    if (against(w, v, most) > 0 && km_json_number(most, &text))
        return km_schema_wrong(at, err, "must be at most ", text);
    return 0;
}
