/* SPDX-License-Identifier: Apache-2.0 */
/* builtin.c - a server that is part of kanmon, reached like any other (link.h, builtin.h).
 *
 *     remote ── send ──> server/peer.c ──> a tool of the kind's server
 *            <─ on_message ── later, from the loop ── put
 *            <─ on_noted ──── while it runs: what its record is to say besides
 *
 * Each request is a call in an arena of its own, answered in the order the tools are ready.  An
 * answer nobody wants any more is dropped; its tool is told and ends as soon as it can.
 *
 * Who asks, may it, what it costs and the record of it are the gateway's business, which is in
 * front of every link: here nothing is asked or recorded again.
 */
#include <stdlib.h>

#include "mcp/asker.h"
#include "mcp/builtin.h"
#include "mcp/link/link.h"
#include "mcp/server/peer.h"

#define GRANT_BYTES ((size_t)1024 * 1024) /* of a key's permissions, parsed */
#define CALLS_MOST KM_MCP_ASKS_MOST /* under way, with those nobody waits for */

struct link_builtin {
    struct km_link base;
    struct km_mcp_upstream *upstream;
    struct km_mcp_server *server; /* NULL: not opened */
    struct km_mcp_peer *peer;
    struct km_deferred later; /* up */
};

static struct link_builtin *of(struct km_link *l)
{
    return (struct link_builtin *)(void *)l;
}

/* --- what the server says --- */

static void on_put(void *ctx, uint64_t about, struct km_str text)
{
    struct link_builtin *l = ctx;

    l->base.events->on_message(l->base.ctx, about, text);
}

static void on_noted(void *ctx, uint64_t about, struct km_str members)
{
    struct link_builtin *l = ctx;

    l->base.events->on_noted(l->base.ctx, about, members);
}

static void tell(void *ctx, struct km_str method, struct km_str params)
{
    struct link_builtin *l = ctx;

    if (l->peer)
        km_mcp_peer_tell(l->peer, method, params);
}

/* --- the link --- */

static void on_later(void *ctx)
{
    struct link_builtin *l = ctx;

    l->base.events->on_up(l->base.ctx);
}

static void builtin_open(struct km_link *base)
{
    km_deferred_queue(&of(base)->later);
}

static void builtin_send(struct km_link *base, const struct km_link_request *q)
{
    const struct km_mcp_peer_message message = { .text = km_buf_view(q->text),
                                                 .number = q->id,
                                                 .principal = q->principal,
                                                 .values = q->values };

    km_mcp_peer_take(of(base)->peer, &message);
}

static void builtin_settle(struct km_link *base, uint64_t id, bool answered)
{
    if (!answered)
        km_mcp_peer_drop(of(base)->peer, id);
}

static struct km_link *builtin_free(struct km_link *base)
{
    struct link_builtin *l = of(base);

    km_mcp_peer_free(l->peer);
    km_deferred_cancel(&l->later);
    if (l->server)
        l->upstream->builtin->close(l->server);
    km_mcp_upstream_unref(l->upstream);
    free(l);
    return NULL;
}

struct km_link *km_link_builtin_new(const struct km_link_args *args, struct km_err *err)
{
    static const struct km_link_ops ops = {
        .open = builtin_open, .send = builtin_send, .settle = builtin_settle, .free = builtin_free
    };
    struct km_mcp_builtin_args open = {
        .loop = args->loop,
        .upstream = args->upstream,
        .workers = args->workers,
        .network = args->network,
        .log = args->log,
        .metrics = args->metrics,
        .worker = args->worker,
        .tell = tell,
    };
    struct km_mcp_peer_args peer = {
        .loop = args->loop, .calls_most = CALLS_MOST, .put = on_put, .noted = on_noted
    };
    struct link_builtin *l = calloc(1, sizeof *l);
    struct km_arena arena;

    if (!l) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    l->base = (struct km_link){ .ops = &ops, .events = args->events, .ctx = args->ctx };
    l->upstream = km_mcp_upstream_ref(args->upstream);
    km_deferred_init(&l->later, args->loop, on_later, l);
    peer.ctx = open.ctx = l;
    km_arena_init(&arena, GRANT_BYTES, NULL);
    open.grant = km_asker_grant(args->upstream, args->asker, &arena);
    l->server = l->upstream->builtin->open(&open, err);
    km_arena_done(&arena);
    peer.server = l->server;
    l->peer = l->server ? km_mcp_peer_new(&peer) : NULL;
    if (l->peer)
        return &l->base;
    if (l->server)
        km_fail(err, KM_E_NOMEM, "out of memory");
    return builtin_free(&l->base);
}
