/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "sys/mailbox.h"

#define SENDERS 4
#define MESSAGES 5000

struct receiver {
    struct km_loop *loop;
    struct km_mailbox *mb;
    int next[SENDERS]; /* number expected from each sender */
    int received;
    int expected;
    bool disorder;
    int order[8];
};

struct numbered {
    struct km_msg msg;
    int sender, number;
};

static void on_numbered(struct km_msg *msg, void *owner)
{
    struct numbered *m = (struct numbered *)msg;
    struct receiver *r = owner;

    r->disorder |= m->number != r->next[m->sender]++;
    if (++r->received == r->expected)
        km_loop_stop(r->loop);
    free(m);
}

static void post(struct receiver *r, int sender, int number, km_msg_fn *run)
{
    struct numbered *m = malloc(sizeof *m);

    assert_non_null(m);
    *m = (struct numbered){ .msg.run = run, .sender = sender, .number = number };
    km_mailbox_post(r->mb, &m->msg);
}

struct sender {
    pthread_t thread;
    struct receiver *receiver;
    int id;
};

static void *send_all(void *arg)
{
    struct sender *s = arg;

    for (int i = 0; i < MESSAGES; i++)
        post(s->receiver, s->id, i, on_numbered);
    return NULL;
}

static void messages_of_many_threads_arrive_once_and_in_each_senders_order(void **state)
{
    struct receiver r = { .loop = km_loop_new(NULL), .expected = SENDERS * MESSAGES };
    struct sender senders[SENDERS];

    (void)state;
    r.mb = km_mailbox_new(r.loop, &r, NULL);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ .receiver = &r, .id = i };
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    km_loop_run(r.loop);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
    assert_int_equal(r.received, SENDERS * MESSAGES);
    assert_false(r.disorder);
    km_mailbox_free(r.mb);
    km_loop_free(r.loop);
}

static void messages_still_queued_are_run_when_the_mailbox_is_freed(void **state)
{
    struct receiver r = { .loop = km_loop_new(NULL) };

    (void)state;
    r.mb = km_mailbox_new(r.loop, &r, NULL);
    for (int i = 0; i < 10; i++)
        post(&r, 0, i, on_numbered);
    assert_int_equal(r.received, 0);
    km_mailbox_free(r.mb);
    assert_int_equal(r.received, 10);
    assert_false(r.disorder);
    km_loop_free(r.loop);
}

static void on_free_the_mailbox(struct km_msg *msg, void *owner)
{
    struct receiver *r = owner;

    on_numbered(msg, owner);
    r->mb = km_mailbox_free(r->mb);
    r->order[0] = r->received;
}

static void a_message_may_free_its_mailbox_after_which_the_rest_has_run(void **state)
{
    struct receiver r = { .loop = km_loop_new(NULL), .expected = 3 };

    (void)state;
    r.mb = km_mailbox_new(r.loop, &r, NULL);
    post(&r, 0, 0, on_free_the_mailbox);
    post(&r, 0, 1, on_numbered);
    post(&r, 0, 2, on_numbered);
    km_loop_run(r.loop);
    assert_int_equal(r.order[0], 3);
    assert_false(r.disorder);
    km_loop_free(r.loop);
}

static void on_post_more(struct km_msg *msg, void *owner)
{
    struct receiver *r = owner;

    post(r, 0, 1, on_numbered);
    on_numbered(msg, owner);
}

static void a_message_may_post_to_its_own_mailbox(void **state)
{
    struct receiver r = { .loop = km_loop_new(NULL), .expected = 2 };

    (void)state;
    r.mb = km_mailbox_new(r.loop, &r, NULL);
    post(&r, 0, 0, on_post_more);
    km_loop_run(r.loop);
    assert_int_equal(r.received, 2);
    assert_false(r.disorder);
    km_mailbox_free(r.mb);
    km_loop_free(r.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_many_threads_arrive_once_and_in_each_senders_order),
        cmocka_unit_test(messages_still_queued_are_run_when_the_mailbox_is_freed),
        cmocka_unit_test(a_message_may_free_its_mailbox_after_which_the_rest_has_run),
        cmocka_unit_test(a_message_may_post_to_its_own_mailbox),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
