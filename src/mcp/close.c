/* SPDX-License-Identifier: Apache-2.0 */
/* close.c - a desk's last words, while its loop still runs (upstream.h).
 *
 *     the worker is quiet: every call has ended, and what was cancelled is on its way
 *         -> cancellations have arrived       a server over HTTP is to end that work
 *         -> sessions over HTTP take leave    and need not keep them until they are stale
 *         -> done; then the loop stops, and km_mcp_desk_free() ends the rest
 *
 * A server that takes nothing of it is waited for WORDS_MS in all.  Processes need none of this:
 * what is written to them is with their shims, which outlive us.
 */
#include "mcp/desk.h"

#define WORDS_MS 1000
#define LOOK_MS 5

static bool over_http(const struct km_remote *p)
{
    return p->upstream->origin != NULL;
}

static bool speaking(struct km_mcp_desk *d)
{
    KM_LIST_EACH(it, &d->remotes)
    {
        const struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        if (over_http(p) && p->wire && p->wire->ops->speaking && p->wire->ops->speaking(p->wire))
            return true;
    }
    return false;
}

static struct km_remote *next_over_http(struct km_mcp_desk *d)
{
    KM_LIST_EACH(it, &d->remotes)
    {
        struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        if (over_http(p))
            return p;
    }
    return NULL;
}

static void take_leave(struct km_mcp_desk *d)
{
    struct km_remote *p;

    d->parted = true;
    while ((p = next_over_http(d)) != NULL)
        km_remote_free(p);
}

static void look_closed(void *ctx)
{
    struct km_mcp_desk *d = ctx;
    bool late = km_loop_now_ms(d->loop) >= d->close_ms;

    if (!d->parted && (late || !speaking(d)))
        take_leave(d);
    if (late || (d->parted && !km_http_client_busy(d->client)))
        d->on_closed(d->closed_ctx);
    else
        km_timer_start(&d->closing, LOOK_MS);
}

void km_mcp_desk_close(struct km_mcp_desk *d, void (*done)(void *ctx), void *ctx)
{
    d->ending = true;
    km_timer_stop(&d->tick);
    km_waits_end_all(d);
    km_refresh_end_all(d);
    d->on_closed = done;
    d->closed_ctx = ctx;
    d->close_ms = km_loop_now_ms(d->loop) + WORDS_MS;
    d->closing.fn = look_closed;
    look_closed(d);
}
