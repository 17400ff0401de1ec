/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/breaker.h"

static const struct km_breaker_settings three = { .failures = 3, .open_ms = 1000 };

static void fail_times(struct km_breaker *b, int n, uint64_t now_ms)
{
    for (int i = 0; i < n; i++)
        km_breaker_report(b, &three, false, now_ms);
}

static void it_opens_after_failures_in_a_row_only(void **state)
{
    struct km_breaker b = { 0 };

    (void)state;
    fail_times(&b, 2, 100);
    km_breaker_report(&b, &three, true, 100);
    fail_times(&b, 2, 100);
    assert_int_equal(km_breaker_state(&b, 100), KM_BREAKER_CLOSED);
    fail_times(&b, 1, 100);
    assert_int_equal(km_breaker_state(&b, 100), KM_BREAKER_OPEN);
    assert_false(km_breaker_allow(&b, &three, 1099));
}

static void half_open_lets_one_probe_out_at_a_time(void **state)
{
    struct km_breaker b = { 0 };

    (void)state;
    fail_times(&b, 3, 100);
    assert_int_equal(km_breaker_state(&b, 1100), KM_BREAKER_HALF_OPEN);
    assert_true(km_breaker_allow(&b, &three, 1100));
    assert_false(km_breaker_allow(&b, &three, 1101));
    km_breaker_report(&b, &three, false, 1200);
    assert_int_equal(km_breaker_state(&b, 2199), KM_BREAKER_OPEN);
    assert_true(km_breaker_allow(&b, &three, 2200));
    km_breaker_report(&b, &three, true, 2300);
    assert_int_equal(km_breaker_state(&b, 2300), KM_BREAKER_CLOSED);
    assert_true(km_breaker_allow(&b, &three, 2300));
    assert_true(km_breaker_allow(&b, &three, 2300));
}

static void a_probe_nobody_reports_is_taken_over_in_time(void **state)
{
    struct km_breaker b = { 0 };

    (void)state;
    fail_times(&b, 3, 100);
    assert_true(km_breaker_allow(&b, &three, 1100));
    assert_false(km_breaker_allow(&b, &three, 2099));
    assert_true(km_breaker_allow(&b, &three, 2100));
    assert_false(km_breaker_allow(&b, &three, 2101));
}

static void looking_does_not_take_the_probe(void **state)
{
    struct km_breaker b = { 0 };

    (void)state;
    fail_times(&b, 3, 100);
    for (int i = 0; i < 5; i++)
        assert_int_equal(km_breaker_state(&b, 1100), KM_BREAKER_HALF_OPEN);
    assert_true(km_breaker_allow(&b, &three, 1100));
}

static void without_settings_the_defaults_hold(void **state)
{
    struct km_breaker b = { 0 };

    (void)state;
    for (int i = 0; i < KM_BREAKER_FAILURES; i++) {
        assert_true(km_breaker_allow(&b, NULL, 1));
        km_breaker_report(&b, NULL, false, 1);
    }
    assert_false(km_breaker_allow(&b, NULL, KM_BREAKER_OPEN_MS));
    assert_true(km_breaker_allow(&b, NULL, KM_BREAKER_OPEN_MS + 1));
}

/* An MCP server: it rests longer each time, failures while it rests are of before, and an answer
 * ends all that. */
static void it_opens_longer_each_time_where_it_is_told_so(void **state)
{
    static const struct km_breaker_settings rests = { .failures = 1,
                                                      .open_ms = 500,
                                                      .open_most_ms = 1500 };
    struct km_breaker b = { 0 };

    (void)state;
    assert_int_equal(km_breaker_left_ms(&b, 100), 0);
    km_breaker_report(&b, &rests, false, 100);
    assert_int_equal(km_breaker_left_ms(&b, 100), 500);
    km_breaker_report(&b, &rests, false, 200);
    assert_int_equal(km_breaker_left_ms(&b, 200), 400);
    km_breaker_report(&b, &rests, false, 600);
    assert_int_equal(km_breaker_left_ms(&b, 600), 1000);
    km_breaker_report(&b, &rests, false, 1600);
    assert_int_equal(km_breaker_left_ms(&b, 1600), 1500);
    km_breaker_report(&b, &rests, false, 3100);
    assert_int_equal(km_breaker_left_ms(&b, 3100), 1500);
    km_breaker_reset(&b);
    assert_int_equal(km_breaker_left_ms(&b, 3100), 0);
    assert_int_equal(km_breaker_state(&b, 3100), KM_BREAKER_CLOSED);
    km_breaker_report(&b, &rests, false, 3100);
    assert_int_equal(km_breaker_left_ms(&b, 3100), 500);
}

static void a_limit_of_a_minute_counts_what_is_not_in_a_row(void **state)
{
    static const struct km_breaker_settings s = { .a_minute = 4, .open_ms = 1000 };
    struct km_breaker b = { 0 };

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_false(km_breaker_fail(&b, &s, KM_FAILURE_SERVER, 60000));
        km_breaker_report(&b, &s, true, 60000);
    }
    assert_false(km_breaker_fail(&b, &s, KM_FAILURE_SERVER, 120000)); /* another minute */
    for (int i = 0; i < 2; i++)
        assert_false(km_breaker_fail(&b, &s, KM_FAILURE_SERVER, 120000));
    assert_true(km_breaker_fail(&b, &s, KM_FAILURE_SERVER, 120000));
    assert_int_equal(km_breaker_state(&b, 120000), KM_BREAKER_OPEN);
}

static void kinds_of_failures_have_limits_of_their_own(void **state)
{
    struct km_failure_counts of = KM_FAILURE_COUNTS_NONE;
    const struct km_breaker_settings s = { .a_minute = 2, .allowed_of = &of };
    struct km_breaker b = { 0 };

    (void)state;
    of.of[KM_FAILURE_TIMEOUT] = 3;
    for (int i = 0; i < 3; i++)
        assert_false(km_breaker_fail(&b, &s, KM_FAILURE_TIMEOUT, 1));
    assert_false(km_breaker_fail(&b, &s, KM_FAILURE_SERVER, 1)); /* the first of all others */
    assert_true(km_breaker_fail(&b, &s, KM_FAILURE_TIMEOUT, 1));
}

static void a_rate_needs_its_volume(void **state)
{
    static const struct km_breaker_settings s = { .failures = 1000000,
                                                  .rate_percent = 50,
                                                  .rate_least = 20 };
    struct km_breaker b = { 0 };

    (void)state;
    for (int i = 0; i < 9; i++)
        assert_false(km_breaker_fail(&b, &s, KM_FAILURE_SERVER, 5000));
    for (int i = 0; i < 10; i++)
        km_breaker_report(&b, &s, true, 5000);
    assert_true(km_breaker_fail(&b, &s, KM_FAILURE_SERVER, 5000)); /* the tenth of twenty */
}

static void its_load_comes_back_by_and_by(void **state)
{
    static const struct km_breaker_settings s = { .failures = 1, .open_ms = 1000, .ramps = true };
    struct km_breaker b = { 0 };

    (void)state;
    assert_int_equal(km_breaker_share(&b, 1), 100);
    assert_true(km_breaker_fail(&b, &s, KM_FAILURE_SERVER, 1));
    assert_true(km_breaker_allow(&b, &s, 2000));
    km_breaker_report(&b, &s, true, 2000);
    assert_int_equal(km_breaker_share(&b, 2000), 10);
    assert_int_equal(km_breaker_share(&b, 2000 + KM_BREAKER_STEP_MS), 25);
    assert_int_equal(km_breaker_share(&b, 2000 + 2 * KM_BREAKER_STEP_MS), 50);
    assert_int_equal(km_breaker_share(&b, 2000 + 3 * KM_BREAKER_STEP_MS), 100);
}

static void a_failure_in_the_ramp_opens_it_at_once(void **state)
{
    static const struct km_breaker_settings s = { .failures = 3, .open_ms = 1000, .ramps = true };
    struct km_breaker b = { 0 };

    (void)state;
    for (int i = 0; i < 3; i++)
        (void)km_breaker_fail(&b, &s, KM_FAILURE_SERVER, 1);
    assert_true(km_breaker_allow(&b, &s, 2000));
    km_breaker_report(&b, &s, true, 2000);
    assert_true(km_breaker_fail(&b, &s, KM_FAILURE_SERVER, 2500));
    assert_int_equal(km_breaker_state(&b, 2500), KM_BREAKER_OPEN);
}

static void nothing_opens_one_that_never_does(void **state)
{
    static const struct km_breaker_settings s = { .failures = 1, .never = true };
    struct km_breaker b = { 0 };

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_false(km_breaker_fail(&b, &s, KM_FAILURE_SERVER, 1));
    assert_int_equal(km_breaker_state(&b, 1), KM_BREAKER_CLOSED);
}

static void a_rest_is_as_long_as_it_was_asked_for_within_its_bound(void **state)
{
    struct km_breaker b = { 0 };

    (void)state;
    km_breaker_rest(&b, 2000, 1000);
    km_breaker_rest(&b, 100, 1000); /* a shorter one takes nothing back */
    assert_true(km_breaker_rests(&b, 2999));
    assert_false(km_breaker_rests(&b, 3000));
    km_breaker_rest(&b, UINT64_C(3600000), 5000);
    assert_false(km_breaker_rests(&b, 5000 + KM_BREAKER_REST_MOST_MS));
    assert_int_equal(km_breaker_state(&b, 5000), KM_BREAKER_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens_after_failures_in_a_row_only),
        cmocka_unit_test(half_open_lets_one_probe_out_at_a_time),
        cmocka_unit_test(a_probe_nobody_reports_is_taken_over_in_time),
        cmocka_unit_test(looking_does_not_take_the_probe),
        cmocka_unit_test(without_settings_the_defaults_hold),
        cmocka_unit_test(it_opens_longer_each_time_where_it_is_told_so),
        cmocka_unit_test(a_limit_of_a_minute_counts_what_is_not_in_a_row),
        cmocka_unit_test(kinds_of_failures_have_limits_of_their_own),
        cmocka_unit_test(a_rate_needs_its_volume),
        cmocka_unit_test(its_load_comes_back_by_and_by),
        cmocka_unit_test(a_failure_in_the_ramp_opens_it_at_once),
        cmocka_unit_test(nothing_opens_one_that_never_does),
        cmocka_unit_test(a_rest_is_as_long_as_it_was_asked_for_within_its_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
