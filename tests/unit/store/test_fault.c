/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>

#include "faulty_vfs.h"
#include "support.h"

static int try_sync(struct place *p)
{
    const struct km_audit nothing = { .actor = KM_STR("test"), .action = KM_STR("sync") };

    km_store_audit(p->store, p->reply, &nothing, on_done, p);
    return answer(p);
}

static void a_full_disk_loses_nothing_and_is_got_over(void **state)
{
    struct place p;

    (void)state;
    place_init(&p);
    place_open(&p);
    faulty_fail(1, 0, SQLITE_FULL);
    for (int i = 0; i < 100; i++) {
        struct km_ledger_entry e = entry(&p, 1, 10);

        intend(&p, &e);
        settle(&p, &e);
    }
    assert_int_equal(try_sync(&p), KM_E_STORE);
    assert_non_null(strstr(p.err.text, "make room on the disk"));
    assert_false(km_store_healthy(p.store));
    assert_true(km_store_queued(p.store) > 0);
    assert_int_equal(try_sync(&p), KM_E_STORE);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 0);
    faulty_heal();
    assert_int_equal(try_sync(&p), 0);
    assert_true(km_store_healthy(p.store));
    assert_int_equal(km_store_queued(p.store), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 100);
    assert_int_equal(number(p.db, "SELECT sum(cost) FROM daily"), 1000);
    place_done(&p);
}

static void while_it_fails_the_queue_is_bounded_and_new_calls_refused(void **state)
{
    struct place p;
    struct km_ledger_entry e;
    struct km_err err = { 0 };
    int accepted = 0;
    bool wait;

    (void)state;
    place_init(&p);
    p.settings.queue_bytes = 100000;
    place_open(&p);
    faulty_fail(1, 0, SQLITE_IOERR_WRITE);
    for (;;) {
        e = entry(&p, 1, 1);
        if (km_ledger_intent(p.ledger, &e, NULL, NULL, &wait, &err) < 0)
            break;
        settle(&p, &e);
        accepted++;
        assert_in_range(accepted, 1, 1000);
    }
    assert_int_equal(err.code, KM_E_OVERLOADED);
    assert_in_range(km_store_queued(p.store), 50000, 110000);
    assert_int_equal(try_sync(&p), KM_E_STORE);
    assert_int_equal(km_ledger_intent(p.ledger, &e, NULL, NULL, &wait, &err), KM_E_OVERLOADED);
    assert_non_null(strstr(err.text, "the store does not work"));
    faulty_heal();
    assert_int_equal(try_sync(&p), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), accepted);
    assert_int_equal(km_ledger_intent(p.ledger, &e, NULL, NULL, &wait, &err), 0);
    place_done(&p);
}

static void strict_calls_are_told_of_a_commit_that_failed(void **state)
{
    struct place p;
    struct km_ledger_entry e;
    bool wait;

    (void)state;
    place_init(&p);
    p.settings.accounting = KM_ACCOUNTING_STRICT;
    place_open(&p);
    faulty_fail(1, 0, SQLITE_IOERR_FSYNC);
    e = entry(&p, 1, 10);
    assert_int_equal(km_ledger_intent(p.ledger, &e, on_done, &p, &wait, NULL), 0);
    assert_int_equal(answer(&p), KM_E_STORE);
    faulty_heal();
    /* The refused call ends at no cost; its intent was kept, and both are written now. */
    e.cost = 0;
    e.flags = KM_CALL_FAILED;
    km_ledger_settle(p.ledger, &e, on_done, &p, &wait);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(p.answers, 2);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(p.db, "SELECT sum(cost) FROM spend"), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 1);
    place_done(&p);
}

static void an_operation_is_done_or_not_done(void **state)
{
    struct place p;
    struct km_key_row row = key_row(1);

    (void)state;
    place_init(&p);
    place_open(&p);
    faulty_fail(1, 0, SQLITE_FULL);
    put_key(&p, &row, true);
    assert_int_equal(answer(&p), KM_E_STORE);
    faulty_heal();
    assert_int_equal(number(p.db, "SELECT count(*) FROM keys"), 0);
    put_key(&p, &row, true);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM audit"), 1);
    place_done(&p);
}

static void an_idle_store_notices_by_itself_that_it_works_again(void **state)
{
    struct place p;
    struct km_ledger_entry e;
    bool wait;

    (void)state;
    place_init(&p);
    p.settings.accounting = KM_ACCOUNTING_STRICT;
    place_open(&p);
    faulty_fail(1, 0, SQLITE_FULL);
    assert_int_equal(try_sync(&p), KM_E_STORE);
    faulty_heal();
    /* Nothing is asked of it: only time may pass. */
    while (!km_store_healthy(p.store))
        sched_yield();
    e = entry(&p, 1, 1);
    assert_int_equal(km_ledger_intent(p.ledger, &e, on_done, &p, &wait, NULL), 0);
    assert_int_equal(answer(&p), 0);
    place_done(&p);
}

/* Each write and sync of a fixed piece of work fails in turn, once: in the end everything is
 * there exactly once, and the file is whole. */
static void any_single_failure_is_survived(void **state)
{
    static const int codes[] = { SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC };
    struct place p;
    int64_t rows = 0;
    int at;

    (void)state;
    place_init(&p);
    p.settings.accounting = KM_ACCOUNTING_STRICT;
    place_open(&p);
    for (at = 1; at < 60; at++) {
        struct km_ledger_entry e;
        bool wait;

        faulty_fail(at, at, codes[at % 3]);
        for (int i = 0; i < 3; i++) {
            e = entry(&p, 1, 1);
            assert_int_equal(km_ledger_intent(p.ledger, &e, on_done, &p, &wait, NULL), 0);
            answer(&p);
            km_ledger_settle(p.ledger, &e, on_done, &p, &wait);
            answer(&p);
            rows++;
        }
        faulty_heal();
        assert_int_equal(try_sync(&p), 0);
        assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), rows);
        assert_int_equal(number(p.db, "SELECT sum(calls) FROM daily"), rows);
        assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    }
    assert_int_equal(number(p.db, "SELECT count(*) = 1 AND max(integrity_check) = 'ok'"
                                  " FROM pragma_integrity_check"),
                     1);
    place_done(&p);
}

static void a_store_that_cannot_be_made_is_not_half_made(void **state)
{
    (void)state;
    for (int at = 1; at < 400; at++) {
        struct place p;
        struct km_err err;
        int r;

        place_init(&p);
        faulty_fail(at, 0, at % 2 ? SQLITE_FULL : SQLITE_IOERR_WRITE);
        r = place_try_open(&p, false, &err);
        faulty_heal();
        if (r < 0) {
            /* Nothing, or a whole store that could not be opened; either way it opens now. */
            assert_int_equal(place_try_open(&p, false, &err), 0);
            assert_int_equal(number(p.db, "SELECT count(*) FROM keys"), 0);
        }
        place_done(&p);
        if (r == 0)
            return; /* as many writes as opening takes */
    }
    fail();
}

static int begin_call(struct place *p, bool budgeted, struct km_err *err)
{
    struct km_ledger_entry e = entry(p, 1, 1);
    bool wait;
    int r;

    e.budgeted = budgeted;
    r = km_ledger_intent(p->ledger, &e, NULL, NULL, &wait, err);
    if (r == 0)
        settle(p, &e);
    return r;
}

static void while_it_fails_a_budget_is_refused_after_a_second_and_all_after_a_thousand(void **state)
{
    struct km_store_health health;
    struct place p;
    struct km_err err = { 0 };
    int accepted = 0;

    (void)state;
    place_init(&p);
    p.settings.queue_bytes = 1 << 26;
    place_open(&p);
    faulty_fail(1, 0, SQLITE_FULL);
    assert_int_equal(try_sync(&p), KM_E_STORE);
    while (begin_call(&p, true, &err) == 0) { /* for a second */
        assert_int_equal(err.code, 0);
        accepted++;
        if (accepted > 900)
            break; /* a fast machine: enough of them */
    }
    do
        km_store_health(p.store, &health);
    while (!health.refusing_budgeted);
    assert_int_equal(begin_call(&p, true, &err), KM_E_STORE);
    assert_non_null(strstr(err.text, "database or disk is full"));
    assert_null(strstr(err.text, p.dir));
    assert_true(err.retry_after_ms > 0);
    while (begin_call(&p, false, &err) == 0)
        assert_in_range(++accepted, 1, 1000);
    assert_int_equal(accepted, 1000);
    assert_int_equal(err.code, KM_E_STORE);
    faulty_heal();
    assert_int_equal(try_sync(&p), 0);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 1000);
    assert_int_equal(begin_call(&p, true, &err), 0);
    km_store_health(p.store, &health);
    assert_true(health.healthy);
    assert_int_equal(health.spilled_bytes, 0);
    place_done(&p);
}

static void copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    static char bytes[1 << 16];
    size_t n;

    assert_non_null(in);
    assert_non_null(out);
    while ((n = fread(bytes, 1, sizeof bytes, in)) > 0)
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
    (void)fclose(in);
}

/* What was spilled is read once by the next start, an audit record as well, wherever it died. */
static void what_was_spilled_is_written_once(void **state)
{
    const struct km_audit audit = { .actor = KM_STR("test"), .action = KM_STR("spilled") };
    struct km_store_health health;
    struct place p;
    char spill[96], kept[96];
    bool wait;

    (void)state;
    place_init(&p);
    place_open(&p);
    (void)snprintf(spill, sizeof spill, "%s/store.spill", p.dir);
    (void)snprintf(kept, sizeof kept, "%s/acks", p.dir);
    faulty_fail(1, 0, SQLITE_FULL);
    for (int i = 0; i < 50; i++)
        assert_int_equal(begin_call(&p, false, NULL), 0);
    km_ledger_audit(p.ledger, &audit, false, NULL, NULL, &wait);
    (void)try_sync(&p);
    do
        km_store_health(p.store, &health);
    while (health.spilled_bytes == 0);
    copy_file(spill, kept);
    faulty_heal();
    assert_int_equal(try_sync(&p), 0);
    place_close(&p);
    /* As if it had died between the commit and the emptying of the file. */
    assert_int_equal(rename(kept, spill), 0);
    for (int i = 0; i < 2; i++) {
        place_open(&p);
        assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), 50);
        assert_int_equal(number(p.db, "SELECT sum(calls) FROM daily"), 50);
        assert_int_equal(number(p.db, "SELECT count(*) FROM audit WHERE action = 'spilled'"), 1);
        place_close(&p);
    }
    p.ledger = NULL;
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_loses_nothing_and_is_got_over),
        cmocka_unit_test(while_it_fails_the_queue_is_bounded_and_new_calls_refused),
        cmocka_unit_test(strict_calls_are_told_of_a_commit_that_failed),
        cmocka_unit_test(an_operation_is_done_or_not_done),
        cmocka_unit_test(an_idle_store_notices_by_itself_that_it_works_again),
        cmocka_unit_test(any_single_failure_is_survived),
        cmocka_unit_test(a_store_that_cannot_be_made_is_not_half_made),
        cmocka_unit_test(
            while_it_fails_a_budget_is_refused_after_a_second_and_all_after_a_thousand),
        cmocka_unit_test(what_was_spilled_is_written_once),
    };

    faulty_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
