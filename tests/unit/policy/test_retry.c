/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/retry.h"

static struct km_retry_facts passing(void)
{
    return (struct km_retry_facts){ .failure = KM_FAILURE_UNAVAILABLE,
                                    .passing = true,
                                    .elsewhere = true,
                                    .most = 2,
                                    .left_ms = 600000 };
}

static enum km_retry judge(const struct km_retry_facts *f, uint64_t *ret_wait_ms)
{
    uint64_t rng = 7;

    *ret_wait_ms = 0;
    return km_retry_judge(f, &rng, ret_wait_ms);
}

static void another_deployment_is_tried_at_once(void **state)
{
    struct km_retry_facts f = passing();
    uint64_t wait;

    (void)state;
    f.others = true;
    f.asked_ms = 5000; /* of the one that failed */
    assert_int_equal(judge(&f, &wait), KM_RETRY_NOW);
    assert_int_equal(wait, 0);
}

static void one_that_is_left_alone_is_asked_where_no_other_model_is(void **state)
{
    struct km_retry_facts f = passing();
    uint64_t wait;

    (void)state;
    f.failure = KM_FAILURE_TIMEOUT;
    f.passing = false;
    f.left_alone = true;
    assert_int_equal(judge(&f, &wait), KM_RETRY_NOW);
    f.instead = true;
    assert_int_equal(judge(&f, &wait), KM_RETRY_NO);
}

static void the_only_deployment_is_tried_after_a_wait_if_it_may_pass(void **state)
{
    struct km_retry_facts f = passing();
    uint64_t wait;

    (void)state;
    assert_int_equal(judge(&f, &wait), KM_RETRY_LATER);
    assert_in_range(wait, 0, KM_RETRY_FIRST_MS);
    f.passing = false; /* its credentials are wrong: they are so in a second, too */
    assert_int_equal(judge(&f, &wait), KM_RETRY_NO);
}

static void no_more_than_are_allowed(void **state)
{
    struct km_retry_facts f = passing();
    uint64_t wait;

    (void)state;
    f.done = 2;
    assert_int_equal(judge(&f, &wait), KM_RETRY_NO);
    f.others = true;
    assert_int_equal(judge(&f, &wait), KM_RETRY_NO);
    f.done = 0;
    f.most = 0;
    assert_int_equal(judge(&f, &wait), KM_RETRY_NO);
    f.policy =
        &(struct km_failure_counts){ .of = { -1, -1, -1, 1, -1, -1, -1, -1, -1 }, .rest = -1 };
    assert_int_equal(judge(&f, &wait), KM_RETRY_NO); /* of another failure */
    f.failure = KM_FAILURE_RATE_LIMIT;
    assert_int_equal(judge(&f, &wait), KM_RETRY_NOW); /* a policy's word counts, not the number */
}

static void what_is_the_callers_fault_is_not_tried_again(void **state)
{
    struct km_retry_facts f = passing();
    uint64_t wait;

    (void)state;
    f.failure = KM_FAILURE_BAD_REQUEST;
    f.passing = f.elsewhere = false;
    f.others = true;
    assert_int_equal(judge(&f, &wait), KM_RETRY_NO);
}

static void the_wait_is_never_shorter_than_what_was_asked_for(void **state)
{
    struct km_retry_facts f = passing();
    uint64_t wait;

    (void)state;
    f.asked_ms = 20000;
    assert_int_equal(judge(&f, &wait), KM_RETRY_LATER);
    assert_int_equal(wait, 20000);
    f.asked_ms = 0;
    f.least_ms = 3000;
    assert_int_equal(judge(&f, &wait), KM_RETRY_LATER);
    assert_int_equal(wait, 3000);
}

static void an_upstream_that_asks_for_too_long_is_not_waited_for(void **state)
{
    struct km_retry_facts f = passing();
    uint64_t wait;

    (void)state;
    f.asked_ms = KM_RETRY_AFTER_MOST_MS + 1;
    assert_int_equal(judge(&f, &wait), KM_RETRY_NO);
    f.asked_ms = 30000;
    f.left_ms = 30000; /* and then there would be no time for the attempt */
    assert_int_equal(judge(&f, &wait), KM_RETRY_NO);
}

static void waits_are_drawn_from_bounds_that_double(void **state)
{
    struct km_retry_facts f = passing();
    uint64_t rng = 1, wait, longest;

    (void)state;
    f.most = 10;
    for (f.done = 0; f.done < 8; f.done++) {
        const uint64_t bound = KM_RETRY_FIRST_MS << f.done < KM_RETRY_LONGEST_MS
                                   ? (uint64_t)KM_RETRY_FIRST_MS << f.done
                                   : KM_RETRY_LONGEST_MS;

        longest = 0;
        for (int i = 0; i < 1000; i++) {
            assert_int_equal(km_retry_judge(&f, &rng, &wait), KM_RETRY_LATER);
            assert_in_range(wait, 0, bound);
            longest = wait > longest ? wait : longest;
        }
        assert_in_range(longest, bound * 9 / 10, bound);
    }
}

static void a_policy_counts_by_what_the_attempt_failed_of(void **state)
{
    struct km_failure_counts policy = KM_FAILURE_COUNTS_NONE;
    struct km_retry_facts f = passing();
    uint64_t wait;

    (void)state;
    f.policy = &policy;
    assert_int_equal(judge(&f, &wait), KM_RETRY_LATER); /* it says nothing */
    policy.of[KM_FAILURE_UNAVAILABLE] = 0;
    assert_int_equal(judge(&f, &wait), KM_RETRY_NO);
    policy.of[KM_FAILURE_UNAVAILABLE] = 5;
    f.done = 4;
    assert_int_equal(judge(&f, &wait), KM_RETRY_LATER);
    f.failure = KM_FAILURE_SERVER;
    assert_int_equal(judge(&f, &wait), KM_RETRY_NO);
    policy.rest = 9;
    assert_int_equal(judge(&f, &wait), KM_RETRY_LATER);
}

static void a_policy_has_tried_again_what_would_not_be(void **state)
{
    struct km_failure_counts policy = KM_FAILURE_COUNTS_NONE;
    struct km_retry_facts f = passing();
    uint64_t wait;

    (void)state;
    f.policy = &policy;
    f.failure = KM_FAILURE_CONTENT_POLICY;
    f.passing = f.elsewhere = false;
    policy.of[KM_FAILURE_BAD_REQUEST] = 1; /* LiteLLM: such a refusal is a bad request */
    assert_int_equal(judge(&f, &wait), KM_RETRY_LATER);
    policy.of[KM_FAILURE_CONTENT_POLICY] = 0;
    assert_int_equal(judge(&f, &wait), KM_RETRY_NO);
}

static void statuses_have_kinds(void **state)
{
    static const struct {
        int status;
        enum km_failure kind;
    } rows[] = {
        { 400, KM_FAILURE_BAD_REQUEST }, { 401, KM_FAILURE_AUTHENTICATION },
        { 404, KM_FAILURE_NOT_FOUND },   { 408, KM_FAILURE_TIMEOUT },
        { 422, KM_FAILURE_BAD_REQUEST }, { 429, KM_FAILURE_RATE_LIMIT },
        { 500, KM_FAILURE_SERVER },      { 502, KM_FAILURE_BAD_GATEWAY },
        { 503, KM_FAILURE_UNAVAILABLE }, { 504, KM_FAILURE_SERVER },
        { 529, KM_FAILURE_UNAVAILABLE }, { 402, KM_FAILURE_OTHER },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(km_failure_of_status(rows[i].status), rows[i].kind);
    for (int kind = 0; kind < KM_FAILURES; kind++)
        assert_non_null(km_failure_word((enum km_failure)kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_deployment_is_tried_at_once),
        cmocka_unit_test(one_that_is_left_alone_is_asked_where_no_other_model_is),
        cmocka_unit_test(the_only_deployment_is_tried_after_a_wait_if_it_may_pass),
        cmocka_unit_test(no_more_than_are_allowed),
        cmocka_unit_test(what_is_the_callers_fault_is_not_tried_again),
        cmocka_unit_test(the_wait_is_never_shorter_than_what_was_asked_for),
        cmocka_unit_test(an_upstream_that_asks_for_too_long_is_not_waited_for),
        cmocka_unit_test(waits_are_drawn_from_bounds_that_double),
        cmocka_unit_test(a_policy_counts_by_what_the_attempt_failed_of),
        cmocka_unit_test(a_policy_has_tried_again_what_would_not_be),
        cmocka_unit_test(statuses_have_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
