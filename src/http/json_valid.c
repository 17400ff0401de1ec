/* SPDX-License-Identifier: Apache-2.0 */
/* json_valid.c - is it a JSON object, and where are its members?  A walk that builds nothing.
 *
 * Most bodies are valid, and of a valid one the gateway wants the places of a few members
 * (json_span.h): a tree, a copy of the text and the memory for both would be made to be thrown
 * away.  So the walk that judges a text notes them as it goes.  Strings, which is what prompts
 * are, go by sixteen bytes at a time.
 *
 *     FIRST_KEY -> ':' -> VALUE -> AFTER -',' -> KEY        levels: one bit each,
 *     FIRST_VALUE ------> VALUE -> AFTER -',' -> VALUE      set for an array
 *
 * `false` means "not surely": what is rare and intricate (surrogates, deep nesting) is left to
 * the parser behind json.h, which also says what is wrong with a text.  `true` is held against
 * that parser by the property in tests/unit/http/json_property.h.
 *
 * A request's walk also keeps the names of the objects it is in, one behind the other, and compares
 * each with those before it in its own object.  Objects of requests are small; a name with escapes,
 * a large object or many open ones are rare and intricate, too.
 *
 *     {"a":1,"b":{"c":2,"d":            names: a b | c d       first[] of each level: 0 2
 */
#include "http/json_walk.h"

#include "base/chunk.h"
#include "base/encode.h"
#include "http/json.h"

#define NAMES_MOST 256 /* of all objects the walk is in */
#define OBJECT_MOST 64 /* of one: comparing each with all before it must stay cheap */

enum expect { FIRST_KEY, KEY, FIRST_VALUE, VALUE, AFTER };

/* The names of the objects around the walk; nothing is set before it is used. */
struct names {
    size_t n;
    uint16_t first[KM_JSON_DEPTH]; /* of each level, where its own begin */
    struct km_str v[NAMES_MOST];
};

struct check {
    const char *start, *p, *end;
    const char *name_end; /* of the last name: its closing quote */
    enum expect expect;
    bool escaped; /* the last name had a backslash, or a string behind it */
    unsigned depth;
    uint64_t arrays; /* bit d: level d is an array */
    struct km_json_watch *watch; /* or NULL */
    struct names *names; /* NULL: members may occur twice */
};

static inline void skip_space(struct check *c)
{
    if (c->p < c->end && (unsigned char)*c->p > ' ')
        return;
    while (c->p < c->end && km_json_space(*c->p))
        c->p++;
}

static bool is_digit(const struct check *c)
{
    return c->p < c->end && *c->p >= '0' && *c->p <= '9';
}

/* --- strings --- */

static bool is_plain(char c)
{
    return (unsigned char)c >= ' ' && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* The first byte from p on that is not plain, or end.  Most strings are names and end in the
 * first chunk. */
static inline const char *skip_plain(const char *p, const char *end)
{
    while (end - p >= KM_JSON_CHUNK) {
        size_t n = km_json_chunk(p, true);

        p += n;
        if (n < KM_JSON_CHUNK)
            return p;
        if (end - p >= 2 * KM_CHUNK_BYTES) /* a prompt, an image */
            p += km_run_plain(p, (size_t)(end - p));
    }
    while (p < end && is_plain(*p))
        p++;
    return p;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Behind the backslash. */
static bool escape(struct check *c)
{
    const char *p = c->p;

    if (p == c->end)
        return false;
    if (*p != 'u') {
        c->p++;
        return *p && strchr("\"\\/bfnrt", *p);
    }
    if (c->end - p < 5 || !is_hex(p[1]) || !is_hex(p[2]) || !is_hex(p[3]) || !is_hex(p[4]))
        return false;
    c->p += 5;
    return (p[1] | 0x20) != 'd' || p[2] < '8'; /* no half of a surrogate pair */
}

/* Behind the opening quote. */
static bool string(struct check *c)
{
    for (;;) {
        size_t n;

        c->p = skip_plain(c->p, c->end);
        if (c->p == c->end)
            return false;
        if (*c->p == '"') {
            c->p++;
            return true;
        }
        if (*c->p == '\\') {
            c->p++;
            c->escaped = true;
            if (!escape(c))
                return false;
            continue;
        }
        n = (unsigned char)*c->p < 0x80 ? 0 : km_utf8_step(km_str(c->p, (size_t)(c->end - c->p)));
        if (n == 0)
            return false;
        c->p += n;
    }
}

/* --- other values --- */

static bool digits(struct check *c)
{
    if (!is_digit(c))
        return false;
    while (is_digit(c))
        c->p++;
    return true;
}

static bool number(struct check *c)
{
    if (*c->p == '-')
        c->p++;
    if (c->p < c->end && *c->p == '0')
        c->p++;
    else if (!digits(c))
        return false;
    if (c->p < c->end && *c->p == '.') {
        c->p++;
        if (!digits(c))
            return false;
    }
    if (c->p < c->end && (*c->p | 0x20) == 'e') {
        c->p++;
        if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
            c->p++;
        return digits(c);
    }
    return true;
}

static bool word(struct check *c, struct km_str w)
{
    if ((size_t)(c->end - c->p) < w.n || memcmp(c->p, w.p, w.n) != 0)
        return false;
    c->p += w.n;
    return true;
}

/* --- the walk --- */

static bool open_level(struct check *c, bool array)
{
    if (c->depth == KM_JSON_DEPTH)
        return false;
    c->p++;
    c->arrays = c->arrays << 1 | array; /* 64 levels, 64 bits */
    if (c->names)
        c->names->first[c->depth] = (uint16_t)c->names->n;
    c->depth++;
    c->expect = array ? FIRST_VALUE : FIRST_KEY;
    return true;
}

static bool close_level(struct check *c)
{
    c->p++;
    c->arrays >>= 1;
    c->depth--;
    if (c->names)
        c->names->n = c->names->first[c->depth];
    c->expect = AFTER;
    return true;
}

static bool value(struct check *c)
{
    c->expect = AFTER;
    switch (*c->p) {
    case '"':
        c->p++;
        return string(c);
    case '{':
    case '[':
        return open_level(c, *c->p == '[');
    case 't':
        return word(c, KM_STR("true"));
    case 'f':
        return word(c, KM_STR("false"));
    case 'n':
        return word(c, KM_STR("null"));
    default:
        return number(c);
    }
}

__attribute__((noinline)) static void look_closer(struct km_json_watch *w, struct km_str name,
                                                  bool inside, bool listed)
{
    if (w->counts && w->counts(name, inside))
        w->seen |= KM_JSON_ENDED;
    for (size_t i = 0; listed && i < w->n; i++)
        if (km_str_eq(w->names[i], name)) {
            w->seen |= w->as ? w->as[i] : UINT64_C(1) << i;
            return;
        }
}

/* Of "" the first byte is the quote that ends it, and the last the one that begins it. */
static void look(struct km_json_watch *w, struct km_str name, bool inside, bool escaped)
{
    uint64_t filter = inside ? w->inside : w->filter;
    uint64_t listed = filter & KM_JSON_WATCH_BIT(name.p[0], name.n);

    if (escaped)
        w->seen = UINT64_MAX;
    if (listed | (w->ends & KM_JSON_END((name.p + name.n)[-1])))
        look_closer(w, name, inside, listed);
}

/* Is it surely the only one of its name in its object? */
static bool is_new(struct names *names, unsigned depth, struct km_str name)
{
    size_t first = names->first[depth - 1];

    if (names->n == NAMES_MOST || names->n - first == OBJECT_MOST)
        return false;
    for (size_t i = first; i < names->n; i++)
        if (names->v[i].n == name.n && memcmp(names->v[i].p, name.p, name.n) == 0)
            return false;
    names->v[names->n++] = name;
    return true;
}

/* A name and the colon, to where its value begins. */
static bool key(struct check *c)
{
    const char *start = ++c->p;

    if (start[-1] != '"')
        return false;
    c->escaped = false;
    if (!string(c))
        return false;
    c->name_end = c->p - 1;
    if (c->watch)
        look(c->watch, km_str(start, (size_t)(c->name_end - start)), c->depth > 1, c->escaped);
    if (c->names &&
        (c->escaped || !is_new(c->names, c->depth, km_str(start, (size_t)(c->name_end - start)))))
        return false;
    skip_space(c);
    if (c->p == c->end || *c->p != ':')
        return false;
    c->p++;
    skip_space(c);
    return c->p < c->end;
}

static bool after(struct check *c)
{
    bool array = c->arrays & 1;

    if (*c->p == (array ? ']' : '}'))
        return close_level(c);
    if (*c->p != ',')
        return false;
    c->p++;
    c->expect = array ? VALUE : KEY;
    return true;
}

static bool step(struct check *c)
{
    switch (c->expect) {
    case FIRST_KEY:
        return *c->p == '}' ? close_level(c) : key(c) && value(c);
    case KEY:
        return key(c) && value(c);
    case FIRST_VALUE:
        return *c->p == ']' ? close_level(c) : value(c);
    case VALUE:
        return value(c);
    case AFTER:
        return after(c);
    }
    return false;
}

/* A value of the outermost object, whole. */
static bool whole_value(struct check *c)
{
    if (!value(c))
        return false;
    while (c->depth > 1) {
        skip_space(c);
        if (c->p == c->end || !step(c))
            return false;
    }
    return true;
}

static bool is_free(const struct km_json_watch *w, struct km_str name)
{
    for (size_t i = 0; w && i < w->nfree; i++)
        if (km_str_eq(w->free[i], name))
            return true;
    return false;
}

static bool member(struct check *c, struct km_json_wanted *w)
{
    const char *start = c->p, *at;
    struct names *names = c->names;
    struct km_json_span span;
    struct km_str name;
    bool escaped;

    if (!key(c))
        return false;
    at = c->p;
    name = km_str(start + 1, (size_t)(c->name_end - start - 1));
    escaped = c->escaped;
    if (is_free(w->watch, name))
        c->names = NULL;
    if (!whole_value(c))
        return false;
    c->names = names;
    span = (struct km_json_span){ .type = km_json_type_of(*at),
                                  .member = (uint32_t)(start - c->start),
                                  .member_n = (uint32_t)(c->p - start),
                                  .value = (uint32_t)(at - c->start),
                                  .value_n = (uint32_t)(c->p - at) };
    w->object.members++;
    return km_json_note(w, name, escaped, &span, NULL) == 0;
}

/* One step of the outermost object. */
static bool outer_step(struct check *c, struct km_json_wanted *w)
{
    bool is_key = c->expect == KEY || (c->expect == FIRST_KEY && *c->p != '}');

    return is_key ? member(c, w) : step(c);
}

bool km_json_walk(struct km_str text, struct km_json_wanted *w)
{
    struct check c = { .start = text.p, .p = text.p, .watch = w->watch };
    struct names names;

    if (w->unique) {
        names.n = 0;
        c.names = &names;
    }
    if (text.n == 0 || text.n > UINT32_MAX)
        return false;
    c.end = text.p + text.n;
    skip_space(&c);
    if (c.p == c.end || *c.p != '{')
        return false;
    w->object = (struct km_json_object){ .open = (size_t)(c.p - c.start) };
    open_level(&c, false);
    while (c.depth > 0) {
        skip_space(&c);
        if (c.p == c.end || !outer_step(&c, w))
            return false;
    }
    w->object.close = (size_t)(c.p - c.start) - 1;
    skip_space(&c);
    return c.p == c.end;
}

bool km_json_surely_object(struct km_str text)
{
    return km_json_walk(text, &(struct km_json_wanted){ 0 });
}
