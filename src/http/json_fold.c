/* SPDX-License-Identifier: Apache-2.0 */
/* json_fold.c - one form for names that differ in case alone.  (json.h)
 *
 * Readers without regard to case go by Unicode's simple folding (Go), by upper and lower case of
 * each character (Java, .NET), or by ASCII alone.  Two names that any of them takes for one must
 * have one form here; that a rare pair of other names has one too harms nobody, for it is refused
 * where arguments are held to a list or to an approval only.  So whole ranges are folded by a rule:
 *
 *     ASCII, Latin-1, Greek, Cyrillic, Armenian, fullwidth    + the distance of the two cases
 *     Latin Extended, Cyrillic Extended, Latin Additional     upper and lower case are neighbours
 *     U+017F, U+212A, U+0130, U+0131, U+00B5, U+03C2 ...      letters that fold to another block
 */
#include "http/json.h"

/* From first to last, code points fold by adding `add`; 0: to the odd one of two neighbours. */
static const struct {
    uint32_t first, last, add;
} ranges[] = {
    { 0x41, 0x5a, 0x20 },     { 0xc0, 0xd6, 0x20 },     { 0xd8, 0xde, 0x20 },
    { 0x100, 0x24f, 0 },      { 0x370, 0x373, 0 },      { 0x391, 0x3ab, 0x20 },
    { 0x3d8, 0x3ef, 0 },      { 0x400, 0x40f, 0x50 },   { 0x410, 0x42f, 0x20 },
    { 0x460, 0x52f, 0 },      { 0x531, 0x556, 0x30 },   { 0x1e00, 0x1eff, 0 },
    { 0x2c60, 0x2cff, 0 },    { 0xa640, 0xa7ff, 0 },    { 0xff21, 0xff3a, 0x20 },
    { 0x10400, 0x10427, 0x28 },
};

static const struct {
    uint32_t from, to;
} letters[] = {
    { 0x130, 'i' },   { 0x131, 'i' },   { 0x17f, 's' },   { 0x212a, 'k' },
    { 0x212b, 0xe5 }, { 0x2126, 0x3c9 }, { 0xb5, 0x3bc }, { 0x3c2, 0x3c3 },
    { 0x1e9e, 0xdf }, { 0x178, 0xff },  { 0x386, 0x3ac }, { 0x388, 0x3ad },
    { 0x389, 0x3ae }, { 0x38a, 0x3af }, { 0x38c, 0x3cc }, { 0x38e, 0x3cd },
    { 0x38f, 0x3ce }, { 0x4c0, 0x4cf },
};

static uint32_t fold_point(uint32_t u)
{
    for (size_t i = 0; u > 0x7f && i < sizeof letters / sizeof letters[0]; i++)
        if (letters[i].from == u)
            return letters[i].to;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0] && ranges[i].first <= u; i++)
        if (u <= ranges[i].last)
            return ranges[i].add ? u + ranges[i].add : u | 1;
    return u;
}

/* The code point that begins at s[*i]; the parser has seen to it that it is whole. */
static uint32_t next_point(struct km_str s, size_t *i)
{
    unsigned char c = (unsigned char)s.p[(*i)++];
    unsigned more = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    uint32_t u = more ? c & (0x3fu >> more) : c;

    for (; more && *i < s.n; more--)
        u = u << 6 | ((unsigned char)s.p[(*i)++] & 0x3f);
    return u;
}

struct km_str km_json_fold_case(struct km_arena *arena, struct km_str name)
{
    uint32_t *out = km_arena_alloc(arena, name.n * sizeof *out);
    size_t n = 0;

    for (size_t i = 0; out && i < name.n;)
        out[n++] = fold_point(next_point(name, &i));
    return out ? km_str((const char *)out, n * sizeof *out) : KM_STR_NONE;
}
