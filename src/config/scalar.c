/* SPDX-License-Identifier: Apache-2.0 */
/* scalar.c - see scalar.h for the contract.
 *
 * PyYAML resolves plain scalars by a list of regular expressions of YAML 1.1.  Each one is a
 * small function here, in PyYAML's order; the surprises are all kept, because a file that
 * LiteLLM reads must mean the same thing to us:
 *
 *     yes, on, NO          booleans            0777   511 (octal)    0o777   a string
 *     1_000                1000                1:30   90             08      a string
 *     1.5e+3               a float             1e3, 1.5e3            strings
 *     2024-02-01           a date              ~, null, (nothing)    null
 *
 * The values are computed from the text without underscores.  Integers past int64 saturate
 * and keep their text; dates are checked and keep their text, since nothing computes with
 * them.
 */
#include "config/scalar.h"

#include <math.h>
#include <stdlib.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char at(struct km_str s, size_t i)
{
    return i < s.n ? s.p[i] : '\0';
}

/* The first index from i whose byte is not in set. */
static size_t span(struct km_str s, size_t i, const char *set)
{
    while (i < s.n && s.p[i] && strchr(set, s.p[i]))
        i++;
    return i;
}

#define DIGITS "0123456789"
#define DIGITS_ "0123456789_"

static bool one_of(struct km_str s, const char *const *words)
{
    for (; *words; words++)
        if (km_str_eq(s, km_str_c(*words)))
            return true;
    return false;
}

static size_t sign(struct km_str s)
{
    return at(s, 0) == '-' || at(s, 0) == '+' ? 1 : 0;
}

/* (?::[0-5]?[0-9])+ from i; 0 when there is none. */
static size_t sexagesimal(struct km_str s, size_t i)
{
    size_t end = 0;

    while (at(s, i) == ':' && is_digit(at(s, i + 1))) {
        i += 2;
        if (is_digit(at(s, i)) && s.p[i - 1] <= '5')
            i++;
        end = i;
    }
    return end;
}

static bool is_int(struct km_str s)
{
    size_t i = sign(s), end;

    if (at(s, i) == '0') {
        if (at(s, i + 1) == 'b' && i + 2 < s.n)
            return span(s, i + 2, "01_") == s.n;
        if (at(s, i + 1) == 'x' && i + 2 < s.n)
            return span(s, i + 2, "0123456789abcdefABCDEF_") == s.n;
        return span(s, i + 1, "01234567_") == s.n;
    }
    if (!is_digit(at(s, i)))
        return false;
    i = span(s, i, DIGITS_);
    if (i == s.n)
        return true;
    end = sexagesimal(s, i);
    return end && end == s.n;
}

/* (?:[eE][-+][0-9]+)?$ from i. */
static bool exponent_ends(struct km_str s, size_t i)
{
    if (i == s.n)
        return true;
    if ((at(s, i) != 'e' && at(s, i) != 'E') || (at(s, i + 1) != '-' && at(s, i + 1) != '+'))
        return false;
    return i + 2 < s.n && span(s, i + 2, DIGITS) == s.n;
}

static bool is_float(struct km_str s)
{
    static const char *const inf[] = { ".inf", ".Inf", ".INF", NULL };
    static const char *const nan[] = { ".nan", ".NaN", ".NAN", NULL };
    size_t i = sign(s), end;

    if (one_of(km_str_skip(s, i), inf) || one_of(s, nan))
        return true;
    if (at(s, 0) == '.' && is_digit(at(s, 1)))
        return exponent_ends(s, span(s, 1, DIGITS_));
    if (!is_digit(at(s, i)))
        return false;
    i = span(s, i, DIGITS_);
    if (at(s, i) == '.')
        return exponent_ends(s, span(s, i + 1, DIGITS_));
    end = sexagesimal(s, i);
    return end && at(s, end) == '.' && span(s, end + 1, DIGITS_) == s.n;
}

/* The parts of a timestamp, as its regular expression groups them. */
struct stamp {
    int year, month, day, hour, minute, second, tz_hour, tz_minute;
    size_t month_n, day_n;
    bool has_time;
};

/* min to max digits from *i into *ret. */
static bool number(struct km_str s, size_t *i, size_t min, size_t max, int *ret)
{
    size_t n = 0;
    int v = 0;

    while (n < max && is_digit(at(s, *i + n)))
        v = v * 10 + (s.p[*i + n++] - '0');
    if (n < min)
        return false;
    *i += n;
    *ret = v;
    return true;
}

static bool literal(struct km_str s, size_t *i, char c)
{
    if (at(s, *i) != c || *i >= s.n)
        return false;
    ++*i;
    return true;
}

/* [ \t]*(Z|[-+]hh?(:mm)?) or nothing, to the end. */
static bool zone(struct km_str s, size_t i, struct stamp *t)
{
    if (i == s.n)
        return true;
    i = span(s, i, " \t");
    if (literal(s, &i, 'Z'))
        return i == s.n;
    if (!literal(s, &i, '-') && !literal(s, &i, '+'))
        return false;
    if (!number(s, &i, 1, 2, &t->tz_hour))
        return false;
    if (i == s.n)
        return true;
    return literal(s, &i, ':') && number(s, &i, 2, 2, &t->tz_minute) && i == s.n;
}

static bool parse_stamp(struct km_str s, struct stamp *t)
{
    size_t i = 0, from;

    *t = (struct stamp){ 0 };
    if (!number(s, &i, 4, 4, &t->year) || !literal(s, &i, '-'))
        return false;
    from = i;
    if (!number(s, &i, 1, 2, &t->month) || !literal(s, &i, '-'))
        return false;
    t->month_n = i - from - 1;
    from = i;
    if (!number(s, &i, 1, 2, &t->day))
        return false;
    t->day_n = i - from;
    if (i == s.n)
        return true;
    t->has_time = true;
    from = i;
    if (!literal(s, &i, 'T') && !literal(s, &i, 't') && (i = span(s, i, " \t")) == from)
        return false;
    if (!number(s, &i, 1, 2, &t->hour) || !literal(s, &i, ':') ||
        !number(s, &i, 2, 2, &t->minute) || !literal(s, &i, ':') ||
        !number(s, &i, 2, 2, &t->second))
        return false;
    if (literal(s, &i, '.'))
        i = span(s, i, DIGITS);
    return zone(s, i, t);
}

/* The resolver wants two-digit months and days where there is no time. */
static bool is_stamp(struct km_str s)
{
    struct stamp t;

    return parse_stamp(s, &t) && (t.has_time || (t.month_n == 2 && t.day_n == 2));
}

static bool stamp_exists(const struct stamp *t)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (t->year % 4 == 0 && t->year % 100 != 0) || t->year % 400 == 0;

    if (t->year < 1 || t->month < 1 || t->month > 12 || t->day < 1)
        return false;
    if (t->day > days[t->month - 1] + (leap && t->month == 2))
        return false;
    return t->hour < 24 && t->minute < 60 && t->second < 60 &&
           t->tz_hour * 60 + t->tz_minute < 24 * 60;
}

static const char *const bools[] = { "yes",  "Yes",  "YES",   "no",    "No",    "NO", "true",
                                     "True", "TRUE", "false", "False", "FALSE", "on", "On",
                                     "ON",   "off",  "Off",   "OFF",   NULL };
static const char *const nulls[] = { "~", "null", "Null", "NULL", "", NULL };

enum km_scalar km_scalar_resolve(struct km_str text)
{
    if (one_of(text, bools))
        return KM_SCALAR_BOOL;
    if (is_float(text))
        return KM_SCALAR_FLOAT;
    if (is_int(text))
        return KM_SCALAR_INT;
    if (km_str_eq(text, KM_STR("<<")))
        return KM_SCALAR_MERGE;
    if (one_of(text, nulls))
        return KM_SCALAR_NULL;
    if (is_stamp(text))
        return KM_SCALAR_TIME;
    if (km_str_eq(text, KM_STR("=")))
        return KM_SCALAR_VALUE;
    return KM_SCALAR_STR;
}

/* acc * base - digit: below zero, where there is one number more.  f follows without bound. */
static void push_digit(struct km_node *node, int64_t base, int64_t digit)
{
    int64_t v;

    node->f = node->f * (double)base - (double)digit;
    if (node->big || __builtin_mul_overflow(node->i, base, &v) ||
        __builtin_sub_overflow(v, digit, &v))
        node->big = true;
    else
        node->i = v;
}

static int digit_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

/* At least one digit of the base from text, into node, negated. */
static bool digits(struct km_str text, int base, struct km_node *node)
{
    for (size_t i = 0; i < text.n; i++) {
        int d = digit_value(text.p[i]);

        if (d >= base)
            return false;
        push_digit(node, base, d);
    }
    return text.n > 0;
}

static bool sexagesimal_int(struct km_str text, struct km_node *node)
{
    struct km_str part;

    while (km_str_split(&text, ':', &part)) {
        struct km_node n = { 0 };

        if (!digits(part, 10, &n) || n.i == INT64_MIN)
            return false;
        push_digit(node, 60, -n.i);
    }
    return true;
}

/* text has no underscores. */
static bool construct_int(struct km_str text, struct km_node *node)
{
    bool ok, minus = at(text, 0) == '-';

    text = km_str_skip(text, sign(text));
    if (km_str_starts(text, KM_STR("0b")))
        ok = digits(km_str_skip(text, 2), 2, node);
    else if (km_str_starts(text, KM_STR("0x")))
        ok = digits(km_str_skip(text, 2), 16, node);
    else if (at(text, 0) == '0')
        ok = digits(text, 8, node);
    else if (km_str_chr(text, ':') < text.n)
        ok = sexagesimal_int(text, node);
    else
        ok = digits(text, 10, node);
    if (!minus) {
        node->f = -node->f;
        node->big = node->big || node->i == INT64_MIN;
        node->i = node->big ? INT64_MAX : -node->i;
    } else if (node->big) {
        node->i = INT64_MIN;
    }
    return ok;
}

/* A decimal number as Python's float() takes it; strtod alone would take hexadecimal too. */
static bool plain_double(struct km_str text, double *ret)
{
    char buf[512], *end;

    if (text.n == 0 || text.n >= sizeof buf || span(text, 0, DIGITS ".eE+-") != text.n)
        return false;
    memcpy(buf, text.p, text.n);
    buf[text.n] = '\0';
    *ret = strtod(buf, &end);
    return end == buf + text.n;
}

static bool construct_float(struct km_str text, struct km_node *node)
{
    bool minus = at(text, 0) == '-';
    struct km_str part;
    double f = 0, v;

    text = km_str_skip(text, sign(text));
    if (km_str_ieq(text, KM_STR(".inf"))) {
        f = INFINITY;
    } else if (km_str_ieq(text, KM_STR(".nan"))) {
        f = NAN;
    } else {
        while (km_str_split(&text, ':', &part)) {
            if (!plain_double(part, &v))
                return false;
            f = f * 60 + v;
        }
    }
    node->f = minus ? -f : f;
    return true;
}

static bool construct_bool(struct km_str text, struct km_node *node)
{
    static const char *const yes[] = { "yes", "true", "on", NULL };
    static const char *const no[] = { "no", "false", "off", NULL };

    for (size_t i = 0; yes[i]; i++) {
        if (km_str_ieq(text, km_str_c(yes[i])))
            node->b = true;
        else if (!km_str_ieq(text, km_str_c(no[i])))
            continue;
        return true;
    }
    return false;
}

static struct km_str without_underscores(struct km_arena *arena, struct km_str text)
{
    char *p = km_arena_alloc(arena, text.n + 1);
    size_t n = 0;

    for (size_t i = 0; p && i < text.n; i++)
        if (text.p[i] != '_')
            p[n++] = text.p[i];
    return km_str(p, n);
}

int km_scalar_construct(struct km_arena *arena, enum km_scalar kind, struct km_str text,
                        struct km_node *node, struct km_err *err)
{
    static const enum km_node_type types[] = {
        [KM_SCALAR_STR] = KM_NODE_STR,     [KM_SCALAR_NULL] = KM_NODE_NULL,
        [KM_SCALAR_BOOL] = KM_NODE_BOOL,   [KM_SCALAR_INT] = KM_NODE_INT,
        [KM_SCALAR_FLOAT] = KM_NODE_FLOAT, [KM_SCALAR_TIME] = KM_NODE_TIME,
    };
    struct stamp t;

    if (kind == KM_SCALAR_MERGE || kind == KM_SCALAR_VALUE)
        return km_fail(err, KM_E_INVALID, "'%.*s' must be quoted to be a value", KM_STR_ARG(text));
    node->type = types[kind];
    node->text = text;
    if (kind == KM_SCALAR_BOOL && !construct_bool(text, node))
        return km_fail(err, KM_E_INVALID, "not a boolean");
    if (kind == KM_SCALAR_INT && !construct_int(without_underscores(arena, text), node))
        return km_fail(err, KM_E_INVALID, "not an integer");
    if (kind == KM_SCALAR_FLOAT && !construct_float(without_underscores(arena, text), node))
        return km_fail(err, KM_E_INVALID, "not a number");
    if (kind == KM_SCALAR_TIME && (!parse_stamp(text, &t) || !stamp_exists(&t)))
        return km_fail(err, KM_E_INVALID, "no such date or time");
    return 0;
}
