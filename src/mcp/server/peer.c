/* SPDX-License-Identifier: Apache-2.0 */
/* peer.c - see peer.h for the contract.
 *
 * Each request is a call in an arena of its own that also holds its message.  It begins a moment
 * later, and its answer goes out a moment later, so that nothing happens inside a call of the
 * transport.  Answers come in the order the tools are ready.
 *
 * A listening request (subscriptions/listen) is a call that is never answered until its client
 * cancels it or goes.  A server that keeps subscriptions of its own (resources/subscribe is one of
 * its methods) is asked for them and says itself what was updated.
 */
#include "mcp/server/peer_part.h"

#include <stdlib.h>

#include "mcp/oauth/oauth.h"
#include "mcp/server/part.h"

#define ARENA_BYTES ((size_t)96 * 1024 * 1024) /* of a call: its message, and a parsed statement */
#define HELLO_BYTES ((size_t)4 * 1024 * 1024) /* what a client declares */
#define ANSWER_BYTES (3 * KM_RPC_BYTES)
#define LOG_LEVEL "io.modelcontextprotocol/logLevel"

static struct km_mcp_peer_call *call_of(struct km_mcp_call *core)
{
    return KM_CONTAINER(core, struct km_mcp_peer_call, core);
}

/* --- calls --- */

static void call_free(struct km_mcp_peer_call *c)
{
    struct km_mcp_peer *p = c->peer;
    struct km_arena arena = c->arena;

    if (c->core.work && c->core.server->drop)
        c->core.server->drop(&c->core);
    km_mcp_auth_unref(c->core.caller.auth);
    km_list_remove(&c->link);
    p->ncalls--;
    km_deferred_cancel(&c->begin);
    km_deferred_cancel(&c->recorded);
    km_deferred_cancel(&c->answered);
    km_buf_done(&c->answer);
    km_arena_done(&arena);
}

static void call_end(struct km_mcp_peer_call *c)
{
    struct km_mcp_peer *p = c->peer;

    call_free(c);
    if (p->ncalls == 0 && p->args.idle)
        p->args.idle(p->args.ctx);
}

static void on_answered(void *ctx)
{
    struct km_mcp_peer_call *c = ctx;
    struct km_mcp_peer *p = c->peer;

    if (c->number && c->core.unproved && p->args.unproved)
        p->args.unproved(p->args.ctx, c->number, c->core.unproved);
    else if (c->number && c->answer.n && !km_buf_failed(&c->answer))
        p->args.put(p->args.ctx, c->number, km_buf_view(&c->answer));
    call_end(c);
}

static void on_reply(struct km_mcp_call *core, int http, struct km_str body)
{
    struct km_mcp_peer_call *c = call_of(core);
    struct km_mcp_peer *p = c->peer;

    (void)http;
    core->work = NULL;
    if (core->revision && km_str_eq(core->msg.method, KM_STR("initialize")))
        p->revision = core->revision;
    km_buf_str(&c->answer, body);
    if (km_buf_failed(&c->answer)) {
        km_buf_reset(&c->answer);
        km_rpc_error(&c->answer, core->revision->era, KM_RPC_INTERNAL, core->msg.id,
                     KM_STR("the answer is too large"), KM_STR_NONE);
    }
    km_deferred_queue(&c->answered);
}

static void on_send(struct km_mcp_call *core, struct km_str message)
{
    struct km_mcp_peer_call *c = call_of(core);

    if (c->number)
        c->peer->args.put(c->peer->args.ctx, c->number, message);
}

static void on_recorded(void *ctx)
{
    struct km_mcp_peer_call *c = ctx;

    km_mcp_audited(&c->core, NULL);
}

static void on_audit(struct km_mcp_call *core, const struct km_audit *record)
{
    struct km_mcp_peer_call *c = call_of(core);

    if (c->peer->args.audit)
        c->peer->args.audit(c->peer->args.ctx, record);
    km_deferred_queue(&c->recorded);
}

static void on_noted(struct km_mcp_call *core)
{
    struct km_mcp_peer_call *c = call_of(core);

    if (c->number && c->peer->args.noted)
        c->peer->args.noted(c->peer->args.ctx, c->number, core->noted);
}

static const struct km_mcp_host host = {
    .audit = on_audit, .reply = on_reply, .send = on_send, .noted = on_noted
};

/* Whether it may is decided before it comes here. */
static const struct km_approval_policy policy = { KM_APPROVE_NEVER, KM_APPROVE_NEVER };

/* --- what a client says before its calls --- */

static bool has_method(const struct km_mcp_server *s, struct km_str name)
{
    for (size_t i = 0; i < s->nmethods; i++)
        if (km_str_eq(s->methods[i].name, name))
            return true;
    return false;
}

/* A client may say it again, while calls of it run.  They know its capabilities by their place: the
 * old ones stay where they are, and what is the same is not kept twice. */
static void greet(struct km_mcp_peer *p, const struct km_rpc_message *m)
{
    struct km_arena scratch;
    struct km_str text;

    km_arena_init(&scratch, HELLO_BYTES, NULL);
    text = km_json_compact(km_json_get(m->params, "capabilities"), &scratch);
    p->log_level = 1;
    if (!p->said.n || !km_str_eq(text, p->said)) {
        p->said = km_arena_str(&p->hello, text);
        if (!text.n || km_json_parse(&p->hello, text, &p->capabilities, NULL) < 0)
            p->capabilities = NULL;
    }
    km_arena_done(&scratch);
}

static void set_level(struct km_mcp_peer_call *c)
{
    struct km_str level = KM_STR_NONE;
    unsigned n;

    (void)km_json_string(km_json_get(c->core.msg.params, "level"), &level);
    n = km_mcp_level(level);
    if (!n) {
        km_mcp_fault(&c->core, KM_RPC_INVALID_PARAMS, "no such level");
        return;
    }
    c->peer->log_level = (unsigned char)n;
    km_mcp_reply_result(&c->core, KM_STR("{}"));
}

/* What belongs to the line, and not to the server. */
static bool own_method(struct km_mcp_peer_call *c)
{
    const struct km_mcp_peer *p = c->peer;
    struct km_str method = c->core.msg.method;
    bool hand = c->core.revision->era == KM_MCP_HANDSHAKE;

    if (c->core.msg.kind != KM_RPC_REQUEST)
        return false; /* nobody waits for an answer: there is no id to give it */
    if (!hand && p->args.server->changes && km_str_eq(method, KM_STR("subscriptions/listen")))
        km_mcp_peer_listen(c);
    else if (hand && km_str_eq(method, KM_STR("logging/setLevel")))
        set_level(c);
    else if (hand && !p->keeps && p->args.server->changes &&
             km_str_eq(method, KM_STR("resources/subscribe")))
        km_mcp_peer_subscribe(c, true);
    else if (hand && !p->keeps && p->args.server->changes &&
             km_str_eq(method, KM_STR("resources/unsubscribe")))
        km_mcp_peer_subscribe(c, false);
    else
        return false;
    return true;
}

/* --- messages --- */

/* Nothing else would end what waits for the client. */
static void end_waiting(struct km_mcp_peer_call *c)
{
    if (c->listens)
        km_mcp_peer_stop_listening(c);
    else if (km_mcp_call_asking(&c->core))
        km_deferred_queue(&c->answered);
}

static void on_begin(void *ctx)
{
    struct km_mcp_peer_call *c = ctx;

    if (c->core.again)
        km_mcp_call_again(&c->core);
    else if (!own_method(c))
        km_mcp_handle(&c->core);
    if (c->peer->ended)
        end_waiting(c);
}

static struct km_mcp_peer_call *call_new(struct km_mcp_peer *p,
                                         const struct km_mcp_peer_message *from)
{
    struct km_arena arena;
    struct km_mcp_peer_call *c;

    km_arena_init(&arena, ARENA_BYTES, km_loop_arenas(p->args.loop));
    c = km_arena_zalloc(&arena, sizeof *c);
    if (!c) {
        km_arena_done(&arena);
        return NULL;
    }
    c->arena = arena;
    c->peer = p;
    c->number = from->number ? from->number : ++p->count;
    c->core = (struct km_mcp_call){
        .arena = &c->arena,
        .host = &host,
        .endpoint = &p->endpoint,
        .policy = &policy,
        .revision = p->revision ? p->revision : km_mcp_revision_latest(KM_MCP_HANDSHAKE),
        .number = c->number,
    };
    c->core.caller.principal = km_arena_str(&c->arena, from->principal);
    c->core.caller.values = km_arena_str(&c->arena, from->values);
    c->core.caller.auth = km_mcp_auth_ref(from->auth);
    c->core.caller.who = c->core.caller.principal;
    c->core.caller.admin = true; /* what it may use was decided before */
    km_buf_init(&c->answer, ANSWER_BYTES);
    km_deferred_init(&c->begin, p->args.loop, on_begin, c);
    km_deferred_init(&c->recorded, p->args.loop, on_recorded, c);
    km_deferred_init(&c->answered, p->args.loop, on_answered, c);
    km_list_push(&p->calls, &c->link);
    p->ncalls++;
    return c;
}

/* The client of this message: of the handshake, or of its own _meta. */
static void know_client(struct km_mcp_peer_call *c)
{
    const struct km_json *meta = km_json_get(c->core.msg.params, "_meta");
    struct km_str level = KM_STR_NONE;

    if (c->core.revision->era == KM_MCP_HANDSHAKE) {
        c->core.capabilities = c->peer->capabilities;
        c->core.log_level = c->peer->log_level;
        return;
    }
    c->core.capabilities = km_json_get(meta, KM_MCP_META_CAPABILITIES);
    (void)km_json_string(km_json_get(meta, LOG_LEVEL), &level);
    c->core.log_level = (unsigned char)km_mcp_level(level);
}

static void respond(struct km_mcp_peer *p, const struct km_rpc_message *m)
{
    bool ready = false;

    KM_LIST_EACH(it, &p->calls)
    {
        struct km_mcp_peer_call *c = KM_CONTAINER(it, struct km_mcp_peer_call, link);

        if (!km_mcp_call_answered(&c->core, m, &ready))
            continue;
        if (ready)
            km_deferred_queue(&c->begin);
        return;
    }
}

/* By the id its client gave to the request. */
static void cancelled(struct km_mcp_peer *p, const struct km_rpc_message *m)
{
    struct km_buf id KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    if (!km_json_get(m->params, "requestId"))
        return;
    km_json_write(km_json_get(m->params, "requestId"), &id);
    KM_LIST_EACH(it, &p->calls)
    {
        struct km_mcp_peer_call *c = KM_CONTAINER(it, struct km_mcp_peer_call, link);

        if (!km_str_eq(c->core.msg.id, km_buf_view(&id)))
            continue;
        km_mcp_peer_drop(p, c->number);
        return;
    }
}

void km_mcp_peer_take(struct km_mcp_peer *p, const struct km_mcp_peer_message *message)
{
    struct km_mcp_peer_call *c = call_new(p, message);
    enum km_rpc_fault fault = KM_RPC_INTERNAL;
    struct km_err err = { 0 };
    struct km_rpc_message *m;

    if (!c)
        return; /* whoever asked has a time-out */
    m = &c->core.msg;
    if (km_rpc_parse(&c->arena, km_arena_str(&c->arena, message->text), m, &fault, &err) < 0 ||
        km_mcp_revision_select(m, false, p->revision ? p->revision->name : KM_STR_NONE,
                               &c->core.revision, &fault, &err) < 0) {
        km_mcp_fault(&c->core, fault, err.text);
        return;
    }
    know_client(c);
    if (m->kind == KM_RPC_RESPONSE && c->core.revision->era == KM_MCP_HANDSHAKE)
        respond(p, m);
    else if (m->kind == KM_RPC_NOTIFICATION &&
             km_str_eq(m->method, KM_STR("notifications/cancelled")))
        cancelled(p, m);
    if (m->kind == KM_RPC_REQUEST && p->ncalls > p->args.calls_most) {
        km_mcp_fault(&c->core, KM_RPC_OVERLOADED, "too many calls are under way");
        return;
    }
    if (m->kind == KM_RPC_REQUEST && km_str_eq(m->method, KM_STR("initialize")))
        greet(p, m);
    km_deferred_queue(&c->begin); /* of what is no request: nothing is said, and it ends */
}

static void drop_call(struct km_mcp_peer_call *c)
{
    c->number = 0;
    if (c->core.work && c->core.server->cancel)
        c->core.server->cancel(&c->core);
    else if (c->listens || km_mcp_call_asking(&c->core))
        km_deferred_queue(&c->answered); /* nothing else would end it */
}

void km_mcp_peer_drop(struct km_mcp_peer *p, uint64_t number)
{
    KM_LIST_EACH(it, &p->calls)
    {
        struct km_mcp_peer_call *c = KM_CONTAINER(it, struct km_mcp_peer_call, link);

        if (!number || c->number != number)
            continue;
        drop_call(c);
        return;
    }
}

void km_mcp_peer_drop_all(struct km_mcp_peer *p)
{
    KM_LIST_EACH(it, &p->calls)
    {
        struct km_mcp_peer_call *c = KM_CONTAINER(it, struct km_mcp_peer_call, link);

        if (c->number)
            drop_call(c);
    }
}

void km_mcp_peer_end(struct km_mcp_peer *p)
{
    p->ended = true;
    KM_LIST_EACH(it, &p->calls)
    {
        end_waiting(KM_CONTAINER(it, struct km_mcp_peer_call, link));
    }
}

bool km_mcp_peer_is_idle(const struct km_mcp_peer *p)
{
    return p->ncalls == 0;
}

struct km_mcp_peer *km_mcp_peer_new(const struct km_mcp_peer_args *args)
{
    struct km_mcp_peer *p = calloc(1, sizeof *p);
    const struct km_mcp_server *s = args->server;

    if (!p)
        return NULL;
    p->args = *args;
    p->servers[0] = s;
    p->endpoint = (struct km_mcp_endpoint){ .name = s->name,
                                            .title = s->title,
                                            .version = s->version,
                                            .servers = p->servers,
                                            .nservers = 1 };
    p->log_level = 1;
    p->keeps = has_method(s, KM_STR("resources/subscribe"));
    km_list_init(&p->calls);
    km_list_init(&p->uris);
    km_arena_init(&p->hello, HELLO_BYTES, NULL);
    return p;
}

struct km_mcp_peer *km_mcp_peer_free(struct km_mcp_peer *p)
{
    if (!p)
        return NULL;
    while (!km_list_empty(&p->calls))
        call_free(KM_CONTAINER(p->calls.next, struct km_mcp_peer_call, link));
    km_mcp_peer_forget_uris(p);
    km_arena_done(&p->hello);
    free(p);
    return NULL;
}
