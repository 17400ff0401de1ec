/* SPDX-License-Identifier: Apache-2.0 */
/* execution.c - see execution.h: one table, one reader.
 *
 * A header and a member of a body are the same row; they differ in how a value is written.  Each
 * is made a `struct value` first, which the row's type then takes or refuses.
 */
#include "policy/execution.h"

#include "base/encode.h"
#include "base/near.h"
#include "http/json.h"
#include "http/message.h"
#include "policy/retry.h"

struct row {
    const char *name, *header;
    enum km_execution_type type;
    int64_t least, most;
};

static const struct row rows[KM_EXECUTION_MEMBERS] = {
#define XX(MEMBER, name, header, type, least, most, help)                                          \
    [KM_EXECUTION_##MEMBER] = { name, KM_EXECUTION_HEADERS header, KM_EXECUTION_AS_##type,         \
                                least, most },
    KM_EXECUTION_TABLE(XX)
#undef XX
};

/* A value as it was given: of a header only the text, and true and false are words. */
struct value {
    const char *where; /* "kanmon.dryRun", "x-kanmon-dry-run" */
    struct km_str text; /* a string, or a number's text; of a header anything */
    bool is_string, is_number;
    int truth; /* -1: it is neither true nor false */
};

static int refuse(const struct value *v, const char *what, struct km_err *err)
{
    return km_fail_param(err, KM_E_INVALID, v->where, "'%s' must be %s.", v->where, what);
}

static int take_bool(const struct value *v, bool *ret, struct km_err *err)
{
    if (v->truth < 0)
        return refuse(v, "true or false", err);
    *ret = v->truth == 1;
    return 0;
}

static int take_retries(const struct value *v, int64_t *ret, struct km_err *err)
{
    return v->is_number && km_retries_read(v->text, ret) ? 0
                                                         : refuse(v, "an integer, 0 or more", err);
}

static int take_seconds(const struct row *row, const struct value *v, int64_t *ret,
                        struct km_err *err)
{
    int64_t ms;

    if (!v->is_number || km_str_decimal(v->text, 3, &ms) < 0 || ms < row->least || ms > row->most)
        return km_fail_param(err, KM_E_INVALID, v->where,
                             "'%s' is a number of seconds, more than 0 and at most %lld.", v->where,
                             (long long)row->most / 1000);
    *ret = ms;
    return 0;
}

static bool is_control(const char *p, size_t left)
{
    unsigned char c = (unsigned char)*p;

    return c < ' ' || c == 0x7f ||
           (c == 0xc2 && left > 1 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] < 0xa0);
}

static bool is_clean(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (is_control(s.p + i, s.n - i))
            return false;
    return km_utf8_valid(s);
}

static int take_text(const struct row *row, const struct value *v, struct km_arena *arena,
                     struct km_str *ret, struct km_err *err)
{
    if (!v->is_string || (int64_t)v->text.n < row->least || (int64_t)v->text.n > row->most ||
        !is_clean(v->text))
        return km_fail_param(
            err, KM_E_INVALID, v->where,
            "'%s' must be a text of %lld to %lld bytes without control characters.", v->where,
            (long long)row->least, (long long)row->most);
    *ret = km_arena_str(arena, v->text);
    return ret->n ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

/* Of JSON a number is one, and a name is a string. */
static int take_priority(const struct value *v, enum km_priority *ret, struct km_err *err)
{
    if ((!v->is_string && !v->is_number) || !km_priority_read(v->text, ret) ||
        *ret == KM_PRIORITY_UNSAID)
        return refuse(v, "low, medium, high or critical, or a number from 0 (first) on", err);
    return 0;
}

static int take(struct km_execution *x, enum km_execution_member m, const struct value *v,
                struct km_arena *arena, struct km_err *err)
{
    const struct row *row = &rows[m];
    int r = 0;

    switch (m) {
    case KM_EXECUTION_TIMEOUT:
        r = take_seconds(row, v, &x->timeout_ms, err);
        break;
    case KM_EXECUTION_DRY_RUN:
        r = take_bool(v, &x->dry_run, err);
        break;
    case KM_EXECUTION_CACHING:
        r = take_bool(v, &x->caching, err);
        break;
    case KM_EXECUTION_BATCHING:
        r = take_bool(v, &x->batching, err);
        break;
    case KM_EXECUTION_PRIORITY:
        r = take_priority(v, &x->priority, err);
        break;
    case KM_EXECUTION_RETRIES:
        r = take_retries(v, &x->max_retries, err);
        break;
    case KM_EXECUTION_FALLBACK:
        r = take_text(row, v, arena, &x->fallback, err);
        break;
    case KM_EXECUTION_BY:
        r = take_text(row, v, arena, &x->requested_by, err);
        break;
    case KM_EXECUTION_RESUME:
        r = take_bool(v, &x->resume, err);
        break;
    case KM_EXECUTION_MEMBERS:
        break;
    }
    if (r == 0)
        x->said |= 1U << m;
    return r;
}

/* --- objects --- */

static int unknown(const char *where, struct km_str name, struct km_arena *arena,
                   struct km_err *err)
{
    const char *param = km_arena_cstr(
        arena, km_arena_printf(arena, "%s.%.*s", where, KM_STR_ARG(km_str_sub(name, 0, 100))));

    for (int m = 0; m < KM_EXECUTION_MEMBERS; m++)
        if (km_near_miss(name, km_str_c(rows[m].name)))
            return km_fail_param(err, KM_E_INVALID, param,
                                 "'%s' has no member '%.*s'. Did you mean '%s'?", where,
                                 KM_STR_ARG(km_str_sub(name, 0, 100)), rows[m].name);
    return km_fail_param(err, KM_E_INVALID, param,
                         "'%s' has no member '%.*s'. It has timeout, dryRun, enableCaching, "
                         "enableBatching, priority, maxRetries, fallbackProvider, requestedBy and "
                         "resumeStream.",
                         where, KM_STR_ARG(km_str_sub(name, 0, 100)));
}

static int find_member(struct km_str name)
{
    for (int m = 0; m < KM_EXECUTION_MEMBERS; m++)
        if (km_str_eq(name, km_str_c(rows[m].name)))
            return m;
    return -1;
}

static int read_member(struct km_execution *x, const char *where, struct km_str name,
                       const struct km_json *v, struct km_arena *arena, struct km_err *err)
{
    struct value value = { .truth = -1 };
    int m = find_member(name);
    bool b;

    if (m < 0)
        return unknown(where, name, arena, err);
    if (km_json_kind(v) == KM_JSON_NULL)
        return 0;
    value.where = km_arena_cstr(arena, km_arena_printf(arena, "%s.%s", where, rows[m].name));
    if (!value.where)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (km_json_bool(v, &b))
        value.truth = b;
    value.is_string = km_json_string(v, &value.text);
    value.is_number = !value.is_string && km_json_number(v, &value.text);
    return take(x, (enum km_execution_member)m, &value, arena, err);
}

int km_execution_read(struct km_execution *x, const struct km_json *object, const char *where,
                      struct km_arena *arena, struct km_err *err)
{
    const struct km_json *v;
    struct km_json_iter it;
    struct km_str name;
    int r = 0;

    if (km_json_kind(object) == KM_JSON_ABSENT || km_json_kind(object) == KM_JSON_NULL)
        return 0;
    if (km_json_kind(object) != KM_JSON_OBJECT)
        return km_fail_param(err, KM_E_INVALID, where, "'%s' must be an object.", where);
    for (km_json_iter(object, &it); r == 0 && km_json_next(&it, &name, &v);)
        r = read_member(x, where, name, v, arena, err);
    return r;
}

int km_execution_read_text(struct km_execution *x, struct km_str json, const char *where,
                           struct km_arena *arena, struct km_err *err)
{
    const struct km_json *object;

    if (km_json_parse(arena, json, &object, err) < 0)
        return km_fail_param(err, KM_E_INVALID, where, "'%s' must be an object.", where);
    return km_execution_read(x, object, where, arena, err);
}

/* --- headers --- */

static bool is_ours(struct km_str name)
{
    return name.n > sizeof KM_EXECUTION_HEADERS - 1 && name.p[1] == '-' &&
           km_str_istarts(name, KM_STR(KM_EXECUTION_HEADERS));
}

bool km_execution_in_head(const struct km_headers *h)
{
    for (size_t i = 0; i < h->n; i++)
        if (is_ours(h->v[i].name))
            return true;
    return false;
}

static int read_field(struct km_execution *x, const struct km_header *h, struct km_arena *arena,
                      struct km_err *err)
{
    struct km_str text = km_str_trim(h->value);
    struct value value = { .text = text, .is_string = true, .is_number = true, .truth = -1 };

    if (km_str_ieq(text, KM_STR("true")) || km_str_eq(text, KM_STR("1")))
        value.truth = 1;
    else if (km_str_ieq(text, KM_STR("false")) || km_str_eq(text, KM_STR("0")))
        value.truth = 0;
    for (int m = 0; m < KM_EXECUTION_MEMBERS; m++) {
        value.where = rows[m].header;
        if (km_str_ieq(h->name, km_str_c(rows[m].header)))
            return x->said >> m & 1
                       ? km_fail_param(err, KM_E_INVALID, rows[m].header,
                                       "The header '%s' is there twice.", rows[m].header)
                       : take(x, (enum km_execution_member)m, &value, arena, err);
    }
    for (int m = 0; m < KM_EXECUTION_MEMBERS; m++)
        if (km_near_miss(h->name, km_str_c(rows[m].header)))
            return km_fail_param(err, KM_E_INVALID, rows[m].header,
                                 "There is no header '%.*s'. Did you mean '%s'?",
                                 KM_STR_ARG(km_str_sub(h->name, 0, 100)), rows[m].header);
    return 0;
}

int km_execution_read_head(struct km_execution *x, const struct km_headers *h,
                           struct km_arena *arena, struct km_err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < h->n; i++)
        if (is_ours(h->v[i].name))
            r = read_field(x, &h->v[i], arena, err);
    return r;
}

int km_execution_read_by(struct km_execution *x, struct km_str who, struct km_arena *arena,
                         struct km_err *err)
{
    struct km_str cut = km_utf8_cut(who, KM_REQUESTED_BY_BYTES);
    char *p;

    if (!cut.n)
        return 0;
    p = km_arena_alloc(arena, cut.n);
    if (!p)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; i < cut.n; i++)
        p[i] = is_control(cut.p + i, cut.n - i) ? ' ' : cut.p[i];
    for (size_t i = 1; i < cut.n; i++) /* what is left of one of two bytes */
        if ((unsigned char)cut.p[i - 1] == 0xc2 && p[i - 1] == ' ')
            p[i] = ' ';
    x->requested_by = km_str(p, cut.n);
    x->said |= KM_EXECUTION_BIT(BY);
    return 0;
}

/* --- what becomes of it --- */

void km_execution_bound(struct km_execution *x, const struct km_execution_settings *settings)
{
    if (km_execution_says(x, KM_EXECUTION_RETRIES) && x->max_retries > settings->max_retries) {
        x->max_retries = settings->max_retries;
        x->lowered |= KM_EXECUTION_BIT(RETRIES);
    }
}

static void put_name(int m, bool json, bool first, struct km_buf *out)
{
    if (!first)
        km_buf_str(out, json ? KM_STR(",") : KM_STR(", "));
    if (json)
        km_buf_json(out, km_str_c(rows[m].name));
    else
        km_buf_str(out, km_str_c(rows[m].name));
    km_buf_byte(out, json ? ':' : '=');
}

void km_execution_put(const struct km_execution *x, bool json, struct km_buf *out)
{
    bool first = true;

    for (int m = 0; m < KM_EXECUTION_MEMBERS; m++) {
        if (!((x->lowered | x->inactive) >> m & 1))
            continue;
        put_name(m, json, first, out);
        first = false;
        if (x->inactive >> m & 1)
            km_buf_str(out, json ? KM_STR("\"not active\"") : KM_STR("not active"));
        else if (m == KM_EXECUTION_TIMEOUT)
            km_buf_decimal(out, x->timeout_ms, 3);
        else
            km_buf_i64(out, x->max_retries);
    }
}
