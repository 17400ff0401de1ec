/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/budget.h"

#define USD 1000000000LL

static void reserved_and_spent_never_pass_max(void **state)
{
    struct km_budget b = { .max = USD };
    struct km_err err;

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(km_budget_reserve(&b, USD / 10, KM_BUDGET_RESERVE, &err), 0);
    assert_int_equal(km_budget_left(&b), 0);
    assert_int_equal(km_budget_reserve(&b, 1, KM_BUDGET_RESERVE, &err), KM_E_BUDGET);
    km_budget_settle(&b, USD / 10, USD / 20);
    assert_int_equal(b.spent, USD / 20);
    assert_int_equal(km_budget_left(&b), USD / 20);
    assert_int_equal(km_budget_reserve(&b, USD / 20 + 1, KM_BUDGET_RESERVE, &err), KM_E_BUDGET);
    assert_int_equal(km_budget_reserve(&b, USD / 20, KM_BUDGET_RESERVE, &err), 0);
}

static void the_text_is_litellms(void **state)
{
    struct km_budget b = { .max = USD, .spent = USD + 2500000 };
    struct km_err err;

    (void)state;
    assert_int_equal(km_budget_reserve(&b, 1, KM_BUDGET_RESERVE, &err), KM_E_BUDGET);
    assert_string_equal(err.text, "Budget has been exceeded! Current cost: 1.0025, Max budget: 1");
    assert_int_equal(km_budget_reserve(&b, 0, KM_BUDGET_LITELLM, &err), KM_E_BUDGET);
    assert_string_equal(err.text, "Budget has been exceeded! Current cost: 1.0025, Max budget: 1");
    b.spent = USD / 2;
    assert_int_equal(km_budget_reserve(&b, USD, KM_BUDGET_RESERVE, &err), KM_E_BUDGET);
    assert_string_equal(err.text, "Budget has been exceeded! Current cost: 0.5, Max budget: 1 "
                                  "- not by what was spent, but by what this call may cost, up to "
                                  "1: a shorter prompt or a (smaller) max_tokens asks for less");
    b.reserved = USD / 4;
    assert_int_equal(km_budget_reserve(&b, USD / 2, KM_BUDGET_RESERVE, &err), KM_E_BUDGET);
    assert_string_equal(err.text, "Budget has been exceeded! Current cost: 0.5, Max budget: 1 "
                                  "- not by what was spent, but by what this call may cost, up to "
                                  "0.5, while running calls hold 0.25: a shorter prompt or a "
                                  "(smaller) max_tokens asks for less; or try again when they have "
                                  "ended");
}

static void what_is_held_is_kept_back_and_ends_by_its_time(void **state)
{
    const struct km_budget_hold first = { { { 1 } }, USD / 2, 1000 };
    const struct km_budget_hold second = { { { 2 } }, USD / 4, 3000 };
    const struct km_budget_hold third = { { { 3 } }, USD / 8, 2000 };
    struct km_budget b = { .max = USD };
    struct km_err err;

    (void)state;
    km_budget_hold(&b, &first);
    km_budget_hold(&b, &first);
    km_budget_hold(&b, &second);
    km_budget_hold(&b, &third);
    assert_int_equal(b.held, USD / 2 + USD / 4 + USD / 8);
    assert_int_equal(km_budget_left(&b), USD / 8);
    assert_int_equal(km_budget_reserve(&b, USD / 4, KM_BUDGET_RESERVE, &err), KM_E_BUDGET);
    assert_string_equal(err.text,
                        "Budget has been exceeded! Current cost: 0, Max budget: 1 - not by "
                        "what was spent, but by what this call may cost, up to 0.25, and 0.875 is "
                        "held for calls that ended with the gateway before this one: a shorter "
                        "prompt or a (smaller) max_tokens asks for less");
    km_budget_drop_holds(&b, 999);
    assert_int_equal(b.held, USD / 2 + USD / 4 + USD / 8);
    km_budget_drop_holds(&b, 1000);
    assert_int_equal(b.held, USD / 4 + USD / 8);
    km_budget_drop_holds(&b, 1999);
    assert_int_equal(b.held, USD / 4 + USD / 8);
    km_budget_release(&b, &second.id);
    km_budget_release(&b, &second.id);
    assert_int_equal(b.held, USD / 8);
    km_budget_drop_holds(&b, 2000);
    assert_int_equal(b.held, 0);
    km_budget_drop_holds(&b, 5000);
    km_budget_hold(&b, &second); /* of a time that is over already: dropped when asked */
    km_budget_drop_holds(&b, 5000);
    assert_int_equal(km_budget_left(&b), USD);
    km_budget_done(&b);
}

static void holds_belong_to_no_window(void **state)
{
    const struct km_budget_hold hold = { { { 1 } }, USD / 2, 1000 };
    struct km_budget b = { .max = USD, .spent = 7, .duration_s = 3600, .reset_us = 3600000000 };

    (void)state;
    km_budget_hold(&b, &hold);
    assert_true(km_budget_roll(&b, 3600000001 + 2000000));
    assert_int_equal(b.spent, 0);
    assert_int_equal(b.held, USD / 2);
    km_budget_correct(&b, -5, 3599999999); /* of the window before */
    assert_int_equal(b.spent, 0);
    assert_true(km_budget_roll(&b, 1800000000));
    assert_int_equal(b.spent, 2);
    km_budget_done(&b);
}

static void litellm_mode_asks_only_what_is_spent(void **state)
{
    struct km_budget b = { .max = USD, .spent = USD - 1 };

    (void)state;
    assert_int_equal(km_budget_reserve(&b, 50 * USD, KM_BUDGET_LITELLM, NULL), 0);
    assert_int_equal(km_budget_reserve(&b, 50 * USD, KM_BUDGET_LITELLM, NULL), 0);
    km_budget_settle(&b, 50 * USD, 1);
    assert_int_equal(km_budget_reserve(&b, 1, KM_BUDGET_LITELLM, NULL), KM_E_BUDGET);
}

static void a_free_call_passes_an_empty_budget(void **state)
{
    struct km_budget b = { .max = USD, .spent = USD };

    (void)state;
    assert_int_equal(km_budget_reserve(&b, 0, KM_BUDGET_RESERVE, NULL), 0);
    assert_int_equal(km_budget_reserve(&b, 1, KM_BUDGET_RESERVE, NULL), KM_E_BUDGET);
}

static void without_a_budget_spend_is_still_counted(void **state)
{
    struct km_budget b = { .max = -1 };

    (void)state;
    assert_int_equal(km_budget_left(&b), INT64_MAX);
    assert_int_equal(km_budget_reserve(&b, INT64_MAX, KM_BUDGET_RESERVE, NULL), 0);
    assert_int_equal(km_budget_reserve(&b, INT64_MAX, KM_BUDGET_RESERVE, NULL), 0);
    km_budget_settle(&b, INT64_MAX, 7);
    assert_int_equal(b.spent, 7);
    km_budget_settle(&b, INT64_MAX, INT64_MAX);
    assert_int_equal(b.spent, INT64_MAX);
}

static void a_window_turns_once_and_keeps_reservations(void **state)
{
    struct km_budget b = {
        .max = USD, .spent = USD / 2, .reserved = USD / 4, .duration_s = 100, .reset_us = 1000
    };

    (void)state;
    assert_false(km_budget_roll(&b, 999));
    assert_true(km_budget_roll(&b, 1000));
    assert_int_equal(b.spent, 0);
    assert_int_equal(b.reserved, USD / 4);
    assert_int_equal(b.reset_us, 1000 + 100 * 1000000LL);
    assert_false(km_budget_roll(&b, 1001));
    b.duration_s = 0;
    assert_false(km_budget_roll(&b, INT64_MAX));
    km_budget_done(&b);
}

/* A fixed sequence of pseudo-random numbers, the same each time. */
static uint64_t next_number(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

#define SECOND_US 1000000LL
#define DAY_US (86400 * SECOND_US)
#define NOW_US (1795000000 * SECOND_US) /* in November 2026 */

struct paid {
    int64_t at_us, cost;
};

/* What was paid in the window that now_us is in, by the list of all that was paid. */
static int64_t paid_in_window(const struct km_budget *b, const struct paid *paid, size_t n,
                              int64_t now_us)
{
    int64_t end_us = km_time_budget_end(now_us, b->duration_s, b->reset_us), sum = 0;

    assert_true(now_us < end_us);
    assert_true(now_us >= km_time_budget_begin(end_us, b->duration_s));
    for (size_t i = 0; i < n; i++)
        if (paid[i].at_us < end_us && paid[i].at_us >= km_time_budget_begin(end_us, b->duration_s))
            sum += paid[i].cost;
    return sum;
}

/* The clock goes on, and now and then jumps to another of a few times or back to the right one; in
 * each window exactly that is spent which was paid in it. */
static void a_clock_that_jumps_forgets_no_window(void **state)
{
    static const int64_t lengths_s[] = { 30, 3600, 86400, 5 * 86400, 7 * 86400, 30 * 86400 };
    static const int64_t jumps_us[] = { 400 * DAY_US, -400 * DAY_US, 31 * DAY_US, -DAY_US,
                                        7200 * SECOND_US, -45 * SECOND_US };
    static struct paid paid[400];
    uint64_t seed = 7;

    (void)state;
    for (size_t i = 0; i < sizeof lengths_s / sizeof lengths_s[0]; i++) {
        for (int round = 0; round < 50; round++) {
            struct km_budget b = { .max = -1, .duration_s = lengths_s[i] };
            int64_t right_us = NOW_US, off_us = 0;
            size_t n = 0;

            b.reset_us = km_time_budget_reset(NOW_US, b.duration_s);
            while (n < sizeof paid / sizeof paid[0]) {
                uint64_t what = next_number(&seed) % 20;
                int64_t now_us;

                if (what == 0)
                    off_us = jumps_us[next_number(&seed) % 6];
                else if (what < 4)
                    off_us = 0;
                right_us += (int64_t)(next_number(&seed) % 50) * b.duration_s * 2000;
                now_us = right_us + off_us;
                (void)km_budget_roll(&b, now_us);
                /* Some calls began before the clock was set, or the window turned. */
                paid[n].at_us = what > 17 ? right_us : now_us;
                paid[n].cost = 1 + (int64_t)(next_number(&seed) % 1000);
                km_budget_charge(&b, paid[n].cost, paid[n].at_us);
                n++;
                assert_int_equal(km_budget_spent_at(&b, b.reset_us - 1), b.spent);
                assert_int_equal(b.spent, paid_in_window(&b, paid, n, b.reset_us - 1));
            }
            (void)km_budget_roll(&b, right_us);
            assert_int_equal(km_budget_spent_at(&b, right_us), b.spent);
            assert_int_equal(b.spent, paid_in_window(&b, paid, n, b.reset_us - 1));
            km_budget_done(&b);
        }
    }
}

/* Only the windows of late are remembered, however many there were. */
static void windows_that_are_remembered_are_bounded(void **state)
{
    struct km_budget b = { .max = -1, .duration_s = 60, .reset_us = NOW_US };

    (void)state;
    for (int i = 0; i < 1000; i++) {
        (void)km_budget_roll(&b, NOW_US + i * 60 * SECOND_US);
        km_budget_charge(&b, 1 + i, NOW_US + i * 60 * SECOND_US);
    }
    assert_int_equal(b.nothers, KM_BUDGET_WINDOWS);
    assert_int_equal(b.spent, 1000);
    assert_int_equal(km_budget_spent_at(&b, NOW_US + 990 * 60 * SECOND_US), 991);
    km_budget_done(&b);
}

static void a_moment_before_its_window_turns_nothing_back(void **state)
{
    struct km_budget b = { .max = -1, .spent = 5, .duration_s = 86400 };

    (void)state;
    b.reset_us = km_time_budget_reset(NOW_US, b.duration_s);
    assert_true(km_budget_roll(&b, b.reset_us));
    assert_int_equal(b.spent, 0);
    assert_false(km_budget_roll(&b, b.reset_us - DAY_US - SECOND_US / 2));
    km_budget_charge(&b, 3, b.reset_us - DAY_US - 1); /* it ended before, and is paid there */
    assert_int_equal(b.spent, 0);
    assert_true(km_budget_roll(&b, b.reset_us - DAY_US - 2 * SECOND_US));
    assert_int_equal(b.spent, 8);
    km_budget_done(&b);
}

static void another_length_takes_what_is_spent_along(void **state)
{
    struct km_budget b = { .max = -1, .spent = 5, .duration_s = 100, .reset_us = NOW_US };

    (void)state;
    km_budget_set_length(&b, 100, NOW_US - 300 * SECOND_US); /* an old copy */
    assert_int_equal(b.reset_us, NOW_US);
    km_budget_set_length(&b, 100, NOW_US + 7); /* other ends */
    assert_int_equal(b.reset_us, NOW_US + 7);
    km_budget_set_length(&b, 200, NOW_US + 200 * SECOND_US);
    assert_int_equal(b.spent, 5);
    km_budget_set_length(&b, 0, 0);
    assert_false(km_budget_roll(&b, INT64_MAX));
    assert_int_equal(b.spent, 5);
    km_budget_done(&b);
}

static void money_is_written_without_trailing_zeros(void **state)
{
    static const struct {
        int64_t nano;
        const char *text;
    } rows[] = {
        { 0, "0" },
        { 1, "0.000000001" },
        { USD, "1" },
        { 10 * USD, "10" },
        { 1002500000, "1.0025" },
        { -2500000000, "-2.5" },
        { INT64_MAX, "9223372036.854775807" },
        { INT64_MIN, "-9223372036.854775808" },
    };
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        km_money_text(rows[i].nano, text);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserved_and_spent_never_pass_max),
        cmocka_unit_test(the_text_is_litellms),
        cmocka_unit_test(what_is_held_is_kept_back_and_ends_by_its_time),
        cmocka_unit_test(holds_belong_to_no_window),
        cmocka_unit_test(litellm_mode_asks_only_what_is_spent),
        cmocka_unit_test(a_free_call_passes_an_empty_budget),
        cmocka_unit_test(without_a_budget_spend_is_still_counted),
        cmocka_unit_test(a_window_turns_once_and_keeps_reservations),
        cmocka_unit_test(a_clock_that_jumps_forgets_no_window),
        cmocka_unit_test(windows_that_are_remembered_are_bounded),
        cmocka_unit_test(a_moment_before_its_window_turns_nothing_back),
        cmocka_unit_test(another_length_takes_what_is_spent_along),
        cmocka_unit_test(money_is_written_without_trailing_zeros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
