/* SPDX-License-Identifier: Apache-2.0 */
/* columns.c - see columns.h for the contract.
 *
 * A column's kind says how it is read and shown, and its errors name the member as the request said
 * it.  Numbers have -1 for "none" and are null in JSON; money is decimal text in nano-USD, so that
 * no sum passes through a floating-point number.
 */
#include "admin/columns.h"

#include "base/encode.h"

#define OBJECT_BYTES (64 * 1024)

bool km_column_inert(const struct km_json *v)
{
    enum km_json_type t = km_json_kind(v);

    return t == KM_JSON_NULL || t == KM_JSON_FALSE ||
           ((t == KM_JSON_OBJECT || t == KM_JSON_ARRAY) && km_json_count(v) == 0);
}

int km_column_wrong(struct km_err *err, const char *name, const char *what)
{
    return km_fail_param(err, KM_E_INVALID, name, "'%s' must be %s.", name, what);
}

/* Lines of a longer text are divided and indented by some. */
static bool has_controls(struct km_str s, bool lines)
{
    for (size_t i = 0; i < s.n; i++) {
        const unsigned char c = (unsigned char)s.p[i];

        if ((c < 0x20 && !(lines && (c == '\n' || c == '\r' || c == '\t'))) || c == 0x7f)
            return true;
    }
    return false;
}

/* Of a list are names: tags, models. */
static bool value_has_controls(const struct km_json *v, bool lines)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str text;

    if (km_json_string(v, &text))
        return has_controls(text, lines);
    for (km_json_iter(v, &it); km_json_next(&it, &text, &item);)
        if (has_controls(text, false) ||
            value_has_controls(item, km_json_kind(v) == KM_JSON_OBJECT))
            return true;
    return false;
}

int km_column_check_value(const char *said, const struct km_json *v, struct km_err *err)
{
    return value_has_controls(v, true) ? km_column_wrong(err, said, "without control characters")
                                       : 0;
}

static int check_text(const char *said, struct km_str s, struct km_err *err)
{
    if (s.n > KM_COLUMN_TEXT_BYTES)
        return km_fail_param(err, KM_E_INVALID, said, "'%s' has a text of more than %d bytes.",
                             said, KM_COLUMN_TEXT_BYTES);
    return has_controls(s, false) ? km_column_wrong(err, said, "without control characters") : 0;
}

static int read_money(const char *said, const struct km_json *v, int64_t *at, struct km_err *err)
{
    struct km_str text;

    if (km_json_kind(v) == KM_JSON_NULL) {
        *at = -1;
        return 0;
    }
    if (!km_json_number(v, &text) || km_str_decimal(text, 9, at) < 0)
        return km_column_wrong(err, said, "a non-negative number of USD, or null");
    return 0;
}

static int read_count(const char *said, const struct km_json *v, int64_t *at, struct km_err *err)
{
    if (km_json_kind(v) == KM_JSON_NULL) {
        *at = -1;
        return 0;
    }
    if (!km_json_i64(v, at) || *at < 0)
        return km_column_wrong(err, said, "a non-negative integer, or null");
    return 0;
}

static int read_list(const char *said, const struct km_json *v, struct km_arena *arena,
                     struct km_str_list *at, struct km_err *err)
{
    struct km_json_iter it;
    struct km_str key, *items;
    const struct km_json *item;
    size_t n = 0;

    *at = (struct km_str_list){ 0 };
    if (km_json_kind(v) == KM_JSON_NULL)
        return 0;
    if (km_json_kind(v) != KM_JSON_ARRAY)
        return km_column_wrong(err, said, "an array of strings");
    items = km_arena_alloc(arena, (km_json_count(v) + 1) * sizeof *items);
    if (!items)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item);)
        if (!km_json_string(item, &items[n++]))
            return km_column_wrong(err, said, "an array of strings");
        else if (check_text(said, items[n - 1], err) < 0)
            return KM_E_INVALID;
    *at = (struct km_str_list){ items, n };
    return 0;
}

/* Windows are a list; what else is kept as JSON is an object. */
static int read_object(const char *said, const struct km_json *v, struct km_arena *arena,
                       struct km_str *at, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(OBJECT_BYTES);
    bool list = strcmp(said, "budget_limits") == 0;

    if (km_json_kind(v) == KM_JSON_NULL) {
        *at = KM_STR_NONE;
        return 0;
    }
    if (km_json_kind(v) != (list ? KM_JSON_ARRAY : KM_JSON_OBJECT))
        return km_column_wrong(err, said, list ? "an array of objects" : "an object");
    if (km_column_check_value(said, v, err) < 0)
        return KM_E_INVALID;
    km_json_write(v, &text);
    if (km_buf_failed(&text))
        return km_column_wrong(err, said, "at most 64 KiB");
    *at = km_arena_str(arena, km_buf_view(&text));
    return 0;
}

static int read_flag(const char *said, const struct km_json *v, bool *at, struct km_err *err)
{
    *at = km_json_kind(v) == KM_JSON_TRUE;
    return km_column_inert(v) || *at ? 0 : km_column_wrong(err, said, "true or false");
}

static int read_time(const char *said, const struct km_json *v, int64_t *at, struct km_err *err)
{
    struct km_str text;

    *at = 0;
    if (km_json_kind(v) == KM_JSON_NULL)
        return 0;
    if (!km_json_string(v, &text) || km_time_parse_iso(text, at) < 0)
        return km_column_wrong(err, said, "a time like 2026-01-31T09:30:00Z, or null");
    return 0;
}

static int read_text(const char *said, const struct km_json *v, struct km_str *at,
                     struct km_err *err)
{
    *at = KM_STR_NONE;
    if (km_json_kind(v) == KM_JSON_NULL)
        return 0;
    if (!km_json_string(v, at))
        return km_column_wrong(err, said, "a string, or null");
    return check_text(said, *at, err);
}

int km_column_read(const struct km_key_column *c, const char *said, const struct km_json *v,
                   struct km_arena *arena, void *row, struct km_err *err)
{
    void *at = (char *)row + c->offset;

    switch (c->kind) {
    case KM_KEY_COUNT:
        return read_count(said, v, at, err);
    case KM_KEY_MONEY:
        return read_money(said, v, at, err);
    case KM_KEY_FLAG:
        return read_flag(said, v, at, err);
    case KM_KEY_OBJECT:
        return read_object(said, v, arena, at, err);
    case KM_KEY_LIST:
        return read_list(said, v, arena, at, err);
    case KM_KEY_TIME:
        return read_time(said, v, at, err);
    default:
        return read_text(said, v, at, err);
    }
}

int km_column_duration(const char *said, const struct km_json *v, struct km_str *ret_text,
                       int64_t *ret_seconds, struct km_err *err)
{
    *ret_text = KM_STR_NONE;
    *ret_seconds = 0;
    if (km_json_kind(v) != KM_JSON_NULL &&
        (!km_json_string(v, ret_text) || km_time_parse_duration(*ret_text, ret_seconds) < 0))
        return km_column_wrong(err, said,
                               "like '30s', '30m', '30h', '30d', '1w' or '1mo', or null");
    return 0;
}

void km_column_write_time(struct km_buf *out, const char *name, int64_t us)
{
    char text[KM_TIME_ISO_LEN + 1];

    km_buf_printf(out, ",\"%s\":", name);
    if (us == 0) {
        km_buf_str(out, KM_STR("null"));
        return;
    }
    km_time_iso(us, text);
    km_buf_json(out, km_str_c(text));
}

void km_column_write_money(struct km_buf *out, const char *name, int64_t nanousd)
{
    char text[32];

    km_buf_printf(out, ",\"%s\":", name);
    if (nanousd < 0) {
        km_buf_str(out, KM_STR("null"));
        return;
    }
    km_money_text(nanousd, text);
    km_buf_str(out, km_str_c(text));
    if (km_str_chr(km_str_c(text), '.') == strlen(text))
        km_buf_str(out, KM_STR(".0"));
}

static void write_count(struct km_buf *out, const char *name, int64_t n)
{
    if (n < 0)
        km_buf_printf(out, ",\"%s\":null", name);
    else
        km_buf_printf(out, ",\"%s\":%lld", name, (long long)n);
}

void km_column_write_text(struct km_buf *out, const char *name, struct km_str s)
{
    km_buf_printf(out, ",\"%s\":", name);
    if (s.n)
        km_buf_json(out, s);
    else
        km_buf_str(out, KM_STR("null"));
}

void km_column_write(struct km_buf *out, const char *name, const struct km_key_column *c,
                     const void *row)
{
    const void *at = (const char *)row + c->offset;
    const struct km_str *text = at;
    const struct km_str_list *list = at;

    switch (c->kind) {
    case KM_KEY_TEXT:
        km_column_write_text(out, name, *text);
        break;
    case KM_KEY_OBJECT:
        km_buf_printf(out, ",\"%s\":", name);
        if (text->n)
            km_buf_str(out, *text);
        else
            km_buf_str(out, strcmp(name, "budget_limits") == 0 ? KM_STR("null") : KM_STR("{}"));
        break;
    case KM_KEY_LIST:
        km_buf_printf(out, ",\"%s\":", name);
        km_buf_json_list(out, list->v, list->n);
        break;
    case KM_KEY_MONEY:
        km_column_write_money(out, name, *(const int64_t *)at);
        break;
    case KM_KEY_FLAG:
        km_buf_printf(out, ",\"%s\":%s", name, *(const bool *)at ? "true" : "null");
        break;
    case KM_KEY_TIME:
        km_column_write_time(out, name, *(const int64_t *)at);
        break;
    default:
        write_count(out, name, *(const int64_t *)at);
        break;
    }
}

void km_extra_keep(struct km_buf *extra, struct km_str name, const struct km_json *v)
{
    km_buf_byte(extra, extra->n ? ',' : '{');
    km_buf_json(extra, name);
    km_buf_byte(extra, ':');
    km_json_write(v, extra);
}

void km_extra_keep_old(struct km_admin *a, struct km_str old, struct km_buf *extra)
{
    const struct km_json *root, *v;
    struct km_json_iter it;
    struct km_str name;

    if (!old.n || km_json_parse(&a->arena, old, &root, NULL) < 0)
        return;
    for (km_json_iter(root, &it); km_json_next(&it, &name, &v);)
        if (!km_json_get(a->body, km_arena_cstr(&a->arena, name)))
            km_extra_keep(extra, name, v);
}

int km_extra_end(struct km_admin *a, struct km_buf *extra, struct km_str *ret, struct km_err *err)
{
    *ret = KM_STR_NONE;
    if (!extra->n)
        return 0;
    km_buf_byte(extra, '}');
    if (km_buf_failed(extra))
        return km_fail(err, KM_E_LIMIT, "The fields without a meaning here are over 64 KiB.");
    *ret = km_arena_str(&a->arena, km_buf_view(extra));
    return 0;
}

bool km_column_listed(const char *const *list, struct km_str name)
{
    for (; *list; list++)
        if (km_str_eq(km_str_c(*list), name))
            return true;
    return false;
}
