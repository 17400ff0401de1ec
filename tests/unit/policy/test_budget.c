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
    assert_string_equal(err.text, "Budget has been exceeded! Current cost: 0.5, Max budget: 1. "
                                  "This call may cost up to 1: lower max_tokens");
    b.reserved = USD / 4;
    assert_int_equal(km_budget_reserve(&b, USD / 2, KM_BUDGET_RESERVE, &err), KM_E_BUDGET);
    assert_string_equal(err.text, "Budget has been exceeded! Current cost: 0.5, Max budget: 1. "
                                  "This call may cost up to 0.5 and running calls hold 0.25: "
                                  "lower max_tokens, or try again when they have ended");
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
        cmocka_unit_test(litellm_mode_asks_only_what_is_spent),
        cmocka_unit_test(a_free_call_passes_an_empty_budget),
        cmocka_unit_test(without_a_budget_spend_is_still_counted),
        cmocka_unit_test(a_window_turns_once_and_keeps_reservations),
        cmocka_unit_test(money_is_written_without_trailing_zeros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
