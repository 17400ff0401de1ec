/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - see client.h.
 *
 * The control socket is spoken to by a blocking socket: one request, Connection: close, read to
 * the end.  HTTP elsewhere goes through the gateway's own client, TLS included.
 */
#include "app/client.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "app/find.h"
#include "app/say.h"
#include "app/state.h"
#include "base/crypto.h"
#include "http/client.h"
#include "sys/unix.h"

#define ANSWER_BYTES ((size_t)128 * 1024 * 1024)
#define WAIT_MS 60000

void km_answer_init(struct km_answer *a)
{
    *a = (struct km_answer){ 0 };
    km_arena_init(&a->arena, ANSWER_BYTES * 2, NULL);
    km_buf_init(&a->body, ANSWER_BYTES);
}

void km_answer_done(struct km_answer *a)
{
    km_buf_done(&a->body);
    km_arena_done(&a->arena);
}

/* --- the control socket --- */

/* Into cli->socket; a command that asks often looks once.  Where none runs it is where one would
 * listen. */
static int find_socket(struct km_cli *cli, struct km_err *err)
{
    struct km_running run;
    int r;

    if (cli->socket[0])
        return 0;
    r = km_find_running(cli, &run, err);
    if (r < 0 && r != KM_E_NOT_RUNNING)
        return r;
    snprintf(cli->socket, sizeof cli->socket, "%s/" KM_STATE_SOCKET, run.dir);
    cli->supervisor = run.supervisor;
    return 0;
}

static unsigned wait_of(const struct km_cli *cli)
{
    return cli->wait_ms ? cli->wait_ms : WAIT_MS;
}

/* A gateway that was stopped keeps its socket and never answers. */
static int send_and_read(int fd, unsigned wait_ms, struct km_str head, struct km_str body,
                         struct km_buf *answer, struct km_err *err)
{
    const struct timeval most = { .tv_sec = wait_ms / 1000 };
    int r;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    r = km_unix_send(fd, head, err);
    if (r == 0)
        r = km_unix_send(fd, body, err);
    if (r == 0)
        r = km_unix_read(fd, false, answer, err);
    if (r == KM_E_UPSTREAM_TIMEOUT)
        km_fail(err, r, "the gateway did not answer in %u s", wait_ms / 1000);
    if (r == KM_E_UPSTREAM_CONNECT)
        km_fail(err, r, "the gateway went away before it answered");
    return r;
}

/* Our own server's answer: Content-Length, then the end. */
static int split_answer(struct km_answer *a, struct km_err *err)
{
    struct km_str all = km_buf_view(&a->body);
    size_t head = km_str_find(all, KM_STR("\r\n\r\n"));
    uint64_t status;

    if (head == all.n || !km_str_starts(all, KM_STR("HTTP/1.1 ")) ||
        km_str_u64(km_str_sub(all, 9, 3), &status) < 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "the gateway's answer was cut");
    a->status = (int)status;
    km_buf_consume(&a->body, head + 4);
    return 0;
}

static void not_running(const struct km_cli *cli, struct km_err *err)
{
    if (cli->supervisor)
        km_fail(err, KM_E_NOT_RUNNING,
                "the gateway is down (%s); supervisor %ld starts it again. Its log says why: "
                "kanmon.log in the same folder",
                cli->socket, cli->supervisor);
    else
        km_fail(err, KM_E_NOT_RUNNING,
                "no gateway is running here (%s). Start one: kanmon start --config %s", cli->socket,
                km_cli_config_file(cli));
}

static int call_socket(struct km_cli *cli, const char *method, const char *target,
                       struct km_str lines, struct km_str body, struct km_answer *ret,
                       struct km_err *err)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    int fd = -1, r = find_socket(cli, err);

    if (r == 0)
        r = km_unix_connect(cli->socket, &fd, err);
    if (r == KM_E_NOT_RUNNING)
        not_running(cli, err);
    if (r < 0)
        return r;
    km_buf_printf(&head, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", method,
                  target);
    if (body.n)
        km_buf_printf(&head, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.n);
    km_buf_str(&head, lines);
    km_buf_str(&head, KM_STR("\r\n"));
    r = send_and_read(fd, wait_of(cli), km_buf_view(&head), body, &ret->body, err);
    close(fd);
    return r == 0 ? split_answer(ret, err) : r;
}

/* --- HTTP elsewhere --- */

struct remote {
    struct km_loop *loop;
    struct km_answer *ret;
    struct km_err *err;
    struct km_http_call *call;
    struct km_timer timer;
    uint64_t wait_ms;
    int result;
};

static void on_head(void *ctx, const struct km_response *response)
{
    struct remote *r = ctx;

    r->ret->status = response->status;
}

static void on_body(void *ctx, const char *bytes, size_t n)
{
    struct remote *r = ctx;

    km_buf_bytes(&r->ret->body, bytes, n);
}

static void on_done(void *ctx, const struct km_http_result *result)
{
    struct remote *r = ctx;

    r->call = NULL;
    r->result = 0;
    if (result->err) {
        *r->err = *result->err;
        r->result = result->err->code;
    }
    km_loop_stop(r->loop);
}

static void on_timeout(void *ctx)
{
    struct remote *r = ctx;

    km_http_cancel(r->call);
    r->call = NULL;
    r->result = km_fail(r->err, KM_E_UPSTREAM_TIMEOUT, "the gateway did not answer in %d s",
                        (int)(r->wait_ms / 1000));
    km_loop_stop(r->loop);
}

static const struct km_http_events remote_events = { .on_head = on_head,
                                                     .on_body = on_body,
                                                     .on_done = on_done };

/* Never on the command line, where `ps` shows it. */
static int read_key(struct km_cli *cli, struct km_buf *head, struct km_err *err)
{
    char line[600] = "";
    const char *key = getenv("KANMON_KEY");
    struct km_str value;
    int r;

    if (km_cli_flag(cli, "key-stdin"))
        key = fgets(line, sizeof line, stdin);
    if (!key || !*key)
        return km_fail(err, KM_E_UNAUTHENTICATED,
                       "--url needs a key: set KANMON_KEY, or use --key-stdin");
    value = km_str_trim(km_str_sub(km_str_c(key), 0, strcspn(key, "\r\n")));
    km_buf_str(head, KM_STR("Authorization: Bearer "));
    r = km_str_chr(value, ' ') < value.n ? km_fail(err, KM_E_INVALID, "that is not a key") : 0;
    km_buf_str(head, value);
    km_buf_str(head, KM_STR("\r\n"));
    km_wipe(line, sizeof line);
    return r;
}

static int run_remote(const struct km_http_request *request, struct remote *r, struct km_err *err)
{
    struct km_pool_settings pool = { 2, 0, 1000, 2, 10000 };
    struct km_dns *dns = km_dns_new(r->loop, err);
    struct km_dialer *dialer = dns ? km_dialer_new(r->loop, dns, km_connect_tunnel) : NULL;
    struct km_pool *p = dialer ? km_pool_new(r->loop, dialer, &pool) : NULL;
    struct km_http_client *client = p ? km_http_client_new(r->loop, p) : NULL;

    r->result = KM_E_NOMEM;
    r->call = client ? km_http_send(client, request, &remote_events, r) : NULL;
    if (r->call) {
        km_timer_init(&r->timer, r->loop, on_timeout, r);
        km_timer_start(&r->timer, r->wait_ms);
        km_loop_run(r->loop);
        km_timer_stop(&r->timer);
    } else {
        km_fail(err, KM_E_NOMEM, "out of memory");
    }
    km_http_client_free(client);
    km_pool_free(p);
    km_dialer_free(dialer);
    km_dns_free(dns);
    return r->result;
}

static int way_by_url(struct km_cli *cli, const char *text, struct km_cli_way *way,
                      struct km_err *err)
{
    struct km_tls_client_args tls_args = { 0 };
    struct km_url url;
    int r = km_url_parse(km_str_c(text), &url, err);

    if (r == 0)
        r = read_key(cli, &way->head, err);
    if (r == 0)
        r = km_tls_client_new(&tls_args, &way->tls, err);
    if (r == 0)
        r = km_origin_new(url.https, url.host, url.port, way->tls, NULL, KM_GUARD_NONE,
                          &way->origin, err);
    return r;
}

int km_cli_way(struct km_cli *cli, struct km_cli_way *way, struct km_err *err)
{
    const char *url = km_cli_option(cli, "url");
    int r;

    *way = (struct km_cli_way){ .head = KM_BUF((size_t)64 * 1024) };
    if (url && *url) {
        r = way_by_url(cli, url, way, err);
    } else {
        r = find_socket(cli, err);
        if (r == 0)
            r = km_origin_new_unix(km_str_c(cli->socket), &way->origin, err);
    }
    if (r < 0)
        km_cli_way_done(way);
    return r;
}

void km_cli_way_done(struct km_cli_way *way)
{
    way->origin = km_origin_unref(way->origin);
    way->tls = km_tls_client_unref(way->tls);
    if (way->head.n)
        km_wipe(way->head.p, way->head.n);
    km_buf_done(&way->head);
}

int km_cli_ask(struct km_cli *cli, const char *method, const char *target, struct km_str lines,
               struct km_str body, uint64_t wait_ms, struct km_answer *ret, struct km_err *err)
{
    struct km_http_request request = { .method = km_str_c(method),
                                       .target = km_str_c(target),
                                       .body = &body,
                                       .nbody = body.n ? 1 : 0,
                                       .has_body = body.n > 0 };
    struct remote r = { .ret = ret, .err = err, .wait_ms = wait_ms };
    struct km_cli_way way;
    int rc = km_cli_way(cli, &way, err);

    if (rc < 0)
        return rc;
    r.loop = km_loop_new(err);
    rc = r.loop ? 0 : KM_E_NOMEM;
    if (rc == 0) {
        km_buf_str(&way.head, KM_STR("Content-Type: application/json\r\n"));
        km_buf_str(&way.head, lines);
        request.origin = way.origin;
        request.head = km_buf_view(&way.head);
        rc = run_remote(&request, &r, err);
    }
    if (rc == KM_E_NOT_RUNNING)
        not_running(cli, err);
    km_loop_free(r.loop);
    km_cli_way_done(&way);
    if (rc == 0 && km_json_parse(&ret->arena, km_buf_view(&ret->body), &ret->json, NULL) < 0)
        ret->json = NULL;
    return rc;
}

/* --- both --- */

static int judge(struct km_answer *a, struct km_err *err)
{
    struct km_str message = KM_STR_NONE;
    int code = a->status == 401   ? KM_E_UNAUTHENTICATED
               : a->status == 403 ? KM_E_FORBIDDEN
               : a->status == 404 ? KM_E_NOT_FOUND
                                  : KM_E_INVALID;

    if (a->status >= 200 && a->status < 300)
        return 0;
    if (!km_json_string(km_json_get(km_json_get(a->json, "error"), "message"), &message))
        (void)km_json_string(km_json_get(a->json, "error"), &message);
    return message.n ? km_fail(err, code, "%.*s", KM_STR_ARG(message))
                     : km_fail(err, code, "the gateway answered %d", a->status);
}

int km_cli_send(struct km_cli *cli, const char *method, const char *target, struct km_str head,
                struct km_str body, struct km_answer *ret, struct km_err *err)
{
    const char *url = km_cli_option(cli, "url");
    int r;

    if (url && *url)
        return km_cli_ask(cli, method, target, head, body, WAIT_MS, ret, err);
    r = call_socket(cli, method, target, head, body, ret, err);
    if (r == 0 && km_json_parse(&ret->arena, km_buf_view(&ret->body), &ret->json, NULL) < 0)
        ret->json = NULL;
    return r;
}

int km_cli_call(struct km_cli *cli, const char *method, const char *target, struct km_str body,
                struct km_answer *ret, struct km_err *err)
{
    int r = km_cli_send(cli, method, target, KM_STR_NONE, body, ret, err);

    return r == 0 ? judge(ret, err) : r;
}

struct km_str km_answer_text(const struct km_json *v, const char *name)
{
    struct km_str s = KM_STR_NONE;

    if (!km_json_string(km_json_get(v, name), &s))
        (void)km_json_number(km_json_get(v, name), &s);
    return s;
}

int km_cli_show(struct km_cli *cli, const char *method, const char *target, struct km_str body,
                km_cli_show_fn *show)
{
    struct km_answer a;
    struct km_err err = { 0 };
    int code = KM_EXIT_OK;

    km_answer_init(&a);
    if (km_cli_call(cli, method, target, body, &a, &err) < 0)
        code = km_cli_fail(cli, &err);
    else if (km_cli_flag(cli, "json"))
        km_say_json(km_buf_view(&a.body));
    else
        code = show(cli, &a);
    km_answer_done(&a);
    return code;
}
