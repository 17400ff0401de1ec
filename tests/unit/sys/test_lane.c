/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "sys/lane.h"

struct asker {
    struct km_turn turn;
    struct km_lane *lane;
    struct km_loop *loop;
    char name, *at;
    bool last;
};

static void note_and_leave(struct km_turn *turn)
{
    struct asker *a = KM_CONTAINER(turn, struct asker, turn);

    *a->at++ = a->name;
    if (a->last)
        km_loop_stop(a->loop);
    km_lane_leave(a->lane);
}

static void keep(struct km_turn *turn)
{
    struct asker *a = KM_CONTAINER(turn, struct asker, turn);

    *a->at++ = a->name;
    km_loop_stop(a->loop);
}

static void turns_come_in_order_and_only_when_the_one_before_has_left(void **state)
{
    struct km_loop *loop = km_loop_new(NULL);
    struct km_mailbox *mb = km_mailbox_new(loop, NULL, NULL);
    struct km_lane *lane = km_lane_new();
    char first[2] = "", rest[4] = "";
    struct asker a = { .lane = lane, .loop = loop, .name = 'a', .at = first };
    struct asker others[3];

    (void)state;
    km_lane_enter(lane, &a.turn, mb, keep);
    assert_string_equal(first, ""); /* never from inside */
    for (int i = 0; i < 3; i++) {
        others[i] = (struct asker){
            .lane = lane, .loop = loop, .name = (char)('b' + i), .at = &rest[i], .last = i == 2
        };
        km_lane_enter(lane, &others[i].turn, mb, note_and_leave);
    }
    km_loop_run(loop);
    assert_string_equal(first, "a");
    assert_string_equal(rest, "");
    km_lane_leave(lane);
    km_loop_run(loop);
    assert_string_equal(rest, "bcd");
    km_lane_free(lane);
    km_mailbox_free(mb);
    km_loop_free(loop);
}

#define THREADS 4
#define TURNS 2000

struct counter {
    pthread_t thread;
    struct km_turn turn;
    struct km_lane *lane;
    struct km_loop *loop;
    struct km_mailbox *mb;
    int *shared; /* plain: only a turn may touch it */
    int left;
};

static void count(struct km_turn *turn)
{
    struct counter *c = KM_CONTAINER(turn, struct counter, turn);

    ++*c->shared;
    km_lane_leave(c->lane);
    if (--c->left == 0)
        km_loop_stop(c->loop);
    else
        km_lane_enter(c->lane, &c->turn, c->mb, count);
}

static void *run_counter(void *arg)
{
    struct counter *c = arg;

    km_lane_enter(c->lane, &c->turn, c->mb, count);
    km_loop_run(c->loop);
    return NULL;
}

static void a_turn_has_no_other_beside_it_on_any_thread(void **state)
{
    struct km_lane *lane = km_lane_new();
    struct counter c[THREADS];
    int shared = 0;

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        c[i] = (struct counter){ .lane = lane, .shared = &shared, .left = TURNS };
        c[i].loop = km_loop_new(NULL);
        c[i].mb = km_mailbox_new(c[i].loop, NULL, NULL);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&c[i].thread, NULL, run_counter, &c[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(c[i].thread, NULL);
    assert_int_equal(shared, THREADS * TURNS);
    for (int i = 0; i < THREADS; i++) {
        km_mailbox_free(c[i].mb);
        km_loop_free(c[i].loop);
    }
    km_lane_free(lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_come_in_order_and_only_when_the_one_before_has_left),
        cmocka_unit_test(a_turn_has_no_other_beside_it_on_any_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
