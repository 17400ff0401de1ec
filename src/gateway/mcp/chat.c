/* SPDX-License-Identifier: Apache-2.0 */
/* chat.c - the rounds of a chat with MCP tools; see chat.h for the contract.
 *
 *     begin ── list ──> round ──> judge ──┬──> run tools, one by one ──> round ...
 *                                         └──> the caller
 *
 * Each round's body is the caller's with three members changed: tools, and messages (or input)
 * with what came since; tool_choice holds for the first round only, or a required tool would be
 * called for ever.  A Responses answer that is wanted as a stream is made of whole rounds and
 * given as events at the end (chat_stream.c); a chat streams as it comes.
 */
#include "gateway/mcp/chat.h"

#include "gateway/inner.h"
#include "gateway/reply.h"
#include "llm/api/openai.h"
#include "llm/api/responses.h"

#define BODY_BYTES ((size_t)128 << 20)
#define HEAD_BYTES ((size_t)32 * 1024)

static void run_tool(struct km_mcp_chat *c);
static void send_round(struct km_mcp_chat *c);

static void chat_free(struct km_mcp_chat *c)
{
    struct km_arena arena = c->arena;
    struct km_buf *bufs[] = { &c->turns,  &c->items, &c->calls_made, &c->results, &c->answer,
                              &c->head,   &c->text,  &c->held,       &c->first };

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
    }
    km_sse_free(c->sse);
    km_arena_done(&c->inner);
    km_arena_done(&c->in.arena);
    km_arena_done(&arena);
}

/* --- ends --- */

static void fail(struct km_mcp_chat *c, const struct km_err *err)
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
    chat_free(c);
}

static void no_memory(struct km_mcp_chat *c)
{
    struct km_err err = { 0 };

    km_fail(&err, KM_E_LIMIT, "the chat with its tools is too large");
    fail(c, &err);
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
        struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_BYTES);

        put_head(c, "text/event-stream\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no", &head);
        km_exchange_start(c->v->x, 200, km_buf_view(&head), UINT64_MAX);
        c->started = true;
    }
    return km_exchange_write(c->v->x, &bytes, 1);
}

static void give(struct km_mcp_chat *c, const struct km_json *root)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(BODY_BYTES);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_BYTES);

    km_mcp_chat_answer(c, root, &b);
    if (km_buf_failed(&b)) {
        no_memory(c);
        return;
    }
    if (c->stream) {
        km_mcp_chat_replay(c, km_buf_view(&b));
    } else {
        put_head(c, "application/json", &head);
        km_exchange_respond(c->v->x, 200, km_buf_view(&head), km_buf_view(&b));
    }
    chat_free(c);
}

/* What the round was refused with is what the caller is told. */
static void pass_error(struct km_mcp_chat *c)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(BODY_BYTES);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_BYTES);

    if (c->started) {
        km_sse_write(&b, KM_STR_NONE, km_buf_view(&c->answer));
        (void)km_mcp_chat_write(c, km_buf_view(&b));
        km_exchange_abort(c->v->x);
    } else {
        put_head(c, "application/json", &head);
        km_exchange_respond(c->v->x, c->status, km_buf_view(&head), km_buf_view(&c->answer));
    }
    chat_free(c);
}

/* --- a tool --- */

static void put_result(struct km_mcp_chat *c, const struct km_mcp_chat_call *call,
                       struct km_str text, bool ok)
{
    struct km_str id = km_buf_view(&call->id), name = km_buf_view(&call->name);
    struct km_str arguments = km_buf_view(&call->arguments);
    struct km_buf *t = &c->turns, *i = &c->items;

    if (!c->responses) {
        km_buf_str(t, KM_STR(",{\"role\":\"tool\",\"tool_call_id\":"));
        km_buf_json(t, id);
        km_buf_str(t, KM_STR(",\"content\":"));
        km_buf_json(t, text);
        km_buf_byte(t, '}');
        km_buf_str(&c->calls_made, KM_STR(",{\"id\":"));
        km_buf_json(&c->calls_made, id);
        km_buf_str(&c->calls_made, KM_STR(",\"type\":\"function\",\"function\":{\"name\":"));
        km_buf_json(&c->calls_made, name);
        km_buf_str(&c->calls_made, KM_STR(",\"arguments\":"));
        km_buf_json(&c->calls_made, arguments);
        km_buf_str(&c->calls_made, KM_STR("}}"));
        km_buf_str(&c->results, KM_STR(",{\"tool_call_id\":"));
        km_buf_json(&c->results, id);
        km_buf_str(&c->results, KM_STR(",\"result\":"));
        km_buf_json(&c->results, text);
        km_buf_str(&c->results, KM_STR(",\"name\":"));
        km_buf_json(&c->results, name);
        km_buf_byte(&c->results, '}');
        return;
    }
    km_buf_str(t, KM_STR(",{\"type\":\"function_call_output\",\"call_id\":"));
    km_buf_json(t, id);
    km_buf_str(t, KM_STR(",\"output\":"));
    km_buf_json(t, text);
    km_buf_byte(t, '}');
    km_buf_printf(i, ",{\"type\":\"mcp_call\",\"id\":\"mcp_%s_%u_%zu\",\"status\":\"%s\",",
                  c->v->id_text, c->round, c->at, ok ? "completed" : "failed");
    km_buf_str(i, KM_STR("\"server_label\":"));
    km_buf_json(i, call->fn->spec->label);
    km_buf_str(i, KM_STR(",\"name\":"));
    km_buf_json(i, name);
    km_buf_str(i, KM_STR(",\"arguments\":"));
    km_buf_json(i, arguments);
    km_buf_str(i,
               ok ? KM_STR(",\"error\":null,\"output\":") : KM_STR(",\"output\":null,\"error\":"));
    km_buf_json(i, text);
    km_buf_byte(i, '}');
}

static void next_tool(struct km_mcp_chat *c)
{
    if (++c->at < c->ncalls)
        run_tool(c);
    else if (km_buf_failed(&c->turns) || km_buf_failed(&c->items) || km_buf_failed(&c->results))
        no_memory(c);
    else
        send_round(c);
}

static void on_bytes(void *ctx, const char *bytes, size_t n)
{
    struct km_mcp_chat *c = ctx;

    km_buf_bytes(&c->answer, bytes, n);
}

static void on_tool_head(void *ctx, const struct km_response *response)
{
    struct km_mcp_chat *c = ctx;

    c->status = response->status;
}

static void on_tool_done(void *ctx, const struct km_http_result *result)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(BODY_BYTES);
    struct km_mcp_chat *c = ctx;
    bool ok = false;

    c->call = NULL;
    if (result->err)
        km_buf_printf(&text, "Error executing tool: %s", result->err->text);
    else
        ok = km_mcp_chat_text(&c->inner, km_buf_view(&c->answer), &text);
    put_result(c, &c->calls[c->at], km_str_sub(km_buf_view(&text), 0, KM_MCP_CHAT_TEXT), ok);
    next_tool(c);
}

static const struct km_http_events tool_events = { .on_head = on_tool_head,
                                                   .on_body = on_bytes,
                                                   .on_done = on_tool_done };

static bool begin_inner(struct km_mcp_chat *c, const struct km_inner_request *request,
                        const struct km_http_events *events)
{
    km_arena_done(&c->inner);
    km_arena_init(&c->inner, BODY_BYTES, NULL);
    km_buf_reset(&c->answer);
    c->status = 0;
    c->call = km_inner_send(c->v, &c->inner, request, events, c);
    return c->call != NULL;
}

static void run_tool(struct km_mcp_chat *c)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(2 * KM_RPC_BYTES);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_BYTES);
    const struct km_mcp_chat_call *call = &c->calls[c->at];
    const struct km_mcp_chat_spec *s = call->fn->spec;
    const struct km_json *arguments = NULL;
    struct km_str said = call->arguments.n ? km_buf_view(&call->arguments) : KM_STR("{}");

    if (km_json_parse(&c->inner, said, &arguments, NULL) < 0 ||
        km_json_kind(arguments) != KM_JSON_OBJECT) {
        put_result(c, call, KM_STR("Error executing tool: its arguments are no JSON object"),
                   false);
        next_tool(c);
        return;
    }
    km_buf_str(&b, KM_STR("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
                          "\"name\":"));
    km_buf_json(&b, km_buf_view(&call->name));
    km_buf_str(&b, KM_STR(",\"arguments\":"));
    km_buf_str(&b, said);
    km_buf_str(&b, KM_STR("}}"));
    km_buf_str(&head, KM_STR("Accept: application/json\r\n"));
    km_buf_str(&head, s->head);
    if (s->reach.servers.n)
        (void)(km_header_put(&head, KM_STR("x-mcp-servers"), s->reach.servers, NULL) == 0);
    if (s->reach.groups.n)
        (void)(km_header_put(&head, KM_STR("x-mcp-access-groups"), s->reach.groups, NULL) == 0);
    if (km_buf_failed(&b) || km_buf_failed(&head) ||
        !begin_inner(c,
                     &(struct km_inner_request){ .target = KM_STR("/mcp"),
                                                 .head = km_buf_view(&head),
                                                 .body = km_buf_view(&b) },
                     &tool_events))
        no_memory(c);
}

/* --- what a round said --- */

static void forget_calls(struct km_mcp_chat *c)
{
    for (size_t i = 0; i < c->ncalls; i++) {
        km_buf_reset(&c->calls[i].id);
        km_buf_reset(&c->calls[i].name);
        km_buf_reset(&c->calls[i].arguments);
    }
    c->ncalls = c->at = 0;
}

static void take_call(struct km_mcp_chat *c, struct km_str id, const struct km_json *f)
{
    struct km_mcp_chat_call *call;
    struct km_str text;

    if (c->ncalls == KM_MCP_CHAT_CALLS)
        return;
    call = &c->calls[c->ncalls++];
    km_buf_str(&call->id, id);
    if (km_json_string(km_json_get(f, "name"), &text))
        km_buf_str(&call->name, text);
    if (km_json_string(km_json_get(f, "arguments"), &text))
        km_buf_str(&call->arguments, text);
}

/* The calls of a whole answer, and the turn they are in. */
static void take_calls(struct km_mcp_chat *c, const struct km_json *root)
{
    const struct km_json *message, *list = km_json_get(root, "output"), *v;
    struct km_json_iter it;
    struct km_str key, text;

    if (c->responses) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(BODY_BYTES);

        for (km_json_iter(list, &it); km_json_next(&it, &key, &v);) {
            km_buf_byte(&b, ',');
            km_json_write(v, &b);
            if (km_json_string(km_json_get(v, "type"), &text) &&
                km_str_eq(text, KM_STR("function_call")) &&
                km_json_string(km_json_get(v, "call_id"), &text))
                take_call(c, text, v);
        }
        c->said = km_arena_str(&c->arena, km_buf_view(&b));
        return;
    }
    km_json_iter(km_json_get(root, "choices"), &it);
    if (!km_json_next(&it, &key, &v))
        return;
    message = km_json_get(v, "message");
    list = km_json_get(message, "tool_calls");
    for (km_json_iter(list, &it); km_json_next(&it, &key, &v);)
        if (km_json_string(km_json_get(v, "id"), &text))
            take_call(c, text, km_json_get(v, "function"));
    c->said = km_arena_cat(
        &c->arena, (struct km_str[]){ KM_STR(","), km_json_compact(message, &c->arena) }, 2);
}

/* All calls are of tools that may be run here, and there is a round left. */
static bool to_run(struct km_mcp_chat *c)
{
    bool all = c->ncalls > 0;

    for (size_t i = 0; i < c->ncalls; i++) {
        c->calls[i].fn = km_mcp_chat_find(c, km_buf_view(&c->calls[i].name));
        all = all && c->calls[i].fn && c->calls[i].fn->auto_run;
    }
    return all && (int64_t)c->round < c->v->view->snap->gateway->mcp_chat_rounds;
}

static void run_all(struct km_mcp_chat *c)
{
    km_buf_str(&c->turns, c->said);
    c->at = 0;
    run_tool(c);
}

/* A streamed turn, as a message. */
static void say_again(struct km_mcp_chat *c)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(BODY_BYTES);

    km_buf_str(&b, KM_STR(",{\"role\":\"assistant\",\"content\":"));
    if (c->text.n)
        km_buf_json(&b, km_buf_view(&c->text));
    else
        km_buf_str(&b, KM_STR("null"));
    km_buf_str(&b, KM_STR(",\"tool_calls\":["));
    for (size_t i = 0; i < c->ncalls; i++) {
        km_buf_str(&b, i ? KM_STR(",{\"id\":") : KM_STR("{\"id\":"));
        km_buf_json(&b, km_buf_view(&c->calls[i].id));
        km_buf_str(&b, KM_STR(",\"type\":\"function\",\"function\":{\"name\":"));
        km_buf_json(&b, km_buf_view(&c->calls[i].name));
        km_buf_str(&b, KM_STR(",\"arguments\":"));
        km_buf_json(&b, km_buf_view(&c->calls[i].arguments));
        km_buf_str(&b, KM_STR("}}"));
    }
    km_buf_str(&b, KM_STR("]}"));
    c->said = km_arena_str(&c->arena, km_buf_view(&b));
}

/* --- a round --- */

static void on_head(void *ctx, const struct km_response *response)
{
    struct km_mcp_chat *c = ctx;
    const struct km_headers *h = &response->headers;
    int64_t cost;

    c->status = response->status;
    km_buf_reset(&c->head);
    for (size_t i = 0; i < h->n; i++) {
        if (km_str_ieq(h->v[i].name, KM_STR("x-litellm-response-cost"))) {
            if (km_str_decimal(h->v[i].value, 9, &cost) == 0)
                c->cost = (c->cost < 0 ? 0 : c->cost) + cost;
        } else if (km_str_ieq(h->v[i].name, KM_STR("retry-after")) ||
                   (h->v[i].name.n > 2 && (h->v[i].name.p[0] | 0x20) == 'x' &&
                    h->v[i].name.p[1] == '-' &&
                    !km_str_ieq(h->v[i].name, KM_STR("x-accel-buffering")))) {
            (void)(km_header_put(&c->head, h->v[i].name, h->v[i].value, NULL) == 0);
        }
    }
}

static int on_event(void *ctx, const struct km_sse_event *event)
{
    return km_mcp_chat_event(ctx, event);
}

static void on_round_bytes(void *ctx, const char *bytes, size_t n)
{
    struct km_mcp_chat *c = ctx;

    if (!c->sse || c->status != 200)
        km_buf_bytes(&c->answer, bytes, n);
    else if (!c->done && km_sse_feed(c->sse, bytes, n, NULL) < 0)
        c->done = true; /* what it says is lost: it ends as broken */
}

static void end_stream(struct km_mcp_chat *c)
{
    if (to_run(c)) {
        say_again(c);
        km_buf_reset(&c->held);
        run_all(c);
        return;
    }
    km_mcp_chat_release(c);
    km_exchange_end(c->v->x);
    chat_free(c);
}

static void on_round_done(void *ctx, const struct km_http_result *result)
{
    struct km_mcp_chat *c = ctx;
    const struct km_json *root = NULL;
    struct km_err err = { 0 };

    c->call = NULL;
    if (result->err) {
        fail(c, result->err);
    } else if (c->status != 200) {
        pass_error(c);
    } else if (c->sse && c->done) {
        km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "a round of the chat could not be read");
        fail(c, &err);
    } else if (c->sse) {
        end_stream(c);
    } else if (km_buf_failed(&c->answer) ||
               km_json_parse(&c->inner, km_buf_view(&c->answer), &root, &err) < 0) {
        no_memory(c);
    } else {
        take_calls(c, root);
        if (to_run(c))
            run_all(c);
        else
            give(c, root);
    }
}

static const struct km_http_events round_events = { .on_head = on_head,
                                                    .on_body = on_round_bytes,
                                                    .on_done = on_round_done };

/* The caller's messages with what came since; of a Responses request its input. */
static struct km_str all_turns(struct km_mcp_chat *c, struct km_str said)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(BODY_BYTES);

    said = km_str_trim(said);
    if (said.n && said.p[0] == '"') {
        km_buf_str(&b, KM_STR("[{\"role\":\"user\",\"content\":"));
        km_buf_str(&b, said);
        km_buf_byte(&b, '}');
    } else if (said.n && said.p[said.n - 1] == ']') {
        km_buf_str(&b, km_str_trim(km_str_sub(said, 0, said.n - 1)));
    } else {
        return said; /* the round says what is wrong with it */
    }
    km_buf_str(&b, km_str_skip(km_buf_view(&c->turns), b.p[b.n - 1] == '[' && c->turns.n));
    km_buf_byte(&b, ']');
    return km_buf_failed(&b) ? KM_STR_NONE : km_arena_str(&c->arena, km_buf_view(&b));
}

static struct km_str round_body(struct km_mcp_chat *c)
{
    const struct km_str names[] = { KM_STR("tools"),
                                    c->responses ? KM_STR("input") : KM_STR("messages"),
                                    KM_STR("tool_choice"), KM_STR("stream") };
    struct km_json_span spans[4];
    struct km_json_object object;
    struct km_json_edits edits;
    struct km_str *parts;
    size_t n;

    if (km_json_spans(c->body, names, 4, spans, &object, NULL) < 0)
        return KM_STR_NONE;
    km_json_edits_init(&edits, c->body, &object);
    if (c->tools.n > 2)
        km_json_replace(&edits, &spans[0], c->tools);
    else
        km_json_cut(&edits, &spans[0]); /* no tool is left, and an empty list is refused */
    if (c->round > 1 && spans[1].type != KM_JSON_ABSENT)
        km_json_replace(&edits, &spans[1], all_turns(c, km_json_value(c->body, &spans[1])));
    if (spans[2].type != KM_JSON_ABSENT && (c->round > 1 || c->tools.n <= 2))
        km_json_cut(&edits, &spans[2]);
    if (c->responses && c->stream)
        km_json_replace(&edits, &spans[3], KM_STR("false"));
    if (km_json_parts(&edits, &c->arena, &parts, &n, NULL) < 0)
        return KM_STR_NONE;
    return km_arena_cat(&c->arena, parts, n);
}

static void send_round(struct km_mcp_chat *c)
{
    const struct km_request *req = km_exchange_request(c->v->x);
    struct km_str target = req->path, body;

    forget_calls(c);
    km_buf_reset(&c->text);
    c->round++;
    c->sse = km_sse_free(c->sse);
    c->done = false;
    if (c->stream && !c->responses)
        c->sse = km_sse_new((size_t)c->v->view->snap->gateway->sse_event_bytes, on_event, c);
    if (req->query.n)
        target =
            km_arena_cat(&c->arena, (struct km_str[]){ req->path, KM_STR("?"), req->query }, 3);
    body = round_body(c);
    if (!body.n || km_arena_overflowed(&c->arena) || (c->stream && !c->responses && !c->sse) ||
        !begin_inner(c, &(struct km_inner_request){ .target = target, .body = body },
                     &round_events))
        no_memory(c);
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
        fail(c, &err);
        return;
    }
    put_lists(c);
    send_round(c);
}

static void on_gone(void *ctx)
{
    struct km_mcp_chat *c = ctx;
    struct km_exchange *x = c->v->x;

    chat_free(c);
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
    size_t most = (size_t)(v->view->snap->http->body_bytes * 16) + BODY_BYTES;
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
    km_arena_init(&c->inner, BODY_BYTES, NULL);
    c->in = (struct km_mcp_arrival){ .hub = v->w->mcp,
                                     .visit = v,
                                     .builtins = &nothing_built_in,
                                     .headers = km_exchange_request(v->x)->headers };
    km_arena_init(&c->in.arena, (size_t)4 << 20, NULL);
    c->in.principal = km_mcp_principal(v, &c->arena);
    struct km_buf *bufs[] = { &c->turns, &c->items, &c->calls_made, &c->results, &c->answer,
                              &c->text,  &c->held,  &c->first };
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        km_buf_init(bufs[i], (size_t)v->view->snap->gateway->response_bytes);
    km_buf_init(&c->head, HEAD_BYTES);
    for (size_t i = 0; i < KM_MCP_CHAT_CALLS; i++) {
        km_buf_init(&c->calls[i].id, 1024);
        km_buf_init(&c->calls[i].name, 1024);
        km_buf_init(&c->calls[i].arguments, KM_RPC_BYTES);
    }
    return c;
}

bool km_mcp_chat_take(struct km_call *call)
{
    static const struct km_exchange_events events = { .on_gone = on_gone, .on_drain = on_drain };
    struct km_mcp_chat *c;

    if ((call->api != &km_api_chat && call->api != &km_api_responses) || !call->x ||
        !call->req.names_servers)
        return false;
    c = chat_new(call);
    if (!c)
        return false; /* then it says itself that there is no memory */
    if (!km_mcp_chat_read(c)) {
        chat_free(c);
        return false;
    }
    km_exchange_listen(call->x, &events, c);
    km_call_drop(call);
    km_mcp_chat_listed(c);
    return true;
}
