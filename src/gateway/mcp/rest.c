/* SPDX-License-Identifier: Apache-2.0 */
/* rest.c - LiteLLM's way to tools without MCP: /mcp-rest/tools/list.
 *
 *     GET  tools/list?server_id=   {"tools": [{..., "mcp_info"}], "error", "message"}; always 200
 *
 * With a server_id (or its name or alias) names are the server's own, without one they have its
 * alias in front.  A list is made from the caller's view and waits a while for servers nobody has
 * heard yet.  Calls are in rest_call.c.
 */
#include "gateway/mcp/http.h"

#include <stdlib.h>

#include "config/tree.h"
#include "gateway/mcp/access.h"
#include "gateway/mcp/turn.h"
#include "door/reply.h"
#include "mcp/ask.h"

#define LIST_BYTES ((size_t)64 * 1024 * 1024)
#define LIST_ARENA_BYTES (8 * KM_RPC_BYTES)

struct rest_list {
    struct km_mcp_arrival in; /* what a view is made for; its arena holds this */
    struct km_mcp_wait *wait;
};

static void list_free(struct rest_list *l)
{
    struct km_arena arena = l->in.arena;

    if (l->wait)
        km_mcp_wait_cancel(l->wait);
    km_arena_done(&arena);
}

/* What is configured as mcp_info, and who it is. */
static void put_info(const struct km_mcp_member *m, struct km_buf *out)
{
    const struct km_node *info = m->upstream ? m->upstream->entry->info : NULL;

    km_buf_str(out, KM_STR(",\"mcp_info\":{\"server_name\":"));
    km_buf_json(out, m->name);
    if (m->upstream) {
        km_buf_str(out, KM_STR(",\"server_id\":"));
        km_buf_json(out, m->upstream->id);
    }
    for (size_t i = 0; info && info->type == KM_NODE_MAP && i < info->n; i++) {
        if (km_str_eq(info->k[i]->text, KM_STR("server_name")) ||
            km_str_eq(info->k[i]->text, KM_STR("server_id")))
            continue;
        km_buf_byte(out, ',');
        km_buf_json(out, info->k[i]->text);
        km_buf_byte(out, ':');
        km_node_json(info->v[i], out);
    }
    km_buf_byte(out, '}');
}

static void put_tools(const struct km_mcp_view *view, struct km_buf *out)
{
    const struct km_mcp_entry_of *e;
    size_t n = km_mcp_view_entries(view, KM_MCP_TOOLS, &e);

    km_buf_byte(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            km_buf_byte(out, ',');
        km_mcp_view_tool(&e[i], KM_MCP_HANDSHAKE, out);
        if (km_buf_failed(out))
            return;
        out->n--; /* of an object, without space behind it: one member more */
        put_info(e[i].member, out);
        km_buf_byte(out, '}');
    }
    km_buf_byte(out, ']');
}

/* The servers that say nothing: down, and not heard before. */
static size_t put_silent(const struct km_mcp_view *view, struct km_buf *out)
{
    const struct km_mcp_member *m;
    size_t n = km_mcp_view_members(view, &m), silent = 0;
    struct km_mcp_status s;

    for (size_t i = 0; i < n; i++) {
        if (!m[i].upstream || m[i].catalogue->known)
            continue;
        km_mcp_status(m[i].upstream, &s);
        km_buf_printf(out, "%s%.*s: %s", silent++ ? "; " : "", KM_STR_ARG(m[i].name),
                      s.why[0] ? s.why : km_mcp_state_name(s.state));
    }
    return silent;
}

static void reply_list(struct km_visit *v, struct km_str tools, const char *error,
                       struct km_str message)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(LIST_BYTES);

    km_buf_str(&b, KM_STR("{\"tools\":"));
    km_buf_str(&b, tools);
    km_buf_str(&b, KM_STR(",\"error\":"));
    if (error)
        km_buf_json(&b, km_str_c(error));
    else
        km_buf_str(&b, KM_STR("null"));
    km_buf_str(&b, KM_STR(",\"message\":"));
    km_buf_json(&b, message);
    km_buf_byte(&b, '}');
    km_reply_json(v, km_buf_failed(&b) ? 500 : 200,
                  km_buf_failed(&b) ? KM_STR("{}") : km_buf_view(&b));
}

/* The view is there; l is gone after. */
static void give_list(struct rest_list *l, const struct km_mcp_view *view)
{
    struct km_buf tools KM_CLEANUP(km_buf_done) = KM_BUF(LIST_BYTES);
    struct km_buf silent KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(128 * 1024);
    struct km_visit *v = l->in.visit;
    const struct km_mcp_entry_of *e;
    bool one = l->in.reach.path;

    put_tools(view, &tools);
    if (put_silent(view, &silent) && !km_mcp_view_entries(view, KM_MCP_TOOLS, &e)) {
        km_buf_str(&text, one ? KM_STR("Failed to get tools from server ")
                              : KM_STR("Failed to get tools from servers: "));
        km_buf_str(&text, km_buf_view(&silent));
        reply_list(v, KM_STR("[]"), one ? "server_error" : "partial_failure", km_buf_view(&text));
    } else if (km_buf_failed(&tools)) {
        reply_list(v, KM_STR("[]"), "unexpected_error", KM_STR("the list is too large"));
    } else {
        reply_list(v, km_buf_view(&tools), NULL, KM_STR("Successfully retrieved tools"));
    }
    list_free(l);
}

static void no_server(struct rest_list *l)
{
    struct km_str text = km_arena_printf(&l->in.arena, "Server with id %.*s not found",
                                         KM_STR_ARG(km_str_sub(l->in.reach.servers, 0, 200)));

    reply_list(l->in.visit, KM_STR("[]"), "server_not_found", text);
    list_free(l);
}

static void on_list_gone(void *ctx)
{
    struct rest_list *l = ctx;
    struct km_exchange *x = l->in.visit->x;

    list_free(l);
    km_exchange_abort(x);
}

static void on_heard(void *ctx)
{
    struct rest_list *l = ctx;
    struct km_mcp_view *view = NULL;

    l->wait = NULL;
    if (km_mcp_view_for(&l->in, KM_STR("{}"), &view, NULL) < 0) {
        no_server(l);
        return;
    }
    give_list(l, view);
    km_mcp_view_unref(view);
}

/* Servers of the view nobody has heard yet. */
static bool waits(struct rest_list *l, const struct km_mcp_view *view)
{
    static const struct km_exchange_events events = { .on_gone = on_list_gone };
    struct km_mcp_asker asker = km_mcp_arrival_asker(&l->in, KM_STR("{}"));

    l->wait = km_mcp_cold_wait(l->in.hub, view, &asker, on_heard, l);
    if (!l->wait)
        return false;
    km_exchange_listen(l->in.visit->x, &events, l);
    return true;
}

void km_mcp_rest_list(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    const struct km_request *req = km_exchange_request(x);
    struct km_visit *v = visit;
    struct km_mcp_view *view = NULL;
    struct km_arena arena;
    struct rest_list *l;

    (void)match;
    km_arena_init(&arena, LIST_ARENA_BYTES, NULL);
    l = km_arena_zalloc(&arena, sizeof *l);
    if (!l) {
        km_arena_done(&arena);
        reply_list(v, KM_STR("[]"), "unexpected_error", KM_STR("out of memory"));
        return;
    }
    l->in = (struct km_mcp_arrival){ .arena = arena,
                                     .hub = km_mcp_hub_of(v->w),
                                     .visit = v,
                                     .headers = req->headers,
                                     .builtins = v->match.route->data };
    l->in.principal = km_mcp_principal(v, &l->in.arena);
    if (km_query_get(&l->in.arena, req->query, KM_STR("server_id"), &l->in.reach.servers) &&
        l->in.reach.servers.n) {
        l->in.reach.path = true;
    } else {
        l->in.reach.servers = km_header_get(&req->headers, KM_STR("x-mcp-servers"));
        l->in.reach.groups = km_header_get(&req->headers, KM_STR("x-mcp-access-groups"));
    }
    if (km_mcp_view_for(&l->in, KM_STR("{}"), &view, NULL) < 0) {
        no_server(l);
        return;
    }
    if (!waits(l, view))
        give_list(l, view);
    km_mcp_view_unref(view);
}
