/* SPDX-License-Identifier: Apache-2.0 */
/* nesting.c - see nesting.h.
 *
 * What makes a tree deep, in PostgreSQL's grammar:
 *
 *     brackets, CASE ... END       a level each
 *     operators in a row           a+b+c is (a+b)+c: one level an operator
 *     words that chain             x IS NULL IS NULL, a JOIN b JOIN c, q UNION q UNION q
 *
 * A comma begins a new sibling, and so do AND and OR, whose chains the grammar keeps flat: the
 * operators before it do not count for what comes after.  The words do (`a JOIN b ON x AND y JOIN
 * c` is deep however often AND stands in it), and so does the AND of a BETWEEN.
 *
 *     level = words + max over its siblings of (operators + deepest bracket inside)
 *
 * The lexer here follows PostgreSQL's: strings, E'' with backslashes, dollar quotes, nested
 * comments.  Where both could differ the text is one the parser refuses anyway, or the bound is
 * too high; it is never too low by more than what one sibling adds.
 */
#include "servers/postgres/nesting.h"

struct level {
    char open; /* '(', '[', 'c' of CASE; 0: the statement */
    bool between; /* the next AND is a BETWEEN's */
    unsigned words; /* never forgotten within the level */
    unsigned chain, inside; /* of the sibling that is being read */
    unsigned deepest; /* of those that were */
};

struct scan {
    struct km_str s;
    size_t at;
    struct level stack[KM_PG_BRACKETS + 1];
    unsigned top;
    bool label; /* after '.' or AS: a word is a name, whatever it says */
};

static bool word_start(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool word_part(unsigned char c)
{
    return word_start(c) || (c >= '0' && c <= '9') || c == '$';
}

static unsigned char peek(const struct scan *k, size_t more)
{
    return k->at + more < k->s.n ? (unsigned char)k->s.p[k->at + more] : 0;
}

/* --- levels --- */

static void end_sibling(struct level *l)
{
    if (l->chain + l->inside > l->deepest)
        l->deepest = l->chain + l->inside;
    l->chain = l->inside = 0;
}

static unsigned depth_of(struct level *l)
{
    end_sibling(l);
    return 1 + l->words + l->deepest;
}

static bool push(struct scan *k, char open)
{
    if (k->top == KM_PG_BRACKETS)
        return false;
    k->stack[++k->top] = (struct level){ .open = open };
    return true;
}

static void pop(struct scan *k)
{
    unsigned depth = depth_of(&k->stack[k->top]);
    struct level *l = &k->stack[--k->top];

    if (depth > l->inside)
        l->inside = depth;
}

/* A CASE that was a name after all ends with the bracket around it. */
static void close_bracket(struct scan *k, char open)
{
    while (k->top && k->stack[k->top].open == 'c')
        pop(k);
    if (k->top && k->stack[k->top].open == open)
        pop(k);
}

/* --- what is passed over --- */

static void skip_quoted(struct scan *k, char quote, bool backslash)
{
    for (k->at++; k->at < k->s.n; k->at++) {
        if (backslash && k->s.p[k->at] == '\\')
            k->at++;
        else if (k->s.p[k->at] == quote && peek(k, 1) == (unsigned char)quote)
            k->at++;
        else if (k->s.p[k->at] == quote)
            break;
    }
    k->at++;
}

/* At "$": a dollar quote, whose tag is empty or a name without "$"; otherwise one byte. */
static void skip_dollar(struct scan *k)
{
    size_t end = k->at + 1, close;
    struct km_str tag;

    if (end < k->s.n && word_start((unsigned char)k->s.p[end]))
        while (end < k->s.n && word_part((unsigned char)k->s.p[end]) && k->s.p[end] != '$')
            end++;
    if (end >= k->s.n || k->s.p[end] != '$') {
        k->at++;
        return;
    }
    tag = km_str_sub(k->s, k->at, end + 1 - k->at);
    close = km_str_find(km_str_skip(k->s, end + 1), tag);
    k->at = end + 1 + close + tag.n;
}

static void skip_block_comment(struct scan *k)
{
    size_t open = 1;

    for (k->at += 2; k->at < k->s.n && open; k->at++) {
        if (k->s.p[k->at] == '/' && peek(k, 1) == '*') {
            open++;
            k->at++;
        } else if (k->s.p[k->at] == '*' && peek(k, 1) == '/') {
            open--;
            k->at++;
        }
    }
}

/* --- words --- */

/* Those after which the grammar may go one level down, or around what stood before. */
static const struct km_str chaining[] = {
    { "all", 3 },     { "any", 3 },      { "at", 2 },        { "between", 7 }, { "collate", 7 },
    { "except", 6 },  { "exists", 6 },   { "ilike", 5 },     { "in", 2 },      { "intersect", 9 },
    { "is", 2 },      { "isnull", 6 },   { "join", 4 },      { "like", 4 },    { "not", 3 },
    { "notnull", 7 }, { "operator", 8 }, { "overlaps", 8 },  { "select", 6 },  { "similar", 7 },
    { "some", 4 },    { "union", 5 },    { "uescape", 7 },   { "values", 6 },  { "when", 4 },
    { "escape", 6 },  { "explain", 7 },  { "tablesample", 11 },
};

static bool chains(struct km_str word)
{
    for (size_t i = 0; i < sizeof chaining / sizeof chaining[0]; i++)
        if (km_str_ieq(chaining[i], word))
            return true;
    return false;
}

static bool take_word(struct scan *k)
{
    struct level *l = &k->stack[k->top];
    size_t from = k->at;
    struct km_str word;

    while (k->at < k->s.n && word_part((unsigned char)k->s.p[k->at]))
        k->at++;
    word = km_str_sub(k->s, from, k->at - from);
    if (word.n == 1 && (word.p[0] == 'e' || word.p[0] == 'E') && peek(k, 0) == '\'') {
        skip_quoted(k, '\'', true);
        return true;
    }
    if (k->label) {
        k->label = false;
        return true;
    }
    k->label = km_str_ieq(word, KM_STR("as"));
    if (km_str_ieq(word, KM_STR("case")))
        return push(k, 'c');
    if (km_str_ieq(word, KM_STR("end")) && l->open == 'c')
        pop(k);
    else if (km_str_ieq(word, KM_STR("or")) || (km_str_ieq(word, KM_STR("and")) && !l->between))
        end_sibling(l);
    else if (km_str_ieq(word, KM_STR("and")))
        l->between = false;
    else if (chains(word))
        l->words++;
    if (km_str_ieq(word, KM_STR("between")))
        l->between = true;
    return true;
}

/* --- tokens --- */

static bool take_sign(struct scan *k, unsigned char c)
{
    struct level *l = &k->stack[k->top];

    k->at++;
    k->label = c == '.';
    if (c == '(' || c == '[')
        return push(k, (char)c);
    if (c == ')' || c == ']') {
        close_bracket(k, c == ')' ? '(' : '[');
    } else if (c == ',') {
        end_sibling(l);
    } else if (c == ';') {
        while (k->top)
            pop(k);
        end_sibling(l);
    } else if (c > ' ' && c != '.' && (c < '0' || c > '9')) {
        l->chain++; /* each sign of an operator: too many rather than too few */
    }
    return true;
}

static bool take_token(struct scan *k)
{
    unsigned char c = (unsigned char)k->s.p[k->at];

    if (c <= ' ') {
        k->at++;
    } else if (c == '-' && peek(k, 1) == '-') {
        k->at += km_str_chr(km_str_skip(k->s, k->at), '\n');
    } else if (c == '/' && peek(k, 1) == '*') {
        skip_block_comment(k);
    } else if (c == '\'' || c == '"') {
        skip_quoted(k, (char)c, false);
        k->label = false;
    } else if (c == '$') {
        skip_dollar(k);
    } else if (word_start(c)) {
        return take_word(k);
    } else {
        return take_sign(k, c);
    }
    return true;
}

int km_pg_nesting(struct km_str sql, size_t *ret_at, struct km_err *err)
{
    struct scan k;
    bool room = true;

    /* Two bytes a level are the least there is: a short text needs no look. */
    *ret_at = 0;
    if (sql.n <= KM_PG_NESTING)
        return 0;
    k.s = sql;
    k.at = k.top = 0;
    k.label = false;
    k.stack[0] = (struct level){ 0 };
    while (room && k.at < sql.n) {
        struct level *l;

        *ret_at = k.at;
        room = take_token(&k);
        l = &k.stack[k.top];
        if (l->words + l->chain + l->inside > KM_PG_NESTING)
            room = false;
    }
    while (room && k.top)
        pop(&k);
    if (room && depth_of(&k.stack[0]) <= KM_PG_NESTING)
        return 0;
    return km_fail(err, KM_E_LIMIT,
                   "the statement nests deeper than %d levels or %d brackets: split it, or use "
                   "IN (...) and arrays where many conditions are alike",
                   KM_PG_NESTING, KM_PG_BRACKETS);
}
