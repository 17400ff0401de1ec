/* SPDX-License-Identifier: Apache-2.0 */
/* json_span.c - see json_span.h for the contract.
 *
 * There are two walks that note members.  That of json_valid.c judges the text on its way; the
 * one here is for what was judged before, or is nobody's to judge: it only needs to know where
 * each value ends.  Strings are jumped over by chunks, and what is nested is a count of brackets
 * outside strings.  The walk stays inside the source whatever the source is: text that is no
 * object after all ends in KM_E_INVALID, not in a stray read.
 *
 * Names are compared after decoding escapes, because "\u006dodel" is "model" to every parser
 * behind us.
 *
 * A cut takes the comma after its member with it; the run of cut members at the very end has
 * none after it and takes the one before instead.  Which commas are left to take depends on
 * the other edits, so that is settled once, when the parts are made.
 */
#include "http/json_walk.h"

#include <stdlib.h>

struct walk {
    struct km_str s;
    size_t at;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_space(struct walk *w)
{
    while (w->at < w->s.n && is_space(w->s.p[w->at]))
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
    while (w->at < w->s.n && !is_space(w->s.p[w->at]) && w->s.p[w->at] != ',' &&
           w->s.p[w->at] != '}')
        w->at++;
    return 0;
}

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;

        v = v * 16 + (uint32_t)(d & 15);
    }
    return v;
}

static size_t put_utf8(uint32_t u, char *out)
{
    if (u < 0x80) {
        out[0] = (char)u;
        return 1;
    }
    if (u < 0x800) {
        out[0] = (char)(0xc0 | (u >> 6));
        out[1] = (char)(0x80 | (u & 63));
        return 2;
    }
    if (u < 0x10000) {
        out[0] = (char)(0xe0 | (u >> 12));
        out[1] = (char)(0x80 | ((u >> 6) & 63));
        out[2] = (char)(0x80 | (u & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | (u >> 18));
    out[1] = (char)(0x80 | ((u >> 12) & 63));
    out[2] = (char)(0x80 | ((u >> 6) & 63));
    out[3] = (char)(0x80 | (u & 63));
    return 4;
}

static size_t decode_u(struct km_str s, size_t *i, char *out)
{
    uint32_t u;

    if (s.n - *i < 6) {
        *i = s.n;
        return 0;
    }
    u = hex4(s.p + *i + 2);
    *i += 6;
    if (u >= 0xd800 && u < 0xdc00 && s.n - *i >= 6 && s.p[*i] == '\\' && s.p[*i + 1] == 'u') {
        u = 0x10000 + ((u - 0xd800) << 10) + ((hex4(s.p + *i + 2) - 0xdc00) & 0x3ff);
        *i += 6;
    }
    return put_utf8(u, out);
}

/* The bytes that s[*i] begins, decoded: at most four. */
static size_t decode_one(struct km_str s, size_t *i, char out[4])
{
    static const char plain[] = "\"\\/bfnrt", value[] = "\"\\/\b\f\n\r\t";
    const char *at;

    out[0] = s.p[*i];
    if (s.p[*i] != '\\' || *i + 1 >= s.n) {
        (*i)++;
        return 1;
    }
    if (s.p[*i + 1] == 'u')
        return decode_u(s, i, out);
    at = memchr(plain, s.p[*i + 1], sizeof plain - 1);
    out[0] = at ? value[at - plain] : s.p[*i + 1];
    *i += 2;
    return 1;
}

static bool has_escape(struct km_str s)
{
    return s.n > 0 && memchr(s.p, '\\', s.n) != NULL;
}

/* raw: what stands between the quotes, with escapes. */
static bool escaped_is(struct km_str raw, struct km_str name)
{
    size_t at = 0;

    for (size_t i = 0; i < raw.n;) {
        char out[4];
        size_t n = decode_one(raw, &i, out);

        if (n > name.n - at || memcmp(name.p + at, out, n) != 0)
            return false;
        at += n;
    }
    return at == name.n;
}

/* Its place among the names, or their number. */
static size_t place_of(const struct km_json_wanted *w, struct km_str key, bool escaped)
{
    const struct km_str *names = w->names;
    size_t i = 0, n = w->n;

    if (escaped) {
        while (i < n && !escaped_is(key, names[i]))
            i++;
        return i;
    }
    /* Most names differ in length or first byte: that is all most of them cost. */
    while (i < n && (names[i].n != key.n || (key.n > 0 && names[i].p[0] != key.p[0]) ||
                     !km_str_eq(names[i], key)))
        i++;
    return i;
}

int km_json_note(struct km_json_wanted *w, struct km_str key, bool escaped,
                 const struct km_json_span *span, struct km_err *err)
{
    size_t i = place_of(w, key, escaped);

    if (i == w->n)
        return 0;
    if (w->spans[i].type != KM_JSON_ABSENT)
        return km_fail(err, KM_E_INVALID, "member '%.*s' occurs twice", KM_STR_ARG(w->names[i]));
    w->spans[i] = *span;
    return 0;
}

/* One member; w stands at its key's quote. */
static int read_member(struct walk *w, struct km_json_wanted *wanted, struct km_err *err)
{
    struct km_json_span span = { .member = (uint32_t)w->at };
    struct km_str key;
    int r;

    if (w->at >= w->s.n || w->s.p[w->at] != '"' || !skip_string(w))
        return km_fail(err, KM_E_INVALID, "a JSON member has no name");
    key = km_str(w->s.p + span.member + 1, w->at - span.member - 2);
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
    return km_json_note(wanted, key, has_escape(key), &span, err);
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

bool km_json_sure_spans(struct km_str body, const struct km_str *names, size_t n,
                        struct km_json_span *spans, struct km_json_object *ret_object,
                        struct km_json_watch *watch)
{
    struct km_json_wanted wanted = { .names = names, .n = n, .spans = spans, .watch = watch };

    if (watch)
        watch->seen = 0;
    forget_spans(&wanted);
    if (!km_json_walk(body, &wanted))
        return false;
    if (ret_object)
        *ret_object = wanted.object;
    return true;
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

struct km_str km_json_text(struct km_arena *a, struct km_str body, const struct km_json_span *s)
{
    struct km_str raw;
    char *out;
    size_t n = 0;

    if (s->type != KM_JSON_STRING || s->value_n < 2)
        return KM_STR_NONE;
    raw = km_str(body.p + s->value + 1, s->value_n - 2);
    if (!has_escape(raw))
        return raw;
    out = km_arena_alloc(a, raw.n + 4); /* decoding never grows; put_utf8 writes at most 4 */
    if (!out)
        return KM_STR_NONE;
    for (size_t i = 0; i < raw.n;)
        n += decode_one(raw, &i, out + n);
    return km_str(out, n);
}

void km_json_edits_init(struct km_json_edits *e, struct km_str body,
                        const struct km_json_object *object)
{
    e->body = body;
    e->object = *object;
    e->n = e->cut = e->added = 0;
    e->overflow = false;
}

/* An edit of the same place replaces the one before it.  true: the place is new. */
static bool note(struct km_json_edits *e, size_t at, size_t remove, struct km_str insert)
{
    for (size_t i = 0; i < e->n && remove > 0; i++)
        if (e->v[i].at == at && e->v[i].remove == remove) {
            e->v[i].insert = insert;
            return false;
        }
    if (e->n == KM_JSON_EDITS) {
        e->overflow = true;
        return false;
    }
    e->v[e->n++] = (struct km_json_edit){ .at = at, .remove = remove, .insert = insert };
    return true;
}

void km_json_replace(struct km_json_edits *e, const struct km_json_span *s, struct km_str value)
{
    if (s->type != KM_JSON_ABSENT)
        note(e, s->value, s->value_n, value);
}

void km_json_cut(struct km_json_edits *e, const struct km_json_span *s)
{
    struct walk w = { .s = e->body, .at = (size_t)s->member + s->member_n };

    if (s->type == KM_JSON_ABSENT)
        return;
    skip_space(&w);
    if (w.at < e->object.close && e->body.p[w.at] == ',')
        w.at++;
    else
        w.at = (size_t)s->member + s->member_n;
    if (note(e, s->member, w.at - s->member, KM_STR_NONE))
        e->cut++;
}

void km_json_add(struct km_json_edits *e, struct km_arena *a, struct km_str name,
                 struct km_str value)
{
    struct km_str text =
        km_arena_cat(a, (struct km_str[]){ KM_STR(",\""), name, KM_STR("\":"), value }, 4);

    if (!text.p)
        e->overflow = true;
    else if (note(e, e->object.close, 0, text))
        e->added++;
}

/* By place; what was added stays in its order (the sort is stable: insertion). */
static void sort_edits(struct km_json_edits *e)
{
    for (size_t i = 1; i < e->n; i++) {
        struct km_json_edit v = e->v[i];
        size_t j = i;

        while (j > 0 && e->v[j - 1].at > v.at) {
            e->v[j] = e->v[j - 1];
            j--;
        }
        e->v[j] = v;
    }
}

static bool is_cut(const struct km_json_edit *v)
{
    return v->remove > 0 && v->insert.n == 0;
}

static size_t back_over_space(struct km_str s, size_t at)
{
    while (at > 0 && is_space(s.p[at - 1]))
        at--;
    return at;
}

/* If the last member is cut, the run of cut members it ends takes the comma before it. */
static void settle_last_comma(struct km_json_edits *e)
{
    size_t end = back_over_space(e->body, e->object.close);
    struct km_json_edit *first = NULL;

    for (size_t i = e->n; i-- > 0;) {
        struct km_json_edit *v = &e->v[i];

        if (!is_cut(v))
            continue;
        if (v->at + v->remove != end)
            break;
        first = v;
        end = back_over_space(e->body, v->at);
    }
    if (first && end > 0 && e->body.p[end - 1] == ',') {
        first->remove += first->at - (end - 1);
        first->at = end - 1;
    }
}

static void part(struct km_str *parts, size_t *n, struct km_str s)
{
    if (s.n > 0)
        parts[(*n)++] = s;
}

int km_json_parts(struct km_json_edits *e, struct km_arena *a, struct km_str **ret_parts,
                  size_t *ret_n, struct km_err *err)
{
    struct km_str *parts = km_arena_alloc(a, (2 * e->n + 1) * sizeof *parts);
    bool kept = e->object.members > e->cut;
    size_t n = 0, at = 0;

    if (!parts || e->overflow)
        return km_fail(err, KM_E_NOMEM, "too many edits of one JSON body");
    sort_edits(e);
    settle_last_comma(e);
    for (size_t i = 0; i < e->n; i++) {
        struct km_json_edit *v = &e->v[i];
        struct km_str insert = v->insert;

        if (v->at < at) /* inside a member that is cut */
            continue;
        if (v->remove == 0 && !kept)
            insert = km_str_skip(insert, 1); /* the first member needs no comma */
        kept = kept || v->remove == 0;
        part(parts, &n, km_str(e->body.p + at, v->at - at));
        part(parts, &n, insert);
        at = v->at + v->remove;
    }
    part(parts, &n, km_str_skip(e->body, at));
    *ret_parts = parts;
    *ret_n = n;
    return 0;
}
