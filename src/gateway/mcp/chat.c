/* SPDX-License-Identifier: Apache-2.0 */
/* chat.c - the rounds of a chat with MCP tools; see chat.h for the contract.
 *
 *     begin ── list ──> round ──> judge ──┬──> run tools, one by one ──> round ...
 *                                         └──> the caller
 *
 * Here is how a chat begins and the three ways it ends: with an answer, with a round's refusal,
 * with an error of its own; and what the steps of call.c do for it.  Rounds are chat_round.c, tools
 * chat_run.c.  A Responses answer that
 * is wanted as a stream is made of whole rounds and given as events at the end (chat_stream.c); a
 * chat streams as it comes.
 */
#include "gateway/mcp/chat.h"
#include "call/execution.h"

#include "door/reply.h"
#include "llm/api/openai.h"
#include "llm/api/responses.h"

static const char work_name[] = "chat_with_tools";

static struct km_mcp_chat *chat_of(const struct km_call *call)
{
    return km_call_work(call, work_name);
}

/* Whatever is under way for it stops. */
static void abandon(struct km_call *call)
{
    struct km_mcp_chat *c = chat_of(call);

    km_deferred_cancel(&c->begin);
    km_question_cancel(c->question);
    c->question = NULL;
    if (c->wait)
        km_mcp_wait_cancel(c->wait);
    c->wait = NULL;
}

static void chat_free(void *chat)
{
    struct km_mcp_chat *c = chat;
    struct km_buf *bufs[] = { &c->turns, &c->items, &c->calls_made, &c->results, &c->answer,
                              &c->head,  &c->held,  &c->first,      &c->final };

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
    km_arena_done(&c->arena);
}

/* --- ends --- */

void km_mcp_chat_fail(struct km_mcp_chat *c, const struct km_err *err)
{
    km_call_abandon(c->call);
    km_call_fail(c->call, err);
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

void km_mcp_chat_write(struct km_mcp_chat *c, struct km_str bytes)
{
    if (!c->call->streaming) {
        struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_CHAT_HEAD);

        put_head(c, "text/event-stream\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no", &head);
        km_call_start_answer(c->call, 200, km_buf_view(&head), UINT64_MAX);
    }
    if (!km_call_write(c->call, &bytes, 1) && c->question)
        km_question_pause(c->question);
}

static void on_writable(struct km_call *call)
{
    struct km_mcp_chat *c = chat_of(call);

    if (c->question)
        km_question_resume(c->question);
}

void km_mcp_chat_end_stream(struct km_mcp_chat *c)
{
    c->call->at->status = 200;
    km_call_served(c->call);
}

void km_mcp_chat_give(struct km_mcp_chat *c, const struct km_json *root)
{
    km_mcp_chat_answer(c, root, &c->final);
    if (km_buf_failed(&c->final) || (c->stream && !km_mcp_chat_replay(c, km_buf_view(&c->final)))) {
        km_mcp_chat_no_memory(c);
        return;
    }
    c->call->at->status = 200;
    km_call_served(c->call);
}

/* What the round was refused with is what the caller is told. */
void km_mcp_chat_refused(struct km_mcp_chat *c)
{
    c->refused = true;
    c->call->at->status = c->status;
    km_call_served(c->call);
}

static bool reply(struct km_call *call)
{
    struct km_mcp_chat *c = chat_of(call);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_CHAT_BYTES);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_CHAT_HEAD);

    if (call->failed && !call->streaming)
        return false; /* as every call does */
    if (!call->streaming) {
        put_head(c, "application/json", &head);
        km_call_respond(call, call->at->status, km_buf_view(&head),
                        km_buf_view(c->refused ? &c->answer : &c->final));
        return true;
    }
    if (!call->failed && !c->refused) {
        km_call_end_answer(call);
        return true;
    }
    if (c->refused) /* a stream that breaks does not end as if it were whole */
        km_sse_write(&b, KM_STR_NONE, km_buf_view(&c->answer));
    else
        km_error_event(c->v->dialect, &call->err, km_str_c(c->v->id_text), &b);
    km_call_write_one(call, km_buf_view(&b));
    km_call_break_answer(call);
    return true;
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

/* --- as a call --- */

static bool chat_init(struct km_mcp_chat *c, struct km_call *call)
{
    static const struct km_mcp_endpoint nothing_built_in;
    struct km_visit *v = call->visit;
    size_t most = (size_t)v->view->snap->gateway->response_bytes;
    struct km_buf *bufs[] = { &c->turns,  &c->items, &c->calls_made, &c->results,
                              &c->answer, &c->held,  &c->first,      &c->final };

    c->call = call;
    c->v = v;
    c->body = km_call_given(call); /* its rounds are calls, whose units see it */
    c->responses = call->api == &km_api_responses;
    c->cost = -1;
    c->asker =
        (struct km_asker){ .visit = v, .headers = call->request->headers, .has_place = true };
    km_arena_init(&c->arena, (size_t)(v->view->snap->http->body_bytes * 16) + KM_MCP_CHAT_BYTES,
                  NULL);
    km_arena_init(&c->inner, KM_MCP_CHAT_BYTES, NULL);
    c->in = (struct km_mcp_arrival){ .hub = km_mcp_hub_of(v->w),
                                     .visit = v,
                                     .builtins = &nothing_built_in,
                                     .headers = call->request->headers };
    km_arena_init(&c->in.arena, (size_t)4 << 20, NULL);
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        km_buf_init(bufs[i], most);
    km_buf_init(&c->head, KM_MCP_CHAT_HEAD);
    for (size_t i = 0; i < KM_MCP_CHAT_CALLS; i++) {
        km_buf_init(&c->calls[i].id, 1024);
        km_buf_init(&c->calls[i].name, 1024);
        km_buf_init(&c->calls[i].arguments, KM_RPC_BYTES);
        km_buf_init(&c->calls[i].more, KM_RPC_BYTES);
    }
    for (size_t i = 0; i < KM_MCP_CHAT_KEPT; i++)
        km_buf_init(&c->kept[i], most);
    if (km_arena_defer(&call->arena, chat_free, c) < 0)
        return false; /* defer ran it */
    c->in.principal = km_mcp_principal(v, &c->arena);
    return !km_arena_overflowed(&c->arena);
}

static void on_begin(void *ctx)
{
    struct km_mcp_chat *c = ctx;

    km_mcp_chat_listed(c);
}

static enum km_next send_chat(struct km_call *call)
{
    struct km_mcp_chat *c = chat_of(call);

    call->at->began_ns = km_mono_ns();
    c->asker.deadline_ms = km_call_deadline_ms(call);
    km_deferred_init(&c->begin, c->v->w->loop, on_begin, c);
    km_deferred_queue(&c->begin);
    return KM_WAIT;
}

/* Nothing of its own: what it asks reserves, and pays. */
static int reserve_nothing(struct km_call *call, struct km_err *err)
{
    (void)err;
    call->reserve = 0;
    return 0;
}

static bool cost_nothing(const struct km_call *call, bool sent, int64_t *ret_cost)
{
    (void)call;
    (void)sent;
    *ret_cost = 0;
    return true;
}

static int no_attempt(struct km_call *call, struct km_err *err)
{
    (void)call;
    (void)err;
    return 0;
}

static void log_rounds(struct km_call *call, struct km_line *line)
{
    km_line_i64(line, "rounds", chat_of(call)->round);
}

static const struct km_call_kind chat_kind = {
    .name = "chat_with_tools",
    .work_name = work_name,
    .outer = true,
    .placed = true,
    .reserve = reserve_nothing,
    .cost = cost_nothing,
    .attempt = no_attempt,
    .complete = no_attempt,
    .send = send_chat,
    .abandon = abandon,
    .on_writable = on_writable,
    .reply = reply,
    .log = log_rounds,
};

static int take_chat(struct km_call *call, struct km_err *err)
{
    struct km_mcp_chat *c;

    if ((call->api != &km_api_chat && call->api != &km_api_responses) || !call->port ||
        km_call_is_dry(call)) /* what is told is its first round */
        return KM_HOOK_PASS;
    c = km_arena_zalloc(&call->arena, sizeof *c);
    if (!c || !chat_init(c, call))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (km_mcp_chat_read(c))
        km_call_become(call, &chat_kind, c);
    return KM_HOOK_PASS;
}

const struct km_call_hook km_mcp_chat_hook = {
    .name = "mcp_chat", .names = KM_NAMES_SERVERS, .run = take_chat
};
