/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - see loop.h for the contract.
 *
 * A libuv loop with three things libuv does not give cheaply:
 *
 *   deferred   work for the end of the iteration.  It runs in a prepare handle, that is after
 *              timers and I/O and right before epoll_wait.  Work queued by deferred work runs
 *              in the same place, for a bounded number of rounds; then an idle handle keeps
 *              the loop from sleeping so that I/O gets its turn.
 *   timers     a wheel (wheel.c) behind one libuv timer, which is set to the wheel's next
 *              event and touched only when that changes.  Thousands of time-outs that are
 *              moved on every request cost two pointer writes each, and none wakes the loop
 *              before it is due within a second.  None fires before what lies in the sockets
 *              was read (must_read_first).
 *   stop       from any thread: a flag and an async handle.
 */
#include "sys/loop.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#include "base/time.h"
#include "sys/wheel.h"

#define MAX_ROUNDS 16 /* of deferred work before I/O has its turn */
#define MAX_TURNS 2 /* of deferred work and hooks, likewise */
#define MAX_HOOKS 8
#define MAX_ARENA_BLOCKS 256
#define PAUSE_MS 1000 /* timers so late: the process stood still */
#define HOLD_MS 100 /* for what other threads then read for this one */

struct hook {
    km_deferred_fn *fn;
    void *ctx;
};

struct km_loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t told;
    uv_idle_t busy; /* active: do not sleep */
    uv_timer_t wake; /* for the wheel */
    uv_async_t stop;
    bool running;
    bool telling; /* events: uv_now() is when they were looked for */
    uint64_t turn;
    atomic_bool stopping;

    struct km_list deferred;
    struct km_list at_free;
    struct hook hooks[MAX_HOOKS];
    size_t nhooks;

    int expected; /* pieces of work on other threads */
    struct km_wheel wheel;
    uint64_t armed_ms; /* when `wake` fires; KM_WHEEL_NEVER: it does not run */
    bool looked; /* for events, since timers were found to be due */
    uint64_t hold_ms; /* after a pause: no timer fires before; 0: there was none */

    struct km_arena_pool *arenas;
    struct km_idgen ids;
    char read_buffer[KM_LOOP_READ_BYTES];
};

/* --- deferred work --- */

void km_deferred_init(struct km_deferred *d, struct km_loop *loop, km_deferred_fn *fn, void *ctx)
{
    km_list_init(&d->link);
    d->loop = loop;
    d->fn = fn;
    d->ctx = ctx;
}

void km_deferred_queue(struct km_deferred *d)
{
    if (km_list_empty(&d->link))
        km_list_push(&d->loop->deferred, &d->link);
}

void km_deferred_at_free(struct km_deferred *d)
{
    if (km_list_empty(&d->link))
        km_list_push(&d->loop->at_free, &d->link);
}

void km_deferred_cancel(struct km_deferred *d)
{
    km_list_remove(&d->link);
}

static void run_list(struct km_list *list)
{
    struct km_list *node;

    while ((node = km_list_pop(list)) != NULL) {
        struct km_deferred *d = KM_CONTAINER(node, struct km_deferred, link);

        d->fn(d->ctx);
    }
}

/* Runs what is queued now; what that queues waits for the next round.  The batch is a local
 * head, so that cancelling one of its members works as ever. */
static void run_round(struct km_loop *loop)
{
    struct km_list batch, *head = &loop->deferred;

    if (km_list_empty(head))
        return;
    batch = *head;
    batch.next->prev = batch.prev->next = &batch;
    km_list_init(head);
    run_list(&batch);
}

static void run_deferred(struct km_loop *loop)
{
    for (int i = 0; i < MAX_ROUNDS && !km_list_empty(&loop->deferred); i++)
        run_round(loop);
}

/* --- timers --- */

void km_timer_init(struct km_timer *t, struct km_loop *loop, km_timer_fn *fn, void *ctx)
{
    *t = (struct km_timer){ .loop = loop, .fn = fn, .ctx = ctx };
    km_list_init(&t->link);
}

void km_timer_stop(struct km_timer *t)
{
    km_list_remove(&t->link);
}

void km_timer_start(struct km_timer *t, uint64_t after_ms)
{
    struct km_loop *loop = t->loop;
    uint64_t now_ms;

    km_list_remove(&t->link);
    if (!loop->running)
        uv_update_time(&loop->uv);
    now_ms = uv_now(&loop->uv);
    if (__builtin_add_overflow(now_ms, after_ms, &t->due_ms))
        t->due_ms = UINT64_MAX;
    km_wheel_add(&loop->wheel, t, now_ms);
}

/* libuv runs timers before it looks for events.  After a pause (a stopped process, a machine that
 * slept, a callback that took long) the answers of a second ago lie in the sockets and the time of
 * all who wait for them is over: they are read first.  epoll itself says whether there are any; one
 * look then serves them, and no flood of events keeps timers from their turn.
 *
 * Part of what one loop waits for another reads, and posts: after a real pause there is a moment
 * for that too. */
static bool must_read_first(struct km_loop *loop, uint64_t due_ms)
{
    struct pollfd events = { .fd = uv_backend_fd(&loop->uv), .events = POLLIN };
    const uint64_t now_ms = uv_now(&loop->uv);

    if (loop->looked)
        return false;
    if (!loop->hold_ms && now_ms > due_ms + PAUSE_MS)
        loop->hold_ms = now_ms + HOLD_MS;
    if (now_ms < loop->hold_ms)
        return true;
    loop->looked = poll(&events, 1, 0) > 0;
    return loop->looked;
}

static void on_wake(uv_timer_t *wake)
{
    struct km_loop *loop = wake->data;
    const uint64_t due_ms = loop->armed_ms;

    loop->armed_ms = KM_WHEEL_NEVER; /* arm() sets it again */
    if (must_read_first(loop, due_ms))
        return;
    loop->looked = false;
    loop->hold_ms = 0;
    km_wheel_advance(&loop->wheel, uv_now(&loop->uv));
}

static void arm(struct km_loop *loop)
{
    uint64_t next_ms = km_wheel_next_ms(&loop->wheel);
    uint64_t now_ms = uv_now(&loop->uv);

    if (next_ms < loop->hold_ms)
        next_ms = loop->hold_ms;
    if (next_ms == loop->armed_ms)
        return;
    loop->armed_ms = next_ms;
    if (next_ms == KM_WHEEL_NEVER)
        uv_timer_stop(&loop->wake);
    else
        uv_timer_start(&loop->wake, on_wake, next_ms > now_ms ? next_ms - now_ms : 0, 0);
}

/* --- the iteration --- */

static void on_busy(uv_idle_t *busy)
{
    (void)busy;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct km_loop *loop = prepare->data;

    /* No deferred work runs behind the hooks' back: what it leaves would lie until the loop
     * wakes for something else. */
    for (int turn = 0; turn == 0 || (turn < MAX_TURNS && !km_list_empty(&loop->deferred)); turn++) {
        run_deferred(loop);
        for (size_t i = 0; i < loop->nhooks; i++)
            loop->hooks[i].fn(loop->hooks[i].ctx);
    }
    if (!km_list_empty(&loop->deferred))
        uv_idle_start(&loop->busy, on_busy);
    else
        uv_idle_stop(&loop->busy);
    arm(loop);
    loop->turn++;
    loop->telling = true;
}

static void on_told(uv_check_t *told)
{
    struct km_loop *loop = told->data;

    loop->telling = false;
}

static void on_stop(uv_async_t *async)
{
    struct km_loop *loop = async->data;

    if (atomic_exchange(&loop->stopping, false))
        uv_stop(&loop->uv);
}

void km_loop_run(struct km_loop *loop)
{
    km_assert(!loop->running);
    loop->running = true;
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    loop->running = false;
}

void km_loop_stop(struct km_loop *loop)
{
    atomic_store(&loop->stopping, true);
    uv_async_send(&loop->stop);
}

void km_loop_on_idle(struct km_loop *loop, km_deferred_fn *fn, void *ctx)
{
    km_assert(loop->nhooks < MAX_HOOKS);
    loop->hooks[loop->nhooks++] = (struct hook){ fn, ctx };
}

/* --- life --- */

static int init_handles(struct km_loop *loop)
{
    int r = uv_loop_init(&loop->uv);

    if (r < 0)
        return r;
    r = uv_async_init(&loop->uv, &loop->stop, on_stop);
    if (r < 0) {
        uv_loop_close(&loop->uv);
        return r;
    }
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_check_init(&loop->uv, &loop->told);
    uv_idle_init(&loop->uv, &loop->busy);
    uv_timer_init(&loop->uv, &loop->wake);
    loop->prepare.data = loop->told.data = loop->wake.data = loop->stop.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_check_start(&loop->told, on_told);
    return 0;
}

struct km_loop *km_loop_new(struct km_err *err)
{
    struct km_loop *loop = calloc(1, sizeof *loop);
    int r;

    if (!loop || !(loop->arenas = km_arena_pool_new(MAX_ARENA_BLOCKS))) {
        free(loop);
        km_fail(err, KM_E_NOMEM, "no memory for an event loop");
        return NULL;
    }
    r = init_handles(loop);
    if (r < 0) {
        km_fail(err, KM_E_SYSTEM, "cannot make an event loop: %s", uv_strerror(r));
        km_arena_pool_free(loop->arenas);
        free(loop);
        return NULL;
    }
    km_list_init(&loop->deferred);
    km_list_init(&loop->at_free);
    km_wheel_init(&loop->wheel, uv_now(&loop->uv));
    loop->armed_ms = KM_WHEEL_NEVER;
    km_idgen_init(&loop->ids);
    return loop;
}

struct km_loop *km_loop_free(struct km_loop *loop)
{
    int r = UV_EBUSY;

    if (!loop)
        return NULL;
    run_list(&loop->at_free);
    run_list(&loop->deferred);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->told, NULL);
    uv_close((uv_handle_t *)&loop->busy, NULL);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->stop, NULL);
    while (loop->expected > 0)
        uv_run(&loop->uv, UV_RUN_ONCE);
    /* Close callbacks of handles that their owners closed before; each round may close more. */
    for (int i = 0; i < 64 && r == UV_EBUSY; i++) {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        run_list(&loop->deferred);
        r = uv_loop_close(&loop->uv);
    }
    km_assert(r == 0);
    km_arena_pool_free(loop->arenas);
    free(loop);
    return NULL;
}

struct uv_loop_s *km_loop_uv(struct km_loop *loop)
{
    return &loop->uv;
}

void km_loop_expect(struct km_loop *loop, int more)
{
    loop->expected += more;
}

uint64_t km_loop_now_ms(const struct km_loop *loop)
{
    return uv_now(&loop->uv);
}

uint64_t km_loop_turn(const struct km_loop *loop)
{
    return loop->turn;
}

bool km_loop_polled_within(const struct km_loop *loop, uint64_t ms)
{
    return loop->telling && km_mono_ms() < uv_now(&loop->uv) + ms;
}

char *km_loop_read_buffer(struct km_loop *loop)
{
    return loop->read_buffer;
}

struct km_arena_pool *km_loop_arenas(struct km_loop *loop)
{
    return loop->arenas;
}

struct km_idgen *km_loop_ids(struct km_loop *loop)
{
    return &loop->ids;
}
