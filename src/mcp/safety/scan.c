/* SPDX-License-Identifier: Apache-2.0 */
/* scan.c - see scan.h for the contract.
 *
 *     text ──> code points ──> hidden ones, seen with what stands before them
 *        └──> folded (invisible ones left out, look-alikes and case made one, blanks made one)
 *                └──> rules of scan_rules.c
 *
 * Characters that nobody sees are not all bad: an emoji is joined by them, Persian is not written
 * without them.  Each has a rule for where it is at home; anywhere else it counts.
 */
#include "mcp/safety/scan.h"

#include <string.h>

#include "base/buf.h"
#include "mcp/safety/scan_rules.h"

#define ENCODED_RUN 160 /* characters of base64 in a row */
#define BLANK_RUN 80 /* blanks in a row push what follows out of sight */
#define LINE_RUN 15 /* the same with empty lines */
#define DEPTH_MOST 128

/* --- code points --- */

uint32_t km_scan_code_point(struct km_str s, size_t *ret_n)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 1;
    uint32_t cp = n == 1 ? p[0] : p[0] & (0x7fU >> n);

    if (n > s.n)
        n = 1;
    for (size_t i = 1; i < n; i++)
        cp = cp << 6 | (p[i] & 0x3f);
    *ret_n = n;
    return n == 1 ? p[0] : cp;
}

static bool within(uint32_t cp, uint32_t from, uint32_t to)
{
    return cp >= from && cp <= to;
}

static bool is_variation(uint32_t cp)
{
    return within(cp, 0xfe00, 0xfe0f) || within(cp, 0xe0100, 0xe01ef);
}

bool km_scan_invisible(uint32_t cp)
{
    static const uint32_t ranges[][2] = {
        { 0x00, 0x08 },       { 0x0b, 0x0c },     { 0x0e, 0x1f },     { 0x7f, 0x9f },
        { 0x61c, 0x61c },     { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f },
        { 0x200b, 0x200f },   { 0x202a, 0x202e }, { 0x2060, 0x206f }, { 0x3164, 0x3164 },
        { 0xe000, 0xf8ff },   { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },
        { 0xfff0, 0xfffb },   { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
        { 0xf0000, 0x10ffff },
    };

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (within(cp, ranges[i][0], ranges[i][1]))
            return true;
    return false;
}

static bool is_emoji(uint32_t cp)
{
    return within(cp, 0x1f000, 0x1faff) || within(cp, 0x2190, 0x2bff) || within(cp, '0', '9') ||
           cp == '#' || cp == '*' || cp == 0xa9 || cp == 0xae || cp == 0x203c || cp == 0x2049 ||
           cp == 0x2122 || cp == 0x2139 || cp == 0x3030 || cp == 0x303d || cp == 0x3297 ||
           cp == 0x3299;
}

static bool is_ideograph(uint32_t cp)
{
    return within(cp, 0x2e80, 0x9fff) || within(cp, 0xf900, 0xfaff) || within(cp, 0x20000, 0x3ffff);
}

/* Scripts that are written with joiners. */
static bool joins(uint32_t cp)
{
    return within(cp, 0x600, 0xdff) || within(cp, 0x1000, 0x109f) || within(cp, 0x1780, 0x18aa);
}

struct look {
    uint32_t before; /* code point; 0: none */
    unsigned flag_tags; /* letters of a flag so far (black flag and tags); 0: none */
    bool rtl; /* the text has letters written from the right */
    bool first;
};

/* Is this invisible one at home here? */
static bool at_home(const struct look *l, uint32_t cp)
{
    uint32_t before = l->before;

    if (cp == 0x200d)
        return joins(before) || before == 0xfe0f || (is_emoji(before) && before > 0x7f);
    if (cp == 0x200c)
        return joins(before);
    if (cp == 0x200e || cp == 0x200f || cp == 0x61c)
        return l->rtl;
    if (cp == 0xfeff)
        return l->first; /* the mark some editors begin a file with */
    if (cp == 0xfe0f || cp == 0xfe0e)
        return is_emoji(before);
    if (is_variation(cp))
        return is_ideograph(before);
    if (within(cp, 0x180b, 0x180f))
        return within(before, 0x1800, 0x18aa);
    if (within(cp, 0xe0020, 0xe007f))
        return l->flag_tags > 0 && l->flag_tags <= 7;
    return false;
}

static bool has_rtl(struct km_str s)
{
    size_t n;

    for (; s.n; s = km_str_skip(s, n)) {
        uint32_t cp = km_scan_code_point(s, &n);

        if (within(cp, 0x590, 0x8ff) && cp != 0x61c)
            return true;
    }
    return false;
}

static bool has_hidden(struct km_str s)
{
    struct look l = { .first = true };
    size_t n, blanks = 0, lines = 0;
    bool looked = false;

    for (; s.n; s = km_str_skip(s, n)) {
        uint32_t cp = km_scan_code_point(s, &n);

        if (cp >= 0x80 && !looked) {
            l.rtl = has_rtl(s);
            looked = true;
        }
        blanks = cp == ' ' || cp == '\t' || cp == 0xa0 || cp == 0x3000 ? blanks + 1 : 0;
        lines = cp == '\n' ? lines + 1 : cp == ' ' || cp == '\r' || cp == '\t' ? lines : 0;
        if (blanks >= BLANK_RUN || lines >= LINE_RUN)
            return true;
        if (km_scan_invisible(cp) && !at_home(&l, cp))
            return true;
        l.flag_tags = cp == 0x1f3f4                                 ? 1
                      : l.flag_tags && within(cp, 0xe0020, 0xe007e) ? l.flag_tags + 1
                                                                    : 0;
        l.before = cp;
        l.first = false;
    }
    return false;
}

static bool has_encoded(struct km_str s)
{
    size_t run = 0;
    bool upper = false, lower = false, digit = false;

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool u = c >= 'A' && c <= 'Z', w = c >= 'a' && c <= 'z', d = c >= '0' && c <= '9';

        if (!u && !w && !d && c != '+' && c != '/' && c != '=' && c != '-' && c != '_') {
            run = 0;
            upper = lower = digit = false;
            continue;
        }
        run++;
        upper = upper || u;
        lower = lower || w;
        digit = digit || d;
        if (run >= ENCODED_RUN && upper && lower && digit)
            return true;
    }
    return false;
}

/* --- folding --- */

/* Letters that look like Latin ones, as those; 0: leave it out. */
static uint32_t fold(uint32_t cp)
{
    static const struct {
        uint16_t from;
        char to;
    } alike[] = {
        { 0x430, 'a' },  { 0x410, 'a' },  { 0x435, 'e' }, { 0x415, 'e' },   { 0x43e, 'o' },
        { 0x41e, 'o' },  { 0x440, 'p' },  { 0x420, 'p' }, { 0x441, 'c' },   { 0x421, 'c' },
        { 0x445, 'x' },  { 0x425, 'x' },  { 0x443, 'y' }, { 0x456, 'i' },   { 0x406, 'i' },
        { 0x458, 'j' },  { 0x455, 's' },  { 0x405, 's' }, { 0x501, 'd' },   { 0x51b, 'q' },
        { 0x51d, 'w' },  { 0x422, 't' },  { 0x41d, 'h' }, { 0x4bb, 'h' },   { 0x412, 'b' },
        { 0x41a, 'k' },  { 0x41c, 'm' },  { 0x3bf, 'o' }, { 0x39f, 'o' },   { 0x3b1, 'a' },
        { 0x391, 'a' },  { 0x395, 'e' },  { 0x399, 'i' }, { 0x3b9, 'i' },   { 0x3bd, 'v' },
        { 0x3c1, 'p' },  { 0x131, 'i' },  { 0x261, 'g' }, { 0x2019, '\'' }, { 0x2018, '\'' },
        { 0x2010, '-' }, { 0x2011, '-' }, { 0xa0, ' ' },  { 0x3000, ' ' },
    };

    if (km_scan_invisible(cp))
        return 0;
    if (within(cp, 0xff01, 0xff5e)) /* full width */
        cp -= 0xfee0;
    if (within(cp, 0x1d400, 0x1d6a3)) /* mathematical letters: alphabets of 52 */
        cp = 'a' + (cp - 0x1d400) % 26;
    if (within(cp, 'A', 'Z'))
        return cp + 32;
    for (size_t i = 0; cp > 0x7f && i < sizeof alike / sizeof alike[0]; i++)
        if (alike[i].from == cp)
            return (uint32_t)(unsigned char)alike[i].to;
    return cp;
}

/* What the rules read: ASCII, lower case, one blank between words; other letters are '?'. */
static void fold_all(struct km_str s, struct km_buf *out)
{
    size_t n;
    bool blank = true;

    for (; s.n; s = km_str_skip(s, n)) {
        uint32_t cp = fold(km_scan_code_point(s, &n));

        if (!cp)
            continue;
        if (cp == ' ' || cp == '\n' || cp == '\r' || cp == '\t') {
            if (!blank)
                km_buf_byte(out, ' ');
            blank = true;
            continue;
        }
        km_buf_byte(out, cp < 0x80 ? (char)cp : '?');
        blank = false;
    }
}

/* --- texts --- */

unsigned km_scan_text(struct km_str s)
{
    struct km_buf folded KM_CLEANUP(km_buf_done) = KM_BUF(s.n + 16);
    unsigned flags = 0;

    if (!s.n)
        return 0;
    if (has_hidden(s))
        flags |= KM_SCAN_HIDDEN;
    if (has_encoded(s))
        flags |= KM_SCAN_ENCODED;
    fold_all(s, &folded);
    if (km_scan_orders(km_buf_view(&folded)))
        flags |= KM_SCAN_ORDERS;
    return flags;
}

unsigned km_scan_name(struct km_str s)
{
    unsigned flags = km_scan_text(s);
    bool latin = false, other = false;
    size_t n;

    for (; s.n; s = km_str_skip(s, n)) {
        uint32_t cp = km_scan_code_point(s, &n), plain = fold(cp);

        latin = latin || (cp < 0x80 && within(plain, 'a', 'z'));
        other = other || (cp > 0x7f && within(plain, 'a', 'z'));
    }
    return latin && other ? flags | KM_SCAN_LOOKALIKE : flags;
}

static unsigned scan_value(const struct km_json *v, unsigned depth)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key, s;
    unsigned flags = 0;

    if (km_json_string(v, &s))
        return km_scan_text(s);
    if (depth > DEPTH_MOST)
        return 0;
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item);) {
        flags |= km_scan_name(key);
        flags |= scan_value(item, depth + 1);
    }
    return flags;
}

unsigned km_scan_item(const struct km_json *item)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key, name;
    unsigned flags = 0;

    for (km_json_iter(item, &it); km_json_next(&it, &key, &v);) {
        if (km_str_eq(key, KM_STR("icons")) || km_str_eq(key, KM_STR("_meta")))
            continue; /* pictures, and what no model is shown */
        if (km_str_eq(key, KM_STR("name")) && km_json_string(v, &name))
            flags |= km_scan_name(name);
        else
            flags |= scan_value(v, 0);
    }
    return flags;
}

/* A '\r' alone would have the rest of a line written over its beginning. */
static void put_plain(struct km_buf *out, struct km_str s, bool lines)
{
    size_t n;

    for (; s.n; s = km_str_skip(s, n)) {
        uint32_t cp = km_scan_code_point(s, &n);

        if (km_scan_invisible(cp) || cp == '\r' || (!lines && (cp == '\n' || cp == '\t')))
            km_buf_printf(out, "\\u%04x", (unsigned)cp);
        else
            km_buf_str(out, km_str_sub(s, 0, n));
    }
}

void km_scan_plain(struct km_buf *out, struct km_str s)
{
    put_plain(out, s, true);
}

void km_scan_line(struct km_buf *out, struct km_str s)
{
    put_plain(out, s, false);
}

void km_scan_words(unsigned flags, struct km_buf *out)
{
    static const char *const words[] = { "hidden_characters", "orders", "encoded_text",
                                         "lookalike_name" };
    bool first = true;

    km_buf_byte(out, '[');
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (flags & (1U << i)) {
            km_buf_printf(out, "%s\"%s\"", first ? "" : ",", words[i]);
            first = false;
        }
    km_buf_byte(out, ']');
}
