/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/quantile.h"

static uint64_t rng = 0x9e3779b97f4a7c15U;

static int64_t below(int64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (int64_t)(rng >> 11) % n;
}

static void the_first_number_is_the_guess_and_none_is_nothing(void **state)
{
    struct km_quantile q = { 0, 0 };

    (void)state;
    assert_int_equal(km_quantile_get(&q), 0);
    km_quantile_learn(&q, 0, 9);
    km_quantile_learn(&q, -5, 9);
    assert_int_equal(km_quantile_get(&q), 0);
    km_quantile_learn(&q, 700, 9);
    assert_int_equal(km_quantile_get(&q), 700);
    for (int i = 0; i < 1000; i++)
        km_quantile_learn(&q, 700, 9);
    assert_int_equal(km_quantile_get(&q), 700);
}

/* Even between 1 and 1000: nine of ten are below 900. */
static void it_settles_where_that_share_is_below(void **state)
{
    (void)state;
    for (int tenths = 1; tenths <= 9; tenths += 4) {
        struct km_quantile q = { 0, 0 };
        int under = 0;

        for (int i = 0; i < 20000; i++) {
            const int64_t number = 1 + below(1000);

            if (i >= 1000)
                under += number <= km_quantile_get(&q);
            km_quantile_learn(&q, number, tenths);
        }
        assert_in_range(under, 1900 * tenths - 700, 1900 * tenths + 700);
    }
}

static void one_absurd_number_moves_it_by_a_step(void **state)
{
    struct km_quantile q = { 0, 0 };

    (void)state;
    for (int i = 0; i < 100; i++)
        km_quantile_learn(&q, 200, 5);
    km_quantile_learn(&q, INT64_MAX, 5);
    assert_in_range(km_quantile_get(&q), 200, 220);
    km_quantile_learn(&q, 1, 5);
    assert_in_range(km_quantile_get(&q), 190, 210);
}

static void it_comes_back_from_an_absurd_beginning(void **state)
{
    struct km_quantile q = { 0, 0 };

    (void)state;
    km_quantile_learn(&q, INT64_MAX, 5);
    for (int i = 0; i < 1000; i++)
        km_quantile_learn(&q, 200, 5);
    assert_in_range(km_quantile_get(&q), 190, 210);
    for (int i = 0; i < 100; i++)
        km_quantile_learn(&q, INT64_MAX, 9);
    assert_true(km_quantile_get(&q) <= KM_QUANTILE_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_number_is_the_guess_and_none_is_nothing),
        cmocka_unit_test(it_settles_where_that_share_is_below),
        cmocka_unit_test(one_absurd_number_moves_it_by_a_step),
        cmocka_unit_test(it_comes_back_from_an_absurd_beginning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
