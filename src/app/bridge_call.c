/* SPDX-License-Identifier: Apache-2.0 */
/* bridge_call.c - one exchange of the bridge: its headers, its answer as JSON or as a stream.
 *
 * The headers repeat the message, as HTTP asks for: the revision, and in the stateless era the
 * method and the name.  An answer that is a stream is handed on event by event; the one that is
 * the response marks the call as answered.  A stream that breaks before is gone on with by GET
 * and Last-Event-ID, where its events had ids; whether to is bridge.c's business.
 */
#include <stdlib.h>

#include "app/bridge_inside.h"
#include "app/cmd_mcp.h"

#define MESSAGE_BYTES (2 * KM_RPC_BYTES)
#define HEAD_BYTES ((size_t)32 * 1024)
#define ID_BYTES 1024 /* of an event; a longer one is not gone on with */
#define SILENCE_MS 3600000 /* in an answer */
#define BYE_MS 2000
#define RETRY_MS 1000
#define MOST_RETRY_MS 60000

struct km_bridge_call *km_bridge_call_new(struct km_bridge *b, enum km_bridge_kind kind,
                                          struct km_str line)
{
    struct km_bridge_call *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->b = b;
    c->kind = kind;
    c->retry_ms = RETRY_MS;
    km_list_init(&c->link);
    km_arena_init(&c->arena, 2 * MESSAGE_BYTES, NULL);
    km_buf_init(&c->line, KM_INPUT_LINE + 1);
    km_buf_init(&c->head, HEAD_BYTES);
    km_buf_init(&c->answer, MESSAGE_BYTES);
    km_buf_init(&c->last_event, ID_BYTES);
    km_timer_init(&c->timer, b->args.loop, (km_timer_fn *)km_bridge_call_send, c);
    km_buf_str(&c->line, line);
    b->ncalls++;
    return c;
}

struct km_bridge_call *km_bridge_call_free(struct km_bridge_call *c)
{
    if (!c)
        return NULL;
    if (c->http)
        km_http_cancel(c->http);
    km_timer_stop(&c->timer);
    km_list_remove(&c->link);
    c->b->ncalls--;
    km_sse_free(c->sse);
    km_buf_done(&c->last_event);
    km_buf_done(&c->answer);
    km_buf_done(&c->head);
    km_buf_done(&c->line);
    km_arena_done(&c->arena);
    free(c);
    return NULL;
}

/* --- headers --- */

/* What a stateless message says of itself, once more. */
static int put_stateless(struct km_bridge_call *c, struct km_err *err)
{
    struct km_str version = KM_STR_NONE, name;
    int r;

    (void)km_json_string(km_json_get(km_json_get(c->m.params, "_meta"), KM_MCP_META_VERSION),
                         &version);
    r = km_header_put(&c->head, KM_STR("MCP-Protocol-Version"), version, err);
    if (r == 0)
        r = km_header_put(&c->head, KM_STR("Mcp-Method"), c->m.method, err);
    if (r == 0 && c->b->client[0])
        r = km_header_put(&c->head, KM_STR(KM_MCP_CLIENT_HEADER), km_str_c(c->b->client), err);
    if (r == 0 && (km_json_string(km_json_get(c->m.params, "name"), &name) ||
                   km_json_string(km_json_get(c->m.params, "uri"), &name)))
        r = km_mcp_header_name(&c->head, name, err);
    return r;
}

static int put_session(struct km_bridge_call *c, struct km_err *err)
{
    const struct km_bridge *b = c->b;
    int r = 0;

    if (km_bridge_is(c, "initialize"))
        return 0;
    if (b->revision.n)
        r = km_header_put(&c->head, KM_STR("MCP-Protocol-Version"), km_buf_view(&b->revision), err);
    if (r == 0 && b->session.n)
        r = km_header_put(&c->head, KM_STR("Mcp-Session-Id"), km_buf_view(&b->session), err);
    return r;
}

/* `get`: to hear, or to go on hearing. */
static int put_head(struct km_bridge_call *c, bool get, struct km_err *err)
{
    int r;

    km_buf_reset(&c->head);
    km_buf_str(&c->head, c->b->args.head);
    km_buf_str(&c->head, get ? KM_STR("Accept: text/event-stream\r\n")
                             : KM_STR("Accept: application/json, text/event-stream\r\n"
                                      "Content-Type: application/json\r\n"));
    r = c->stateless ? put_stateless(c, err) : put_session(c, err);
    if (r == 0 && get && c->last_event.n)
        r = km_header_put(&c->head, KM_STR("Last-Event-ID"), km_buf_view(&c->last_event), err);
    return r == 0 && km_buf_failed(&c->head) ? km_fail(err, KM_E_LIMIT, "a name is too long") : r;
}

/* --- the answer --- */

static int on_event(void *ctx, const struct km_sse_event *e)
{
    struct km_bridge_call *c = ctx;
    enum km_rpc_fault fault;
    struct km_rpc_message m;
    struct km_arena arena;

    if (e->id.n) {
        km_buf_reset(&c->last_event);
        km_buf_str(&c->last_event, e->id);
    }
    if (e->retry_ms >= 0)
        c->retry_ms = e->retry_ms < MOST_RETRY_MS ? e->retry_ms : MOST_RETRY_MS;
    if (e->data.n == 0)
        return 0;
    km_arena_init(&arena, 2 * MESSAGE_BYTES, NULL);
    if (km_rpc_parse(&arena, e->data, &m, &fault, NULL) == 0) {
        if (m.kind == KM_RPC_RESPONSE && c->m.id.n && km_str_eq(m.id, c->m.id)) {
            c->answered = true;
            km_buf_reset(&c->answer);
            km_json_write(m.result, &c->answer); /* of initialize, which is looked at */
        }
        if (c->kind != KM_BRIDGE_HELLO)
            km_bridge_put(c->b, e->data);
    }
    km_arena_done(&arena);
    return 0;
}

static void keep_session(struct km_bridge_call *c, const struct km_response *response)
{
    struct km_str id = km_header_get(&response->headers, KM_STR("Mcp-Session-Id"));

    if (!km_bridge_is(c, "initialize") || response->status != 200)
        return;
    km_buf_reset(&c->b->session);
    km_buf_str(&c->b->session, id);
    c->b->generation++;
}

static void on_head(void *ctx, const struct km_response *response)
{
    struct km_bridge_call *c = ctx;
    struct km_str type = km_header_get(&response->headers, KM_STR("Content-Type"));

    c->status = response->status;
    c->b->spoke = true;
    keep_session(c, response);
    if (c->status != 200 || !km_str_starts(type, KM_STR("text/event-stream")))
        return;
    c->tries = 0;
    c->sse = km_sse_new(KM_RPC_BYTES, on_event, c);
}

static void on_body(void *ctx, const char *bytes, size_t n)
{
    struct km_bridge_call *c = ctx;
    struct km_err err = { 0 };
    int r;

    if (!c->sse) {
        km_buf_bytes(&c->answer, bytes, n);
        return;
    }
    r = km_sse_feed(c->sse, bytes, n, &err);
    if (r == 0 && !(c->resumed && c->answered))
        return;
    /* A GET that was to bring the response has nothing else to say, but may stay open. */
    km_http_cancel(c->http);
    c->http = NULL;
    km_bridge_call_over(c, r < 0 ? &err : NULL);
}

static void on_done(void *ctx, const struct km_http_result *result)
{
    struct km_bridge_call *c = ctx;

    c->http = NULL;
    km_bridge_call_over(c, result->err);
}

static const struct km_http_events events = { .on_head = on_head,
                                              .on_body = on_body,
                                              .on_done = on_done };

void km_bridge_call_send(struct km_bridge_call *c)
{
    bool bye = c->kind == KM_BRIDGE_BYE;
    bool get = c->kind == KM_BRIDGE_STREAM || c->last_event.n > 0;
    struct km_http_request request = { .origin = c->b->args.origin,
                                       .method = bye   ? KM_STR("DELETE")
                                                 : get ? KM_STR("GET")
                                                       : KM_STR("POST"),
                                       .target = c->b->args.target,
                                       .body = &c->body,
                                       .nbody = !bye && !get,
                                       .has_body = !bye && !get,
                                       .first_byte_ms = bye ? BYE_MS : SILENCE_MS,
                                       .between_ms = get ? 0 : SILENCE_MS };
    struct km_err err = { 0 };
    int r = put_head(c, get || bye, &err);

    c->generation = c->b->generation;
    c->resumed = get && c->kind != KM_BRIDGE_STREAM;
    c->sse = km_sse_free(c->sse);
    km_buf_reset(&c->answer);
    c->status = 0;
    c->body = km_buf_view(&c->line);
    request.head = km_buf_view(&c->head);
    if (r == 0) {
        c->http = km_http_send(c->b->args.client, &request, &events, c);
        r = c->http ? 0 : km_fail(&err, KM_E_NOMEM, "out of memory");
    }
    if (r < 0)
        km_bridge_call_over(c, &err);
}
