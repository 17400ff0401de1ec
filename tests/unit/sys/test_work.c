/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>

#include "sys/work.h"

#define POOL 16 /* more than the pool has threads */

struct piece {
    struct km_loop *loop;
    struct km_timer timer;
    struct km_deferred at_free;
    sem_t begun, go;
    pthread_t by, done_by;
    unsigned runs, ends;
    bool ran, stops;
};

static void piece_init(struct piece *p, struct km_loop *loop)
{
    *p = (struct piece){ .loop = loop };
    sem_init(&p->begun, 0, 0);
    sem_init(&p->go, 0, 0);
}

static void run(void *ctx)
{
    struct piece *p = ctx;

    p->by = pthread_self();
    p->runs++;
    sem_post(&p->begun);
    while (sem_wait(&p->go) != 0)
        ;
}

static void on_done(void *ctx, bool ran)
{
    struct piece *p = ctx;

    p->done_by = pthread_self();
    p->ran = ran;
    p->ends++;
    if (p->stops)
        km_loop_stop(p->loop);
}

static void let_go(void *ctx)
{
    struct piece *p = ctx;

    assert_int_equal(p->ends, 0);
    sem_post(&p->go);
}

static void the_loop_goes_on_while_work_runs_elsewhere_and_hears_of_its_end(void **state)
{
    struct km_loop *loop = km_loop_new(NULL);
    struct piece p;

    (void)state;
    piece_init(&p, loop);
    p.stops = true;
    km_timer_init(&p.timer, loop, let_go, &p);
    km_timer_start(&p.timer, 1); /* only the loop lets the work end */
    assert_non_null(km_work_start(loop, run, on_done, &p));
    assert_int_equal(p.ends, 0);
    km_loop_run(loop);
    assert_true(p.ran);
    assert_int_equal(p.runs, 1);
    assert_int_equal(p.ends, 1);
    assert_false(pthread_equal(p.by, pthread_self()));
    assert_true(pthread_equal(p.done_by, pthread_self()));
    km_loop_free(loop);
}

static void work_that_is_cancelled_while_it_waits_never_runs(void **state)
{
    struct km_loop *loop = km_loop_new(NULL);
    struct piece first, many[POOL], last;
    struct km_work *works[POOL], *work;

    (void)state;
    piece_init(&first, loop);
    piece_init(&last, loop);
    assert_non_null(km_work_start(loop, run, on_done, &first));
    sem_wait(&first.begun);
    for (size_t i = 0; i < POOL; i++) {
        piece_init(&many[i], loop);
        works[i] = km_work_start(loop, run, on_done, &many[i]);
        assert_non_null(works[i]);
    }
    work = km_work_start(loop, run, on_done, &last);
    assert_non_null(work);
    km_work_cancel(work);
    for (size_t i = POOL; i-- > 0;) {
        km_work_cancel(works[i]); /* a few run already: they are let go */
        sem_post(&many[i].go);
    }
    sem_post(&first.go);
    km_loop_free(loop);
    assert_int_equal(last.runs, 0);
    assert_int_equal(last.ends, 1);
    assert_false(last.ran);
    assert_true(first.ran);
    for (size_t i = 0; i < POOL; i++) {
        assert_int_equal(many[i].ends, 1);
        assert_int_equal(many[i].runs, many[i].ran);
    }
}

static void a_loop_is_not_freed_before_its_work_is_over(void **state)
{
    struct km_loop *loop = km_loop_new(NULL);
    struct piece p;
    struct km_work *work;

    (void)state;
    piece_init(&p, loop);
    km_deferred_init(&p.at_free, loop, let_go, &p);
    km_deferred_at_free(&p.at_free);
    work = km_work_start(loop, run, on_done, &p);
    assert_non_null(work);
    sem_wait(&p.begun);
    km_work_cancel(work); /* it runs: that changes nothing */
    km_loop_free(loop);
    assert_int_equal(p.ends, 1);
    assert_true(p.ran);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loop_goes_on_while_work_runs_elsewhere_and_hears_of_its_end),
        cmocka_unit_test(work_that_is_cancelled_while_it_waits_never_runs),
        cmocka_unit_test(a_loop_is_not_freed_before_its_work_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
