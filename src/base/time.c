/* SPDX-License-Identifier: Apache-2.0 */
/* time.c - see time.h for the contract.  Texts are read in time_parse.c.
 *
 * Both clocks are the kernel's, read through the vDSO: some 20 ns, no system call.  Dates
 * are computed, not asked from libc: gmtime_r() takes the lock of the time zone database
 * and strftime() the locale, and every log line carries a date.
 *
 * Days are counted from 1970-01-01 in the proleptic Gregorian calendar.  The arithmetic
 * shifts the year to begin in March, which puts the leap day at its end: then the length
 * of the months before a month is the line (153 * m + 2) / 5.
 */
#include "base/time.h"

#include <time.h>

#include "base/time_civil.h"

#define US INT64_C(1000000)
#define DAY INT64_C(86400)

static uint64_t ns_of(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts); /* cannot fail for these clocks */
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

uint64_t km_mono_ns(void)
{
    return ns_of(CLOCK_MONOTONIC);
}

uint64_t km_mono_ms(void)
{
    return ns_of(CLOCK_MONOTONIC) / 1000000;
}

int64_t km_wall_us(void)
{
    return (int64_t)(ns_of(CLOCK_REALTIME) / 1000);
}

int64_t km_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void km_civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *ret_day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *ret_month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *ret_year = yoe + era * 400 + (*ret_month <= 2);
}

struct moment {
    int64_t year;
    unsigned month, day, weekday; /* weekday: 0 is Sunday */
    unsigned hour, minute, second, us;
};

/* Four digits of a year are all the texts have: earlier and later are the nearest there. */
static struct moment moment_of(int64_t wall_us)
{
    const int64_t first = km_days_from_civil(0, 1, 1) * DAY * US;
    const int64_t end = km_days_from_civil(10000, 1, 1) * DAY * US;
    struct moment m;
    int64_t days, left;

    wall_us = wall_us < first ? first : wall_us >= end ? end - 1 : wall_us;
    days = wall_us / (DAY * US);
    left = wall_us % (DAY * US);
    if (left < 0) {
        days--;
        left += DAY * US;
    }
    km_civil_from_days(days, &m.year, &m.month, &m.day);
    m.weekday = (unsigned)(((days + 4) % 7 + 7) % 7);
    m.us = (unsigned)(left % US);
    left /= US;
    m.second = (unsigned)(left % 60);
    m.minute = (unsigned)(left / 60 % 60);
    m.hour = (unsigned)(left / 3600);
    return m;
}

/* Writes v with leading zeros into `digits` places. */
static void put(char *out, unsigned v, unsigned digits)
{
    while (digits--) {
        out[digits] = (char)('0' + v % 10);
        v /= 10;
    }
}

void km_time_iso(int64_t wall_us, char out[KM_TIME_ISO_LEN + 1])
{
    struct moment m = moment_of(wall_us);

    memcpy(out, "0000-00-00T00:00:00.000000Z", KM_TIME_ISO_LEN + 1);
    put(out, (unsigned)m.year, 4);
    put(out + 5, m.month, 2);
    put(out + 8, m.day, 2);
    put(out + 11, m.hour, 2);
    put(out + 14, m.minute, 2);
    put(out + 17, m.second, 2);
    put(out + 20, m.us, 6);
}

void km_time_http(int64_t wall_us, char out[KM_TIME_HTTP_LEN + 1])
{
    struct moment m = moment_of(wall_us);

    memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", KM_TIME_HTTP_LEN + 1);
    memcpy(out, &"SunMonTueWedThuFriSat"[m.weekday * 3], 3);
    put(out + 5, m.day, 2);
    memcpy(out + 8, &KM_TIME_MONTHS[(m.month - 1) * 3], 3);
    put(out + 12, (unsigned)m.year, 4);
    put(out + 17, m.hour, 2);
    put(out + 20, m.minute, 2);
    put(out + 23, m.second, 2);
}

/* The first moment of the day that is `ahead` days after the day of now. */
static int64_t midnight(int64_t day)
{
    return day * DAY * US;
}

int64_t km_time_budget_reset(int64_t now_us, int64_t duration_s)
{
    int64_t today = now_us / (DAY * US) - (now_us % (DAY * US) < 0);
    int64_t year, reset;
    unsigned month, day;

    switch (duration_s) {
    case DAY:
        return midnight(today + 1);
    case 7 * DAY:
        /* Day 0 was a Thursday: Mondays are the days with (day + 3) % 7 == 0. */
        return midnight(today + 7 - ((today + 3) % 7 + 7) % 7);
    case 30 * DAY:
        km_civil_from_days(today, &year, &month, &day);
        return midnight(month == 12 ? km_days_from_civil(year + 1, 1, 1)
                                    : km_days_from_civil(year, month + 1, 1));
    default:
        if (__builtin_mul_overflow(duration_s, US, &reset) ||
            __builtin_add_overflow(reset, now_us, &reset))
            return INT64_MAX;
        return reset;
    }
}

static bool is_aligned(int64_t duration_s)
{
    return duration_s == DAY || duration_s == 7 * DAY || duration_s == 30 * DAY;
}

int64_t km_time_budget_end(int64_t at_us, int64_t duration_s, int64_t any_end_us)
{
    int64_t length, ahead, rest, end;

    if (is_aligned(duration_s))
        return km_time_budget_reset(at_us, duration_s);
    if (duration_s <= 0 || __builtin_mul_overflow(duration_s, US, &length) ||
        __builtin_sub_overflow(any_end_us, at_us, &ahead))
        return INT64_MAX;
    rest = ahead % length;
    if (rest <= 0)
        rest += length;
    return __builtin_add_overflow(at_us, rest, &end) ? INT64_MAX : end;
}

int64_t km_time_budget_begin(int64_t end_us, int64_t duration_s)
{
    int64_t last = end_us - 1, day = last / (DAY * US) - (last % (DAY * US) < 0);
    int64_t length, begin, year;
    unsigned month, today;

    switch (duration_s) {
    case DAY:
        return midnight(day);
    case 7 * DAY:
        return midnight(day - ((day + 3) % 7 + 7) % 7);
    case 30 * DAY:
        km_civil_from_days(day, &year, &month, &today);
        return midnight(km_days_from_civil(year, month, 1));
    default:
        if (__builtin_mul_overflow(duration_s, US, &length) ||
            __builtin_sub_overflow(end_us, length, &begin))
            return INT64_MIN;
        return begin;
    }
}

bool km_time_budget_same(int64_t duration_s, int64_t end_us, int64_t other_end_us)
{
    int64_t length, apart;

    if (is_aligned(duration_s) || end_us == other_end_us)
        return true;
    return !__builtin_mul_overflow(duration_s, US, &length) && length > 0 &&
           !__builtin_sub_overflow(end_us, other_end_us, &apart) && apart % length == 0;
}
