/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/router.h"

#define N 3
#define PICKS 9000

struct group {
    struct km_breaker breakers[N];
    struct km_load loads[N];
    struct km_candidate v[N];
    struct km_strategy_settings settings;
    struct km_route_state state;
};

static void init(struct group *g, enum km_strategy strategy)
{
    *g = (struct group){ .settings = { .strategy = strategy, .ttl_ms = 3600000 } };
    g->state = (struct km_route_state){ .rng = 7, .strategy = &g->settings };
    for (size_t i = 0; i < N; i++)
        g->v[i] = (struct km_candidate){
            .weight = 1,
            .breaker = &g->breakers[i],
            .facts = { .load = &g->loads[i], .cost = -1, .rpm = -1, .tpm = -1 },
        };
}

static size_t pick(struct group *g, uint64_t now_ms)
{
    const struct km_candidate *c;

    g->state.ntried = 0;
    c = km_route_pick(&g->state, g->v, N, now_ms);
    return c ? (size_t)(c - g->v) : N;
}

static void count_picks(struct group *g, int count[N])
{
    for (size_t i = 0; i < N; i++)
        count[i] = 0;
    for (int i = 0; i < PICKS; i++)
        count[pick(g, 1)]++;
}

/* An answer of so many tokens that took so long. */
static void answer(struct group *g, size_t i, int64_t tokens, uint64_t took_us, uint64_t now_ms)
{
    km_load_begin(&g->loads[i], now_ms);
    km_load_end(&g->loads[i],
                &(struct km_load_end){
                    .good = true, .tokens = tokens, .tokens_out = tokens, .took_us = took_us },
                now_ms);
}

static void the_least_busy_is_the_one_with_the_fewest_calls_out(void **state)
{
    struct group g;

    (void)state;
    init(&g, KM_STRATEGY_LEAST_BUSY);
    km_load_begin(&g.loads[0], 1);
    km_load_begin(&g.loads[2], 1);
    assert_int_equal(pick(&g, 1), 1);
    km_load_begin(&g.loads[1], 1);
    km_load_begin(&g.loads[1], 1);
    km_load_end(&g.loads[2], &(struct km_load_end){ .good = true }, 1);
    assert_int_equal(pick(&g, 1), 2);
}

/* Each call goes where the fewest are: however long they take, nobody gets more than one above
 * another. */
static void a_load_is_spread_evenly(void **state)
{
    struct group g;

    (void)state;
    init(&g, KM_STRATEGY_LEAST_BUSY);
    for (int i = 0; i < 1000; i++)
        km_load_begin(&g.loads[pick(&g, 1)], 1);
    for (size_t i = 0; i < N; i++)
        assert_in_range(km_load_running(&g.loads[i]), 333, 334);
}

static void usage_goes_to_the_fewest_tokens_of_this_minute(void **state)
{
    struct group g;

    (void)state;
    init(&g, KM_STRATEGY_USAGE);
    answer(&g, 0, 500, 1, 60000);
    answer(&g, 1, 100, 1, 60000);
    answer(&g, 2, 300, 1, 60000);
    assert_int_equal(pick(&g, 60000), 1);
    answer(&g, 1, 300, 1, 119999);
    assert_int_equal(pick(&g, 119999), 2);
    answer(&g, 2, 1, 1, 120000); /* another minute: all begin anew */
    assert_true(pick(&g, 120000) != 2);
}

static void one_at_its_limit_is_not_asked(void **state)
{
    struct group g;

    (void)state;
    init(&g, KM_STRATEGY_USAGE);
    g.v[0].facts.rpm = 1;
    g.v[1].facts.tpm = 100;
    g.v[2].order = 1; /* only when all before it are full */
    answer(&g, 0, 10, 1, 1);
    assert_int_equal(pick(&g, 1), 1);
    answer(&g, 1, 90, 1, 1);
    assert_int_equal(pick(&g, 1), 1);
    g.state.tokens = 11; /* it would pass it */
    assert_int_equal(pick(&g, 1), 2);
    g.v[2].facts.rpm = 0;
    assert_int_equal(pick(&g, 1), N);
    assert_true(km_route_is_full(&g.state, g.v, N, 1));
    g.state.tokens = 10;
    assert_false(km_route_is_full(&g.state, g.v, N, 1));
}

static void the_fastest_by_token_is_taken_and_who_is_nearly_as_fast(void **state)
{
    struct group g;
    int count[N];

    (void)state;
    init(&g, KM_STRATEGY_LATENCY);
    answer(&g, 0, 100, 100 * 1000, 1);
    answer(&g, 1, 10, 10 * 1400, 1);
    answer(&g, 2, 1000, 1000 * 1600, 1);
    count_picks(&g, count);
    assert_int_equal(count[0], PICKS);
    g.settings.buffer_percent = 50;
    count_picks(&g, count);
    assert_in_range(count[0], PICKS * 45 / 100, PICKS * 55 / 100);
    assert_int_equal(count[2], 0);
}

static void who_is_not_known_is_tried_and_who_is_too_slow_is_not(void **state)
{
    struct group g;

    (void)state;
    init(&g, KM_STRATEGY_LATENCY);
    answer(&g, 0, 1, 10, 1);
    answer(&g, 1, 1, 10, 1);
    assert_int_equal(pick(&g, 1), 2);
    km_load_begin(&g.loads[2], 1);
    km_load_end(&g.loads[2], &(struct km_load_end){ .timed_out = true }, 1);
    assert_true(pick(&g, 1) != 2);
    for (size_t i = 0; i < N; i++) /* what was learnt so long ago counts no more */
        assert_int_equal(
            km_load_latency_us(&g.loads[i], false, 3600000, 2 + (uint64_t)g.settings.ttl_ms), 0);
}

static void streams_are_judged_by_their_first_byte(void **state)
{
    struct group g;

    (void)state;
    init(&g, KM_STRATEGY_LATENCY);
    for (size_t i = 0; i < N; i++) {
        km_load_begin(&g.loads[i], 1);
        km_load_end(&g.loads[i],
                    &(struct km_load_end){
                        .good = true, .tokens_out = 1, .took_us = 100 + i, .first_us = 100 - i },
                    1);
    }
    assert_int_equal(pick(&g, 1), 0);
    g.state.stream = true;
    assert_int_equal(pick(&g, 1), 2);
}

static void the_cheapest_token_is_taken_and_who_has_no_price_last(void **state)
{
    struct group g;

    (void)state;
    init(&g, KM_STRATEGY_COST);
    g.v[0].facts.cost = 500;
    g.v[1].facts.cost = 30;
    assert_int_equal(pick(&g, 1), 1);
    for (int i = 0; i < KM_BREAKER_FAILURES; i++)
        km_breaker_report(&g.breakers[1], NULL, false, 1);
    assert_int_equal(pick(&g, 1), 0);
    for (int i = 0; i < KM_BREAKER_FAILURES; i++)
        km_breaker_report(&g.breakers[0], NULL, false, 1);
    assert_int_equal(pick(&g, 1), 2);
}

static void equals_are_taken_by_weight(void **state)
{
    struct group g;
    int count[N];

    (void)state;
    init(&g, KM_STRATEGY_COST);
    for (size_t i = 0; i < N; i++)
        g.v[i].facts.cost = i < 2 ? 10 : 20;
    g.v[0].weight = 3;
    count_picks(&g, count);
    assert_in_range(count[0], PICKS * 72 / 100, PICKS * 78 / 100);
    assert_int_equal(count[2], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_busy_is_the_one_with_the_fewest_calls_out),
        cmocka_unit_test(a_load_is_spread_evenly),
        cmocka_unit_test(usage_goes_to_the_fewest_tokens_of_this_minute),
        cmocka_unit_test(one_at_its_limit_is_not_asked),
        cmocka_unit_test(the_fastest_by_token_is_taken_and_who_is_nearly_as_fast),
        cmocka_unit_test(who_is_not_known_is_tried_and_who_is_too_slow_is_not),
        cmocka_unit_test(streams_are_judged_by_their_first_byte),
        cmocka_unit_test(the_cheapest_token_is_taken_and_who_has_no_price_last),
        cmocka_unit_test(equals_are_taken_by_weight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
