/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/encode.h"
#include "store/holds.h"
#include "store/payers.h"
#include "support.h"

#define MINUTE INT64_C(60000000)
#define DAY_S 86400

/* A team without windows, and a tag of a day. */
static const char both[] = "4\x1ft1\x1f\x1f\x1f\x1e"
                           "0\x1e"
                           "0\x1d"
                           "8\x1fred\x1f\x1f\x1f\x1e"
                           "86400\x1e"
                           "86400000000\x1d";
static const char team[] = "4\x1ft1\x1f\x1f\x1f\x1e"
                           "0\x1e"
                           "0\x1d";

static void begin(struct place *p)
{
    place_init(p);
    p->settings.crash_hold_ms = 600000;
    place_open(p);
    add_key(p, 1);
    add_key(p, 2);
}

static struct km_ledger_entry paid(struct place *p, uint8_t key, const char *payers, int64_t cost)
{
    struct km_ledger_entry e = entry(p, key, cost);

    e.payers = km_str_c(payers);
    return e;
}

static void book(struct place *p, const struct km_ledger_entry *e)
{
    settle(p, e);
    sync_store(p);
}

static void crash(struct place *p)
{
    sync_store(p);
    place_close(p);
    place_open(p);
}

static int64_t spent(struct place *p, const char *name, int64_t end_us)
{
    char sql[256];

    (void)snprintf(sql, sizeof sql,
                   "SELECT coalesce(sum(spend), 0) FROM purse_spend JOIN purses ON id = purse"
                   " WHERE name = '%s' AND (%lld < 0 OR purse_spend.end_us = %lld)",
                   name, (long long)end_us, (long long)end_us);
    return number(p->db, sql);
}

#define TEAM "4\x1ft1\x1f\x1f\x1f"
#define TAG "8\x1fred\x1f\x1f\x1f"

static int64_t sum_by(struct place *p, const char *name)
{
    char sql[256];

    (void)snprintf(sql, sizeof sql,
                   "SELECT coalesce(sum(cost), 0) FROM daily JOIN payer_purses ON payer = key"
                   " JOIN purses u ON u.id = purse WHERE u.name = '%s'",
                   name);
    return number(p->db, sql);
}

static void what_keys_pay_their_accounts_pay(void **state)
{
    struct km_ledger_entry e;
    struct place p;

    (void)state;
    begin(&p);
    e = paid(&p, 1, both, 5);
    book(&p, &e);
    book(&p, &e); /* the same call again is nothing */
    e = paid(&p, 1, team, 7);
    book(&p, &e);
    e = paid(&p, 2, both, 11);
    book(&p, &e);
    e = paid(&p, 2, "", 13);
    book(&p, &e);
    assert_int_equal(spent(&p, TEAM, 0), 23);
    assert_int_equal(spent(&p, TAG, km_time_budget_reset(e.start_us, DAY_S)), 16);
    assert_int_equal(number(p.db, "SELECT sum(spend) FROM keys"), 36);
    assert_int_equal(number(p.db, "SELECT sum(cost) FROM daily"), 36);
    /* Whatever is summed by the number is summed by all who pay. */
    assert_int_equal(sum_by(&p, TEAM), 23);
    assert_int_equal(sum_by(&p, TAG), 16);
    assert_int_equal(number(p.db, "SELECT count(*) FROM payers"), 3);
    place_done(&p);
}

static void rows_say_the_key_itself(void **state)
{
    struct km_spend_query q = { .by_key = true, .key_hash = { 1 } };
    struct km_ledger_entry e;
    char hash[65];
    struct place p;

    (void)state;
    begin(&p);
    e = paid(&p, 1, both, 5);
    book(&p, &e);
    memcpy(q.key_hash, e.key_hash, 32);
    km_store_spend_logs(p.store, p.reply, &q, on_json, &p);
    assert_int_equal(answer(&p), 0);
    km_hex(hash, e.key_hash, 32);
    assert_non_null(strstr(km_buf_cstr(&p.json), hash));
    q.summarize = true;
    km_store_spend_logs(p.store, p.reply, &q, on_json, &p);
    assert_int_equal(answer(&p), 0);
    assert_non_null(strstr(km_buf_cstr(&p.json), hash));
    place_done(&p);
}

struct seen {
    int n;
    char text[256];
    int64_t amount;
};

static void see_hold(void *ctx, const struct km_spend_hold *hold)
{
    struct seen *s = ctx;

    s->n++;
    s->amount += hold->amount;
    (void)snprintf(s->text, sizeof s->text, "%.*s", KM_STR_ARG(hold->payer.text));
}

static void see_correction(void *ctx, const struct km_correction *c)
{
    struct seen *s = ctx;

    s->n++;
    s->amount += c->more;
    (void)snprintf(s->text, sizeof s->text, "%.*s", KM_STR_ARG(c->payer.text));
}

static void a_crash_charges_and_holds_for_all_who_pay(void **state)
{
    struct seen seen = { 0 };
    struct km_ledger_entry e;
    struct place p;

    (void)state;
    begin(&p);
    e = paid(&p, 1, both, USD / 25);
    e.reserved = USD / 10;
    e.attempt = 1;
    e.end_us = 0;
    e.deadline_us = e.start_us + MINUTE;
    intend(&p, &e);
    crash(&p);
    assert_int_equal(spent(&p, TEAM, 0), USD / 25);
    assert_int_equal(spent(&p, TAG, -1), USD / 25);
    assert_int_equal(number(p.db, "SELECT spend FROM keys WHERE spend > 0"), USD / 25);
    assert_int_equal(km_store_holds(p.store, see_hold, &seen, NULL), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.amount, USD / 10 - USD / 25);
    assert_string_equal(seen.text, both);
    crash(&p); /* once */
    assert_int_equal(spent(&p, TEAM, 0), USD / 25);
    place_done(&p);
}

static void a_correction_is_of_all_who_pay(void **state)
{
    struct seen seen = { 0 };
    const struct km_store_books books = { .ctx = &seen, .corrected = see_correction };
    struct km_ledger_entry e;
    struct place p;

    (void)state;
    begin(&p);
    km_store_use_books(p.store, &books);
    e = paid(&p, 1, both, 50);
    book(&p, &e);
    km_store_spend_correct(p.store, p.reply, &e.id, 20, KM_STR("bill"), KM_STR("local:0"), on_json,
                           &p);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(spent(&p, TEAM, 0), 20);
    assert_int_equal(spent(&p, TAG, -1), 20);
    assert_int_equal(sum_by(&p, TEAM), 20);
    assert_int_equal(number(p.db, "SELECT sum(spend) FROM keys"), 20);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.amount, -30);
    assert_string_equal(seen.text, both);
    place_done(&p);
}

static void define(struct place *p, const char *name, int64_t length_s, int64_t end_us, bool fresh)
{
    const struct km_paying paying = { km_str_c(name), length_s, end_us, fresh };

    km_store_purses_define(p->store, &paying, 1);
    sync_store(p);
}

static void see_purse(void *ctx, const struct km_paying *purse, int64_t end_us, int64_t spend)
{
    struct seen *s = ctx;

    s->n++;
    s->amount += spend;
    (void)snprintf(s->text, sizeof s->text, "%.*s %lld %lld", KM_STR_ARG(purse->name),
                   (long long)purse->length_s, (long long)end_us);
}

static void other_windows_take_along_what_is_spent(void **state)
{
    const int64_t now_us = km_wall_us();
    struct seen seen = { 0 };
    struct km_ledger_entry e;
    struct place p;

    (void)state;
    begin(&p);
    e = paid(&p, 1, both, 5);
    book(&p, &e);
    define(&p, TAG, DAY_S, km_time_budget_reset(now_us, DAY_S), false); /* as it is */
    assert_int_equal(spent(&p, TAG, km_time_budget_reset(now_us, DAY_S)), 5);
    define(&p, TAG, 7 * DAY_S, km_time_budget_reset(now_us, 7 * DAY_S), false);
    assert_int_equal(spent(&p, TAG, km_time_budget_reset(now_us, 7 * DAY_S)), 5);
    book(&p, &e);
    e = paid(&p, 1, both, 6); /* says a day: what was defined counts */
    book(&p, &e);
    assert_int_equal(spent(&p, TAG, km_time_budget_reset(now_us, 7 * DAY_S)), 11);
    define(&p, TAG, 0, 0, false);
    assert_int_equal(spent(&p, TAG, 0), 11);
    assert_int_equal(spent(&p, TAG, -1), 11);
    assert_int_equal(km_store_purses(p.store, see_purse, &seen, NULL), 0);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.amount, 22);
    define(&p, TAG, 0, 0, true); /* another one of that name */
    assert_int_equal(spent(&p, TAG, -1), 0);
    assert_int_equal(spent(&p, TEAM, 0), 11);
    place_done(&p);
}

/* A key with a new secret: calls under the old one, with their accounts, pay into the new. */
static void a_new_secret_keeps_who_pays(void **state)
{
    struct km_audit audit = {
        .actor = KM_STR("x"), .action = KM_STR("y"), .target = KM_STR("z"), .detail = KM_STR("{}")
    };
    struct km_key_row row = key_row(9);
    struct km_ledger_entry e;
    struct place p;

    (void)state;
    begin(&p);
    e = paid(&p, 1, both, 5);
    book(&p, &e);
    km_store_key_replace(p.store, p.reply, e.key_hash, &row, &audit, on_done, &p);
    assert_int_equal(answer(&p), 0);
    e = paid(&p, 1, both, 6);
    book(&p, &e);
    e = paid(&p, 9, both, 7);
    book(&p, &e);
    assert_int_equal(number(p.db, "SELECT sum(spend) FROM keys"), 18);
    assert_int_equal(spent(&p, TEAM, 0), 18);
    place_done(&p);
}

static void a_text_reads_as_it_was_written(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    struct km_paying p = { .name = KM_STR("a"), .length_s = 5, .end_us = 7 };
    struct km_str rest;

    (void)state;
    km_paying_write(&p, &out);
    p.name = KM_STR("4\x1ft\x1f\x1f\x1f");
    p.end_us = -1;
    km_paying_write(&p, &out);
    rest = km_buf_view(&out);
    assert_true(km_paying_next(&rest, &p));
    assert_true(km_str_eq(p.name, KM_STR("a")));
    assert_int_equal(p.length_s, 5);
    assert_true(km_paying_next(&rest, &p));
    assert_int_equal(p.end_us, -1);
    assert_false(km_paying_next(&rest, &p));
    for (size_t n = 0; n < out.n; n++) { /* cut anywhere: what is whole, and no more */
        size_t seen = 0;

        rest = km_str_sub(km_buf_view(&out), 0, n);
        while (km_paying_next(&rest, &p))
            seen++;
        assert_true(seen <= 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_keys_pay_their_accounts_pay),
        cmocka_unit_test(rows_say_the_key_itself),
        cmocka_unit_test(a_crash_charges_and_holds_for_all_who_pay),
        cmocka_unit_test(a_correction_is_of_all_who_pay),
        cmocka_unit_test(other_windows_take_along_what_is_spent),
        cmocka_unit_test(a_new_secret_keeps_who_pays),
        cmocka_unit_test(a_text_reads_as_it_was_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
