/* SPDX-License-Identifier: Apache-2.0 */
/* round.h - a message that goes by all workers in turn: when it is back, each has done what was
 * posted to it before.
 *
 *     main: swap -> every mailbox ... then: worker 0 -> worker 1 -> ... -> home
 *
 * So whoever answers a change behind it knows that no worker goes by the snapshot before.
 */
#ifndef KM_HOST_ROUND_H
#define KM_HOST_ROUND_H

#include "host/gateway.h"

struct km_round {
    struct km_msg msg;
    struct km_gateway *gw;
    struct km_mailbox *home;
    size_t at; /* the worker it is at */
    void (*done)(struct km_round *r);
};

/* Any thread.  done is called once, on home's loop; *r is the round's until then. */
void km_round_begin(struct km_round *r, struct km_gateway *gw, struct km_mailbox *home,
                    void (*done)(struct km_round *r));

#endif
