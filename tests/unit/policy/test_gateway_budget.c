/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "policy/gateway_budget.h"

#define USD INT64_C(1000000000)
#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

/* 2026-11-10T12:30:00Z, in the middle of an hour. */
#define NOW (INT64_C(1794313800) * SECOND)

static struct km_gateway_budget *budget_of(int64_t hour, int64_t day, int64_t month,
                                           enum km_gateway_action action)
{
    const struct km_gateway_budget_settings s = { .max = { hour, day, month },
                                                  .action = action,
                                                  .alert_percent = 80,
                                                  .throttle_wait_ms = 10000 };
    const struct km_proxy_budget_settings none = { .max_budget = -1 };
    struct km_gateway_budget *b;

    assert_int_equal(km_gateway_budget_new(&s, &none, NOW, &b, NULL), 0);
    return b;
}

static struct km_gateway_window_facts window(struct km_gateway_budget *b,
                                             enum km_gateway_window_kind kind, int64_t now_us)
{
    struct km_gateway_window_facts v[KM_GATEWAY_WINDOWS];

    km_gateway_budget_look(b, now_us, v);
    return v[kind];
}

struct told {
    size_t n;
    enum km_gateway_window_kind kind[16];
    bool limit[16];
    pthread_mutex_t lock;
};

static void on_alert(void *ctx, const struct km_gateway_window_facts *w, bool limit)
{
    struct told *t = ctx;

    pthread_mutex_lock(&t->lock);
    t->kind[t->n % 16] = w->kind;
    t->limit[t->n++ % 16] = limit;
    pthread_mutex_unlock(&t->lock);
}

#define TOLD                                                                                       \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }

static void there_is_none_where_nothing_is_limited(void **state)
{
    const struct km_gateway_budget_settings s = { .max = { -1, -1, -1 } };
    const struct km_proxy_budget_settings zero = { .max_budget = 0 };
    struct km_gateway_budget *b;

    (void)state;
    assert_int_equal(km_gateway_budget_new(&s, &zero, NOW, &b, NULL), 0);
    assert_null(b);
    assert_false(km_gateway_budget_blocks(NULL));
    assert_int_equal(km_gateway_budget_take(NULL, USD, KM_BUDGET_RESERVE, NOW, NULL), 0);
    assert_int_equal(km_gateway_budget_left(NULL, NOW), INT64_MAX);
    assert_int_equal(km_gateway_budget_pace(NULL, KM_PRIORITY_LOW, NOW), 0);
    km_gateway_budget_settle(NULL, USD, USD, NOW);
    assert_null(km_gateway_budget_free(NULL));
}

static void windows_are_the_calendars(void **state)
{
    struct km_gateway_budget *b = budget_of(USD, 10 * USD, -1, KM_GATEWAY_ALERT);
    struct km_gateway_window_facts w;

    (void)state;
    km_gateway_budget_settle(b, 0, USD / 2, NOW);
    w = window(b, KM_GATEWAY_HOUR, NOW);
    assert_int_equal(w.begin_us, NOW - HOUR / 2);
    assert_int_equal(w.end_us, NOW + HOUR / 2);
    assert_int_equal(w.percent, 50);
    w = window(b, KM_GATEWAY_DAY, NOW);
    assert_int_equal(w.begin_us, NOW - HOUR * 25 / 2);
    assert_int_equal(w.end_us, w.begin_us + DAY);
    w = window(b, KM_GATEWAY_MONTH, NOW); /* counted, and not limited */
    assert_true(w.kept);
    assert_int_equal(w.max, -1);
    assert_int_equal(w.end_us - w.begin_us, 30 * DAY); /* November */
    assert_int_equal(w.spent, USD / 2);
    assert_false(window(b, KM_GATEWAY_PROXY, NOW).kept);

    assert_int_equal(window(b, KM_GATEWAY_HOUR, NOW + HOUR).spent, 0);
    assert_int_equal(window(b, KM_GATEWAY_DAY, NOW + HOUR).spent, USD / 2);
    assert_int_equal(window(b, KM_GATEWAY_MONTH, NOW + DAY).spent, USD / 2);
    /* A call that ends behind the turn is the next window's, and one that ended before it of that
     * before. */
    km_gateway_budget_settle(b, 0, USD, NOW + DAY + HOUR);
    km_gateway_budget_settle(b, 0, USD / 4, NOW + DAY + HOUR - HOUR / 2 - SECOND / 2);
    assert_int_equal(window(b, KM_GATEWAY_HOUR, NOW + DAY + HOUR).spent, USD);
    assert_int_equal(window(b, KM_GATEWAY_MONTH, NOW + DAY + HOUR).spent, USD / 2 + USD + USD / 4);
    /* A clock that is set back finds what was spent then. */
    assert_int_equal(window(b, KM_GATEWAY_HOUR, NOW).spent, USD / 2);
    km_gateway_budget_free(b);
}

static void each_line_is_told_once_a_window(void **state)
{
    struct km_gateway_budget *b = budget_of(USD, 2 * USD, -1, KM_GATEWAY_ALERT);
    struct told told = TOLD;

    (void)state;
    km_gateway_budget_tell(b, on_alert, &told);
    km_gateway_budget_settle(b, 0, USD * 79 / 100, NOW);
    assert_int_equal(told.n, 0);
    km_gateway_budget_settle(b, 0, USD / 100, NOW); /* 80 % */
    assert_int_equal(told.n, 1);
    assert_int_equal(told.kind[0], KM_GATEWAY_HOUR);
    assert_false(told.limit[0]);
    km_gateway_budget_settle(b, 0, USD / 100, NOW);
    assert_int_equal(told.n, 1);
    km_gateway_budget_settle(b, 0, USD, NOW); /* the hour's limit, the day's threshold */
    assert_int_equal(told.n, 3);
    assert_true(told.limit[1]);
    assert_int_equal(told.kind[2], KM_GATEWAY_DAY);
    assert_false(told.limit[2]);
    km_gateway_budget_settle(b, 0, USD / 100, NOW);
    assert_int_equal(told.n, 3);
    km_gateway_budget_settle(b, 0, USD, NOW + HOUR); /* both of the next hour, the day's limit */
    assert_int_equal(told.n, 6);
    /* What goes down and up again in one window is told once. */
    km_gateway_budget_correct(b, -USD, NOW + HOUR);
    assert_false(window(b, KM_GATEWAY_HOUR, NOW + HOUR).past);
    km_gateway_budget_correct(b, USD, NOW + HOUR);
    assert_true(window(b, KM_GATEWAY_HOUR, NOW + HOUR).past);
    assert_int_equal(told.n, 6);
    km_gateway_budget_free(b);
}

static void what_was_crossed_before_the_start_was_told_then(void **state)
{
    struct km_gateway_budget *b = budget_of(USD, -1, -1, KM_GATEWAY_ALERT);
    struct told told = TOLD;

    (void)state;
    km_gateway_budget_tell(b, on_alert, &told);
    km_gateway_budget_load(b, KM_GATEWAY_HOUR, USD * 9 / 10);
    assert_true(km_gateway_budget_is_near(b, NOW));
    assert_false(km_gateway_budget_is_near(b, NOW + HOUR));
    km_gateway_budget_settle(b, 0, USD / 100, NOW);
    assert_int_equal(told.n, 0);
    km_gateway_budget_settle(b, 0, USD, NOW);
    assert_int_equal(told.n, 1);
    assert_true(told.limit[0]);
    km_gateway_budget_free(b);
}

static void only_block_refuses(void **state)
{
    (void)state;
    for (int action = KM_GATEWAY_ALERT; action < KM_GATEWAY_BLOCK; action++) {
        struct km_gateway_budget *b = budget_of(USD, -1, -1, (enum km_gateway_action)action);

        km_gateway_budget_settle(b, 0, 2 * USD, NOW);
        assert_false(km_gateway_budget_blocks(b));
        assert_int_equal(km_gateway_budget_take(b, USD, KM_BUDGET_RESERVE, NOW, NULL), 0);
        assert_int_equal(km_gateway_budget_left(b, NOW), INT64_MAX);
        km_gateway_budget_free(b);
    }
}

static void what_blocks_reserves_in_all_its_windows_or_none(void **state)
{
    struct km_gateway_budget *b = budget_of(2 * USD, USD, -1, KM_GATEWAY_BLOCK);
    struct km_err err = { 0 };

    (void)state;
    assert_int_equal(km_gateway_budget_left(b, NOW), USD);
    assert_int_equal(km_gateway_budget_take(b, USD * 3 / 4, KM_BUDGET_RESERVE, NOW, &err), 0);
    assert_int_equal(km_gateway_budget_take(b, USD / 2, KM_BUDGET_RESERVE, NOW, &err), KM_E_BUDGET);
    assert_non_null(strstr(err.text, "Budget has been exceeded! Current cost: 0, Max budget: 1"));
    assert_non_null(strstr(err.text, "budget of this day (kanmon_settings.cost_budget_usd_per_day),"
                                     " which ends at 2026-11-11 00:00:00 UTC."));
    assert_int_equal(window(b, KM_GATEWAY_HOUR, NOW).reserved, USD * 3 / 4);
    assert_int_equal(window(b, KM_GATEWAY_DAY, NOW).reserved, USD * 3 / 4);
    assert_int_equal(window(b, KM_GATEWAY_MONTH, NOW).reserved, 0);
    km_gateway_budget_settle(b, USD * 3 / 4, USD / 4, NOW);
    assert_int_equal(window(b, KM_GATEWAY_DAY, NOW).reserved, 0);
    assert_int_equal(km_gateway_budget_left(b, NOW), USD * 3 / 4);
    /* LiteLLM's mode asks only whether all is spent. */
    km_gateway_budget_settle(b, 0, USD * 3 / 4, NOW);
    assert_int_equal(km_gateway_budget_take(b, 0, KM_BUDGET_LITELLM, NOW, &err), KM_E_BUDGET);
    assert_int_equal(km_gateway_budget_take(b, 0, KM_BUDGET_RESERVE, NOW, &err), 0);
    assert_int_equal(km_gateway_budget_take(b, USD, KM_BUDGET_RESERVE, NOW + DAY, &err), 0);
    km_gateway_budget_free(b);
}

static void what_a_crash_left_is_held(void **state)
{
    struct km_gateway_budget *b = budget_of(USD, -1, -1, KM_GATEWAY_BLOCK);
    const struct km_budget_hold hold = { .id = { { 1 } },
                                         .amount = USD / 2,
                                         .until_ms = km_mono_ms() + 600000 };

    (void)state;
    km_gateway_budget_hold(b, &hold);
    assert_int_equal(km_gateway_budget_left(b, NOW), USD / 2);
    assert_int_equal(window(b, KM_GATEWAY_HOUR, NOW).held, USD / 2);
    km_gateway_budget_release(b, &hold.id);
    assert_int_equal(km_gateway_budget_left(b, NOW), USD);
    km_gateway_budget_free(b);
}

static void the_month_is_projected_by_its_part_that_is_over(void **state)
{
    struct km_gateway_budget *b = budget_of(USD, -1, -1, KM_GATEWAY_ALERT);
    struct km_gateway_window_facts w;

    (void)state;
    km_gateway_budget_settle(b, 0, 10 * USD, NOW);
    w = window(b, KM_GATEWAY_MONTH, NOW);
    assert_int_equal(km_gateway_budget_projected(&w, w.begin_us + 10 * DAY), 30 * USD);
    assert_int_equal(km_gateway_budget_projected(&w, w.begin_us + 15 * DAY), 20 * USD);
    assert_int_equal(km_gateway_budget_projected(&w, w.end_us), 10 * USD);
    assert_int_equal(km_gateway_budget_projected(&w, w.begin_us + 1), 10 * USD * 720);
    w.spent = 0;
    assert_int_equal(km_gateway_budget_projected(&w, NOW), 0);
    w = window(b, KM_GATEWAY_PROXY, NOW);
    assert_int_equal(km_gateway_budget_projected(&w, NOW), 0);
    km_gateway_budget_free(b);
}

static void nobody_is_held_back_before_the_threshold(void **state)
{
    struct km_gateway_budget *b = budget_of(USD, -1, -1, KM_GATEWAY_THROTTLE);

    (void)state;
    km_gateway_budget_settle(b, 0, USD * 79 / 100, NOW);
    for (int i = 0; i < 100; i++)
        assert_int_equal(km_gateway_budget_pace(b, KM_PRIORITY_LOW, NOW), 0);
    assert_int_equal(km_gateway_budget_throttled(b), 0);
    km_gateway_budget_free(b);
}

/* 100 calls of a cent each are 1 USD: 80 of them, then those that are left in half an hour. */
static struct km_gateway_budget *spent_by_cents(int n, int64_t now_us)
{
    struct km_gateway_budget *b = budget_of(USD, -1, -1, KM_GATEWAY_THROTTLE);

    for (int i = 0; i < n; i++)
        km_gateway_budget_settle(b, 0, USD / 100, now_us);
    return b;
}

static void what_is_left_lasts_for_the_window(void **state)
{
    const int64_t at = NOW + HOUR / 2 - 100 * SECOND; /* 100 s are left, and 20 calls */
    struct km_gateway_budget *b = spent_by_cents(80, at);

    (void)state;
    assert_int_equal(km_gateway_budget_pace(b, KM_PRIORITY_LOW, at), 0); /* nobody is before it */
    assert_int_equal(km_gateway_budget_pace(b, KM_PRIORITY_LOW, at), 5000);
    assert_int_equal(km_gateway_budget_pace(b, KM_PRIORITY_LOW, at), 10000);
    assert_int_equal(km_gateway_budget_pace(b, KM_PRIORITY_LOW, at), 10000); /* the most it waits */
    assert_int_equal(km_gateway_budget_throttled(b), 3);
    /* Whoever comes when the line has gone does not wait. */
    assert_int_equal(km_gateway_budget_pace(b, KM_PRIORITY_LOW, at + 30 * SECOND), 0);
    /* The next window is not near. */
    assert_int_equal(km_gateway_budget_pace(b, KM_PRIORITY_LOW, at + 100 * SECOND), 0);
    assert_int_equal(km_gateway_budget_pace(b, KM_PRIORITY_LOW, at + 100 * SECOND), 0);
    km_gateway_budget_free(b);
}

/* How long the second of two calls waits. */
static uint64_t second_waits(int cents, enum km_priority p)
{
    const int64_t at = NOW + HOUR / 2 - 10 * SECOND;
    struct km_gateway_budget *b = spent_by_cents(cents, at);
    uint64_t ms;

    assert_int_equal(km_gateway_budget_pace(b, p, at), 0);
    ms = km_gateway_budget_pace(b, p, at);
    km_gateway_budget_free(b);
    return ms;
}

static void low_priorities_are_held_back_first(void **state)
{
    (void)state;
    assert_true(second_waits(80, KM_PRIORITY_LOW) > 0);
    assert_int_equal(second_waits(80, KM_PRIORITY_MEDIUM), 0);
    assert_int_equal(second_waits(80, KM_PRIORITY_UNSAID), 0);
    assert_true(second_waits(87, KM_PRIORITY_MEDIUM) > 0);
    assert_true(second_waits(87, KM_PRIORITY_UNSAID) > 0);
    assert_int_equal(second_waits(87, KM_PRIORITY_HIGH), 0);
    assert_true(second_waits(94, KM_PRIORITY_HIGH) > 0);
    assert_int_equal(second_waits(99, KM_PRIORITY_CRITICAL), 0);
    assert_int_equal(second_waits(100, KM_PRIORITY_CRITICAL), 10000);
    assert_int_equal(second_waits(200, KM_PRIORITY_LOW), 10000); /* and is not refused */
}

static void the_counters_pass_over_to_another_process(void **state)
{
    struct km_gateway_budget *before = budget_of(USD, -1, -1, KM_GATEWAY_BLOCK),
                             *b = budget_of(2 * USD, -1, 9 * USD, KM_GATEWAY_BLOCK);
    struct told told = TOLD;
    struct km_gateway_line line;
    size_t n = 0;

    (void)state;
    km_gateway_budget_tell(b, on_alert, &told);
    km_gateway_budget_settle(before, 0, USD * 85 / 100, NOW);
    assert_int_equal(km_gateway_budget_take(before, USD / 10, KM_BUDGET_RESERVE, NOW, NULL), 0);
    for (; km_gateway_budget_export(before, n, &line); n++)
        km_gateway_budget_import(b, &line);
    assert_int_equal(n, 2); /* the hour, and the month that is but counted */
    assert_int_equal(window(b, KM_GATEWAY_HOUR, NOW).spent, USD * 85 / 100);
    assert_int_equal(window(b, KM_GATEWAY_HOUR, NOW).reserved, USD / 10);
    assert_int_equal(window(b, KM_GATEWAY_MONTH, NOW).spent, USD * 85 / 100);
    km_gateway_budget_settle_imported(b, USD / 10, USD / 100, NOW);
    assert_int_equal(window(b, KM_GATEWAY_HOUR, NOW).reserved, 0);
    assert_int_equal(window(b, KM_GATEWAY_HOUR, NOW).spent, USD * 86 / 100);
    assert_int_equal(km_gateway_budget_take_imported(b, USD / 10, KM_BUDGET_RESERVE, NOW, NULL), 0);
    assert_int_equal(km_gateway_budget_take(b, USD / 5, KM_BUDGET_RESERVE, NOW, NULL), 0);
    km_gateway_budget_end_import(b);
    assert_int_equal(window(b, KM_GATEWAY_HOUR, NOW).reserved, USD / 5);
    assert_int_equal(told.n, 0);
    km_gateway_budget_free(before);
    km_gateway_budget_free(b);
}

static void litellms_budget_blocks_by_itself(void **state)
{
    const struct km_gateway_budget_settings none = { .max = { -1, -1, -1 }, .alert_percent = 80 };
    const struct km_proxy_budget_settings s = { .max_budget = USD };
    struct km_gateway_budget *b;
    struct km_err err = { 0 };

    (void)state;
    assert_int_equal(km_gateway_budget_new(&none, &s, NOW, &b, NULL), 0);
    assert_true(km_gateway_budget_blocks(b));
    km_gateway_budget_settle(b, 0, USD, NOW);
    assert_int_equal(km_gateway_budget_take(b, 1, KM_BUDGET_RESERVE, NOW + 400 * DAY, &err),
                     KM_E_BUDGET);
    assert_non_null(strstr(err.text, "(litellm_settings.max_budget), which does not start anew."));
    assert_int_equal(window(b, KM_GATEWAY_PROXY, NOW).end_us, 0);
    km_gateway_budget_free(b);
}

/* --- all workers together --- */

static void *settle_many(void *ctx)
{
    for (int i = 0; i < 20000; i++)
        km_gateway_budget_settle(ctx, 0, USD / 100000, NOW);
    return NULL;
}

static void workers_agree_and_tell_once(void **state)
{
    struct km_gateway_budget *b = budget_of(USD, -1, -1, KM_GATEWAY_ALERT);
    struct told told = TOLD;
    pthread_t threads[8];

    (void)state;
    km_gateway_budget_tell(b, on_alert, &told);
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, settle_many, b), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(window(b, KM_GATEWAY_HOUR, NOW).spent, 8 * 20000 * (USD / 100000));
    assert_int_equal(told.n, 2);
    km_gateway_budget_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_none_where_nothing_is_limited),
        cmocka_unit_test(windows_are_the_calendars),
        cmocka_unit_test(each_line_is_told_once_a_window),
        cmocka_unit_test(what_was_crossed_before_the_start_was_told_then),
        cmocka_unit_test(only_block_refuses),
        cmocka_unit_test(what_blocks_reserves_in_all_its_windows_or_none),
        cmocka_unit_test(what_a_crash_left_is_held),
        cmocka_unit_test(the_month_is_projected_by_its_part_that_is_over),
        cmocka_unit_test(nobody_is_held_back_before_the_threshold),
        cmocka_unit_test(what_is_left_lasts_for_the_window),
        cmocka_unit_test(low_priorities_are_held_back_first),
        cmocka_unit_test(the_counters_pass_over_to_another_process),
        cmocka_unit_test(litellms_budget_blocks_by_itself),
        cmocka_unit_test(workers_agree_and_tell_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
