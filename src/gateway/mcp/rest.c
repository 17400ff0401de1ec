/* SPDX-License-Identifier: Apache-2.0 */
/* rest.c - LiteLLM's way to tools without MCP: /mcp-rest/tools/list and /mcp-rest/tools/call.
 *
 *     GET  tools/list?server_id=   {"tools": [{..., "mcp_info"}], "error", "message"}; always 200
 *     POST tools/call              {"server_id"?, "name", "arguments"}: the tool's result
 *
 * With a server_id (or its name or alias) names are the server's own, without one they have its
 * alias in front; a call takes both.  A list is made from the caller's view and waits a while for
 * servers nobody has heard yet.  A call is a tools/call within (within.h): it passes all
 * that a call of an MCP client passes, and what it is refused with is said as LiteLLM says it,
 * {"detail": {"error", "message"}}.
 */
#include "gateway/mcp/http.h"

#include <stdlib.h>

#include "config/tree.h"
#include "gateway/mcp/access.h"
#include "gateway/mcp/turn.h"
#include "gateway/mcp/within.h"
#include "door/reply.h"
#include "mcp/ask.h"

#define LIST_BYTES ((size_t)64 * 1024 * 1024)
#define CALL_BYTES (8 * KM_RPC_BYTES)
#define ANSWER_BYTES (3 * KM_RPC_BYTES)

/* --- the list --- */

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
    km_arena_init(&arena, CALL_BYTES, NULL);
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

/* --- a call --- */

struct rest_call {
    struct km_arena arena; /* holds it */
    struct km_visit *v;
    struct km_asker asker;
    struct km_question *question;
    struct km_buf answer;
    int status;
};

static void call_free(struct rest_call *c)
{
    struct km_arena arena = c->arena;

    km_question_cancel(c->question);
    km_buf_done(&c->answer);
    km_arena_done(&arena);
}

static void refuse(struct km_visit *v, int status, const char *error, struct km_str message)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_buf_printf(&b, "{\"detail\":{\"error\":\"%s\",\"message\":", error);
    km_buf_json(&b, message);
    km_buf_str(&b, KM_STR("}}"));
    km_reply_json(v, status, km_buf_view(&b));
}

/* A JSON-RPC error, as a status and a word. */
static void reply_fault(struct rest_call *c, const struct km_json *error)
{
    struct km_str text = KM_STR("the call failed");
    const struct km_json *data = km_json_get(error, "data");
    int64_t code = 0;

    (void)km_json_string(km_json_get(error, "message"), &text);
    (void)km_json_i64(km_json_get(error, "code"), &code);
    if (km_str_starts(text, KM_STR("Unknown tool")))
        refuse(c->v, 404, "tool_not_found", text);
    else if (km_str_starts(text, KM_STR("Parameter '")))
        refuse(c->v, 403, "forbidden", text);
    else if (km_json_get(data, "retry_after_ms"))
        refuse(c->v, 429, "rate_limited", text);
    else
        refuse(c->v, code == -32602 ? 400 : 500,
               code == -32602 ? "invalid_request" : "internal_server_error", text);
}

static void on_call_head(void *ctx, int status, struct km_str lines)
{
    struct rest_call *c = ctx;

    (void)lines;
    c->status = status;
}

static void on_call_bytes(void *ctx, struct km_str bytes)
{
    struct rest_call *c = ctx;

    km_buf_str(&c->answer, bytes);
}

static void on_call_done(void *ctx, const struct km_err *broken)
{
    static const struct km_str names[] = { { "result", 6 }, { "error", 5 } };
    struct rest_call *c = ctx;
    struct km_str text = km_buf_view(&c->answer);
    const struct km_json *error = NULL;
    struct km_json_span spans[2];

    c->question = NULL;
    if (broken)
        refuse(c->v, 500, "internal_server_error", km_str_c(broken->text));
    else if (km_buf_failed(&c->answer) || km_json_spans(text, names, 2, spans, NULL, NULL) < 0)
        refuse(c->v, 500, "internal_server_error", KM_STR("the answer is too large"));
    else if (spans[0].type != KM_JSON_ABSENT)
        km_reply_json(c->v, 200, km_json_value(text, &spans[0]));
    else if (c->status == 404)
        refuse(c->v, 404, "server_not_found", KM_STR("There is no such MCP server for this key."));
    else if (km_json_parse_answer(&c->arena, km_json_value(text, &spans[1]), &error, NULL) == 0)
        reply_fault(c, error);
    else
        km_reply_json(c->v, c->status, text); /* an error of the door: key, limits */
    call_free(c);
}

static const struct km_answer_events call_events = { .on_head = on_call_head,
                                                     .on_bytes = on_call_bytes,
                                                     .on_done = on_call_done };

static void send_call(struct rest_call *c, struct km_str body)
{
    struct km_mcp_tool_call tool = { .choice = true };
    const struct km_json *root = NULL, *arguments;
    struct km_err err = { 0 };

    if (km_json_parse(&c->arena, body, &root, &err) < 0 ||
        !km_json_string(km_json_get(root, "name"), &tool.name) || !tool.name.n) {
        refuse(c->v, 400, "invalid_request",
               err.code ? km_str_c(err.text) : KM_STR("name is missing: which tool is called"));
        call_free(c);
        return;
    }
    (void)km_json_string(km_json_get(root, "server_id"), &tool.server);
    arguments = km_json_get(root, "arguments");
    tool.arguments = km_json_kind(arguments) == KM_JSON_OBJECT
                         ? km_json_compact(arguments, &c->arena)
                         : KM_STR("{}");
    c->asker = (struct km_asker){ .visit = c->v, .headers = km_exchange_request(c->v->x)->headers };
    if (km_mcp_call_within(&c->asker, &tool, &call_events, c, &c->question, &err) == 0)
        return;
    if (err.code == KM_E_NOMEM)
        refuse(c->v, 503, "internal_server_error", KM_STR("out of memory"));
    else
        km_reply_error(c->v, &err);
    call_free(c);
}

static void on_body(void *ctx, struct km_str body, const struct km_err *err)
{
    struct rest_call *c = ctx;
    struct km_visit *v = c->v;

    if (!err) {
        send_call(c, body);
        return;
    }
    call_free(c);
    km_reply_error(v, err);
}

static void on_gone(void *ctx)
{
    struct rest_call *c = ctx;
    struct km_exchange *x = c->v->x;

    call_free(c);
    km_exchange_abort(x);
}

void km_mcp_rest_call(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    static const struct km_exchange_events events = { .on_body = on_body, .on_gone = on_gone };
    struct km_visit *v = visit;
    struct km_err err = { 0 };
    struct km_str body = KM_STR_NONE;
    struct km_arena arena;
    struct rest_call *c;
    int r;

    (void)match;
    km_arena_init(&arena, CALL_BYTES, NULL);
    c = km_arena_zalloc(&arena, sizeof *c);
    if (!c) {
        km_arena_done(&arena);
        km_fail(&err, KM_E_NOMEM, "out of memory");
        km_reply_error(v, &err);
        return;
    }
    c->arena = arena;
    c->v = v;
    km_buf_init(&c->answer, ANSWER_BYTES);
    km_exchange_listen(x, &events, c);
    r = km_exchange_body(x, KM_RPC_BYTES, &body, &err);
    if (r == KM_E_AGAIN)
        return;
    if (r < 0) {
        call_free(c);
        km_reply_error(v, &err);
        return;
    }
    send_call(c, body);
}
