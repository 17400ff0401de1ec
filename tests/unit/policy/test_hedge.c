/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/prng.h"
#include "base/str.h"
#include "policy/hedge.h"

static const struct km_hedge_settings settings = { .least_ms = 50 };

static void nothing_is_concluded_from_a_few(void **state)
{
    struct km_hedge_times t = { 0 };

    (void)state;
    for (int i = 0; i < KM_HEDGE_LEARNT - 1; i++)
        km_hedge_learn(&t, true, 100);
    assert_int_equal(km_hedge_after_ms(&settings, &t, true), 0);
    km_hedge_learn(&t, true, 100);
    assert_int_equal(km_hedge_after_ms(&settings, &t, true), 100);
    assert_int_equal(km_hedge_after_ms(&settings, &t, false), 0); /* those are others */
}

static void about_one_of_twenty_takes_longer(void **state)
{
    struct km_hedge_times t = { 0 };
    uint64_t rng = 5;
    int longer = 0;

    (void)state;
    for (int i = 0; i < 4000; i++) {
        uint64_t took = 100 + km_prng_next(&rng) % 1000;

        if (i >= 2000)
            longer += took > km_hedge_after_ms(&settings, &t, true);
        km_hedge_learn(&t, true, took);
    }
    assert_in_range(longer, 2000 / 50, 2000 / 10);
}

/* One that hangs is a few of many. */
static void a_few_that_hang_move_it_little(void **state)
{
    struct km_hedge_times t = { 0 };

    (void)state;
    for (int i = 0; i < 500; i++)
        km_hedge_learn(&t, false, i % 100 == 99 ? 600000 : 200);
    assert_in_range(km_hedge_after_ms(&settings, &t, false), 190, 400);
}

static void what_is_configured_counts(void **state)
{
    struct km_hedge_settings s = settings;
    struct km_hedge_times t = { 0 };

    (void)state;
    for (int i = 0; i < 100; i++)
        km_hedge_learn(&t, true, 1);
    assert_int_equal(km_hedge_after_ms(&s, &t, true), 50);
    s.after_ms = 7;
    assert_int_equal(km_hedge_after_ms(&s, &t, true), 7);
}

static void groups_are_named(void **state)
{
    struct km_str names[] = { { "a", 1 }, { "b", 1 } }, star = { "*", 1 };
    struct km_hedge_settings s = { .models = { .v = names, .n = 2 } };

    (void)state;
    assert_true(km_hedge_has(&s, KM_STR("b")));
    assert_false(km_hedge_has(&s, KM_STR("c")));
    s.models = (struct km_str_list){ .v = &star, .n = 1 };
    assert_true(km_hedge_has(&s, KM_STR("c")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_concluded_from_a_few),
        cmocka_unit_test(about_one_of_twenty_takes_longer),
        cmocka_unit_test(a_few_that_hang_move_it_little),
        cmocka_unit_test(what_is_configured_counts),
        cmocka_unit_test(groups_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
