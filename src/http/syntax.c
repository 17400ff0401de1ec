/* SPDX-License-Identifier: Apache-2.0 */
/* syntax.c - see syntax.h for the contract.
 *
 * One table of 256 class bits serves every check, so that the common case is one load and one
 * test a byte.  Paths take two passes only when they hold a byte that could matter ('%', '.',
 * '\\', ...): an ordinary "/v1/chat/completions" is read once and is done.
 *
 * The path rules are stricter than RFC 3986 on purpose.  A gateway decides by path (route,
 * authentication level) and passes paths on; a peer that decodes once more, merges dots or
 * takes '\\' for '/' must not be able to see another path than the one judged here.
 */
#include "http/syntax.h"

#include <arpa/inet.h>

#include "base/encode.h"

enum { TCHAR = 1, HOST = 2, PLAIN = 4, HEX = 8 };

#define T TCHAR
#define P PLAIN
#define D (TCHAR | HOST | PLAIN | HEX)
#define L (TCHAR | HOST | PLAIN)

/* PLAIN: bytes of a path that need no second look. */
static const unsigned char classes[256] = {
    ['!'] = T | P,    ['#'] = T,     ['$'] = T | P,
    ['%'] = T,        ['&'] = T | P, ['\''] = T | P,
    ['*'] = T | P,    ['+'] = T | P, ['-'] = T | P | HOST,
    ['.'] = T | HOST, ['^'] = T,     ['_'] = T | P | HOST,
    ['`'] = T,        ['|'] = T,     ['~'] = T | P,
    ['/'] = P,        [':'] = P,     ['@'] = P,
    ['='] = P,        [','] = P,     ['('] = P,
    [')'] = P,        ['0'] = D,     ['1'] = D,
    ['2'] = D,        ['3'] = D,     ['4'] = D,
    ['5'] = D,        ['6'] = D,     ['7'] = D,
    ['8'] = D,        ['9'] = D,     ['a'] = D,
    ['b'] = D,        ['c'] = D,     ['d'] = D,
    ['e'] = D,        ['f'] = D,     ['g'] = L,
    ['h'] = L,        ['i'] = L,     ['j'] = L,
    ['k'] = L,        ['l'] = L,     ['m'] = L,
    ['n'] = L,        ['o'] = L,     ['p'] = L,
    ['q'] = L,        ['r'] = L,     ['s'] = L,
    ['t'] = L,        ['u'] = L,     ['v'] = L,
    ['w'] = L,        ['x'] = L,     ['y'] = L,
    ['z'] = L,        ['A'] = D,     ['B'] = D,
    ['C'] = D,        ['D'] = D,     ['E'] = D,
    ['F'] = D,        ['G'] = L,     ['H'] = L,
    ['I'] = L,        ['J'] = L,     ['K'] = L,
    ['L'] = L,        ['M'] = L,     ['N'] = L,
    ['O'] = L,        ['P'] = L,     ['Q'] = L,
    ['R'] = L,        ['S'] = L,     ['T'] = L,
    ['U'] = L,        ['V'] = L,     ['W'] = L,
    ['X'] = L,        ['Y'] = L,     ['Z'] = L,
};

#undef T
#undef P
#undef D
#undef L

static bool all_of(struct km_str s, unsigned class)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(classes[(unsigned char)s.p[i]] & class))
            return false;
    return true;
}

bool km_is_token(struct km_str s)
{
    return s.n > 0 && all_of(s, TCHAR);
}

bool km_is_field_value(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_ipv6(struct km_str s)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char addr[16];

    if (s.n == 0 || s.n >= sizeof text)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return memchr(text, '\0', s.n) == NULL && inet_pton(AF_INET6, text, addr) == 1;
}

static bool is_reg_name(struct km_str s)
{
    if (s.n == 0 || s.n > 255 || s.p[0] == '.' || !all_of(s, HOST))
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (s.p[i] == '.' && s.p[i - 1] == '.')
            return false;
    return true;
}

bool km_host_port(struct km_str s, struct km_str *ret_host, uint16_t *ret_port)
{
    struct km_str host, rest;
    uint64_t port = 0;

    if (s.n > 0 && s.p[0] == '[') {
        size_t end = km_str_chr(s, ']');

        if (end == s.n || !is_ipv6(km_str(s.p + 1, end - 1)))
            return false;
        host = km_str(s.p + 1, end - 1);
        rest = km_str_skip(s, end + 1);
    } else {
        size_t colon = km_str_chr(s, ':');

        host = km_str(s.p, colon);
        rest = km_str_skip(s, colon);
        if (!is_reg_name(host))
            return false;
    }
    if (rest.n > 0) {
        if (rest.p[0] != ':' || rest.n > 6 || km_str_u64(km_str_skip(rest, 1), &port) < 0 ||
            port == 0 || port > 65535)
            return false;
    }
    *ret_host = host;
    *ret_port = (uint16_t)port;
    return true;
}

static bool no(const char **ret_why, const char *why)
{
    *ret_why = why;
    return false;
}

/* Reads one byte of s at *i, decoding an escape.  -1: a bad escape. */
static int next_decoded(struct km_str s, size_t *i)
{
    int hi, lo;

    if (s.p[*i] != '%')
        return (unsigned char)s.p[(*i)++];
    if (s.n - *i < 3)
        return -1;
    hi = km_hex_value(s.p[*i + 1]);
    lo = km_hex_value(s.p[*i + 2]);
    if (hi < 0 || lo < 0)
        return -1;
    *i += 3;
    return hi * 16 + lo;
}

/* As next_decoded(), until nothing that looks like an escape is left: "%252e" is '.'. */
static int next_decoded_fully(struct km_str s, size_t *i)
{
    int c = next_decoded(s, i);

    while (c == '%' && s.n - *i >= 2) {
        int hi = km_hex_value(s.p[*i]), lo = km_hex_value(s.p[*i + 1]);

        if (hi < 0 || lo < 0)
            break;
        *i += 2;
        c = hi * 16 + lo;
    }
    return c;
}

static bool is_dot_segment(struct km_str segment)
{
    size_t dots = 0;

    for (size_t i = 0; i < segment.n;) {
        int c = next_decoded_fully(segment, &i);

        if (c == ';')
            break;
        if (c != '.')
            return false;
        dots++;
    }
    return dots == 1 || dots == 2;
}

/* How many continuation bytes follow a UTF-8 lead byte; -1: no lead byte. */
static int utf8_follow(int c)
{
    if (c < 0x80)
        return 0;
    if (c >= 0xc2 && c <= 0xdf)
        return 1;
    if (c >= 0xe0 && c <= 0xef)
        return 2;
    if (c >= 0xf0 && c <= 0xf4)
        return 3;
    return -1;
}

/* May `c` follow lead byte `lead` directly?  (Overlong forms, surrogates, over U+10FFFF.) */
static bool utf8_second(int lead, int c)
{
    if (lead == 0xe0 && c < 0xa0)
        return false;
    if (lead == 0xed && c > 0x9f)
        return false;
    if (lead == 0xf0 && c < 0x90)
        return false;
    return !(lead == 0xf4 && c > 0x8f);
}

static bool decoded_bytes_ok(struct km_str path, const char **ret_why)
{
    int lead = 0, follow = 0;

    for (size_t i = 0; i < path.n;) {
        int c = next_decoded(path, &i);

        if (c < 0)
            return no(ret_why, "a '%' that is not followed by two hexadecimal digits");
        if (c < 0x20 || c == 0x7f)
            return no(ret_why, "an escaped control byte");
        if (c == '\\')
            return no(ret_why, "a backslash");
        if (follow > 0) {
            if (c < 0x80 || c > 0xbf || (lead && !utf8_second(lead, c)))
                return no(ret_why, "escapes that are not UTF-8");
            lead = 0;
            follow--;
        } else {
            follow = utf8_follow(c);
            lead = c;
            if (follow < 0)
                return no(ret_why, "escapes that are not UTF-8");
        }
    }
    return follow == 0 || no(ret_why, "escapes that are not UTF-8");
}

static bool raw_bytes_ok(struct km_str s, const char **ret_why)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= 0x20 || s.p[i] > 0x7e)
            return no(ret_why, "a byte that must be escaped");
        if (s.p[i] == '#')
            return no(ret_why, "a fragment");
    }
    return true;
}

bool km_path_ok(struct km_str path, const char **ret_why)
{
    struct km_str rest = path, segment;

    if (all_of(path, PLAIN))
        return true;
    if (!raw_bytes_ok(path, ret_why) || !decoded_bytes_ok(path, ret_why))
        return false;
    while (km_str_split(&rest, '/', &segment))
        if (segment.n > 0 && is_dot_segment(segment))
            return no(ret_why, "a dot segment");
    return true;
}

bool km_query_ok(struct km_str query, const char **ret_why)
{
    if (all_of(query, PLAIN))
        return true;
    if (!raw_bytes_ok(query, ret_why))
        return false;
    for (size_t i = 0; i < query.n;) {
        int c = next_decoded(query, &i);

        if (c < 0)
            return no(ret_why, "a '%' that is not followed by two hexadecimal digits");
        if (c == 0)
            return no(ret_why, "an escaped NUL");
    }
    return true;
}
