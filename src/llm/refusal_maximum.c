/* SPDX-License-Identifier: Apache-2.0 */
/* refusal_maximum.c - see refusal_maximum.h.
 *
 * No API has a member for it: what a model writes at most stands in the sentence that refuses
 * more, and each vendor has its own sentence.  They are a table.  A row is the sentence in lower
 * case, and in it:
 *
 *     P  the name of a parameter that bounds the output     ~  words, to the next comma or stop
 *     M  the maximum      E  one more than it               ^  a few characters, whatever they are
 *     A  what was asked   N  some other number              `  quotes, brackets, or none
 *     W  the window       I  what the request takes of it   space: white space, or none
 *
 * A sentence that only says that input and output together are too much for a model's window
 * names no maximum of the output, and has no row, unless it says what is left: that holds for the
 * one request (`passing`).  What is named must make sense, too: a number below what was asked, of
 * a size that models have.  Every row has samples in tests/data/refusals.
 */
#include "llm/refusal_maximum.h"

#include <string.h>

#define TEXT_MOST 1024 /* a refusal says it early; what a caller can make of it costs as little */
#define GAP_MOST 80
#define FEW 24
/* Nobody offers a model that writes less at most, and what was read would end every answer. */
#define LEAST 16
#define MOST INT64_C(100000000)

static const struct row {
    const char *sentence;
    bool asked_too; /* names no parameter: its A must be what was sent */
} rows[] = {
    /* OpenAI, Azure, and what copies them */
    { "P` is too large: A. this model supports at most M completion tokens", false },
    { "P~ integer above maximum value^ expected a value <= M, but got A instead", false },
    /* Anthropic, also at Bedrock and Vertex */
    { "P: A > M, which is the maximum allowed number of output tokens", false },
    { "input length and `P` exceed context limit: I + A > W", false },
    /* Bedrock */
    { "maximum tokens you requested exceeds the model limit of M", false },
    { "A is not less or equal to M", true },
    /* Google */
    { "P value of A but the supported range is from N (inclusive) to E (exclusive)", false },
    /* DeepSeek; Alibaba */
    { "the valid range of P is [N, M]", false },
    { "range of P should be [N, M]", false },
    /* Groq; Cohere; pydantic, as Mistral, NVIDIA and others have it */
    { "P~ must be less than or equal to `M", false },
    { "P^ input should be less than or equal to M", false },
    /* Ollama's cloud */
    { "P (A) exceeds model's maximum output tokens (M)", false },
    /* Text Generation Inference */
    { "error: `P` must be <= M. given: A", false },
    /* vLLM */
    { "P` is too large: A. this model's maximum context length is W tokens and your request has I "
      "input tokens",
      false },
};

static const struct km_str params[] = {
    { "max_tokens", 10 },      { "max_completion_tokens", 21 }, { "max_output_tokens", 17 },
    { "maxoutputtokens", 15 }, { "maxtokens", 9 },              { "max_new_tokens", 14 },
    { "max tokens", 10 },      { "max_tokens_to_sample", 20 },
};

enum number { N_MAXIMUM, N_BEYOND, N_ASKED, N_WINDOW, N_INPUT, N_OTHER, N_COUNT };

struct reading {
    int64_t v[N_COUNT]; /* -1: not named */
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

static bool matches(const char *p, struct km_str s, struct reading *r);

/* --- numbers --- */

/* Is there a comma, and three digits that end there? */
static bool groups(struct km_str s)
{
    return s.n >= 4 && s.p[0] == ',' && is_digit(s.p[1]) && is_digit(s.p[2]) && is_digit(s.p[3]) &&
           (s.n == 4 || !is_digit(s.p[4]));
}

/* Bytes of it; *ret: MOST + 1 is as good as any above. */
static size_t read_number(struct km_str s, bool grouped, int64_t *ret)
{
    int64_t v = 0;
    size_t i = 0;

    for (;;) {
        for (; i < s.n && is_digit(s.p[i]); i++)
            v = v > MOST ? v : v * 10 + (s.p[i] - '0');
        if (!grouped || !i || !groups(km_str_skip(s, i)))
            break;
        i++;
    }
    *ret = v;
    return i;
}

/* "1,000" may be a number, or two of them. */
static bool match_number(const char *p, enum number what, struct km_str s, struct reading *r)
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

static enum number number_of(char c)
{
    switch (c) {
    case 'M':
        return N_MAXIMUM;
    case 'E':
        return N_BEYOND;
    case 'A':
        return N_ASKED;
    case 'W':
        return N_WINDOW;
    case 'I':
        return N_INPUT;
    default:
        return c == 'N' ? N_OTHER : N_COUNT;
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

static bool match_param(const char *p, struct km_str s, struct reading *r)
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

static bool match_gap(const char *p, struct km_str s, bool few, struct reading *r)
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
static bool matches(const char *p, struct km_str s, struct reading *r)
{
    for (; *p; p++) {
        enum number number = number_of(*p);

        if (number != N_COUNT)
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

/* --- what it says --- */

/* -1: it makes no sense. */
static int64_t judge(const struct row *row, const struct reading *r, int64_t asked, bool *passing)
{
    int64_t said = r->v[N_ASKED], max = r->v[N_MAXIMUM];

    *passing = r->v[N_WINDOW] >= 0;
    if (*passing)
        max = r->v[N_WINDOW] - r->v[N_INPUT];
    else if (r->v[N_BEYOND] >= 0)
        max = r->v[N_BEYOND] - 1;
    if (row->asked_too && said != asked)
        return -1;
    if (max < LEAST || max > MOST || (said >= 0 && said <= max) || (asked >= 0 && asked <= max))
        return -1;
    return max;
}

/* Nearly nowhere does one. */
static bool may_begin(const struct row *row, char c)
{
    char first = row->sentence[0];

    if (first == 'P') /* all their names do */
        return lower(c) == 'm';
    return number_of(first) != N_COUNT ? is_digit(c) : lower(c) == first;
}

static int64_t named_at(const struct row *row, struct km_str s, int64_t asked, bool *passing)
{
    struct reading r;

    for (size_t i = 0; i < N_COUNT; i++)
        r.v[i] = -1;
    return matches(row->sentence, s, &r) ? judge(row, &r, asked, passing) : -1;
}

int64_t km_refusal_names_maximum(struct km_str text, int64_t asked, bool *ret_passing)
{
    *ret_passing = false;
    text = km_str_sub(text, 0, TEXT_MOST);
    for (const struct row *row = rows; row < rows + sizeof rows / sizeof *rows; row++)
        for (size_t at = 0; at < text.n; at++) {
            bool passing = false;
            int64_t max;

            if (!may_begin(row, text.p[at]) ||
                (at && is_word(text.p[at]) && is_word(text.p[at - 1])))
                continue; /* not where a word begins */
            max = named_at(row, km_str_skip(text, at), asked, &passing);
            if (max < 0)
                continue;
            *ret_passing = passing;
            return max;
        }
    return -1;
}
