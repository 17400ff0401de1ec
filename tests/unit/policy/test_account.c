/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "policy/account.h"

#define USD INT64_C(1000000000)

static struct km_account_row row_of(enum km_account_kind kind, const char *id, const char *of)
{
    struct km_account_row row = km_account_row_none(kind, km_str_c(id), km_str_c(of));

    row.created_us = INT64_C(1700000000000000);
    return row;
}

static void put(struct km_accounts *t, const struct km_account_row *row)
{
    struct km_err err = { 0 };

    if (km_accounts_put(t, row, &err) < 0)
        fail_msg("%s", err.text);
}

static void put_named(struct km_accounts *t, enum km_account_kind kind, const char *id,
                      const char *of)
{
    const struct km_account_row row = row_of(kind, id, of);

    put(t, &row);
}

static size_t count(struct km_accounts *t, const struct km_accounts_which *which)
{
    size_t n = 0;
    struct km_account **all = km_accounts_all(t, which, &n);

    for (size_t i = 0; i < n; i++)
        km_account_unref(all[i]);
    free(all);
    return n;
}

static void an_account_is_found_by_kind_id_and_of(void **state)
{
    struct km_accounts *t = km_accounts_new(100);
    struct km_account *a;

    (void)state;
    put_named(t, KM_ACCOUNT_TEAM, "x", "");
    put_named(t, KM_ACCOUNT_MEMBER, "u", "x");
    a = km_accounts_find(t, KM_ACCOUNT_TEAM, KM_STR("x"), KM_STR_NONE);
    assert_non_null(a);
    assert_int_equal(a->npurses, 1);
    assert_int_equal(km_account_spend(a), 0);
    assert_int_equal(km_account_window_end(a), 0);
    km_account_unref(a);
    assert_null(km_accounts_find(t, KM_ACCOUNT_USER, KM_STR("x"), KM_STR_NONE));
    assert_null(km_accounts_find(t, KM_ACCOUNT_MEMBER, KM_STR("u"), KM_STR_NONE));
    a = km_accounts_find(t, KM_ACCOUNT_MEMBER, KM_STR("u"), KM_STR("x"));
    assert_non_null(a);
    km_account_unref(a);
    km_accounts_free(t);
}

static void a_new_version_keeps_what_was_spent(void **state)
{
    struct km_accounts *t = km_accounts_new(100);
    struct km_account_row row = row_of(KM_ACCOUNT_TEAM, "t", "");
    struct km_account *before, *after;
    uint64_t generation;

    (void)state;
    put(t, &row);
    before = km_accounts_find(t, KM_ACCOUNT_TEAM, KM_STR("t"), KM_STR_NONE);
    km_budget_charge(&before->purses[0]->budget, 3 * USD, km_wall_us());
    generation = km_accounts_generation(t);
    row.max_budget = 5 * USD;
    put(t, &row);
    assert_true(km_accounts_generation(t) != generation);
    after = km_accounts_find(t, KM_ACCOUNT_TEAM, KM_STR("t"), KM_STR_NONE);
    assert_ptr_equal(after->purses[0], before->purses[0]);
    assert_int_equal(km_account_spend(after), 3 * USD);
    assert_int_equal(km_purse_left(after->purses[0]), 2 * USD);
    assert_int_equal(before->row.max_budget, -1);
    km_account_unref(before);
    km_account_unref(after);
    km_accounts_free(t);
}

static void windows_and_models_have_purses_of_their_own(void **state)
{
    struct km_accounts *t = km_accounts_new(100);
    struct km_account_row row = row_of(KM_ACCOUNT_USER, "u", "");
    struct km_account *a;

    (void)state;
    row.max_budget = 10 * USD;
    row.budget_limits = KM_STR("[{\"budget_duration\":\"24h\",\"max_budget\":2.5},"
                               "{\"budget_duration\":\"30d\",\"max_budget\":20}]");
    row.model_max_budget = KM_STR("{\"gpt-4o\":{\"budget_limit\":\"0.5\",\"time_period\":\"1d\"}}");
    put(t, &row);
    row.model_max_budget = KM_STR("{\"gpt-4o\":{\"budget_limit\":0.5,\"time_period\":\"1d\"}}");
    row.model_rpm_limit = KM_STR("{\"gpt-4o\":3,\"o3\":1}");
    row.model_tpm_limit = KM_STR("{\"o3\":1000}");
    put(t, &row);
    a = km_accounts_find(t, KM_ACCOUNT_USER, KM_STR("u"), KM_STR_NONE);
    assert_int_equal(a->npurses, 5);
    assert_int_equal(km_purse_left(a->purses[0]), 10 * USD);
    assert_true(km_str_eq(a->purses[1]->window, KM_STR("24h")));
    assert_int_equal(km_purse_left(a->purses[1]), 2500000000);
    assert_int_equal(a->purses[1]->budget.duration_s, 86400);
    assert_int_equal(km_purse_left(a->purses[2]), 20 * USD);
    assert_true(km_str_eq(a->purses[3]->model, KM_STR("gpt-4o")));
    assert_int_equal(a->purses[3]->limits.rpm, 3);
    assert_int_equal(km_purse_left(a->purses[3]), 500000000);
    assert_true(km_str_eq(a->purses[4]->model, KM_STR("o3")));
    assert_int_equal(a->purses[4]->limits.tpm, 1000);
    assert_true(km_str_eq(a->purses[4]->id, KM_STR("u")));
    km_account_unref(a);
    km_accounts_free(t);
}

static void a_budget_stands_in_for_what_its_users_do_not_say(void **state)
{
    struct km_accounts *t = km_accounts_new(100);
    struct km_account_row team = row_of(KM_ACCOUNT_TEAM, "t", "");
    struct km_account_row budget = row_of(KM_ACCOUNT_BUDGET, "b", "");
    struct km_account *a;

    (void)state;
    team.budget_id = KM_STR("b");
    team.rpm = 7;
    put(t, &team);
    budget.max_budget = 5 * USD;
    budget.rpm = 100;
    budget.tpm = 200;
    put(t, &budget); /* after: those that use it hear of it */
    a = km_accounts_find(t, KM_ACCOUNT_TEAM, KM_STR("t"), KM_STR_NONE);
    assert_int_equal(a->row.max_budget, -1);
    assert_int_equal(a->limits.max_budget, 5 * USD);
    assert_int_equal(a->purses[0]->limits.rpm, 7);
    assert_int_equal(a->purses[0]->limits.tpm, 200);
    km_account_unref(a);
    assert_true(km_accounts_del(t, KM_ACCOUNT_BUDGET, KM_STR("b"), KM_STR_NONE));
    a = km_accounts_find(t, KM_ACCOUNT_TEAM, KM_STR("t"), KM_STR_NONE);
    assert_int_equal(km_purse_left(a->purses[0]), INT64_MAX);
    assert_int_equal(a->purses[0]->limits.rpm, 7);
    km_account_unref(a);
    km_accounts_free(t);
}

static void a_raise_ends(void **state)
{
    struct km_accounts *t = km_accounts_new(100);
    struct km_account_row row = row_of(KM_ACCOUNT_TEAM, "t", "");
    struct km_purse *p;
    struct km_account *a;
    bool rolled;

    (void)state;
    row.max_budget = USD;
    row.temp_budget_increase = 2 * USD;
    row.temp_budget_expiry_us = km_wall_us() + INT64_C(3600000000);
    put(t, &row);
    a = km_accounts_find(t, KM_ACCOUNT_TEAM, KM_STR("t"), KM_STR_NONE);
    p = a->purses[0];
    assert_int_equal(km_purse_left(p), 3 * USD);
    km_purse_turn(p, 0, row.temp_budget_expiry_us, &rolled);
    assert_int_equal(km_purse_left(p), USD);
    km_account_unref(a);
    km_accounts_free(t);
}

static void members_go_with_what_they_are_of(void **state)
{
    struct km_accounts *t = km_accounts_new(100);

    (void)state;
    put_named(t, KM_ACCOUNT_TEAM, "x", "");
    put_named(t, KM_ACCOUNT_TAG, "x", "");
    put_named(t, KM_ACCOUNT_USER, "u", "");
    put_named(t, KM_ACCOUNT_MEMBER, "u", "x");
    put_named(t, KM_ACCOUNT_MEMBER, "v", "x");
    put_named(t, KM_ACCOUNT_MEMBER, "u", "y");
    put_named(t, KM_ACCOUNT_ORG_MEMBER, "u", "o");
    assert_int_equal(
        count(t, &(struct km_accounts_which){ .kind = KM_ACCOUNT_MEMBER, .of = KM_STR("x") }), 2);
    assert_true(km_accounts_del(t, KM_ACCOUNT_TEAM, KM_STR("x"), KM_STR_NONE));
    assert_false(km_accounts_del(t, KM_ACCOUNT_TEAM, KM_STR("x"), KM_STR_NONE));
    assert_int_equal(count(t, &(struct km_accounts_which){ .kind = KM_ACCOUNT_NONE }), 4);
    assert_true(km_accounts_del(t, KM_ACCOUNT_USER, KM_STR("u"), KM_STR_NONE));
    assert_int_equal(count(t, &(struct km_accounts_which){ .kind = KM_ACCOUNT_NONE }), 1);
    km_accounts_free(t);
}

static void what_does_not_read_is_refused_and_changes_nothing(void **state)
{
    static const struct {
        struct km_str limits, models, rpm;
    } wrong[] = {
        { .limits = { "{", 1 } },
        { .limits = { "{}", 2 } },
        { .limits = { "[{\"max_budget\":1}]", 18 } },
        { .limits = { "[{\"budget_duration\":\"x\",\"max_budget\":1}]", 41 } },
        { .models = { "[]", 2 } },
        { .models = { "{\"m\":{\"budget_limit\":\"much\"}}", 30 } },
        { .rpm = { "{\"m\":\"x\"}", 9 } },
        { .rpm = { "{\"\":1}", 6 } },
    };
    struct km_accounts *t = km_accounts_new(2);
    struct km_account_row row = row_of(KM_ACCOUNT_TEAM, "t", "");
    struct km_err err;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        row.budget_limits = wrong[i].limits;
        row.model_max_budget = wrong[i].models;
        row.model_rpm_limit = wrong[i].rpm;
        err = (struct km_err){ 0 };
        assert_int_equal(km_accounts_check(&row, &err), KM_E_INVALID);
        assert_non_null(err.param);
        assert_int_equal(km_accounts_put(t, &row, &err), KM_E_INVALID);
    }
    assert_int_equal(count(t, &(struct km_accounts_which){ .kind = KM_ACCOUNT_NONE }), 0);
    put_named(t, KM_ACCOUNT_TEAM, "a", "");
    put_named(t, KM_ACCOUNT_TEAM, "b", "");
    row = row_of(KM_ACCOUNT_TEAM, "c", "");
    assert_int_equal(km_accounts_put(t, &row, &err), KM_E_LIMIT);
    km_accounts_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_is_found_by_kind_id_and_of),
        cmocka_unit_test(a_new_version_keeps_what_was_spent),
        cmocka_unit_test(windows_and_models_have_purses_of_their_own),
        cmocka_unit_test(a_budget_stands_in_for_what_its_users_do_not_say),
        cmocka_unit_test(a_raise_ends),
        cmocka_unit_test(members_go_with_what_they_are_of),
        cmocka_unit_test(what_does_not_read_is_refused_and_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
