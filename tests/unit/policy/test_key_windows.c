/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/key.h"
#include "../store/support.h"

#define DAY_US (86400 * (int64_t)1000000)
#define NOW_US (1795000000 * (int64_t)1000000)

/* A gateway's view of one key: the table of keys over the store, and a clock. */
struct world {
    struct place p;
    struct km_keys *keys;
    struct km_key_row row;
    int64_t now_us;
    uint64_t seed;
    struct {
        int64_t end_us, cost;
    } paid[600];
    size_t n;
};

static uint64_t next_number(struct world *w)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return w->seed >> 33;
}

static void put_row(void *ctx, const struct km_key_row *row)
{
    assert_int_equal(km_keys_put(ctx, row, NULL), 0);
}

static void put_window(void *ctx, const uint8_t hash[32], int64_t end_us, int64_t spend)
{
    km_keys_add_window(ctx, hash, end_us, spend);
}

static void load(struct world *w)
{
    w->keys = km_keys_new(10);
    assert_int_equal(km_store_keys(w->p.store, put_row, w->keys, NULL), 0);
    assert_int_equal(km_store_windows(w->p.store, put_window, w->keys, NULL), 0);
}

static void restart(struct world *w)
{
    km_keys_free(w->keys);
    place_close(&w->p);
    place_open(&w->p);
    load(w);
}

static int64_t paid_between(const struct world *w, int64_t from_us, int64_t to_us)
{
    int64_t sum = 0;

    for (size_t i = 0; i < w->n; i++)
        if (w->paid[i].end_us >= from_us && w->paid[i].end_us < to_us)
            sum += w->paid[i].cost;
    return sum;
}

/* A call as the gateway makes it: admission, which may turn the window, and its books. */
static void call(struct world *w)
{
    struct km_key *k = km_keys_find(w->keys, w->row.hash);
    const struct km_admission a = { .now_ms = 1000, .now_us = w->now_us };
    struct km_permit permit = { 0 };
    struct km_ledger_entry e = entry(&w->p, w->row.hash[0], 1 + (int64_t)(next_number(w) % 1000));
    bool rolled = false;

    assert_int_equal(km_permit_take(k, &a, &permit, NULL, &rolled, NULL), 0);
    if (rolled)
        km_store_key_reset(w->p.store, NULL, w->row.hash, km_key_window_end(k), NULL, NULL);
    e.start_us = w->now_us;
    e.end_us = w->now_us + 5000;
    intend(&w->p, &e);
    km_permit_settle(&permit, e.cost, 0, 1005);
    settle(&w->p, &e);
    w->paid[w->n].end_us = e.end_us;
    w->paid[w->n++].cost = e.cost;
    km_key_unref(k);
}

/* What the table says is spent now is what was paid in the window of now. */
static void check(struct world *w)
{
    struct km_key *k = km_keys_find(w->keys, w->row.hash);
    const struct km_admission a = { .now_ms = 1000, .now_us = w->now_us };
    struct km_permit permit = { 0 };
    struct km_err err = { 0 };
    bool rolled = false;
    char said[64], want[64], amount[32];
    int64_t end_us;

    assert_int_equal(km_permit_take(k, &a, &permit, NULL, &rolled, NULL), 0);
    km_permit_settle(&permit, 0, 0, 1000);
    end_us = km_key_window_end(k);
    if (rolled)
        km_store_key_reset(w->p.store, NULL, w->row.hash, end_us, NULL, NULL);
    {
        /* More than is left is refused, with the sum in the text. */
        const struct km_admission all = { .reserve = INT64_MAX,
                                          .now_ms = 1000,
                                          .now_us = w->now_us };

        assert_int_equal(km_permit_take(k, &all, &permit, NULL, NULL, &err), KM_E_BUDGET);
    }
    km_money_text(paid_between(w, km_time_budget_begin(end_us, w->row.budget_duration_s), end_us),
                  amount);
    (void)snprintf(want, sizeof want, "Current cost: %s,", amount);
    (void)snprintf(said, sizeof said, "%s", strstr(err.text, "Current cost:"));
    if (strncmp(said, want, strlen(want)) != 0)
        fail_msg("%s, not: %s", said, want);
    km_key_unref(k);
}

static void clock_and_restarts(int64_t length_s)
{
    static const int64_t jumps_us[] = { 400 * DAY_US, -400 * DAY_US, 8 * DAY_US, -DAY_US };
    static struct world w;
    int64_t right_us = NOW_US, off_us = 0;

    memset(&w, 0, sizeof w);
    w.seed = (uint64_t)length_s;
    place_begin(&w.p);
    w.row = key_row(3);
    w.row.max_budget = 1000 * USD;
    w.row.budget_duration_s = length_s;
    w.row.budget_reset_us = km_time_budget_reset(NOW_US, length_s);
    put_key(&w.p, &w.row, true);
    assert_int_equal(answer(&w.p), 0);
    load(&w);
    for (int i = 0; i < 300; i++) {
        uint64_t what = next_number(&w) % 12;

        if (what == 0)
            off_us = jumps_us[next_number(&w) % 4];
        else if (what < 3)
            off_us = 0;
        else if (what == 3)
            restart(&w);
        else if (what == 4)
            put_key(&w.p, &w.row, false); /* with the end of a window of long ago */
        if (what == 4)
            assert_int_equal(answer(&w.p), 0);
        right_us += (int64_t)(next_number(&w) % 50) * length_s * 2000;
        w.now_us = right_us + off_us;
        call(&w);
        check(&w);
    }
    w.now_us = right_us;
    check(&w);
    sync_store(&w.p);
    restart(&w);
    check(&w);
    km_keys_free(w.keys);
    place_done(&w.p);
}

static void no_jump_of_the_clock_and_no_restart_forgets_a_window(void **state)
{
    static const int64_t lengths_s[] = { 3600, 86400, 5 * 86400, 7 * 86400, 30 * 86400 };

    (void)state;
    for (size_t i = 0; i < sizeof lengths_s / sizeof lengths_s[0]; i++)
        clock_and_restarts(lengths_s[i]);
}

static void a_new_secret_takes_its_windows_along(void **state)
{
    struct place p;
    struct km_key_row row = key_row(1);
    struct km_ledger_entry e;
    uint8_t old[32];

    (void)state;
    place_begin(&p);
    row.budget_duration_s = 86400;
    row.budget_reset_us = km_time_budget_reset(km_wall_us(), 86400);
    put_key(&p, &row, true);
    assert_int_equal(answer(&p), 0);
    e = entry(&p, 1, 70);
    e.start_us = e.end_us = row.budget_reset_us - DAY_US - 1;
    settle(&p, &e);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT spend FROM keys"), 0);
    memcpy(old, row.hash, sizeof old);
    memset(row.hash, 2, sizeof row.hash);
    km_store_key_replace(p.store, p.reply, old, &row, NULL, on_done, &p);
    assert_int_equal(answer(&p), 0);
    e.id = km_uuid7(&p.ids);
    settle(&p, &e);
    sync_store(&p);
    assert_int_equal(number(p.db, "SELECT spend FROM budget_windows WHERE hash = x'"
                                  "0202020202020202020202020202020202020202020202020202020202020202"
                                  "'"),
                     140);
    km_store_key_reset(p.store, p.reply, row.hash, row.budget_reset_us - DAY_US, on_done, &p);
    assert_int_equal(answer(&p), 0);
    assert_int_equal(number(p.db, "SELECT spend FROM keys"), 140);
    assert_int_equal(number(p.db, "SELECT count(*) FROM budget_windows"), 0);
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_jump_of_the_clock_and_no_restart_forgets_a_window),
        cmocka_unit_test(a_new_secret_takes_its_windows_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
