/* SPDX-License-Identifier: Apache-2.0 */
/* relay_message.c - what goes from one end of a relay to the other: made, posted, and the relay
 * that it holds until it arrived (relay_part.h).
 *
 * What is done with it on arrival stands in relay.c and came with the desk (r->run), so that an
 * asker's end needs nothing of a server's.
 */
#include "mcp/relay_part.h"

#include <stdlib.h>

/* The static analyzer takes each of these for the last, so it is not shown what it does. */
#ifndef __clang_analyzer__
void km_relay_unref(struct km_relay *r)
{
    if (--r->refs > 0)
        return;
    km_mcp_upstream_unref(r->upstream);
    km_arena_done(&r->arena);
    free(r);
}
#endif

struct km_relay_message *km_relay_message(struct km_relay *r, enum km_relay_what what,
                                          struct km_str a, struct km_str b)
{
    struct km_relay_message *m = calloc(1, sizeof *m + a.n + b.n);

    km_assert(m != NULL); /* without it the asker could never be answered */
    m->msg.run = r->run;
    m->relay = r;
    m->what = what;
    m->a = km_str(m->bytes, a.n);
    m->b = km_str(m->bytes + a.n, b.n);
    if (a.n)
        memcpy(m->bytes, a.p, a.n);
    if (b.n)
        memcpy(m->bytes + a.n, b.p, b.n);
    r->refs++;
    return m;
}

/* false: that desk is gone, and so is the message. */
bool km_relay_post(struct km_relay_message *m)
{
    struct km_relay *r = m->relay;
    struct km_mcp_upstreams *ups = r->ups;
    struct km_mcp_desk *d;

    pthread_mutex_lock(&ups->lock);
    d = ups->desks[m->what >= KM_RELAY_NOTICE ? r->near : r->far];
    if (d)
        km_mailbox_post(d->mailbox, &m->msg);
    pthread_mutex_unlock(&ups->lock);
    if (d)
        return true;
    free(m);
    km_relay_unref(r);
    return false;
}

bool km_relay_send(struct km_relay *r, enum km_relay_what what, struct km_str a, struct km_str b)
{
    return km_relay_post(km_relay_message(r, what, a, b));
}

/* The asker will not be called any more. */
void km_relay_leave(struct km_relay *r)
{
    km_list_remove(&r->link);
    r->events = NULL;
    r->updated = NULL;
    r->subscribed = NULL;
    km_relay_unref(r);
}
