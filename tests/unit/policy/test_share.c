/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/share.h"

static uint64_t share(uint64_t left, uint64_t own, bool stream, bool follows)
{
    const struct km_share_facts f = {
        .left_ms = left, .own_ms = own, .stream = stream, .follows = follows
    };

    return km_share_ms(&f);
}

static void the_last_has_all_that_is_left(void **state)
{
    (void)state;
    assert_int_equal(share(30000, 0, false, false), 30000);
    assert_int_equal(share(30000, 0, true, false), 30000);
}

/* Two deployments and 30 seconds, by a clock that is the sum of what was used up. */
static void each_leaves_time_for_the_next(void **state)
{
    uint64_t now = 0;

    (void)state;
    now += share(30000 - now, 0, false, true);
    assert_int_equal(now, 22500);
    now += share(30000 - now, 0, false, false);
    assert_int_equal(now, 30000);
    now = share(30000, 0, true, true);
    assert_int_equal(now, 15000);
}

/* However many there are, none is left without. */
static void nobody_in_a_long_chain_gets_nothing(void **state)
{
    uint64_t now = 0, least = 30000;

    (void)state;
    for (int i = 0; i < 5; i++) {
        uint64_t part = share(30000 - now, 0, false, i < 4);

        least = part < least ? part : least;
        now += part;
    }
    assert_int_equal(now, 30000);
    assert_true(least >= 80);
    assert_int_equal(share(0, 0, true, true), 1);
}

static void what_is_configured_counts_where_it_is_less(void **state)
{
    (void)state;
    assert_int_equal(share(30000, 2000, true, true), 2000);
    assert_int_equal(share(30000, 2000, false, false), 2000);
    assert_int_equal(share(30000, 600000, false, true), 22500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_has_all_that_is_left),
        cmocka_unit_test(each_leaves_time_for_the_next),
        cmocka_unit_test(nobody_in_a_long_chain_gets_nothing),
        cmocka_unit_test(what_is_configured_counts_where_it_is_less),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
