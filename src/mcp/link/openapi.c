/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.c - a REST interface as a server: each operation of its document is a tool (link.h).
 *
 *     open ── the document (openapi/source.h) ── up
 *     a message ── server/peer.c ── tools/call ──> openapi_call.c: one HTTP request
 *                     └── the rest is answered by the rows of the document's tools
 *
 * The document is looked at again every health_interval; when it is another, its tools take the
 * place of the old ones and clients are told.  One that cannot be read any more leaves the tools
 * as they are: the interface may well go on.
 */
#include <stdlib.h>

#include "base/crypto.h"
#include "mcp/asker.h"
#include "mcp/link/openapi_part.h"
#include "mcp/oauth/oauth.h"

#define CALLS_MOST KM_MCP_ASKS_MOST

static struct km_link_openapi *of(struct km_link *l)
{
    return (struct km_link_openapi *)(void *)l;
}

/* --- the document --- */

static void look_later(struct km_link_openapi *l)
{
    if (l->upstream->entry->health_ms)
        km_timer_start(&l->again, (uint64_t)l->upstream->entry->health_ms);
}

static void tell_notes(const struct km_link_openapi *l)
{
    if (l->doc->left_out)
        km_log_msg(l->log, KM_LOG_WARN, "mcp.openapi", "%.*s: %zu operations are no tools: %.*s",
                   KM_STR_ARG(l->upstream->name), l->doc->left_out, KM_STR_ARG(l->doc->notes));
}

static void use(struct km_link_openapi *l, struct km_openapi *doc, bool read)
{
    km_openapi_unref(l->doc);
    l->doc = doc;
    l->server.tools = doc->tools;
    l->server.ntools = doc->n;
    l->server.title = doc->title;
    l->server.version = doc->version;
    if (read)
        tell_notes(l);
}

static void on_loaded(void *ctx, struct km_openapi *doc, bool read, const struct km_err *err)
{
    struct km_link_openapi *l = ctx;
    bool first = !l->doc;

    l->load = NULL;
    look_later(l);
    if (!doc) {
        km_link_end(&l->end, err);
        return;
    }
    if (err && !l->said)
        km_log_msg(l->log, KM_LOG_WARN, "mcp.openapi", "%.*s keeps its tools: %s",
                   KM_STR_ARG(l->upstream->name), err->text);
    l->said = err != NULL;
    if (doc == l->doc) {
        km_openapi_unref(doc);
        return;
    }
    use(l, doc, read);
    if (first)
        l->base.events->on_up(l->base.ctx);
    else
        km_mcp_peer_tell(l->peer, KM_STR("notifications/tools/list_changed"), KM_STR_NONE);
}

static void look(void *ctx)
{
    struct km_link_openapi *l = ctx;
    const struct km_mcp_entry *e = l->upstream->entry;
    const struct km_openapi_load_args args = { .loop = l->loop,
                                               .client = l->client,
                                               .fresh_ms = (uint64_t)e->health_ms / 2,
                                               .timeout_ms = (uint64_t)e->start_ms };
    struct km_err err;

    if (l->load)
        return;
    l->load = km_openapi_load(l->upstream->openapi, &args, on_loaded, l);
    if (l->load)
        return;
    km_fail(&err, KM_E_NOMEM, "out of memory");
    if (l->doc)
        look_later(l);
    else
        km_link_end(&l->end, &err);
}

/* --- the link --- */

static void on_put(void *ctx, uint64_t about, struct km_str text)
{
    struct km_link_openapi *l = ctx;

    l->base.events->on_message(l->base.ctx, about, text);
}

static void on_noted(void *ctx, uint64_t about, struct km_str members)
{
    struct km_link_openapi *l = ctx;

    l->base.events->on_noted(l->base.ctx, about, members);
}

static void on_unproved(void *ctx, uint64_t about, const struct km_err *why)
{
    struct km_link_openapi *l = ctx;
    const struct km_link_failure failure = { .err = why, .status = why->http, .credentials = true };

    l->base.events->on_failed(l->base.ctx, about, &failure);
}

static void on_introduced(void *ctx)
{
    struct km_link_openapi *l = ctx;

    l->base.events->on_introduced(l->base.ctx);
}

static void openapi_open(struct km_link *base)
{
    look(of(base));
}

static void openapi_send(struct km_link *base, const struct km_link_request *q)
{
    struct km_auth *own = of(base)->auth; /* NULL: none is to be used at all */
    const struct km_mcp_peer_message message = { .text = km_buf_view(q->text),
                                                 .number = q->id,
                                                 .principal = q->principal,
                                                 .auth = own && q->auth ? q->auth : own };

    km_mcp_peer_take(of(base)->peer, &message);
    if (km_str_eq(q->method, KM_STR("notifications/initialized")))
        km_deferred_queue(&of(base)->introduced);
}

static void openapi_settle(struct km_link *base, uint64_t id, bool answered_it)
{
    if (!answered_it)
        km_mcp_peer_drop(of(base)->peer, id);
}

static struct km_link *openapi_free(struct km_link *base)
{
    struct km_link_openapi *l = of(base);

    km_timer_stop(&l->again);
    km_openapi_load_cancel(l->load);
    km_mcp_peer_free(l->peer);
    km_link_end_cancel(&l->end);
    km_deferred_cancel(&l->introduced);
    km_mcp_auth_unref(l->auth);
    if (l->own_head.p)
        km_wipe(l->own_head.p, l->own_head.n);
    km_buf_done(&l->own_head);
    km_openapi_unref(l->doc);
    km_mcp_upstream_unref(l->upstream);
    free(l);
    return NULL;
}

struct km_link *km_link_openapi_new(const struct km_link_args *args, struct km_err *err)
{
    static const struct km_link_ops ops = {
        .open = openapi_open, .send = openapi_send, .settle = openapi_settle, .free = openapi_free
    };
    struct km_mcp_peer_args peer = { .loop = args->loop,
                                     .calls_most = CALLS_MOST,
                                     .put = on_put,
                                     .unproved = on_unproved,
                                     .noted = on_noted };
    struct km_link_openapi *l = calloc(1, sizeof *l);

    if (!l) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    l->base = (struct km_link){ .ops = &ops, .events = args->events, .ctx = args->ctx };
    l->loop = args->loop;
    l->mailbox = args->mailbox;
    l->client = args->client;
    l->log = args->log;
    l->upstream = km_mcp_upstream_ref(args->upstream);
    l->server = (struct km_mcp_server){ .name = args->upstream->name,
                                        .version = KM_STR("0"),
                                        .changes = true,
                                        .data = l,
                                        .cancel = km_link_openapi_cancel,
                                        .drop = km_link_openapi_drop };
    km_buf_init(&l->own_head, KM_OPENAPI_HEAD_BYTES);
    km_timer_init(&l->again, args->loop, look, l);
    km_deferred_init(&l->introduced, args->loop, on_introduced, l);
    km_link_end_init(&l->end, &l->base, args->loop);
    peer.server = &l->server;
    peer.ctx = l;
    l->peer = km_mcp_peer_new(&peer);
    if (!l->peer) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return openapi_free(&l->base);
    }
    if (km_asker_head(args->upstream, args->asker, &l->own_head, err) < 0)
        return openapi_free(&l->base);
    if (!km_asker_proven(args->upstream, km_buf_view(&l->own_head)))
        l->auth = km_mcp_auth_ref(args->auth);
    return &l->base;
}
