/* SPDX-License-Identifier: Apache-2.0 */
/* header_check.c - see header_check.h for the contract.
 *
 * A value that a header cannot hold travels as "=?base64?...?=" and is compared decoded; one that
 * only looks like it but does not decode is a mismatch.  Numbers are compared as numbers where
 * both are integers (a client may write 7 for 7.0), everything else byte by byte.
 *
 * Marked properties are found by walking `properties` only, as deep as a message may be: what
 * hides behind $ref or anyOf is not statically there, and its tool is not offered with a mark.
 */
#include "mcp/header_check.h"

#include "base/encode.h"

#define VALUE_BYTES ((size_t)64 * 1024)
#define MARKS_MOST 64

bool km_http_is_json(struct km_str type)
{
    return km_str_ieq(km_str_trim(km_str_sub(type, 0, km_str_chr(type, ';'))),
                      KM_STR("application/json"));
}

static bool covers(struct km_str range, struct km_str type)
{
    size_t slash = km_str_chr(type, '/');

    if (km_str_eq(range, KM_STR("*/*")) || km_str_ieq(range, type))
        return true;
    return range.n == slash + 2 && range.p[slash + 1] == '*' &&
           km_str_ieq(km_str_sub(range, 0, slash + 1), km_str_sub(type, 0, slash + 1));
}

bool km_http_accepts(const struct km_headers *headers, struct km_str type)
{
    struct km_str part, rest;
    bool any = false;

    for (size_t i = 0; i < headers->n; i++) {
        if (!km_str_ieq(headers->v[i].name, KM_STR("accept")))
            continue;
        any = true;
        for (rest = headers->v[i].value; km_str_split(&rest, ',', &part);)
            if (covers(km_str_trim(km_str_sub(part, 0, km_str_chr(part, ';'))), type))
                return true;
    }
    return !any;
}

static bool same_integer(struct km_str a, struct km_str b)
{
    int64_t x, y;

    return km_str_i64(a, &x) == 0 && km_str_i64(b, &y) == 0 && x == y;
}

static bool same_value(struct km_str header, struct km_str value)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(VALUE_BYTES);
    struct km_str open = KM_STR("=?base64?"), close = KM_STR("?=");

    if (header.n < open.n + close.n || !km_str_starts(header, open) || !km_str_ends(header, close))
        return km_str_eq(header, value);
    header = km_str_sub(header, open.n, header.n - open.n - close.n);
    return header.n % 4 == 0 && km_buf_unbase64(&b, header) == 0 &&
           km_str_eq(km_buf_view(&b), value);
}

/* Which member of params Mcp-Name repeats; NULL: the method has none. */
static const char *named_by(struct km_str method)
{
    static const struct {
        struct km_str method;
        const char *member;
    } rows[] = {
        { { "tools/call", 10 }, "name" },     { { "prompts/get", 11 }, "name" },
        { { "resources/read", 14 }, "uri" },  { { "tasks/get", 9 }, "taskId" },
        { { "tasks/update", 12 }, "taskId" }, { { "tasks/cancel", 12 }, "taskId" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (km_str_eq(rows[i].method, method))
            return rows[i].member;
    return NULL;
}

const char *km_mcp_header_mismatch(const struct km_headers *headers,
                                   const struct km_rpc_message *msg)
{
    const char *member = named_by(msg->method);
    struct km_str name = KM_STR_NONE;

    if (km_header_count(headers, KM_STR("mcp-method")) != 1 ||
        !km_str_eq(km_header_get(headers, KM_STR("mcp-method")), msg->method))
        return "Mcp-Method is missing or differs from the body's method";
    if (!member || !km_json_string(km_json_get(msg->params, member), &name))
        return NULL;
    if (km_header_count(headers, KM_STR("mcp-name")) != 1 ||
        !same_value(km_header_get(headers, KM_STR("mcp-name")), name))
        return "Mcp-Name is missing or differs from what the body names";
    return NULL;
}

/* The argument as the text a header has for it; false: there is none to compare. */
static bool text_of(const struct km_json *v, struct km_str *ret)
{
    bool b;

    if (km_json_string(v, ret) || km_json_number(v, ret))
        return true;
    if (!km_json_bool(v, &b))
        return false;
    *ret = b ? KM_STR("true") : KM_STR("false");
    return true;
}

static const char *check_one(struct km_arena *arena, const struct km_headers *headers,
                             struct km_str mark, const struct km_json *value)
{
    struct km_str name = km_arena_cat(arena, (struct km_str[]){ KM_STR("mcp-param-"), mark }, 2);
    struct km_str header = km_header_get(headers, name), text;
    size_t n = km_header_count(headers, name);

    if (!text_of(value, &text))
        return n ? "a Mcp-Param header repeats an argument that is not there" : NULL;
    if (n != 1)
        return "a Mcp-Param header of this tool is missing";
    if (km_json_kind(value) == KM_JSON_NUMBER && same_integer(header, text))
        return NULL;
    return same_value(header, text) ? NULL : "a Mcp-Param header differs from its argument";
}

static const char *walk(struct km_arena *arena, const struct km_headers *headers,
                        const struct km_json *schema, const struct km_json *args, unsigned depth,
                        unsigned *left)
{
    const struct km_json *properties = km_json_get(schema, "properties"), *p;
    struct km_json_iter it;
    struct km_str key, mark;
    const char *why = NULL;

    if (depth > KM_JSON_DEPTH || km_json_kind(properties) != KM_JSON_OBJECT)
        return NULL;
    for (km_json_iter(properties, &it); !why && km_json_next(&it, &key, &p);) {
        const struct km_json *value = args ? km_json_get(args, km_arena_cstr(arena, key)) : NULL;

        if (km_json_string(km_json_get(p, "x-mcp-header"), &mark) && *left) {
            --*left;
            why = check_one(arena, headers, mark, value);
        } else if (!why) {
            why = walk(arena, headers, p, value, depth + 1, left);
        }
    }
    return why;
}

const char *km_mcp_param_mismatch(struct km_arena *arena, const struct km_headers *headers,
                                  const struct km_json *schema, const struct km_json *args)
{
    unsigned left = MARKS_MOST;

    return walk(arena, headers, schema, args, 0, &left);
}

bool km_mcp_has_params(const struct km_headers *headers)
{
    static const struct km_str prefix = { "mcp-param-", 10 };

    for (size_t i = 0; i < headers->n; i++)
        if (km_str_ieq(km_str_sub(headers->v[i].name, 0, prefix.n), prefix))
            return true;
    return false;
}

/* --- what a server marks --- */

struct marks {
    struct km_str v[MARKS_MOST];
    size_t n;
    bool bad;
};

static bool is_token(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
              (s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] && strchr("!#$%&'*+-.^_`|~", s.p[i]))))
            return false;
    return s.n > 0;
}

static void take_mark(struct marks *m, const struct km_json *property, const struct km_json *mark)
{
    struct km_str name, type = KM_STR_NONE;

    (void)km_json_string(km_json_get(property, "type"), &type);
    if (m->n == MARKS_MOST || !km_json_string(mark, &name) || !is_token(name) ||
        !(km_str_eq(type, KM_STR("string")) || km_str_eq(type, KM_STR("integer")) ||
          km_str_eq(type, KM_STR("boolean")))) {
        m->bad = true;
        return;
    }
    for (size_t i = 0; i < m->n; i++)
        m->bad = m->bad || km_str_ieq(m->v[i], name);
    m->v[m->n++] = name;
}

/* reached: every call has it at this place, if it has it. */
static void find_marks(struct marks *m, const struct km_json *node, bool reached, unsigned depth)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    if (depth > KM_JSON_DEPTH || m->bad)
        return;
    for (km_json_iter(node, &it); km_json_next(&it, &key, &item);) {
        struct km_json_iter of;
        const struct km_json *property, *mark;
        struct km_str name;

        if (!reached || !km_str_eq(key, KM_STR("properties"))) {
            if (km_str_eq(key, KM_STR("x-mcp-header")) && km_json_kind(item) != KM_JSON_OBJECT)
                m->bad = m->bad || !reached || depth == 0;
            else if (!km_str_eq(key, KM_STR("x-mcp-header")))
                find_marks(m, item, false, depth + 1);
            continue;
        }
        for (km_json_iter(item, &of); km_json_next(&of, &name, &property);) {
            mark = km_json_get(property, "x-mcp-header");
            if (mark)
                take_mark(m, property, mark);
            find_marks(m, property, true, depth + 1);
        }
    }
}

bool km_mcp_param_marks_valid(const struct km_json *schema)
{
    struct marks m = { 0 };

    find_marks(&m, schema, true, 0);
    return !m.bad;
}
