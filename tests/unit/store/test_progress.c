/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>

#include "faulty_vfs.h"
#include "store/chunk.h"
#include "store/inside.h"
#include "store/open_state.h"
#include "store/record.h"
#include "store/spill_ledger.h"
#include "store/writer.h"
#include "support.h"

/* What is known of a call that was sent: 30 of 100 if nothing more is heard. */
static struct km_ledger_entry sent(struct place *p, uint8_t key)
{
    struct km_ledger_entry e = entry(p, key, 30);

    e.reserved = 100;
    e.attempt = 1;
    e.completion_tokens = 0;
    e.end_us = 0;
    e.deadline_us = e.start_us + 600000000;
    return e;
}

static void progress(struct place *p, struct km_ledger_entry *e, int64_t cost, int64_t tokens)
{
    bool wait = true;

    e->cost = cost;
    e->completion_tokens = tokens;
    km_ledger_progress(p->ledger, e, NULL, NULL, &wait);
    assert_false(wait);
}

/* How many would cost so much; *ret: the state of the last of these. */
static int64_t look(struct place *p, int64_t cost, struct km_open_state *ret)
{
    sqlite3 *db = sqlite_open(p->db);
    sqlite3_stmt *s = NULL;
    int64_t n = 0;

    assert_int_equal(sqlite3_prepare_v2(db, "SELECT state, start_us FROM open_calls", -1, &s, NULL),
                     SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        struct km_str packed =
            km_str(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
        struct km_open_state state;

        assert_true(km_open_state_read(packed, sqlite3_column_int64(s, 1), &state));
        if (cost >= 0 && state.cost != cost)
            continue;
        *ret = state;
        n++;
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

static int64_t open_calls(struct place *p, int64_t cost)
{
    struct km_open_state ignored;

    return look(p, cost, &ignored);
}

/* Of the only one. */
static struct km_open_state open_call(struct place *p)
{
    struct km_open_state state = { .cost = -1 };

    assert_int_equal(look(p, -1, &state), 1);
    return state;
}

static void crash(struct place *p)
{
    place_close(p);
    place_open(p);
}

static int64_t booked(struct place *p, const char *column)
{
    char sql[100];

    (void)snprintf(sql, sizeof sql, "SELECT coalesce(sum(%s), -1) FROM spend", column);
    return number(p->db, sql);
}

static void progress_in_the_batch_is_written_over_the_intent(void **state)
{
    struct km_ledger_entry e;
    struct place p;
    size_t waiting;

    (void)state;
    place_init(&p);
    p.settings.commit_ms = 1000000; /* it comes when we say so */
    place_open(&p);
    e = sent(&p, 1);
    intend(&p, &e);
    waiting = km_ledger_waiting(p.ledger);
    for (int i = 1; i <= 50; i++)
        progress(&p, &e, 30 + i, i);
    assert_int_equal(km_ledger_waiting(p.ledger), waiting);
    e.deployment = KM_STR("another deployment, with a name that is longer than the first one's");
    e.attempt = 2;
    progress(&p, &e, 90, 7); /* takes another place */
    waiting = km_ledger_waiting(p.ledger);
    progress(&p, &e, 91, 8);
    assert_int_equal(km_ledger_waiting(p.ledger), waiting);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 1);
    assert_int_equal(open_call(&p).cost, 91);
    assert_int_equal(open_call(&p).attempt, 2);
    assert_int_equal(open_call(&p).completion_tokens, 8);
    assert_int_equal(number(p.db, "SELECT length(deployment) > 40 FROM open_calls"
                                  " JOIN routes ON routes.id = route"),
                     1);
    settle(&p, &e);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(booked(&p, "cost"), 91);
    place_done(&p);
}

/* Each state in a commit of its own, or several in one; before and behind the writer's visit. */
static void a_call_is_what_was_said_of_it_last_in_any_order_of_commits(void **state)
{
    (void)state;
    for (unsigned commits = 0; commits < 16; commits++) {
        struct km_ledger_entry e;
        struct place p;

        place_init(&p);
        p.settings.commit_ms = 1000000;
        place_open(&p);
        e = sent(&p, 1);
        intend(&p, &e);
        for (unsigned step = 0; step < 4; step++) {
            if (commits & 1u << step)
                sync_store(&p);
            if (step < 3)
                progress(&p, &e, 40 + step, step);
        }
        sync_store(&p);
        assert_int_equal(open_call(&p).cost, 42);
        progress(&p, &e, 60, 9);
        settle(&p, &e);
        progress(&p, &e, 99, 9); /* too late: changes nothing */
        sync_store(&p);
        progress(&p, &e, 99, 9);
        sync_store(&p);
        assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
        assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 1);
        assert_int_equal(booked(&p, "cost"), 60);
        place_done(&p);
    }
}

static void progress_of_a_call_that_nobody_intended_changes_nothing(void **state)
{
    struct km_ledger_entry e;
    struct place p;

    (void)state;
    place_begin(&p);
    e = sent(&p, 1);
    progress(&p, &e, 50, 1);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    crash(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 0);
    place_done(&p);
}

/* More calls than the index has places: what is in none is written as it comes. */
static void progress_of_more_calls_than_the_index_has_is_kept_too(void **state)
{
    enum { CALLS = 3000 };
    static struct km_ledger_entry calls[CALLS];
    struct place p;

    (void)state;
    place_init(&p);
    p.settings.commit_ms = 1000000;
    p.settings.queue_bytes = 1 << 26;
    place_open(&p);
    for (size_t i = 0; i < CALLS; i++) {
        calls[i] = sent(&p, 1);
        intend(&p, &calls[i]);
    }
    for (int n = 0; n < 3; n++)
        for (size_t i = 0; i < CALLS; i++)
            progress(&p, &calls[i], 31 + n, n);
    sync_store(&p);
    assert_int_equal(open_calls(&p, 33), CALLS);
    for (size_t i = 0; i < CALLS; i++) {
        progress(&p, &calls[i], 40, 4);
        if (i % 2)
            settle(&p, &calls[i]);
    }
    sync_store(&p);
    assert_int_equal(open_calls(&p, 40), CALLS / 2);
    assert_int_equal(booked(&p, "cost"), 40 * (CALLS / 2));
    place_done(&p);
}

static void in_strict_an_attempt_is_waited_for_and_output_is_not(void **state)
{
    struct km_ledger_entry e;
    struct place p;
    bool wait = false;

    (void)state;
    place_init(&p);
    p.settings.accounting = KM_ACCOUNTING_STRICT;
    place_open(&p);
    e = sent(&p, 1);
    assert_int_equal(km_ledger_intent(p.ledger, &e, on_done, &p, &wait, NULL), 0);
    assert_int_equal(answer(&p), 0);
    e.attempt = 2;
    e.cost = 55;
    km_ledger_progress(p.ledger, &e, on_done, &p, &wait);
    assert_true(wait);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(open_call(&p).attempt, 2);
    assert_int_equal(open_call(&p).cost, 55);
    progress(&p, &e, 56, 1);
    progress(&p, &e, 57, 2);
    km_ledger_settle(p.ledger, &e, on_done, &p, &wait);
    assert_true(wait);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(p.answers, 3);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(booked(&p, "cost"), 57);
    place_done(&p);
}

static void progress_without_room_is_left_out(void **state)
{
    struct km_ledger_entry e;
    struct place p;
    size_t waiting;

    (void)state;
    place_init(&p);
    p.settings.commit_ms = 1000000;
    p.settings.queue_bytes = 2048;
    place_open(&p);
    e = sent(&p, 1);
    intend(&p, &e);
    sync_store(&p);
    for (int i = 0; i < 20; i++) { /* records of others fill the queue */
        struct km_ledger_entry other = entry(&p, 2, 1);

        other.unasked = true;
        settle(&p, &other);
    }
    waiting = km_ledger_waiting(p.ledger);
    progress(&p, &e, 77, 7);
    assert_int_equal(km_ledger_waiting(p.ledger), waiting);
    sync_store(&p);
    assert_int_equal(open_call(&p).cost, 30);
    progress(&p, &e, 78, 7); /* there is room again */
    sync_store(&p);
    assert_int_equal(open_call(&p).cost, 78);
    place_done(&p);
}

/* The disk is full, and the process ends so. */
static void progress_survives_in_the_spill_file(void **state)
{
    struct km_ledger_entry e;
    struct place p;

    (void)state;
    place_begin(&p);
    add_key(&p, 1);
    e = sent(&p, 1);
    intend(&p, &e);
    sync_store(&p);
    faulty_fail(1, 0, SQLITE_FULL);
    progress(&p, &e, 44, 4);
    km_store_sync(p.store, p.reply, on_done, &p);
    assert_int_equal(answer(&p), KM_E_STORE);
    place_close(&p);
    faulty_heal();
    place_open(&p);
    assert_int_equal(booked(&p, "cost"), 44);
    assert_int_equal(booked(&p, "completion_tokens"), 4);
    assert_int_equal(number(p.db, "SELECT spend FROM keys"), 44);
    place_done(&p);
}

/* --- of another process --- */

struct wire {
    struct place *to;
    int refused;
};

static void carry(void *ctx, struct km_str record)
{
    struct wire *w = ctx;

    if (km_store_import_record(w->to->store, record, NULL) < 0)
        w->refused++;
}

static void progress_reaches_the_process_that_took_over(void **state)
{
    struct place old, new;
    struct wire wire = { .to = &new };
    struct km_ledger_entry e;

    (void)state;
    place_begin(&old);
    e = sent(&old, 1);
    intend(&old, &e);
    assert_int_equal(km_store_release_writer(old.store, NULL), 0);
    place_init(&new);
    assert_int_equal(rmdir(new.dir), 0);
    memcpy(new.dir, old.dir, sizeof new.dir);
    memcpy(new.db, old.db, sizeof new.db);
    assert_int_equal(place_try_open(&new, true, NULL), 0);
    new.ledger = km_ledger_new(new.store, new.loop, new.reply, 0, NULL);
    km_store_forward(old.store, carry, &wire);
    e.attempt = 2;
    progress(&old, &e, 66, 6);
    km_ledger_flush(old.ledger);
    while (km_store_queued(old.store))
        sched_yield();
    sync_store(&new);
    assert_int_equal(wire.refused, 0);
    assert_int_equal(open_call(&new).attempt, 2);
    assert_int_equal(open_call(&new).cost, 66);
    km_store_charge_open(new.store, new.reply, e.start_us + 1, on_done, &new);
    assert_int_equal(answer(&new), 0);
    assert_int_equal(number(new.db, "SELECT cost FROM spend WHERE flags & 10 = 10"), 66);
    place_close(&old);
    km_mailbox_free(old.reply);
    km_loop_free(old.loop);
    km_buf_done(&old.json);
    place_done(&new);
}

static void the_attempts_of_a_call_have_a_row_of_their_own(void **state)
{
    struct km_ledger_entry e, one;
    struct place p;

    (void)state;
    place_begin(&p);
    e = sent(&p, 1);
    one = sent(&p, 1);
    intend(&p, &e);
    e.attempts = KM_STR("[{\"deployment\":\"d1\"},{\"deployment\":\"d2\"}]");
    settle(&p, &e);
    settle(&p, &e); /* once more */
    settle(&p, &one);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend_attempts"), 1);
    assert_int_equal(number(p.db, "SELECT json_array_length(attempts) FROM spend_attempts"
                                  " JOIN spend USING (id)"),
                     2);
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_in_the_batch_is_written_over_the_intent),
        cmocka_unit_test(a_call_is_what_was_said_of_it_last_in_any_order_of_commits),
        cmocka_unit_test(progress_of_a_call_that_nobody_intended_changes_nothing),
        cmocka_unit_test(progress_of_more_calls_than_the_index_has_is_kept_too),
        cmocka_unit_test(in_strict_an_attempt_is_waited_for_and_output_is_not),
        cmocka_unit_test(progress_without_room_is_left_out),
        cmocka_unit_test(progress_survives_in_the_spill_file),
        cmocka_unit_test(progress_reaches_the_process_that_took_over),
        cmocka_unit_test(the_attempts_of_a_call_have_a_row_of_their_own),
    };

    faulty_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
