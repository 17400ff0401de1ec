/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "sys/wheel.h"

/* A clock of our own: it stands still while the wheel works and jumps where we say. */
struct clock {
    struct km_wheel wheel;
    uint64_t now_ms;
    size_t fired;
    size_t wakes;
};

struct alarm {
    struct km_timer timer;
    struct clock *clock;
    uint64_t fired_ms; /* 0: not yet */
    struct alarm *other;
};

static void on_alarm(void *ctx)
{
    struct alarm *a = ctx;

    assert_int_equal(a->fired_ms, 0);
    a->fired_ms = a->clock->now_ms;
    a->clock->fired++;
}

static void set(struct clock *c, struct alarm *a, uint64_t after_ms)
{
    if (!a->clock) {
        *a = (struct alarm){ .clock = c, .timer = { .fn = on_alarm, .ctx = a } };
        km_list_init(&a->timer.link);
    }
    km_list_remove(&a->timer.link);
    a->timer.due_ms = c->now_ms + after_ms;
    km_wheel_add(&c->wheel, &a->timer, c->now_ms);
}

/* Sleeps as the loop would: to the next event, again and again, until `end_ms`. */
static void sleep_until(struct clock *c, uint64_t end_ms)
{
    uint64_t next;

    while ((next = km_wheel_next_ms(&c->wheel)) <= end_ms) {
        c->now_ms = next > c->now_ms ? next : c->now_ms;
        c->wakes++;
        km_wheel_advance(&c->wheel, c->now_ms);
    }
    c->now_ms = end_ms;
}

static uint64_t random_bits(uint64_t *seed, unsigned bits)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> (64 - bits);
}

/* Delays of every magnitude, from none to a hundred days. */
static void every_timer_fires_once_and_within_16_ms_after_its_time(void **state)
{
    enum { ALARMS = 3000 };
    struct alarm *alarms = calloc(ALARMS, sizeof *alarms);
    struct clock *c = calloc(1, sizeof *c);
    uint64_t seed = 42;

    (void)state;
    c->now_ms = UINT64_C(1234567890123);
    km_wheel_init(&c->wheel, c->now_ms);
    for (size_t i = 0; i < ALARMS; i++) {
        set(c, &alarms[i], random_bits(&seed, (unsigned)(i % 33) + 1));
        if (i % 10 == 0)
            sleep_until(c, c->now_ms + random_bits(&seed, 8));
    }
    sleep_until(c, c->now_ms + (UINT64_C(1) << 34));
    assert_int_equal(c->fired, ALARMS);
    assert_true(km_wheel_next_ms(&c->wheel) == KM_WHEEL_NEVER);
    for (size_t i = 0; i < ALARMS; i++)
        assert_in_range(alarms[i].fired_ms - alarms[i].timer.due_ms, 0, 15);
    free(alarms);
    free(c);
}

static void a_loop_that_overslept_fires_all_that_is_due_and_no_more(void **state)
{
    enum { ALARMS = 500 };
    struct alarm *alarms = calloc(ALARMS, sizeof *alarms);
    struct clock *c = calloc(1, sizeof *c);

    (void)state;
    km_wheel_init(&c->wheel, 0);
    for (size_t i = 0; i < ALARMS; i++)
        set(c, &alarms[i], i * 1000);
    c->now_ms = 250 * 1000 + 20;
    km_wheel_advance(&c->wheel, c->now_ms);
    assert_int_equal(c->fired, 251);
    for (size_t i = 0; i <= 250; i++)
        assert_int_equal(alarms[i].fired_ms, c->now_ms);
    sleep_until(c, 1000 * 1000);
    assert_int_equal(c->fired, ALARMS);
    free(alarms);
    free(c);
}

/* Idle time-outs of ten thousand connections, each moved five times a minute. */
static void timers_far_away_wake_once_a_second_at_most(void **state)
{
    enum { ALARMS = 10000 };
    struct alarm *alarms = calloc(ALARMS, sizeof *alarms);
    struct clock *c = calloc(1, sizeof *c);

    (void)state;
    c->now_ms = 77;
    km_wheel_init(&c->wheel, c->now_ms);
    for (size_t i = 0; i < 5 * ALARMS; i++) {
        set(c, &alarms[i % ALARMS], 75000);
        sleep_until(c, c->now_ms + (i % 5 == 0 ? 6 : 0));
    }
    assert_int_equal(c->fired, 0);
    assert_true(c->now_ms > 60000);
    assert_in_range(c->wakes, 0, 62);
    free(alarms);
    free(c);
}

static void one_timer_an_hour_away_wakes_a_handful_of_times(void **state)
{
    struct clock *c = calloc(1, sizeof *c);
    struct alarm a = { .clock = NULL };

    (void)state;
    km_wheel_init(&c->wheel, 5);
    c->now_ms = 5;
    set(c, &a, 3600 * 1000);
    sleep_until(c, 3600 * 1000 + 100);
    assert_int_equal(c->fired, 1);
    assert_in_range(c->wakes, 1, 4);
    free(c);
}

static void nothing_to_do_is_never(void **state)
{
    struct clock *c = calloc(1, sizeof *c);
    struct alarm a = { .clock = NULL };

    (void)state;
    km_wheel_init(&c->wheel, 1000);
    c->now_ms = 1000;
    assert_true(km_wheel_next_ms(&c->wheel) == KM_WHEEL_NEVER);
    set(c, &a, 50);
    km_list_remove(&a.timer.link);
    sleep_until(c, 2000); /* finds that nothing is there any more */
    assert_true(km_wheel_next_ms(&c->wheel) == KM_WHEEL_NEVER);
    assert_int_equal(c->fired, 0);
    free(c);
}

/* The wheel has stood still for a day when a short timer comes. */
static void a_timer_after_a_long_silence_is_not_late(void **state)
{
    struct clock *c = calloc(1, sizeof *c);
    struct alarm far = { .clock = NULL }, near = { .clock = NULL };

    (void)state;
    km_wheel_init(&c->wheel, 0);
    set(c, &far, UINT64_C(90000) * 1000);
    sleep_until(c, UINT64_C(86400) * 1000);
    set(c, &near, 50);
    sleep_until(c, c->now_ms + 1000);
    assert_in_range(near.fired_ms - near.timer.due_ms, 0, 15);
    sleep_until(c, UINT64_C(90001) * 1000);
    assert_in_range(far.fired_ms - far.timer.due_ms, 0, 15);
    free(c);
}

static void start_again(void *ctx)
{
    struct alarm *a = ctx;

    a->clock->fired++;
    a->timer.due_ms = a->clock->now_ms;
    km_wheel_add(&a->clock->wheel, &a->timer, a->clock->now_ms);
}

static void what_a_callback_starts_waits_for_another_tick(void **state)
{
    struct clock *c = calloc(1, sizeof *c);
    struct alarm a = { .clock = NULL };

    (void)state;
    km_wheel_init(&c->wheel, 0);
    set(c, &a, 0);
    a.timer.fn = start_again;
    c->now_ms = 8;
    km_wheel_advance(&c->wheel, c->now_ms);
    assert_int_equal(c->fired, 1);
    km_wheel_advance(&c->wheel, c->now_ms);
    assert_int_equal(c->fired, 1);
    c->now_ms = 16;
    km_wheel_advance(&c->wheel, c->now_ms);
    assert_int_equal(c->fired, 2);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_timer_fires_once_and_within_16_ms_after_its_time),
        cmocka_unit_test(a_loop_that_overslept_fires_all_that_is_due_and_no_more),
        cmocka_unit_test(timers_far_away_wake_once_a_second_at_most),
        cmocka_unit_test(one_timer_an_hour_away_wakes_a_handful_of_times),
        cmocka_unit_test(nothing_to_do_is_never),
        cmocka_unit_test(a_timer_after_a_long_silence_is_not_late),
        cmocka_unit_test(what_a_callback_starts_waits_for_another_tick),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
