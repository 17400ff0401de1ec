/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/time.h"
#include "support.h"

#define MINUTE INT64_C(60000000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* 2026-11-10T00:00:00Z */
#define MIDNIGHT (INT64_C(20767) * DAY)

/* A call from here to there, in minutes of that day. */
static void book(struct place *p, int64_t from, int64_t to, int64_t cost)
{
    struct km_ledger_entry e = entry(p, 1, cost);
    uint64_t ms;

    e.start_us = MIDNIGHT + from * MINUTE;
    e.first_us = 0;
    e.end_us = MIDNIGHT + to * MINUTE;
    ms = (uint64_t)e.start_us / 1000;
    for (int i = 0; i < 6; i++)
        e.id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
    settle(p, &e);
    sync_store(p);
}

static int64_t since(struct place *p, int64_t begin_us)
{
    int64_t spent = -1;

    assert_int_equal(km_store_spent(p->store, begin_us, &spent, NULL), 0);
    return spent;
}

static void what_ended_since_then_counts(void **state)
{
    struct place p;

    (void)state;
    place_init(&p);
    place_open(&p);
    add_key(&p, 1);
    assert_int_equal(since(&p, MIDNIGHT), 0);
    book(&p, -3000, -2990, 1); /* days before */
    book(&p, -30, -20, 10); /* the evening before */
    book(&p, -10, 5, 100); /* over midnight */
    book(&p, 60, 70, 1000);
    book(&p, 115, 125, 10000); /* over the hour */
    book(&p, 130, 140, 100000);
    book(&p, 1500, 1501, 1000000); /* the day behind */
    assert_int_equal(since(&p, INT64_MIN), 1111111);
    assert_int_equal(since(&p, MIDNIGHT - DAY), 1111110);
    assert_int_equal(since(&p, MIDNIGHT), 1111100);
    assert_int_equal(since(&p, MIDNIGHT + HOUR), 1111000);
    assert_int_equal(since(&p, MIDNIGHT + 2 * HOUR), 1110000);
    assert_int_equal(since(&p, MIDNIGHT + 3 * HOUR), 1000000);
    assert_int_equal(since(&p, MIDNIGHT + DAY), 1000000);
    assert_int_equal(since(&p, MIDNIGHT + 2 * DAY), 0);
    place_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_ended_since_then_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
