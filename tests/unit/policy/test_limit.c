/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/limit.h"

static void each_limit_refuses_by_its_name(void **state)
{
    struct km_limit_state s = { 0 };
    struct km_limits l = { .rpm = 2, .tpm = -1, .parallel = -1 };

    (void)state;
    assert_int_equal(km_limit_take(&s, &l, 1000), KM_LIMIT_NONE);
    assert_int_equal(km_limit_take(&s, &l, 1000), KM_LIMIT_NONE);
    assert_int_equal(km_limit_take(&s, &l, 1000), KM_LIMIT_REQUESTS);
    l.parallel = 2;
    assert_int_equal(km_limit_take(&s, &l, 1000), KM_LIMIT_PARALLEL);
    km_limit_release(&s, 10, 1000);
    l = (struct km_limits){ .rpm = -1, .tpm = 10, .parallel = -1 };
    assert_int_equal(km_limit_take(&s, &l, 1000), KM_LIMIT_TOKENS);
    assert_string_equal(km_limit_kind_name(KM_LIMIT_TOKENS), "tokens");
    assert_string_equal(km_limit_kind_name(KM_LIMIT_REQUESTS), "requests");
    assert_string_equal(km_limit_kind_name(KM_LIMIT_PARALLEL), "max_parallel_requests");
}

static void a_refused_call_burns_nothing(void **state)
{
    struct km_limit_state s = { 0 };
    const struct km_limits l = { .rpm = 100, .tpm = -1, .parallel = 1 };

    (void)state;
    assert_int_equal(km_limit_take(&s, &l, 1), KM_LIMIT_NONE);
    for (int i = 0; i < 50; i++)
        assert_int_equal(km_limit_take(&s, &l, 1), KM_LIMIT_PARALLEL);
    assert_int_equal(s.requests, 1);
    assert_int_equal(s.running, 1);
}

static void a_window_is_sixty_seconds_from_its_first_request(void **state)
{
    struct km_limit_state s = { 0 };
    const struct km_limits l = { .rpm = 1, .tpm = -1, .parallel = -1 };

    (void)state;
    assert_int_equal(km_limit_reset_ms(&s, 5), 0);
    assert_int_equal(km_limit_take(&s, &l, 5000), KM_LIMIT_NONE);
    assert_int_equal(km_limit_reset_ms(&s, 15000), 50000);
    assert_int_equal(km_limit_take(&s, &l, 64999), KM_LIMIT_REQUESTS);
    assert_int_equal(km_limit_take(&s, &l, 65000), KM_LIMIT_NONE);
    assert_int_equal(km_limit_take(&s, &l, 65001), KM_LIMIT_REQUESTS);
}

static void tokens_of_a_long_call_count_in_the_window_it_ends_in(void **state)
{
    struct km_limit_state s = { 0 };
    const struct km_limits l = { .rpm = -1, .tpm = 100, .parallel = -1 };

    (void)state;
    assert_int_equal(km_limit_take(&s, &l, 1000), KM_LIMIT_NONE);
    km_limit_release(&s, 100, 200000);
    assert_int_equal(km_limit_take(&s, &l, 200001), KM_LIMIT_TOKENS);
    assert_int_equal(km_limit_take(&s, &l, 260000), KM_LIMIT_NONE);
    km_limit_release(&s, INT64_MAX, 260000);
    km_limit_release(&s, INT64_MAX, 260000);
    assert_int_equal(s.tokens, INT64_MAX);
    assert_int_equal(s.running, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit_refuses_by_its_name),
        cmocka_unit_test(a_refused_call_burns_nothing),
        cmocka_unit_test(a_window_is_sixty_seconds_from_its_first_request),
        cmocka_unit_test(tokens_of_a_long_call_count_in_the_window_it_ends_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
