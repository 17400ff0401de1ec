/* SPDX-License-Identifier: Apache-2.0 */
/* server_fixture.h - a server on a loop in this thread and a script of blocking sockets in
 * another, so that a test reads as what a client does:
 *
 *     static void script(struct server_fixture *f)
 *     {
 *         int fd = f->fds[0];
 *         say(fd, "GET /sync HTTP/1.1\r\nHost: a\r\n\r\n");
 *         ...
 *     }
 *
 * Answers are read until the server closes or a text is seen; time-outs are failures.
 */
#ifndef KM_TEST_HTTP_SERVER_FIXTURE_H
#define KM_TEST_HTTP_SERVER_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "http/server.h"
#include "sys/loop.h"

#ifndef FIXTURE_FDS
#define FIXTURE_FDS 8
#endif

struct server_fixture;
typedef void script_fn(struct server_fixture *f);

struct server_fixture {
    struct km_loop *loop;
    struct km_http_server *server;
    struct km_http_settings settings;
    struct km_body_budget bodies;
    _Atomic int64_t connections;
    _Atomic int counted; /* the last status given to on_count */
    int fds[FIXTURE_FDS]; /* the clients' ends, blocking */
    size_t nfds;
    script_fn *script;
    pthread_t thread;
    /* loop thread */
    _Atomic size_t requests; /* a script looks while the server counts */
    _Atomic size_t pauses, drains; /* of an upgraded connection that is not heard */
    size_t gone;
    size_t open_exchanges;
    void *user;
    const char *failed; /* the first check that failed, by either thread */
};

#define CHECK(f, cond)                                                                             \
    do {                                                                                           \
        if (!(cond) && !(f)->failed) {                                                             \
            (f)->failed = #cond;                                                                   \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #cond);                     \
        }                                                                                          \
    } while (0)

static inline struct km_http_settings fixture_settings(void)
{
    return (struct km_http_settings){
        .header_bytes = 32768,
        .header_fields = 100,
        .line_bytes = 8192,
        .body_bytes = 4 << 20,
        .header_ms = 10000,
        .body_min_rate = 1024,
        .idle_ms = 75000,
        .write_ms = 60000,
        .stream_high_water = 256 * 1024,
        .connections = 1000,
    };
}

/* --- the clients' side --- */

static inline void say_bytes(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        p += sent;
        n -= (size_t)sent;
    }
}

static inline void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

/* Reads until `until` was seen (NULL: until the server closes).  false: closed, reset or
 * silent for too long before that; for NULL true means a clean end. */
static inline bool hear(int fd, struct km_buf *b, const char *until)
{
    for (;;) {
        char piece[65536];
        ssize_t n;

        if (until && km_str_find(km_buf_view(b), km_str_c(until)) < b->n)
            return true;
        n = recv(fd, piece, sizeof piece, 0);
        if (n <= 0)
            return n == 0 && !until;
        km_buf_bytes(b, piece, (size_t)n);
    }
}

static inline size_t times(const struct km_buf *b, const char *text)
{
    struct km_str rest = km_buf_view(b);
    size_t n = 0;

    for (;;) {
        size_t at = km_str_find(rest, km_str_c(text));

        if (at >= rest.n)
            return n;
        n++;
        rest = km_str_skip(rest, at + 1);
    }
}

/* One more connection, already in the listening queue of nobody: a connected pair. */
static inline int fixture_pair(int ends[2], int receive_buffer)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof addr;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = { .tv_sec = 10 };

    if (receive_buffer)
        setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &receive_buffer, sizeof receive_buffer);
    if (bind(listener, (struct sockaddr *)&addr, len) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&addr, &len))
        return -1;
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer)
        setsockopt(ends[0], SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (connect(ends[0], (struct sockaddr *)&addr, len))
        return -1;
    ends[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    close(listener);
    return ends[1] < 0 ? -1 : 0;
}

/* --- the server's side --- */

static inline void fixture_error(void *ctx, const struct km_err *err, struct km_str path,
                                 struct km_buf *out)
{
    (void)ctx;
    km_buf_printf(out, "{\"error\":\"%s\",\"path\":\"%.*s\"}", err->text, KM_STR_ARG(path));
}

static inline void fixture_count(void *ctx, int status)
{
    struct server_fixture *f = ctx;

    f->counted = status;
}

static inline void *fixture_thread(void *ctx)
{
    struct server_fixture *f = ctx;

    f->script(f);
    for (size_t i = 0; i < f->nfds; i++)
        if (f->fds[i] >= 0)
            close(f->fds[i]);
    km_loop_stop(f->loop);
    return NULL;
}

static inline void fixture_init(struct server_fixture *f,
                                void (*on_request)(void *, struct km_exchange *))
{
    struct km_err err;
    struct km_http_server_args args = { .bodies = &f->bodies,
                                        .connections = &f->connections,
                                        .settings = &f->settings,
                                        .on_request = on_request,
                                        .on_error = fixture_error,
                                        .on_count = fixture_count,
                                        .ctx = f };

    *f = (struct server_fixture){ .settings = fixture_settings() };
    f->bodies.limit = 64 << 20;
    f->loop = args.loop = km_loop_new(&err);
    f->server = km_http_server_new(&args, &err);
}

static inline void fixture_connect(struct server_fixture *f, size_t n, int receive_buffer)
{
    union km_addr peer;

    memset(&peer, 0, sizeof peer);
    for (; n > 0; n--) {
        int ends[2];

        if (fixture_pair(ends, receive_buffer) < 0)
            abort();
        f->fds[f->nfds++] = ends[0];
        km_http_server_accept(f->server, ends[1], &peer, NULL);
    }
}

static inline void fixture_stop_if_idle(void *ctx)
{
    struct server_fixture *f = ctx;

    km_loop_stop(f->loop);
}

/* Runs the script to its end, then takes everything down and checks that nothing is left. */
static inline void fixture_run(struct server_fixture *f, script_fn *script)
{
    struct km_timer settle;

    f->script = script;
    pthread_create(&f->thread, NULL, fixture_thread, f);
    km_loop_run(f->loop);
    pthread_join(f->thread, NULL);
    km_http_server_close(f->server);
    km_timer_init(&settle, f->loop, fixture_stop_if_idle, f);
    km_timer_start(&settle, 20); /* deferred ends of exchanges */
    km_loop_run(f->loop);
    CHECK(f, km_http_server_connections(f->server) == 0);
    CHECK(f, f->connections == 0);
    CHECK(f, f->bodies.used == 0);
    CHECK(f, f->open_exchanges == 0);
    km_http_server_free(f->server);
    km_loop_free(f->loop);
}

#endif
