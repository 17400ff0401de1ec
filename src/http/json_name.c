/* SPDX-License-Identifier: Apache-2.0 */
/* json_name.c - what the walks ask about a name or another short text of a JSON body.
 *
 *     "\u006dodel"    is "model" to every parser behind us: names are compared decoded
 *     "MODEL"         is "model" to some (Go's encoding/json): told apart, so that it is refused
 *     "model" twice   is the first to one parser and the last to another: refused here
 *
 * See json_span.h and json_walk.h for the contracts.  Nothing here allocates but km_json_text(),
 * and that only where there is an escape to decode.
 */
#include "http/json.h"
#include "http/json_walk.h"

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

bool km_json_escaped(struct km_str s)
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

/* What is rare is apart here, so that what every name passes has little to save and restore. */
#define RARE __attribute__((noinline))

RARE static size_t escaped_place_of(const struct km_json_wanted *w, struct km_str key)
{
    size_t i = 0;

    while (i < w->n && !escaped_is(key, w->names[i]))
        i++;
    return i;
}

/* Its place among the names, or their number, and whether it is one of them but for the case of
 * letters of ASCII.  Most names differ in length: that is all most of them cost. */
static size_t place_of(const struct km_json_wanted *w, struct km_str key, bool *ret_alike)
{
    const struct km_str *const names = w->names;
    const size_t n = w->n;

    *ret_alike = false;
    for (size_t i = 0; i < n; i++) {
        if (names[i].n != key.n || (key.n && !km_str_may_fold(names[i].p[0], key.p[0])))
            continue;
        if (km_str_eq(names[i], key))
            return i;
        *ret_alike = *ret_alike || km_str_isame(names[i].p, key.p, key.n);
    }
    return n;
}

/* Is s the name, which is ASCII, but for its case as Unicode folds it? */
static bool alike(struct km_str s, struct km_str name)
{
    size_t i = 0;

    for (size_t k = 0; k < name.n; k++) {
        struct km_str rest = km_str_skip(s, i);

        /* Of two bytes or three only U+017F and U+212A are ASCII once they are folded. */
        if ((name.p[k] | 0x20) == 's' && km_str_starts(rest, KM_STR("\xc5\xbf")))
            i += 2;
        else if ((name.p[k] | 0x20) == 'k' && km_str_starts(rest, KM_STR("\xe2\x84\xaa")))
            i += 3;
        else if (km_str_ieq(km_str_sub(rest, 0, 1), km_str_sub(name, k, 1)))
            i++;
        else
            return false;
    }
    return i == s.n;
}

static bool is_ascii(struct km_str s)
{
    size_t i = 0;

    while (i < s.n && (unsigned char)s.p[i] < 0x80)
        i++;
    return i == s.n;
}

/* key is none of the names as it is: which is it in another case? */
static const struct km_str *of_another_case(const struct km_str *names, size_t n, struct km_str key)
{
    if (is_ascii(key)) { /* of the same length then: that is all most of them cost */
        for (; n > 0; names++, n--)
            if (names->n == key.n && km_str_ieq(key, *names))
                return names;
        return NULL;
    }
    for (; n > 0; names++, n--)
        if (names->n <= key.n && alike(key, *names))
            return names;
    return NULL;
}

#define NAME_MOST 128 /* decoded; no wanted one is as long */

/* A name that is none of the wanted ones, and not plain ASCII: is it one in another case? */
RARE static bool in_other_case(const struct km_json_wanted *w, struct km_str key, bool escaped)
{
    char out[NAME_MOST + 4];
    size_t n = 0;

    for (size_t i = 0; escaped && i < key.n && n < NAME_MOST;)
        n += decode_one(key, &i, out + n);
    if (escaped)
        key = km_str(out, n);
    if (!key.n)
        return false;
    return of_another_case(w->names, w->n, key) != NULL;
}

const struct km_str *km_json_other_case(const struct km_json *object, const struct km_str *names,
                                        size_t n, struct km_str *ret_member)
{
    struct km_json_iter it;
    const struct km_json *v;
    const struct km_str *found = NULL;

    for (km_json_iter(object, &it); !found && km_json_next(&it, ret_member, &v);) {
        size_t i = 0;

        while (i < n && !km_str_eq(*ret_member, names[i])) /* nearly always one of them */
            i++;
        if (i == n)
            found = of_another_case(names, n, *ret_member);
    }
    return found;
}

int km_json_note(struct km_json_wanted *w, struct km_str key, bool escaped,
                 const struct km_json_span *span, struct km_err *err)
{
    bool alike = false;
    size_t i = escaped ? escaped_place_of(w, key) : place_of(w, key, &alike);

    if (i == w->n) {
        if (w->watch && !w->watch->other.n &&
            (alike || ((escaped || !is_ascii(key)) && in_other_case(w, key, escaped))))
            w->watch->other = key;
        return 0;
    }
    if (w->spans[i].type != KM_JSON_ABSENT)
        return km_fail(err, KM_E_INVALID, "member '%.*s' occurs twice", KM_STR_ARG(w->names[i]));
    w->spans[i] = *span;
    if (w->object.past <= i)
        w->object.past = i + 1;
    return 0;
}

struct km_str km_json_text(struct km_arena *a, struct km_str body, const struct km_json_span *s)
{
    struct km_str raw;
    char *out;
    size_t n = 0;

    if (s->type != KM_JSON_STRING || s->value_n < 2)
        return KM_STR_NONE;
    raw = km_str(body.p + s->value + 1, s->value_n - 2);
    if (!km_json_escaped(raw))
        return raw;
    out = km_arena_alloc(a, raw.n + 4); /* decoding never grows; put_utf8 writes at most 4 */
    if (!out)
        return KM_STR_NONE;
    for (size_t i = 0; i < raw.n;)
        n += decode_one(raw, &i, out + n);
    return km_str(out, n);
}
