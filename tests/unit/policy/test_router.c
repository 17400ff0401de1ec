/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/router.h"

#define N 3

struct group {
    struct km_breaker breakers[N];
    struct km_candidate v[N];
};

static void init(struct group *g)
{
    *g = (struct group){ 0 };
    for (size_t i = 0; i < N; i++)
        g->v[i] = (struct km_candidate){ .weight = 1, .breaker = &g->breakers[i] };
}

static size_t pick(struct group *g, struct km_route_state *s, uint64_t now_ms)
{
    const struct km_candidate *c = km_route_pick(s, g->v, N, now_ms);

    return c ? (size_t)(c - g->v) : N;
}

static void open_breaker(struct group *g, size_t i, uint64_t now_ms)
{
    for (int k = 0; k < KM_BREAKER_FAILURES; k++)
        (void)km_route_report(&g->v[i], &(struct km_report){ .outcome = KM_OUTCOME_FAILED },
                              now_ms);
}

static void weights_decide_how_often(void **state)
{
    struct group g;
    struct km_route_state s = { .rng = 42 };
    int count[N] = { 0 };

    (void)state;
    init(&g);
    g.v[0].weight = 8;
    g.v[1].weight = 1;
    g.v[2].weight = 1;
    for (int i = 0; i < 10000; i++) {
        s.ntried = 0;
        count[pick(&g, &s, 1)]++;
    }
    assert_in_range(count[0], 7700, 8300);
    assert_in_range(count[1], 800, 1200);
    assert_in_range(count[2], 800, 1200);
}

static void the_lowest_order_goes_first_and_an_attempt_is_never_repeated(void **state)
{
    struct group g;

    (void)state;
    init(&g);
    g.v[0].order = 2;
    g.v[1].order = 1;
    g.v[2].order = 2;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct km_route_state s = { .rng = seed };
        size_t second;

        assert_int_equal(pick(&g, &s, 1), 1);
        second = pick(&g, &s, 1);
        assert_true(second == 0 || second == 2);
        assert_int_equal(pick(&g, &s, 1), second == 0 ? 2 : 0);
        assert_int_equal(pick(&g, &s, 1), N);
    }
}

static void one_without_a_weight_serves_where_no_other_can(void **state)
{
    struct group g;

    (void)state;
    init(&g);
    g.v[1].weight = g.v[2].weight = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct km_route_state s = { .rng = seed };
        size_t second;

        assert_int_equal(pick(&g, &s, 1), 0);
        second = pick(&g, &s, 1);
        assert_in_range(second, 1, 2);
        assert_int_equal(pick(&g, &s, 1), 3 - second);
    }
}

static void those_of_a_higher_order_have_attempts_of_their_own(void **state)
{
    struct km_route_state s = { .rng = 1 };
    struct group g;

    (void)state;
    init(&g);
    g.v[0].order = 2;
    g.v[1].order = g.v[2].order = 1;
    assert_false(km_route_next_order(&s, g.v, N)); /* none was asked yet */
    assert_in_range(pick(&g, &s, 1), 1, 2);
    assert_true(km_route_next_order(&s, g.v, N));
    assert_int_equal(s.attempts, 0);
    assert_int_equal(pick(&g, &s, 1), 0);
    assert_int_equal(pick(&g, &s, 1), N);
    assert_false(km_route_next_order(&s, g.v, N));
    km_route_again(&s);
    assert_int_equal(pick(&g, &s, 1), 0); /* the others had their turn */
}

static void an_open_breaker_is_passed_over_until_nothing_else_is_left(void **state)
{
    struct group g;

    (void)state;
    init(&g);
    open_breaker(&g, 0, 1);
    open_breaker(&g, 1, 1);
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct km_route_state s = { .rng = seed };

        assert_int_equal(pick(&g, &s, 2), 2);
        assert_in_range(pick(&g, &s, 2), 0, 1);
    }
}

static void one_probe_goes_to_a_half_open_one(void **state)
{
    struct group g;
    const uint64_t later = 1 + KM_BREAKER_OPEN_MS;
    int probes = 0;

    (void)state;
    init(&g);
    open_breaker(&g, 0, 1);
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct km_route_state s = { .rng = seed };

        probes += pick(&g, &s, later) == 0;
    }
    assert_int_equal(probes, 1);
    (void)km_route_report(&g.v[0], &(struct km_report){ .outcome = KM_OUTCOME_OK }, later);
    assert_int_equal(km_breaker_state(&g.breakers[0], later), KM_BREAKER_CLOSED);
}

static void what_the_caller_did_is_not_held_against_the_upstream(void **state)
{
    struct group g;

    (void)state;
    init(&g);
    for (int i = 0; i < 100; i++)
        (void)km_route_report(&g.v[0], &(struct km_report){ .outcome = KM_OUTCOME_CALLER }, 1);
    assert_int_equal(km_breaker_state(&g.breakers[0], 1), KM_BREAKER_CLOSED);
    open_breaker(&g, 0, 1);
    (void)km_route_report(&g.v[0], &(struct km_report){ .outcome = KM_OUTCOME_CALLER }, 2);
    assert_int_equal(km_breaker_state(&g.breakers[0], 2), KM_BREAKER_OPEN);
}

static void a_round_begins_when_all_were_tried(void **state)
{
    struct group g;
    struct km_route_state s = { .rng = 3 };

    (void)state;
    init(&g);
    for (size_t i = 0; i < N; i++) {
        assert_true(km_route_has_other(&s, g.v, N, 1));
        assert_true(pick(&g, &s, 1) < N);
    }
    assert_false(km_route_has_other(&s, g.v, N, 1));
    assert_int_equal(pick(&g, &s, 1), N);
    km_route_again(&s);
    assert_true(pick(&g, &s, 1) < N);
    assert_int_equal(s.attempts, N + 1);
}

static void one_that_rests_is_no_other(void **state)
{
    struct group g;
    struct km_route_state s = { .rng = 3 };

    (void)state;
    init(&g);
    open_breaker(&g, 0, 1);
    open_breaker(&g, 1, 1);
    assert_int_equal(pick(&g, &s, 2), 2);
    assert_false(km_route_has_other(&s, g.v, N, 2));
    assert_true(km_route_has_other(&s, g.v, N, 2 + KM_BREAKER_OPEN_MS));
}

static void one_that_is_full_is_left_to_its_rest(void **state)
{
    struct group g;

    (void)state;
    init(&g);
    for (int i = 0; i < 100; i++)
        assert_false(km_route_report(
            &g.v[0], &(struct km_report){ .outcome = KM_OUTCOME_RATE_LIMITED, .rest_ms = 2000 },
            1));
    assert_int_equal(km_breaker_state(&g.breakers[0], 1), KM_BREAKER_CLOSED);
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct km_route_state s = { .rng = seed };

        assert_true(pick(&g, &s, 2000) != 0);
        assert_true(pick(&g, &s, 2000) != 0);
        assert_int_equal(pick(&g, &s, 2000), 0); /* nothing else is left */
    }
}

static void one_that_comes_back_gets_its_share_by_and_by(void **state)
{
    static const struct km_breaker_settings ramps = { .failures = 1, .open_ms = 1, .ramps = true };
    struct group g;
    struct km_route_state s = { .rng = 42 };
    int count[N] = { 0 };

    (void)state;
    init(&g);
    g.v[0].settings = &ramps;
    (void)km_route_report(&g.v[0], &(struct km_report){ .outcome = KM_OUTCOME_FAILED }, 1);
    (void)km_route_report(&g.v[0], &(struct km_report){ .outcome = KM_OUTCOME_OK }, 10);
    for (int i = 0; i < 21000; i++) {
        s.ntried = 0;
        count[pick(&g, &s, 10)]++;
    }
    assert_in_range(count[0], 900, 1100); /* a tenth of the 10,000 that each of the others gets */
    s.ntried = 2;
    s.tried[0] = &g.v[1];
    s.tried[1] = &g.v[2];
    assert_int_equal(pick(&g, &s, 10), 0); /* whoever is alone gets all */
}

static void a_strict_call_goes_to_none_that_is_open(void **state)
{
    struct group g;
    struct km_route_state s = { .rng = 1, .strict = true };

    (void)state;
    init(&g);
    for (size_t i = 0; i < N; i++)
        open_breaker(&g, i, 1);
    assert_int_equal(pick(&g, &s, 2), N);
    s.strict = false;
    assert_true(pick(&g, &s, 2) < N);
}

static void no_candidates_is_no_pick(void **state)
{
    struct km_route_state s = { .rng = 1 };

    (void)state;
    assert_null(km_route_pick(&s, NULL, 0, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_decide_how_often),
        cmocka_unit_test(the_lowest_order_goes_first_and_an_attempt_is_never_repeated),
        cmocka_unit_test(one_without_a_weight_serves_where_no_other_can),
        cmocka_unit_test(those_of_a_higher_order_have_attempts_of_their_own),
        cmocka_unit_test(an_open_breaker_is_passed_over_until_nothing_else_is_left),
        cmocka_unit_test(one_probe_goes_to_a_half_open_one),
        cmocka_unit_test(what_the_caller_did_is_not_held_against_the_upstream),
        cmocka_unit_test(a_round_begins_when_all_were_tried),
        cmocka_unit_test(one_that_rests_is_no_other),
        cmocka_unit_test(one_that_is_full_is_left_to_its_rest),
        cmocka_unit_test(one_that_comes_back_gets_its_share_by_and_by),
        cmocka_unit_test(a_strict_call_goes_to_none_that_is_open),
        cmocka_unit_test(no_candidates_is_no_pick),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
