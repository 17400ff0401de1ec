/* SPDX-License-Identifier: Apache-2.0 */
/* read.c - see read.h.
 *
 * A request's members are read by these or not at all: so a wrong type is always an error that
 * names its place, and never a value taken for another.
 */
#include "http/json_take.h"
#include "llm/api/read.h"

struct km_str km_place_of(const struct km_place *at, struct km_arena *arena)
{
    struct km_str up;

    if (!at)
        return KM_STR_NONE;
    up = km_place_of(at->up, arena);
    if (!at->name)
        return km_arena_printf(arena, "%.*s[%zu]", KM_STR_ARG(up), at->index);
    return up.n ? km_arena_printf(arena, "%.*s.%s", KM_STR_ARG(up), at->name)
                : km_arena_str(arena, km_str_c(at->name));
}

static int fail_at(const struct km_reading *r, int code, const struct km_place *at, const char *why)
{
    const char *where = km_arena_cstr(r->arena, km_place_of(at, r->arena));

    return km_fail_param(r->err, code, where, "'%s' %s.", where, why);
}

int km_read_bad(const struct km_reading *r, const struct km_place *at, const char *why)
{
    return fail_at(r, KM_E_INVALID, at, why);
}

int km_read_refuse(const struct km_reading *r, const struct km_place *at, const char *why)
{
    return fail_at(r, KM_E_UNSUPPORTED, at, why);
}

int km_read_nomem(const struct km_reading *r)
{
    return km_fail(r->err, KM_E_NOMEM, "out of memory");
}

int km_read_string(const struct km_reading *r, const struct km_place *at, const struct km_json *v,
                   struct km_str *ret)
{
    if (!km_given(v) || km_json_string(v, ret))
        return 0;
    return km_read_bad(r, at, "must be a string");
}

int km_read_needed(const struct km_reading *r, const struct km_place *at, const struct km_json *v,
                   struct km_str *ret)
{
    struct km_str s;

    if (!km_json_string(v, &s))
        return km_read_bad(r, at, "must be a string");
    if (!s.n)
        return km_read_bad(r, at, "must not be empty");
    *ret = s;
    return 0;
}

int km_read_bool(const struct km_reading *r, const struct km_place *at, const struct km_json *v,
                 bool *ret)
{
    if (!km_given(v) || km_json_bool(v, ret))
        return 0;
    return km_read_bad(r, at, "must be true or false");
}

int km_read_number(const struct km_reading *r, const struct km_place *at, const struct km_json *v,
                   struct km_str *ret)
{
    if (!km_given(v) || km_json_number(v, ret))
        return 0;
    return km_read_bad(r, at, "must be a number");
}

int km_read_i64(const struct km_reading *r, const struct km_place *at, const struct km_json *v,
                int64_t low, int64_t high, int64_t *ret)
{
    int64_t n;

    if (!km_given(v))
        return 0;
    if (!km_json_i64(v, &n) || n < low || n > high) {
        struct km_str why = km_arena_printf(r->arena, "must be an integer from %lld to %lld",
                                            (long long)low, (long long)high);

        return km_read_bad(r, at, km_arena_cstr(r->arena, why));
    }
    *ret = n;
    return 0;
}

int km_read_object(const struct km_reading *r, const struct km_place *at, const struct km_json *v,
                   struct km_str *ret)
{
    if (!km_given(v))
        return 0;
    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_bad(r, at, "must be an object");
    *ret = km_json_take_compact(v, r->arena);
    return ret->n ? 0 : km_read_nomem(r);
}

int km_read_array(const struct km_reading *r, const struct km_place *at, const struct km_json *v)
{
    if (!km_given(v) || km_json_kind(v) == KM_JSON_ARRAY)
        return 0;
    return km_read_bad(r, at, "must be an array");
}

int km_read_object_text(const struct km_reading *r, const struct km_place *at, struct km_str text,
                        struct km_str *ret)
{
    const struct km_json *root;

    if (!km_str_trim(text).n) {
        *ret = KM_STR("{}");
        return 0;
    }
    if (km_json_parse_answer(r->arena, text, &root, NULL) < 0 ||
        km_json_kind(root) != KM_JSON_OBJECT)
        return km_arena_overflowed(r->arena) ? km_read_nomem(r)
                                             : km_read_bad(r, at, "must be the text of an object");
    *ret = km_json_take_compact(root, r->arena);
    return ret->n ? 0 : km_read_nomem(r);
}

int km_read_url(const struct km_reading *r, const struct km_place *at, struct km_str url,
                struct km_media *ret)
{
    struct km_err why = { 0 };
    const char *where;

    if (km_media_from_url(ret, url, &why) == 0)
        return 0;
    where = km_arena_cstr(r->arena, km_place_of(at, r->arena));
    return km_fail_param(r->err, KM_E_INVALID, where, "'%s': %s.", where, why.text);
}

int km_read_cache(const struct km_json *v)
{
    const struct km_json *member;
    struct km_json_iter it;
    struct km_str key, ttl;
    bool hour = false;

    if (!km_given(v) || km_json_kind(v) == KM_JSON_FALSE)
        return 0;
    for (km_json_iter(v, &it); km_json_next(&it, &key, &member);) {
        bool said = km_str_eq(key, KM_STR("ttl")) && km_json_string(member, &ttl);
        bool is_hour = said && km_str_eq(ttl, KM_STR("1h"));

        hour = hour || is_hour;
        if (!said || is_hour || km_str_eq(ttl, KM_STR("5m")))
            km_json_take_this(member); /* another life is told: nobody else has it */
    }
    return hour ? 3600 : 300;
}
