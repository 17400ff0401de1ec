/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - one event loop: a thread's clock, timers and deferred work.
 *
 * Everything here belongs to the loop's thread, except km_loop_stop() and mailboxes.
 * Completions are never synchronous: whoever could complete at once queues a km_deferred,
 * which runs at the end of the current iteration, before the loop sleeps.
 */
#ifndef KM_SYS_LOOP_H
#define KM_SYS_LOOP_H

#include "base/arena.h"
#include "base/id.h"
#include "base/list.h"

struct uv_loop_s;
struct km_loop;

#define KM_LOOP_READ_BYTES (64 * 1024)

struct km_loop *km_loop_new(struct km_err *err);
/* Nothing of it may be active, but for work (work.h): what runs of that is waited for. */
struct km_loop *km_loop_free(struct km_loop *loop);

void km_loop_run(struct km_loop *loop); /* until km_loop_stop() */
void km_loop_stop(struct km_loop *loop); /* any thread */

struct uv_loop_s *km_loop_uv(struct km_loop *loop); /* for sys/ and net/ only */
void km_loop_expect(struct km_loop *loop, int more); /* work.c: km_loop_free waits for as many */
uint64_t km_loop_now_ms(const struct km_loop *loop); /* monotonic, of this iteration */
uint64_t km_loop_turn(const struct km_loop *loop); /* one more each time it looks for events */
/* Called by an event of I/O, and that was looked for less than ms ago. */
bool km_loop_polled_within(const struct km_loop *loop, uint64_t ms);
/* The loop's one read buffer of KM_LOOP_READ_BYTES: valid inside a read callback only. */
char *km_loop_read_buffer(struct km_loop *loop);
struct km_arena_pool *km_loop_arenas(struct km_loop *loop);
struct km_idgen *km_loop_ids(struct km_loop *loop);

/* A timer is intrusive and costs O(1) to start and stop (a timing wheel, 8 ms slots: it fires
 * at or up to 16 ms after its time).  Starting a running timer moves it.  When it fires, what came
 * for this loop before that was read: one that stood still takes nothing for late that is not. */
typedef void km_timer_fn(void *ctx);

struct km_timer {
    struct km_list link;
    struct km_loop *loop;
    uint64_t due_ms;
    km_timer_fn *fn;
    void *ctx;
};

void km_timer_init(struct km_timer *t, struct km_loop *loop, km_timer_fn *fn, void *ctx);
void km_timer_start(struct km_timer *t, uint64_t after_ms);
void km_timer_stop(struct km_timer *t); /* harmless when it does not run */
static inline bool km_timer_running(const struct km_timer *t)
{
    return !km_list_empty(&t->link);
}

/* Work for the end of this iteration.  Queueing twice is once; cancel is harmless. */
typedef void km_deferred_fn(void *ctx);

struct km_deferred {
    struct km_list link;
    struct km_loop *loop;
    km_deferred_fn *fn;
    void *ctx;
};

void km_deferred_init(struct km_deferred *d, struct km_loop *loop, km_deferred_fn *fn, void *ctx);
void km_deferred_queue(struct km_deferred *d);
void km_deferred_cancel(struct km_deferred *d);
/* Instead of queueing: runs in km_loop_free(), for what outlives its owner (a stream that
 * lingers).  It may only close and free. */
void km_deferred_at_free(struct km_deferred *d);

/* Called after the deferred work of each iteration (again when it queued more), just before
 * the loop would sleep; at most eight, in the order they were given.  The network's tests wait
 * by it: they see what is true while the loop sleeps as the program's does, and so a wake-up
 * that is missing is a test that hangs. */
void km_loop_on_idle(struct km_loop *loop, km_deferred_fn *fn, void *ctx);

#endif
