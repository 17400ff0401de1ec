/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "base/time.h"
#include "sys/loop.h"
#include "sys/watch.h"

static int new_loop(void **state)
{
    *state = km_loop_new(NULL);
    return *state ? 0 : -1;
}

static int free_loop(void **state)
{
    km_loop_free(*state);
    return 0;
}

/* What ran, in order. */
struct trace {
    struct km_loop *loop;
    char text[64];
    size_t n;
    struct km_timer *timer;
    struct km_deferred *deferred;
    uint64_t times[8];
    int left;
};

struct entry {
    struct trace *trace;
    char name;
};

static void note(void *ctx)
{
    struct entry *e = ctx;
    struct trace *t = e->trace;

    t->times[t->n % 8] = km_loop_now_ms(t->loop);
    t->text[t->n++] = e->name;
}

static void note_and_stop(void *ctx)
{
    struct entry *e = ctx;

    note(ctx);
    km_loop_stop(e->trace->loop);
}

static void timers_fire_in_order_of_their_time(void **state)
{
    struct trace t = { .loop = *state };
    struct entry e[] = { { &t, 'c' }, { &t, 'a' }, { &t, 'b' } };
    struct km_timer timer[3];
    uint64_t start = km_mono_ms();

    km_timer_init(&timer[0], t.loop, note_and_stop, &e[0]);
    km_timer_init(&timer[1], t.loop, note, &e[1]);
    km_timer_init(&timer[2], t.loop, note, &e[2]);
    km_timer_start(&timer[0], 90);
    km_timer_start(&timer[1], 10);
    km_timer_start(&timer[2], 40);
    km_loop_run(t.loop);
    assert_string_equal(t.text, "abc");
    assert_true(t.times[0] >= start + 10);
    assert_true(t.times[1] >= start + 40);
    assert_true(t.times[2] >= start + 90);
    assert_false(km_timer_running(&timer[0]));
}

static void a_stopped_timer_does_not_fire_and_a_moved_one_fires_once(void **state)
{
    struct trace t = { .loop = *state };
    struct entry e[] = { { &t, 'x' }, { &t, 'm' }, { &t, 's' } };
    struct km_timer timer[3];

    for (int i = 0; i < 3; i++)
        km_timer_init(&timer[i], t.loop, i == 2 ? note_and_stop : note, &e[i]);
    km_timer_start(&timer[0], 8);
    km_timer_start(&timer[1], 8);
    km_timer_start(&timer[2], 64);
    km_timer_stop(&timer[0]);
    km_timer_stop(&timer[0]);
    km_timer_start(&timer[1], 32);
    km_loop_run(t.loop);
    assert_string_equal(t.text, "ms");
}

static void stop_other(void *ctx)
{
    struct entry *e = ctx;

    note(ctx);
    km_timer_stop(e->trace->timer);
}

static void a_timer_may_stop_another_that_is_due_at_the_same_time(void **state)
{
    struct trace t = { .loop = *state };
    struct entry e[] = { { &t, 'a' }, { &t, 'x' }, { &t, 's' } };
    struct km_timer timer[3];

    km_timer_init(&timer[0], t.loop, stop_other, &e[0]);
    km_timer_init(&timer[1], t.loop, note, &e[1]);
    km_timer_init(&timer[2], t.loop, note_and_stop, &e[2]);
    t.timer = &timer[1];
    km_timer_start(&timer[0], 8);
    km_timer_start(&timer[1], 8);
    km_timer_start(&timer[2], 40);
    km_loop_run(t.loop);
    assert_string_equal(t.text, "as");
}

/* --- a loop that stood still --- */

struct pause {
    struct trace trace;
    uint64_t pause_ms;
    bool stood; /* still */
    struct km_timer timer;
    int first[2], second[2]; /* pipes */
    struct km_watch *first_watch, *second_watch;
};

/* In a callback of I/O: libuv looks at its timers next.  Called once more when the timer, which it
 * starts, is one that libuv knows. */
static void stand_still(void *ctx, bool readable, bool writable)
{
    struct pause *p = ctx;
    const uint64_t until_ms = km_mono_ms() + p->pause_ms;

    (void)readable;
    (void)writable;
    if (!km_timer_running(&p->timer)) {
        km_timer_start(&p->timer, 40);
        return;
    }
    km_watch_want(p->first_watch, false, false);
    assert_int_equal(write(p->second[1], "x", 1), 1);
    while (km_mono_ms() < until_ms)
        ;
    p->stood = true;
}

static void note_read(void *ctx, bool readable, bool writable)
{
    struct pause *p = ctx;

    (void)readable;
    (void)writable;
    km_watch_want(p->second_watch, false, false);
    p->trace.text[p->trace.n++] = 'r';
}

static void what_came_during_a_pause_is_read_before_timers_fire(void **state)
{
    static const unsigned pauses_ms[] = { 100, 1500 };

    for (size_t i = 0; i < 2; i++) {
        struct pause p = { .trace = { .loop = *state }, .pause_ms = pauses_ms[i] };
        struct entry e = { &p.trace, 't' };

        assert_int_equal(pipe(p.first) | pipe(p.second), 0);
        p.first_watch = km_watch_new(*state, p.first[0], stand_still, &p, NULL);
        p.second_watch = km_watch_new(*state, p.second[0], note_read, &p, NULL);
        km_watch_want(p.first_watch, true, false);
        km_watch_want(p.second_watch, true, false);
        assert_int_equal(write(p.first[1], "x", 1), 1);
        km_timer_init(&p.timer, *state, note_and_stop, &e);
        while (!p.stood) { /* again where the timer was faster than the second event */
            p.trace.n = 0;
            km_loop_run(*state);
        }
        assert_memory_equal(p.trace.text, "rt", 3);
        km_watch_free(p.first_watch);
        km_watch_free(p.second_watch);
        for (int k = 0; k < 2; k++) {
            close(p.first[k]);
            close(p.second[k]);
        }
    }
}

/* Descriptors that are always ready do not keep timers from their turn. */
static void stay_ready(void *ctx, bool readable, bool writable)
{
    (void)ctx;
    (void)readable;
    (void)writable;
}

static void events_without_end_do_not_starve_timers(void **state)
{
    struct trace t = { .loop = *state };
    struct entry e = { &t, 't' };
    struct km_timer timer;
    struct km_watch *watch;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    watch = km_watch_new(*state, fds[1], stay_ready, NULL, NULL);
    km_watch_want(watch, false, true);
    km_timer_init(&timer, *state, note_and_stop, &e);
    km_timer_start(&timer, 20);
    km_loop_run(*state);
    assert_string_equal(t.text, "t");
    km_watch_free(watch);
    close(fds[0]);
    close(fds[1]);
}

static void again(void *ctx)
{
    struct entry *e = ctx;

    note(ctx);
    if (--e->trace->left > 0)
        km_timer_start(e->trace->timer, 0);
    else
        km_loop_stop(e->trace->loop);
}

static void a_timer_may_start_itself_again_with_no_delay(void **state)
{
    struct trace t = { .loop = *state, .left = 5 };
    struct entry e = { &t, 'r' };
    struct km_timer timer;

    km_timer_init(&timer, t.loop, again, &e);
    t.timer = &timer;
    km_timer_start(&timer, 0);
    km_loop_run(t.loop);
    assert_string_equal(t.text, "rrrrr");
}

/* Due in ten years: lies in a slot that comes by every eight seconds, and must not fire. */
static void a_far_timer_shares_slots_with_near_ones_without_firing(void **state)
{
    struct trace t = { .loop = *state };
    struct entry far = { &t, 'x' }, near = { &t, 'n' };
    struct km_timer timers[128], last;

    for (uint64_t i = 0; i < 128; i++) {
        km_timer_init(&timers[i], t.loop, note, &far);
        km_timer_start(&timers[i], 8 * 1024 * 1000 + i);
    }
    km_timer_init(&last, t.loop, note_and_stop, &near);
    km_timer_start(&last, 100);
    km_loop_run(t.loop);
    assert_string_equal(t.text, "n");
    for (int i = 0; i < 128; i++) {
        assert_true(km_timer_running(&timers[i]));
        km_timer_stop(&timers[i]);
    }
}

static void queue_other(void *ctx)
{
    struct entry *e = ctx;

    note(ctx);
    km_deferred_queue(e->trace->deferred);
    km_deferred_queue(e->trace->deferred);
}

static void deferred_work_runs_once_in_order_before_the_loop_sleeps(void **state)
{
    struct trace t = { .loop = *state };
    struct entry e[] = { { &t, 'a' }, { &t, 'x' }, { &t, 'b' } };
    struct km_deferred d[3];

    km_deferred_init(&d[0], t.loop, queue_other, &e[0]);
    km_deferred_init(&d[1], t.loop, note, &e[1]);
    km_deferred_init(&d[2], t.loop, note_and_stop, &e[2]);
    t.deferred = &d[2];
    km_deferred_queue(&d[0]);
    km_deferred_queue(&d[0]);
    km_deferred_queue(&d[1]);
    km_deferred_cancel(&d[1]);
    km_deferred_cancel(&d[1]);
    km_loop_run(t.loop);
    assert_string_equal(t.text, "ab");
}

static void cancel_other(void *ctx)
{
    struct entry *e = ctx;

    note(ctx);
    km_deferred_cancel(e->trace->deferred);
    km_loop_stop(e->trace->loop);
}

static void deferred_work_may_cancel_what_is_queued_behind_it(void **state)
{
    struct trace t = { .loop = *state };
    struct entry e[] = { { &t, 'a' }, { &t, 'x' } };
    struct km_deferred d[2];

    km_deferred_init(&d[0], t.loop, cancel_other, &e[0]);
    km_deferred_init(&d[1], t.loop, note, &e[1]);
    t.deferred = &d[1];
    km_deferred_queue(&d[0]);
    km_deferred_queue(&d[1]);
    km_loop_run(t.loop);
    assert_string_equal(t.text, "a");
}

static void requeue(void *ctx)
{
    struct entry *e = ctx;

    e->trace->left++;
    km_deferred_queue(e->trace->deferred);
}

static void work_that_queues_itself_for_ever_does_not_starve_timers(void **state)
{
    struct trace t = { .loop = *state };
    struct entry e[] = { { &t, 'q' }, { &t, 's' } };
    struct km_deferred d;
    struct km_timer timer;

    km_deferred_init(&d, t.loop, requeue, &e[0]);
    t.deferred = &d;
    km_timer_init(&timer, t.loop, note_and_stop, &e[1]);
    km_timer_start(&timer, 20);
    km_deferred_queue(&d);
    km_loop_run(t.loop);
    assert_string_equal(t.text, "s");
    assert_true(t.left > 20);
    km_deferred_cancel(&d);
}

static void hooks_run_after_the_deferred_work_of_each_iteration(void **state)
{
    struct trace t = { .loop = *state };
    struct entry e[] = { { &t, 'd' }, { &t, 'h' } };
    struct km_deferred d;

    km_deferred_init(&d, t.loop, note, &e[0]);
    km_deferred_queue(&d);
    km_loop_on_idle(t.loop, note_and_stop, &e[1]);
    km_loop_run(t.loop);
    assert_int_equal(t.text[0], 'd');
    assert_int_equal(t.text[1], 'h');
}

static void stop_when_noted(void *ctx)
{
    struct entry *e = ctx;

    if (e->trace->n == 0 && e->trace->left-- > 0)
        km_deferred_queue(e->trace->deferred);
    else if (e->trace->n > 0)
        km_loop_stop(e->trace->loop);
}

/* Nothing else would wake the loop: it sleeps for ever if the hook misses it. */
static void a_hook_sees_what_the_work_it_queued_has_done(void **state)
{
    struct trace t = { .loop = *state, .left = 1 };
    struct entry e[] = { { &t, 'd' }, { &t, 'h' } };
    struct km_deferred d;

    km_deferred_init(&d, t.loop, note, &e[0]);
    t.deferred = &d;
    km_loop_on_idle(t.loop, stop_when_noted, &e[1]);
    km_loop_run(t.loop);
    assert_string_equal(t.text, "d");
}

static void *stop_from_thread(void *arg)
{
    km_loop_stop(arg);
    return NULL;
}

static void the_loop_can_be_stopped_from_another_thread_and_run_again(void **state)
{
    struct km_loop *loop = *state;

    for (int i = 0; i < 3; i++) {
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, stop_from_thread, loop), 0);
        km_loop_run(loop);
        pthread_join(thread, NULL);
    }
}

static void what_outlives_its_owner_is_run_when_the_loop_is_freed(void **state)
{
    struct trace t = { .loop = km_loop_new(NULL) };
    struct entry e[] = { { &t, 'f' }, { &t, 'x' } };
    struct km_deferred d[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        km_deferred_init(&d[i], t.loop, note, &e[i]);
        km_deferred_at_free(&d[i]);
    }
    km_deferred_cancel(&d[1]);
    km_loop_free(t.loop);
    assert_string_equal(t.text, "f");
}

int main(void)
{
#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, new_loop, free_loop)
    const struct CMUnitTest tests[] = {
        LOOP_TEST(timers_fire_in_order_of_their_time),
        LOOP_TEST(a_stopped_timer_does_not_fire_and_a_moved_one_fires_once),
        LOOP_TEST(a_timer_may_stop_another_that_is_due_at_the_same_time),
        LOOP_TEST(a_timer_may_start_itself_again_with_no_delay),
        LOOP_TEST(a_far_timer_shares_slots_with_near_ones_without_firing),
        LOOP_TEST(what_came_during_a_pause_is_read_before_timers_fire),
        LOOP_TEST(events_without_end_do_not_starve_timers),
        LOOP_TEST(deferred_work_runs_once_in_order_before_the_loop_sleeps),
        LOOP_TEST(deferred_work_may_cancel_what_is_queued_behind_it),
        LOOP_TEST(work_that_queues_itself_for_ever_does_not_starve_timers),
        LOOP_TEST(hooks_run_after_the_deferred_work_of_each_iteration),
        LOOP_TEST(a_hook_sees_what_the_work_it_queued_has_done),
        LOOP_TEST(the_loop_can_be_stopped_from_another_thread_and_run_again),
        cmocka_unit_test(what_outlives_its_owner_is_run_when_the_loop_is_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
