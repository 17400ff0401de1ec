/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - see loop.h for the contract.
 *
 * A libuv loop with three things libuv does not give cheaply:
 *
 *   deferred   work for the end of the iteration.  It runs in a prepare handle, that is after
 *              timers and I/O and right before epoll_wait.  Work queued by deferred work runs
 *              in the same place, for a bounded number of rounds; then an idle handle keeps
 *              the loop from sleeping so that I/O gets its turn.
 *   timers     a hashed wheel of 1,024 slots of 8 ms.  A timer lies in slot (due / 8 ms) and
 *              one that is further away than a turn (8 s) is looked at once a turn and left.
 *              A bitmap of slots in use finds the next one to wake for; one libuv timer is
 *              armed for it, and only when it changes.  Thousands of time-outs that are moved
 *              on every request cost two pointer writes each.
 *   stop       from any thread: a flag and an async handle.
 *
 *     slots:  [0][1][2] ... [1023]        bit i of `used` is set when slot i has timers
 *                 ^ last_tick % 1024
 */
#include "sys/loop.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#define SLOT_MS 8u
#define SLOTS 1024u
#define WORDS (SLOTS / 64)
#define MAX_ROUNDS 16 /* of deferred work before I/O has its turn */
#define MAX_HOOKS 8
#define MAX_ARENA_BLOCKS 256
#define NO_TICK UINT64_MAX

struct hook {
    km_deferred_fn *fn;
    void *ctx;
};

struct km_loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_idle_t busy;  /* active: do not sleep */
    uv_timer_t wake; /* for the wheel */
    uv_async_t stop;
    bool running;
    atomic_bool stopping;

    struct km_list deferred;
    struct km_list at_free;
    struct hook hooks[MAX_HOOKS];
    size_t nhooks;

    uint64_t last_tick;  /* slots up to and with this one have fired */
    uint64_t armed_tick; /* what `wake` waits for */
    size_t timers;       /* running */
    uint64_t used[WORDS];
    struct km_list slots[SLOTS];

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

static size_t slot_of(uint64_t tick)
{
    return (size_t)(tick % SLOTS);
}

static void clear_if_empty(struct km_loop *loop, size_t slot)
{
    if (km_list_empty(&loop->slots[slot]))
        loop->used[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
}

void km_timer_init(struct km_timer *t, struct km_loop *loop, km_timer_fn *fn, void *ctx)
{
    km_list_init(&t->link);
    t->loop = loop;
    t->due_ms = 0;
    t->fn = fn;
    t->ctx = ctx;
}

void km_timer_stop(struct km_timer *t)
{
    if (!km_timer_running(t))
        return;
    km_list_remove(&t->link);
    t->loop->timers--;
    clear_if_empty(t->loop, slot_of(t->due_ms / SLOT_MS));
}

/* due_ms is rounded up to a slot that has not fired yet, so that slot and time agree. */
void km_timer_start(struct km_timer *t, uint64_t after_ms)
{
    struct km_loop *loop = t->loop;
    uint64_t tick;
    size_t slot;

    km_timer_stop(t);
    if (!loop->running)
        uv_update_time(&loop->uv);
    if (after_ms > UINT64_MAX / 4)
        after_ms = UINT64_MAX / 4;
    tick = (uv_now(&loop->uv) + after_ms + SLOT_MS - 1) / SLOT_MS;
    if (tick <= loop->last_tick)
        tick = loop->last_tick + 1;
    t->due_ms = tick * SLOT_MS;
    slot = slot_of(tick);
    km_list_push(&loop->slots[slot], &t->link);
    loop->used[slot / 64] |= UINT64_C(1) << (slot % 64);
    loop->timers++;
}

/* Moves the due timers of one slot to *due. */
static void collect(struct km_loop *loop, size_t slot, uint64_t now_ms, struct km_list *due)
{
    KM_LIST_EACH(it, &loop->slots[slot])
    {
        struct km_timer *t = KM_CONTAINER(it, struct km_timer, link);

        if (t->due_ms <= now_ms) {
            km_list_remove(it);
            km_list_push(due, it);
        }
    }
    clear_if_empty(loop, slot);
}

static void fire(struct km_loop *loop)
{
    uint64_t now_ms = uv_now(&loop->uv);
    uint64_t tick = now_ms / SLOT_MS;
    struct km_list due, *node;

    if (tick <= loop->last_tick)
        return;
    km_list_init(&due);
    if (tick - loop->last_tick > SLOTS)
        loop->last_tick = tick - SLOTS; /* asleep for more than a turn: each slot once */
    while (loop->last_tick < tick) {
        size_t slot = slot_of(++loop->last_tick);

        if (loop->used[slot / 64] & UINT64_C(1) << (slot % 64))
            collect(loop, slot, now_ms, &due);
    }
    while ((node = km_list_pop(&due)) != NULL) {
        struct km_timer *t = KM_CONTAINER(node, struct km_timer, link);

        loop->timers--;
        t->fn(t->ctx);
    }
}

/* The next tick whose slot holds timers. */
static uint64_t next_tick(const struct km_loop *loop)
{
    uint64_t tick = loop->last_tick + 1;
    size_t start = slot_of(tick);

    if (loop->timers == 0)
        return NO_TICK;
    for (size_t i = 0; i <= WORDS; i++) {
        size_t word = (start / 64 + i) % WORDS;
        uint64_t bits = loop->used[word];
        size_t slot;

        if (i == 0)
            bits &= UINT64_MAX << (start % 64);
        if (bits == 0)
            continue;
        slot = word * 64 + (size_t)__builtin_ctzll(bits);
        return tick + (slot + SLOTS - start) % SLOTS;
    }
    return NO_TICK;
}

static void on_wake(uv_timer_t *wake)
{
    struct km_loop *loop = wake->data;

    loop->armed_tick = NO_TICK;
    fire(loop);
}

static void arm(struct km_loop *loop)
{
    uint64_t tick = next_tick(loop);
    uint64_t now_ms = uv_now(&loop->uv);
    uint64_t at_ms = tick * SLOT_MS;

    if (tick == loop->armed_tick)
        return;
    loop->armed_tick = tick;
    if (tick == NO_TICK)
        uv_timer_stop(&loop->wake);
    else
        uv_timer_start(&loop->wake, on_wake, at_ms > now_ms ? at_ms - now_ms : 0, 0);
}

/* --- the iteration --- */

static void on_busy(uv_idle_t *busy)
{
    (void)busy;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct km_loop *loop = prepare->data;

    run_deferred(loop);
    for (size_t i = 0; i < loop->nhooks; i++)
        loop->hooks[i].fn(loop->hooks[i].ctx);
    run_deferred(loop);
    if (!km_list_empty(&loop->deferred))
        uv_idle_start(&loop->busy, on_busy);
    else
        uv_idle_stop(&loop->busy);
    arm(loop);
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
    uv_idle_init(&loop->uv, &loop->busy);
    uv_timer_init(&loop->uv, &loop->wake);
    loop->prepare.data = loop->wake.data = loop->stop.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
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
    for (size_t i = 0; i < SLOTS; i++)
        km_list_init(&loop->slots[i]);
    loop->last_tick = uv_now(&loop->uv) / SLOT_MS;
    loop->armed_tick = NO_TICK;
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
    uv_close((uv_handle_t *)&loop->busy, NULL);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->stop, NULL);
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

uint64_t km_loop_now_ms(const struct km_loop *loop)
{
    return uv_now(&loop->uv);
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
