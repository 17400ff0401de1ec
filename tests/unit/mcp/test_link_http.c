/* SPDX-License-Identifier: Apache-2.0 */
/* Asks to a server over Streamable HTTP that loses sessions, breaks streams and counts what it is
 * sent: our own HTTP server on the same loop, with a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/server.h"
#include "mcp/ask.h"
#include "mcp/view/virtual.h"
#include "sys/listener.h"
#include "sys/mailbox.h"

#define LIMIT_MS 20000

enum script { PLAIN, LOSES_SESSION, BREAKS_STREAM, STATELESS, REFUSES };

struct fixture {
    enum script script;
    char folder[64], file[96];
    struct km_diags *diags;
    struct km_config *config;
    struct km_mcp_set *set;
    struct km_loop *loop;
    struct km_mailbox *mailbox;
    struct km_dns *dns;
    struct km_dialer *dialer;
    struct km_pool *pool;
    struct km_http_client *client;
    struct km_http_server *server;
    struct km_acceptor *acceptor;
    struct km_body_budget bodies;
    _Atomic int64_t connections;
    int listener;
    struct km_log *log;
    struct km_mcp_upstreams *ups;
    struct km_mcp_desk *desk;
    struct km_timer limit;
    struct km_err err;
    unsigned initialized, calls, gone, resumed, deleted;
    char headers[1024]; /* of the last tools/call */
    struct km_exchange *open; /* a call that is not answered */
    bool done;
    struct km_mcp_answer answer;
    char json[1024];
};

/* --- the server --- */

static void reply(struct km_exchange *x, int status, const char *more, const char *body)
{
    char head[512];

    snprintf(head, sizeof head, "Content-Type: application/json\r\n%s", more);
    km_exchange_respond(x, status, km_str_c(head), km_str_c(body));
}

static void event(struct km_exchange *x, const char *text)
{
    struct km_str part = km_str_c(text);

    (void)km_exchange_write(x, &part, 1);
}

static void on_call(struct fixture *f, struct km_exchange *x, struct km_str id)
{
    const struct km_headers *h = &km_exchange_request(x)->headers;
    struct km_str session = km_header_get(h, KM_STR("Mcp-Session-Id"));
    char body[256];

    f->calls++;
    snprintf(f->headers, sizeof f->headers, "%.*s %.*s %.*s %.*s",
             KM_STR_ARG(km_header_get(h, KM_STR("MCP-Protocol-Version"))),
             KM_STR_ARG(km_header_get(h, KM_STR("Mcp-Method"))),
             KM_STR_ARG(km_header_get(h, KM_STR("Mcp-Name"))), KM_STR_ARG(session));
    if (f->script == LOSES_SESSION && km_str_eq(session, KM_STR("s1"))) {
        reply(x, 404, "", "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32001,\"message\":\"gone\"}}");
        return;
    }
    if (f->script == REFUSES) {
        reply(x, 400, "",
              "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32602,"
              "\"message\":\"bad\"}}");
        return;
    }
    if (f->script == STATELESS) { /* it never answers: its stream is to be closed */
        km_exchange_start(x, 200, KM_STR("Content-Type: text/event-stream\r\n"), UINT64_MAX);
        event(x, ": begun\n\n");
        f->open = x;
        km_loop_stop(f->loop);
        return;
    }
    if (f->script == BREAKS_STREAM) {
        km_exchange_start(x, 200, KM_STR("Content-Type: text/event-stream\r\n"), UINT64_MAX);
        event(x, "id: e7\nretry: 10\ndata: \n\n");
        km_exchange_end(x);
        return;
    }
    snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{\"ok\":1}}",
             KM_STR_ARG(id));
    reply(x, 200, "", body);
}

static void on_post(struct fixture *f, struct km_exchange *x, struct km_str body)
{
    static const struct km_str names[2] = { { "id", 2 }, { "method", 6 } };
    struct km_json_span s[2] = { { 0 } };
    struct km_str id, method;
    char text[512];

    assert_int_equal(km_json_spans(body, names, 2, s, NULL, &f->err), 0);
    id = km_json_value(body, &s[0]);
    method = km_json_value(body, &s[1]);
    if (km_str_eq(method, KM_STR("\"tools/call\""))) {
        on_call(f, x, id);
    } else if (km_str_eq(method, KM_STR("\"initialize\""))) {
        snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{\"protocolVersion\":\"2025-11-25\","
                 "\"capabilities\":{},\"serverInfo\":{\"name\":\"t\",\"version\":\"1\"}}}",
                 KM_STR_ARG(id));
        reply(x, 200, ++f->initialized == 1 ? "Mcp-Session-Id: s1\r\n" : "Mcp-Session-Id: s2\r\n",
              text);
    } else if (km_str_eq(method, KM_STR("\"server/discover\"")) && f->script == STATELESS) {
        snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{\"supportedVersions\":"
                 "[\"2026-07-28\"],\"capabilities\":{}}}",
                 KM_STR_ARG(id));
        reply(x, 200, "", text);
    } else if (!id.n) {
        km_exchange_respond(x, 202, KM_STR_NONE, KM_STR_NONE);
    } else {
        reply(x, 400, "", "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"no\"}}");
    }
}

static void on_gone(void *ctx)
{
    struct fixture *f = ctx;

    f->gone++;
    if (f->open)
        km_exchange_abort(f->open);
    f->open = NULL;
    km_loop_stop(f->loop);
}

/* The stream that broke, taken up again. */
static void on_get(struct fixture *f, struct km_exchange *x)
{
    struct km_str last = km_header_get(&km_exchange_request(x)->headers, KM_STR("Last-Event-ID"));
    char text[256];

    if (!km_str_eq(last, KM_STR("e7"))) {
        reply(x, 405, "", "{}");
        return;
    }
    f->resumed++;
    km_exchange_start(x, 200, KM_STR("Content-Type: text/event-stream\r\n"), UINT64_MAX);
    /* The ids of a session count: discover, initialize, call. */
    snprintf(text, sizeof text,
             "id: e8\ndata: {\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"resumed\":true}}\n\n");
    event(x, text);
    km_exchange_end(x);
}

static void on_body(void *ctx, struct km_str body, const struct km_err *err);

struct visit {
    struct fixture *f;
    struct km_exchange *x;
};

static void visit_gone(void *ctx)
{
    struct visit *v = ctx;
    struct fixture *f = v->f;

    if (f->open == v->x)
        on_gone(f);
}

static const struct km_exchange_events visit_events = { .on_body = on_body, .on_gone = visit_gone };
static struct visit visits[64]; /* of one test: exchanges are few */
static size_t nvisits;

static void on_body(void *ctx, struct km_str body, const struct km_err *err)
{
    struct visit *v = ctx;

    assert_null(err);
    on_post(v->f, v->x, body);
}

static void on_request(void *ctx, struct km_exchange *x)
{
    const struct km_request *q = km_exchange_request(x);
    struct fixture *f = ctx;
    struct visit *v = &visits[nvisits++ % 64];
    struct km_str body;
    struct km_err err;
    int r;

    *v = (struct visit){ f, x };
    km_exchange_listen(x, &visit_events, v);
    if (km_str_eq(q->method, KM_STR("DELETE"))) {
        f->deleted++;
        km_exchange_respond(x, 200, KM_STR_NONE, KM_STR_NONE);
        return;
    }
    if (km_str_eq(q->method, KM_STR("GET"))) {
        on_get(f, x);
        return;
    }
    r = km_exchange_body(x, 65536, &body, &err);
    if (r != KM_E_AGAIN)
        on_body(v, body, r < 0 ? &err : NULL);
}

static void on_error(void *ctx, const struct km_err *err, struct km_str path, struct km_buf *out)
{
    (void)ctx;
    (void)path;
    km_buf_str(out, km_str_c(err->text));
}

static void on_accept(void *ctx, int fd, const union km_addr *peer)
{
    struct fixture *f = ctx;

    km_http_server_accept(f->server, fd, peer, NULL);
}

/* --- the fixture --- */

static void on_limit(void *ctx)
{
    (void)ctx;
    fail_msg("nothing happened for %d ms", LIMIT_MS);
}

static void start_server(struct fixture *f, unsigned *ret_port)
{
    static const struct km_http_settings settings = {
        .header_bytes = 32768,
        .header_fields = 100,
        .line_bytes = 8192,
        .body_bytes = 1 << 20,
        .header_ms = 10000,
        .body_min_rate = 1,
        .idle_ms = 75000,
        .write_ms = 60000,
        .stream_high_water = 262144,
        .connections = 100,
    };
    union km_addr addr;

    f->bodies.limit = 1 << 24;
    assert_int_equal(km_addr_parse(KM_STR("127.0.0.1"), 0, &addr), 0);
    assert_int_equal(km_listen(&addr, 1, 16, &f->listener, &f->err), 0);
    assert_int_equal(km_listen_address(f->listener, &addr, &f->err), 0);
    *ret_port = ntohs(addr.in.sin_port);
    f->server = km_http_server_new(&(struct km_http_server_args){ .loop = f->loop,
                                                                  .settings = &settings,
                                                                  .bodies = &f->bodies,
                                                                  .connections = &f->connections,
                                                                  .on_request = on_request,
                                                                  .on_error = on_error,
                                                                  .ctx = f },
                                   &f->err);
    assert_non_null(f->server);
    f->acceptor = km_acceptor_new(f->loop, f->listener, on_accept, NULL, f, &f->err);
    assert_non_null(f->acceptor);
}

static void load(struct fixture *f, unsigned port)
{
    static const struct km_settings_table *const tables[] = {
        &km_mcp_settings_table, &km_mcp_own_table, &km_mcp_virtual_table,
        &km_mcp_safety_table,
        &km_mcp_general_table,
        &km_mcp_alias_table,
        &km_config_top_table,   &km_config_own_table, NULL,
    };
    struct km_config_args args = { .file = f->file, .tables = tables };
    FILE *out;

    snprintf(f->folder, sizeof f->folder, "/tmp/kanmon-link-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->file, sizeof f->file, "%s/c.yaml", f->folder);
    out = fopen(f->file, "w");
    assert_non_null(out);
    fprintf(out, "mcp_servers: {one: {url: 'http://127.0.0.1:%u/mcp', health_interval: 0}}\n",
            port);
    fclose(out);
    f->diags = km_diags_new();
    assert_int_equal(km_config_load(&args, f->diags, &f->config, &f->err), 0);
    assert_int_equal(km_mcp_set_new(&(struct km_mcp_set_args){ .config = f->config }, f->diags,
                                    &f->set, &f->err),
                     0);
    unlink(f->file);
    rmdir(f->folder);
}

static void start(struct fixture *f, enum script script)
{
    static const struct km_pool_settings pool = {
        .max_per_origin = 8, .max_idle = 8, .idle_ms = 60000, .max_waiting = 64, .connect_ms = 10000
    };
    unsigned port;

    memset(f, 0, sizeof *f);
    f->script = script;
    f->loop = km_loop_new(&f->err);
    f->mailbox = km_mailbox_new(f->loop, f, &f->err);
    f->dns = km_dns_new(f->loop, &f->err);
    f->dialer = km_dialer_new(f->loop, f->dns, km_connect_tunnel);
    f->pool = km_pool_new(f->loop, f->dialer, &pool);
    f->client = km_http_client_new(f->loop, f->pool);
    start_server(f, &port);
    load(f, port);
    f->log = km_log_new(STDERR_FILENO, KM_LOG_ERROR, KM_LOG_TEXT);
    f->ups = km_mcp_upstreams_new(
        &(struct km_mcp_upstreams_args){ .log = f->log, .state_dir = "/tmp", .desks = 1 }, &f->err);
    f->desk = km_mcp_desk_new(
        &(struct km_mcp_desk_args){
            .ups = f->ups, .loop = f->loop, .mailbox = f->mailbox, .client = f->client },
        &f->err);
    assert_non_null(f->desk);
    km_timer_init(&f->limit, f->loop, on_limit, f);
    km_timer_start(&f->limit, LIMIT_MS);
}

static void on_server_closed(void *ctx)
{
    struct fixture *f = ctx;

    km_loop_stop(f->loop);
}

static void stop(struct fixture *f)
{
    f->desk = km_mcp_desk_free(f->desk);
    km_timer_stop(&f->limit);
    km_acceptor_free(f->acceptor);
    km_http_client_free(f->client);
    km_pool_free(f->pool);
    km_http_server_drain(f->server, NULL, on_server_closed, f);
    km_http_server_close(f->server);
    km_loop_run(f->loop);
    km_http_server_free(f->server);
    close(f->listener);
    km_dialer_free(f->dialer);
    km_dns_free(f->dns);
    km_mailbox_free(f->mailbox);
    km_mcp_set_unref(f->set);
    km_loop_free(f->loop);
    km_mcp_upstreams_free(f->ups);
    km_config_unref(f->config);
    km_diags_free(f->diags);
    km_log_free(f->log);
}

static void on_done(void *ctx, const struct km_mcp_answer *answer)
{
    struct fixture *f = ctx;

    f->done = true;
    f->answer = *answer;
    snprintf(f->json, sizeof f->json, "%.*s", KM_STR_ARG(answer->json));
    if (answer->err)
        snprintf(f->json, sizeof f->json, "%s", answer->err->text);
    km_loop_stop(f->loop);
}

static struct km_mcp_ask *ask(struct fixture *f)
{
    static const struct km_mcp_ask_events events = { .on_done = on_done };
    const struct km_mcp_asker who = { .principal = KM_STR("p") };
    struct km_mcp_ask *a;

    f->done = false;
    a = km_mcp_ask(f->desk,
                   &(struct km_mcp_ask_args){ .upstream = f->set->v[0],
                                              .asker = &who,
                                              .method = KM_STR("tools/call"),
                                              .params = KM_STR("{\"name\":\"a b\xc3\xa9\"}"),
                                              .events = &events,
                                              .ctx = f },
                   &f->err);
    assert_non_null(a);
    return a;
}

static void a_session_is_used_and_taken_leave_of(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, PLAIN);
    for (int i = 0; i < 3; i++) {
        ask(&f);
        km_loop_run(f.loop);
        assert_string_equal(f.json, "{\"ok\":1}");
        assert_string_equal(f.headers, "2025-11-25   s1");
    }
    assert_int_equal(f.initialized, 1);
    stop(&f);
}

static void a_lost_session_is_begun_anew_once_and_the_call_sent_again(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, LOSES_SESSION);
    ask(&f);
    km_loop_run(f.loop);
    assert_int_equal(f.answer.kind, KM_MCP_RESULT);
    assert_int_equal(f.initialized, 2);
    assert_int_equal(f.calls, 2);
    assert_string_equal(f.headers, "2025-11-25   s2");
    stop(&f);
}

static void a_broken_stream_is_taken_up_by_its_last_event(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, BREAKS_STREAM);
    ask(&f);
    km_loop_run(f.loop);
    assert_int_equal(f.answer.kind, KM_MCP_RESULT);
    assert_string_equal(f.json, "{\"resumed\":true}");
    assert_int_equal(f.calls, 1); /* it was not executed again */
    assert_int_equal(f.resumed, 1);
    stop(&f);
}

static void a_stateless_call_says_itself_in_headers_and_is_cancelled_by_closing(void **state)
{
    struct fixture f;
    struct km_mcp_ask *a;

    (void)state;
    start(&f, STATELESS);
    a = ask(&f);
    km_loop_run(f.loop); /* until the call has come */
    assert_string_equal(f.headers, "2026-07-28 tools/call =?base64?YSBiw6k=?= ");
    km_mcp_ask_cancel(a, KM_STR("enough"));
    km_loop_run(f.loop); /* until it sees us go */
    assert_int_equal(f.gone, 1);
    assert_int_equal(f.initialized, 0);
    assert_false(f.done);
    stop(&f);
}

static void an_error_in_a_refusal_is_the_servers_answer(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, REFUSES);
    ask(&f);
    km_loop_run(f.loop);
    assert_int_equal(f.answer.kind, KM_MCP_ERROR);
    assert_string_equal(f.json, "{\"code\":-32602,\"message\":\"bad\"}");
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_used_and_taken_leave_of),
        cmocka_unit_test(a_lost_session_is_begun_anew_once_and_the_call_sent_again),
        cmocka_unit_test(a_broken_stream_is_taken_up_by_its_last_event),
        cmocka_unit_test(a_stateless_call_says_itself_in_headers_and_is_cancelled_by_closing),
        cmocka_unit_test(an_error_in_a_refusal_is_the_servers_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
