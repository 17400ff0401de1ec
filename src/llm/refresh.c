/* SPDX-License-Identifier: Apache-2.0 */
/* refresh.c - see refresh.h.
 *
 *     worker 1   get() ── run begins ── fetch ... ── done ─┬─ ready() by its own mailbox
 *     worker 2   get() ── ticket ──────────────────────────┴─ ready() by worker 2's mailbox
 *
 * A mutex guards the value, the flag that a run is under way and the list of tickets; nothing is
 * called while it is held.  A ticket is a message of its own: once posted it belongs to the
 * mailbox, so a wait that is cancelled in between only empties it.  `wait` in a ticket is read
 * and written on the waiter's loop alone; whether the ticket stands in the list, under the lock.
 *
 * A run outlives the call that began it, its callers and even the configuration they came from:
 * it holds a reference.  When its loop ends before it does, km_loop_free() says so.
 */
#include "llm/refresh.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/time.h"

#define FAILED_US INT64_C(1000000) /* a failure is the answer for so long */
#define AGAIN_US INT64_C(30000000) /* next try while the old value still serves */
#define TRUST_US INT64_C(10000000) /* one more value may be refused each time this has passed, */
#define TRUST_BURST 3 /* and so many at once: a signer that changed is found out without waiting */

struct ticket {
    struct km_msg msg;
    struct km_list link; /* of refresh->tickets, until it is posted */
    struct km_mailbox *mailbox;
    struct km_auth_wait *wait; /* NULL: cancelled */
    bool posted;
    bool failed;
    struct km_err err;
};

struct km_refresh {
    const struct km_refresh_ops *ops;
    void *owner;
    int64_t early_us;
    _Atomic unsigned refs;
    pthread_mutex_t lock; /* guards all below */
    struct km_refreshed *value;
    uint64_t serial; /* of the value */
    int64_t due_us; /* of the value: when the next is to be made */
    bool distrusted;
    int64_t spent_us; /* refusals are paid for up to here: less than a burst ahead of now */
    bool running;
    int64_t failed_us; /* wall time of the last failure; 0: the last run succeeded */
    struct km_err failure;
    struct km_list tickets;
};

void km_refreshed_unref(struct km_refreshed *value)
{
    if (value && atomic_fetch_sub_explicit(&value->refs, 1, memory_order_acq_rel) == 1)
        value->free(value);
}

struct km_refresh *km_refresh_new(const struct km_refresh_ops *ops, void *owner, int64_t early_ms)
{
    struct km_refresh *r = calloc(1, sizeof *r);

    if (!r) {
        ops->free(owner);
        return NULL;
    }
    r->ops = ops;
    r->owner = owner;
    r->early_us = early_ms * 1000;
    atomic_init(&r->refs, 1);
    pthread_mutex_init(&r->lock, NULL);
    km_list_init(&r->tickets);
    return r;
}

struct km_refresh *km_refresh_unref(struct km_refresh *r)
{
    if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1)
        return NULL;
    km_refreshed_unref(r->value);
    r->ops->free(r->owner);
    pthread_mutex_destroy(&r->lock);
    free(r);
    return NULL;
}

/* --- waiting --- */

static void on_ticket(struct km_msg *msg, void *owner)
{
    struct ticket *t = KM_CONTAINER(msg, struct ticket, msg);
    struct km_auth_wait *wait = t->wait;

    (void)owner;
    if (wait) {
        wait->private_data = NULL;
        wait->ready(wait->ctx, t->failed ? &t->err : NULL);
    }
    free(t);
}

/* Under the lock. */
static int enqueue(struct km_refresh *r, const struct km_auth_args *args, struct km_auth_wait *wait,
                   struct km_err *err)
{
    struct ticket *t = calloc(1, sizeof *t);

    if (!t)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    t->msg.run = on_ticket;
    t->mailbox = args->mailbox;
    t->wait = wait;
    wait->private_data = t;
    km_list_init(&t->link);
    km_list_push(&r->tickets, &t->link);
    return km_fail(err, KM_E_AGAIN, "waiting for a token");
}

void km_refresh_cancel(struct km_refresh *r, struct km_auth_wait *wait)
{
    struct ticket *t = wait->private_data;
    bool posted;

    if (!t)
        return;
    wait->private_data = NULL;
    pthread_mutex_lock(&r->lock);
    posted = t->posted;
    if (!posted)
        km_list_remove(&t->link);
    pthread_mutex_unlock(&r->lock);
    if (posted)
        t->wait = NULL; /* its message is on its way, and frees it */
    else
        free(t);
}

/* --- runs --- */

static void tell(struct km_list *tickets, const struct km_err *err)
{
    struct km_list *node;

    while ((node = km_list_pop(tickets)) != NULL) {
        struct ticket *t = KM_CONTAINER(node, struct ticket, link);

        t->failed = err != NULL;
        if (err)
            t->err = *err;
        km_mailbox_post(t->mailbox, &t->msg);
    }
}

/* Under the lock: what a run brought. */
static struct km_refreshed *settle(struct km_refresh *r, struct km_refreshed *value,
                                   const struct km_err *err)
{
    int64_t now = km_wall_us(), early;
    struct km_refreshed *old = NULL;

    r->running = false;
    if (!value) {
        r->failed_us = now;
        r->failure = *err;
        return NULL;
    }
    old = r->value;
    r->value = value;
    value->serial = ++r->serial;
    r->distrusted = false;
    r->failed_us = 0;
    early = value->expires_us > now ? (value->expires_us - now) / 2 : 0;
    r->due_us = value->expires_us - (early < r->early_us ? early : r->early_us);
    return old;
}

static void finish(struct km_refresh_run *run, struct km_refreshed *value, const struct km_err *err)
{
    struct km_refresh *r = run->refresh;
    struct km_refreshed *old;
    struct km_list *node, tickets;

    if (value && value->tell && km_http_client_veil(run->client))
        value->tell(value, km_http_client_veil(run->client));
    km_list_init(&tickets);
    pthread_mutex_lock(&r->lock);
    old = settle(r, value, err);
    while ((node = km_list_pop(&r->tickets)) != NULL) {
        KM_CONTAINER(node, struct ticket, link)->posted = true;
        km_list_push(&tickets, node);
    }
    pthread_mutex_unlock(&r->lock);
    tell(&tickets, value ? NULL : err);
    km_refreshed_unref(old);
    free(run);
    km_refresh_unref(r);
}

void km_refresh_done(struct km_refresh_run *run, struct km_refreshed *value,
                     const struct km_err *err)
{
    km_assert((value != NULL) != (err != NULL));
    km_deferred_cancel(&run->end);
    finish(run, value, err);
}

static void on_loop_end(void *ctx)
{
    struct km_refresh_run *run = ctx;
    struct km_err err;

    run->refresh->ops->abandon(run);
    km_fail(&err, KM_E_CANCELED, "the gateway stops");
    finish(run, NULL, &err);
}

/* Under the lock. NULL: none was to be begun, or no memory. */
static struct km_refresh_run *begin(struct km_refresh *r, const struct km_auth_args *args)
{
    struct km_refresh_run *run = r->running ? NULL : calloc(1, sizeof *run);

    if (!run)
        return NULL;
    run->loop = args->loop;
    run->client = args->client;
    run->owner = r->owner;
    run->refresh = r;
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    r->running = true;
    return run;
}

static void start(struct km_refresh_run *run)
{
    km_deferred_init(&run->end, run->loop, on_loop_end, run);
    km_deferred_at_free(&run->end);
    run->refresh->ops->start(run);
}

/* Under the lock: the value may be used now. */
static bool good(const struct km_refresh *r, int64_t now_us)
{
    return r->value && !r->distrusted && now_us < r->value->expires_us;
}

int km_refresh_get(struct km_refresh *r, const struct km_auth_args *args, struct km_auth_wait *wait,
                   struct km_refreshed **ret_value, struct km_err *err)
{
    struct km_refresh_run *run = NULL;
    int64_t now = args->now_us;
    int result = 0;

    wait->private_data = NULL;
    pthread_mutex_lock(&r->lock);
    if (good(r, now)) {
        *ret_value = r->value;
        atomic_fetch_add_explicit(&r->value->refs, 1, memory_order_relaxed);
        if (now >= r->due_us && (!r->failed_us || now - r->failed_us >= AGAIN_US))
            run = begin(r, args);
    } else if (!r->running && r->failed_us && now - r->failed_us < FAILED_US) {
        result = r->failure.code;
        if (err)
            *err = r->failure;
    } else {
        run = begin(r, args);
        result =
            r->running ? enqueue(r, args, wait, err) : km_fail(err, KM_E_NOMEM, "out of memory");
    }
    pthread_mutex_unlock(&r->lock);
    if (run)
        start(run);
    return result;
}

bool km_refresh_distrust(struct km_refresh *r, uint64_t serial)
{
    int64_t now = km_wall_us(), from;
    bool yes;

    pthread_mutex_lock(&r->lock);
    if (r->value && r->value->serial != serial) {
        pthread_mutex_unlock(&r->lock);
        return true;
    }
    from = r->spent_us > now ? r->spent_us : now;
    yes = r->value && (r->distrusted || from - now <= (TRUST_BURST - 1) * TRUST_US);
    if (yes && !r->distrusted)
        r->spent_us = from + TRUST_US;
    r->distrusted = r->distrusted || yes;
    pthread_mutex_unlock(&r->lock);
    return yes;
}

bool km_refresh_renew(struct km_refresh *r)
{
    pthread_mutex_lock(&r->lock);
    r->distrusted = true;
    r->failed_us = 0;
    pthread_mutex_unlock(&r->lock);
    return true;
}
