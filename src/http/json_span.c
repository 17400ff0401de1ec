/* SPDX-License-Identifier: Apache-2.0 */
/* json_span.c - see json_span.h for the contract.
 *
 * There are two walks that note members.  That of json_valid.c judges the text on its way; the
 * one here is for what was judged before, or is nobody's to judge: it only needs to know where
 * each value ends.  Strings are jumped over by chunks, and what is nested is a count of brackets
 * outside strings.  The walk stays inside the source whatever the source is: text that is no
 * object after all ends in KM_E_INVALID, not in a stray read.
 *
 * What a name is, json_name.c says; what is made of the places, json_edit.c.
 */
#include "http/json_walk.h"

struct walk {
    struct km_str s;
    size_t at;
    bool escaped; /* the last string had an escape */
};

/* Between most tokens there is none. */
static inline void skip_space(struct walk *w)
{
    while (w->at < w->s.n && (unsigned char)w->s.p[w->at] <= ' ' && km_json_space(w->s.p[w->at]))
        w->at++;
}

/* The first quote or backslash from p on, or end. */
static const char *next_special(const char *p, const char *end)
{
    while (end - p >= KM_JSON_CHUNK) {
        size_t n = km_json_chunk(p, false);

        p += n;
        if (n < KM_JSON_CHUNK)
            return p;
    }
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* From the opening quote to behind the closing one. */
static bool skip_string(struct walk *w)
{
    const char *end = w->s.p + w->s.n, *p = next_special(w->s.p + w->at + 1, end);

    w->escaped = p < end && *p == '\\';
    while (p < end && *p == '\\')
        p = end - p > 2 ? next_special(p + 2, end) : end;
    if (p == end)
        return false;
    w->at = (size_t)(p - w->s.p) + 1;
    return true;
}

/* What matters in a nested value outside its strings. */
static const bool structural[256] = {
    ['"'] = true, ['{'] = true, ['}'] = true, ['['] = true, [']'] = true,
};

static int skip_nested(struct walk *w, struct km_err *err)
{
    const char *p = w->s.p;
    size_t depth = 1; /* the object around us */

    for (;;) {
        size_t at = w->at;

        while (at < w->s.n && !structural[(unsigned char)p[at]])
            at++;
        w->at = at;
        if (at == w->s.n || (p[at] == '"' && !skip_string(w)))
            return km_fail(err, KM_E_INVALID, "a JSON value does not end");
        if (p[at] == '"')
            continue;
        w->at++;
        if (p[at] == '{' || p[at] == '[') {
            if (++depth > KM_JSON_DEPTH)
                return km_fail(err, KM_E_LIMIT, "JSON is nested deeper than %d levels",
                               KM_JSON_DEPTH);
        } else if (--depth == 1) {
            return 0;
        }
    }
}

enum km_json_type km_json_type_of(char c)
{
    switch (c) {
    case '"':
        return KM_JSON_STRING;
    case '{':
        return KM_JSON_OBJECT;
    case '[':
        return KM_JSON_ARRAY;
    case 't':
        return KM_JSON_TRUE;
    case 'f':
        return KM_JSON_FALSE;
    case 'n':
        return KM_JSON_NULL;
    default:
        return KM_JSON_NUMBER;
    }
}

static int skip_value(struct walk *w, enum km_json_type *ret_type, struct km_err *err)
{
    if (w->at >= w->s.n)
        return km_fail(err, KM_E_INVALID, "a JSON value is missing");
    *ret_type = km_json_type_of(w->s.p[w->at]);
    if (*ret_type == KM_JSON_OBJECT || *ret_type == KM_JSON_ARRAY)
        return skip_nested(w, err);
    if (*ret_type == KM_JSON_STRING)
        return skip_string(w) ? 0 : km_fail(err, KM_E_INVALID, "a JSON string does not end");
    while (w->at < w->s.n && !km_json_space(w->s.p[w->at]) && w->s.p[w->at] != ',' &&
           w->s.p[w->at] != '}')
        w->at++;
    return 0;
}

/* One member; w stands at its key's quote. */
static int read_member(struct walk *w, struct km_json_wanted *wanted, struct km_err *err)
{
    struct km_json_span span = { .member = (uint32_t)w->at };
    struct km_str key;
    bool escaped;
    int r;

    if (w->at >= w->s.n || w->s.p[w->at] != '"' || !skip_string(w))
        return km_fail(err, KM_E_INVALID, "a JSON member has no name");
    key = km_str(w->s.p + span.member + 1, w->at - span.member - 2);
    escaped = w->escaped;
    skip_space(w);
    if (w->at >= w->s.n || w->s.p[w->at] != ':')
        return km_fail(err, KM_E_INVALID, "a JSON member has no value");
    w->at++;
    skip_space(w);
    span.value = (uint32_t)w->at;
    r = skip_value(w, &span.type, err);
    if (r < 0)
        return r;
    span.value_n = (uint32_t)w->at - span.value;
    span.member_n = (uint32_t)w->at - span.member;
    wanted->object.members++;
    return km_json_note(wanted, key, escaped, &span, err);
}

static int read_object(struct km_str body, struct km_json_wanted *wanted, struct km_err *err)
{
    struct walk w = { .s = body };

    if (body.n > UINT32_MAX)
        return km_fail(err, KM_E_LIMIT, "a JSON body over 4 GiB");
    skip_space(&w);
    if (w.at >= body.n || body.p[w.at] != '{')
        return km_fail(err, KM_E_INVALID, "not a JSON object");
    wanted->object = (struct km_json_object){ .open = w.at++ };
    skip_space(&w);
    while (w.at < body.n && body.p[w.at] != '}') {
        int r = read_member(&w, wanted, err);

        if (r < 0)
            return r;
        skip_space(&w);
        if (w.at < body.n && body.p[w.at] == ',') {
            w.at++;
            skip_space(&w);
        }
    }
    if (w.at >= body.n)
        return km_fail(err, KM_E_INVALID, "a JSON object does not end");
    wanted->object.close = w.at;
    return 0;
}

static void forget_spans(struct km_json_wanted *wanted)
{
    if (wanted->n > 0) /* KM_JSON_ABSENT is zero */
        memset(wanted->spans, 0, wanted->n * sizeof *wanted->spans);
}

static bool walk_surely(struct km_str body, struct km_json_wanted *wanted,
                        struct km_json_object *ret_object)
{
    if (wanted->watch)
        wanted->watch->seen = 0, wanted->watch->other = KM_STR_NONE;
    forget_spans(wanted);
    if (!km_json_walk(body, wanted))
        return false;
    if (ret_object)
        *ret_object = wanted->object;
    return true;
}

bool km_json_judged_spans(struct km_str body, const struct km_str *names, size_t n,
                          struct km_json_span *spans, struct km_json_object *ret_object,
                          struct km_json_watch *watch)
{
    struct km_json_wanted wanted = {
        .names = names, .n = n, .spans = spans, .watch = watch, .unique = true
    };

    return walk_surely(body, &wanted, ret_object);
}

bool km_json_sure_spans(struct km_str body, const struct km_str *names, size_t n,
                        struct km_json_span *spans, struct km_json_object *ret_object,
                        struct km_json_watch *watch)
{
    struct km_json_wanted wanted = { .names = names, .n = n, .spans = spans, .watch = watch };

    return walk_surely(body, &wanted, ret_object);
}

int km_json_spans(struct km_str body, const struct km_str *names, size_t n,
                  struct km_json_span *spans, struct km_json_object *ret_object, struct km_err *err)
{
    struct km_json_wanted wanted = { .names = names, .n = n, .spans = spans };
    int r;

    forget_spans(&wanted);
    r = read_object(body, &wanted, err);
    if (r == 0 && ret_object)
        *ret_object = wanted.object;
    return r;
}

/* skip_value() of an array.  A walk of its own: a second caller of that one would take it, and what
 * it calls, out of km_json_spans(), which costs each event of a stream a thirtieth more. */
static bool skip_item(struct walk *w, enum km_json_type *ret_type)
{
    size_t depth = 0;

    if (w->at >= w->s.n)
        return false;
    *ret_type = km_json_type_of(w->s.p[w->at]);
    for (; w->at < w->s.n; w->at++) {
        char c = w->s.p[w->at];

        if (c == '"') {
            if (!skip_string(w))
                return false;
            if (depth == 0)
                return true;
            w->at--;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (depth > 0 && (c == '}' || c == ']')) {
            if (--depth > 0)
                continue;
            w->at++;
            return true;
        } else if (depth == 0 && (c == ',' || c == ']' || km_json_space(c))) {
            return true;
        }
    }
    return false;
}

bool km_json_next_item(struct km_str array, size_t *at, struct km_json_span *ret)
{
    struct walk w = { .s = array, .at = *at };

    skip_space(&w);
    if (w.at >= array.n || array.n > UINT32_MAX || array.p[w.at] != (*at ? ',' : '['))
        return false;
    w.at++;
    skip_space(&w);
    if (w.at < array.n && array.p[w.at] == ']')
        return false;
    *ret = (struct km_json_span){ .value = (uint32_t)w.at };
    if (!skip_item(&w, &ret->type))
        return false;
    ret->value_n = (uint32_t)w.at - ret->value;
    *at = w.at;
    return true;
}
