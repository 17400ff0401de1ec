/* SPDX-License-Identifier: Apache-2.0 */
/* lane.c - see lane.h for the contract.
 *
 * A mutex that is held across callbacks: it is given on, not let go, so that a turn never has to
 * be won twice.
 *
 *     free --enter--> taken --leave, nobody waits--> free
 *                       \----leave, somebody waits: a message to them---> taken
 */
#include "sys/lane.h"

#include <pthread.h>
#include <stdlib.h>

struct km_lane {
    pthread_mutex_t lock;
    bool taken;
    struct km_list waiting;
};

struct km_lane *km_lane_new(void)
{
    struct km_lane *lane = calloc(1, sizeof *lane);

    if (!lane)
        return NULL;
    pthread_mutex_init(&lane->lock, NULL);
    km_list_init(&lane->waiting);
    return lane;
}

struct km_lane *km_lane_free(struct km_lane *lane)
{
    if (!lane)
        return NULL;
    pthread_mutex_destroy(&lane->lock);
    free(lane);
    return NULL;
}

static void on_turn(struct km_msg *msg, void *owner)
{
    struct km_turn *turn = KM_CONTAINER(msg, struct km_turn, msg);

    (void)owner;
    turn->run(turn);
}

void km_lane_enter(struct km_lane *lane, struct km_turn *turn, struct km_mailbox *mailbox,
                   void (*run)(struct km_turn *turn))
{
    bool now;

    turn->mailbox = mailbox;
    turn->run = run;
    turn->msg.run = on_turn;
    km_list_init(&turn->link);
    pthread_mutex_lock(&lane->lock);
    now = !lane->taken;
    lane->taken = true;
    if (!now)
        km_list_push(&lane->waiting, &turn->link);
    pthread_mutex_unlock(&lane->lock);
    if (now)
        km_mailbox_post(mailbox, &turn->msg);
}

void km_lane_leave(struct km_lane *lane)
{
    struct km_list *next;

    pthread_mutex_lock(&lane->lock);
    next = km_list_pop(&lane->waiting);
    lane->taken = next != NULL;
    pthread_mutex_unlock(&lane->lock);
    if (next) {
        struct km_turn *turn = KM_CONTAINER(next, struct km_turn, link);

        km_mailbox_post(turn->mailbox, &turn->msg);
    }
}
