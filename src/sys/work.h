/* SPDX-License-Identifier: Apache-2.0 */
/* work.h - a piece of work that would hold up a loop, on another thread.
 *
 *     loop ── km_work_start ──> libuv's pool: run(ctx) ──> the same loop: done(ctx, ran)
 *
 * For what takes milliseconds and comes seldom: reading a file, parsing megabytes.  The pool has
 * four threads for the whole process (UV_THREADPOOL_SIZE), and what is started waits for one of
 * them in its order; the store has threads of its own (store/reader.h).
 */
#ifndef KM_SYS_WORK_H
#define KM_SYS_WORK_H

#include "sys/loop.h"

struct km_work;

/* On a thread of the pool, which lets the loops go first.  It may use what ctx alone owns and what
 * is made for any thread; nothing of the loop. */
typedef void km_work_fn(void *ctx);

/* On the loop that started it, exactly once, never from inside km_work_start, also when the work
 * was cancelled; the latest inside km_loop_free, where it may only free.  ran: run was called, and
 * is over.  The work is gone afterwards. */
typedef void km_work_done_fn(void *ctx, bool ran);

/* The work belongs to the loop; ctx must stay until done.  NULL: no memory. */
struct km_work *km_work_start(struct km_loop *loop, km_work_fn *run, km_work_done_fn *done,
                              void *ctx);

/* Work that has not begun will not; what runs is not interrupted.  Loop thread, before done. */
void km_work_cancel(struct km_work *work);

#endif
