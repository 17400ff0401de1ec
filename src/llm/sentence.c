/* SPDX-License-Identifier: Apache-2.0 */
/* sentence.c - see sentence.h.
 *
 * A sentence is matched from where a word begins, letter by letter; what stands for several texts
 * (a number that may be two, words to the next stop) is tried in turn.  A sentence is short and has
 * two gaps at most, so trying costs little, and a text is read no further than TEXT_MOST.
 */
#include "llm/sentence.h"

#include <string.h>

#define TEXT_MOST 1024 /* a refusal says it early; what a caller can make of it costs as little */
#define GAP_MOST 80
#define FEW 24

static const struct km_str params[] = {
    { "max_tokens", 10 },      { "max_completion_tokens", 21 }, { "max_output_tokens", 17 },
    { "maxoutputtokens", 15 }, { "maxtokens", 9 },              { "max_new_tokens", 14 },
    { "max tokens", 10 },      { "max_tokens_to_sample", 20 },
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word(char c)
{
    return is_digit(c) || c == '_' || (lower(c) >= 'a' && lower(c) <= 'z');
}

static bool matches(const char *p, struct km_str s, struct km_sentence_read *r);

/* --- numbers --- */

/* Is there a comma, and three digits that end there? */
static bool groups(struct km_str s)
{
    return s.n >= 4 && s.p[0] == ',' && is_digit(s.p[1]) && is_digit(s.p[2]) && is_digit(s.p[3]) &&
           (s.n == 4 || !is_digit(s.p[4]));
}

/* Bytes of it; *ret: KM_SENTENCE_MOST + 1 is as good as any above. */
static size_t read_number(struct km_str s, bool grouped, int64_t *ret)
{
    int64_t v = 0;
    size_t i = 0;

    for (;;) {
        for (; i < s.n && is_digit(s.p[i]); i++)
            v = v > KM_SENTENCE_MOST ? v : v * 10 + (s.p[i] - '0');
        if (!grouped || !i || !groups(km_str_skip(s, i)))
            break;
        i++;
    }
    *ret = v;
    return i;
}

/* "1,000" may be a number, or two of them. */
static bool match_number(const char *p, enum km_sentence_number what, struct km_str s,
                         struct km_sentence_read *r)
{
    size_t before = 0;

    for (int grouped = 1; grouped >= 0; grouped--) {
        int64_t v;
        size_t n = read_number(s, grouped, &v);

        if (!n || n == before)
            return false;
        before = n;
        r->v[what] = v;
        if (matches(p, km_str_skip(s, n), r))
            return true;
    }
    return false;
}

static enum km_sentence_number number_of(char c)
{
    switch (c) {
    case 'M':
        return KM_NAMED_MAXIMUM;
    case 'E':
        return KM_NAMED_BEYOND;
    case 'A':
        return KM_NAMED_ASKED;
    case 'W':
        return KM_NAMED_WINDOW;
    case 'I':
        return KM_NAMED_INPUT;
    case 'T':
        return KM_NAMED_TOTAL;
    default:
        return c == 'N' ? KM_NAMED_OTHER : KM_NAMED_COUNT;
    }
}

/* --- words --- */

static bool starts(struct km_str s, struct km_str word)
{
    if (s.n < word.n)
        return false;
    for (size_t i = 0; i < word.n; i++)
        if (lower(s.p[i]) != word.p[i])
            return false;
    return s.n == word.n || !is_word(s.p[word.n]);
}

static bool match_param(const char *p, struct km_str s, struct km_sentence_read *r)
{
    for (size_t i = 0; i < sizeof params / sizeof *params; i++)
        if (starts(s, params[i]) && matches(p, km_str_skip(s, params[i].n), r))
            return true;
    return false;
}

/* What words of one sentence, about one thing, do not go over. */
static bool is_stop(struct km_str s, bool few)
{
    if (s.p[0] == '\n' || s.p[0] == '{' || s.p[0] == '}')
        return true;
    if (few)
        return false;
    return s.p[0] == ';' || ((s.p[0] == '.' || s.p[0] == ',') && (s.n == 1 || is_space(s.p[1])));
}

static bool match_gap(const char *p, struct km_str s, bool few, struct km_sentence_read *r)
{
    size_t most = few ? FEW : GAP_MOST;

    for (size_t i = 0; i <= most; i++) {
        if (matches(p, km_str_skip(s, i), r))
            return true;
        if (i >= s.n || is_stop(km_str_skip(s, i), few))
            return false;
    }
    return false;
}

static bool is_quote(char c)
{
    return c != 0 && strchr("`'\"\\[(", c) != NULL;
}

static struct km_str skip_all(struct km_str s, bool (*skipped)(char c))
{
    while (s.n && skipped(s.p[0]))
        s = km_str_skip(s, 1);
    return s;
}

/* Does s begin with the sentence?  A sentence is short, and has two gaps at most. */
static bool matches(const char *p, struct km_str s, struct km_sentence_read *r)
{
    for (; *p; p++) {
        enum km_sentence_number number = number_of(*p);

        if (number != KM_NAMED_COUNT)
            return match_number(p + 1, number, s, r);
        if (*p == 'P')
            return match_param(p + 1, s, r);
        if (*p == '~' || *p == '^')
            return match_gap(p + 1, s, *p == '^', r);
        if (*p == ' ' || *p == '`') {
            s = skip_all(s, *p == ' ' ? is_space : is_quote);
            continue;
        }
        if (!s.n || lower(s.p[0]) != *p)
            return false;
        s = km_str_skip(s, 1);
    }
    return true;
}

/* Nearly nowhere does one. */
static bool may_begin(const char *sentence, char c)
{
    if (sentence[0] == 'P') /* all their names do */
        return lower(c) == 'm';
    return number_of(sentence[0]) != KM_NAMED_COUNT ? is_digit(c) : lower(c) == sentence[0];
}

bool km_sentence_find(const char *sentence, struct km_str text, size_t *at,
                      struct km_sentence_read *ret)
{
    text = km_str_sub(text, 0, TEXT_MOST);
    for (; *at < text.n; (*at)++) {
        if (!may_begin(sentence, text.p[*at]) ||
            (*at && is_word(text.p[*at]) && is_word(text.p[*at - 1])))
            continue; /* not where a word begins */
        for (size_t i = 0; i < KM_NAMED_COUNT; i++)
            ret->v[i] = -1;
        if (matches(sentence, km_str_skip(text, *at), ret))
            return true;
    }
    return false;
}
