/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/chunk.h"
#include "store/room.h"
#include "store/spill.h"
#include "store/spill_ledger.h"

#include "faulty_vfs.h"
#include "support.h"

#define SMALL (128 << 10) /* of the spill file */

/* What a crash would leave of it, as another folder's store. */
static void copy_place(const struct place *from, const struct place *to)
{
    static const char *const names[] = { "kanmon.db", "kanmon.db-wal", "store.id", "store.spill" };
    char a[96], b[96];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(a, sizeof a, "%s/%s", from->dir, names[i]);
        (void)snprintf(b, sizeof b, "%s/%s", to->dir, names[i]);
        assert_true(faulty_copy(a, b));
    }
}

/* What is open keeps room all the same. */
static void wait_until_spilled(struct place *p, size_t open)
{
    struct km_store_health health;

    do
        km_store_health(p->store, &health);
    while (health.spilled_bytes == 0 || km_ledger_needs(p->ledger) > open * KM_ROOM_SETTLE);
}

/* However long what they say at their end is: whoever was admitted is in the file. */
static void calls_in_flight_have_their_room(void **state)
{
    static struct km_ledger_entry calls[4096];
    static char metadata[4000];
    const struct km_audit audit = { .actor = KM_STR("test"),
                                    .action = KM_STR("called"),
                                    .detail = km_str(metadata, sizeof metadata) };
    struct place p, crashed;
    struct km_err err = { 0 };
    size_t n = 0;
    bool wait;

    (void)state;
    place_init(&p);
    place_init(&crashed);
    memset(metadata, ' ', sizeof metadata);
    memcpy(metadata, "{}", 2);
    p.settings.spill_bytes = SMALL;
    place_open(&p);
    for (;; n++) {
        assert_in_range(n, 0, SMALL / KM_ROOM_SETTLE);
        calls[n] = entry(&p, 1, 10);
        calls[n].audited = n % 3 == 0;
        if (km_ledger_intent(p.ledger, &calls[n], NULL, NULL, &wait, &err) < 0)
            break;
    }
    assert_true(n > 20);
    assert_int_equal(err.code, KM_E_OVERLOADED);
    assert_non_null(strstr(err.text, "no room"));
    faulty_fail(1, 0, SQLITE_FULL);
    for (size_t i = 0; i < n; i++) {
        calls[i].metadata = km_str(metadata, sizeof metadata);
        settle(&p, &calls[i]);
        if (calls[i].audited)
            km_ledger_audit(p.ledger, &audit, true, NULL, NULL, &wait);
    }
    wait_until_spilled(&p, 0);
    copy_place(&p, &crashed);
    faulty_heal();
    place_done(&p);
    place_open(&crashed);
    assert_int_equal(number(crashed.db, "SELECT count(*) FROM spend"), n);
    assert_int_equal(number(crashed.db, "SELECT sum(cost) FROM daily"), 10 * n);
    assert_int_equal(number(crashed.db, "SELECT count(*) FROM audit WHERE action = 'called'"),
                     (n + 2) / 3);
    place_done(&crashed);
}

/* Of a chunk whose intents all wait for their settlements elsewhere nothing is written, however
 * often it is tried.  A moment where no frame was ever written is the first of an outage. */
static void a_chunk_with_nothing_left_is_counted_once(void **state)
{
    static const struct km_uuid id = { { 1 } };
    char path[96], aside[KM_PLACE_PATH];
    struct km_err err = { 0 };
    struct km_spill *spill;
    struct km_ledger_entry e;
    struct km_chunk *taken;
    struct place p;
    bool kept = false;

    (void)state;
    place_init(&p);
    p.settings.commit_ms = 1000000; /* it comes when we say so */
    place_open(&p);
    (void)snprintf(path, sizeof path, "%s/kanmon.db.new", p.dir);
    assert_int_equal(km_spill_open(path, &id, 1 << 20, 0, &spill, aside, &err), 0);
    e = entry(&p, 1, 10);
    intend(&p, &e);
    taken = km_ledger_take(p.ledger, 30000000, &kept);
    assert_true(kept);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(km_spill_chunks(spill, taken, &err), 0);
        assert_int_equal(km_spill_bytes(spill), 0);
        assert_in_range(km_ledger_needs(p.ledger), KM_ROOM_SETTLE, KM_ROOM_CALL);
    }
    km_chunk_committed(taken);
    assert_in_range(km_ledger_needs(p.ledger), KM_ROOM_SETTLE, KM_ROOM_CALL);
    settle(&p, &e);
    sync_store(&p);
    assert_int_equal(km_ledger_needs(p.ledger), 0);
    km_spill_close(spill);
    place_done(&p);
}

/* As many as there are, while the disk has room: the file grows before they need it. */
static void the_room_grows_with_the_calls(void **state)
{
    struct place p;
    struct stat st;
    char spill[96];

    (void)state;
    place_init(&p);
    p.settings.queue_bytes = 1 << 26;
    place_open(&p);
    (void)snprintf(spill, sizeof spill, "%s/store.spill", p.dir);
    for (int i = 0; i < 8000; i++) {
        struct km_ledger_entry e = entry(&p, 1, 10);

        intend(&p, &e);
    }
    assert_int_equal(stat(spill, &st), 0);
    assert_true((uint64_t)st.st_blocks * 512 >= 8000 * (uint64_t)KM_ROOM_SETTLE);
    place_done(&p);
}

static void see_spend(void *ctx, const struct km_key_row *row)
{
    *(int64_t *)ctx = row->spend;
}

/* The keys have spent what the store cannot be told yet; it is told once. */
static void a_start_that_cannot_write_knows_what_was_spent(void **state)
{
    struct place p, crashed;
    struct km_store_health health;
    struct km_ledger_entry e;
    int64_t spend = 0;

    (void)state;
    place_begin(&p);
    place_init(&crashed);
    (void)add_key(&p, 1);
    faulty_fail(1, 0, SQLITE_FULL);
    for (int i = 0; i < 50; i++) {
        e = entry(&p, 1, 10);
        intend(&p, &e);
        settle(&p, &e);
    }
    e = entry(&p, 1, 10); /* never settled: charged by what was said of it */
    intend(&p, &e);
    wait_until_spilled(&p, 1);
    p.ledger = km_ledger_free(p.ledger);
    copy_place(&p, &crashed);
    place_open(&crashed);
    km_store_health(crashed.store, &health);
    assert_false(health.healthy);
    assert_non_null(strstr(health.text, "spill file"));
    assert_int_equal(km_store_keys(crashed.store, see_spend, &spend, NULL), 0);
    assert_int_equal(spend, 510);
    km_store_loaded(crashed.store);
    e = entry(&crashed, 1, 10);
    intend(&crashed, &e);
    settle(&crashed, &e);
    faulty_heal();
    do
        km_store_health(crashed.store, &health);
    while (!health.healthy);
    sync_store(&crashed);
    assert_int_equal(number(crashed.db, "SELECT count(*) FROM spend"), 52);
    assert_int_equal(number(crashed.db, "SELECT spend FROM keys"), 520);
    place_done(&crashed);
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_in_flight_have_their_room),
        cmocka_unit_test(a_chunk_with_nothing_left_is_counted_once),
        cmocka_unit_test(the_room_grows_with_the_calls),
        cmocka_unit_test(a_start_that_cannot_write_knows_what_was_spent),
    };

    faulty_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
