/* SPDX-License-Identifier: Apache-2.0 */
/* shape_text.c - strings that the SDKs look into (shape.h): times, URLs, regular expressions.
 *
 * Each is judged as the strictest of them judges it, and no further: a URL is split as the WHATWG
 * says, for that is what pydantic's AnyUrl does, but not looked up or made canonical.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "mcp/catalogue/shape.h"

#define GROUPS 64 /* of a regular expression, in each other */

/* --- times: 2025-01-12T15:00:58.5+02:00 --- */

static bool take(struct km_str *s, char byte)
{
    if (!s->n || s->p[0] != byte)
        return false;
    *s = km_str_skip(*s, 1);
    return true;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exactly n digits, at most `most`. */
static bool take_number(struct km_str *s, size_t n, unsigned most, unsigned *ret)
{
    unsigned v = 0;

    if (s->n < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!digit(s->p[i]))
            return false;
        v = v * 10 + (unsigned)(s->p[i] - '0');
    }
    *s = km_str_skip(*s, n);
    *ret = v;
    return v <= most;
}

static bool is_day(unsigned year, unsigned month, unsigned day)
{
    static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1] + (unsigned)(leap && month == 2);
}

bool km_shape_time(struct km_str s)
{
    unsigned year, month, day, hour, minute, second;

    if (!take_number(&s, 4, 9999, &year) || !take(&s, '-') || !take_number(&s, 2, 12, &month) ||
        !take(&s, '-') || !take_number(&s, 2, 31, &day) || !is_day(year, month, day) ||
        !take(&s, 'T') || !take_number(&s, 2, 23, &hour) || !take(&s, ':') ||
        !take_number(&s, 2, 59, &minute) || !take(&s, ':') || !take_number(&s, 2, 59, &second))
        return false;
    if (take(&s, '.')) {
        if (!s.n || !digit(s.p[0]))
            return false;
        while (s.n && digit(s.p[0]))
            s = km_str_skip(s, 1);
    }
    if (take(&s, 'Z'))
        return s.n == 0;
    return (take(&s, '+') || take(&s, '-')) && take_number(&s, 2, 23, &hour) && take(&s, ':') &&
           take_number(&s, 2, 59, &minute) && s.n == 0;
}

/* --- URLs --- */

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool special(struct km_str scheme)
{
    static const char *const names[] = { "http", "https", "ws", "wss", "ftp" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (km_str_ieq(scheme, km_str_c(names[i])))
            return true;
    return false;
}

static bool is_port(struct km_str s)
{
    unsigned long v = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (!digit(s.p[i]))
            return false;
        v = v * 10 + (unsigned long)(s.p[i] - '0');
        if (v > 65535)
            return false;
    }
    return true;
}

/* Tabs and ends of lines are nothing to it, wherever they are. */
static bool is_host(struct km_str host)
{
    for (size_t i = 0; i < host.n; i++)
        if (memchr("#/:<>?@[\\]^|", host.p[i], 12) ||
            ((unsigned char)host.p[i] <= ' ' && !memchr("\t\r\n", host.p[i], 3)))
            return false;
    return true;
}

/* Of a scheme whose hosts are looked up: "%41" is "A", and what ends in a number is an address. */
static bool is_special_host(struct km_str host)
{
    struct in_addr address;
    char text[256];
    size_t dot = 0, n = 0;

    for (size_t i = 0; i < host.n && n < sizeof text - 1; i++) {
        const char *hex = "0123456789abcdef";
        const char *high = i + 2 < host.n ? strchr(hex, host.p[i + 1] | ' ') : NULL;
        const char *low = i + 2 < host.n ? strchr(hex, host.p[i + 2] | ' ') : NULL;
        char c = host.p[i];

        if (c == '%') {
            if (!high || !low)
                return false;
            c = (char)((high - hex) * 16 + (low - hex));
            i += 2;
        }
        if ((unsigned char)c <= ' ' || c == '%' || c == 0x7f)
            return false;
        text[n++] = c;
    }
    text[n] = '\0';
    for (size_t i = 0; i + 1 < n; i++)
        if (text[i] == '.')
            dot = i + 1;
    return dot + strspn(text + dot, "0123456789") < n || inet_aton(text, &address) == 1;
}

static bool is_bracketed(struct km_str host)
{
    unsigned char address[16];
    char text[64];

    if (host.n < 4 || host.n > sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", (int)host.n - 2, host.p + 1);
    return inet_pton(AF_INET6, text, address) == 1;
}

static bool is_authority(struct km_str s, bool looked_up)
{
    bool need = looked_up;
    size_t end;

    for (size_t i = s.n; i > 0; i--) /* who asks stands before the last '@' */
        if (s.p[i - 1] == '@') {
            s = km_str_skip(s, i);
            need = true;
            break;
        }
    if (s.n && s.p[0] == '[') {
        end = km_str_chr(s, ']');
        return end < s.n && is_bracketed(km_str_sub(s, 0, end + 1)) &&
               (end + 1 == s.n || (s.p[end + 1] == ':' && is_port(km_str_skip(s, end + 2))));
    }
    end = km_str_chr(s, ':');
    return is_host(km_str_sub(s, 0, end)) &&
           (!looked_up || is_special_host(km_str_sub(s, 0, end))) &&
           (end > 0 || (!need && end == s.n)) && is_port(km_str_skip(s, end < s.n ? end + 1 : end));
}

bool km_shape_url(struct km_str s)
{
    struct km_str scheme, rest;
    size_t end;

    s = km_str_trim(s);
    end = km_str_chr(s, ':');
    scheme = km_str_sub(s, 0, end);
    if (end == s.n || !scheme.n || !letter(scheme.p[0]))
        return false;
    for (size_t i = 0; i < scheme.n; i++)
        if (!letter(scheme.p[i]) && !digit(scheme.p[i]) && !memchr("+-.", scheme.p[i], 3))
            return false;
    rest = km_str_skip(s, end + 1);
    if (special(scheme))
        while (rest.n && (rest.p[0] == '/' || rest.p[0] == '\\'))
            rest = km_str_skip(rest, 1);
    else if (km_str_starts(rest, KM_STR("//")))
        rest = km_str_skip(rest, 2);
    else
        return true; /* a path alone */
    for (end = 0; end < rest.n && !memchr("/?#", rest.p[end], 3);)
        end++;
    return is_authority(km_str_sub(rest, 0, end), special(scheme));
}

/* --- regular expressions, as JavaScript has them with the flag u --- */

/* What may follow a backslash and is the end of it. */
static bool escapes(char c, bool in_class)
{
    return memchr("dDwWsStnvfr0^$\\.*+?()[]{}|/", c, 27) != NULL ||
           (in_class ? c == '-' : c == 'b' || c == 'B');
}

/* *ret_looks: it looks ahead or behind, and cannot be repeated. */
static bool begins_group(struct km_str *s, bool *ret_looks)
{
    static const char *const marks[] = { "?:", "?=", "?!", "?<=", "?<!" };

    *ret_looks = false;
    if (!s->n || s->p[0] != '?')
        return true;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (km_str_starts(*s, km_str_c(marks[i]))) {
            *s = km_str_skip(*s, strlen(marks[i]));
            *ret_looks = i > 0;
            return true;
        }
    return false;
}

/* "3", "3,", "3,5" and the brace behind. */
static bool take_times(struct km_str *s)
{
    size_t end = km_str_chr(*s, '}'), comma = km_str_chr(km_str_sub(*s, 0, end), ',');
    uint64_t least, most;

    if (end == s->n || km_str_u64(km_str_sub(*s, 0, comma), &least) < 0 || least > 65535)
        return false;
    if (comma + 1 < end &&
        (km_str_u64(km_str_sub(*s, comma + 1, end - comma - 1), &most) < 0 || most < least))
        return false;
    *s = km_str_skip(*s, end + 1);
    return true;
}

/* A class, its '[' taken.  Ranges are passed over where both ends are plain. */
static bool take_class(struct km_str *s)
{
    char before = 0;

    (void)take(s, '^');
    while (s->n && s->p[0] != ']') {
        char c = s->p[0];

        *s = km_str_skip(*s, 1);
        if (c == '\\') {
            if (!s->n || !escapes(s->p[0], true))
                return false;
            *s = km_str_skip(*s, 1);
            if (s->n && s->p[0] == '-' && s->n > 1 && s->p[1] != ']')
                return false; /* a range from what may be many */
            before = 0;
        } else if (c == '-' && before && s->n && s->p[0] != ']') {
            if (s->p[0] == '\\' || s->p[0] < before)
                return false;
            *s = km_str_skip(*s, 1);
            before = 0;
        } else {
            before = c;
        }
    }
    return take(s, ']');
}

struct reading {
    struct km_str s; /* what is left */
    bool repeats; /* what was before can be repeated */
    unsigned depth; /* of groups */
    bool looks[GROUPS]; /* those that look ahead or behind */
};

static bool take_group(struct reading *r)
{
    r->repeats = false;
    return r->depth < GROUPS && begins_group(&r->s, &r->looks[r->depth++]);
}

static bool end_group(struct reading *r)
{
    if (r->depth == 0)
        return false;
    r->repeats = !r->looks[--r->depth];
    return true;
}

static bool take_repeat(struct reading *r, char c)
{
    if (!r->repeats || (c == '{' && !take_times(&r->s)))
        return false;
    (void)take(&r->s, '?');
    r->repeats = false;
    return true;
}

static bool take_escape(struct reading *r)
{
    if (!r->s.n || !escapes(r->s.p[0], false))
        return false;
    r->repeats = !memchr("bB", r->s.p[0], 2);
    r->s = km_str_skip(r->s, 1);
    return true;
}

static bool take_one(struct reading *r, char c)
{
    switch (c) {
    case '(':
        return take_group(r);
    case ')':
        return end_group(r);
    case '*':
    case '+':
    case '?':
    case '{':
        return take_repeat(r, c);
    case '\\':
        return take_escape(r);
    case ']':
    case '}':
        return false;
    case '[':
        r->repeats = true;
        return take_class(&r->s);
    default:
        r->repeats = !memchr("^$|", c, 3);
        return true;
    }
}

bool km_shape_pattern(struct km_str s)
{
    struct reading r = { .s = s };

    while (r.s.n) {
        char c = r.s.p[0];

        r.s = km_str_skip(r.s, 1);
        if (!take_one(&r, c))
            return false;
    }
    return r.depth == 0;
}
