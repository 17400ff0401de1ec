/* SPDX-License-Identifier: Apache-2.0 */
/* syntax.c - see syntax.h for the contract.
 *
 * One table of 256 class bits serves every check, so that the common case is one load and one
 * test a byte.  Paths take two passes only when they hold a byte that could matter ('%', '.',
 * '\\', ...): an ordinary "/v1/chat/completions" is read once and is done.
 *
 * The path rules are stricter than RFC 3986 on purpose.  A gateway decides by path (route,
 * authentication level) and passes paths on with its own credential; a peer that decodes up to
 * three times, before it splits or after, merges dots, ends a segment at ';' or takes '\\' for
 * '/' must not be able to leave the folder that the path was judged to lie in.  So each reading
 * of the whole path is judged: as sent, decoded once, twice, three times.  An escaped '/' may
 * stand ("openai%2Fgpt-4" is a model): only dots between two ends lead anywhere else.
 */
#include "http/syntax.h"

#include <arpa/inet.h>

#include "base/encode.h"

#define PATH_DECODINGS 3 /* what nothing between here and an origin server does more often */

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

/* Reads one byte of s at *i as it stands after `times` decodings of the whole; -1: the end.  A
 * '%' that begins no escape stays, as it does in servers that decode a second time.  The depth
 * of the recursion is `times`. */
static int next_after(struct km_str s, size_t *i, unsigned times)
{
    size_t at;
    int c, hi, lo;

    if (times == 0)
        return *i < s.n ? (unsigned char)s.p[(*i)++] : -1;
    c = next_after(s, i, times - 1);
    if (c != '%')
        return c;
    at = *i;
    hi = next_after(s, &at, times - 1);
    lo = hi < 0 ? -1 : next_after(s, &at, times - 1);
    hi = hi < 0 ? -1 : km_hex_value((char)hi);
    lo = lo < 0 ? -1 : km_hex_value((char)lo);
    if (hi < 0 || lo < 0)
        return c;
    *i = at;
    return hi * 16 + lo;
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

struct utf8 {
    int lead; /* of the character under way, until its second byte came */
    int follow; /* bytes it still wants */
};

static bool utf8_takes(struct utf8 *u, int c)
{
    if (u->follow == 0) {
        u->follow = utf8_follow(c);
        u->lead = c;
        return u->follow >= 0;
    }
    if (c < 0x80 || c > 0xbf || (u->lead && !utf8_second(u->lead, c)))
        return false;
    u->lead = 0;
    u->follow--;
    return true;
}

/* Some servers end a segment at ';' or take '\\' for '/'; one that decodes before it looks for the
 * query ends the path at '?', or at '#'. */
static bool ends_segment(int c)
{
    return c < 0 || c == '/' || c == '\\' || c == ';' || c == '?' || c == '#';
}

/* The path as a server sees it that decodes `times`; *ret_escapes: it still holds an escape. */
static bool reading_ok(struct km_str path, unsigned times, bool takes_backslash, bool *ret_escapes,
                       const char **ret_why)
{
    struct utf8 utf8 = { 0 };
    size_t dots = 0, others = 0, before;
    int c;

    *ret_escapes = false;
    for (size_t i = 0;;) {
        c = next_after(path, &i, times);
        if (ends_segment(c)) {
            if (others == 0 && (dots == 1 || dots == 2))
                return no(ret_why, "a dot segment");
            dots = others = 0;
        } else {
            dots += c == '.';
            others += c != '.';
        }
        if (c < 0)
            return utf8.follow == 0 || no(ret_why, "escapes that are not UTF-8");
        if (c < 0x20 || c == 0x7f)
            return no(ret_why, "an escaped control byte");
        if (c == '\\' && !takes_backslash)
            return no(ret_why, "a backslash");
        if (!utf8_takes(&utf8, c))
            return no(ret_why, "escapes that are not UTF-8");
        before = i;
        if (c == '%' && !*ret_escapes) {
            int hi = next_after(path, &before, times), lo = -1;

            if (hi >= 0)
                lo = next_after(path, &before, times);
            *ret_escapes =
                hi >= 0 && lo >= 0 && km_hex_value((char)hi) >= 0 && km_hex_value((char)lo) >= 0;
        }
    }
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

static bool escapes_ok(struct km_str s, const char **ret_why)
{
    for (size_t i = 0; i < s.n;)
        if (next_decoded(s, &i) < 0)
            return no(ret_why, "a '%' that is not followed by two hexadecimal digits");
    return true;
}

/* How many bytes from `at` on are PLAIN, in whole fours. */
static size_t plain_fours(struct km_str s, size_t at)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = at;

    while (s.n - i >= 4 &&
           (classes[p[i]] & classes[p[i + 1]] & classes[p[i + 2]] & classes[p[i + 3]] & PLAIN))
        i += 4;
    return i - at;
}

/* One reading only, and no dot segment: letters and the like, dots behind them, escapes of them.
 * Nearly all paths are, and each call has two of them looked at. */
static bool is_plain(struct km_str path)
{
    for (size_t i = plain_fours(path, 0); i < path.n; i += plain_fours(path, i)) {
        bool dot = path.p[i] == '.' && i > 0 && path.p[i - 1] != '/';
        int c = next_decoded(path, &i);

        if (c < 0 || !(dot || (classes[c] & PLAIN)) || (c == '/' && path.p[i - 1] != '/'))
            return false;
    }
    return true;
}

static bool readings_ok(struct km_str path, bool takes_backslash, const char **ret_why)
{
    bool escapes = true;

    if (is_plain(path))
        return true;
    if (!raw_bytes_ok(path, ret_why) || !escapes_ok(path, ret_why))
        return false;
    for (unsigned times = 0; escapes && times <= PATH_DECODINGS; times++)
        if (!reading_ok(path, times, takes_backslash, &escapes, ret_why))
            return false;
    return !escapes || no(ret_why, "escapes within escapes, over three deep");
}

bool km_path_ok(struct km_str path, const char **ret_why)
{
    return readings_ok(path, false, ret_why);
}

bool km_path_filled_ok(struct km_str path, const char **ret_why)
{
    return readings_ok(path, true, ret_why);
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
