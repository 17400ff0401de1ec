/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/chunk.h"
#include "store/inside.h"
#include "store/writer.h"
#include "support.h"

static void a_call_within_one_commit_is_one_row_and_no_intent(void **state)
{
    struct place p;
    struct km_ledger_entry e;

    (void)state;
    place_begin(&p);
    e = entry(&p, 1, 1234);
    intend(&p, &e);
    settle(&p, &e);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 1);
    assert_int_equal(number(p.db, "SELECT cost FROM spend"), 1234);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(p.db, "SELECT sum(calls) FROM daily"), 1);
    assert_int_equal(number(p.db, "SELECT sum(cost) FROM daily"), 1234);
    assert_int_equal(km_store_queued(p.store), 0);
    place_done(&p);
}

static void a_call_over_two_commits_is_an_intent_and_then_a_row(void **state)
{
    struct place p;
    struct km_ledger_entry e;

    (void)state;
    place_begin(&p);
    e = entry(&p, 1, 10);
    intend(&p, &e);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 1);
    assert_int_equal(number(p.db, "SELECT reserved FROM open_calls"), 20);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 0);
    settle(&p, &e);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(p.db, "SELECT sum(cost) FROM spend"), 10);
    place_done(&p);
}

/* The writer's visit, at a moment of our choosing. */
static bool visit(struct place *p, int64_t keep_us)
{
    bool kept = false;

    km_writer_adopt(p->store->writer, km_ledger_take(p->ledger, keep_us, &kept));
    return kept;
}

/* More calls begin and end between two visits than the index holds. */
static void an_intent_that_is_in_no_index_never_comes_after_its_settlement(void **state)
{
    enum { CALLS = 1500 };
    struct place p;
    static struct km_ledger_entry e[CALLS];

    (void)state;
    place_init(&p);
    p.settings.commit_ms = 1000000; /* it comes when we say so */
    p.settings.queue_bytes = 64 << 20;
    place_open(&p);
    for (int i = 0; i < CALLS; i++) {
        e[i] = entry(&p, 1, 1);
        intend(&p, &e[i]);
    }
    for (int i = 0; i < CALLS; i++)
        settle(&p, &e[i]);
    assert_false(visit(&p, 60000000)); /* no call is open */
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), CALLS);
    place_done(&p);
}

static void the_intent_of_a_call_that_has_just_begun_waits_for_its_settlement(void **state)
{
    struct place p;
    struct km_ledger_entry old, young, future;

    (void)state;
    place_init(&p);
    p.settings.commit_ms = 1000000; /* it comes when we say so */
    place_open(&p);
    for (int i = 0; i < 300; i++) { /* more than one chunk */
        old = entry(&p, 1, 1);
        old.start_us -= 60000000;
        intend(&p, &old);
    }
    young = entry(&p, 1, 10);
    intend(&p, &young);
    future = entry(&p, 1, 100); /* a clock was set back */
    future.start_us += 60000000;
    intend(&p, &future);
    assert_true(visit(&p, 30000000));
    settle(&p, &young);
    assert_false(visit(&p, 30000000));
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 301);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 1);
    assert_int_equal(number(p.db, "SELECT cost FROM spend"), 10);
    settle(&p, &old);
    settle(&p, &future);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 299);
    assert_int_equal(number(p.db, "SELECT sum(cost) FROM spend"), 111);
    assert_int_equal(km_store_queued(p.store), 0);
    place_done(&p);
}

static void an_intent_that_waits_is_written_when_all_is_taken(void **state)
{
    struct place p;
    struct km_ledger_entry e;

    (void)state;
    place_init(&p);
    p.settings.commit_ms = 1000000;
    place_open(&p);
    e = entry(&p, 1, 10);
    intend(&p, &e);
    assert_true(visit(&p, 30000000));
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 1);
    settle(&p, &e);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(p.db, "SELECT sum(calls) FROM daily"), 1);
    place_done(&p);
}

static void a_settlement_larger_than_its_intent_still_takes_its_place(void **state)
{
    static const char tags[] = "{\"tags\":[\"a much longer metadata than the intent had\"]}";
    struct place p;
    struct km_ledger_entry e;

    (void)state;
    place_begin(&p);
    for (int i = 0; i < 1000; i++) {
        e = entry(&p, 1, 1);
        intend(&p, &e);
        e.metadata = km_str_c(tags);
        settle(&p, &e);
    }
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend WHERE metadata LIKE '%longer%'"),
                     1000);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(p.db, "SELECT sum(calls) FROM daily"), 1000);
    place_done(&p);
}

static void numbers_alone_settle_an_intent_that_still_lies_here(void **state)
{
    struct place p;
    struct km_ledger_entry e, numbers;

    (void)state;
    place_begin(&p);
    e = entry(&p, 1, 10);
    intend(&p, &e);
    numbers = (struct km_ledger_entry){
        .id = e.id, .start_us = e.start_us, .cost = 70, .prompt_tokens = 7, .status = 201
    };
    assert_true(km_ledger_settle_in_place(p.ledger, &numbers));
    assert_false(km_ledger_settle_in_place(p.ledger, &numbers)); /* it is one no more */
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(p.db, "SELECT cost FROM spend"), 70);
    assert_int_equal(number(p.db, "SELECT status FROM spend"), 201);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend s, routes r"
                                  " WHERE r.id = s.route AND r.model LIKE 'openai/%'"),
                     1);
    e = entry(&p, 1, 10);
    intend(&p, &e);
    sync_store(&p); /* it is the writer's now */
    numbers.id = e.id;
    assert_false(km_ledger_settle_in_place(p.ledger, &numbers));
    settle(&p, &e);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT sum(calls) FROM daily"), 2);
    place_done(&p);
}

static void nothing_is_counted_twice(void **state)
{
    struct place p;
    struct km_ledger_entry e;

    (void)state;
    place_begin(&p);
    add_key(&p, 7);
    e = entry(&p, 7, 100);
    for (int i = 0; i < 5; i++) {
        settle(&p, &e);
        if (i == 2)
            sync_store(&p);
    }
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 1);
    assert_int_equal(number(p.db, "SELECT spend FROM keys"), 100);
    assert_int_equal(number(p.db, "SELECT sum(calls) FROM daily"), 1);
    place_done(&p);
}

static void a_known_row_among_new_ones_spoils_neither(void **state)
{
    struct place p;
    struct km_ledger_entry old, e;

    (void)state;
    place_init(&p);
    p.settings.commit_ms = 10000; /* all of it in one commit */
    place_open(&p);
    old = entry(&p, 7, 100);
    settle(&p, &old);
    sync_store(&p);
    for (int i = 0; i < 10000; i++) { /* more than one batch, one commit */
        e = entry(&p, (uint8_t)(i % 5), 1);
        settle(&p, i == 3 || i == 9000 ? &old : &e);
    }
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 9999);
    assert_int_equal(number(p.db, "SELECT sum(cost) FROM spend"), 9998 + 100);
    assert_int_equal(number(p.db, "SELECT sum(cost) FROM daily"), 9998 + 100);
    assert_int_equal(number(p.db, "SELECT sum(calls) FROM daily"), 9999);
    place_done(&p);
}

static void what_a_crash_left_open_is_charged_by_what_was_known(void **state)
{
    struct place p;
    struct km_ledger_entry open, settled;

    (void)state;
    place_begin(&p);
    add_key(&p, 3);
    open = entry(&p, 3, 500);
    settled = entry(&p, 3, 11);
    intend(&p, &open);
    intend(&p, &settled);
    sync_store(&p);
    settle(&p, &settled);
    sync_store(&p);
    place_close(&p); /* the open one is never settled: as after a crash */
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 1);
    place_open(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(p.db, "SELECT cost FROM spend WHERE flags & 8"), 500);
    assert_int_equal(number(p.db, "SELECT spend FROM keys"), 511);
    assert_int_equal(number(p.db, "SELECT sum(cost) FROM daily"), 511);
    settle(&p, &open); /* too late: charged already */
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT spend FROM keys"), 511);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 2);
    place_done(&p);
}

static void strict_answers_after_the_commit(void **state)
{
    struct place p;
    struct km_ledger_entry e;
    bool wait = false;

    (void)state;
    place_init(&p);
    p.settings.accounting = KM_ACCOUNTING_STRICT;
    place_open(&p);
    e = entry(&p, 1, 10);
    assert_int_equal(km_ledger_intent(p.ledger, &e, on_done, &p, &wait, NULL), 0);
    assert_true(wait);
    assert_int_equal(p.answers, 0);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 1);
    km_ledger_settle(p.ledger, &e, on_done, &p, &wait);
    assert_true(wait);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 1);
    assert_int_equal(p.answers, 2);
    place_done(&p);
}

static void strict_settles_a_call_whose_intent_is_still_waited_for(void **state)
{
    struct place p;
    struct km_ledger_entry e;
    bool wait = false;

    (void)state;
    place_init(&p);
    p.settings.accounting = KM_ACCOUNTING_STRICT;
    place_open(&p);
    e = entry(&p, 1, 10);
    assert_int_equal(km_ledger_intent(p.ledger, &e, on_done, &p, &wait, NULL), 0);
    km_ledger_settle(p.ledger, &e, on_done, &p, &wait);
    while (p.answers < 2)
        assert_int_equal(answer(&p), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 1);
    place_done(&p);
}

static void spend_before_the_windows_turn_stays_in_the_window_before(void **state)
{
    struct place p;
    struct km_key_row row;
    struct km_ledger_entry before, after;

    (void)state;
    place_begin(&p);
    row = add_key(&p, 7);
    before = entry(&p, 7, 100);
    before.end_us = before.start_us = km_wall_us() - 5000000;
    settle(&p, &before);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT spend FROM keys"), 100);
    km_store_key_reset(p.store, p.reply, row.hash, km_wall_us() + 1000000, on_done, &p);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(number(p.db, "SELECT spend FROM keys"), 0);
    before.id = km_uuid7(&p.ids);
    settle(&p, &before);
    after = entry(&p, 7, 7);
    settle(&p, &after);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT spend FROM keys"), 7);
    assert_int_equal(number(p.db, "SELECT sum(cost) FROM daily"), 207);
    place_done(&p);
}

static void absurd_numbers_do_not_jam_the_ledger(void **state)
{
    struct place p;
    struct km_ledger_entry e;

    (void)state;
    place_begin(&p);
    add_key(&p, 7);
    for (int i = 0; i < 2000; i++) {
        e = entry(&p, 7, INT64_MAX / 2);
        e.prompt_tokens = INT64_MAX;
        e.completion_tokens = INT64_MIN;
        settle(&p, &e);
        if (i % 100 == 99)
            sync_store(&p);
    }
    e = entry(&p, 7, -1);
    settle(&p, &e);
    sync_store(&p);
    assert_true(km_store_healthy(p.store));
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 2001);
    assert_true(number(p.db, "SELECT spend FROM keys") > 0);
    assert_int_equal(number(p.db, "SELECT typeof(spend) = 'integer' FROM keys"), 1);
    place_done(&p);
}

static void each_route_and_key_has_one_number(void **state)
{
    struct place p;

    (void)state;
    place_begin(&p);
    for (int i = 0; i < 200; i++) {
        struct km_ledger_entry e = entry(&p, (uint8_t)(i % 4), 1);

        e.model = i % 2 ? KM_STR("ab") : KM_STR("a");
        e.deployment = i % 2 ? KM_STR("c") : KM_STR("bc"); /* the same bytes in a row */
        settle(&p, &e);
        if (i == 100)
            sync_store(&p);
    }
    place_close(&p);
    place_open(&p);
    for (int i = 0; i < 4; i++) {
        struct km_ledger_entry e = entry(&p, (uint8_t)i, 1);

        e.model = KM_STR("ab");
        e.deployment = KM_STR("c");
        settle(&p, &e);
    }
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM routes"), 2);
    assert_int_equal(number(p.db, "SELECT count(*) FROM key_ids"), 4);
    assert_int_equal(number(p.db, "SELECT sum(calls) FROM daily"), 204);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend s JOIN routes r ON r.id = s.route"
                                  " WHERE r.model = 'ab' AND r.deployment = 'c'"),
                     104);
    place_done(&p);
}

static void a_ledger_given_up_is_written_all_the_same(void **state)
{
    struct place p;
    struct km_ledger_entry e;

    (void)state;
    place_begin(&p);
    for (int i = 0; i < 500; i++) {
        e = entry(&p, 1, 1);
        settle(&p, &e);
    }
    place_close(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 500);
    place_done(&p);
}

static void a_worker_that_outruns_the_writer_is_refused_new_calls_only(void **state)
{
    struct place p;
    struct km_ledger_entry e;
    struct km_err err = { 0 };
    int accepted = 0, r;
    bool wait;

    (void)state;
    place_init(&p);
    p.settings.queue_bytes = 64 * 1024;
    p.settings.commit_ms = 10000; /* nothing is written while we fill */
    place_open(&p);
    e = entry(&p, 1, 1);
    while ((r = km_ledger_intent(p.ledger, &e, NULL, NULL, &wait, &err)) == 0) {
        accepted++;
        e.id = km_uuid7(&p.ids);
    }
    assert_int_equal(r, KM_E_OVERLOADED);
    assert_true(err.retry_after_ms > 0);
    assert_in_range(accepted, 50, 150);
    for (int i = 0; i < accepted; i++) {
        e = entry(&p, 1, 1); /* settlements of others: still room */
        settle(&p, &e);
    }
    km_ledger_flush(p.ledger);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), accepted);
    assert_int_equal(km_ledger_intent(p.ledger, &e, NULL, NULL, &wait, &err), 0);
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_within_one_commit_is_one_row_and_no_intent),
        cmocka_unit_test(a_call_over_two_commits_is_an_intent_and_then_a_row),
        cmocka_unit_test(an_intent_that_is_in_no_index_never_comes_after_its_settlement),
        cmocka_unit_test(the_intent_of_a_call_that_has_just_begun_waits_for_its_settlement),
        cmocka_unit_test(an_intent_that_waits_is_written_when_all_is_taken),
        cmocka_unit_test(a_settlement_larger_than_its_intent_still_takes_its_place),
        cmocka_unit_test(numbers_alone_settle_an_intent_that_still_lies_here),
        cmocka_unit_test(nothing_is_counted_twice),
        cmocka_unit_test(a_known_row_among_new_ones_spoils_neither),
        cmocka_unit_test(what_a_crash_left_open_is_charged_by_what_was_known),
        cmocka_unit_test(strict_answers_after_the_commit),
        cmocka_unit_test(strict_settles_a_call_whose_intent_is_still_waited_for),
        cmocka_unit_test(spend_before_the_windows_turn_stays_in_the_window_before),
        cmocka_unit_test(absurd_numbers_do_not_jam_the_ledger),
        cmocka_unit_test(each_route_and_key_has_one_number),
        cmocka_unit_test(a_ledger_given_up_is_written_all_the_same),
        cmocka_unit_test(a_worker_that_outruns_the_writer_is_refused_new_calls_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
