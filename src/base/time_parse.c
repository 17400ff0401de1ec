/* SPDX-License-Identifier: Apache-2.0 */
/* time_parse.c - dates and durations from text; see time.h for the contract.
 *
 * A reader walks the text once.  It carries its failure with it: each step on a failed
 * reader does nothing, so a format is read as one straight list of steps and checked at
 * the end.  Ranges are checked too: February 30 is not a date.
 *
 * HTTP dates come in three forms (RFC 9110, 5.6.7), told apart by what follows the name
 * of the day; all three must be understood, only the first is ever written:
 *
 *     Sun, 06 Nov 1994 08:49:37 GMT    Sunday, 06-Nov-94 08:49:37 GMT
 *     Sun Nov  6 08:49:37 1994
 */
#include "base/time.h"

#include "base/time_civil.h"

#define US INT64_C(1000000)
#define DURATION_MOST (INT64_MAX / US / 2) /* seconds; behind now it is still a time */

struct reader {
    struct km_str s;
    bool failed;
};

struct fields {
    int64_t year;
    unsigned month, day, hour, minute, second;
    int64_t us;
    int64_t offset_s; /* east of Greenwich */
};

static unsigned digits(struct reader *r, size_t count)
{
    unsigned v = 0;

    if (r->s.n < count)
        r->failed = true;
    for (size_t i = 0; i < count && !r->failed; i++) {
        if (r->s.p[i] < '0' || r->s.p[i] > '9')
            r->failed = true;
        else
            v = v * 10 + (unsigned)(r->s.p[i] - '0');
    }
    r->s = km_str_skip(r->s, count);
    return v;
}

static bool is(struct reader *r, const char *any)
{
    return !r->failed && r->s.n && r->s.p[0] && strchr(any, r->s.p[0]);
}

/* Takes one byte that must be one of `any`. */
static char one_of(struct reader *r, const char *any)
{
    char c = '\0';

    if (is(r, any))
        c = r->s.p[0];
    else
        r->failed = true;
    r->s = km_str_skip(r->s, 1);
    return c;
}

static void literal(struct reader *r, struct km_str text)
{
    if (!km_str_starts(r->s, text))
        r->failed = true;
    r->s = km_str_skip(r->s, text.n);
}

static unsigned month(struct reader *r)
{
    struct km_str name = km_str_sub(r->s, 0, 3);

    r->s = km_str_skip(r->s, 3);
    for (unsigned m = 0; m < 12; m++)
        if (km_str_eq(name, km_str(&KM_TIME_MONTHS[m * 3], 3)))
            return m + 1;
    r->failed = true;
    return 1;
}

static void clock_time(struct reader *r, struct fields *f)
{
    f->hour = digits(r, 2);
    one_of(r, ":");
    f->minute = digits(r, 2);
    one_of(r, ":");
    f->second = digits(r, 2);
}

/* Digits after the sixth are below what we keep. */
static int64_t fraction(struct reader *r)
{
    int64_t us = 0, unit = US / 10;

    do {
        us += unit * (int64_t)digits(r, 1);
        unit /= 10;
    } while (is(r, "0123456789"));
    return us;
}

static int64_t zone(struct reader *r)
{
    char sign = one_of(r, "Zz+-");
    unsigned hour, minute;

    if (sign != '+' && sign != '-')
        return 0;
    hour = digits(r, 2);
    if (is(r, ":"))
        one_of(r, ":");
    minute = digits(r, 2);
    if (hour > 23 || minute > 59)
        r->failed = true;
    return (sign == '-' ? -1 : 1) * (int64_t)(hour * 3600 + minute * 60);
}

static unsigned days_in(int64_t year, unsigned m)
{
    if (m == 2)
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
    return m == 4 || m == 6 || m == 9 || m == 11 ? 30 : 31;
}

static int finish(const struct reader *r, const struct fields *f, int64_t *ret_wall_us)
{
    int64_t s;

    if (r->failed || r->s.n || f->month < 1 || f->month > 12 || f->day < 1 ||
        f->day > days_in(f->year, f->month) || f->hour > 23 || f->minute > 59 || f->second > 60)
        return KM_E_INVALID;
    s = km_days_from_civil(f->year, f->month, f->day) * 86400;
    s += f->hour * 3600 + f->minute * 60 + f->second - f->offset_s;
    *ret_wall_us = s * US + f->us;
    return 0;
}

int km_time_parse_iso(struct km_str s, int64_t *ret_wall_us)
{
    struct reader r = { .s = s };
    struct fields f = { 0 };

    f.year = digits(&r, 4);
    one_of(&r, "-");
    f.month = digits(&r, 2);
    one_of(&r, "-");
    f.day = digits(&r, 2);
    if (r.s.n) {
        one_of(&r, "Tt ");
        clock_time(&r, &f);
        if (is(&r, ".,")) {
            one_of(&r, ".,");
            f.us = fraction(&r);
        }
        if (r.s.n)
            f.offset_s = zone(&r);
    }
    return finish(&r, &f, ret_wall_us);
}

/* The rest of "Sunday, 06-Nov-94 ..." from the day on; two digits of a year are the
 * nearest such year that is not more than 50 years ahead. */
static void rfc850(struct reader *r, struct fields *f)
{
    int64_t now_year;
    unsigned m, d;

    km_civil_from_days(km_wall_us() / US / 86400, &now_year, &m, &d);
    one_of(r, "-");
    f->month = month(r);
    one_of(r, "-");
    f->year = now_year / 100 * 100 + digits(r, 2);
    if (f->year > now_year + 50)
        f->year -= 100;
    one_of(r, " ");
    clock_time(r, f);
    literal(r, KM_STR(" GMT"));
}

static void asctime_form(struct reader *r, struct fields *f)
{
    f->month = month(r);
    one_of(r, " ");
    if (is(r, " ")) {
        one_of(r, " ");
        f->day = digits(r, 1);
    } else {
        f->day = digits(r, 2);
    }
    one_of(r, " ");
    clock_time(r, f);
    one_of(r, " ");
    f->year = digits(r, 4);
}

int km_time_parse_http(struct km_str s, int64_t *ret_wall_us)
{
    size_t comma = km_str_chr(s, ',');
    struct reader r = { .s = km_str_skip(s, comma == s.n ? 3 : comma + 1) };
    struct fields f = { 0 };

    one_of(&r, " ");
    if (comma == s.n) {
        asctime_form(&r, &f);
        return finish(&r, &f, ret_wall_us);
    }
    f.day = digits(&r, 2);
    if (is(&r, "-")) {
        rfc850(&r, &f);
        return finish(&r, &f, ret_wall_us);
    }
    one_of(&r, " ");
    f.month = month(&r);
    one_of(&r, " ");
    f.year = digits(&r, 4);
    one_of(&r, " ");
    clock_time(&r, &f);
    literal(&r, KM_STR(" GMT"));
    return finish(&r, &f, ret_wall_us);
}

int km_time_parse_duration(struct km_str s, int64_t *ret_seconds)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = { { "s", 1 },     { "m", 60 },        { "h", 3600 },
                  { "d", 86400 }, { "w", 7 * 86400 }, { "mo", 30 * 86400 } };
    size_t n = 0;
    int64_t value;

    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    if (km_str_i64(km_str_sub(s, 0, n), &value) < 0)
        return KM_E_INVALID;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!km_str_eq(km_str_skip(s, n), km_str_c(units[i].unit)))
            continue;
        if (__builtin_mul_overflow(value, units[i].seconds, &value) || value > DURATION_MOST)
            return KM_E_INVALID;
        *ret_seconds = value;
        return 0;
    }
    return KM_E_INVALID;
}

int km_time_parse_when(struct km_str s, int64_t now_us, int64_t *ret_wall_us)
{
    int64_t seconds;

    if (km_str_eq(s, KM_STR("now"))) {
        *ret_wall_us = now_us;
        return 0;
    }
    if (km_time_parse_duration(s, &seconds) < 0)
        return km_time_parse_iso(s, ret_wall_us);
    if (seconds > now_us / US)
        return KM_E_INVALID;
    *ret_wall_us = now_us - seconds * US;
    return 0;
}
