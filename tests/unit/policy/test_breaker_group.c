/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/router.h"

#define N 4 /* three at one provider, the last elsewhere */
#define ELSEWHERE 3

static const struct km_breaker_settings settings = {
    .failures = 2, .open_ms = 30000, .deployments = 2, .ramps = true
};

struct place {
    struct km_breaker breakers[N];
    struct km_breaker_group group;
    struct km_candidate v[N];
};

static void init(struct place *p)
{
    *p = (struct place){ .v = { { 0 } } };
    km_breaker_group_init(&p->group, &settings);
    for (unsigned i = 0; i < N; i++)
        p->v[i] = (struct km_candidate){ .weight = 1,
                                         .breaker = &p->breakers[i],
                                         .settings = &settings,
                                         .group = i == ELSEWHERE ? NULL : &p->group,
                                         .place = i };
}

static unsigned tell(struct place *p, size_t i, enum km_outcome outcome, enum km_failure failure,
                     uint64_t now)
{
    return km_route_report(&p->v[i], &(struct km_report){ .outcome = outcome, .failure = failure },
                           now);
}

static unsigned take_down(struct place *p, size_t i, enum km_failure failure, uint64_t now)
{
    (void)tell(p, i, KM_OUTCOME_FAILED, failure, now);
    return tell(p, i, KM_OUTCOME_FAILED, failure, now);
}

static size_t pick(struct place *p, uint64_t seed, uint64_t now)
{
    struct km_route_state s = { .rng = seed };
    const struct km_candidate *c = km_route_pick(&s, p->v, N, now);

    return c ? (size_t)(c - p->v) : N;
}

static int picked(struct place *p, size_t i, uint64_t now)
{
    int n = 0;

    for (uint64_t seed = 0; seed < 1000; seed++)
        n += pick(p, seed, now) == i;
    return n;
}

static void two_that_fail_have_the_third_left_alone(void **state)
{
    struct place p;

    (void)state;
    init(&p);
    assert_int_equal(take_down(&p, 0, KM_FAILURE_SERVER, 10), KM_ROUTE_OPENED);
    assert_true(picked(&p, 2, 11) > 0);
    assert_int_equal(take_down(&p, 1, KM_FAILURE_CONNECTION, 20),
                     KM_ROUTE_OPENED | KM_ROUTE_GROUP_OPENED);
    assert_int_equal(picked(&p, ELSEWHERE, 21), 1000);
}

static void one_that_answers_in_between_clears_the_provider(void **state)
{
    struct place p;

    (void)state;
    init(&p);
    (void)take_down(&p, 0, KM_FAILURE_SERVER, 10);
    assert_int_equal(tell(&p, 2, KM_OUTCOME_OK, 0, 15), 0);
    assert_int_equal(take_down(&p, 1, KM_FAILURE_SERVER, 20), KM_ROUTE_OPENED);
    assert_true(picked(&p, 2, 21) > 0);
}

/* A key that is refused says nothing of the other keys. */
static void what_is_a_deployments_own_is_not_its_providers(void **state)
{
    struct place p;

    (void)state;
    init(&p);
    (void)take_down(&p, 0, KM_FAILURE_AUTHENTICATION, 10);
    assert_int_equal(take_down(&p, 1, KM_FAILURE_AUTHENTICATION, 20), KM_ROUTE_OPENED);
    assert_true(picked(&p, 2, 21) > 0);
    for (int i = 0; i < 100; i++)
        (void)tell(&p, 2, KM_OUTCOME_RATE_LIMITED, KM_FAILURE_RATE_LIMIT, 30);
    assert_int_equal(km_breaker_state(&p.group.breaker, 31), KM_BREAKER_CLOSED);
}

static void one_probe_for_all_and_then_a_ramp(void **state)
{
    const uint64_t later = 20 + 30000;
    struct place p;
    size_t probed = N;
    int probes = 0;

    (void)state;
    init(&p);
    (void)take_down(&p, 0, KM_FAILURE_SERVER, 10);
    (void)take_down(&p, 1, KM_FAILURE_SERVER, 20);
    for (uint64_t seed = 0; seed < 200; seed++) {
        size_t at = pick(&p, seed, later);

        probes += at != ELSEWHERE;
        probed = at != ELSEWHERE ? at : probed;
    }
    assert_int_equal(probes, 1);
    assert_true(tell(&p, probed, KM_OUTCOME_OK, 0, later) & KM_ROUTE_GROUP_CLOSED);
    /* A tenth of its share each for those that never failed; two of them are left beside it. */
    assert_in_range(picked(&p, ELSEWHERE, later + 1), 700, 1000);
    assert_in_range(picked(&p, ELSEWHERE, later + 4 * KM_BREAKER_STEP_MS), 200, 400);
}

static void a_probe_that_fails_opens_it_again(void **state)
{
    const uint64_t later = 20 + 30000;
    struct place p;
    size_t at = ELSEWHERE;

    (void)state;
    init(&p);
    (void)take_down(&p, 0, KM_FAILURE_SERVER, 10);
    (void)take_down(&p, 1, KM_FAILURE_SERVER, 20);
    for (uint64_t seed = 0; at == ELSEWHERE; seed++)
        at = pick(&p, seed, later);
    assert_true(tell(&p, at, KM_OUTCOME_FAILED, KM_FAILURE_TIMEOUT, later) & KM_ROUTE_GROUP_OPENED);
    assert_int_equal(picked(&p, ELSEWHERE, later + 1), 1000);
    assert_int_equal(km_breaker_left_ms(&p.group.breaker, later), 30000);
}

/* Overtaken: nobody knows how it is, and the next may test it. */
static void a_probe_that_is_not_heard_is_given_back(void **state)
{
    const uint64_t later = 20 + 30000;
    struct place p;
    size_t at = ELSEWHERE;

    (void)state;
    init(&p);
    (void)take_down(&p, 0, KM_FAILURE_SERVER, 10);
    (void)take_down(&p, 1, KM_FAILURE_SERVER, 20);
    for (uint64_t seed = 0; at == ELSEWHERE; seed++)
        at = pick(&p, seed, later);
    assert_int_equal(picked(&p, ELSEWHERE, later + 1), 1000);
    assert_int_equal(tell(&p, at, KM_OUTCOME_OVERTAKEN, 0, later + 2), 0);
    assert_true(picked(&p, ELSEWHERE, later + 3) < 1000);
}

/* An answer that is unlikely is better than a certain refusal. */
static void where_nothing_else_is_it_is_asked(void **state)
{
    struct place p;
    struct km_route_state s = { .rng = 1 };

    (void)state;
    init(&p);
    (void)take_down(&p, 0, KM_FAILURE_SERVER, 10);
    (void)take_down(&p, 1, KM_FAILURE_SERVER, 20);
    assert_non_null(km_route_pick(&s, p.v, 3, 21));
    s = (struct km_route_state){ .rng = 1, .strict = true };
    assert_null(km_route_pick(&s, p.v, 3, 21));
}

static void none_is_where_the_number_is_zero(void **state)
{
    struct km_breaker_settings off = settings;
    struct place p;

    (void)state;
    init(&p);
    off.deployments = 0;
    km_breaker_group_init(&p.group, &off);
    (void)take_down(&p, 0, KM_FAILURE_SERVER, 10);
    assert_int_equal(take_down(&p, 1, KM_FAILURE_SERVER, 20), KM_ROUTE_OPENED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_fail_have_the_third_left_alone),
        cmocka_unit_test(one_that_answers_in_between_clears_the_provider),
        cmocka_unit_test(what_is_a_deployments_own_is_not_its_providers),
        cmocka_unit_test(one_probe_for_all_and_then_a_ramp),
        cmocka_unit_test(a_probe_that_fails_opens_it_again),
        cmocka_unit_test(a_probe_that_is_not_heard_is_given_back),
        cmocka_unit_test(where_nothing_else_is_it_is_asked),
        cmocka_unit_test(none_is_where_the_number_is_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
