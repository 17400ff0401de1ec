/* SPDX-License-Identifier: Apache-2.0 */
/* json_drop.c - see json_drop.h.
 *
 * The first names of all paths are looked for among the top-level members, and most bodies have
 * none: they are walked once and stay as they are.  Where one is there, its value alone is written
 * anew, path by path, and what a path leads past is copied as it stands:
 *
 *     {"tools":[ {"function":{"name":"a","strict":true}} , {"x":1} ]}
 *               '--- item by item: [ ... , ... ] ----------------'
 *                            '--- member by member, strict left out
 */
#include "http/json_drop.h"

#include "base/buf.h"
#include "http/json_walk.h"

/* What is left of a path, and of the text. */
struct drop {
    struct km_arena *arena;
    struct km_str s;
    size_t at;
    unsigned depth;
    bool cut; /* something was left out */
    struct km_buf out;
};

/* Takes "tools", "[*]", "function" off in turn. */
static struct km_str next_segment(struct km_str *path)
{
    size_t n = 0;
    struct km_str part;

    while (path->n && path->p[0] == '.')
        *path = km_str_skip(*path, 1);
    if (path->n && path->p[0] == '[') {
        n = km_str_chr(*path, ']');
        n += n < path->n;
    } else {
        while (n < path->n && path->p[n] != '.' && path->p[n] != '[')
            n++;
    }
    part = km_str_sub(*path, 0, n);
    *path = km_str_skip(*path, n);
    return part;
}

static void skip_space(struct drop *d)
{
    while (d->at < d->s.n && km_json_space(d->s.p[d->at]))
        d->at++;
}

static void skip_string(struct drop *d)
{
    for (d->at++; d->at < d->s.n && d->s.p[d->at] != '"'; d->at++)
        d->at += d->s.p[d->at] == '\\';
    d->at += d->at < d->s.n;
}

/* Behind the value that begins here. */
static void skip_value(struct drop *d)
{
    size_t depth = 0;

    do {
        char c = d->at < d->s.n ? d->s.p[d->at] : ']';

        if (c == '"') {
            skip_string(d);
            continue;
        }
        if (depth == 0 && c != '{' && c != '[') {
            d->at += d->at < d->s.n; /* always on, whatever the text is */
            while (d->at < d->s.n && !km_json_space(c = d->s.p[d->at]) && c != ',' && c != '}' &&
                   c != ']')
                d->at++;
            return;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        d->at++;
    } while (depth > 0 && d->at < d->s.n);
}

static void copy(struct drop *d, size_t from)
{
    km_buf_str(&d->out, km_str_sub(d->s, from, d->at - from));
}

static int write_value(struct drop *d, struct km_str path, struct km_err *err);

static bool is_named(struct drop *d, size_t from, struct km_str name)
{
    struct km_json_span key = { .type = KM_JSON_STRING,
                                .value = (uint32_t)from,
                                .value_n = (uint32_t)(d->at - from) };

    return km_str_eq(km_json_text(d->arena, d->s, &key), name);
}

/* The members, but for the one that the path ends in. */
static int write_object(struct drop *d, struct km_str name, struct km_str rest, struct km_err *err)
{
    bool first = true;
    int r = 0;

    km_buf_byte(&d->out, '{');
    d->at++;
    while (r == 0 && d->at < d->s.n && d->s.p[d->at] != '}') {
        size_t from = d->at, key, kept = d->out.n;
        bool here;

        skip_space(d);
        if (d->at >= d->s.n || d->s.p[d->at] != '"') {
            copy(d, from); /* nothing but space */
            break;
        }
        key = d->at;
        skip_string(d);
        here = is_named(d, key, name);
        skip_space(d);
        d->at += d->at < d->s.n; /* the colon */
        skip_space(d);
        if (!first)
            km_buf_byte(&d->out, ',');
        copy(d, from);
        if (here && rest.n)
            r = write_value(d, rest, err);
        else {
            from = d->at;
            skip_value(d);
            copy(d, from);
        }
        from = d->at;
        skip_space(d);
        copy(d, from);
        if (here && !rest.n) {
            d->out.n = kept;
            d->cut = true;
        } else {
            first = false;
        }
        d->at += d->at < d->s.n && d->s.p[d->at] == ',';
    }
    km_buf_byte(&d->out, '}');
    d->at += d->at < d->s.n;
    return r;
}

static int write_array(struct drop *d, struct km_str which, struct km_str rest, struct km_err *err)
{
    int64_t wanted = -1;
    bool all = km_str_eq(which, KM_STR("[*]"));
    int r = 0;

    if (!all && km_str_i64(km_str_sub(which, 1, which.n - 2), &wanted) < 0)
        wanted = -1;
    km_buf_byte(&d->out, '[');
    d->at++;
    for (int64_t i = 0; r == 0 && d->at < d->s.n && d->s.p[d->at] != ']'; i++) {
        size_t from = d->at;

        skip_space(d);
        copy(d, from);
        if (d->at >= d->s.n || d->s.p[d->at] == ']')
            break;
        if (all || i == wanted)
            r = write_value(d, rest, err);
        else {
            from = d->at;
            skip_value(d);
            copy(d, from);
        }
        from = d->at;
        skip_space(d);
        d->at += d->at < d->s.n && d->s.p[d->at] == ',';
        copy(d, from);
    }
    km_buf_byte(&d->out, ']');
    d->at += d->at < d->s.n;
    return r;
}

/* The value that begins here, without what the path names in it. */
static int write_value(struct drop *d, struct km_str path, struct km_err *err)
{
    struct km_str segment = next_segment(&path);
    char first = d->at < d->s.n ? d->s.p[d->at] : '\0';
    size_t from = d->at;
    int r = 0;

    if (++d->depth > KM_JSON_DEPTH)
        return km_fail(err, KM_E_LIMIT, "JSON is nested deeper than %d levels", KM_JSON_DEPTH);
    if (segment.n && first == '{' && segment.p[0] != '[') {
        r = write_object(d, segment, path, err);
    } else if (segment.n > 1 && first == '[' && segment.p[0] == '[' && path.n) {
        r = write_array(d, segment, path, err);
    } else {
        skip_value(d);
        copy(d, from);
    }
    d->depth--;
    return r;
}

static int join(struct km_json_edits *e, struct km_arena *arena, struct km_str *ret,
                struct km_err *err)
{
    struct km_str *parts;
    size_t n;
    int r = km_json_parts(e, arena, &parts, &n, err);

    if (r < 0)
        return r;
    *ret = km_arena_cat(arena, parts, n);
    return ret->p ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static int drop_one(struct km_arena *arena, struct km_str path, struct km_str *body,
                    struct km_err *err)
{
    struct km_str name = next_segment(&path);
    struct km_json_object object;
    struct km_json_edits edits;
    struct km_json_span span;
    struct drop d = { .arena = arena };
    int r = name.n ? km_json_spans(*body, &name, 1, &span, &object, err) : 0;

    if (r < 0 || !name.n || span.type == KM_JSON_ABSENT)
        return r;
    km_json_edits_init(&edits, *body, &object);
    if (!path.n) {
        km_json_cut(&edits, &span);
        return join(&edits, arena, body, err);
    }
    d.s = km_json_value(*body, &span);
    d.out = (struct km_buf)KM_BUF(d.s.n + 1);
    r = write_value(&d, path, err);
    if (r == 0 && km_buf_failed(&d.out))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0 && d.cut) {
        km_json_replace(&edits, &span, km_buf_view(&d.out));
        r = join(&edits, arena, body, err);
    }
    km_buf_done(&d.out);
    return r;
}

/* Is one of the paths' first names there?  Most bodies have none: one walk for all of them. */
static int any_there(struct km_str body, const struct km_str *paths, size_t n, bool *ret,
                     struct km_err *err)
{
    enum { AT_ONCE = 16 };
    struct km_json_span spans[AT_ONCE];
    struct km_str names[AT_ONCE];
    int r = 0;

    *ret = false;
    for (size_t from = 0; r == 0 && !*ret && from < n; from += AT_ONCE) {
        size_t some = n - from < AT_ONCE ? n - from : AT_ONCE;

        for (size_t i = 0; i < some; i++) {
            struct km_str rest = paths[from + i];

            names[i] = next_segment(&rest);
        }
        r = km_json_spans(body, names, some, spans, NULL, err);
        for (size_t i = 0; r == 0 && i < some; i++)
            *ret = *ret || spans[i].type != KM_JSON_ABSENT;
    }
    return r;
}

int km_json_drop(struct km_arena *arena, struct km_str body, const struct km_str *paths, size_t n,
                 struct km_str *ret_body, struct km_err *err)
{
    bool there;
    int r = any_there(body, paths, n, &there, err);

    for (size_t i = 0; r == 0 && there && i < n; i++)
        r = drop_one(arena, paths[i], &body, err);
    if (r == 0)
        *ret_body = body;
    return r;
}
