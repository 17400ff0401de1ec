/* SPDX-License-Identifier: Apache-2.0 */
/* round.c - see round.h.
 *
 * One message is enough: a mailbox keeps each sender's order, and what is to be waited for was
 * posted before the round began.  A gateway that ends keeps every loop until the last request has
 * its answer, so the message always comes back.
 */
#include "host/round.h"

#include "host/worker.h"

static void on_back(struct km_msg *msg, void *owner)
{
    struct km_round *r = (struct km_round *)(void *)msg;

    (void)owner;
    r->done(r);
}

static void on_worker(struct km_msg *msg, void *owner)
{
    struct km_round *r = (struct km_round *)(void *)msg;

    (void)owner;
    if (++r->at < r->gw->nworkers) {
        km_mailbox_post(r->gw->workers[r->at].mailbox, msg);
        return;
    }
    msg->run = on_back;
    km_mailbox_post(r->home, msg);
}

void km_round_begin(struct km_round *r, struct km_gateway *gw, struct km_mailbox *home,
                    void (*done)(struct km_round *r))
{
    *r = (struct km_round){ .msg = { .run = on_worker }, .gw = gw, .home = home, .done = done };
    km_mailbox_post(gw->workers[0].mailbox, &r->msg);
}
