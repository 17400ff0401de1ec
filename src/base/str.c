/* SPDX-License-Identifier: Apache-2.0 */
/* str.c - see str.h for the contract.  Numbers are in str_number.c.
 *
 * Views are compared and searched by bytes.  Nothing here asks the locale: header names
 * and schemes are ASCII by their standards, and a Turkish environment must not change
 * what "I" equals.
 *
 * The glob is matched from its right end.  Each piece between two stars takes its last
 * occurrence, which leaves the first star the longest text it can stand for: the result
 * of the regular expression LiteLLM makes of the same pattern ("(.*)", greedy), without
 * backtracking, so that no pattern and no model name can make it slow.
 */
#include "base/str.h"

#include "base/chunk.h"

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS (ONES << 7)

/* ASCII's capitals as small letters, eight at once.  Without its high bit no byte carries into the
 * next when a number below 0x80 is added, so the high bit of each sum says whether that byte
 * reaches 'A', or passes 'Z'. */
static uint64_t fold_eight(uint64_t w)
{
    const uint64_t low = w & ~HIGHS;
    const uint64_t from_a = low + ONES * (0x80 - 'A'), past_z = low + ONES * (0x7f - 'Z');

    return w | (from_a & ~past_z & ~w & HIGHS) >> 2;
}

bool km_str_iamong(struct km_str s, const struct km_str *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (km_str_ieq(s, v[i]))
            return true;
    return false;
}

bool km_str_starts(struct km_str s, struct km_str prefix)
{
    /* The last byte first: most of a table's prefixes begin alike. */
    return s.n >= prefix.n && (prefix.n == 0 || (s.p[prefix.n - 1] == prefix.p[prefix.n - 1] &&
                                                 memcmp(s.p, prefix.p, prefix.n) == 0));
}

static bool same_eight(const char *p, const char *q)
{
    uint64_t a, b;

    memcpy(&a, p, sizeof a);
    memcpy(&b, q, sizeof b);
    return a == b || fold_eight(a) == fold_eight(b);
}

/* The ends of what is shorter meet or overlap in one word. */
static uint64_t word_of(const char *p, size_t n)
{
    uint32_t first, last;
    uint16_t one, two;

    if (n >= 4) {
        memcpy(&first, p, sizeof first);
        memcpy(&last, p + n - 4, sizeof last);
        return (uint64_t)last << 32 | first;
    }
    if (n >= 2) {
        memcpy(&one, p, sizeof one);
        memcpy(&two, p + n - 2, sizeof two);
        return (uint64_t)two << 16 | one;
    }
    return n ? (uint8_t)*p : 0;
}

static bool same_few(const char *p, const char *q, size_t n)
{
    uint64_t a = word_of(p, n), b = word_of(q, n);

    return a == b || fold_eight(a) == fold_eight(b);
}

bool km_str_isame(const char *a, const char *b, size_t n)
{
    if (n < 8)
        return same_few(a, b, n);
    for (size_t i = 0; i + 8 < n; i += 8)
        if (!same_eight(a + i, b + i))
            return false;
    return same_eight(a + n - 8, b + n - 8); /* with some of what was compared before it */
}

bool km_str_ends(struct km_str s, struct km_str suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0);
}

int km_str_cmp(struct km_str a, struct km_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int r = n ? memcmp(a.p, b.p, n) : 0;

    if (r)
        return r;
    return a.n < b.n ? -1 : a.n > b.n;
}

#define SHORT_NEEDLE 32
#define SHORT_TEXT 4096

/* A name in an event: libc's way makes tables first, which cost more than the whole text here.
 * Where two bytes of the needle stand in their places the rest is compared; SHORT_NEEDLE bounds
 * that, so that no text makes it slow.  Not the first and the last: those are quotes mostly. */
static size_t find_short(struct km_str s, struct km_str needle)
{
    const size_t inner = needle.n > 3, far = needle.n - 1 - inner;
    const char one = needle.p[inner], two = needle.p[far];
    const size_t ends = s.n - needle.n + 1; /* places where it may begin */
    size_t i = 0;

    for (; i + KM_LANE_BYTES <= ends; i += KM_LANE_BYTES) {
        const km_lane hit =
            (km_lane_at(s.p + i + inner) == one) & (km_lane_at(s.p + i + far) == two);

        if (!km_lane_any(hit))
            continue;
        for (size_t k = 0; k < KM_LANE_BYTES; k++)
            if (hit[k] && memcmp(s.p + i + k, needle.p, needle.n) == 0)
                return i + k;
    }
    for (; i < ends; i++)
        if (s.p[i] == needle.p[0] && memcmp(s.p + i, needle.p, needle.n) == 0)
            return i;
    return s.n;
}

size_t km_str_find(struct km_str s, struct km_str needle)
{
    const char *at;

    if (needle.n == 0)
        return 0;
    if (s.n < needle.n)
        return s.n;
    if (needle.n <= SHORT_NEEDLE && s.n <= SHORT_TEXT)
        return find_short(s, needle);
    at = memmem(s.p, s.n, needle.p, needle.n);
    return at ? (size_t)(at - s.p) : s.n;
}

size_t km_str_chr(struct km_str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

    return at ? (size_t)(at - s.p) : s.n;
}

size_t km_str_rchr(struct km_str s, char c)
{
    const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;

    return at ? (size_t)(at - s.p) : s.n;
}

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7f && c != '"' && c != '\\';
}

/* The high bit of each byte of w that is not plain.  Carries and borrows run upwards from such
 * a byte only, so the lowest bit set is true; those above it may not be. */
static uint64_t not_plain(uint64_t w)
{
    const uint64_t quote = w ^ ONES * '"', backslash = w ^ ONES * '\\';

    return (w | (w + ONES) | (w - ONES * 0x20) | (quote - ONES) | (backslash - ONES)) & HIGHS;
}

size_t km_str_plain(struct km_str s)
{
    size_t n = 0;

    if (s.n >= 2 * (size_t)KM_CHUNK_BYTES)
        n = km_run_plain(s.p, s.n);
    for (uint64_t w; s.n - n >= sizeof w; n += sizeof w) {
        memcpy(&w, s.p + n, sizeof w);
        if (not_plain(w))
            break;
    }
    while (n < s.n && is_plain(s.p[n]))
        n++;
    return n;
}

/* As not_plain(), of ' ' and '=', too. */
static uint64_t not_bare(uint64_t w)
{
    return not_plain(w) | (((w - ONES * 0x21) | ((w ^ ONES * '=') - ONES)) & HIGHS);
}

static uint64_t eight_of(const char *p)
{
    uint64_t w;

    memcpy(&w, p, sizeof w);
    return w;
}

bool km_str_is_bare(struct km_str s)
{
    size_t n = 0;

    for (; s.n - n >= 8; n += 8)
        if (not_bare(eight_of(s.p + n)))
            return false;
    if (n > 0 && n < s.n) /* the rest, with some of what was looked at before it */
        return !not_bare(eight_of(s.p + s.n - 8));
    for (; n < s.n; n++)
        if (!is_plain(s.p[n]) || s.p[n] == ' ' || s.p[n] == '=')
            return false;
    return true;
}

struct km_str km_str_sub(struct km_str s, size_t from, size_t n)
{
    s = km_str_skip(s, from);
    if (s.n > n)
        s.n = n;
    return s;
}

struct km_str km_str_skip(struct km_str s, size_t n)
{
    if (n > s.n)
        n = s.n;
    return n ? km_str(s.p + n, s.n - n) : s;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct km_str km_str_trim(struct km_str s)
{
    while (s.n && is_blank(s.p[0]))
        s = km_str_skip(s, 1);
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool km_str_split(struct km_str *rest, char sep, struct km_str *ret_part)
{
    size_t at;

    if (!rest->p)
        return false;
    at = km_str_chr(*rest, sep);
    *ret_part = km_str(rest->p, at);
    *rest = at < rest->n ? km_str_skip(*rest, at + 1) : KM_STR_NONE;
    return true;
}

/* Offset of the last occurrence in s, or SIZE_MAX. */
static size_t find_last(struct km_str s, struct km_str needle)
{
    if (needle.n > s.n)
        return SIZE_MAX;
    for (size_t at = s.n - needle.n;; at--) {
        if (km_str_starts(km_str_skip(s, at), needle))
            return at;
        if (at == 0)
            return SIZE_MAX;
    }
}

bool km_str_glob(struct km_str pattern, struct km_str s, struct km_str *ret_star)
{
    size_t star = km_str_chr(pattern, '*');
    struct km_str middle; /* what is not yet matched, narrowed from both ends */
    bool anchored = true; /* the last piece must end where s ends */

    if (star == pattern.n) {
        if (ret_star)
            *ret_star = KM_STR_NONE;
        return km_str_eq(pattern, s);
    }
    if (!km_str_starts(s, km_str_sub(pattern, 0, star)))
        return false;
    middle = km_str_skip(s, star);
    pattern = km_str_skip(pattern, star + 1);
    for (;;) {
        size_t at = km_str_rchr(pattern, '*');
        struct km_str piece = at == pattern.n ? pattern : km_str_skip(pattern, at + 1);
        size_t found;

        if (anchored)
            found = km_str_ends(middle, piece) ? middle.n - piece.n : SIZE_MAX;
        else
            found = find_last(middle, piece);
        if (found == SIZE_MAX)
            return false;
        middle.n = found;
        if (at == pattern.n)
            break;
        pattern.n = at;
        anchored = false;
    }
    if (ret_star)
        *ret_star = middle;
    return true;
}

#define DISTANCE_MAX 255

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment with three rows; longer strings than a row are just far. */
unsigned km_str_distance(struct km_str a, struct km_str b)
{
    unsigned rows[3][DISTANCE_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *now = rows[2];

    if (a.n > DISTANCE_MAX || b.n > DISTANCE_MAX)
        return km_str_eq(a, b) ? 0 : DISTANCE_MAX;
    for (unsigned j = 0; j <= b.n; j++)
        last[j] = before[j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        unsigned *spare = before;

        now[0] = i;
        for (unsigned j = 1; j <= b.n; j++) {
            unsigned cost = a.p[i - 1] != b.p[j - 1];

            now[j] = least(last[j - 1] + cost, least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        before = last;
        last = now;
        now = spare;
    }
    return last[b.n];
}
