/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/holds.h"
#include "support.h"

#define MINUTE INT64_C(60000000)

/* Of a budget of 1 USD: a call that has reserved 0.1 and would cost 0.04 if nothing more is heard.
 * */
static struct km_ledger_entry sent(struct place *p, uint8_t key, int64_t more_us)
{
    struct km_ledger_entry e = entry(p, key, USD / 25);

    e.reserved = USD / 10;
    e.attempt = 1;
    e.completion_tokens = 3;
    e.end_us = 0;
    e.deadline_us = more_us ? e.start_us + more_us : 0;
    return e;
}

static void begin(struct place *p)
{
    place_init(p);
    p->settings.crash_hold_ms = 600000;
    place_open(p);
    add_key(p, 1);
}

static void crash(struct place *p)
{
    sync_store(p);
    place_close(p);
    place_open(p);
}

static const char *list(struct place *p)
{
    km_store_holds_list(p->store, p->reply, on_json, p);
    assert_int_equal(answer(p), 0);
    return km_buf_cstr(&p->json);
}

static int release(struct place *p, const struct km_spend_hold_which *which)
{
    km_store_holds_release(p->store, p->reply, which, KM_STR("local:0"), KM_STR("all"), on_json, p);
    return answer(p);
}

static int correct(struct place *p, const struct km_uuid *id, int64_t cost)
{
    km_store_spend_correct(p->store, p->reply, id, cost, KM_STR("the \"bill\""), KM_STR("local:0"),
                           on_json, p);
    return answer(p);
}

struct seen {
    int holds, charges, releases, corrections;
    int64_t held, charged, released, more;
    struct km_spend_hold last;
};

static void see_hold(void *ctx, const struct km_spend_hold *hold)
{
    struct seen *s = ctx;

    s->holds++;
    s->held += hold->amount;
    s->last = *hold;
}

static void see_charge(void *ctx, const struct km_open_charge *c)
{
    struct seen *s = ctx;

    s->charges++;
    s->charged += c->cost;
    s->held += c->hold.amount;
}

static void see_release(void *ctx, const struct km_spend_hold *hold)
{
    struct seen *s = ctx;

    s->releases++;
    s->released += hold->amount;
    s->last = *hold;
}

static void see_correction(void *ctx, const struct km_correction *c)
{
    struct seen *s = ctx;

    s->corrections++;
    s->more += c->more;
}

static struct seen loaded(struct place *p)
{
    struct seen s = { 0 };

    assert_int_equal(km_store_holds(p->store, see_hold, &s, NULL), 0);
    return s;
}

/* --- what a crash leaves --- */

static void a_crash_charges_what_was_known_and_holds_the_rest(void **state)
{
    struct km_ledger_entry e;
    struct seen seen;
    struct place p;

    (void)state;
    begin(&p);
    e = sent(&p, 1, MINUTE);
    intend(&p, &e);
    crash(&p);
    assert_int_equal(number(p.db, "SELECT cost FROM spend WHERE flags & 10 = 10"), USD / 25);
    assert_int_equal(number(p.db, "SELECT prompt_tokens FROM spend"), 10);
    assert_int_equal(number(p.db, "SELECT completion_tokens FROM spend"), 3);
    assert_int_equal(number(p.db, "SELECT spend FROM keys"), USD / 25);
    assert_int_equal(number(p.db, "SELECT sum(cost) FROM daily"), USD / 25);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    seen = loaded(&p);
    assert_int_equal(seen.holds, 1);
    assert_int_equal(seen.held, USD / 10 - USD / 25);
    assert_int_equal(seen.last.until_us, e.deadline_us);
    assert_memory_equal(seen.last.payer.heir, e.key_hash, 32);
    assert_non_null(strstr(list(&p), "\"model_id\":\"d1\""));
    assert_non_null(strstr(km_buf_cstr(&p.json), "\"amount\":0.06}"));
    crash(&p); /* nothing is left to charge */
    assert_int_equal(number(p.db, "SELECT spend FROM keys"), USD / 25);
    assert_int_equal(loaded(&p).holds, 1);
    place_done(&p);
}

static void no_more_is_charged_than_was_reserved(void **state)
{
    struct km_ledger_entry e, free_of;
    struct place p;

    (void)state;
    begin(&p);
    e = sent(&p, 1, MINUTE);
    e.cost = USD;
    intend(&p, &e);
    free_of = sent(&p, 1, MINUTE); /* as under litellm's budgets: nothing was reserved */
    free_of.reserved = 0;
    intend(&p, &free_of);
    crash(&p);
    assert_int_equal(number(p.db, "SELECT max(cost) FROM spend"), USD / 10);
    assert_int_equal(number(p.db, "SELECT min(cost) FROM spend"), USD / 25);
    assert_int_equal(loaded(&p).holds, 0);
    place_done(&p);
}

static void a_hold_ends_with_its_call_or_after_the_time_that_is_set(void **state)
{
    static const struct {
        int64_t deadline_us, hold_ms, holds, lasts_us;
    } cases[] = {
        { MINUTE, 600000, 1, MINUTE }, { 60 * MINUTE, 600000, 1, 10 * MINUTE },
        { 0, 600000, 1, 10 * MINUTE }, { -MINUTE, 600000, 0, 0 },
        { MINUTE, 0, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_ledger_entry e;
        struct seen seen;
        struct place p;

        begin(&p);
        p.settings.crash_hold_ms = cases[i].hold_ms;
        e = sent(&p, 1, cases[i].deadline_us);
        intend(&p, &e);
        crash(&p);
        seen = loaded(&p);
        assert_int_equal(seen.holds, cases[i].holds);
        if (seen.holds && cases[i].deadline_us == MINUTE)
            assert_int_equal(seen.last.until_us, e.deadline_us);
        else if (seen.holds)
            assert_int_equal(seen.last.until_us, seen.last.made_us + cases[i].lasts_us);
        place_done(&p);
    }
}

/* Of no key, or of one that is gone, there is no budget to keep it from. */
static void nothing_is_held_of_no_key(void **state)
{
    const struct km_audit audit = { .actor = KM_STR("test"), .action = KM_STR("key.delete") };
    struct km_ledger_entry e;
    struct km_key_row row;
    struct place p;

    (void)state;
    begin(&p);
    e = sent(&p, 9, MINUTE);
    intend(&p, &e);
    row = add_key(&p, 2);
    e = sent(&p, 2, MINUTE);
    intend(&p, &e);
    crash(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 2);
    assert_int_equal(loaded(&p).holds, 1);
    km_store_key_delete(p.store, p.reply, row.hash, &audit, on_done, &p);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM holds"), 0);
    place_done(&p);
}

static void a_hold_is_its_keys_whatever_its_secret_is(void **state)
{
    const struct km_audit audit = { .actor = KM_STR("test"), .action = KM_STR("key.regenerate") };
    struct km_key_row heir = key_row(2);
    struct km_ledger_entry e;
    struct seen seen;
    struct place p;
    uint8_t old[32];

    (void)state;
    begin(&p);
    e = sent(&p, 1, MINUTE);
    intend(&p, &e);
    crash(&p);
    memset(old, 1, sizeof old);
    km_store_key_replace(p.store, p.reply, old, &heir, &audit, on_done, &p);
    assert_int_equal(answer(&p), 0);
    seen = loaded(&p);
    assert_memory_equal(seen.last.payer.hash, old, 32);
    assert_memory_equal(seen.last.payer.heir, heir.hash, 32);
    assert_non_null(strstr(list(&p), "\"api_key\":\"0202"));
    place_done(&p);
}

/* A program that knew of no open calls left these. */
static void intents_of_an_older_program_are_charged_as_reserved(void **state)
{
    struct km_ledger_entry e, late;
    struct place p;

    (void)state;
    begin(&p);
    e = sent(&p, 1, MINUTE);
    settle(&p, &e); /* so that its names have numbers */
    sync_store(&p);
    place_close(&p);
    change(p.db, "INSERT INTO intents SELECT x'0102030405060708090a0b0c0d0e0f10', key, route,"
                 " start_us, 500, flags, 'u', NULL, NULL FROM spend");
    place_open(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM intents"), 0);
    assert_int_equal(number(p.db, "SELECT cost FROM spend WHERE flags & 8"), 500);
    assert_int_equal(loaded(&p).holds, 0);
    /* One that is settled while its intent lies there, as after a hand-over. */
    late = sent(&p, 1, MINUTE);
    sync_store(&p);
    place_close(&p);
    change(p.db, "INSERT INTO intents SELECT x'0102030405060708090a0b0c0d0e0f11', key, route,"
                 " start_us, 500, flags, 'u', NULL, NULL FROM spend LIMIT 1");
    assert_int_equal(place_try_open(&p, true, NULL), 0);
    p.ledger = km_ledger_new(p.store, p.loop, p.reply, 0, NULL);
    memcpy(late.id.b, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x11", 16);
    late.cost = 7;
    settle(&p, &late);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM intents"), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend WHERE cost = 7"), 1);
    place_done(&p);
}

/* Of a later program, or damaged. */
static void a_state_that_does_not_read_is_charged_as_reserved(void **state)
{
    struct km_ledger_entry e;
    struct place p;

    (void)state;
    begin(&p);
    e = sent(&p, 1, MINUTE);
    intend(&p, &e);
    sync_store(&p);
    place_close(&p);
    change(p.db, "UPDATE open_calls SET state = x'80'");
    place_open(&p);
    assert_int_equal(number(p.db, "SELECT cost FROM spend WHERE flags & 10 = 10"), USD / 10);
    assert_int_equal(loaded(&p).holds, 0);
    place_done(&p);
}

/* A commit that was tried twice may leave an intent behind its settlement. */
static void a_call_whose_row_is_there_is_charged_nothing_more(void **state)
{
    struct km_ledger_entry e;
    struct place p;

    (void)state;
    begin(&p);
    e = sent(&p, 1, MINUTE);
    settle(&p, &e);
    sync_store(&p);
    intend(&p, &e);
    crash(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(p.db, "SELECT spend FROM keys"), USD / 25);
    assert_int_equal(loaded(&p).holds, 0);
    place_done(&p);
}

static void who_has_the_budgets_hears_of_what_a_lost_process_left(void **state)
{
    struct seen seen = { 0 };
    const struct km_store_books books = { &seen, see_charge, see_release, see_correction };
    struct km_ledger_entry e;
    struct place p;

    (void)state;
    place_init(&p);
    p.settings.crash_hold_ms = 600000;
    p.settings.queue_bytes = 1 << 26;
    place_open(&p);
    add_key(&p, 1);
    km_store_use_books(p.store, &books);
    for (int i = 0; i < 1500; i++) { /* more than a page */
        e = sent(&p, 1, MINUTE);
        intend(&p, &e);
    }
    sync_store(&p);
    km_store_charge_open(p.store, p.reply, km_wall_us() + MINUTE, on_done, &p);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(seen.charges, 1500);
    assert_int_equal(seen.charged, 1500 * (USD / 25));
    assert_int_equal(seen.held, 1500 * (USD / 10 - USD / 25));
    assert_int_equal(number(p.db, "SELECT sum(amount) FROM holds"), seen.held);
    assert_int_equal(number(p.db, "SELECT spend FROM keys"), seen.charged);
    place_done(&p);
}

/* --- released --- */

static void holds_are_released_by_call_by_key_and_all(void **state)
{
    struct seen seen = { 0 };
    const struct km_store_books books = { &seen, see_charge, see_release, see_correction };
    struct km_spend_hold_which one = { .by_id = true }, key = { .by_key = true }, all = { 0 };
    struct km_ledger_entry e[4];
    struct place p;

    (void)state;
    begin(&p);
    add_key(&p, 2);
    for (int i = 0; i < 4; i++) {
        e[i] = sent(&p, i < 3 ? 1 : 2, MINUTE);
        intend(&p, &e[i]);
    }
    crash(&p);
    km_store_use_books(p.store, &books);
    one.id = e[0].id;
    assert_int_equal(release(&p, &one), 0);
    assert_string_equal(km_buf_cstr(&p.json), "{\"released\":1,\"amount\":0.06}");
    assert_memory_equal(seen.last.id.b, e[0].id.b, 16);
    assert_int_equal(release(&p, &one), KM_E_NOT_FOUND);
    memset(key.key_hash, 1, 32);
    assert_int_equal(release(&p, &key), 0);
    assert_string_equal(km_buf_cstr(&p.json), "{\"released\":2,\"amount\":0.12}");
    assert_int_equal(release(&p, &all), 0);
    assert_int_equal(release(&p, &all), 0);
    assert_string_equal(km_buf_cstr(&p.json), "{\"released\":0,\"amount\":0}");
    assert_int_equal(seen.releases, 4);
    assert_int_equal(seen.released, 4 * (USD / 10 - USD / 25));
    assert_int_equal(number(p.db, "SELECT count(*) FROM holds"), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM audit WHERE action = 'spend.release'"), 4);
    assert_string_equal(list(&p), "{\"holds\":[],\"amount\":0}");
    place_done(&p);
}

static void what_is_over_is_told_to_nobody_and_goes(void **state)
{
    struct km_spend_hold_which all = { 0 };
    struct km_ledger_entry e;
    struct place p;

    (void)state;
    begin(&p);
    e = sent(&p, 1, MINUTE);
    intend(&p, &e);
    crash(&p);
    change(p.db, "UPDATE holds SET until_us = made_us");
    assert_int_equal(loaded(&p).holds, 0);
    assert_string_equal(list(&p), "{\"holds\":[],\"amount\":0}");
    assert_int_equal(release(&p, &all), 0);
    assert_string_equal(km_buf_cstr(&p.json), "{\"released\":0,\"amount\":0}");
    place_close(&p);
    place_open(&p);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM holds"), 0);
    place_done(&p);
}

/* --- corrected --- */

static void a_correction_moves_the_row_and_all_sums_by_the_difference(void **state)
{
    struct seen seen = { 0 };
    const struct km_store_books books = { &seen, see_charge, see_release, see_correction };
    struct km_ledger_entry e, other;
    struct place p;

    (void)state;
    begin(&p);
    e = sent(&p, 1, MINUTE);
    other = entry(&p, 1, 5);
    intend(&p, &e);
    settle(&p, &other);
    crash(&p);
    km_store_use_books(p.store, &books);
    assert_int_equal(correct(&p, &e.id, USD / 20), 0);
    assert_non_null(strstr(km_buf_cstr(&p.json), "\"spend\":0.05,\"was\":0.04}"));
    for (int i = 0; i < 2; i++) { /* the same once more changes nothing */
        assert_int_equal(number(p.db, "SELECT cost FROM spend WHERE flags & 2048"), USD / 20);
        assert_int_equal(number(p.db, "SELECT sum(cost) FROM daily"), USD / 20 + 5);
        assert_int_equal(number(p.db, "SELECT spend FROM keys"), USD / 20 + 5);
        assert_int_equal(correct(&p, &e.id, USD / 20), 0);
    }
    assert_int_equal(seen.corrections, 1);
    assert_int_equal(seen.more, USD / 20 - USD / 25);
    assert_int_equal(seen.releases, 1); /* the rest is known now */
    assert_int_equal(number(p.db, "SELECT count(*) FROM holds"), 0);
    assert_int_equal(correct(&p, &other.id, 0), 0);
    assert_int_equal(number(p.db, "SELECT spend FROM keys"), USD / 20);
    assert_int_equal(number(p.db, "SELECT count(*) FROM audit WHERE action = 'spend.correct'"
                                  " AND detail -> '$.reason' = '\"the \\\"bill\\\"\"'"),
                     4);
    other.id.b[0] ^= 1;
    assert_int_equal(correct(&p, &other.id, 1), KM_E_NOT_FOUND);
    place_done(&p);
}

static void a_correction_counts_in_the_window_its_call_was_paid_in(void **state)
{
    struct km_ledger_entry now, before;
    struct km_key_row row = key_row(3);
    struct place p;

    (void)state;
    begin(&p);
    row.budget_duration_s = 3600;
    row.budget_reset_us = km_wall_us() + 10 * MINUTE;
    put_key(&p, &row, true);
    assert_int_equal(answer(&p), 0);
    now = entry(&p, 3, 100);
    before = entry(&p, 3, 200);
    before.start_us -= 120 * MINUTE;
    before.end_us = before.start_us + 5;
    settle(&p, &now);
    settle(&p, &before);
    sync_store(&p);
    assert_int_equal(correct(&p, &before.id, 250), 0);
    assert_int_equal(correct(&p, &now.id, 90), 0);
    assert_int_equal(number(p.db, "SELECT spend FROM keys WHERE hash = x'03030303030303030303"
                                  "03030303030303030303030303030303030303030303'"),
                     90);
    assert_int_equal(number(p.db, "SELECT spend FROM budget_windows"), 250);
    place_done(&p);
}

static void a_call_of_a_key_that_is_gone_can_be_corrected(void **state)
{
    const struct km_audit audit = { .actor = KM_STR("test"), .action = KM_STR("key.delete") };
    struct km_ledger_entry e;
    struct place p;
    uint8_t hash[32];

    (void)state;
    begin(&p);
    e = entry(&p, 1, 100);
    settle(&p, &e);
    sync_store(&p);
    memset(hash, 1, sizeof hash);
    km_store_key_delete(p.store, p.reply, hash, &audit, on_done, &p);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(correct(&p, &e.id, 40), 0);
    assert_int_equal(number(p.db, "SELECT cost FROM spend"), 40);
    assert_int_equal(number(p.db, "SELECT sum(cost) FROM daily"), 40);
    assert_int_equal(number(p.db, "SELECT count(*) FROM budget_windows"), 0);
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_charges_what_was_known_and_holds_the_rest),
        cmocka_unit_test(no_more_is_charged_than_was_reserved),
        cmocka_unit_test(a_hold_ends_with_its_call_or_after_the_time_that_is_set),
        cmocka_unit_test(nothing_is_held_of_no_key),
        cmocka_unit_test(a_hold_is_its_keys_whatever_its_secret_is),
        cmocka_unit_test(intents_of_an_older_program_are_charged_as_reserved),
        cmocka_unit_test(a_state_that_does_not_read_is_charged_as_reserved),
        cmocka_unit_test(a_call_whose_row_is_there_is_charged_nothing_more),
        cmocka_unit_test(who_has_the_budgets_hears_of_what_a_lost_process_left),
        cmocka_unit_test(holds_are_released_by_call_by_key_and_all),
        cmocka_unit_test(what_is_over_is_told_to_nobody_and_goes),
        cmocka_unit_test(a_correction_moves_the_row_and_all_sums_by_the_difference),
        cmocka_unit_test(a_correction_counts_in_the_window_its_call_was_paid_in),
        cmocka_unit_test(a_call_of_a_key_that_is_gone_can_be_corrected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
