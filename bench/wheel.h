/* SPDX-License-Identifier: Apache-2.0 */
/* wheel.h - timers of one millisecond for tens of thousands of streams.
 *
 * A ring of lists, one a millisecond: arming, disarming and firing cost the same
 * whatever the number of timers.  A timer further away than one turn of the ring stays
 * in its list and is passed over until its turn comes.
 *
 * Lifetime: the items are the caller's, part of his own structures; an armed item must
 * be disarmed before its memory goes.
 * Thread: one.
 */
#ifndef BENCH_WHEEL_H
#define BENCH_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WHEEL_SLOTS = 4096 };

struct wheel_item {
    struct wheel_item *prev; /* NULL: not armed */
    struct wheel_item *next;
    uint64_t due_ms;
};

struct wheel {
    struct wheel_item slots[WHEEL_SLOTS]; /* list heads */
    uint64_t now_ms;
    size_t armed;
};

/* Called with the item disarmed; it may arm it again and disarm others. */
typedef void wheel_fn(struct wheel_item *item);

void wheel_init(struct wheel *w, uint64_t now_ms);

/* Arms, or moves, a timer.  One that is due already fires at the next advance. */
void wheel_arm(struct wheel *w, struct wheel_item *item, uint64_t due_ms);

/* Fine on an item that is not armed. */
void wheel_disarm(struct wheel *w, struct wheel_item *item);

void wheel_advance(struct wheel *w, uint64_t now_ms, wheel_fn *fire);

#endif
