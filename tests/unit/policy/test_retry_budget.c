/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "policy/retry_budget.h"

#define SECOND 1000
#define THREADS 4
#define EACH 20000

static void a_quiet_upstream_may_be_asked_ten_times_again(void **state)
{
    struct km_retry_budget b = { 0 };

    (void)state;
    for (int i = 0; i < KM_RETRY_BUDGET_LEAST; i++)
        assert_true(km_retry_budget_take(&b, 5 * SECOND));
    assert_false(km_retry_budget_take(&b, 5 * SECOND));
}

static void a_fifth_of_what_is_sent_may_be_repeated(void **state)
{
    struct km_retry_budget b = { 0 };
    int taken = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        km_retry_budget_count(&b, (uint64_t)(100 * SECOND + i * 5));
    while (km_retry_budget_take(&b, 105 * SECOND))
        taken++;
    assert_int_equal(taken, 200);
}

static void what_was_ten_seconds_ago_counts_no_more(void **state)
{
    struct km_retry_budget b = { 0 };

    (void)state;
    for (int i = 0; i < KM_RETRY_BUDGET_LEAST; i++)
        assert_true(km_retry_budget_take(&b, 50 * SECOND));
    assert_false(km_retry_budget_take(&b, 59 * SECOND + 999));
    assert_true(km_retry_budget_take(&b, 60 * SECOND));
}

/* Seconds are known by their last 24 bits: half a year apart they are still told apart. */
static void a_long_silence_is_no_load(void **state)
{
    struct km_retry_budget b = { 0 };

    (void)state;
    for (int i = 0; i < KM_RETRY_BUDGET_LEAST; i++)
        assert_true(km_retry_budget_take(&b, SECOND));
    assert_true(km_retry_budget_take(&b, (uint64_t)10000001 * SECOND));
}

static void a_storm_does_not_overflow_into_its_neighbour(void **state)
{
    struct km_retry_budget b = { 0 };
    int taken = 0;

    (void)state;
    for (int i = 0; i < 3000000; i++)
        km_retry_budget_count(&b, 7 * SECOND);
    for (int i = 0; i < 3000000; i++)
        taken += km_retry_budget_take(&b, 7 * SECOND);
    assert_in_range(taken, 100000, 110000); /* a fifth of the half million that are counted */
}

struct share {
    struct km_retry_budget *b;
    int taken;
};

static void *ask(void *arg)
{
    struct share *s = arg;

    for (int i = 0; i < EACH; i++) {
        km_retry_budget_count(s->b, 3 * SECOND);
        s->taken += km_retry_budget_take(s->b, 3 * SECOND);
    }
    return NULL;
}

static void workers_share_it(void **state)
{
    struct km_retry_budget b = { 0 };
    struct share shares[THREADS];
    pthread_t threads[THREADS];
    int taken = 0;

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        shares[i] = (struct share){ .b = &b };
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &shares[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        taken += shares[i].taken;
    }
    assert_in_range(taken, 1, THREADS * EACH / 5 + THREADS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_upstream_may_be_asked_ten_times_again),
        cmocka_unit_test(a_fifth_of_what_is_sent_may_be_repeated),
        cmocka_unit_test(what_was_ten_seconds_ago_counts_no_more),
        cmocka_unit_test(a_long_silence_is_no_load),
        cmocka_unit_test(a_storm_does_not_overflow_into_its_neighbour),
        cmocka_unit_test(workers_share_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
