/* SPDX-License-Identifier: Apache-2.0 */
/* price_text.c - see price_text.h for the contract.
 *
 * Price files are data somebody else keeps: LiteLLM's JSON (2 MB), or the array that npm's
 * genai-prices carries in its JavaScript.  Both are one grammar if names may stand without
 * quotes, so one small reader serves both and no JavaScript is ever run.  Numbers stay text:
 * they become integers by decimal arithmetic, and 0.1 must not pass through a double on the way.
 *
 * Escapes are stepped over, not decoded: no model's name and no member we read has one.
 */
#include "policy/price_text.h"

static char peek(const struct km_price_text *t)
{
    return t->s.n ? t->s.p[0] : 0;
}

static void skip(struct km_price_text *t, size_t n)
{
    t->s = km_str_skip(t->s, n);
}

static void skip_space(struct km_price_text *t)
{
    for (;;) {
        char c = peek(t);

        if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
            skip(t, 1);
        } else if (km_str_starts(t->s, KM_STR("/*"))) {
            size_t at = km_str_find(km_str_skip(t->s, 2), KM_STR("*/"));

            skip(t, at + 4);
        } else if (km_str_starts(t->s, KM_STR("//"))) {
            skip(t, km_str_chr(t->s, '\n'));
        } else {
            return;
        }
    }
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'' || c == '`';
}

/* A character of a name, a number or a word. */
static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || c == '.' || c == '-' || c == '+' || c == '!';
}

char km_price_text_kind(struct km_price_text *t)
{
    char c;

    skip_space(t);
    c = peek(t);
    if (c == '{' || c == '[')
        return c;
    if (is_quote(c))
        return '"';
    return (c >= '0' && c <= '9') || c == '-' || c == '.' ? '0' : 'a';
}

bool km_price_text_open(struct km_price_text *t, char bracket)
{
    skip_space(t);
    if (peek(t) != bracket)
        return false;
    skip(t, 1);
    t->first = true;
    return true;
}

static int bad(const struct km_price_text *t, const char *wanted, struct km_err *err)
{
    struct km_str near = km_str_sub(t->s, 0, 24);

    if (!near.n)
        return km_fail(err, KM_E_INVALID, "price file: it ends where %s should stand", wanted);
    return km_fail(err, KM_E_INVALID, "price file: %s should stand before '%.*s'", wanted,
                   KM_STR_ARG(near));
}

/* Takes a comma between elements, or the closing bracket. */
static int next(struct km_price_text *t, char close, bool *ret_more, struct km_err *err)
{
    bool first = t->first;

    t->first = false;
    skip_space(t);
    if (!first && peek(t) != close) {
        if (peek(t) != ',')
            return bad(t, "a comma", err);
        skip(t, 1);
        skip_space(t);
    }
    *ret_more = peek(t) != close;
    if (!*ret_more)
        skip(t, 1);
    return 0;
}

static int take_string(struct km_price_text *t, struct km_str *ret, struct km_err *err)
{
    char quote = peek(t);
    size_t i = 1;

    while (i < t->s.n && t->s.p[i] != quote)
        i += t->s.p[i] == '\\' ? 2 : 1;
    if (i >= t->s.n)
        return bad(t, "the end of a string", err);
    *ret = km_str_sub(t->s, 1, i - 1);
    skip(t, i + 1);
    return 0;
}

static int take_word(struct km_price_text *t, struct km_str *ret, struct km_err *err)
{
    size_t i = 0;

    while (i < t->s.n && is_word(t->s.p[i]))
        i++;
    if (i == 0)
        return bad(t, "a value", err);
    *ret = km_str_sub(t->s, 0, i);
    skip(t, i);
    return 0;
}

int km_price_text_member(struct km_price_text *t, struct km_str *ret_name, bool *ret_more,
                         struct km_err *err)
{
    int r = next(t, '}', ret_more, err);

    if (r < 0 || !*ret_more)
        return r;
    r = is_quote(peek(t)) ? take_string(t, ret_name, err) : take_word(t, ret_name, err);
    if (r < 0)
        return r;
    skip_space(t);
    if (peek(t) != ':')
        return bad(t, "a colon", err);
    skip(t, 1);
    return 0;
}

int km_price_text_item(struct km_price_text *t, bool *ret_more, struct km_err *err)
{
    return next(t, ']', ret_more, err);
}

/* A container, brackets matched on a bounded stack. */
static int take_container(struct km_price_text *t, struct km_str *ret, struct km_err *err)
{
    char stack[KM_PRICE_TEXT_DEPTH];
    size_t depth = 0;
    const char *start = t->s.p;
    struct km_str ignored;

    do {
        char c;
        int r = 0;

        skip_space(t);
        c = peek(t);
        if (c == '{' || c == '[') {
            if (depth == KM_PRICE_TEXT_DEPTH)
                return km_fail(err, KM_E_LIMIT, "price file: nested deeper than %d",
                               KM_PRICE_TEXT_DEPTH);
            stack[depth++] = c == '{' ? '}' : ']';
            skip(t, 1);
        } else if (c == '}' || c == ']') {
            if (depth == 0 || stack[depth - 1] != c)
                return bad(t, "another bracket", err);
            depth--;
            skip(t, 1);
        } else if (c == ',' || c == ':') {
            skip(t, 1);
        } else {
            r = is_quote(c) ? take_string(t, &ignored, err) : take_word(t, &ignored, err);
        }
        if (r < 0)
            return r;
    } while (depth > 0);
    *ret = km_str(start, (size_t)(t->s.p - start));
    return 0;
}

int km_price_text_value(struct km_price_text *t, struct km_str *ret_value, struct km_err *err)
{
    switch (km_price_text_kind(t)) {
    case '{':
    case '[':
        return take_container(t, ret_value, err);
    case '"':
        return take_string(t, ret_value, err);
    default:
        return take_word(t, ret_value, err);
    }
}
