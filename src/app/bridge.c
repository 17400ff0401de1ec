/* SPDX-License-Identifier: Apache-2.0 */
/* bridge.c - see bridge.h: which message goes when, and what becomes of it.
 *
 *     client ── take ──> queue ── pump ──> calls: a POST each ──> the gateway
 *            <── put ──────────────────────'   '── JSON, or events
 *            <── put ───────────── stream: GET, while there is a session
 *
 * Requests are under way at the same time.  What others depend on is a gate: while initialize, a
 * notification or a response is under way nothing that came later is sent, so that the gateway
 * hears them in the client's order.
 *
 * A 404 inside a session means that the gateway forgot it.  The client cannot know of sessions,
 * so its initialize is said again for it, and then what was refused.  A client of the stateless
 * era cancels by a notification, over HTTP one closes the stream: so that is what is done.
 */
#include <stdio.h>
#include <stdlib.h>

#include "app/bridge_inside.h"
#include "base/crypto.h"
#include "base/encode.h"
#include "base/log.h"

#define MOST_WAIT_MS 30000 /* between two tries to get the GET stream */
#define TEXT_BYTES ((size_t)64 * 1024)

static void pump(struct km_bridge *b);

/* --- to the client --- */

void km_bridge_put(struct km_bridge *b, struct km_str message)
{
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(message.n * 2 + 4096);
    const struct km_json *json;
    struct km_arena arena;

    if (km_str_chr(message, '\n') == message.n) {
        b->args.on_message(b->args.ctx, message);
        return;
    }
    km_arena_init(&arena, message.n * 32 + 65536, NULL);
    if (km_json_parse(&arena, message, &json, NULL) == 0) {
        km_json_write(json, &line); /* one line, whatever came */
        b->args.on_message(b->args.ctx, km_buf_view(&line));
    }
    km_arena_done(&arena);
}

/* An error of the bridge's own; a notification gets none. */
static void say(struct km_bridge *b, const struct km_rpc_message *m, enum km_rpc_fault fault,
                const char *text)
{
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_BYTES);

    if (m->kind != KM_RPC_REQUEST) {
        km_log_msg(b->args.log, KM_LOG_WARN, "mcp.stdio", "%s", text);
        return;
    }
    km_rpc_error(&line, KM_MCP_HANDSHAKE, fault, m->id, km_str_c(text), KM_STR_NONE);
    b->args.on_message(b->args.ctx, km_buf_view(&line));
}

void km_bridge_refuse(struct km_bridge *b, const char *why)
{
    const struct km_rpc_message nobody = { .kind = KM_RPC_REQUEST };

    say(b, &nobody, KM_RPC_TOO_LARGE, why);
}

/* --- the end --- */

static bool is_last(const struct km_bridge *b)
{
    if (!km_list_empty(&b->queue))
        return false;
    for (struct km_list *it = b->calls.next; it != &b->calls; it = it->next)
        if (KM_CONTAINER(it, struct km_bridge_call, link) != b->stream)
            return false;
    return true;
}

static void check_over(struct km_bridge *b)
{
    struct km_bridge_call *bye;

    if (!b->ended || b->over || !is_last(b))
        return;
    b->stream = km_bridge_call_free(b->stream);
    bye = b->session.n && !b->bye ? km_bridge_call_new(b, KM_BRIDGE_BYE, KM_STR_NONE) : NULL;
    b->bye = true;
    if (bye) {
        km_list_push(&b->calls, &bye->link);
        km_bridge_call_send(bye);
        return;
    }
    b->over = true;
    km_deferred_queue(&b->later);
}

/* What was done with a call. */
static void finish(struct km_bridge_call *c)
{
    struct km_bridge *b = c->b;

    if (b->gate == c)
        b->gate = NULL;
    km_bridge_call_free(c);
    pump(b);
    check_over(b);
}

/* --- the session --- */

static void open_stream(struct km_bridge *b)
{
    if (b->stream || b->get_refused || b->ended || b->session.n == 0)
        return;
    b->stream = km_bridge_call_new(b, KM_BRIDGE_STREAM, KM_STR_NONE);
    if (!b->stream)
        return;
    km_list_push(&b->calls, &b->stream->link);
    km_bridge_call_send(b->stream);
}

/* Says one of the client's first two messages again. */
static void repeat(struct km_bridge *b, enum km_bridge_kind kind, const struct km_buf *line)
{
    struct km_bridge_call *c = km_bridge_call_new(b, kind, km_buf_view(line));
    enum km_rpc_fault fault;

    if (!c)
        return;
    if (km_rpc_parse(&c->arena, km_buf_view(&c->line), &c->m, &fault, NULL) < 0) {
        km_bridge_call_free(c);
        return;
    }
    b->gate = c;
    km_list_push(&b->calls, &c->link);
    km_bridge_call_send(c);
}

static void renew(struct km_bridge *b)
{
    b->stream = km_bridge_call_free(b->stream);
    if (b->hello.n == 0 || b->gate)
        return; /* what comes next will find out */
    km_buf_reset(&b->session);
    repeat(b, KM_BRIDGE_HELLO, &b->hello);
}

/* The answer to initialize: c->answer is its result, or the whole message. */
static void keep_revision(struct km_bridge_call *c)
{
    struct km_bridge *b = c->b;
    const struct km_json *json, *result;
    struct km_str version;

    if (km_json_parse(&c->arena, km_buf_view(&c->answer), &json, NULL) < 0)
        return;
    result = km_json_get(json, "result");
    if (!km_json_string(km_json_get(result ? result : json, "protocolVersion"), &version))
        return;
    km_buf_reset(&b->revision);
    km_buf_str(&b->revision, version);
    km_buf_reset(&b->hello);
    km_buf_str(&b->hello, km_buf_view(&c->line));
}

/* --- what becomes of a call --- */

static bool is_lost_session(const struct km_bridge_call *c)
{
    return c->status == 404 && !c->stateless && !c->again && c->b->hello.n &&
           !km_bridge_is(c, "initialize") && !c->sse;
}

static void send_again(struct km_bridge_call *c)
{
    struct km_bridge *b = c->b;

    c->again = true;
    km_list_remove(&c->link);
    km_list_push_front(&b->queue, &c->link);
    if (b->gate == c)
        b->gate = NULL;
    if (c->generation == b->generation)
        renew(b);
    pump(b);
}

/* A stream that broke before the response: it is gone on with, if that is possible. */
static bool go_on(struct km_bridge_call *c)
{
    if (c->answered || c->m.kind != KM_RPC_REQUEST || !c->last_event.n ||
        c->tries++ >= KM_BRIDGE_TRIES)
        return false;
    km_timer_start(&c->timer, (uint64_t)c->retry_ms);
    return true;
}

/* The message of an answer that is no JSON-RPC. */
static void say_status(struct km_bridge_call *c, const struct km_json *json)
{
    struct km_str message = KM_STR_NONE;
    char text[600];

    if (!km_json_string(km_json_get(km_json_get(json, "error"), "message"), &message))
        (void)km_json_string(km_json_get(json, "error"), &message);
    snprintf(text, sizeof text, "the gateway answered %d: %.*s", c->status,
             KM_STR_ARG(km_str_sub(message, 0, 500)));
    say(c->b, &c->m, KM_RPC_INTERNAL, text);
}

static void pass_answer(struct km_bridge_call *c)
{
    struct km_str body = km_buf_view(&c->answer);
    const struct km_json *json = NULL;

    if (km_json_parse(&c->arena, body, &json, NULL) < 0)
        json = NULL;
    if (km_json_get(json, "jsonrpc")) {
        km_bridge_put(c->b, body);
        c->answered = true;
    } else if (c->status < 200 || c->status >= 300 || c->m.kind == KM_RPC_REQUEST) {
        say_status(c, json);
    }
}

/* Nobody listens, and nobody ever did: a gateway is started, once for all that wait. */
static bool starts(struct km_bridge_call *c, struct km_err *err)
{
    struct km_bridge *b = c->b;

    if (!b->args.start_gateway || b->spoke || c->again)
        return false;
    c->again = true;
    if (!b->started)
        b->start_failed = b->args.start_gateway(b->args.ctx, err) < 0;
    b->started = true;
    return !b->start_failed;
}

static void message_over(struct km_bridge_call *c, const struct km_err *err)
{
    struct km_bridge *b = c->b;
    struct km_err own = { 0 };

    if (err && err->code == KM_E_NOT_RUNNING && starts(c, &own)) {
        km_bridge_call_send(c);
        return;
    }
    if (own.code)
        err = &own;
    if (!err && is_lost_session(c)) {
        send_again(c);
        return;
    }
    if ((c->sse || c->last_event.n) && !c->answered && go_on(c))
        return;
    if (c->sse && !c->answered && !err)
        err = (km_fail(&own, KM_E_UPSTREAM_PROTOCOL, "the gateway's answer broke off"), &own);
    if (err && !c->answered)
        say(b, &c->m, KM_RPC_INTERNAL, err->text);
    else if (!c->answered)
        pass_answer(c);
    if (km_bridge_is(c, "initialize") && c->answered)
        keep_revision(c);
    if (km_bridge_is(c, "notifications/initialized") && c->status == 202) {
        km_buf_reset(&b->ready);
        km_buf_str(&b->ready, km_buf_view(&c->line));
        open_stream(b);
    }
    finish(c);
}

/* 405: there is none, and it is not asked for again. */
static void stream_over(struct km_bridge_call *c)
{
    struct km_bridge *b = c->b;
    uint64_t wait = (uint64_t)c->retry_ms << (c->tries < 5 ? c->tries : 5);

    if (c->status == 404) {
        renew(b);
    } else if (c->status >= 400 && c->status < 500) {
        b->get_refused = true;
        b->stream = km_bridge_call_free(c);
    } else {
        c->tries++;
        km_timer_start(&c->timer, wait < MOST_WAIT_MS ? wait : MOST_WAIT_MS);
    }
}

void km_bridge_call_over(struct km_bridge_call *c, const struct km_err *err)
{
    struct km_bridge *b = c->b;

    if (c->kind == KM_BRIDGE_MESSAGE) {
        message_over(c, err);
    } else if (c->kind == KM_BRIDGE_STREAM) {
        stream_over(c);
    } else {
        if (c->kind == KM_BRIDGE_HELLO && !err && c->status == 200)
            repeat(b, KM_BRIDGE_READY, &b->ready);
        if (c->kind == KM_BRIDGE_READY)
            open_stream(b);
        finish(c);
    }
}

/* --- from the client --- */

/* Nothing may overtake it. */
static bool is_gate(const struct km_bridge_call *c)
{
    return c->m.kind != KM_RPC_REQUEST || km_bridge_is(c, "initialize");
}

static void pump(struct km_bridge *b)
{
    struct km_list *it;

    while (!b->gate && (it = km_list_pop(&b->queue))) {
        struct km_bridge_call *c = KM_CONTAINER(it, struct km_bridge_call, link);

        km_list_push(&b->calls, &c->link);
        if (is_gate(c))
            b->gate = c;
        km_bridge_call_send(c);
    }
}

/* A stateless request that the client gave up: over HTTP one hangs up.  true: that was all. */
static bool hang_up(struct km_bridge_call *notice)
{
    struct km_bridge *b = notice->b;
    struct km_str id = km_json_compact(km_json_get(notice->m.params, "requestId"), &notice->arena);

    for (struct km_list *it = b->calls.next; it != &b->calls; it = it->next) {
        struct km_bridge_call *c = KM_CONTAINER(it, struct km_bridge_call, link);

        if (c->stateless && km_str_eq(c->m.id, id)) {
            km_bridge_call_free(c);
            return true;
        }
    }
    return b->revision.n == 0; /* nobody shook hands: it came too late */
}

void km_bridge_take(struct km_bridge *b, struct km_str line)
{
    struct km_bridge_call *c =
        b->ncalls < KM_BRIDGE_CALLS ? km_bridge_call_new(b, KM_BRIDGE_MESSAGE, line) : NULL;
    enum km_rpc_fault fault;
    struct km_err err = { 0 };
    struct km_str version;

    if (!c) {
        km_bridge_refuse(b, "too many messages are under way");
        return;
    }
    if (km_rpc_parse(&c->arena, km_buf_view(&c->line), &c->m, &fault, &err) < 0) {
        c->m.kind = KM_RPC_REQUEST; /* it is answered, without an id if need be */
        say(b, &c->m, fault, err.text);
        km_bridge_call_free(c);
        return;
    }
    c->stateless = km_json_string(
        km_json_get(km_json_get(c->m.params, "_meta"), KM_MCP_META_VERSION), &version);
    if (km_bridge_is(c, "notifications/cancelled") && hang_up(c)) {
        km_bridge_call_free(c);
        return;
    }
    km_list_push(&b->queue, &c->link);
    pump(b);
}

void km_bridge_end(struct km_bridge *b)
{
    KM_LIST_EACH(it, &b->calls)
    {
        struct km_bridge_call *c = KM_CONTAINER(it, struct km_bridge_call, link);

        if (km_bridge_is(c, "subscriptions/listen"))
            km_bridge_call_free(c);
    }
    b->ended = true;
    check_over(b);
}

/* --- its life --- */

static void on_later(void *ctx)
{
    struct km_bridge *b = ctx;

    b->args.on_over(b->args.ctx);
}

struct km_bridge *km_bridge_new(const struct km_bridge_args *args)
{
    struct km_bridge *b = calloc(1, sizeof *b);
    unsigned char random[KM_BRIDGE_CLIENT];

    if (!b)
        return NULL;
    if (km_random(random, sizeof random, NULL) == 0)
        km_hex(b->client, random, sizeof random);
    b->args = *args;
    km_list_init(&b->calls);
    km_list_init(&b->queue);
    km_buf_init(&b->hello, KM_INPUT_LINE + 1);
    km_buf_init(&b->ready, KM_INPUT_LINE + 1);
    km_buf_init(&b->revision, 256);
    km_buf_init(&b->session, 1024);
    km_deferred_init(&b->later, args->loop, on_later, b);
    return b;
}

struct km_bridge *km_bridge_free(struct km_bridge *b)
{
    struct km_list *it;

    if (!b)
        return NULL;
    while ((it = km_list_pop(&b->calls)) || (it = km_list_pop(&b->queue)))
        km_bridge_call_free(KM_CONTAINER(it, struct km_bridge_call, link));
    km_deferred_cancel(&b->later);
    km_buf_done(&b->hello);
    km_buf_done(&b->ready);
    km_buf_done(&b->revision);
    km_buf_done(&b->session);
    free(b);
    return NULL;
}
