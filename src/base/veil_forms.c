/* SPDX-License-Identifier: Apache-2.0 */
/* veil_forms.c - see veil_forms.h.
 *
 *     "Bearer x9..."  "://user:x9@"  "-----BEGIN ... PRIVATE KEY-----"  "sk-x9..."
 *      keep ─┘└ cut        keep ┘└ cut   all of it, to its end           all of it
 *
 * For errors alone, where a word too many that is cut costs nothing; so the lengths asked for are
 * those that words of sentences do not have, and nothing begins within a word.
 */
#include "base/veil_forms.h"

bool km_veil_has_digit(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= '0' && s.p[i] <= '9')
            return true;
    return false;
}

enum alphabet { ALNUM, NAME, TOKEN }; /* letters and digits; with - and _; what RFC 6750 allows */

static bool is_of(enum alphabet a, char c)
{
    if (km_veil_alnum(c))
        return true;
    if (a == ALNUM)
        return false;
    return c == '-' || c == '_' || (a == TOKEN && (c == '.' || c == '+' || c == '/' || c == '='));
}

static const struct {
    const char *begins;
    enum alphabet alphabet;
    size_t least; /* behind the beginning */
} forms[] = {
    { "sk-", NAME, 8 },          { "sk_", NAME, 16 },      { "AKIA", ALNUM, 12 },
    { "ASIA", ALNUM, 12 },       { "ABSK", TOKEN, 20 },    { "ghp_", ALNUM, 16 },
    { "gho_", ALNUM, 16 },       { "ghu_", ALNUM, 16 },    { "ghs_", ALNUM, 16 },
    { "ghr_", ALNUM, 16 },       { "github_pat_", NAME, 16 }, { "glpat-", NAME, 16 },
    { "xoxa-", NAME, 10 },       { "xoxb-", NAME, 10 },    { "xoxe-", NAME, 10 },
    { "xoxp-", NAME, 10 },       { "xoxr-", NAME, 10 },    { "xoxs-", NAME, 10 },
    { "xapp-", NAME, 10 },       { "hf_", ALNUM, 16 },     { "gsk_", ALNUM, 16 },
    { "xai-", NAME, 16 },        { "pplx-", NAME, 16 },    { "nvapi-", NAME, 16 },
    { "AIza", NAME, 30 },        { "ya29.", TOKEN, 16 },   { "eyJ", TOKEN, 24 },
    { "AQoDYXdz", TOKEN, 16 },   { "IQoJb3JpZ2lu", TOKEN, 16 }, { "FwoGZXIvYXdz", TOKEN, 16 },
};

static size_t run_of(enum alphabet a, struct km_str s, size_t at)
{
    size_t i = at;

    while (i < s.n && is_of(a, s.p[i]))
        i++;
    return i - at;
}

static size_t by_beginning(struct km_str s, size_t at)
{
    struct km_str rest = km_str_skip(s, at);

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct km_str begins = km_str_c(forms[i].begins);
        size_t n;

        if (!km_str_starts(rest, begins))
            continue;
        n = run_of(forms[i].alphabet, s, at + begins.n);
        if (n >= forms[i].least)
            return begins.n + n;
    }
    return 0;
}

/* Capitals behind small letters: base64, and no word of a sentence. */
static bool has_humps(struct km_str s)
{
    for (size_t i = 1; i < s.n; i++)
        if (s.p[i] >= 'A' && s.p[i] <= 'Z' && s.p[i - 1] >= 'a' && s.p[i - 1] <= 'z')
            return true;
    return false;
}

/* "Bearer x": x is a credential where no word of a sentence looks so.  The scheme stays. */
static size_t by_scheme(struct km_str s, size_t at, size_t *ret_keep)
{
    static const struct km_str schemes[] = { { "bearer", 6 }, { "basic", 5 }, { "token", 5 } };
    struct km_str rest = km_str_skip(s, at), value;

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t from = schemes[i].n, n;

        if (!km_str_istarts(rest, schemes[i]))
            continue;
        while (from < rest.n && (rest.p[from] == ' ' || rest.p[from] == '+' || rest.p[from] == ':'))
            from++;
        if (km_str_starts(km_str_skip(rest, from), KM_STR("%20")))
            from += 3;
        n = run_of(TOKEN, rest, from);
        value = km_str_sub(rest, from, n);
        if (from == schemes[i].n || n < 8 ||
            (n < 20 && !km_veil_has_digit(value) && !has_humps(value)) ||
            km_str_chr(value, '=') + 3 < value.n) /* a parameter: realm=... */
            continue;
        *ret_keep = from;
        return from + n;
    }
    return 0;
}

static size_t by_pem(struct km_str s, size_t at)
{
    struct km_str rest = km_str_skip(s, at);
    size_t end;

    if (!km_str_starts(rest, KM_STR("-----BEGIN ")) ||
        km_str_find(km_str_sub(rest, 0, 64), KM_STR("PRIVATE KEY-----")) >= 64)
        return 0;
    end = km_str_find(rest, KM_STR("-----END "));
    return end < rest.n ? end : rest.n;
}

/* "://user:password@": the password. */
static size_t by_userinfo(struct km_str s, size_t at, size_t *ret_keep)
{
    struct km_str rest = km_str_skip(s, at);
    size_t colon = 0;

    if (!km_str_starts(rest, KM_STR("://")))
        return 0;
    for (size_t i = 3; i < rest.n && i < 1024; i++) {
        char c = rest.p[i];

        if (c == '@')
            break;
        if (c <= ' ' || c == '/' || c == '"' || c == '?' || c == '#')
            return 0;
        colon = colon == 0 && c == ':' ? i : colon;
    }
    if (colon == 0 || km_str_chr(rest, '@') >= 1024 || km_str_chr(rest, '@') == rest.n)
        return 0;
    *ret_keep = colon + 1;
    return km_str_chr(rest, '@');
}

size_t km_veil_form(struct km_str s, size_t at, size_t *ret_keep)
{
    char before = at > 0 ? s.p[at - 1] : ' ';
    size_t n = 0;

    if (s.p[at] == ':')
        return by_userinfo(s, at, ret_keep);
    if (s.p[at] == '-')
        return by_pem(s, at);
    if (!km_veil_alnum(s.p[at]) || (is_of(NAME, before) && !(at > 1 && s.p[at - 2] == '\\')))
        return 0;
    n = by_beginning(s, at);
    return n ? n : by_scheme(s, at, ret_keep);
}
