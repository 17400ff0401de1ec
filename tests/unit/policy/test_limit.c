/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/limit.h"

static const struct km_limit_need none;

static enum km_limit_kind take(struct km_limit_state *s, const struct km_limits *l, uint64_t now_ms)
{
    return km_limit_take(s, l, &none, now_ms);
}

/* A call that held nothing ends. */
static void end(struct km_limit_state *s, int64_t tokens, uint64_t now_ms)
{
    km_limit_release(s);
    km_limit_give(s, 0);
    km_limit_use(s, tokens, 0, now_ms);
}

static void each_limit_refuses_by_its_name(void **state)
{
    struct km_limit_state s = { 0 };
    struct km_limits l = { .rpm = 2, .tpm = -1, .parallel = -1 };

    (void)state;
    assert_int_equal(take(&s, &l, 1000), KM_LIMIT_NONE);
    assert_int_equal(take(&s, &l, 1000), KM_LIMIT_NONE);
    assert_int_equal(take(&s, &l, 1000), KM_LIMIT_REQUESTS);
    l.parallel = 2;
    assert_int_equal(take(&s, &l, 1000), KM_LIMIT_PARALLEL);
    end(&s, 10, 1000);
    l = (struct km_limits){ .rpm = -1, .tpm = 10, .parallel = -1 };
    assert_int_equal(take(&s, &l, 1000), KM_LIMIT_TOKENS);
    assert_string_equal(km_limit_kind_name(KM_LIMIT_TOKENS), "tokens");
    assert_string_equal(km_limit_kind_name(KM_LIMIT_REQUESTS), "requests");
    assert_string_equal(km_limit_kind_name(KM_LIMIT_PARALLEL), "max_parallel_requests");
}

static void a_refused_call_burns_nothing(void **state)
{
    struct km_limit_state s = { 0 };
    const struct km_limits l = { .rpm = 100, .tpm = -1, .parallel = 1 };

    (void)state;
    assert_int_equal(take(&s, &l, 1), KM_LIMIT_NONE);
    for (int i = 0; i < 50; i++)
        assert_int_equal(take(&s, &l, 1), KM_LIMIT_PARALLEL);
    assert_int_equal(s.requests, 1);
    assert_int_equal(s.running, 1);
}

static void a_window_is_sixty_seconds_from_its_first_request(void **state)
{
    struct km_limit_state s = { 0 };
    const struct km_limits l = { .rpm = 1, .tpm = -1, .parallel = -1 };

    (void)state;
    assert_int_equal(km_limit_reset_ms(&s, 5), 0);
    assert_int_equal(take(&s, &l, 5000), KM_LIMIT_NONE);
    assert_int_equal(km_limit_reset_ms(&s, 15000), 50000);
    assert_int_equal(take(&s, &l, 64999), KM_LIMIT_REQUESTS);
    assert_int_equal(take(&s, &l, 65000), KM_LIMIT_NONE);
    assert_int_equal(take(&s, &l, 65001), KM_LIMIT_REQUESTS);
}

static void tokens_of_a_long_call_count_in_the_window_it_ends_in(void **state)
{
    struct km_limit_state s = { 0 };
    const struct km_limits l = { .rpm = -1, .tpm = 100, .parallel = -1 };

    (void)state;
    assert_int_equal(take(&s, &l, 1000), KM_LIMIT_NONE);
    end(&s, 100, 200000);
    assert_int_equal(take(&s, &l, 200001), KM_LIMIT_TOKENS);
    assert_int_equal(take(&s, &l, 260000), KM_LIMIT_NONE);
    end(&s, INT64_MAX, 260000);
    end(&s, INT64_MAX, 260000);
    assert_int_equal(s.tokens, INT64_MAX);
    assert_int_equal(s.running, 0);
}

static void what_runs_has_its_tokens_reserved(void **state)
{
    struct km_limit_state s = { 0 };
    const struct km_limits l = { .rpm = -1, .tpm = 100, .parallel = -1 };
    const struct km_limit_need need = { .input = 10, .output = 20 };

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(km_limit_take(&s, &l, &need, 1000), KM_LIMIT_NONE);
    assert_int_equal(km_limit_tokens(&s), 90);
    for (int i = 0; i < 10; i++)
        assert_int_equal(km_limit_within(&s, &l, &need, 1000), KM_LIMIT_TOKENS);
    assert_int_equal(s.requests, 3);
    assert_int_equal(s.holders, 3);
    /* One used less than it held. */
    km_limit_release(&s);
    km_limit_give(&s, 30);
    km_limit_use(&s, 5, 3, 1000);
    assert_int_equal(km_limit_tokens(&s), 65);
    assert_int_equal(km_limit_within(&s, &l, &need, 1000), KM_LIMIT_NONE);
    assert_int_equal(s.running, 2);
    assert_int_equal(km_limit_tokens(&s), 95);
}

static void a_call_alone_is_admitted_if_its_input_fits(void **state)
{
    struct km_limit_state s = { 0 };
    const struct km_limits l = { .rpm = -1, .tpm = 100, .parallel = -1 };
    const struct km_limits nothing = { .rpm = -1, .tpm = 0, .parallel = -1 };
    const struct km_limit_need wide = { .input = 100, .output = 5000 }, too = { .input = 101 };
    const struct km_limit_need small = { .input = 1 };

    (void)state;
    assert_int_equal(km_limit_take(&s, &l, &too, 1000), KM_LIMIT_TOKENS);
    assert_int_equal(km_limit_take(&s, &nothing, &none, 1000), KM_LIMIT_TOKENS);
    assert_int_equal(km_limit_take(&s, &l, &wide, 1000), KM_LIMIT_NONE);
    assert_int_equal(km_limit_take(&s, &l, &small, 1000), KM_LIMIT_TOKENS);
    km_limit_release(&s);
    km_limit_give(&s, 5100);
    km_limit_use(&s, 1, 0, 1000);
    assert_int_equal(km_limit_take(&s, &l, &wide, 1001), KM_LIMIT_TOKENS); /* not alone */
    assert_int_equal(km_limit_take(&s, &l, &small, 1001), KM_LIMIT_NONE);
}

static void what_is_held_outlasts_its_window(void **state)
{
    struct km_limit_state s = { 0 };
    const struct km_limits l = { .rpm = -1, .tpm = 100, .parallel = -1 };
    const struct km_limit_need need = { .input = 10, .output = 50 };

    (void)state;
    assert_int_equal(km_limit_take(&s, &l, &need, 1000), KM_LIMIT_NONE);
    km_limit_use(&s, 40, 0, 1000);
    assert_int_equal(km_limit_take(&s, &l, &need, 1000), KM_LIMIT_TOKENS);
    assert_int_equal(km_limit_take(&s, &l, &need, 70000), KM_LIMIT_TOKENS);
    assert_int_equal(s.tokens, 40); /* a refusal begins no window */
    km_limit_release(&s);
    km_limit_give(&s, 60);
    km_limit_use(&s, 60, 50, 70000);
    assert_int_equal(km_limit_tokens(&s), 60);
}

/* What it holds for a request is its own for the next one too. */
static void what_goes_on_running_asks_with_what_it_holds(void **state)
{
    struct km_limit_state s = { 0 };
    const struct km_limits l = { .rpm = 4, .tpm = 100, .parallel = -1 };
    const struct km_limit_need need = { .input = 10, .output = 50 };

    (void)state;
    assert_int_equal(km_limit_take(&s, &l, &need, 1000), KM_LIMIT_NONE);
    assert_int_equal(km_limit_again(&s, &l, 60, 1000), KM_LIMIT_NONE);
    km_limit_use(&s, 40, 0, 1000);
    assert_int_equal(km_limit_again(&s, &l, 60, 1000), KM_LIMIT_NONE);
    km_limit_use(&s, 1, 0, 1000);
    assert_int_equal(km_limit_again(&s, &l, 60, 1000), KM_LIMIT_TOKENS);
    assert_int_equal(km_limit_again(&s, &l, 60, 61000), KM_LIMIT_NONE);
    assert_int_equal(s.running, 1);
    assert_int_equal(s.reserved, 60);
}

static void of_an_answer_counts_what_nine_of_ten_have(void **state)
{
    struct km_limit_state s = { 0 };

    (void)state;
    assert_int_equal(km_limit_need(&s, 7, -1).output, KM_LIMIT_OUTPUT_UNKNOWN);
    assert_int_equal(km_limit_need(&s, 7, 100000).output, KM_LIMIT_OUTPUT_UNKNOWN);
    assert_int_equal(km_limit_need(&s, 7, 16).output, 16);
    assert_int_equal(km_limit_need(&s, 7, 0).output, 0);
    assert_int_equal(km_limit_need(&s, -7, 0).input, 0);
    for (int i = 0; i < 2000; i++)
        km_limit_use(&s, 1100, 1 + i * 37 % 1000, 1000);
    assert_in_range(km_limit_need(&s, 7, 100000).output, 800, 1000);
    assert_int_equal(km_limit_need(&s, 7, 300).output, 300);
    km_limit_use(&s, 10, INT64_MAX, 1000); /* no more is written than used */
    assert_in_range(km_limit_need(&s, 7, 100000).output, 800, 1000);
}

/* --- any order of takes and settlements --- */

#define CALLS 64

static uint64_t next(uint64_t *rng)
{
    *rng = *rng * 6364136223846793005u + 1442695040888963407u;
    return *rng >> 33;
}

/* Who uses no more than was reserved passes no limit, but for one call that was alone. */
static void a_limit_is_passed_by_one_call_at_most(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        const struct km_limits l = { .rpm = -1, .tpm = 1000, .parallel = -1 };
        struct km_limit_state s = { 0 };
        int64_t held[CALLS] = { 0 }, most = 0;
        uint64_t rng = seed, now = 1000;

        for (int i = 0; i < 3000; i++) {
            const size_t at = next(&rng) % CALLS;
            const struct km_limit_need need = { (int64_t)(next(&rng) % 300),
                                                (int64_t)(next(&rng) % (seed % 2 ? 100 : 2000)) };

            now += next(&rng) % 2000;
            if (held[at]) {
                const int64_t used = (int64_t)(next(&rng) % (uint64_t)held[at]);

                km_limit_release(&s);
                km_limit_give(&s, held[at] - 1);
                km_limit_use(&s, used, used / 2, now);
                held[at] = 0;
            } else if (km_limit_take(&s, &l, &need, now) == KM_LIMIT_NONE) {
                held[at] = km_limit_need_sum(&need) + 1;
                most = held[at] > most ? held[at] : most;
                /* Past the limit it is alone. */
                if (km_limit_tokens(&s) > l.tpm)
                    assert_int_equal(km_limit_tokens(&s), held[at] - 1);
            }
            assert_true(km_limit_tokens(&s) <= (most > l.tpm ? most : l.tpm));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit_refuses_by_its_name),
        cmocka_unit_test(a_refused_call_burns_nothing),
        cmocka_unit_test(a_window_is_sixty_seconds_from_its_first_request),
        cmocka_unit_test(tokens_of_a_long_call_count_in_the_window_it_ends_in),
        cmocka_unit_test(what_runs_has_its_tokens_reserved),
        cmocka_unit_test(a_call_alone_is_admitted_if_its_input_fits),
        cmocka_unit_test(what_is_held_outlasts_its_window),
        cmocka_unit_test(what_goes_on_running_asks_with_what_it_holds),
        cmocka_unit_test(of_an_answer_counts_what_nine_of_ten_have),
        cmocka_unit_test(a_limit_is_passed_by_one_call_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
