/* SPDX-License-Identifier: Apache-2.0 */
/* link_builtin.c - a server that is part of kanmon, reached like any other (link.h, builtin.h).
 *
 *     remote ── send ──> km_mcp_handle ──> a tool of the kind's server
 *            <─ on_message ── later, from the loop ── host->reply
 *
 * Each request is a call in an arena of its own, answered in the order the tools are ready.  An
 * answer nobody wants any more is dropped; its tool is told and ends as soon as it can.
 *
 * Who asks, may it, what it costs and the record of it are the gateway's business, which is in
 * front of every link: here nothing is asked or recorded again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "mcp/asker.h"
#include "mcp/builtin.h"
#include "mcp/link.h"

#define ARENA_BYTES ((size_t)96 * 1024 * 1024) /* of a call: its message, and a parsed statement */
#define ANSWER_BYTES (3 * KM_RPC_BYTES)
#define GRANT_BYTES ((size_t)1024 * 1024) /* of a key's permissions, parsed */
#define CALLS_MOST KM_MCP_ASKS_MOST /* under way, with those nobody waits for */

struct link_builtin {
    struct km_link base;
    struct km_loop *loop;
    struct km_mcp_upstream *upstream;
    size_t workers;
    struct km_mcp_server *server; /* NULL: not opened */
    const struct km_mcp_server *servers[1];
    struct km_mcp_endpoint endpoint;
    const struct km_mcp_revision *revision;
    struct km_list calls;
    size_t ncalls;
    struct km_deferred later; /* up, or down */
    struct km_err why; /* code 0: up */
};

struct call {
    struct km_list link;
    struct link_builtin *of;
    uint64_t id; /* 0: nobody wants the answer (any more) */
    struct km_arena arena; /* holds this too */
    struct km_mcp_call core;
    struct km_deferred recorded, answered;
    struct km_buf answer;
};

static struct link_builtin *of(struct km_link *l)
{
    return (struct link_builtin *)(void *)l;
}

/* --- calls --- */

static void call_free(struct call *c)
{
    struct km_arena arena = c->arena;

    if (c->core.work && c->of->server->drop)
        c->of->server->drop(&c->core);
    km_list_remove(&c->link);
    c->of->ncalls--;
    if (c->recorded.loop)
        km_deferred_cancel(&c->recorded);
    km_deferred_cancel(&c->answered);
    km_buf_done(&c->answer);
    km_arena_done(&arena);
}

static void on_answered(void *ctx)
{
    struct call *c = ctx;
    struct link_builtin *l = c->of;

    if (c->id && km_buf_failed(&c->answer)) {
        struct km_err err;
        const struct km_link_failure failure = { .err = &err, .maybe_executed = true };

        km_fail(&err, KM_E_LIMIT, "the answer is too large");
        l->base.events->on_failed(l->base.ctx, c->id, &failure);
    } else if (c->id && c->answer.n) {
        l->base.events->on_message(l->base.ctx, c->id, km_buf_view(&c->answer));
    }
    call_free(c);
}

static void on_reply(struct km_mcp_call *core, int http, struct km_str body)
{
    struct call *c = core->owner;

    (void)http;
    core->work = NULL;
    km_buf_str(&c->answer, body);
    km_deferred_queue(&c->answered);
}

static void on_recorded(void *ctx)
{
    struct call *c = ctx;

    km_mcp_audited(&c->core, NULL);
}

static void on_audit(struct km_mcp_call *core, const struct km_audit *record)
{
    struct call *c = core->owner;

    (void)record;
    km_deferred_init(&c->recorded, c->of->loop, on_recorded, c);
    km_deferred_queue(&c->recorded);
}

static const struct km_mcp_host host = { on_audit, on_reply };
static const struct km_approval_policy policy = { KM_APPROVE_NEVER, KM_APPROVE_NEVER };

static struct call *call_new(struct link_builtin *l, const struct km_link_request *q)
{
    struct km_arena arena;
    struct call *c;

    km_arena_init(&arena, ARENA_BYTES, km_loop_arenas(l->loop));
    c = km_arena_zalloc(&arena, sizeof *c);
    if (!c) {
        km_arena_done(&arena);
        return NULL;
    }
    c->arena = arena;
    c->of = l;
    c->id = q->id;
    c->core = (struct km_mcp_call){
        .arena = &c->arena,
        .host = &host,
        .endpoint = &l->endpoint,
        .policy = &policy,
        .owner = c,
        .revision = l->revision,
    };
    c->core.caller.principal = km_arena_str(&c->arena, q->principal);
    c->core.caller.who = c->core.caller.principal;
    c->core.caller.admin = true; /* what it may use was decided before */
    km_buf_init(&c->answer, ANSWER_BYTES);
    km_deferred_init(&c->answered, l->loop, on_answered, c);
    km_list_push(&l->calls, &c->link);
    l->ncalls++;
    return c;
}

/* --- the link --- */

static void tell(void *ctx, struct km_str method, struct km_str params)
{
    struct link_builtin *l = ctx;
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)1024 * 1024);

    km_buf_str(&b, KM_STR("{\"jsonrpc\":\"2.0\",\"method\":"));
    km_buf_json(&b, method);
    if (params.n) {
        km_buf_str(&b, KM_STR(",\"params\":"));
        km_buf_str(&b, params);
    }
    km_buf_byte(&b, '}');
    if (!km_buf_failed(&b))
        l->base.events->on_message(l->base.ctx, 0, km_buf_view(&b));
}

static void on_later(void *ctx)
{
    struct link_builtin *l = ctx;

    if (l->why.code)
        l->base.events->on_down(l->base.ctx, &l->why);
    else
        l->base.events->on_up(l->base.ctx);
}

static void builtin_open(struct km_link *base)
{
    km_deferred_queue(&of(base)->later);
}

static void builtin_send(struct km_link *base, const struct km_link_request *q)
{
    struct link_builtin *l = of(base);
    enum km_rpc_fault fault = KM_RPC_INTERNAL;
    struct km_err err = { 0 };
    struct call *c;

    if (!q->id || !l->server)
        return; /* what is cancelled is settled as well, and nothing else is of interest */
    c = call_new(l, q);
    if (!c)
        return; /* its time-out tells */
    if (km_rpc_parse(&c->arena, km_arena_str(&c->arena, q->text), &c->core.msg, &fault, &err) < 0)
        km_mcp_fault(&c->core, fault, err.text);
    else if (l->ncalls > CALLS_MOST)
        km_mcp_fault(&c->core, KM_RPC_OVERLOADED, "too many calls are under way");
    else
        km_mcp_handle(&c->core);
}

static void builtin_settle(struct km_link *base, uint64_t id, bool answered)
{
    if (answered)
        return;
    KM_LIST_EACH(it, &of(base)->calls)
    {
        struct call *c = KM_CONTAINER(it, struct call, link);

        if (c->id != id)
            continue;
        c->id = 0;
        if (c->core.work && c->core.server->cancel)
            c->core.server->cancel(&c->core);
        return;
    }
}

static void builtin_agreed(struct km_link *base, const struct km_mcp_revision *revision)
{
    of(base)->revision = revision ? revision : km_mcp_revision_latest(KM_MCP_HANDSHAKE);
}

static struct km_link *builtin_free(struct km_link *base)
{
    struct link_builtin *l = of(base);

    while (!km_list_empty(&l->calls))
        call_free(KM_CONTAINER(l->calls.next, struct call, link));
    km_deferred_cancel(&l->later);
    if (l->server)
        l->upstream->builtin->close(l->server);
    km_mcp_upstream_unref(l->upstream);
    free(l);
    return NULL;
}

struct km_link *km_link_builtin_new(const struct km_link_args *args, struct km_err *err)
{
    static const struct km_link_ops ops = { builtin_open, builtin_send, builtin_settle,
                                            builtin_agreed, builtin_free };
    struct km_mcp_builtin_args open = {
        .loop = args->loop,
        .upstream = args->upstream,
        .workers = args->workers,
        .network = args->network,
        .log = args->log,
        .tell = tell,
    };
    struct link_builtin *l = calloc(1, sizeof *l);
    struct km_arena arena;

    if (!l) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    l->base = (struct km_link){ &ops, args->events, args->ctx };
    l->loop = args->loop;
    l->upstream = km_mcp_upstream_ref(args->upstream);
    km_list_init(&l->calls);
    km_deferred_init(&l->later, l->loop, on_later, l);
    open.ctx = l;
    km_arena_init(&arena, GRANT_BYTES, NULL);
    open.grant = km_asker_grant(args->upstream, args->asker, &arena);
    l->server = l->upstream->builtin->open(&open, err);
    km_arena_done(&arena);
    if (!l->server)
        return builtin_free(&l->base);
    l->servers[0] = l->server;
    l->endpoint = (struct km_mcp_endpoint){ .name = l->server->name,
                                            .title = l->server->title,
                                            .version = l->server->version,
                                            .servers = l->servers,
                                            .nservers = 1 };
    return &l->base;
}
