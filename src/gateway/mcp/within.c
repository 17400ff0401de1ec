/* SPDX-License-Identifier: Apache-2.0 */
/* within.c - see within.h for the contract.
 *
 *     question ──> arrival ──> take.c, as if it had come in at the door
 *        └── its port <── pipe <── the answer
 */
#include "gateway/mcp/within.h"

#include "gateway/mcp/turn.h"
#include "policy/execution.h"

#define ARENA_BYTES (5 * KM_RPC_BYTES + (1 << 20))
#define MESSAGE_BYTES (2 * KM_RPC_BYTES)
#define MCP_PATH "/mcp"

/* The servers that are part of kanmon are named by the route of the endpoint. */
static const struct km_mcp_endpoint *endpoint_of(const struct km_visit *v)
{
    struct km_route_match match;
    struct km_str allow;

    return km_router_find(v->view->snap->router, KM_STR("POST"), KM_STR(MCP_PATH), &match,
                          &allow) == 0
               ? match.route->data
               : NULL;
}

static void fill(struct km_mcp_arrival *in, struct km_question *q)
{
    const struct km_request *req = km_question_request(q);
    struct km_str server = km_str_skip(req->path, sizeof MCP_PATH - 1);
    struct km_err ignored;

    in->visit = km_question_visit(q);
    in->hub = km_mcp_hub_of(in->visit->w);
    in->way = KM_MCP_WAY_POST;
    in->plain = true;
    in->headers = req->headers;
    in->body = km_question_body(q);
    in->builtins = endpoint_of(in->visit);
    in->principal = km_mcp_principal(in->visit, &in->arena);
    in->secure = in->visit->secure;
    if (server.n > 1 && km_url_decode(&in->arena, km_str_skip(server, 1), false, &in->reach.servers,
                                      &ignored) == 0) {
        in->reach.path = true;
        return;
    }
    in->reach.servers = km_header_get(&req->headers, KM_STR("x-mcp-servers"));
    in->reach.groups = km_header_get(&req->headers, KM_STR("x-mcp-access-groups"));
}

static void begin(struct km_question *q)
{
    struct km_worker *w = km_question_visit(q)->w;
    struct km_port *port = km_question_port(q);
    struct km_mcp_arrival *in;
    struct km_arena arena;

    km_arena_init(&arena, ARENA_BYTES, km_loop_arenas(w->loop));
    in = km_arena_zalloc(&arena, sizeof *in);
    if (in) {
        in->arena = arena;
        fill(in, q);
        in->pipe = km_mcp_pipe_new(port, in->hub, in->hub);
    }
    if (in && in->pipe && in->builtins && !km_arena_overflowed(&in->arena)) {
        km_mcp_take(in);
        return;
    }
    if (in && in->pipe) {
        km_mcp_pipe_respond(in->pipe, 503, KM_STR("Retry-After: 1\r\n"), KM_STR_NONE);
        port = NULL;
    }
    if (in)
        arena = in->arena;
    km_arena_done(&arena);
    if (port)
        port->ops->respond(port, 503, KM_STR("Retry-After: 1\r\n"), KM_STR_NONE);
}

static void put_message(const struct km_mcp_tool_call *tool, struct km_buf *b)
{
    km_buf_str(b, KM_STR("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
                         "\"name\":"));
    km_buf_json(b, tool->name);
    km_buf_str(b, KM_STR(",\"arguments\":"));
    km_buf_str(b, tool->arguments);
    if (tool->execution.n) {
        km_buf_str(b, KM_STR(",\"_meta\":{\"" KM_EXECUTION_META "\":"));
        km_buf_str(b, tool->execution);
        km_buf_byte(b, '}');
    }
    km_buf_str(b, KM_STR("}}"));
}

int km_mcp_call_within(struct km_asker *a, const struct km_mcp_tool_call *tool,
                       const struct km_answer_events *events, void *ctx, struct km_question **ret,
                       struct km_err *err)
{
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF(MESSAGE_BYTES);
    struct km_buf path KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 * 1024);

    put_message(tool, &body);
    km_buf_str(&path, KM_STR(MCP_PATH));
    if (tool->server.n) {
        km_buf_byte(&path, '/');
        km_url_encode(&path, tool->server);
    }
    km_buf_str(&head, KM_STR("accept: application/json\r\n"));
    km_buf_str(&head, tool->head);
    if (km_buf_failed(&body) || km_buf_failed(&path) || km_buf_failed(&head))
        return km_fail(err, KM_E_LIMIT, "the tool's arguments are too large");
    return km_question_new(a,
                           &(struct km_question_args){ .path = km_buf_view(&path),
                                                       .head = km_buf_view(&head),
                                                       .body = km_buf_view(&body),
                                                       .mcp = tool->choice },
                           begin, events, ctx, ret, err);
}
