/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "admin/daily_sum.h"
#include "http/json.h"
#include "policy/purse.h"

struct fixture {
    struct km_accounts *accounts;
    struct km_arena arena;
    struct km_buf out, payers;
    const struct km_json *answer;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->accounts = km_accounts_new(16);
    km_arena_init(&f->arena, 16 << 20, NULL);
    km_buf_init(&f->out, 1 << 20);
    km_buf_init(&f->payers, 1 << 16);
    *state = f;
    return f->accounts ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_accounts_free(f->accounts);
    km_arena_done(&f->arena);
    km_buf_done(&f->out);
    km_buf_done(&f->payers);
    free(f);
    return 0;
}

static void add_payer(struct fixture *f, enum km_account_kind kind, const char *id,
                      const char *window, const char *model)
{
    const struct km_purse_words words = {
        .kind = kind, .id = km_str_c(id), .window = km_str_c(window), .model = km_str_c(model)
    };
    char name[KM_PURSE_NAME];
    const struct km_paying paying = { .name = km_str(name, km_purse_name(&words, name)) };

    km_paying_write(&paying, &f->payers);
}

static struct km_daily_row row_of(struct fixture *f, int64_t day, int64_t cost)
{
    return (struct km_daily_row){ .day = day,
                                  .hash = KM_STR("01234567890123456789012345678901"),
                                  .model = KM_STR("o/m"),
                                  .group = KM_STR("g"),
                                  .provider = KM_STR("o"),
                                  .payers = km_buf_view(&f->payers),
                                  .calls = 1,
                                  .prompt = 2,
                                  .completion = 3,
                                  .cost = cost };
}

static void read_answer(struct fixture *f)
{
    assert_int_equal(km_json_parse(&f->arena, km_buf_view(&f->out), &f->answer, NULL), 0);
}

static void assert_number(const struct km_json *v, const char *wanted)
{
    struct km_str text;

    assert_true(km_json_number(v, &text));
    assert_true(km_str_eq(text, km_str_c(wanted)));
}

static void a_row_of_two_entities_is_in_each_and_once_in_the_day(void **state)
{
    struct fixture *f = *state;
    const struct km_daily_scope scope = { .kind = KM_ACCOUNT_TAG, .page = 1, .page_size = 10 };
    struct km_daily_sum *s = km_daily_sum_new(&scope, f->accounts);
    struct km_daily_row row;
    struct km_json_iter it;
    struct km_str key;
    const struct km_json *day, *entities;

    add_payer(f, KM_ACCOUNT_TAG, "a", "", "");
    add_payer(f, KM_ACCOUNT_TAG, "a", "24h", ""); /* the same account's further purses */
    add_payer(f, KM_ACCOUNT_TAG, "a", "", "o/m");
    add_payer(f, KM_ACCOUNT_TAG, "b", "", "");
    add_payer(f, KM_ACCOUNT_TEAM, "t", "", "");
    row = row_of(f, 20000, 1);
    for (int i = 0; i < 3; i++) /* 0.1 + 0.2 would be no 0.3 of floats */
        assert_int_equal(km_daily_sum_row(s, &row, &f->out, NULL), 0);
    assert_int_equal(km_daily_sum_end(s, &f->out, NULL), 0);
    read_answer(f);
    km_json_iter(km_json_get(f->answer, "results"), &it);
    assert_true(km_json_next(&it, &key, &day));
    assert_number(km_json_get(km_json_get(day, "metrics"), "spend"), "0.000000003");
    entities = km_json_get(km_json_get(day, "breakdown"), "entities");
    assert_int_equal(km_json_count(entities), 2);
    assert_number(km_json_get(km_json_get(km_json_get(entities, "a"), "metrics"), "spend"),
                  "0.000000003");
    assert_number(km_json_get(km_json_get(f->answer, "metadata"), "total_spend"), "0.000000003");
    km_daily_sum_free(s);
}

static void pages_are_of_days_that_have_rows(void **state)
{
    struct fixture *f = *state;

    add_payer(f, KM_ACCOUNT_TEAM, "t", "", "");
    for (size_t page = 1; page <= 3; page++) {
        const struct km_daily_scope scope = { .kind = KM_ACCOUNT_TEAM,
                                              .page = page,
                                              .page_size = 2 };
        struct km_daily_sum *s = km_daily_sum_new(&scope, f->accounts);
        const struct km_json *meta;
        bool more;

        km_buf_reset(&f->out);
        for (int64_t day = 20008; day >= 20000; day -= 4) { /* three */
            struct km_daily_row row = row_of(f, day, 1000);

            assert_int_equal(km_daily_sum_row(s, &row, &f->out, NULL), 0);
        }
        assert_int_equal(km_daily_sum_end(s, &f->out, NULL), 0);
        km_daily_sum_free(s);
        read_answer(f);
        meta = km_json_get(f->answer, "metadata");
        assert_int_equal(km_json_count(km_json_get(f->answer, "results")), page == 1   ? 2
                                                                           : page == 2 ? 1
                                                                                       : 0);
        assert_number(km_json_get(meta, "total_pages"), "2");
        assert_true(km_json_bool(km_json_get(meta, "has_more"), &more));
        assert_int_equal(more, page == 1);
    }
}

static void without_an_account_that_paid_the_key_says_whose_it_is(void **state)
{
    struct fixture *f = *state;
    const struct km_str ids[] = { KM_STR("u") };
    const struct km_daily_scope scope = {
        .kind = KM_ACCOUNT_USER, .ids = ids, .nids = 1, .page = 1, .page_size = 1
    };
    struct km_daily_sum *s = km_daily_sum_new(&scope, f->accounts);
    struct km_daily_row row = row_of(f, 20000, 5);

    assert_int_equal(km_daily_sum_row(s, &row, &f->out, NULL), 0); /* nobody's */
    row.key_user = KM_STR("v");
    assert_int_equal(km_daily_sum_row(s, &row, &f->out, NULL), 0);
    row.key_user = KM_STR("u");
    assert_int_equal(km_daily_sum_row(s, &row, &f->out, NULL), 0);
    add_payer(f, KM_ACCOUNT_USER, "v", "", ""); /* who paid goes before what the key is now */
    row.payers = km_buf_view(&f->payers);
    assert_int_equal(km_daily_sum_row(s, &row, &f->out, NULL), 0);
    assert_int_equal(km_daily_sum_end(s, &f->out, NULL), 0);
    read_answer(f);
    assert_number(km_json_get(km_json_get(f->answer, "metadata"), "total_api_requests"), "1");
    km_daily_sum_free(s);
}

static void a_sum_that_is_not_ended_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    const struct km_daily_scope scope = { .kind = KM_ACCOUNT_TEAM, .page = 1, .page_size = 1 };
    struct km_daily_sum *s = km_daily_sum_new(&scope, f->accounts);
    struct km_daily_row row;

    add_payer(f, KM_ACCOUNT_TEAM, "t", "", "");
    row = row_of(f, 20000, 5);
    assert_int_equal(km_daily_sum_row(s, &row, &f->out, NULL), 0);
    km_daily_sum_free(s);
}

static void a_purses_name_reads_as_it_was_written(void **state)
{
    const struct km_purse_words words = { KM_ACCOUNT_BUDGET, KM_STR("i d"), KM_STR("of"),
                                          KM_STR("o/m"), KM_STR("24h") };
    struct km_purse_words read;
    char name[KM_PURSE_NAME];
    size_t n = km_purse_name(&words, name);

    (void)state;
    assert_true(km_purse_name_read(km_str(name, n), &read));
    assert_int_equal(read.kind, KM_ACCOUNT_BUDGET);
    assert_true(km_str_eq(read.id, words.id) && km_str_eq(read.of, words.of) &&
                km_str_eq(read.model, words.model) && km_str_eq(read.window, words.window));
    assert_false(km_purse_name_read(KM_STR("x\x1f"), &read));
    assert_false(km_purse_name_read(KM_STR("99\x1f"
                                           "a"),
                                    &read));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_row_of_two_entities_is_in_each_and_once_in_the_day),
        TEST(pages_are_of_days_that_have_rows),
        TEST(without_an_account_that_paid_the_key_says_whose_it_is),
        TEST(a_sum_that_is_not_ended_leaves_nothing),
        cmocka_unit_test(a_purses_name_reads_as_it_was_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
