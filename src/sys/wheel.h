/* SPDX-License-Identifier: Apache-2.0 */
/* wheel.h - the timing wheel under km_timer; for loop.c and its tests.
 *
 * Time is counted in ticks of KM_WHEEL_TICK_MS.  A node is placed by its due time, which the
 * wheel reads through the node itself (struct km_timer); adding and removing are O(1), and
 * finding the next event looks at bitmaps, never at nodes.
 *
 * Thread: that of its loop.
 */
#ifndef KM_SYS_WHEEL_H
#define KM_SYS_WHEEL_H

#include "sys/loop.h"

#define KM_WHEEL_TICK_MS ((uint64_t)8)
#define KM_WHEEL_LEVELS 4
#define KM_WHEEL_BITS 7
#define KM_WHEEL_SLOTS (1u << KM_WHEEL_BITS)
#define KM_WHEEL_NEVER UINT64_MAX

struct km_wheel {
    uint64_t cur; /* tick up to which everything has been fired */
    uint64_t next; /* no event before this tick; may be too early, never too late */
    uint64_t used[KM_WHEEL_LEVELS][KM_WHEEL_SLOTS / 64]; /* slots that may hold something */
    struct km_list slots[KM_WHEEL_LEVELS][KM_WHEEL_SLOTS];
};

void km_wheel_init(struct km_wheel *w, uint64_t now_ms);

/* t->link must be unlinked, t->due_ms set. */
void km_wheel_add(struct km_wheel *w, struct km_timer *t, uint64_t now_ms);

/* Fires all that is due, in order of ticks; what they start is not fired in this call. */
void km_wheel_advance(struct km_wheel *w, uint64_t now_ms);

/* Milliseconds on the loop's clock at which to advance next; KM_WHEEL_NEVER: nothing to do. */
uint64_t km_wheel_next_ms(const struct km_wheel *w);

#endif
