/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - yyjson behind our own names.
 *
 * yyjson is asked to keep numbers as text: prices and ids must not pass through a double.  Its
 * memory comes from the call's arena (grow by copy, free is nothing), so a tree costs no clean-up
 * and cannot outgrow the call's bound.
 */
#include "http/json.h"

#include <yyjson.h>

static void *arena_malloc(void *ctx, size_t n)
{
    return km_arena_alloc(ctx, n);
}

static void *arena_realloc(void *ctx, void *p, size_t old, size_t n)
{
    void *q = km_arena_alloc(ctx, n);

    if (q && p)
        memcpy(q, p, old < n ? old : n);
    return q;
}

static void arena_free(void *ctx, void *p)
{
    (void)ctx;
    (void)p;
}

/* 1-based line and column of a place. */
static void place_of(struct km_str text, size_t at, size_t *line, size_t *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < at && i < text.n; i++) {
        *column = text.p[i] == '\n' ? 1 : *column + 1;
        *line += text.p[i] == '\n';
    }
}

int km_json_parse(struct km_arena *arena, struct km_str text, const struct km_json **ret_root,
                  struct km_err *err)
{
    const struct km_json *root;
    int r = km_json_parse_answer(arena, text, &root, err);

    if (r == 0)
        r = km_json_unique(root, arena, err);
    if (r == 0)
        *ret_root = root;
    return r;
}

int km_json_parse_answer(struct km_arena *arena, struct km_str text,
                         const struct km_json **ret_root, struct km_err *err)
{
    yyjson_alc alc = { arena_malloc, arena_realloc, arena_free, arena };
    yyjson_read_err why = { 0 };
    yyjson_doc *doc;
    size_t line, column;

    if (text.n == 0)
        return km_fail(err, KM_E_INVALID, "Invalid JSON payload: it is empty");
    /* The flag set has no INSITU: the input stays untouched. */
    doc =
        yyjson_read_opts((char *)(uintptr_t)text.p, text.n, YYJSON_READ_NUMBER_AS_RAW, &alc, &why);
    if (doc) {
        *ret_root = (const struct km_json *)yyjson_doc_get_root(doc);
        return 0;
    }
    if (why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return km_fail(err, KM_E_NOMEM, "out of memory for the JSON body");
    place_of(text, why.pos, &line, &column);
    return km_fail(err, KM_E_INVALID, "Invalid JSON payload: %s: line %zu column %zu (char %zu)",
                   why.msg, line, column, why.pos);
}

static yyjson_val *val(const struct km_json *v)
{
    return (yyjson_val *)(uintptr_t)v;
}

enum km_json_type km_json_kind(const struct km_json *v)
{
    switch (yyjson_get_type(val(v))) {
    case YYJSON_TYPE_NULL:
        return KM_JSON_NULL;
    case YYJSON_TYPE_BOOL:
        return yyjson_is_true(val(v)) ? KM_JSON_TRUE : KM_JSON_FALSE;
    case YYJSON_TYPE_RAW:
    case YYJSON_TYPE_NUM:
        return KM_JSON_NUMBER;
    case YYJSON_TYPE_STR:
        return KM_JSON_STRING;
    case YYJSON_TYPE_ARR:
        return KM_JSON_ARRAY;
    case YYJSON_TYPE_OBJ:
        return KM_JSON_OBJECT;
    default:
        return KM_JSON_ABSENT;
    }
}

const struct km_json *km_json_member(const struct km_json *object, struct km_str name)
{
    return (const struct km_json *)yyjson_obj_getn(val(object), name.p, name.n);
}

size_t km_json_count(const struct km_json *v)
{
    return yyjson_is_arr(val(v)) ? yyjson_arr_size(val(v)) : yyjson_obj_size(val(v));
}

void km_json_iter(const struct km_json *v, struct km_json_iter *it)
{
    it->object = yyjson_is_obj(val(v));
    it->left = km_json_count(v);
    it->next = it->left ? (const struct km_json *)unsafe_yyjson_get_first(val(v)) : NULL;
}

bool km_json_next(struct km_json_iter *it, struct km_str *ret_key, const struct km_json **ret_item)
{
    yyjson_val *item = val(it->next);

    if (it->left == 0)
        return false;
    it->left--;
    *ret_key = KM_STR_NONE;
    if (it->object) {
        *ret_key = km_str(yyjson_get_str(item), yyjson_get_len(item));
        item++;   /* a member's value follows its key */
    }
    *ret_item = (const struct km_json *)item;
    it->next = it->left ? (const struct km_json *)unsafe_yyjson_get_next(item) : NULL;
    return true;
}

bool km_json_within(const struct km_json *v, int levels)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    if (km_json_kind(v) != KM_JSON_OBJECT && km_json_kind(v) != KM_JSON_ARRAY)
        return true;
    if (levels == 0)
        return false;
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item);)
        if (!km_json_within(item, levels - 1))
            return false;
    return true;
}

bool km_json_string(const struct km_json *v, struct km_str *ret)
{
    if (!yyjson_is_str(val(v)))
        return false;
    *ret = km_str(yyjson_get_str(val(v)), yyjson_get_len(val(v)));
    return true;
}

bool km_json_bool(const struct km_json *v, bool *ret)
{
    if (!yyjson_is_bool(val(v)))
        return false;
    *ret = yyjson_get_bool(val(v));
    return true;
}

bool km_json_number(const struct km_json *v, struct km_str *ret)
{
    if (!yyjson_is_raw(val(v)))
        return false;
    *ret = km_str(yyjson_get_raw(val(v)), yyjson_get_len(val(v)));
    return true;
}

bool km_json_i64(const struct km_json *v, int64_t *ret)
{
    struct km_str text;
    bool negative;

    if (!km_json_number(v, &text))
        return false;
    if (km_str_i64(text, ret) == 0)
        return true;
    /* 5.0 and 1e3 are integers too; 1.5 is not one, so its tenths must be zero. */
    negative = text.p[0] == '-';
    if (negative)
        text = km_str_skip(text, 1);
    int64_t tenths;

    if (km_str_decimal(text, 1, &tenths) < 0 || tenths % 10 != 0)
        return false;
    *ret = negative ? -(tenths / 10) : tenths / 10;
    return true;
}

static void write_value(const struct km_json *v, struct km_buf *out, int depth);

static void write_members(const struct km_json *v, struct km_buf *out, int depth)
{
    struct km_json_iter it;
    struct km_str key;
    const struct km_json *item;
    bool first = true;

    for (km_json_iter(v, &it); km_json_next(&it, &key, &item); first = false) {
        if (!first)
            km_buf_byte(out, ',');
        if (it.object) {
            km_buf_json(out, key);
            km_buf_byte(out, ':');
        }
        write_value(item, out, depth);
    }
}

/* What nests deeper than KM_JSON_DEPTH is not written: recursion follows the input. */
static void write_value(const struct km_json *v, struct km_buf *out, int depth)
{
    struct km_str s;

    switch (depth > KM_JSON_DEPTH ? KM_JSON_NULL : km_json_kind(v)) {
    case KM_JSON_TRUE:
        km_buf_str(out, KM_STR("true"));
        break;
    case KM_JSON_FALSE:
        km_buf_str(out, KM_STR("false"));
        break;
    case KM_JSON_NUMBER:
        if (km_json_number(v, &s))
            km_buf_str(out, s);
        break;
    case KM_JSON_STRING:
        if (km_json_string(v, &s))
            km_buf_json(out, s);
        break;
    case KM_JSON_ARRAY:
        km_buf_byte(out, '[');
        write_members(v, out, depth + 1);
        km_buf_byte(out, ']');
        break;
    case KM_JSON_OBJECT:
        km_buf_byte(out, '{');
        write_members(v, out, depth + 1);
        km_buf_byte(out, '}');
        break;
    default:
        km_buf_str(out, KM_STR("null"));
    }
}

void km_json_write(const struct km_json *v, struct km_buf *out)
{
    write_value(v, out, 0);
}

struct km_str km_json_compact(const struct km_json *v, struct km_arena *arena)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(arena->cap);

    km_json_write(v, &text);
    if (km_buf_failed(&text))
        arena->overflow = true;
    return km_buf_failed(&text) ? KM_STR_NONE : km_arena_str(arena, km_buf_view(&text));
}
