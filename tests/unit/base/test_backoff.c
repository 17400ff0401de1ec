/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/backoff.h"

static void it_doubles_up_to_its_bound(void **state)
{
    (void)state;
    assert_int_equal(km_backoff(500, 30000, 0), 500);
    assert_int_equal(km_backoff(500, 30000, 1), 1000);
    assert_int_equal(km_backoff(500, 30000, 5), 16000);
    assert_int_equal(km_backoff(500, 30000, 6), 30000);
    assert_int_equal(km_backoff(500, 30000, UINT64_MAX), 30000);
}

static void a_bound_below_the_first_wins(void **state)
{
    (void)state;
    assert_int_equal(km_backoff(500, 100, 0), 100);
    assert_int_equal(km_backoff(500, 100, 3), 100);
}

static void it_does_not_wrap(void **state)
{
    (void)state;
    assert_true(km_backoff(UINT64_MAX / 2 + 2, UINT64_MAX, 1) == UINT64_MAX);
    assert_int_equal(km_backoff(0, 100, 1000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_doubles_up_to_its_bound),
        cmocka_unit_test(a_bound_below_the_first_wins),
        cmocka_unit_test(it_does_not_wrap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
