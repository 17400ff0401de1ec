/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "policy/purse.h"
#include "policy/runs.h"
#include "policy/same_call.h"

static const uint8_t key_a[32] = { 1 }, key_b[32] = { 2 };
static struct km_runs_settings two = { .remember_ms = 1000, .most = 2 };

static struct km_run *enter(struct km_runs *t, const uint8_t *key, const char *name, uint64_t now)
{
    struct km_run *run = NULL;

    assert_int_equal(km_runs_enter(t, key, km_str_c(name), &two, now, &run, NULL), 0);
    return run;
}

/* How many calls it has had; it is idle again behind. */
static int64_t had(struct km_runs *t, const uint8_t *key, const char *name, uint64_t now)
{
    struct km_run *run = enter(t, key, name, now);
    int64_t before;

    assert_true(km_run_may_count(t, run, -1, &before));
    km_runs_leave(t, run, now);
    return before;
}

static void call_once(struct km_runs *t, const uint8_t *key, const char *name, uint64_t now)
{
    struct km_run *run = enter(t, key, name, now);
    int64_t before;

    assert_true(km_run_count(t, run, 10, &before));
    km_runs_leave(t, run, now);
}

static void keys_share_no_run(void **state)
{
    struct km_runs *t = km_runs_new();

    (void)state;
    call_once(t, key_a, "same", 1);
    assert_int_equal(had(t, key_a, "same", 2), 1);
    assert_int_equal(had(t, key_b, "same", 2), 0);
    km_runs_free(t);
}

static void calls_count_up_to_the_limit_and_can_be_taken_back(void **state)
{
    struct km_runs *t = km_runs_new();
    struct km_run *run = enter(t, key_a, "r", 1);
    int64_t before;

    (void)state;
    assert_true(km_run_count(t, run, 2, &before) && before == 0);
    assert_true(km_run_count(t, run, 2, &before) && before == 1);
    assert_false(km_run_count(t, run, 2, &before));
    assert_int_equal(before, 2);
    km_run_uncount(t, run);
    assert_true(km_run_may_count(t, run, 2, &before));
    assert_true(km_run_count(t, run, 2, &before));
    assert_false(km_run_may_count(t, run, 2, &before));
    km_runs_leave(t, run, 1);
    km_runs_free(t);
}

static void a_run_is_forgotten_a_while_after_its_last_call(void **state)
{
    struct km_runs *t = km_runs_new();
    struct km_runs_told told;
    struct km_run *held;

    (void)state;
    call_once(t, key_a, "r", 100);
    assert_int_equal(had(t, key_a, "r", 1099), 1);
    assert_int_equal(had(t, key_a, "r", 2098), 1); /* since it was left then */
    assert_int_equal(had(t, key_a, "r", 3098), 0);
    call_once(t, key_a, "r", 3100);
    held = enter(t, key_a, "r", 3200);
    assert_int_equal(had(t, key_a, "r", 900000), 1); /* one under way is as it was */
    km_runs_tell(t, &told);
    assert_int_equal(told.running, 1);
    assert_int_equal(told.remembered, 1);
    km_runs_leave(t, held, 900000);
    (void)had(t, key_b, "other", 902000);
    km_runs_tell(t, &told);
    assert_int_equal(told.remembered, 1); /* whoever comes next sweeps */
    km_runs_free(t);
}

static void the_oldest_idle_one_makes_room_and_a_held_one_does_not(void **state)
{
    struct km_runs *t = km_runs_new();
    struct km_run *held, *another, *none = NULL;
    struct km_err err;

    (void)state;
    call_once(t, key_a, "first", 1);
    call_once(t, key_a, "second", 2);
    call_once(t, key_a, "first", 3); /* so the second is the oldest */
    call_once(t, key_a, "third", 4);
    assert_int_equal(had(t, key_a, "first", 5), 2);
    assert_int_equal(had(t, key_a, "third", 5), 1);
    held = enter(t, key_a, "first", 6);
    assert_int_equal(had(t, key_a, "fourth", 7), 0);
    assert_int_equal(had(t, key_a, "first", 7), 2);
    another = enter(t, key_a, "fourth", 8);
    assert_int_equal(km_runs_enter(t, key_a, KM_STR("fifth"), &two, 9, &none, &err),
                     KM_E_OVERLOADED);
    assert_null(none);
    km_runs_leave(t, held, 9);
    assert_int_equal(had(t, key_a, "fifth", 10), 0);
    km_runs_leave(t, another, 10);
    km_runs_free(t);
}

static void so_many_calls_alike_in_a_row(void **state)
{
    struct km_runs *t = km_runs_new();
    struct km_run *run = enter(t, key_a, "r", 1);

    (void)state;
    assert_true(km_run_tool(t, run, 7, 2, true));
    assert_true(km_run_tool(t, run, 7, 2, false)); /* only asked */
    assert_true(km_run_tool(t, run, 7, 2, true));
    assert_false(km_run_tool(t, run, 7, 2, true));
    assert_false(km_run_tool(t, run, 7, 2, true));
    assert_true(km_run_tool(t, run, 8, 2, true));
    assert_true(km_run_tool(t, run, 7, 2, true));
    km_run_other_tool(t, run);
    assert_true(km_run_tool(t, run, 7, 2, true));
    assert_true(km_run_tool(t, run, 7, 2, true));
    assert_false(km_run_tool(t, run, 7, 2, true));
    km_runs_leave(t, run, 1);
    km_runs_free(t);
}

static void its_purse_outlives_it_and_takes_its_limit(void **state)
{
    struct km_runs *t = km_runs_new();
    struct km_run *run = enter(t, key_a, "r", 1);
    struct km_purse *purse = km_run_purse(t, run, KM_STR("r"), 500);

    (void)state;
    assert_int_equal(km_purse_left(purse), 500);
    assert_ptr_equal(km_run_purse(t, run, KM_STR("r"), 300), purse);
    assert_int_equal(km_purse_left(purse), 300);
    km_purse_ref(purse);
    km_runs_leave(t, run, 1);
    km_runs_free(t);
    assert_int_equal(km_purse_left(purse), 300);
    km_purse_unref(purse);
}

static void the_tighter_limit_of_each_holds(void **state)
{
    struct km_run_limits l = { 5, -1, 7 };
    struct km_err err;

    (void)state;
    assert_int_equal(
        km_run_limits_of_key(KM_STR("{\"max_iterations\":\"3\",\"max_budget_per_session\":0.5,"
                                    "\"max_identical_tool_calls\":9,\"other\":{}}"),
                             &l, &err),
        0);
    assert_int_equal(l.iterations, 3);
    assert_int_equal(l.budget, 500000000);
    assert_int_equal(l.same_calls, 7);
    assert_int_equal(km_run_limits_of_key(KM_STR("{\"max_iterations\":null}"), &l, &err), 0);
    assert_int_equal(km_run_limits_of_key(KM_STR("{\"max_iterations\":-1}"), &l, &err),
                     KM_E_INVALID);
    assert_string_equal(err.param, "max_iterations");
    assert_int_equal(km_run_limits_of_key(KM_STR("{\"max_budget_per_session\":true}"), &l, &err),
                     KM_E_INVALID);
    assert_int_equal(l.iterations, 3);
}

/* --- the same call --- */

static const struct km_hash_seed seed = { 0x0123456789abcdefU, 0xfedcba9876543210U };

static uint64_t number_of(const char *arguments)
{
    struct km_arena arena KM_CLEANUP(km_arena_done);

    km_arena_init(&arena, (size_t)64 << 20, NULL);
    return km_same_call_text(&seed, KM_STR("tool"), km_str_c(arguments), &arena);
}

static void spelling_makes_no_other_call(void **state)
{
    static const char *const same[][2] = {
        { "", "{}" },
        { "{\"a\":1,\"b\":[true,null]}", " { \"b\" : [ true , null ] , \"a\" : 1 }" },
        { "{\"a\":\"Oslo\"}", "{\"\\u0061\":\"\\u004fslo\"}" },
        { "{\"a\":1}", "{\"a\":1.0}" },
        { "{\"a\":1}", "{\"a\":10e-1}" },
        { "{\"a\":1200}", "{\"a\":1.2E+3}" },
        { "{\"a\":0.00120}", "{\"a\":12e-4}" },
        { "{\"a\":0}", "{\"a\":-0.00e99}" },
        { "{\"a\":-100}", "{\"a\":-1e2}" },
        { "{\"a\":1e400}", "{\"a\":10e399}" },
        { "{\"x\":{\"a\":1,\"b\":2}}", "{\"x\":{\"b\":2,\"a\":1}}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if (number_of(same[i][0]) != number_of(same[i][1]))
            fail_msg("%s is not %s", same[i][0], same[i][1]);
}

static void what_says_something_else_is_another_call(void **state)
{
    static const char *const all[] = {
        "{}", "[]", "null", "0", "\"\"", "{", "{,", "{\"a\":1}", "{\"a\":-1}", "{\"a\":10}",
        "{\"a\":0.1}", "{\"a\":11}", "{\"a\":101}", "{\"a\":1.01}",
        "{\"a\":1e99999999999999999999}",
        "{\"a\":\"1\"}", "{\"a\":true}", "{\"a\":null}", "{\"a\":[1]}", "{\"a\":[[1]]}",
        "{\"a\":[1,2]}", "{\"a\":[2,1]}", "{\"a\":[12]}", "{\"a\":{\"b\":1},\"c\":2}",
        "{\"a\":{\"b\":2},\"c\":1}", "{\"a\":{\"b\":1,\"c\":2}}", "{\"b\":1}", "{\"a\":1,\"b\":1}",
        "{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}", "{\"a\":\"b\"}", "{\"b\":\"a\"}",
        "{\"a\":\"\\u0000\"}", "{\"a\":\"\"}", "{\"a\":1,\"a\":1}",
    };
    const size_t n = sizeof all / sizeof all[0];

    (void)state;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (number_of(all[i]) == number_of(all[k]))
                fail_msg("%s is taken for %s", all[i], all[k]);
}

static void depth_and_length_are_no_matter(void **state)
{
    enum { DEEP = 2000, LONG = 100000 };
    static char deep[2 * DEEP + 1], digits[LONG + 1], more[LONG + 2];

    (void)state;
    memset(deep, '[', DEEP);
    memset(deep + DEEP, ']', DEEP);
    assert_true(number_of(deep) == number_of(deep));
    memset(digits, '7', LONG);
    (void)snprintf(more, sizeof more, "%s0", digits);
    assert_true(number_of(digits) == number_of(digits));
    assert_true(number_of(digits) != number_of(more));
    assert_true(km_same_call(&seed, KM_STR("a"), NULL) != km_same_call(&seed, KM_STR("b"), NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_share_no_run),
        cmocka_unit_test(calls_count_up_to_the_limit_and_can_be_taken_back),
        cmocka_unit_test(a_run_is_forgotten_a_while_after_its_last_call),
        cmocka_unit_test(the_oldest_idle_one_makes_room_and_a_held_one_does_not),
        cmocka_unit_test(so_many_calls_alike_in_a_row),
        cmocka_unit_test(its_purse_outlives_it_and_takes_its_limit),
        cmocka_unit_test(the_tighter_limit_of_each_holds),
        cmocka_unit_test(spelling_makes_no_other_call),
        cmocka_unit_test(what_says_something_else_is_another_call),
        cmocka_unit_test(depth_and_length_are_no_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
