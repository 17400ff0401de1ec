/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox.c - see mailbox.h for the contract.
 *
 * Senders push onto a lock-free stack; the receiver takes the whole stack at once and turns
 * it round, which keeps each sender's order.
 *
 *     top -> m3 -> m2 -> m1        taken and reversed: m1, m2, m3
 *
 * Only the sender that finds the stack empty wakes the loop: while the receiver has not come
 * to take it, one wake-up is under way already.  Taking everything by one exchange has no ABA
 * problem, which popping one by one would have.
 */
#include "sys/mailbox.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

struct km_mailbox {
    uv_async_t wake;
    void *owner;
    _Atomic(struct km_msg *) top;
    struct km_msg *batch; /* taken, in order, not yet run; loop thread only */
};

static struct km_msg *take_all(struct km_mailbox *mb)
{
    struct km_msg *msg = atomic_exchange_explicit(&mb->top, NULL, memory_order_acquire);
    struct km_msg *ordered = NULL;

    while (msg) {
        struct km_msg *next = msg->next;

        msg->next = ordered;
        ordered = msg;
        msg = next;
    }
    return ordered;
}

/* One take: messages that keep coming do not keep the loop from its other work.  A message
 * may free the mailbox: that runs the rest of the batch itself and leaves it empty, and the
 * memory stays until libuv has closed the handle. */
static void run_batch(struct km_mailbox *mb)
{
    while (mb->batch) {
        struct km_msg *msg = mb->batch;

        mb->batch = msg->next;
        msg->run(msg, mb->owner);
    }
}

static void on_wake(uv_async_t *wake)
{
    struct km_mailbox *mb = wake->data;

    mb->batch = take_all(mb);
    run_batch(mb);
}

struct km_mailbox *km_mailbox_new(struct km_loop *loop, void *owner, struct km_err *err)
{
    struct km_mailbox *mb = calloc(1, sizeof *mb);
    int r;

    if (!mb) {
        km_fail(err, KM_E_NOMEM, "no memory for a mailbox");
        return NULL;
    }
    r = uv_async_init(km_loop_uv(loop), &mb->wake, on_wake);
    if (r < 0) {
        km_fail(err, KM_E_SYSTEM, "cannot make a mailbox: %s", uv_strerror(r));
        free(mb);
        return NULL;
    }
    mb->wake.data = mb;
    mb->owner = owner;
    return mb;
}

static void on_close(uv_handle_t *handle)
{
    free(handle->data);
}

struct km_mailbox *km_mailbox_free(struct km_mailbox *mb)
{
    if (!mb)
        return NULL;
    run_batch(mb);
    while ((mb->batch = take_all(mb)) != NULL)
        run_batch(mb);
    uv_close((uv_handle_t *)&mb->wake, on_close);
    return NULL;
}

void km_mailbox_post(struct km_mailbox *mb, struct km_msg *msg)
{
    struct km_msg *top = atomic_load_explicit(&mb->top, memory_order_relaxed);

    do
        msg->next = top;
    while (!atomic_compare_exchange_weak_explicit(&mb->top, &top, msg, memory_order_release,
                                                  memory_order_relaxed));
    if (!top)
        uv_async_send(&mb->wake);
}
