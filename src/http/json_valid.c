/* SPDX-License-Identifier: Apache-2.0 */
/* json_valid.c - is it a JSON object?  A walk that builds nothing.
 *
 * Most bodies are valid, and of a valid one the gateway wants the places of a few members
 * (json_span.h): a tree, a copy of the text and the memory for both would be made to be thrown
 * away.  Strings, which is what prompts are, go by sixteen bytes at a time.
 *
 *     FIRST_KEY -> ':' -> VALUE -> AFTER -',' -> KEY        levels: one bit each,
 *     FIRST_VALUE ------> VALUE -> AFTER -',' -> VALUE      set for an array
 *
 * `false` means "not surely": what is rare and intricate (surrogates, deep nesting) is left to
 * the parser behind json.h, which also says what is wrong with a text.  `true` is held against
 * that parser by the property in tests/unit/http/json_property.h.
 */
#include "http/json.h"

#include "base/encode.h"

#define CHUNK 16
#define EACH UINT64_C(0x0101010101010101)
#define HIGH UINT64_C(0x8080808080808080)

enum expect { FIRST_KEY, KEY, FIRST_VALUE, VALUE, AFTER };

struct check {
    const char *p, *end;
    enum expect expect;
    unsigned depth;
    uint64_t arrays; /* bit d: level d is an array */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_space(struct check *c)
{
    if (c->p < c->end && (unsigned char)*c->p > ' ')
        return;
    while (c->p < c->end && is_space(*c->p))
        c->p++;
}

static bool is_digit(const struct check *c)
{
    return c->p < c->end && *c->p >= '0' && *c->p <= '9';
}

/* --- strings --- */

/* The high bit of each byte that is no plain character of a string; a byte above such a one may
 * have it too, so only the first counts.  Subtraction sets it in the bytes below a bound. */
static uint64_t special(uint64_t w)
{
    return ((w ^ EACH * '"') - EACH) | ((w ^ EACH * '\\') - EACH) | (w - EACH * ' ') | w;
}

static bool is_plain(char c)
{
    return (unsigned char)c >= ' ' && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* Vectors as gcc and clang have them, for any processor.  Bytes from 0x80 are negative, and so
 * below the space too. */
static bool plain_chunk(const char *p)
{
    union {
        signed char v __attribute__((vector_size(CHUNK)));
        uint64_t half[CHUNK / 8];
    } bytes;

    memcpy(&bytes, p, CHUNK);
    bytes.v = (bytes.v < ' ') | (bytes.v == '"') | (bytes.v == '\\');
    return (bytes.half[0] | bytes.half[1]) == 0;
}

static uint64_t load(const char *p)
{
    uint64_t w;

    memcpy(&w, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return w;
}

/* The first byte from p on that is not plain, or end. */
static __attribute__((noinline)) const char *skip_plain(const char *p, const char *end)
{
    while (end - p >= CHUNK && plain_chunk(p))
        p += CHUNK;
    for (; end - p >= 8; p += 8) {
        uint64_t found = special(load(p)) & HIGH;

        if (found)
            return p + __builtin_ctzll(found) / 8;
    }
    while (p < end && is_plain(*p))
        p++;
    return p;
}

/* The same; most strings are names and end at once. */
static const char *skip_name(const char *p, const char *end)
{
    uint64_t found = end - p >= 8 ? special(load(p)) & HIGH : 0;

    return found ? p + __builtin_ctzll(found) / 8 : skip_plain(p, end);
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

        c->p = skip_name(c->p, c->end);
        if (c->p == c->end)
            return false;
        if (*c->p == '"') {
            c->p++;
            return true;
        }
        if (*c->p == '\\') {
            c->p++;
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
    c->depth++;
    c->expect = array ? FIRST_VALUE : FIRST_KEY;
    return true;
}

static bool close_level(struct check *c)
{
    c->p++;
    c->arrays >>= 1;
    c->depth--;
    c->expect = AFTER;
    return true;
}

static bool key(struct check *c)
{
    if (*c->p != '"')
        return false;
    c->p++;
    if (!string(c))
        return false;
    skip_space(c);
    if (c->p == c->end || *c->p != ':')
        return false;
    c->p++;
    c->expect = VALUE;
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
        return *c->p == '}' ? close_level(c) : key(c);
    case KEY:
        return key(c);
    case FIRST_VALUE:
        return *c->p == ']' ? close_level(c) : value(c);
    case VALUE:
        return value(c);
    case AFTER:
        return after(c);
    }
    return false;
}

bool km_json_surely_object(struct km_str text)
{
    struct check c = { .p = text.p };

    if (text.n == 0)
        return false;
    c.end = text.p + text.n;
    skip_space(&c);
    if (c.p == c.end || *c.p != '{' || !open_level(&c, false))
        return false;
    while (c.depth > 0) {
        skip_space(&c);
        if (c.p == c.end || !step(&c))
            return false;
    }
    skip_space(&c);
    return c.p == c.end;
}
