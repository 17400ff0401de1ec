/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - what the network tests share: a loop that runs until something is true, a
 * stream owner that records what it is told, and plain blocking sockets as the other end. */
#ifndef KM_TESTS_NET_FIXTURE_H
#define KM_TESTS_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/stream.h"

#define RECORDED_MAX ((size_t)64 << 20)

struct fixture {
    struct km_loop *loop;
    bool (*done)(void *ctx);
    void *done_ctx;
    bool running, timed_out;
    struct km_timer timer;
};

static inline void fixture_hook(void *ctx)
{
    struct fixture *f = ctx;

    if (f->running && f->done(f->done_ctx)) {
        f->running = false;
        km_loop_stop(f->loop);
    }
}

static inline void fixture_timeout(void *ctx)
{
    struct fixture *f = ctx;

    f->timed_out = true;
    km_loop_stop(f->loop);
}

static inline void fixture_init(struct fixture *f)
{
    *f = (struct fixture){ .loop = km_loop_new(NULL) };
    km_timer_init(&f->timer, f->loop, fixture_timeout, f);
    km_loop_on_idle(f->loop, fixture_hook, f);
}

static inline int fixture_setup(void **state)
{
    *state = malloc(sizeof(struct fixture));
    fixture_init(*state);
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    km_loop_free(f->loop);
    free(f);
    return 0;
}

/* Runs the loop until done(ctx), at most 20 s. */
static inline void run_until(struct fixture *f, bool (*done)(void *ctx), void *ctx)
{
    f->done = done;
    f->done_ctx = ctx;
    f->running = true;
    f->timed_out = false;
    km_timer_start(&f->timer, 20000);
    km_loop_run(f->loop);
    km_timer_stop(&f->timer);
    f->running = false;
    assert_false(f->timed_out);
}

static inline void elapsed(void *ctx)
{
    *(bool *)ctx = true;
}

static inline bool is_set(void *ctx)
{
    return *(bool *)ctx;
}

/* Runs the loop for a while, for what must not happen. */
static inline void run_for(struct fixture *f, uint64_t ms)
{
    bool over = false;
    struct km_timer timer;

    km_timer_init(&timer, f->loop, elapsed, &over);
    km_timer_start(&timer, ms);
    run_until(f, is_set, &over);
}

/* An owner that records. */
struct owner {
    struct km_stream *stream;
    struct km_buf got;
    int reads, eofs, closes, drains;
    struct km_err err;
    size_t want; /* got_all() */
    bool free_on_read, free_on_eof, free_on_closed, free_on_drain, pause_on_read;
};

static inline void owner_free(struct owner *o)
{
    o->stream = km_stream_free(o->stream);
}

static inline void owner_read(void *ctx, const char *bytes, size_t n)
{
    struct owner *o = ctx;

    assert_non_null(o->stream);
    o->reads++;
    km_buf_bytes(&o->got, bytes, n);
    if (o->pause_on_read)
        km_stream_pause(o->stream);
    if (o->free_on_read)
        owner_free(o);
}

static inline void owner_eof(void *ctx)
{
    struct owner *o = ctx;

    assert_non_null(o->stream);
    o->eofs++;
    if (o->free_on_eof)
        owner_free(o);
}

static inline void owner_closed(void *ctx, const struct km_err *err)
{
    struct owner *o = ctx;

    assert_non_null(o->stream);
    assert_non_null(err);
    o->closes++;
    o->err = *err;
    if (o->free_on_closed)
        owner_free(o);
}

static inline void owner_drain(void *ctx)
{
    struct owner *o = ctx;

    assert_non_null(o->stream);
    o->drains++;
    if (o->free_on_drain)
        owner_free(o);
}

static const struct km_stream_events owner_events = {
    .on_read = owner_read,
    .on_eof = owner_eof,
    .on_closed = owner_closed,
    .on_drain = owner_drain,
};

static inline void owner_take(struct owner *o, struct km_stream *s)
{
    assert_non_null(s);
    *o = (struct owner){ .stream = s, .got = KM_BUF(RECORDED_MAX) };
    km_stream_own(s, &owner_events, o);
}

static inline void owner_done(struct owner *o)
{
    o->stream = km_stream_free(o->stream);
    km_buf_done(&o->got);
}

static inline bool got_all(void *ctx)
{
    const struct owner *o = ctx;

    return o->got.n >= o->want;
}

static inline bool saw_eof(void *ctx)
{
    return ((struct owner *)ctx)->eofs > 0;
}

static inline bool saw_closed(void *ctx)
{
    return ((struct owner *)ctx)->closes > 0;
}

static inline bool saw_drain(void *ctx)
{
    return ((struct owner *)ctx)->drains > 0;
}

static inline void expect_text(struct fixture *f, struct owner *o, const char *text)
{
    o->want = strlen(text);
    run_until(f, got_all, o);
    assert_int_equal(o->got.n, strlen(text));
    assert_memory_equal(o->got.p, text, o->got.n);
    km_buf_reset(&o->got);
}

static inline void stream_write_text(struct km_stream *s, const char *text)
{
    struct km_str part = km_str_c(text);

    km_stream_write(s, &part, 1, NULL);
}

/* --- the other end, blocking --- */

static inline union km_addr loopback(uint16_t port)
{
    union km_addr a;

    assert_int_equal(km_addr_parse(KM_STR("127.0.0.1"), port, &a), 0);
    return a;
}

static inline uint16_t port_of(int fd)
{
    union km_addr a;
    socklen_t len = sizeof a;

    memset(&a, 0, sizeof a);
    assert_int_equal(getsockname(fd, &a.sa, &len), 0);
    return ntohs(a.sa.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
}

static inline int listen_on(const union km_addr *a, int backlog)
{
    int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;

    assert_true(fd >= 0);
    if (a->sa.sa_family == AF_INET6)
        assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), 0);
    assert_int_equal(bind(fd, &a->sa, km_addr_len(a)), 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static inline int listen_loopback(void)
{
    union km_addr a = loopback(0);

    return listen_on(&a, 64);
}

/* A connected pair: *ret_peer is blocking and the test's, the stream is the other end. */
static inline struct km_stream *tcp_pair(struct fixture *f, int *ret_peer)
{
    int listener = listen_loopback();
    union km_addr a = loopback(port_of(listener));
    int fd;

    *ret_peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(*ret_peer, &a.sa, km_addr_len(&a)), 0);
    fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    close(listener);
    return km_tcp_from_fd(f->loop, fd, &a, NULL);
}

static inline void peer_write(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads exactly n bytes. */
static inline void peer_read(int fd, char *out, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t r = recv(fd, out + at, n - at, 0);

        assert_true(r > 0);
        at += (size_t)r;
    }
}

static inline void peer_expect(int fd, const char *text)
{
    char buf[256];

    assert_true(strlen(text) < sizeof buf);
    peer_read(fd, buf, strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

static inline void peer_reset(int fd)
{
    const struct linger hard = { .l_onoff = 1, .l_linger = 0 };

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    close(fd);
}

#define NET_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

#endif
