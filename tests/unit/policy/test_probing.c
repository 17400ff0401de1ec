/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/probing.h"

static bool is_odd(const void *ctx, size_t i)
{
    (void)ctx;
    return i % 2 == 1;
}

static bool is_none(const void *ctx, size_t i)
{
    (void)ctx;
    (void)i;
    return false;
}

static void each_that_may_be_asked_has_its_turn(void **state)
{
    (void)state;
    assert_int_equal(km_probing_next(0, 6, is_odd, NULL), 1);
    assert_int_equal(km_probing_next(2, 6, is_odd, NULL), 3);
    assert_int_equal(km_probing_next(4, 6, is_odd, NULL), 5);
    assert_int_equal(km_probing_next(6, 6, is_odd, NULL), 1);
    assert_int_equal(km_probing_next(0, 6, is_none, NULL), 6);
    assert_int_equal(km_probing_next(0, 0, is_odd, NULL), 0);
}

/* A clock that is the sum of the gaps: in an interval each was asked once. */
static void they_are_spread_over_the_interval(void **state)
{
    uint64_t now = 0;

    (void)state;
    for (int i = 0; i < 7; i++)
        now += km_probing_gap_ms(300000, 7);
    assert_in_range(now, 299990, 300000);
    assert_int_equal(km_probing_gap_ms(300000, 0), 300000);
    assert_int_equal(km_probing_gap_ms(10, 1000), KM_PROBE_LEAST_MS);
}

static void what_is_full_or_our_own_fault_is_not_ill(void **state)
{
    struct km_probe_state s = { 0 };

    (void)state;
    assert_int_equal(km_probing_verdict(&s), KM_PROBE_UNKNOWN);
    km_probing_tell(&s, 200, 5);
    assert_int_equal(km_probing_verdict(&s), KM_PROBE_WELL);
    km_probing_tell(&s, 503, 6);
    assert_int_equal(km_probing_verdict(&s), KM_PROBE_ILL);
    km_probing_tell(&s, 429, 7);
    assert_int_equal(km_probing_verdict(&s), KM_PROBE_WELL);
    km_probing_tell(&s, 400, 8);
    assert_int_equal(km_probing_verdict(&s), KM_PROBE_UNKNOWN);
    km_probing_tell(&s, 401, 9);
    assert_int_equal(km_probing_verdict(&s), KM_PROBE_ILL);
    km_probing_tell(&s, 0, 10); /* nothing came */
    assert_int_equal(km_probing_verdict(&s), KM_PROBE_ILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_that_may_be_asked_has_its_turn),
        cmocka_unit_test(they_are_spread_over_the_interval),
        cmocka_unit_test(what_is_full_or_our_own_fault_is_not_ill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
