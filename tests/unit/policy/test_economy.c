/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/economy.h"

static const struct km_economy_settings limits = {
    .on = true, .latency_ms = 1000, .failing_percent = 20, .near_percent = 80
};

static struct km_economy_ask ask_of(bool stream)
{
    return (struct km_economy_ask){
        .limits = &limits, .tokens_in = 1000, .tokens_out = 100, .stream = stream, .now_ms = 5000
    };
}

static void end(struct km_load *l, uint64_t took_ms, uint64_t first_ms, bool failed)
{
    const struct km_load_end e = { .good = !failed,
                                   .failed = failed,
                                   .took_us = took_ms * 1000,
                                   .first_us = first_ms * 1000,
                                   .tokens_out = 10 };

    km_load_begin(l, 5000);
    km_load_end(l, &e, 5000);
}

static void the_cheapest_for_what_the_call_needs(void **state)
{
    const struct km_economy_facts reads = { .input = 1, .output = 100 },
                                  writes = { .input = 5, .output = 50 };
    struct km_economy_ask ask = ask_of(false);
    enum km_economy_reason why;

    (void)state;
    assert_int_equal(km_economy_score(&ask, &reads, &why), 11000);
    assert_int_equal(why, KM_ECONOMY_GOOD);
    assert_int_equal(km_economy_score(&ask, &writes, &why), 10000);
    ask.tokens_in = 100000;
    assert_true(km_economy_score(&ask, &reads, &why) < km_economy_score(&ask, &writes, &why));
}

static void who_is_too_slow_comes_behind_whatever_he_costs(void **state)
{
    struct km_load load = { .running = 0 };
    const struct km_economy_facts cheap = { .load = &load, .input = 1, .output = 1 },
                                  dear = { .input = 1000000, .output = 1000000 };
    struct km_economy_ask ask = ask_of(false);
    enum km_economy_reason why;

    (void)state;
    end(&load, 1500, 400, false);
    assert_false(km_economy_good(km_economy_score(&ask, &cheap, &why)));
    assert_int_equal(why, KM_ECONOMY_SLOW);
    assert_string_equal(km_economy_word(why), "slow");
    assert_true(km_economy_score(&ask, &cheap, &why) > km_economy_score(&ask, &dear, &why));
    ask.stream = true; /* its first byte came in time */
    assert_true(km_economy_good(km_economy_score(&ask, &cheap, &why)));
    ask = ask_of(false);
    ask.near = true; /* what is left goes further */
    assert_true(km_economy_good(km_economy_score(&ask, &cheap, &why)));
}

static void who_fails_too_often_comes_behind(void **state)
{
    struct km_load load = { .running = 0 };
    const struct km_economy_facts f = { .load = &load, .input = 1, .output = 1 };
    struct km_economy_ask ask = ask_of(false);
    enum km_economy_reason why;

    (void)state;
    for (int i = 0; i < 3; i++)
        end(&load, 10, 0, false);
    end(&load, 10, 0, true);
    assert_true(km_economy_good(km_economy_score(&ask, &f, &why))); /* four say nothing yet */
    end(&load, 10, 0, true);
    ask.near = true; /* a budget that ends makes no failure good */
    (void)km_economy_score(&ask, &f, &why);
    assert_int_equal(why, KM_ECONOMY_FAILING);
    ask.now_ms += 60000;
    assert_true(km_economy_good(km_economy_score(&ask, &f, &why)));
}

static void one_without_a_price_is_the_last(void **state)
{
    struct km_load load = { .running = 0 };
    const struct km_economy_facts none = { .input = -1, .output = -1 },
                                  slow = { .load = &load, .input = INT64_MAX / 2, .output = 1 },
                                  zero = { .input = 0, .output = 0 };
    struct km_economy_ask ask = ask_of(false);
    enum km_economy_reason why;

    (void)state;
    end(&load, 5000, 0, false);
    assert_true(km_economy_score(&ask, &none, &why) > km_economy_score(&ask, &slow, &why));
    assert_int_equal(km_economy_score(&ask, &zero, &why), 0);
    assert_true(km_economy_score(&ask, &none, &why) <= KM_ECONOMY_SCORE_MOST);
}

static void a_budget_has_its_threshold(void **state)
{
    (void)state;
    assert_false(km_economy_near(&limits, 79, 100));
    assert_true(km_economy_near(&limits, 80, 100));
    assert_false(km_economy_near(&limits, 1000, -1));
    assert_false(km_economy_near(&(struct km_economy_settings){ .near_percent = 100 }, 100, 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cheapest_for_what_the_call_needs),
        cmocka_unit_test(who_is_too_slow_comes_behind_whatever_he_costs),
        cmocka_unit_test(who_fails_too_often_comes_behind),
        cmocka_unit_test(one_without_a_price_is_the_last),
        cmocka_unit_test(a_budget_has_its_threshold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
