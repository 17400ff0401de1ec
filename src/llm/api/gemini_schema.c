/* SPDX-License-Identifier: Apache-2.0 */
/* gemini_schema.c - Google's Schema (a subset of OpenAPI 3.0) as JSON Schema.
 *
 *     {"type":"OBJECT","nullable":true,...}    ->  {"type":["object","null"],...}
 *     "minLength":"1"                          ->  "minLength":1     (protobuf writes int64 so)
 *     propertyOrdering, example                ->  gone
 *
 * All else stands as it is, the schemas below `properties`, `items`, `anyOf` and the like turned
 * in the same way.  A schema that is JSON Schema already comes out unchanged.
 */
#include "http/json_take.h"
#include "http/json_out.h"
#include "llm/api/gemini.h"

#define DEPTH 30 /* of schemas; each may open two brackets (KM_OUT_DEPTH) */
#define SCHEMA_MAX ((size_t)4 * 1024 * 1024)

static int turn(const struct km_reading *rd, const struct km_place *at, const struct km_json *v,
                unsigned depth, struct km_json_out *out);

static void put_type(struct km_json_out *out, struct km_str type, bool nullable)
{
    char lower[32];
    size_t n = type.n < sizeof lower ? type.n : 0;

    for (size_t i = 0; i < n; i++)
        lower[i] = type.p[i] >= 'A' && type.p[i] <= 'Z' ? (char)(type.p[i] | 0x20) : type.p[i];
    km_out_key(out, "type");
    if (nullable) {
        km_out_open(out, '[');
        km_out_str(out, km_str(lower, n));
        km_out_cstr(out, "null");
        km_out_close(out, ']');
    } else {
        km_out_str(out, km_str(lower, n));
    }
}

static bool is_one_of(struct km_str name, const char *const *names)
{
    for (size_t i = 0; names[i]; i++)
        if (km_str_eq(name, km_str_c(names[i])))
            return true;
    return false;
}

/* An object whose members are schemas, or an array of schemas. */
static int turn_many(const struct km_reading *rd, const struct km_place *at,
                     const struct km_json *v, unsigned depth, struct km_json_out *out)
{
    bool object = km_json_kind(v) == KM_JSON_OBJECT;
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    km_out_open(out, object ? '{' : '[');
    km_json_iter(v, &it);
    while (r == 0 && km_json_next(&it, &key, &item)) {
        if (object) {
            km_json_take_this(item);
            km_out_key_str(out, key);
        }
        r = turn(rd, at, item, depth, out);
    }
    km_out_close(out, object ? '}' : ']');
    return r;
}

static int put_member(const struct km_reading *rd, const struct km_place *at, struct km_str key,
                      const struct km_json *v, unsigned depth, struct km_json_out *out)
{
    static const char *const one[] = { "items", "not", "additionalProperties", NULL };
    static const char *const many[] = { "properties", "anyOf",       "oneOf", "allOf", "$defs",
                                        "defs",       "prefixItems", NULL };
    static const char *const counts[] = { "minLength", "maxLength",     "minItems",
                                          "maxItems",  "minProperties", "maxProperties", NULL };
    struct km_str text;
    int64_t n;

    km_out_key_str(out, key);
    if (is_one_of(key, one) && km_json_kind(v) == KM_JSON_OBJECT)
        return turn(rd, at, v, depth, out);
    if (is_one_of(key, many) &&
        (km_json_kind(v) == KM_JSON_OBJECT || km_json_kind(v) == KM_JSON_ARRAY))
        return turn_many(rd, at, v, depth, out);
    km_json_take_all(v);
    if (is_one_of(key, counts) && km_json_string(v, &text) && km_str_i64(text, &n) == 0)
        km_out_i64(out, n);
    else
        km_out_value(out, v);
    return 0;
}

static int turn(const struct km_reading *rd, const struct km_place *at, const struct km_json *v,
                unsigned depth, struct km_json_out *out)
{
    static const char *const gone[] = { "nullable", "propertyOrdering", "property_ordering",
                                        "example", NULL };
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, type;
    bool nullable = false;
    int r = 0;

    if (km_json_kind(v) != KM_JSON_OBJECT) { /* true and false are schemas too */
        km_out_value(out, v);
        return 0;
    }
    if (depth == DEPTH) {
        km_out_null(out);
        return km_read_bad(rd, at, "is nested too deeply");
    }
    (void)km_json_bool(km_json_take(v, "nullable"), &nullable);
    km_out_open(out, '{');
    km_json_iter(v, &it);
    while (r == 0 && km_json_next(&it, &key, &item)) {
        if (is_one_of(key, gone)) /* but for nullable they are left, and told */
            continue;
        km_json_take_this(item);
        if (km_str_eq(key, KM_STR("type")) && km_json_string(item, &type))
            put_type(out, type, nullable);
        else
            r = put_member(rd, at, key, item, depth + 1, out);
    }
    km_out_close(out, '}');
    return r;
}

int km_gemini_schema(const struct km_reading *rd, const struct km_place *at,
                     const struct km_json *schema, struct km_str *ret)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(SCHEMA_MAX);
    struct km_json_out out;
    int r;

    if (!km_given(schema))
        return 0;
    if (km_json_kind(schema) != KM_JSON_OBJECT)
        return km_read_bad(rd, at, "must be an object");
    km_json_out_init(&out, &b);
    r = turn(rd, at, schema, 0, &out);
    if (r == 0 && km_buf_failed(&b))
        r = km_read_bad(rd, at, "is too long");
    if (r == 0)
        *ret = km_arena_str(rd->arena, km_buf_view(&b));
    return r;
}
