/* SPDX-License-Identifier: Apache-2.0 */
/* end.c - how a link that carries a session of its own (stdio, HTTP with SSE) says that it is over.
 *
 *     km_link_end(why) ──> the loop's next turn ──> on_down(why)
 *
 * Not from where it is noticed: that is mostly inside a call of the link, or of a reader that is
 * about to go on, and whoever hears of the end frees the link.  What else is noticed until then
 * is a consequence and not the reason, so the first one counts.
 */
#include "mcp/link/link.h"

static void on_later(void *ctx)
{
    struct km_link_end *e = ctx;

    e->link->events->on_down(e->link->ctx, &e->why);
}

void km_link_end_init(struct km_link_end *e, struct km_link *link, struct km_loop *loop)
{
    *e = (struct km_link_end){ .link = link };
    km_deferred_init(&e->later, loop, on_later, e);
}

void km_link_end(struct km_link_end *e, const struct km_err *why)
{
    if (e->is_down)
        return;
    e->is_down = true;
    e->why = *why;
    km_deferred_queue(&e->later);
}

void km_link_end_cancel(struct km_link_end *e)
{
    km_deferred_cancel(&e->later);
}
