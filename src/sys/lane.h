/* SPDX-License-Identifier: Apache-2.0 */
/* lane.h - one at a time, across loops: who wants to read, decide and write asks for a turn.
 *
 * Turns come in the order they were asked for, each on the loop that asked.  Whoever has one
 * must leave, on any thread, or nobody gets another.
 */
#ifndef KM_SYS_LANE_H
#define KM_SYS_LANE_H

#include "sys/mailbox.h"

struct km_lane;

struct km_turn {
    struct km_msg msg;
    struct km_list link;
    struct km_mailbox *mailbox; /* the asker's */
    void (*run)(struct km_turn *turn);
};

struct km_lane *km_lane_new(void); /* NULL when out of memory */
struct km_lane *km_lane_free(struct km_lane *lane); /* nobody has or wants a turn */

/* Any thread.  run is called on the mailbox's loop, once, never from inside; the turn belongs to
 * the lane until then. */
void km_lane_enter(struct km_lane *lane, struct km_turn *turn, struct km_mailbox *mailbox,
                   void (*run)(struct km_turn *turn));
void km_lane_leave(struct km_lane *lane);

#endif
