/* SPDX-License-Identifier: Apache-2.0 */
/* json_out.c - see json_out.h.
 *
 * Bytes go into one buffer.  With parts, a long plain string is noted instead of copied: a part
 * says where in the buffer it belongs, and at the end buffer and references become one list:
 *
 *     own   {"model":"m","data":""      ,"text":"..."}
 *                               ^ 21
 *     parts [own 0..21][the string][own 21..]
 *
 * The buffer is copied into the arena at the end, once: its parts live as long as the call.
 */
#include "http/json_out.h"

struct km_out_part {
    struct km_out_part *next;
    size_t at; /* of own: what it stands before */
    struct km_str s;
};

void km_json_out_init(struct km_json_out *o, struct km_buf *buf)
{
    *o = (struct km_json_out){ .buf = buf };
}

void km_json_out_parts_init(struct km_json_out *o, struct km_arena *arena, size_t max)
{
    *o = (struct km_json_out){ .own = KM_BUF(max), .arena = arena };
    o->buf = &o->own;
}

void km_json_out_done(struct km_json_out *o)
{
    km_buf_done(&o->own);
}

/* What stands before a value or a key: a comma, or nothing. */
static void before(struct km_json_out *o)
{
    if (o->keyed) {
        o->keyed = false;
        return;
    }
    if (o->many >> o->depth & 1)
        km_buf_byte(o->buf, ',');
    o->many |= UINT64_C(1) << o->depth;
}

void km_out_open(struct km_json_out *o, char bracket)
{
    before(o);
    km_assert(o->depth + 1 < KM_OUT_DEPTH);
    o->depth++;
    o->many &= ~(UINT64_C(1) << o->depth);
    km_buf_byte(o->buf, bracket);
}

void km_out_close(struct km_json_out *o, char bracket)
{
    km_assert(o->depth > 0 && !o->keyed);
    o->depth--;
    km_buf_byte(o->buf, bracket);
}

void km_out_key_plain(struct km_json_out *o, struct km_str name)
{
    km_assert(!o->keyed);
    before(o);
    km_buf_byte(o->buf, '"');
    km_buf_str(o->buf, name);
    km_buf_str(o->buf, KM_STR("\":"));
    o->keyed = true;
}

void km_out_key_str(struct km_json_out *o, struct km_str name)
{
    km_assert(!o->keyed);
    before(o);
    km_buf_json(o->buf, name);
    km_buf_byte(o->buf, ':');
    o->keyed = true;
}

/* true: s was put into the list of parts. */
static bool refer(struct km_json_out *o, struct km_str s)
{
    struct km_out_part *part;

    if (!o->arena || s.n < KM_OUT_BY_REFERENCE)
        return false;
    part = km_arena_alloc(o->arena, sizeof *part);
    if (!part)
        return false;
    *part = (struct km_out_part){ .at = o->own.n, .s = s };
    if (o->last)
        o->last->next = part;
    else
        o->first = part;
    o->last = part;
    o->nparts++;
    return true;
}

void km_out_str(struct km_json_out *o, struct km_str s)
{
    before(o);
    if (s.n >= KM_OUT_BY_REFERENCE && o->arena && km_str_plain(s) == s.n) {
        km_buf_byte(o->buf, '"');
        if (!refer(o, s))
            km_buf_str(o->buf, s);
        km_buf_byte(o->buf, '"');
        return;
    }
    km_buf_json(o->buf, s);
}

void km_out_joined(struct km_json_out *o, struct km_str first, struct km_str second)
{
    struct km_buf whole KM_CLEANUP(km_buf_done) = KM_BUF(first.n + second.n);

    if (km_str_plain(first) < first.n || km_str_plain(second) < second.n) {
        km_buf_str(&whole, first);
        km_buf_str(&whole, second);
        before(o);
        km_buf_json(o->buf, km_buf_view(&whole));
        if (km_buf_failed(&whole))
            km_buf_fail(o->buf);
        return;
    }
    before(o);
    km_buf_byte(o->buf, '"');
    km_buf_str(o->buf, first);
    if (!refer(o, second))
        km_buf_str(o->buf, second);
    km_buf_byte(o->buf, '"');
}

void km_out_cstr(struct km_json_out *o, const char *s)
{
    km_out_str(o, km_str_c(s));
}

void km_out_raw(struct km_json_out *o, struct km_str json)
{
    before(o);
    if (!json.n)
        km_buf_str(o->buf, KM_STR("null"));
    else if (!refer(o, json))
        km_buf_str(o->buf, json);
}

void km_out_value(struct km_json_out *o, const struct km_json *v)
{
    before(o);
    km_json_write(v, o->buf);
}

void km_out_i64(struct km_json_out *o, int64_t v)
{
    before(o);
    km_buf_i64(o->buf, v);
}

void km_out_bool(struct km_json_out *o, bool v)
{
    before(o);
    km_buf_str(o->buf, v ? KM_STR("true") : KM_STR("false"));
}

void km_out_null(struct km_json_out *o)
{
    before(o);
    km_buf_str(o->buf, KM_STR("null"));
}

int km_json_out_parts(struct km_json_out *o, struct km_str **ret_parts, size_t *ret_n,
                      struct km_err *err)
{
    struct km_str *parts, own;
    size_t n = 0, from = 0;

    km_assert(o->arena && o->depth == 0 && !o->keyed);
    if (km_buf_failed(&o->own))
        return km_fail(err, KM_E_LIMIT, "the body would be over %zu bytes", o->own.max);
    own = km_arena_str(o->arena, km_buf_view(&o->own));
    parts = km_arena_alloc(o->arena, (2 * o->nparts + 1) * sizeof *parts);
    if (!parts || km_arena_overflowed(o->arena))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (const struct km_out_part *p = o->first; p; p = p->next) {
        parts[n++] = km_str_sub(own, from, p->at - from);
        parts[n++] = p->s;
        from = p->at;
    }
    parts[n++] = km_str_skip(own, from);
    km_buf_done(&o->own);
    *ret_parts = parts;
    *ret_n = n;
    return 0;
}

/* Behind the string that begins at i. */
static size_t string_end(struct km_str text, size_t i)
{
    for (i++; i < text.n && text.p[i] != '"'; i++)
        if (text.p[i] == '\\')
            i++;
    return i < text.n ? i + 1 : text.n;
}

bool km_out_has(const struct km_json_out *o, struct km_str name)
{
    struct km_buf key KM_CLEANUP(km_buf_done) = KM_BUF(6 * name.n + 16);
    struct km_str text = km_buf_view(o->buf);
    unsigned depth = 0;
    bool found = false;

    km_buf_json(&key, name); /* written as km_out_key_str() does, so that bytes can be compared */
    km_buf_byte(&key, ':');
    for (size_t i = 0; i < text.n;) {
        char c = text.p[i];

        if (c == '"') {
            found = found ||
                    (depth == o->depth && km_str_starts(km_str_skip(text, i), km_buf_view(&key)));
            i = string_end(text, i);
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= depth && (c == '}' || c == ']');
        found = found && depth >= o->depth; /* of another object that is closed */
        i++;
    }
    return found || km_buf_failed(&key);
}
