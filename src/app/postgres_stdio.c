/* SPDX-License-Identifier: Apache-2.0 */
/* postgres_stdio.c - see postgres_stdio.h.
 *
 *     client ── input.c ──> km_mcp_handle ──> the tools ──> the database
 *            <── stdout ──  host->reply   <──
 *
 * One loop, one client, one database; no store and no keys.  A message lives in an arena of its own
 * until it is answered, so several may be under way, and answers come in the order they are ready.
 * What runs is said on standard error, without its values.
 */
#include "app/postgres_stdio.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/input.h"
#include "base/log.h"
#include "servers/postgres/parse.h"

#define ARENA_BYTES (3 * KM_RPC_BYTES + KM_PG_TREE_BYTES)
#define MESSAGES 256 /* under way; more are refused */

struct stdio {
    struct km_loop *loop;
    struct km_mailbox *mailbox;
    struct km_input *lines;
    struct km_pg_instance *instance;
    struct km_log *log;
    const struct km_mcp_server *servers[1];
    struct km_mcp_endpoint endpoint;
    struct km_str revision; /* what initialize agreed on; static storage */
    size_t under_way;
    bool ended; /* no more will come */
};

struct message {
    struct km_arena arena; /* holds this too */
    struct stdio *s;
    struct km_mcp_call call;
    struct km_deferred recorded;
};

static struct message *message_of(struct km_mcp_call *call)
{
    return KM_CONTAINER(call, struct message, call);
}

static void put_line(struct km_str line)
{
    fwrite(line.p, 1, line.n, stdout);
    putchar('\n');
    fflush(stdout);
}

static void on_reply(struct km_mcp_call *call, int http, struct km_str body)
{
    struct message *m = message_of(call);
    struct stdio *s = m->s;
    struct km_arena arena = m->arena;

    (void)http;
    if (body.n)
        put_line(body);
    if (km_str_eq(call->msg.method, KM_STR("initialize")) && call->revision)
        s->revision = call->revision->name;
    km_arena_done(&arena);
    s->under_way--;
    if (s->ended && s->under_way == 0)
        km_loop_stop(s->loop);
}

/* There is no store to write the record to: it goes to standard error. */
static void on_recorded(void *ctx)
{
    struct message *m = ctx;

    km_mcp_audited(&m->call, NULL);
}

static void on_audit(struct km_mcp_call *call, const struct km_audit *record)
{
    struct message *m = message_of(call);

    fprintf(stderr, "%.*s %.*s\n", KM_STR_ARG(record->action), KM_STR_ARG(record->detail));
    km_deferred_init(&m->recorded, m->s->loop, on_recorded, m);
    km_deferred_queue(&m->recorded);
}

static const struct km_mcp_host host = { on_audit, on_reply };

/* The operator chose the mode; whoever calls has its client to ask. */
static const struct km_approval_policy policy = { KM_APPROVE_NEVER, KM_APPROVE_NEVER };

static struct message *message_new(struct stdio *s)
{
    struct km_arena arena;
    struct message *m;

    km_arena_init(&arena, ARENA_BYTES, km_loop_arenas(s->loop));
    m = km_arena_zalloc(&arena, sizeof *m);
    if (!m) {
        km_arena_done(&arena);
        return NULL;
    }
    m->arena = arena;
    m->s = s;
    m->call = (struct km_mcp_call){
        .arena = &m->arena,
        .host = &host,
        .endpoint = &s->endpoint,
        .caller = { .who = KM_STR("stdio"), .principal = KM_STR("stdio"), .admin = true },
        .policy = &policy,
        .revision = km_mcp_revision_latest(KM_MCP_HANDSHAKE),
    };
    s->under_way++;
    return m;
}

static void on_line(void *ctx, struct km_str line)
{
    struct stdio *s = ctx;
    enum km_rpc_fault fault = KM_RPC_INTERNAL;
    struct km_err err = { 0 };
    struct message *m;
    struct km_str text;

    if (!km_str_trim(line).n)
        return;
    m = message_new(s);
    if (!m)
        return;
    text = km_arena_str(&m->arena, line);
    if (km_rpc_parse(&m->arena, text, &m->call.msg, &fault, &err) < 0 ||
        km_mcp_revision_select(&m->call.msg, false, s->revision, &m->call.revision, &fault, &err) <
            0)
        km_mcp_fault(&m->call, fault, err.text);
    else if (s->under_way > MESSAGES)
        km_mcp_fault(&m->call, KM_RPC_OVERLOADED, "too many calls are under way");
    else
        km_mcp_handle(&m->call);
}

static void on_long_line(void *ctx)
{
    (void)ctx;
    put_line(KM_STR("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":"
                    "\"a line may have 10 MiB\"}}"));
}

static void on_end(void *ctx, bool failed)
{
    struct stdio *s = ctx;

    (void)failed;
    s->ended = true;
    if (s->under_way == 0)
        km_loop_stop(s->loop);
}

static const struct km_input_events line_events = { on_line, on_long_line, on_end };

static void tell(void *ctx, struct km_str method, struct km_str params)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 * 1024);

    (void)ctx;
    km_buf_str(&b, KM_STR("{\"jsonrpc\":\"2.0\",\"method\":"));
    km_buf_json(&b, method);
    if (params.n) {
        km_buf_str(&b, KM_STR(",\"params\":"));
        km_buf_str(&b, params);
    }
    km_buf_byte(&b, '}');
    if (!km_buf_failed(&b))
        put_line(km_buf_view(&b));
}

static int serve(struct stdio *s, const struct km_pg_settings *settings, struct km_err *err)
{
    const struct km_pg_instance_args args = {
        .loop = s->loop,
        .settings = settings,
        .mode = (enum km_pg_mode)settings->mode,
        .workers = 1,
        .tell = tell,
        .log = s->log,
        .name = KM_STR("postgres"),
    };
    const struct km_mcp_server *server;

    s->instance = km_pg_instance_new(&args, err);
    if (!s->instance)
        return err->code;
    server = km_pg_instance_server(s->instance);
    s->servers[0] = server;
    s->endpoint = (struct km_mcp_endpoint){
        .name = server->name,
        .title = server->title,
        .version = server->version,
        .servers = s->servers,
        .nservers = 1,
    };
    s->lines = km_input_new(STDIN_FILENO, s->mailbox, &line_events, s, err);
    if (!s->lines)
        return KM_E_SYSTEM;
    km_loop_run(s->loop);
    km_input_stop(s->lines);
    return 0;
}

int km_postgres_stdio(const struct km_pg_settings *settings, struct km_err *err)
{
    struct stdio s = { .loop = km_loop_new(err) };
    int r = s.loop ? 0 : KM_E_NOMEM;

    s.log = km_log_new(STDERR_FILENO, KM_LOG_INFO, KM_LOG_TEXT);
    if (r == 0) {
        s.mailbox = km_mailbox_new(s.loop, &s, err);
        r = s.mailbox ? serve(&s, settings, err) : KM_E_NOMEM;
    }
    if (s.mailbox)
        km_mailbox_free(s.mailbox);
    km_input_free(s.lines);
    km_pg_instance_free(s.instance);
    km_log_free(s.log);
    if (s.loop)
        km_loop_free(s.loop);
    return r;
}
