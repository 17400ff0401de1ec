/* SPDX-License-Identifier: Apache-2.0 */
/* chat.c - the rounds of a chat with MCP tools; see chat.h for the contract.
 *
 *     begin ── list ──> round ──> judge ──┬──> run tools, one by one ──> round ...
 *                                         └──> the caller
 *
 * Here is how a chat begins and the three ways it ends: with an answer, with a round's refusal,
 * with an error of its own.  Rounds are chat_round.c, tools chat_run.c.  A Responses answer that
 * is wanted as a stream is made of whole rounds and given as events at the end (chat_stream.c); a
 * chat streams as it comes.
 */
#include "gateway/mcp/chat.h"

#include "gateway/inner.h"
#include "door/reply.h"
#include "llm/api/openai.h"
#include "llm/api/responses.h"

void km_mcp_chat_free(struct km_mcp_chat *c)
{
    struct km_arena arena = c->arena;
    struct km_buf *bufs[] = { &c->turns,  &c->items, &c->calls_made, &c->results,
                              &c->answer, &c->head,  &c->held,       &c->first };

    if (c->call)
        km_http_cancel(c->call);
    if (c->wait)
        km_mcp_wait_cancel(c->wait);
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        km_buf_done(bufs[i]);
    for (size_t i = 0; i < KM_MCP_CHAT_CALLS; i++) {
        km_buf_done(&c->calls[i].id);
        km_buf_done(&c->calls[i].name);
        km_buf_done(&c->calls[i].arguments);
        km_buf_done(&c->calls[i].more);
    }
    for (size_t i = 0; i < KM_MCP_CHAT_KEPT; i++)
        km_buf_done(&c->kept[i]);
    km_sse_free(c->sse);
    km_arena_done(&c->inner);
    km_arena_done(&c->in.arena);
    km_arena_done(&arena);
}

/* --- ends --- */

void km_mcp_chat_fail(struct km_mcp_chat *c, const struct km_err *err)
{
    struct km_visit *v = c->v;
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    if (c->started) { /* a stream that breaks does not end as if it were whole */
        km_error_event(v->dialect, err, km_str_c(v->id_text), &b);
        (void)km_mcp_chat_write(c, km_buf_view(&b));
        km_exchange_abort(v->x);
    } else {
        km_reply_error(v, err);
    }
    km_mcp_chat_free(c);
}

void km_mcp_chat_no_memory(struct km_mcp_chat *c)
{
    struct km_err err = { 0 };

    km_fail(&err, KM_E_LIMIT, "the chat with its tools is too large");
    km_mcp_chat_fail(c, &err);
}

/* Header lines of the answer: those of the last round, and what all rounds cost. */
static void put_head(const struct km_mcp_chat *c, const char *type, struct km_buf *b)
{
    km_buf_printf(b, "Content-Type: %s\r\n", type);
    km_buf_str(b, km_buf_view(&c->head));
    if (c->cost >= 0) {
        km_buf_str(b, KM_STR("x-litellm-response-cost: "));
        km_buf_decimal(b, c->cost, 9);
        km_buf_str(b, KM_STR("\r\n"));
    }
}

bool km_mcp_chat_write(struct km_mcp_chat *c, struct km_str bytes)
{
    if (!c->started) {
        struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_CHAT_HEAD);

        put_head(c, "text/event-stream\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no", &head);
        km_exchange_start(c->v->x, 200, km_buf_view(&head), UINT64_MAX);
        c->started = true;
    }
    return km_exchange_write(c->v->x, &bytes, 1);
}

void km_mcp_chat_give(struct km_mcp_chat *c, const struct km_json *root)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_CHAT_BYTES);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_CHAT_HEAD);

    km_mcp_chat_answer(c, root, &b);
    if (km_buf_failed(&b)) {
        km_mcp_chat_no_memory(c);
        return;
    }
    if (c->stream) {
        km_mcp_chat_replay(c, km_buf_view(&b));
    } else {
        put_head(c, "application/json", &head);
        km_exchange_respond(c->v->x, 200, km_buf_view(&head), km_buf_view(&b));
    }
    km_mcp_chat_free(c);
}

/* What the round was refused with is what the caller is told. */
void km_mcp_chat_refused(struct km_mcp_chat *c)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_CHAT_BYTES);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_CHAT_HEAD);

    if (c->started) {
        km_sse_write(&b, KM_STR_NONE, km_buf_view(&c->answer));
        (void)km_mcp_chat_write(c, km_buf_view(&b));
        km_exchange_abort(c->v->x);
    } else {
        put_head(c, "application/json", &head);
        km_exchange_respond(c->v->x, c->status, km_buf_view(&head), km_buf_view(&c->answer));
    }
    km_mcp_chat_free(c);
}

/* --- the beginning --- */

static void put_lists(struct km_mcp_chat *c)
{
    for (size_t s = 0; c->responses && s < c->nspecs; s++) {
        bool any = false;

        km_buf_printf(&c->items,
                      ",{\"type\":\"mcp_list_tools\",\"id\":\"mcpl_%s_%zu\",\"server_label\":",
                      c->v->id_text, s);
        km_buf_json(&c->items, c->specs[s].label);
        km_buf_str(&c->items, KM_STR(",\"error\":null,\"tools\":["));
        for (size_t i = 0; i < c->nfns; i++) {
            if (c->fns[i].spec != &c->specs[s])
                continue;
            if (any)
                km_buf_byte(&c->items, ',');
            any = true;
            km_buf_str(&c->items, c->fns[i].title);
        }
        km_buf_str(&c->items, KM_STR("]}"));
    }
}

void km_mcp_chat_listed(struct km_mcp_chat *c)
{
    struct km_err err = { 0 };
    int r = km_mcp_chat_list(c, &err);

    if (r == KM_E_AGAIN)
        return;
    if (r < 0) {
        km_mcp_chat_fail(c, &err);
        return;
    }
    put_lists(c);
    km_mcp_chat_round(c);
}

static void on_gone(void *ctx)
{
    struct km_mcp_chat *c = ctx;
    struct km_exchange *x = c->v->x;

    km_mcp_chat_free(c);
    km_exchange_abort(x);
}

static void on_drain(void *ctx)
{
    struct km_mcp_chat *c = ctx;

    if (c->call)
        km_http_resume(c->call);
}

static struct km_mcp_chat *chat_new(struct km_call *call)
{
    static const struct km_mcp_endpoint nothing_built_in;
    struct km_visit *v = call->visit;
    size_t most = (size_t)(v->view->snap->http->body_bytes * 16) + KM_MCP_CHAT_BYTES;
    struct km_arena arena;
    struct km_mcp_chat *c;

    km_arena_init(&arena, most, NULL);
    c = km_arena_zalloc(&arena, sizeof *c);
    if (!c) {
        km_arena_done(&arena);
        return NULL;
    }
    c->arena = arena;
    c->v = v;
    c->body = call->body;
    c->responses = call->api == &km_api_responses;
    c->cost = -1;
    km_arena_init(&c->inner, KM_MCP_CHAT_BYTES, NULL);
    c->in = (struct km_mcp_arrival){ .hub = km_mcp_hub_of(v->w),
                                     .visit = v,
                                     .builtins = &nothing_built_in,
                                     .headers = km_exchange_request(v->x)->headers };
    km_arena_init(&c->in.arena, (size_t)4 << 20, NULL);
    c->in.principal = km_mcp_principal(v, &c->arena);
    struct km_buf *bufs[] = { &c->turns,  &c->items, &c->calls_made, &c->results,
                              &c->answer, &c->held,  &c->first };
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        km_buf_init(bufs[i], (size_t)v->view->snap->gateway->response_bytes);
    km_buf_init(&c->head, KM_MCP_CHAT_HEAD);
    for (size_t i = 0; i < KM_MCP_CHAT_CALLS; i++) {
        km_buf_init(&c->calls[i].id, 1024);
        km_buf_init(&c->calls[i].name, 1024);
        km_buf_init(&c->calls[i].arguments, KM_RPC_BYTES);
        km_buf_init(&c->calls[i].more, KM_RPC_BYTES);
    }
    for (size_t i = 0; i < KM_MCP_CHAT_KEPT; i++)
        km_buf_init(&c->kept[i], (size_t)v->view->snap->gateway->response_bytes);
    return c;
}

static int take_chat(struct km_call *call, struct km_err *err)
{
    static const struct km_exchange_events events = { .on_gone = on_gone, .on_drain = on_drain };
    struct km_mcp_chat *c;

    if ((call->api != &km_api_chat && call->api != &km_api_responses) || !call->port ||
        !call->req.names_servers)
        return KM_HOOK_PASS;
    c = chat_new(call);
    if (!c)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (!km_mcp_chat_read(c)) {
        km_mcp_chat_free(c);
        return KM_HOOK_PASS;
    }
    km_exchange_listen(call->visit->x, &events, c);
    km_call_drop(call);
    km_mcp_chat_listed(c);
    return KM_HOOK_TAKEN; /* it is several calls: each of them comes by itself */
}

const struct km_call_hook km_mcp_chat_hook = { "mcp_chat", take_chat };
