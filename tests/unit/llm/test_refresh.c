/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/time.h"
#include "llm/refresh.h"

struct token {
    struct km_refreshed head;
    _Atomic int *alive;
    int number;
};

/* The owner: what makes tokens, and how it does so in this test. */
struct maker {
    struct km_refresh_run *run; /* under way, ended by the test */
    struct km_timer timer; /* or ended by itself */
    bool by_timer, at_once;
    _Atomic int runs, running, alive, freed, abandoned;
    int64_t lives_us;
};

struct side { /* a loop and what waits on it */
    struct km_loop *loop;
    struct km_mailbox *mailbox;
    struct km_auth_wait wait;
    int told;
    int code;
};

static void free_token(struct km_refreshed *value)
{
    struct token *t = (struct token *)value;

    atomic_fetch_sub(t->alive, 1);
    free(t);
}

static struct km_refreshed *make(struct maker *m)
{
    struct token *t = calloc(1, sizeof *t);

    atomic_init(&t->head.refs, 1);
    t->head.expires_us = km_wall_us() + m->lives_us;
    t->head.free = free_token;
    t->alive = &m->alive;
    t->number = m->runs;
    atomic_fetch_add(&m->alive, 1);
    return &t->head;
}

static void on_made(void *ctx)
{
    struct km_refresh_run *run = ctx;
    struct maker *m = run->owner;

    atomic_fetch_sub(&m->running, 1);
    km_refresh_done(run, make(m), NULL);
}

static void start(struct km_refresh_run *run)
{
    struct maker *m = run->owner;

    atomic_fetch_add(&m->runs, 1);
    if (m->at_once) {
        km_refresh_done(run, make(m), NULL);
    } else if (m->by_timer) {
        assert_int_equal(atomic_fetch_add(&m->running, 1), 0);
        km_timer_init(&m->timer, run->loop, on_made, run);
        km_timer_start(&m->timer, 1);
    } else {
        m->run = run;
    }
}

static void abandon(struct km_refresh_run *run)
{
    struct maker *m = run->owner;

    m->abandoned++;
}

static void free_maker(void *owner)
{
    struct maker *m = owner;

    m->freed++;
}

static const struct km_refresh_ops ops = { .start = start, .abandon = abandon, .free = free_maker };

static void on_ready(void *ctx, const struct km_err *err)
{
    struct side *s = ctx;

    s->told++;
    s->code = err ? err->code : 0;
    km_loop_stop(s->loop);
}

static void side_init(struct side *s)
{
    struct km_err err;

    *s = (struct side){ .loop = km_loop_new(&err) };
    assert_non_null(s->loop);
    s->mailbox = km_mailbox_new(s->loop, s, &err);
    assert_non_null(s->mailbox);
    s->wait = (struct km_auth_wait){ .ready = on_ready, .ctx = s };
}

static void side_done(struct side *s)
{
    km_mailbox_free(s->mailbox);
    km_loop_free(s->loop);
}

static int get(struct km_refresh *r, struct side *s, int64_t later_us, int *ret_number)
{
    struct km_auth_args args = { .loop = s->loop,
                                 .mailbox = s->mailbox,
                                 .now_us = km_wall_us() + later_us };
    struct km_refreshed *value = NULL;
    struct km_err err;
    int code = km_refresh_get(r, &args, &s->wait, &value, &err);

    if (code == 0) {
        *ret_number = ((struct token *)value)->number;
        km_refreshed_unref(value);
    }
    return code;
}

static void one_run_serves_waiters_of_two_loops(void **state)
{
    struct maker m = { .lives_us = INT64_C(3600000000) };
    struct km_refresh *r = km_refresh_new(&ops, &m, 300000);
    struct side a, b;
    int n = 0;

    (void)state;
    side_init(&a);
    side_init(&b);
    assert_int_equal(get(r, &a, 0, &n), KM_E_AGAIN);
    assert_int_equal(get(r, &b, 0, &n), KM_E_AGAIN);
    assert_int_equal(m.runs, 1);
    km_refresh_done(m.run, make(&m), NULL);
    assert_int_equal(a.told + b.told, 0); /* never at once */
    km_loop_run(a.loop);
    km_loop_run(b.loop);
    assert_int_equal(a.told, 1);
    assert_int_equal(b.told, 1);
    assert_int_equal(b.code, 0);
    assert_int_equal(get(r, &b, 0, &n), 0);
    assert_int_equal(n, 1);
    km_refresh_unref(r);
    assert_int_equal(m.freed, 1);
    assert_int_equal(m.alive, 0);
    side_done(&a);
    side_done(&b);
}

static void the_old_value_serves_while_the_next_is_made(void **state)
{
    struct maker m = { .lives_us = INT64_C(1000000000), .at_once = true };
    struct km_refresh *r = km_refresh_new(&ops, &m, 300000);
    struct side a;
    struct km_err err;
    int n = 0;

    (void)state;
    side_init(&a);
    assert_int_equal(get(r, &a, 0, &n), KM_E_AGAIN);
    km_loop_run(a.loop);
    m.at_once = false;
    assert_int_equal(get(r, &a, INT64_C(690000000), &n), 0);
    assert_int_equal(m.runs, 1);
    assert_int_equal(get(r, &a, INT64_C(710000000), &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(m.runs, 2); /* five minutes early */
    assert_int_equal(get(r, &a, INT64_C(720000000), &n), 0);
    assert_int_equal(m.runs, 2);
    km_fail(&err, KM_E_UPSTREAM_STATUS, "no");
    km_refresh_done(m.run, NULL, &err);
    assert_int_equal(get(r, &a, INT64_C(10000000), &n), 0); /* nobody hears of it */
    assert_int_equal(get(r, &a, INT64_C(1000000001), &n), KM_E_AGAIN); /* it has expired */
    assert_int_equal(m.runs, 3);
    km_refresh_done(m.run, make(&m), NULL);
    km_loop_run(a.loop);
    assert_int_equal(get(r, &a, 0, &n), 0);
    assert_int_equal(n, 3);
    km_refresh_unref(r);
    assert_int_equal(m.alive, 0);
    side_done(&a);
}

static void a_failure_is_told_to_all_and_is_the_answer_for_a_second(void **state)
{
    struct maker m = { .lives_us = INT64_C(1000000000) };
    struct km_refresh *r = km_refresh_new(&ops, &m, 300000);
    struct side a;
    struct km_err err;
    int n = 0;

    (void)state;
    side_init(&a);
    assert_int_equal(get(r, &a, 0, &n), KM_E_AGAIN);
    km_fail(&err, KM_E_UPSTREAM_STATUS, "no");
    km_refresh_done(m.run, NULL, &err);
    km_loop_run(a.loop);
    assert_int_equal(a.code, KM_E_UPSTREAM_STATUS);
    assert_int_equal(get(r, &a, 500000, &n), KM_E_UPSTREAM_STATUS);
    assert_int_equal(m.runs, 1);
    assert_int_equal(get(r, &a, 2000000, &n), KM_E_AGAIN);
    assert_int_equal(m.runs, 2);
    km_refresh_done(m.run, make(&m), NULL);
    km_loop_run(a.loop);
    assert_int_equal(a.code, 0);
    km_refresh_unref(r);
    side_done(&a);
}

static void a_wait_may_be_cancelled_before_and_after_its_message_was_sent(void **state)
{
    struct maker m = { .lives_us = INT64_C(1000000000) };
    struct km_refresh *r = km_refresh_new(&ops, &m, 300000);
    struct side a, b, c;
    int n = 0;

    (void)state;
    side_init(&a);
    side_init(&b);
    side_init(&c);
    assert_int_equal(get(r, &a, 0, &n), KM_E_AGAIN);
    assert_int_equal(get(r, &b, 0, &n), KM_E_AGAIN);
    assert_int_equal(get(r, &c, 0, &n), KM_E_AGAIN);
    km_refresh_cancel(r, &a.wait);
    km_refresh_cancel(r, &a.wait);
    km_refresh_done(m.run, make(&m), NULL);
    km_refresh_cancel(r, &b.wait);
    km_loop_run(c.loop);
    km_refresh_cancel(r, &c.wait);
    side_done(&a);
    side_done(&b); /* runs what is in its mailbox */
    assert_int_equal(a.told, 0);
    assert_int_equal(b.told, 0);
    assert_int_equal(c.told, 1);
    km_refresh_unref(r);
    side_done(&c);
    assert_int_equal(m.alive, 0);
}

static void a_run_outlives_its_owner_and_ends_with_its_loop(void **state)
{
    struct maker m = { .lives_us = INT64_C(1000000000) };
    struct km_refresh *r = km_refresh_new(&ops, &m, 300000);
    struct side a, b;
    int n = 0;

    (void)state;
    side_init(&a);
    side_init(&b);
    assert_int_equal(get(r, &a, 0, &n), KM_E_AGAIN);
    assert_int_equal(get(r, &b, 0, &n), KM_E_AGAIN);
    km_refresh_cancel(r, &a.wait);
    km_refresh_unref(r);
    assert_int_equal(m.freed, 0);
    side_done(&a);
    assert_int_equal(m.abandoned, 1);
    assert_int_equal(m.freed, 1);
    km_loop_run(b.loop);
    assert_int_equal(b.code, KM_E_CANCELED);
    side_done(&b);
}

static void refused_values_are_replaced_a_few_times_and_then_seldom(void **state)
{
    struct maker m = { .lives_us = INT64_C(1000000000), .at_once = true };
    struct km_refresh *r = km_refresh_new(&ops, &m, 300000);
    struct side a;
    int n = 0;

    (void)state;
    side_init(&a);
    assert_false(km_refresh_distrust(r, 1)); /* there is none */
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(get(r, &a, 0, &n), KM_E_AGAIN);
        km_loop_run(a.loop);
        assert_int_equal(get(r, &a, 0, &n), 0);
        assert_true(km_refresh_distrust(r, i));
        assert_true(km_refresh_distrust(r, i)); /* of the same value: counts once */
    }
    assert_int_equal(get(r, &a, 0, &n), KM_E_AGAIN);
    km_loop_run(a.loop);
    assert_false(km_refresh_distrust(r, 4));
    assert_int_equal(get(r, &a, 0, &n), 0);
    km_refresh_unref(r);
    side_done(&a);
}

/* Two requests went out with one value; the second hears no when the first has had another made. */
static void a_refusal_that_comes_late_is_not_of_the_new_value(void **state)
{
    struct maker m = { .lives_us = INT64_C(1000000000), .at_once = true };
    struct km_refresh *r = km_refresh_new(&ops, &m, 300000);
    struct side a;
    int n = 0, made;

    (void)state;
    side_init(&a);
    assert_int_equal(get(r, &a, 0, &n), KM_E_AGAIN);
    km_loop_run(a.loop);
    assert_true(km_refresh_distrust(r, 1));
    assert_int_equal(get(r, &a, 0, &n), KM_E_AGAIN);
    km_loop_run(a.loop);
    assert_int_equal(get(r, &a, 0, &made), 0);
    for (int i = 0; i < 10; i++)
        assert_true(km_refresh_distrust(r, 1)); /* try again: there is another */
    assert_int_equal(get(r, &a, 0, &n), 0);
    assert_int_equal(n, made);
    km_refresh_unref(r);
    side_done(&a);
}

#define THREADS 4
#define ROUNDS 60

struct racer {
    struct km_refresh *r;
    struct side side;
    int rounds, values;
};

static void race(struct racer *racer);

static void on_race_ready(void *ctx, const struct km_err *err)
{
    (void)err;
    race(ctx);
}

static void race(struct racer *racer)
{
    struct side *s = &racer->side;
    int n;

    while (racer->rounds++ < ROUNDS)
        if (get(racer->r, s, racer->rounds % 3 ? 0 : INT64_C(5000000000), &n) == KM_E_AGAIN)
            return;
        else
            racer->values++;
    km_loop_stop(s->loop);
}

static void *run_racer(void *ctx)
{
    struct racer *racer = ctx;

    race(racer);
    km_loop_run(racer->side.loop);
    return NULL;
}

static void many_threads_share_one_run_at_a_time(void **state)
{
    struct maker m = { .lives_us = INT64_C(1000000000), .by_timer = true };
    struct km_refresh *r = km_refresh_new(&ops, &m, 300000);
    struct racer racers[THREADS] = { 0 };
    pthread_t threads[THREADS];
    int values = 0;

    (void)state;
    for (size_t i = 0; i < THREADS; i++) {
        racers[i].r = r;
        side_init(&racers[i].side);
        racers[i].side.wait = (struct km_auth_wait){ .ready = on_race_ready, .ctx = &racers[i] };
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_racer, &racers[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < THREADS; i++) {
        values += racers[i].values;
        side_done(&racers[i].side);
    }
    km_refresh_unref(r);
    assert_int_equal(m.freed, 1);
    assert_int_equal(m.alive, 0);
    assert_true(values > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_run_serves_waiters_of_two_loops),
        cmocka_unit_test(the_old_value_serves_while_the_next_is_made),
        cmocka_unit_test(a_failure_is_told_to_all_and_is_the_answer_for_a_second),
        cmocka_unit_test(a_wait_may_be_cancelled_before_and_after_its_message_was_sent),
        cmocka_unit_test(a_run_outlives_its_owner_and_ends_with_its_loop),
        cmocka_unit_test(a_refusal_that_comes_late_is_not_of_the_new_value),
        cmocka_unit_test(refused_values_are_replaced_a_few_times_and_then_seldom),
        cmocka_unit_test(many_threads_share_one_run_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
