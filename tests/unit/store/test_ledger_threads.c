/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "support.h"

/* Workers come, write as fast as they can, and go, while others ask for rows and change keys:
 * in the end every call is one row, and all sums agree. */

#define WORKERS 4
#define CALLS 3000

struct worker {
    struct km_store *store;
    pthread_t thread;
    uint8_t key;
    bool strict;
    int left; /* strict: settlements not yet confirmed */
    struct place p;
};

static void entry_of(struct worker *w, int i, struct km_ledger_entry *e)
{
    *e = entry(&w->p, w->key, i % 100);
    e->model = i % 3 ? KM_STR("a") : KM_STR("b");
}

static void write_eventual(struct worker *w)
{
    struct km_ledger_entry e, later;
    bool have_later = false, wait;

    for (int i = 0; i < CALLS; i++) {
        entry_of(w, i, &e);
        while (km_ledger_intent(w->p.ledger, &e, NULL, NULL, &wait, NULL) < 0)
            sched_yield();
        if (i % 5 == 0) {
            if (have_later)
                km_ledger_settle(w->p.ledger, &later, NULL, NULL, &wait);
            later = e;
            have_later = true;
            continue;
        }
        km_ledger_settle(w->p.ledger, &e, NULL, NULL, &wait);
    }
    km_ledger_settle(w->p.ledger, &later, NULL, NULL, &wait);
}

static void on_confirmed(void *ctx, const struct km_err *err)
{
    struct worker *w = ctx;

    if (!err && --w->left == 0)
        km_loop_stop(w->p.loop);
}

static void write_strict(struct worker *w)
{
    struct km_ledger_entry e;
    bool wait;

    w->left = 2 * CALLS;
    for (int i = 0; i < CALLS; i++) {
        entry_of(w, i, &e);
        while (km_ledger_intent(w->p.ledger, &e, on_confirmed, w, &wait, NULL) < 0)
            sched_yield();
        km_ledger_settle(w->p.ledger, &e, on_confirmed, w, &wait);
    }
    km_loop_run(w->p.loop);
}

static void *work(void *arg)
{
    struct worker *w = arg;

    w->p.loop = km_loop_new(NULL);
    w->p.reply = km_mailbox_new(w->p.loop, NULL, NULL);
    km_idgen_init(&w->p.ids);
    w->p.ledger = km_ledger_new(w->store, w->p.loop, w->p.reply, w->key, NULL);
    if (w->strict)
        write_strict(w);
    else
        write_eventual(w);
    km_ledger_free(w->p.ledger);
    km_mailbox_free(w->p.reply);
    km_loop_free(w->p.loop);
    return NULL;
}

static void many_at_once(bool strict)
{
    struct place p;
    struct worker workers[WORKERS];
    struct km_spend_query q = { .limit = 50 };

    place_init(&p);
    p.settings.accounting = strict ? KM_ACCOUNTING_STRICT : KM_ACCOUNTING_EVENTUAL;
    p.settings.queue_bytes = 16 << 20;
    place_open(&p);
    for (uint8_t i = 0; i < WORKERS; i++) {
        struct km_key_row row = key_row(i);

        put_key(&p, &row, true);
        assert_int_equal(answer(&p), 0);
    }
    for (uint8_t i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){ .store = p.store, .key = i, .strict = strict };
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (uint8_t i = 0; i < 20; i++) {
        struct km_key_row row = key_row(i % WORKERS);

        row.alias = KM_STR("renamed");
        put_key(&p, &row, false);
        assert_int_equal(answer(&p), 0);
        km_store_spend_logs(p.store, p.reply, &q, on_json, &p);
        assert_int_equal(answer(&p), 0);
        assert_true(km_store_queued(p.store) < (size_t)64 << 20);
    }
    for (uint8_t i = 0; i < WORKERS; i++)
        pthread_join(workers[i].thread, NULL);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT count(*) FROM spend"), WORKERS * CALLS);
    assert_int_equal(number(p.db, "SELECT count(*) FROM open_calls"), 0);
    assert_int_equal(number(p.db, "SELECT sum(calls) FROM daily"), WORKERS * CALLS);
    assert_int_equal(number(p.db, "SELECT sum(spend) FROM keys"),
                     number(p.db, "SELECT sum(cost) FROM spend"));
    assert_int_equal(number(p.db, "SELECT sum(cost) FROM daily"),
                     number(p.db, "SELECT sum(cost) FROM spend"));
    assert_int_equal(number(p.db, "SELECT sum(cost) FROM spend"),
                     (int64_t)WORKERS * (CALLS / 100) * (99 * 100 / 2));
    place_done(&p);
}

static void workers_at_once_lose_and_double_nothing(void **state)
{
    (void)state;
    many_at_once(false);
}

static void strict_workers_are_told_of_every_commit(void **state)
{
    (void)state;
    many_at_once(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_at_once_lose_and_double_nothing),
        cmocka_unit_test(strict_workers_are_told_of_every_commit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
