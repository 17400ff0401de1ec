/* SPDX-License-Identifier: Apache-2.0 */
/* shape.c - see shape.h.
 *
 * One walk over the item does both: it judges each value against the row of its place, and writes
 * it anew.  A member that is bad and may be left out is taken back from what was written.  Where
 * nothing was taken back or added the item is good, and its own bytes are kept.
 */
#include "mcp/catalogue/shape.h"

#include <stdio.h>
#include <stdlib.h>

#include "mcp/pointer.h"

#define PATH_BYTES 96

struct look {
    struct km_buf *out;
    bool mended;
    const struct km_json *root;
    char path[PATH_BYTES]; /* "inputSchema.properties.a" */
    char *why;
};

static bool put(struct look *l, const struct km_shape *shape, const struct km_json *v);

static bool bad(struct look *l, const char *what)
{
    snprintf(l->why, KM_SHAPE_WHY, "%s %s", l->path[0] ? l->path : "it", what);
    return false;
}

/* The path grows by a name; *ret_length: how long it was. */
static void enter(struct look *l, struct km_str name, size_t *ret_length)
{
    size_t n = *ret_length = strlen(l->path);

    snprintf(l->path + n, sizeof l->path - n, "%s%.*s", n ? "." : "",
             KM_STR_ARG(km_str_sub(name, 0, 48)));
}

static bool is_word(const char *words, struct km_str said)
{
    struct km_str rest = km_str_c(words), word;

    while (km_str_split(&rest, ' ', &word))
        if (km_str_eq(word, said))
            return true;
    return false;
}

static bool is_share(struct km_str number)
{
    char text[64];
    double d;

    if (number.n >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", KM_STR_ARG(number));
    d = strtod(text, NULL);
    return d >= 0 && d <= 1;
}

/* Has some schema of it a name of its own?  Where one leads to is not looked up then. */
static bool is_named(const struct km_json *v)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str name;

    if (km_json_get(v, "$id") || km_json_get(v, "$anchor"))
        return true;
    for (km_json_iter(v, &it); km_json_next(&it, &name, &item);)
        if (is_named(item))
            return true;
    return false;
}

static bool leads(const struct look *l, struct km_str reference)
{
    return km_json_pointer(l->root, reference) || is_named(l->root);
}

static bool is_leaf(const struct look *l, const struct km_shape *shape, const struct km_json *v)
{
    struct km_str s;
    int64_t i;
    bool b;

    switch (shape->kind) {
    case KM_SHAPE_STRING:
        return km_json_string(v, &s);
    case KM_SHAPE_BOOL:
        return km_json_bool(v, &b);
    case KM_SHAPE_NUMBER:
        return km_json_number(v, &s);
    case KM_SHAPE_WHOLE:
        return km_json_i64(v, &i);
    case KM_SHAPE_SHARE:
        return km_json_number(v, &s) && is_share(s);
    case KM_SHAPE_WORD:
        return km_json_string(v, &s) && is_word(shape->words, s);
    case KM_SHAPE_TIME:
        return km_json_string(v, &s) && km_shape_time(s);
    case KM_SHAPE_URL:
        return km_json_string(v, &s) && km_shape_url(s);
    case KM_SHAPE_PATTERN:
        return km_json_string(v, &s) && km_shape_pattern(s);
    case KM_SHAPE_REFERENCE:
        return km_json_string(v, &s) && leads(l, s);
    default:
        return true;
    }
}

/* --- objects --- */

static void put_name(struct look *l, struct km_str name)
{
    if (l->out->n && l->out->p[l->out->n - 1] != '{')
        km_buf_byte(l->out, ',');
    km_buf_json(l->out, name);
    km_buf_byte(l->out, ':');
}

static const struct km_shape_member *row_of(const struct km_shape *shape, struct km_str name)
{
    for (size_t i = 0; i < shape->n; i++)
        if (km_str_eq(name, km_str_c(shape->members[i].name)))
            return &shape->members[i];
    return NULL;
}

/* One that is there; false: the object is bad for it. */
static bool put_member(struct look *l, const struct km_shape_member *row, struct km_str name,
                       const struct km_json *v)
{
    const size_t before = l->out->n;
    const bool null = km_json_kind(v) == KM_JSON_NULL;
    size_t length;
    bool good;

    if (row && null && row->instead)
        return true; /* the other comes */
    enter(l, name, &length);
    put_name(l, name);
    good = row ? put(l, row->shape, v) : (km_json_write(v, l->out), true);
    if (!good && (row->bad == KM_SHAPE_DROP || (row->bad == KM_SHAPE_STRICT && null))) {
        if (!km_buf_failed(l->out))
            l->out->n = before;
        l->mended = good = true;
    }
    l->path[length] = '\0';
    return good;
}

static bool put_instead(struct look *l, const struct km_shape_member *row,
                        const struct km_json *object)
{
    if (!row->instead) {
        size_t length;

        enter(l, km_str_c(row->name), &length);
        return bad(l, "is missing");
    }
    put_name(l, km_str_c(row->name));
    if (row->instead[0] == '@')
        km_json_write(km_json_get(object, row->instead + 1), l->out);
    else
        km_buf_str(l->out, km_str_c(row->instead));
    l->mended = true;
    return true;
}

static bool put_object(struct look *l, const struct km_shape *shape, const struct km_json *object)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str name;

    if (km_json_kind(object) != KM_JSON_OBJECT)
        return bad(l, "is no object");
    km_buf_byte(l->out, '{');
    for (km_json_iter(object, &it); km_json_next(&it, &name, &v);)
        if (!put_member(l, row_of(shape, name), name, v))
            return false;
    for (size_t i = 0; i < shape->n; i++) {
        const struct km_shape_member *row = &shape->members[i];

        v = km_json_get(object, row->name);
        if (row->bad == KM_SHAPE_NEED &&
            (!v || (km_json_kind(v) == KM_JSON_NULL && row->instead)) &&
            !put_instead(l, row, object))
            return false;
    }
    km_buf_byte(l->out, '}');
    return true;
}

static bool put_map(struct look *l, const struct km_shape *shape, const struct km_json *object)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str name;

    if (km_json_kind(object) != KM_JSON_OBJECT)
        return bad(l, "is no object");
    km_buf_byte(l->out, '{');
    for (km_json_iter(object, &it); km_json_next(&it, &name, &v);) {
        size_t length;

        enter(l, name, &length);
        put_name(l, name);
        if (!put(l, shape->of, v))
            return false;
        l->path[length] = '\0';
    }
    km_buf_byte(l->out, '}');
    return true;
}

static bool put_list(struct look *l, const struct km_shape *shape, const struct km_json *list)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str name;
    bool first = true;

    if (km_json_kind(list) != KM_JSON_ARRAY || km_json_count(list) < shape->least)
        return bad(l, shape->least ? "is no array with something in it" : "is no array");
    km_buf_byte(l->out, '[');
    for (km_json_iter(list, &it); km_json_next(&it, &name, &v); first = false) {
        if (!first)
            km_buf_byte(l->out, ',');
        if (!put(l, shape->of, v))
            return false;
    }
    km_buf_byte(l->out, ']');
    return true;
}

/* --- all --- */

static bool put_schema(struct look *l, const struct km_shape *shape, const struct km_json *v)
{
    bool all;

    if (!km_json_bool(v, &all))
        return put(l, shape->of, v);
    km_buf_str(l->out, all ? KM_STR("{}") : KM_STR("{\"not\":{}}"));
    l->mended = true;
    return true;
}

static bool put_either(struct look *l, const struct km_shape *shape, const struct km_json *v)
{
    const struct look before = *l;
    const size_t n = l->out->n;

    if (put(l, shape->of, v))
        return true;
    if (!km_buf_failed(l->out))
        l->out->n = n;
    *l = before;
    return put(l, shape->other, v);
}

static bool put_root(struct look *l, const struct km_shape *shape, const struct km_json *v)
{
    const size_t n = l->out->n;
    const bool mended = l->mended;

    l->root = v;
    if (!put(l, shape->other, v) || km_buf_failed(l->out))
        return false;
    l->out->n = n; /* it was but looked at */
    l->mended = mended;
    return put(l, shape->of, v);
}

static bool put(struct look *l, const struct km_shape *shape, const struct km_json *v)
{
    switch (shape->kind) {
    case KM_SHAPE_OBJECT:
        return put_object(l, shape, v);
    case KM_SHAPE_MAP:
        return put_map(l, shape, v);
    case KM_SHAPE_LIST:
        return put_list(l, shape, v);
    case KM_SHAPE_SCHEMA:
        return put_schema(l, shape, v);
    case KM_SHAPE_EITHER:
        return put_either(l, shape, v);
    case KM_SHAPE_ROOT:
        return put_root(l, shape, v);
    default:
        km_json_write(v, l->out);
        return is_leaf(l, shape, v) || bad(l, shape->said);
    }
}

enum km_shape_verdict km_shape_look(enum km_mcp_list list, const struct km_json *item,
                                    struct km_buf *out, char why[KM_SHAPE_WHY])
{
    struct look l = { .out = out, .why = why };

    if (!put(&l, &km_shapes[list], item))
        return KM_SHAPE_BAD;
    return l.mended ? KM_SHAPE_MENDED : KM_SHAPE_GOOD;
}
