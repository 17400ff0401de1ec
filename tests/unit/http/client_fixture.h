/* SPDX-License-Identifier: Apache-2.0 */
/* client_fixture.h - one client, one origin, and an upstream in a thread that does exactly
 * what a script says.  Calls are made one after another; what became of each is a line of
 * text. */
#ifndef KM_TEST_HTTP_CLIENT_FIXTURE_H
#define KM_TEST_HTTP_CLIENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/client.h"
#include "server_fixture.h"

struct upstream;
typedef void upstream_fn(struct upstream *u);

/* One client, one origin, one scripted upstream in a thread; calls are made one after
 * another. */
struct upstream {
    struct km_loop *loop;
    struct km_dialer *dialer;
    struct km_pool *pool;
    struct km_http_client *client;
    struct km_origin *origin;
    int listener;
    uint16_t port;
    upstream_fn *script;
    pthread_t thread;
    const char *failed;

    /* the calls, in order */
    struct km_http_request request;
    struct km_str body_parts[4];
    size_t calls, made;
    struct km_http_call *call;
    struct km_buf text; /* what happened, one line a call */
    struct km_buf body;
    size_t pause_after; /* pause once when so much of the body has come */
    size_t cancel_after;
    struct km_timer resume;
    size_t peak; /* body bytes that came while paused */
    bool tells_reason; /* of its errors */
    bool begins; /* its first bytes are an event */
};

static inline void next_call(struct upstream *u);

static inline void on_head(void *ctx, const struct km_response *r)
{
    struct upstream *u = ctx;

    km_buf_printf(&u->text, "%d ", r->status);
}

static inline void on_resume(void *ctx)
{
    struct upstream *u = ctx;

    km_http_resume(u->call);
}

static inline void on_body(void *ctx, const char *p, size_t n)
{
    struct upstream *u = ctx;

    km_buf_bytes(&u->body, p, n);
    if (u->begins)
        km_http_begun(u->call);
    if (u->cancel_after && u->body.n >= u->cancel_after) {
        km_http_cancel(u->call);
        km_buf_str(&u->text, KM_STR("cancelled\n"));
        next_call(u);
    } else if (u->pause_after && u->body.n >= u->pause_after) {
        u->pause_after = 0;
        km_http_pause(u->call);
        km_timer_start(&u->resume, 60);
    } else if (km_timer_running(&u->resume)) {
        u->peak += n;
    }
}

static inline void on_done(void *ctx, const struct km_http_result *r)
{
    struct upstream *u = ctx;

    if (u->body.n < 100)
        km_buf_printf(&u->text, "[%.*s]", KM_STR_ARG(km_buf_view(&u->body)));
    else
        km_buf_printf(&u->text, "[%zu]", u->body.n);
    if (r->err)
        km_buf_printf(&u->text, " %s", km_err_name(r->err->code));
    if (r->err && u->tells_reason)
        km_buf_printf(&u->text, " %s", r->err->reason ? r->err->reason : "-");
    km_buf_printf(&u->text, "%s%s\n", r->err && r->bytes_sent ? " sent" : "",
                  r->connect_failed ? " connect" : "");
    u->call = NULL;
    next_call(u);
}

static const struct km_http_events call_events = { .on_head = on_head,
                                                   .on_body = on_body,
                                                   .on_done = on_done };

static inline void next_call(struct upstream *u)
{
    km_buf_reset(&u->body);
    if (u->made == u->calls) {
        km_loop_stop(u->loop);
        return;
    }
    u->made++;
    u->call = km_http_send(u->client, &u->request, &call_events, u);
}

/* --- the upstream's side --- */

static inline int take(struct upstream *u)
{
    struct timeval limit = { .tv_sec = 5 };
    int fd = accept4(u->listener, NULL, NULL, SOCK_CLOEXEC);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

/* Reads one request, body by Content-Length included. */
static inline bool read_request(int fd, struct km_buf *b)
{
    size_t head, length = 0, at;

    km_buf_reset(b);
    if (!hear(fd, b, "\r\n\r\n"))
        return false;
    head = km_str_find(km_buf_view(b), KM_STR("\r\n\r\n")) + 4;
    at = km_str_find(km_buf_view(b), KM_STR("Content-Length: "));
    if (at < head)
        length = (size_t)strtoul(km_buf_cstr(b) + at + 16, NULL, 10);
    while (b->n < head + length) {
        char piece[65536];
        ssize_t n = recv(fd, piece, sizeof piece, 0);

        if (n <= 0)
            return false;
        km_buf_bytes(b, piece, (size_t)n);
    }
    return b->n == head + length;
}

static inline void reset_close(int fd)
{
    struct linger reset = { .l_onoff = 1 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
}

static inline void *upstream_thread(void *ctx)
{
    struct upstream *u = ctx;

    u->script(u);
    return NULL;
}

static inline struct km_pool_settings pool_settings(void)
{
    return (struct km_pool_settings){
        .max_per_origin = 4, .max_idle = 4, .idle_ms = 60000, .max_waiting = 4, .connect_ms = 3000
    };
}

static inline void upstream_init(struct upstream *u)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof addr;
    struct km_pool_settings set = pool_settings();

    *u = (struct upstream){ .calls = 1 };
    u->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(u->listener, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(u->listener, 8), 0);
    getsockname(u->listener, (struct sockaddr *)&addr, &len);
    u->port = ntohs(addr.sin_port);
    u->loop = km_loop_new(NULL);
    u->dialer = km_dialer_new(u->loop, NULL, km_connect_tunnel);
    u->pool = km_pool_new(u->loop, u->dialer, &set);
    u->client = km_http_client_new(u->loop, u->pool);
    assert_int_equal(
        km_origin_new(false, KM_STR("127.0.0.1"), u->port, NULL, NULL, false, &u->origin, NULL), 0);
    km_timer_init(&u->resume, u->loop, on_resume, u);
    km_buf_init(&u->text, 1 << 20);
    km_buf_init(&u->body, 16 << 20);
    u->request = (struct km_http_request){ .origin = u->origin,
                                           .method = KM_STR("GET"),
                                           .target = KM_STR("/x?y=1"),
                                           .head = KM_STR("X-A: 1\r\n"),
                                           .first_byte_ms = 3000,
                                           .between_ms = 3000 };
}

static inline void upstream_run(struct upstream *u, upstream_fn *script)
{
    u->script = script;
    if (script)
        pthread_create(&u->thread, NULL, upstream_thread, u);
    next_call(u);
    km_loop_run(u->loop);
    km_timer_stop(&u->resume);
    u->client = km_http_client_free(u->client);
    u->pool = km_pool_free(u->pool);
    u->dialer = km_dialer_free(u->dialer);
    km_origin_unref(u->origin);
    km_loop_free(u->loop);
    close(u->listener);
    if (script)
        pthread_join(u->thread, NULL);
    if (u->failed)
        fail_msg("%s", u->failed);
}

static inline void upstream_done(struct upstream *u)
{
    km_buf_done(&u->text);
    km_buf_done(&u->body);
}

#endif
