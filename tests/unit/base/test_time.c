/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "base/time.h"

#define US INT64_C(1000000)

static int64_t at(const char *iso)
{
    int64_t us = -1;

    assert_int_equal(km_time_parse_iso(km_str_c(iso), &us), 0);
    return us;
}

static void clocks_go_forward_and_agree(void **state)
{
    uint64_t a = km_mono_ns(), ms = km_mono_ms(), b = km_mono_ns();
    int64_t wall = km_wall_us();

    (void)state;
    assert_true(a <= b);
    assert_true(ms >= a / 1000000 && ms <= b / 1000000);
    assert_true(wall / US - time(NULL) <= 1 && time(NULL) - wall / US <= 1);
}

static void dates_agree_with_the_c_library(void **state)
{
    char mine[KM_TIME_ISO_LEN + 1], theirs[64];
    char http[KM_TIME_HTTP_LEN + 1];

    (void)state;
    /* Steps that fall on every part of day, month and leap cycle, from year 3 to 8800. */
    for (int64_t s = -62000000000; s < 215000000000; s += 86400 * 17 + 3607) {
        time_t t = (time_t)s;
        struct tm tm;
        int64_t back;

        gmtime_r(&t, &tm);
        km_time_iso(s * US, mine);
        snprintf(theirs, sizeof theirs, "%04d-%02d-%02dT%02d:%02d:%02d.000000Z", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        assert_string_equal(mine, theirs);
        assert_int_equal(km_time_parse_iso(km_str_c(mine), &back), 0);
        assert_true(back == s * US);
        km_time_http(s * US, http);
        strftime(theirs, sizeof theirs, "%a, %d %b ", &tm);
        assert_memory_equal(http, theirs, 12);
        assert_int_equal(km_time_parse_http(km_str_c(http), &back), 0);
        assert_true(back == s * US);
    }
}

static void microseconds_are_kept_before_1970_too(void **state)
{
    char text[KM_TIME_ISO_LEN + 1];

    (void)state;
    km_time_iso(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
    km_time_iso(1795160760123456, text);
    assert_string_equal(text, "2026-11-20T07:46:00.123456Z");
}

static void years_beyond_four_digits_are_clamped(void **state)
{
    char text[KM_TIME_ISO_LEN + 1];

    (void)state;
    km_time_iso(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
    km_time_iso(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00.000000Z");
}

static void iso_takes_fractions_zones_and_dates(void **state)
{
    int64_t noon = at("2026-11-20T12:00:00Z");

    (void)state;
    assert_true(at("2026-11-20") == noon - 43200 * US);
    assert_true(at("2026-11-20t12:00:00z") == noon);
    assert_true(at("2026-11-20 12:00:00") == noon);
    assert_true(at("2026-11-20T21:00:00+09:00") == noon);
    assert_true(at("2026-11-20T21:00:00+0900") == noon);
    assert_true(at("2026-11-20T08:30:00-03:30") == noon);
    assert_true(at("2026-11-20T12:00:00.5Z") == noon + US / 2);
    assert_true(at("2026-11-20T12:00:00.123456789Z") == noon + 123456);
    assert_true(at("2026-11-20T11:59:60Z") == noon);
    assert_true(at("2024-02-29") == at("2024-02-28") + 86400 * US);
}

static void what_is_not_a_date_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-13-01",
        "2026-00-01",
        "2026-02-29",
        "2026-04-31",
        "2026-11-00",
        "2026-1-1",
        "2026-11-20T",
        "2026-11-20T24:00:00Z",
        "2026-11-20T12:60:00Z",
        "2026-11-20T12:00:61Z",
        "2026-11-20T12:00Z",
        "2026-11-20T12:00:00.Z",
        "2026-11-20T12:00:00+9",
        "2026-11-20T12:00:00+24:00",
        "2026-11-20T12:00:00Zx",
        "2026/11/20",
        " 2026-11-20",
        "1900-02-29",
    };
    int64_t us = 7;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(km_time_parse_iso(km_str_c(bad[i]), &us), KM_E_INVALID);
    assert_int_equal(us, 7);
}

static void a_date_cut_anywhere_is_refused_or_a_date(void **state)
{
    struct km_str whole = KM_STR("2026-11-20T12:00:00.25+09:00");
    int64_t us;

    (void)state;
    for (size_t n = 0; n < whole.n; n++) {
        bool ends_a_form = n == 10 || n == 19 || n == 21 || n == 22;

        assert_int_equal(km_time_parse_iso(km_str_sub(whole, 0, n), &us) == 0, ends_a_form);
    }
}

static void http_dates_come_in_three_forms(void **state)
{
    const int64_t expected = INT64_C(784111777) * US;
    int64_t us;

    (void)state;
    assert_int_equal(km_time_parse_http(KM_STR("Sun, 06 Nov 1994 08:49:37 GMT"), &us), 0);
    assert_true(us == expected);
    assert_int_equal(km_time_parse_http(KM_STR("Sunday, 06-Nov-94 08:49:37 GMT"), &us), 0);
    assert_true(us == expected);
    assert_int_equal(km_time_parse_http(KM_STR("Sun Nov  6 08:49:37 1994"), &us), 0);
    assert_true(us == expected);
    assert_int_equal(km_time_parse_http(KM_STR("Sun Nov 16 08:49:37 1994"), &us), 0);
    assert_true(us == expected + 10 * 86400 * US);
}

static void http_dates_cut_anywhere_are_refused(void **state)
{
    static const char *const whole[] = { "Sun, 06 Nov 1994 08:49:37 GMT",
                                         "Sunday, 06-Nov-94 08:49:37 GMT",
                                         "Sun Nov  6 08:49:37 1994" };
    int64_t us;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t n = 0; n < strlen(whole[i]); n++)
            assert_int_equal(km_time_parse_http(km_str(whole[i], n), &us), KM_E_INVALID);
    assert_int_equal(km_time_parse_http(KM_STR("Sun, 06 Nov 1994 08:49:37 PST"), &us),
                     KM_E_INVALID);
    assert_int_equal(km_time_parse_http(KM_STR("Sun, 31 Feb 1994 08:49:37 GMT"), &us),
                     KM_E_INVALID);
}

static void a_moment_is_a_time_or_a_length_of_time_before_now(void **state)
{
    const int64_t now = INT64_C(1795514400) * 1000000; /* 2026-11-24T10:00:00Z */
    static const char *const bad[] = { "", "1", "h", "tomorrow", "-1h", "2026-13-01", "9999999999w",
                                       "2026-11-24T", "100y" };
    static const struct {
        const char *text, *is;
    } good[] = { { "now", "2026-11-24T10:00:00.000000Z" },
                 { "1h", "2026-11-24T09:00:00.000000Z" },
                 { "7d", "2026-11-17T10:00:00.000000Z" },
                 { "2026-11-24", "2026-11-24T00:00:00.000000Z" },
                 { "2026-11-24T09:30:00+09:00", "2026-11-24T00:30:00.000000Z" } };
    char text[KM_TIME_ISO_LEN + 1];
    int64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (km_time_parse_when(km_str_c(bad[i]), now, &us) != KM_E_INVALID)
            fail_msg("'%s' is a moment", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(km_time_parse_when(km_str_c(good[i].text), now, &us), 0);
        km_time_iso(us, text);
        assert_string_equal(text, good[i].is);
    }
}

static void durations_have_litellms_units(void **state)
{
    static const char *const bad[] = { "",     "s",    "30",   "30x", "-1s",
                                       "1.5h", "30 s", "1mon", "1M",  "9223372036854775807s" };
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = { { "30s", 30 },      { "30m", 1800 },  { "30h", 108000 },
                 { "30d", 2592000 }, { "1w", 604800 }, { "1mo", 2592000 } };
    int64_t s = 7;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(km_time_parse_duration(km_str_c(bad[i]), &s), KM_E_INVALID);
    assert_int_equal(s, 7);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(km_time_parse_duration(km_str_c(good[i].text), &s), 0);
        assert_true(s == good[i].seconds);
    }
}

static void budget_windows_end_where_the_calendar_says(void **state)
{
    int64_t now = at("2026-11-20T07:46:00Z"); /* a Friday */

    (void)state;
    assert_true(km_time_budget_reset(now, 86400) == at("2026-11-21"));
    assert_true(km_time_budget_reset(at("2026-11-20"), 86400) == at("2026-11-21"));
    assert_true(km_time_budget_reset(now, 7 * 86400) == at("2026-11-23"));
    assert_true(km_time_budget_reset(at("2026-11-23"), 7 * 86400) == at("2026-11-30"));
    assert_true(km_time_budget_reset(at("2026-11-22T23:59:59Z"), 7 * 86400) == at("2026-11-23"));
    assert_true(km_time_budget_reset(now, 30 * 86400) == at("2026-12-01"));
    assert_true(km_time_budget_reset(at("2026-12-31T23:59:59Z"), 30 * 86400) == at("2027-01-01"));
    assert_true(km_time_budget_reset(at("2026-12-01"), 30 * 86400) == at("2027-01-01"));
    assert_true(km_time_budget_reset(now, 3600) == now + 3600 * US);
    assert_true(km_time_budget_reset(now, 2 * 86400) == now + 2 * 86400 * US);
    assert_true(km_time_budget_reset(now, INT64_MAX) == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_go_forward_and_agree),
        cmocka_unit_test(dates_agree_with_the_c_library),
        cmocka_unit_test(microseconds_are_kept_before_1970_too),
        cmocka_unit_test(years_beyond_four_digits_are_clamped),
        cmocka_unit_test(iso_takes_fractions_zones_and_dates),
        cmocka_unit_test(what_is_not_a_date_is_refused),
        cmocka_unit_test(a_date_cut_anywhere_is_refused_or_a_date),
        cmocka_unit_test(http_dates_come_in_three_forms),
        cmocka_unit_test(http_dates_cut_anywhere_are_refused),
        cmocka_unit_test(durations_have_litellms_units),
        cmocka_unit_test(a_moment_is_a_time_or_a_length_of_time_before_now),
        cmocka_unit_test(budget_windows_end_where_the_calendar_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
