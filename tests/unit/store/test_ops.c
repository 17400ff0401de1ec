/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/key_row.h"
#include "support.h"

static struct km_key_row full_row(void)
{
    static const struct km_str models[] = { { "gpt-4o", 6 },
                                            { "we\"ird\\\n\x01 name", 13 },
                                            { "openai/*", 8 } };
    struct km_key_row row = key_row(5);

    row.alias = KM_STR("team \"a\"");
    row.models = (struct km_str_list){ models, 3 };
    row.user_id = KM_STR("u1");
    row.team_id = KM_STR("t1");
    row.metadata = KM_STR("{\"a\":1}");
    row.extra = KM_STR("{\"tags\":[]}");
    row.max_budget = 5 * USD;
    row.soft_budget = 4 * USD;
    row.budget_duration_s = 86400;
    row.budget_duration = KM_STR("1d");
    row.budget_reset_us = 1000;
    row.rpm = 10;
    row.tpm = 20;
    row.max_parallel = 30;
    row.expires_us = 40;
    row.created_us = 50;
    row.updated_us = 60;
    row.created_by = KM_STR("master");
    row.updated_by = KM_STR("local:0");
    row.blocked = true;
    row.spend = 77;
    return row;
}

struct seen {
    int n;
    struct km_key_row *row;
};

static void on_key(void *ctx, const struct km_key_row *row)
{
    struct seen *seen = ctx;

    seen->n++;
    km_key_row_free(seen->row);
    seen->row = km_key_row_new(row);
}

static struct km_key_row *load(struct place *p, int expected)
{
    struct seen seen = { 0 };

    assert_int_equal(km_store_keys(p->store, on_key, &seen, NULL), 0);
    assert_int_equal(seen.n, expected);
    return seen.row;
}

#define SAME_TEXT(field) assert_true(km_str_eq(row->field, want.field))
#define SAME_NUMBER(field) assert_int_equal(row->field, want.field)

static void a_key_comes_back_as_it_went(void **state)
{
    struct place p;
    struct km_key_row want = full_row(), *row;

    (void)state;
    place_begin(&p);
    put_key(&p, &want, true);
    assert_int_equal(answer(&p), 0);
    place_close(&p);
    place_open(&p);
    row = load(&p, 1);
    assert_memory_equal(row->hash, want.hash, 32);
    SAME_TEXT(name);
    SAME_TEXT(alias);
    SAME_TEXT(user_id);
    SAME_TEXT(team_id);
    SAME_TEXT(metadata);
    SAME_TEXT(extra);
    SAME_TEXT(budget_duration);
    SAME_TEXT(created_by);
    SAME_TEXT(updated_by);
    SAME_NUMBER(max_budget);
    SAME_NUMBER(soft_budget);
    SAME_NUMBER(budget_duration_s);
    SAME_NUMBER(budget_reset_us);
    SAME_NUMBER(rpm);
    SAME_NUMBER(tpm);
    SAME_NUMBER(max_parallel);
    SAME_NUMBER(expires_us);
    SAME_NUMBER(created_us);
    SAME_NUMBER(updated_us);
    SAME_NUMBER(spend);
    SAME_NUMBER(blocked);
    assert_int_equal(row->models.n, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(km_str_eq(row->models.v[i], want.models.v[i]));
    km_key_row_free(row);
    place_done(&p);
}

static void an_update_leaves_spend_and_a_turned_window_alone(void **state)
{
    struct place p;
    struct km_key_row row = full_row(), *back;

    (void)state;
    place_begin(&p);
    put_key(&p, &row, true);
    assert_int_equal(answer(&p), 0);
    km_store_key_reset(p.store, p.reply, row.hash, 5000, on_done, &p);
    assert_int_equal(answer(&p), 0);
    row.spend = 1000000;
    row.alias = KM_STR("new"); /* with the old reset time still in it */
    put_key(&p, &row, false);
    assert_int_equal(answer(&p), 0);
    back = load(&p, 1);
    assert_int_equal(back->spend, 0);
    assert_int_equal(back->budget_reset_us, 5000);
    assert_true(km_str_eq(back->alias, KM_STR("new")));
    km_key_row_free(back);
    row.budget_duration_s = 10; /* another length: its own window */
    put_key(&p, &row, false);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(number(p.db, "SELECT budget_reset_us FROM keys"), 1000);
    place_done(&p);
}

static void impossible_changes_are_answered_and_spoil_nothing(void **state)
{
    struct place p;
    struct km_key_row row = key_row(1), other = key_row(2);

    (void)state;
    place_begin(&p);
    put_key(&p, &row, false);
    assert_int_equal(answer(&p), KM_E_NOT_FOUND);
    put_key(&p, &row, true);
    assert_int_equal(answer(&p), 0);
    /* One commit, the first of the two impossible. */
    put_key(&p, &row, true);
    put_key(&p, &other, true);
    while (p.answers < 4)
        answer(&p);
    assert_int_equal(p.codes[2], KM_E_EXISTS);
    assert_int_equal(p.codes[3], 0);
    km_store_key_delete(p.store, p.reply, row.hash, NULL, on_done, &p);
    assert_int_equal(answer(&p), 0);
    km_store_key_delete(p.store, p.reply, row.hash, NULL, on_done, &p);
    assert_int_equal(answer(&p), KM_E_NOT_FOUND);
    assert_int_equal(number(p.db, "SELECT count(*) FROM keys"), 1);
    /* Only what happened is in the audit chain. */
    assert_int_equal(number(p.db, "SELECT count(*) FROM audit"), 2);
    assert_true(km_store_healthy(p.store));
    place_done(&p);
}

static int replace(struct place *p, uint8_t old, uint8_t fresh)
{
    struct km_key_row row = key_row(fresh);
    const struct km_audit audit = { .actor = KM_STR("local:0"), .action = KM_STR("key.replace") };
    uint8_t hash[32];

    memset(hash, old, sizeof hash);
    km_store_key_replace(p->store, p->reply, hash, &row, &audit, on_done, p);
    return answer(p);
}

static void spend_of(struct place *p, uint8_t key, int64_t cost)
{
    struct km_ledger_entry e = entry(p, key, cost);

    settle(p, &e);
}

#define SPEND(key) "SELECT spend FROM keys WHERE hash = x'" key "'"
#define HASH(two) two two two two two two two two two two two two two two two two
#define HASH32(two) HASH(two) HASH(two)

static void a_new_secret_takes_the_row_over_and_what_is_still_spent_under_the_old(void **state)
{
    struct place p;
    struct km_key_row row = key_row(1);

    (void)state;
    place_begin(&p);
    put_key(&p, &row, true);
    assert_int_equal(answer(&p), 0);
    spend_of(&p, 1, 100);
    assert_int_equal(replace(&p, 1, 2), 0); /* in one commit with that call, or after it */
    spend_of(&p, 1, 10); /* it ran when the secret was changed */
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM keys"), 1);
    assert_int_equal(number(p.db, SPEND(HASH32("02"))), 110);
    assert_int_equal(replace(&p, 2, 3), 0);
    spend_of(&p, 1, 1);
    spend_of(&p, 2, 1);
    spend_of(&p, 3, 1);
    sync_store(&p);
    assert_int_equal(number(p.db, SPEND(HASH32("03"))), 113);
    put_key(&p, &row, true); /* the first secret again: another key */
    assert_int_equal(answer(&p), 0);
    spend_of(&p, 1, 7);
    sync_store(&p);
    assert_int_equal(number(p.db, SPEND(HASH32("01"))), 7);
    assert_int_equal(number(p.db, SPEND(HASH32("03"))), 113);
    place_done(&p);
}

static void a_secret_that_cannot_be_changed_stays_as_it_is(void **state)
{
    struct place p;
    struct km_key_row row = key_row(1), other = key_row(2);

    (void)state;
    place_begin(&p);
    put_key(&p, &row, true);
    assert_int_equal(answer(&p), 0);
    put_key(&p, &other, true);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(replace(&p, 1, 2), KM_E_NOT_FOUND); /* it exists */
    assert_int_equal(replace(&p, 9, 3), KM_E_NOT_FOUND);
    spend_of(&p, 1, 10);
    sync_store(&p);
    assert_int_equal(number(p.db, SPEND(HASH32("01"))), 10);
    assert_int_equal(number(p.db, SPEND(HASH32("02"))), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM audit WHERE action = 'key.replace'"), 0);
    place_done(&p);
}

struct prices {
    int n;
    char last[64];
};

static void on_price(void *ctx, const struct km_price_row *row)
{
    struct prices *seen = ctx;

    seen->n++;
    (void)snprintf(seen->last, sizeof seen->last, "%.*s|%.*s|%.*s", KM_STR_ARG(row->source),
                   KM_STR_ARG(row->model), KM_STR_ARG(row->json));
}

static void prices_of_a_source_are_replaced_whole_and_keep_their_order(void **state)
{
    struct place p;
    struct prices seen = { 0 };
    struct km_price_row first[] = { { KM_STR("z/*"), KM_STR("a"), KM_STR("{}") },
                                    { KM_STR("b"), KM_STR("a"), KM_STR("{}") } };
    struct km_price_row other[] = { { KM_STR("x"), KM_STR("file2"), KM_STR("{}") } };
    struct km_price_row again[] = { { KM_STR("m"), KM_STR("a"), KM_STR("{1}") },
                                    { KM_STR("c"), KM_STR("a"), KM_STR("{2}") } };

    (void)state;
    place_begin(&p);
    km_store_prices_put(p.store, p.reply, first, 2, NULL, on_done, &p);
    assert_int_equal(answer(&p), 0);
    km_store_prices_put(p.store, p.reply, other, 1, NULL, on_done, &p);
    assert_int_equal(answer(&p), 0);
    km_store_prices_put(p.store, p.reply, again, 2, NULL, on_done, &p);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(km_store_prices(p.store, on_price, &seen, NULL), 0);
    assert_int_equal(seen.n, 3);
    assert_string_equal(seen.last, "a|c|{2}");
    place_done(&p);
}

static void a_list_of_models_that_is_none_is_refused(void **state)
{
    static const char *const texts[] = { "",     "[",   "]",      "{}",       "[a]", "[\"a]",
                                         "[\"a", "[1]", "[\"a\"", "[\"\\\"]", "[[]]" };
    struct km_str *v;
    size_t n;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(km_key_models_parse(km_str_c(texts[i]), &v, &n), KM_E_INVALID);
    assert_int_equal(km_key_models_parse(KM_STR("[]"), &v, &n), 0);
    assert_int_equal(n, 0);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_comes_back_as_it_went),
        cmocka_unit_test(an_update_leaves_spend_and_a_turned_window_alone),
        cmocka_unit_test(impossible_changes_are_answered_and_spoil_nothing),
        cmocka_unit_test(a_new_secret_takes_the_row_over_and_what_is_still_spent_under_the_old),
        cmocka_unit_test(a_secret_that_cannot_be_changed_stays_as_it_is),
        cmocka_unit_test(prices_of_a_source_are_replaced_whole_and_keep_their_order),
        cmocka_unit_test(a_list_of_models_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
