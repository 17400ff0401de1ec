/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/key_table.h"
#include "policy/payers.h"
#include "store/payers.h"

#define USD INT64_C(1000000000)
#define NOW INT64_C(1700000000000000)

static struct km_accounts *table;
static struct km_keys *keys;

static int begin(void **state)
{
    (void)state;
    table = km_accounts_new(1000);
    keys = km_keys_new(1000);
    km_keys_use_accounts(keys, table);
    return 0;
}

static int end(void **state)
{
    (void)state;
    km_keys_free(keys);
    km_accounts_free(table);
    return 0;
}

static struct km_key *key_of(uint8_t number, const char *team, const char *user, int64_t max)
{
    struct km_key_row row = { .hash = { number },
                              .team_id = km_str_c(team),
                              .user_id = km_str_c(user),
                              .max_budget = max,
                              .soft_budget = -1,
                              .rpm = -1,
                              .tpm = -1,
                              .max_parallel = -1 };

    assert_int_equal(km_keys_put(keys, &row, NULL), 0);
    return km_keys_find(keys, row.hash);
}

static struct km_account_row row_of(enum km_account_kind kind, const char *id, const char *of,
                                    int64_t max)
{
    struct km_account_row row = km_account_row_none(kind, km_str_c(id), km_str_c(of));

    row.created_us = NOW;
    row.max_budget = max;
    return row;
}

static void put(const struct km_account_row *row)
{
    struct km_err err = { 0 };

    if (km_accounts_put(table, row, &err) < 0)
        fail_msg("%s", err.text);
}

static void put_max(enum km_account_kind kind, const char *id, const char *of, int64_t max)
{
    const struct km_account_row row = row_of(kind, id, of, max);

    put(&row);
}

static struct km_payers *payers_of(const struct km_key *k, const char *end_user, const char *tag,
                                   const char *model)
{
    const struct km_str tags[] = { km_str_c(tag) };
    const struct km_payers_ask ask = { .team_id = k->row.team_id,
                                       .user_id = k->row.user_id,
                                       .end_user = km_str_c(end_user),
                                       .tags = { tags, *tag != '\0' },
                                       .model = km_str_c(model) };
    struct km_payers *p = NULL;

    assert_int_equal(km_payers_make(table, &ask, &p, NULL), 0);
    return p;
}

static struct km_admission asking(struct km_payers *p, int64_t reserve)
{
    return (struct km_admission){ .reserve = reserve,
                                  .input_tokens = 10,
                                  .output_bound = 10,
                                  .payers = p,
                                  .now_ms = 1000,
                                  .now_us = NOW };
}

/* Takes and gives back; *ret: what was said when it was refused. */
static int call_once(struct km_key *k, struct km_payers *p, int64_t reserve, int64_t cost,
                     struct km_err *ret)
{
    const struct km_admission a = asking(p, reserve);
    struct km_permit permit = { 0 };
    int r;

    *ret = (struct km_err){ 0 };
    r = km_permit_take(k, &a, &permit, NULL, NULL, ret);
    if (r == 0)
        km_permit_settle(&permit, cost, 20, 1000);
    return r;
}

static struct km_purse *purse_of(enum km_account_kind kind, const char *id, const char *of)
{
    struct km_account *a = km_accounts_find(table, kind, km_str_c(id), km_str_c(of));
    struct km_purse *p;

    assert_non_null(a);
    p = a->purses[0];
    km_account_unref(a);
    return p;
}

static void a_key_of_no_account_has_no_payers(void **state)
{
    struct km_key *k = key_of(1, "", "", -1);
    struct km_key *other = key_of(2, "elsewhere", "nobody", -1);

    (void)state;
    assert_null(payers_of(k, "", "", "m"));
    put_max(KM_ACCOUNT_TEAM, "t", "", USD);
    assert_null(payers_of(k, "someone", "some-tag", "m"));
    assert_null(payers_of(other, "someone", "", "m"));
    km_key_unref(k);
    km_key_unref(other);
}

/* Each account in turn is the one without money: it is named, as LiteLLM names it, and nothing was
 * taken of the others. */
static void who_has_no_money_is_named_and_nothing_is_taken(void **state)
{
    static const struct {
        enum km_account_kind kind;
        const char *id, *of, *text;
    } all[] = {
        { KM_ACCOUNT_ORGANIZATION, "o", "",
          "Budget has been exceeded! Organization=o Current cost: 0, Max budget: 0.5" },
        { KM_ACCOUNT_TEAM, "t", "",
          "Budget has been exceeded! Team=t Current cost: 0, Max budget: 0.5" },
        { KM_ACCOUNT_MEMBER, "u", "t",
          "Budget has been exceeded! User=u in Team=t Current cost: 0, Max budget: 0.5" },
        { KM_ACCOUNT_END_USER, "e", "",
          "ExceededBudget: End User=e over budget. Spend=0, Budget=" },
        { KM_ACCOUNT_TAG, "g", "",
          "Budget has been exceeded! Tag=g Current cost: 0, Max budget: 0.5" },
    };
    struct km_key *k = key_of(1, "t", "u", -1);

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct km_err err;
        struct km_payers *p;

        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++) {
            struct km_account_row row =
                row_of(all[j].kind, all[j].id, all[j].of, i == j ? USD / 2 : 100 * USD);

            row.rpm = 100;
            if (row.kind == KM_ACCOUNT_TEAM)
                row.organization_id = KM_STR("o");
            put(&row);
        }
        p = payers_of(k, "e", "g", "m");
        assert_int_equal(p->n, 5);
        assert_int_equal(call_once(k, p, USD, USD, &err), KM_E_BUDGET);
        assert_true(km_str_starts(km_str_c(err.text), km_str_c(all[i].text)));
        assert_true(km_str_find(km_str_c(err.text), KM_STR("may cost")) < strlen(err.text));
        for (size_t j = 0; j < p->n; j++) {
            assert_int_equal(km_purse_reserved(p->v[j].purse), 0);
            assert_int_equal(km_purse_spend(p->v[j].purse), 0);
            assert_int_equal(p->v[j].purse->limit.requests, 0);
            assert_int_equal(p->v[j].purse->limit.running, 0);
        }
        assert_int_equal(km_key_reserved(k), 0);
        assert_int_equal(k->live->limit.requests, 0);
        km_payers_free(p);
    }
    km_key_unref(k);
}

static void all_pay_the_same(void **state)
{
    struct km_key *k = key_of(1, "t", "u", 10 * USD);
    struct km_err err;
    struct km_payers *p;

    (void)state;
    put_max(KM_ACCOUNT_TEAM, "t", "", 10 * USD);
    put_max(KM_ACCOUNT_USER, "u", "", USD / 10); /* refuses nothing: the key has a team */
    p = payers_of(k, "", "", "m");
    assert_int_equal(p->n, 2);
    assert_int_equal(call_once(k, p, USD, USD / 4, &err), 0);
    assert_int_equal(km_key_spend(k), USD / 4);
    assert_int_equal(km_purse_spend(purse_of(KM_ACCOUNT_TEAM, "t", "")), USD / 4);
    assert_int_equal(km_purse_spend(purse_of(KM_ACCOUNT_USER, "u", "")), USD / 4);
    assert_int_equal(km_purse_reserved(purse_of(KM_ACCOUNT_USER, "u", "")), 0);
    km_payers_free(p);
    km_key_unref(k);
}

static void a_top_up_is_of_all_or_none(void **state)
{
    struct km_key *k = key_of(1, "t", "u", 10 * USD);
    struct km_permit permit = { 0 };
    struct km_admission a;
    struct km_err err = { 0 };
    struct km_payers *p;
    bool rolled;

    (void)state;
    put_max(KM_ACCOUNT_TEAM, "t", "", 2 * USD);
    put_max(KM_ACCOUNT_MEMBER, "u", "t", 5 * USD);
    p = payers_of(k, "", "", "m");
    a = asking(p, USD);
    assert_int_equal(km_permit_take(k, &a, &permit, NULL, NULL, &err), 0);
    a.reserve = 3 * USD;
    assert_int_equal(km_permit_reserve(&permit, &a, &rolled, &err), KM_E_BUDGET);
    assert_true(km_str_starts(km_str_c(err.text), KM_STR("Budget has been exceeded! Team=t ")));
    assert_int_equal(km_key_reserved(k), USD);
    assert_int_equal(km_purse_reserved(p->v[1].purse), USD);
    a.reserve = 2 * USD;
    assert_int_equal(km_permit_reserve(&permit, &a, &rolled, &err), 0);
    assert_int_equal(km_purse_reserved(p->v[0].purse), 2 * USD);
    a.reserve = USD / 2; /* less is always granted */
    assert_int_equal(km_permit_reserve(&permit, &a, &rolled, &err), 0);
    assert_int_equal(km_purse_reserved(p->v[0].purse), USD / 2);
    assert_int_equal(km_purse_reserved(p->v[1].purse), USD / 2);
    km_permit_settle(&permit, USD / 4, 20, 1000);
    km_permit_settle(&permit, USD / 4, 20, 1000); /* harmless */
    assert_int_equal(km_purse_reserved(p->v[0].purse), 0);
    assert_int_equal(km_purse_spend(p->v[0].purse), USD / 4);
    km_payers_free(p);
    km_key_unref(k);
}

static void limits_are_each_accounts_own(void **state)
{
    struct km_account_row team = row_of(KM_ACCOUNT_TEAM, "t", "", -1);
    struct km_key *one = key_of(1, "t", "", -1), *two = key_of(2, "t", "", -1);
    struct km_payers *p, *q;
    struct km_err err;

    (void)state;
    team.rpm = 3;
    team.model_rpm_limit = KM_STR("{\"gpt-4o\":1}");
    put(&team);
    p = payers_of(one, "", "", "openai/gpt-4o");
    q = payers_of(two, "", "", "o3");
    assert_int_equal(p->n, 2);
    assert_int_equal(q->n, 1);
    assert_int_equal(call_once(one, p, 0, 0, &err), 0);
    assert_int_equal(call_once(one, p, 0, 0, &err), KM_E_RATE_LIMITED);
    assert_true(km_str_starts(
        km_str_c(err.text), KM_STR("Rate limit exceeded for model_per_team: t:gpt-4o. Limit type: "
                                   "requests. Current limit: 1, Remaining: 0.")));
    assert_true(err.retry_after_ms > 0);
    assert_int_equal(call_once(two, q, 0, 0, &err), 0);
    assert_int_equal(call_once(two, q, 0, 0, &err), 0); /* the refused one burnt none */
    assert_int_equal(call_once(two, q, 0, 0, &err), KM_E_RATE_LIMITED);
    assert_true(
        km_str_starts(km_str_c(err.text), KM_STR("Rate limit exceeded for team: t. Limit type:")));
    km_payers_free(p);
    km_payers_free(q);
    km_key_unref(one);
    km_key_unref(two);
}

static void who_is_blocked_is_refused(void **state)
{
    struct km_account_row team = row_of(KM_ACCOUNT_TEAM, "t", "", -1);
    const struct km_payers_ask ask = { .team_id = KM_STR("t") };
    struct km_payers *p = NULL;
    struct km_err err = { 0 };

    (void)state;
    team.blocked = true;
    put(&team);
    assert_int_equal(km_payers_make(table, &ask, &p, &err), KM_E_UNAUTHENTICATED);
    assert_string_equal(err.text,
                        "Team=t is blocked. Update via `/team/unblock` if you're an admin.");
    assert_null(p);
}

static void a_key_may_use_what_its_team_may(void **state)
{
    static const struct km_str models[] = { { "gpt-*", 5 } };
    struct km_account_row team = row_of(KM_ACCOUNT_TEAM, "t", "", -1);
    struct km_key *k = key_of(1, "t", "", -1);
    struct km_err err = { 0 };

    (void)state;
    assert_int_equal(km_key_grants_model(k, KM_STR("o3"), KM_STR_NONE, &err), KM_GRANTED);
    team.models = (struct km_str_list){ models, 1 };
    put(&team);
    assert_int_equal(km_key_grants_model(k, KM_STR("gpt-4o"), KM_STR_NONE, &err), KM_GRANTED);
    assert_int_equal(km_key_grants_model(k, KM_STR("o3"), KM_STR_NONE, &err), KM_DENIED);
    assert_string_equal(err.text, "team not allowed to access model. This team can only access "
                                  "models=['gpt-*']. Tried to access o3");
    assert_string_equal(err.type, "team_model_access_denied");
    km_key_unref(k);
}

static void a_text_leads_to_the_same_purses(void **state)
{
    struct km_account_row team = row_of(KM_ACCOUNT_TEAM, "t", "", USD);
    struct km_key *k = key_of(1, "t", "u", -1);
    struct km_payers *p, *q;
    struct km_paying paying;
    struct km_str rest;

    (void)state;
    team.budget_limits = KM_STR("[{\"budget_duration\":\"1d\",\"max_budget\":1}]");
    put(&team);
    put_max(KM_ACCOUNT_MEMBER, "u", "t", USD);
    p = payers_of(k, "", "", "m");
    assert_int_equal(p->n, 3);
    rest = p->text;
    assert_true(km_paying_next(&rest, &paying));
    assert_int_equal(paying.length_s, 0);
    assert_true(km_paying_next(&rest, &paying));
    assert_int_equal(paying.length_s, 86400);
    assert_int_equal(paying.end_us, km_time_budget_reset(NOW, 86400));
    q = km_payers_of_text(table, p->text);
    assert_int_equal(q->n, 3);
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(q->v[i].purse, p->v[i].purse);
    km_payers_free(q);
    km_accounts_del(table, KM_ACCOUNT_MEMBER, KM_STR("u"), KM_STR("t"));
    q = km_payers_of_text(table, p->text);
    assert_int_equal(q->n, 2);
    km_payers_free(q);
    assert_null(km_payers_of_text(table, KM_STR("nonsense")));
    km_payers_free(p);
    km_key_unref(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(a_key_of_no_account_has_no_payers),
        TEST(who_has_no_money_is_named_and_nothing_is_taken),
        TEST(all_pay_the_same),
        TEST(a_top_up_is_of_all_or_none),
        TEST(limits_are_each_accounts_own),
        TEST(who_is_blocked_is_refused),
        TEST(a_key_may_use_what_its_team_may),
        TEST(a_text_leads_to_the_same_purses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
