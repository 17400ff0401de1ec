/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>

#include "support.h"

/* Two stores of one file in one process: what matters to a hand-over is who holds the lock and
 * the writing connection, and that is the same. */

struct wire {
    struct place *to;
    int records, refused;
};

static void carry(void *ctx, struct km_str record)
{
    struct wire *w = ctx;

    w->records++;
    if (km_store_import_record(w->to->store, record, NULL) < 0)
        w->refused++;
}

static void join(struct place *new, const struct place *old)
{
    place_init(new);
    assert_int_equal(rmdir(new->dir), 0);
    memcpy(new->dir, old->dir, sizeof new->dir);
    memcpy(new->db, old->db, sizeof new->db);
}

/* What `old` has let go is opened by `new`. */
static void succeed(struct place *new, const struct place *old)
{
    struct km_err err = { 0 };

    join(new, old);
    if (place_try_open(new, true, &err) < 0)
        fail_msg("%s", err.text);
    new->ledger = km_ledger_new(new->store, new->loop, new->reply, 0, &err);
}

/* All that was settled is on its way: forwarded, and imported there. */
static void drain(struct place *old)
{
    km_ledger_flush(old->ledger);
    while (km_store_queued(old->store))
        sched_yield();
}

static void drop_without_folder(struct place *p)
{
    place_close(p);
    km_mailbox_free(p->reply);
    km_loop_free(p->loop);
    km_buf_done(&p->json);
}

static void part(struct place *old, struct place *new)
{
    drop_without_folder(old);
    place_done(new);
}

static void settlements_of_draining_calls_reach_the_new_writer(void **state)
{
    struct place old, new;
    struct wire wire = { .to = &new };
    struct km_key_row row = key_row(1);
    struct km_ledger_entry open, late;

    (void)state;
    place_begin(&old);
    put_key(&old, &row, true);
    assert_int_equal(answer(&old), 0);
    open = entry(&old, 1, 100);
    intend(&old, &open);
    assert_int_equal(km_store_release_writer(old.store, NULL), 0);
    assert_int_equal(number(old.db, "SELECT count(*) FROM open_calls"), 1); /* all was committed */

    succeed(&new, &old);
    assert_int_equal(number(old.db, "SELECT count(*) FROM open_calls"),
                     1); /* not charged: it lives */
    settle(&old, &open); /* waits: nobody to forward to yet */
    late = entry(&old, 1, 7);
    intend(&old, &late);
    settle(&old, &late);
    km_store_forward(old.store, carry, &wire);
    drain(&old);
    sync_store(&new);
    assert_int_equal(wire.refused, 0);
    assert_int_equal(number(old.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(old.db, "SELECT count(*) FROM spend"), 2);
    assert_int_equal(number(old.db, "SELECT spend FROM keys"), 107);
    /* An operation that comes to the old one is told where to go. */
    put_key(&old, &row, false);
    assert_int_equal(answer(&old), KM_E_STORE);
    assert_non_null(strstr(old.err.text, "handed over"));
    part(&old, &new);
}

static void records_of_tools_called_while_draining_reach_the_new_writer(void **state)
{
    const struct km_audit a = { .actor = KM_STR("key:1"),
                                .action = KM_STR("mcp.call"),
                                .target = KM_STR("late"),
                                .detail = KM_STR("{}") };
    struct place old, new;
    struct wire wire = { .to = &new };
    bool waits;

    (void)state;
    place_begin(&old);
    assert_int_equal(km_store_release_writer(old.store, NULL), 0);
    succeed(&new, &old);
    km_store_forward(old.store, carry, &wire);
    km_ledger_audit(old.ledger, &a, false, NULL, NULL, &waits);
    drain(&old);
    sync_store(&new);
    assert_int_equal(wire.refused, 0);
    assert_int_equal(number(old.db, "SELECT count(*) FROM audit WHERE target = 'late'"), 1);
    part(&old, &new);
}

static void a_record_sent_twice_counts_once_and_a_broken_one_not_at_all(void **state)
{
    struct place old, new;
    struct wire wire = { .to = &new };
    struct km_ledger_entry e;

    (void)state;
    place_begin(&old);
    assert_int_equal(km_store_release_writer(old.store, NULL), 0);
    succeed(&new, &old);
    km_store_forward(old.store, carry, &wire);
    e = entry(&old, 1, 5);
    settle(&old, &e);
    settle(&old, &e);
    drain(&old);
    sync_store(&new);
    assert_int_equal(wire.records, 2);
    assert_int_equal(number(old.db, "SELECT count(*) FROM spend"), 1);
    assert_int_equal(number(old.db, "SELECT sum(cost) FROM daily"), 5);
    assert_int_equal(km_store_import_record(new.store, KM_STR("nonsense"), NULL), KM_E_INVALID);
    part(&old, &new);
}

static void what_the_old_process_never_settled_is_charged_when_told(void **state)
{
    struct place old, new;
    struct km_ledger_entry lost, running;

    (void)state;
    place_begin(&old);
    lost = entry(&old, 1, 50);
    intend(&old, &lost);
    assert_int_equal(km_store_release_writer(old.store, NULL), 0);
    succeed(&new, &old);
    running = entry(&new, 1, 3);
    running.start_us = lost.start_us + 1000000;
    intend(&new, &running); /* of the new process: not to be touched */
    km_store_charge_open(new.store, new.reply, lost.start_us + 500000, on_done, &new);
    assert_int_equal(answer(&new), 0);
    sync_store(&new);
    assert_int_equal(number(old.db, "SELECT count(*) FROM open_calls"), 1);
    assert_int_equal(number(old.db, "SELECT cost FROM spend WHERE flags & 8"), 50);
    assert_int_equal(number(old.db, "SELECT count(*) FROM spend"), 1);
    part(&old, &new);
}

struct heard {
    struct km_ledger_entry e;
    struct km_buf scratch;
    int settled, intents;
};

static void hear(void *ctx, struct km_str record)
{
    struct heard *h = ctx;
    bool settled;

    assert_int_equal(km_store_record_read(record, &h->scratch, &h->e, &settled, NULL), 0);
    h->settled += settled;
    h->intents += !settled;
}

static void a_record_tells_the_receiver_what_to_give_back(void **state)
{
    struct place old;
    struct heard heard = { .scratch = KM_BUF(65536) };
    struct km_ledger_entry e;

    (void)state;
    place_begin(&old);
    assert_int_equal(km_store_release_writer(old.store, NULL), 0);
    km_store_forward(old.store, hear, &heard);
    e = entry(&old, 9, 5);
    settle(&old, &e);
    drain(&old);
    assert_int_equal(heard.settled, 1);
    assert_int_equal(heard.intents, 0);
    assert_int_equal(heard.e.cost, 5);
    assert_int_equal(heard.e.reserved, 10);
    assert_memory_equal(heard.e.key_hash, e.key_hash, 32);
    assert_true(km_str_eq(heard.e.model, e.model));
    km_buf_done(&heard.scratch);
    place_done(&old);
}

static void a_hand_over_that_does_not_come_about_is_taken_back(void **state)
{
    struct place old, new;
    struct km_ledger_entry open, meanwhile;
    struct km_err err = { 0 };

    (void)state;
    place_begin(&old);
    open = entry(&old, 1, 10);
    intend(&old, &open);
    assert_int_equal(km_store_release_writer(old.store, NULL), 0);
    meanwhile = entry(&old, 1, 3);
    settle(&old, &meanwhile); /* waits for somebody to write it */
    succeed(&new, &old);
    assert_int_equal(km_store_take_back(old.store, &err), KM_E_EXISTS);
    drop_without_folder(&new);
    assert_int_equal(km_store_take_back(old.store, &err), 0);
    assert_int_equal(km_store_take_back(old.store, &err), 0); /* it is ours already */
    settle(&old, &open);
    sync_store(&old);
    assert_int_equal(number(old.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(old.db, "SELECT sum(cost) FROM spend"), 13);
    assert_int_equal(number(old.db, "SELECT count(*) FROM spend WHERE flags & 8"), 0);
    place_done(&old);
}

struct order {
    int records, ends;
    bool ended_last;
};

static void note_order(void *ctx, struct km_str record)
{
    struct order *o = ctx;

    o->records += record.n > 0;
    o->ends += record.n == 0;
    o->ended_last = record.n == 0;
}

static void in_strict_the_end_of_a_batch_comes_before_anybody_is_told(void **state)
{
    struct place old;
    struct order order = { 0 };
    struct km_ledger_entry e;
    bool wait;

    (void)state;
    place_init(&old);
    old.settings.accounting = KM_ACCOUNTING_STRICT;
    place_open(&old);
    assert_int_equal(km_store_release_writer(old.store, NULL), 0);
    km_store_forward(old.store, note_order, &order);
    e = entry(&old, 1, 5);
    km_ledger_settle(old.ledger, &e, on_done, &old, &wait);
    assert_true(wait);
    assert_int_equal(answer(&old), 0);
    assert_int_equal(order.records, 1);
    assert_int_equal(order.ends, 1);
    assert_true(order.ended_last);
    place_done(&old);
}

static void a_sync_is_answered_when_imports_are_committed(void **state)
{
    struct place old, new;
    struct wire wire = { .to = &new };

    (void)state;
    place_begin(&old);
    assert_int_equal(km_store_release_writer(old.store, NULL), 0);
    succeed(&new, &old);
    km_store_forward(old.store, carry, &wire);
    for (int i = 0; i < 100; i++) {
        struct km_ledger_entry e = entry(&old, 1, 1);

        settle(&old, &e);
    }
    drain(&old);
    km_store_sync(new.store, new.reply, on_done, &new);
    assert_int_equal(answer(&new), 0);
    assert_int_equal(number(old.db, "SELECT count(*) FROM spend"), 100);
    part(&old, &new);
}

/* What a gateway does when the one before it has ended: what came is written first. */
static void a_call_whose_settlement_came_last_is_not_charged_as_reserved(void **state)
{
    struct place old, new;
    struct wire wire = { .to = &new };
    struct km_ledger_entry late;

    (void)state;
    place_begin(&old);
    late = entry(&old, 1, 7);
    intend(&old, &late);
    assert_int_equal(km_store_release_writer(old.store, NULL), 0);
    succeed(&new, &old);
    km_store_forward(old.store, carry, &wire);
    settle(&old, &late);
    drain(&old);
    km_store_sync(new.store, new.reply, on_done, &new);
    assert_int_equal(answer(&new), 0);
    km_store_charge_open(new.store, new.reply, late.start_us + 1, on_done, &new);
    assert_int_equal(answer(&new), 0);
    assert_int_equal(number(old.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(old.db, "SELECT count(*) FROM spend WHERE flags & 8"), 0);
    assert_int_equal(number(old.db, "SELECT sum(cost) FROM spend"), 7);
    part(&old, &new);
}

/* A gateway that ends sends what its ledgers still hold before the store is gone. */
static void closing_a_released_store_forwards_what_is_left(void **state)
{
    struct place old, new;
    struct wire wire = { .to = &new };
    struct km_ledger_entry open[3];

    (void)state;
    place_init(&old);
    old.settings.commit_ms = 60000; /* nothing goes by itself */
    place_open(&old);
    for (int i = 0; i < 3; i++) {
        open[i] = entry(&old, 1, 5);
        intend(&old, &open[i]);
    }
    assert_int_equal(km_store_release_writer(old.store, NULL), 0);
    succeed(&new, &old);
    km_store_forward(old.store, carry, &wire);
    for (int i = 0; i < 3; i++)
        settle(&old, &open[i]);
    drop_without_folder(&old);
    sync_store(&new);
    assert_int_equal(wire.records, 3);
    assert_int_equal(number(new.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(new.db, "SELECT sum(cost) FROM spend"), 15);
    place_done(&new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settlements_of_draining_calls_reach_the_new_writer),
        cmocka_unit_test(records_of_tools_called_while_draining_reach_the_new_writer),
        cmocka_unit_test(a_record_sent_twice_counts_once_and_a_broken_one_not_at_all),
        cmocka_unit_test(what_the_old_process_never_settled_is_charged_when_told),
        cmocka_unit_test(a_hand_over_that_does_not_come_about_is_taken_back),
        cmocka_unit_test(in_strict_the_end_of_a_batch_comes_before_anybody_is_told),
        cmocka_unit_test(a_sync_is_answered_when_imports_are_committed),
        cmocka_unit_test(a_call_whose_settlement_came_last_is_not_charged_as_reserved),
        cmocka_unit_test(closing_a_released_store_forwards_what_is_left),
        cmocka_unit_test(a_record_tells_the_receiver_what_to_give_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
