/* SPDX-License-Identifier: Apache-2.0 */
/* tcp.c - the bottom filter: a connected socket on the loop.
 *
 * The socket is watched with uv_poll and read and written here, not through uv_tcp: a read is
 * one recv() into the loop's buffer, a write is one sendmsg() at once, and nothing else is
 * asked of the kernel while a connection is in steady use.  What is watched changes only for
 * back-pressure and at the ends.
 *
 *   write   sendmsg() of all parts; what the kernel does not take is copied to one queue,
 *           which is allocated then, sent when the socket is writable, and given back when
 *           empty: an idle connection holds no buffer.
 *   broken  a failed write does not hide what the peer sent before it closed (a server that
 *           refuses an upload answers first): what is readable is delivered, then on_closed.
 *
 * A FIN ends reading only.  The owner decides whether to write on.
 */
#include "net/tcp.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uv.h>

#include "net/filter.h"

#define MAX_IOV 64
#define OFFER_MOST (1024 * 1024) /* read at once into what is offered: a fraction of a ms */
#define READS_AT_ONCE 4 /* full buffers from one connection before the others have a turn */
#define FRESH_MS 2 /* so old a look for events is still good enough to lend by */
#define QUEUE_MIN_CAP 4096
#define JOIN_PARTS 4
#define JOIN_BYTES 2048

/* Bytes the kernel did not take: p[at .. at + n). */
struct queue {
    char *p;
    size_t at, n, cap;
};

struct tcp {
    struct km_stream s;
    uv_poll_t poll;
    int fd;
    int watched; /* UV_READABLE | UV_WRITABLE */
    int error; /* errno of what broke it; 0 */
    char *room; /* offered for the next read; or NULL */
    size_t room_n;
    uint64_t emptied; /* the loop's turn in which a read left nothing */
    uint64_t read_since; /* the turn in which reading was switched on */
    bool shut_wanted; /* FIN after the queue */
    bool shut;
    union km_addr addr;
    struct queue out;
};

static struct tcp *tcp_of(struct km_stream *s)
{
    return (struct tcp *)s;
}

static void on_poll(uv_poll_t *poll, int status, int events);

/* Makes libuv watch what is wanted now. */
static void watch(struct tcp *t)
{
    int wanted = 0;

    if (t->s.started && !t->s.paused && !t->s.eof && !t->error)
        wanted |= UV_READABLE;
    if (t->out.n > 0 && !t->error)
        wanted |= UV_WRITABLE;
    if (wanted == t->watched)
        return;
    if (wanted & ~t->watched & UV_READABLE)
        t->read_since = km_loop_turn(t->s.loop);
    t->watched = wanted;
    if (wanted)
        uv_poll_start(&t->poll, wanted, on_poll);
    else
        uv_poll_stop(&t->poll);
}

/* --- the queue --- */

static void queue_done(struct queue *q)
{
    free(q->p);
    *q = (struct queue){ 0 };
}

static int queue_add(struct queue *q, const char *p, size_t n)
{
    if (q->at > 0 && q->at + q->n + n > q->cap) {
        memmove(q->p, q->p + q->at, q->n);
        q->at = 0;
    }
    if (q->n + n > q->cap) {
        size_t cap = q->cap ? q->cap : QUEUE_MIN_CAP;
        char *grown;

        while (cap < q->n + n)
            cap *= 2;
        grown = realloc(q->p, cap);
        if (!grown)
            return KM_E_NOMEM;
        q->p = grown;
        q->cap = cap;
    }
    memcpy(q->p + q->at + q->n, p, n);
    q->n += n;
    return 0;
}

/* --- failure --- */

static void tell_closed(struct tcp *t)
{
    struct km_err err;

    switch (t->error) {
    case ENOMEM:
        km_fail(&err, KM_E_NOMEM, "no memory to queue a write");
        break;
    case ECONNRESET:
    case EPIPE:
        km_fail(&err, KM_E_CLOSED, "the connection was reset by the other end");
        break;
    default:
        km_fail_errno(&err, t->error, "the connection broke");
        err.code = KM_E_CLOSED;
    }
    km_stream_emit_closed(&t->s, &err);
}

/* From inside an operation: told later. */
static void break_later(struct tcp *t, int error)
{
    t->error = error;
    queue_done(&t->out);
    watch(t);
    km_deferred_queue(&t->s.later);
}

/* --- reading --- */

struct in {
    char *at;
    size_t most;
    ssize_t n; /* as recv() */
};

static struct in receive(struct tcp *t)
{
    struct in in = { t->room, t->room_n < OFFER_MOST ? t->room_n : OFFER_MOST, 0 };

    if (!t->room_n)
        in = (struct in){ km_loop_read_buffer(t->s.loop), KM_LOOP_READ_BYTES, 0 };
    do
        in.n = recv(t->fd, in.at, in.most, 0);
    while (in.n < 0 && errno == EINTR);
    if (in.n > 0)
        t->room_n = 0;
    return in;
}

static void tcp_offer(struct km_stream *s, char *room, size_t n)
{
    struct tcp *t = tcp_of(s);

    t->room = room;
    t->room_n = n;
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

static void read_some(struct tcp *t)
{
    for (int i = 0; i < READS_AT_ONCE; i++) {
        struct in in = receive(t);
        bool all = in.n < (ssize_t)in.most;

        if (in.n < 0 && would_block())
            return;
        if (in.n < 0) {
            t->error = errno;
            queue_done(&t->out);
            watch(t);
            tell_closed(t);
            return;
        }
        if (in.n == 0) {
            t->s.eof = true;
            watch(t);
            (void)!km_stream_emit_eof(&t->s);
            return;
        }
        if (all)
            t->emptied = km_loop_turn(t->s.loop);
        if (!km_stream_emit_read(&t->s, in.at, (size_t)in.n))
            return;
        if (all || in.most > KM_LOOP_READ_BYTES || t->s.paused || t->error)
            return;
    }
}

/* Broken while writing: first what had arrived before, then the news. */
static void on_later(void *ctx)
{
    struct tcp *t = ctx;

    while (t->s.started && !t->s.paused && !t->s.eof && t->error != ENOMEM) {
        struct in in = receive(t);

        if (in.n <= 0)
            break;
        if (!km_stream_emit_read(&t->s, in.at, (size_t)in.n))
            return;
    }
    tell_closed(t);
}

/* --- writing --- */

/* Sends now; *ret_sent may be less than all.  0 or an errno. */
static int send_now(int fd, const struct iovec *iov, size_t n, size_t *ret_sent)
{
    struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n };
    ssize_t sent;

    do
        sent = n == 1 ? send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
                      : sendmsg(fd, &msg, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    *ret_sent = sent < 0 ? 0 : (size_t)sent;
    return sent < 0 && !would_block() ? errno : 0;
}

static void queue_parts(struct tcp *t, const struct km_str *parts, size_t n, size_t skip)
{
    for (size_t i = 0; i < n; i++) {
        size_t cut = skip < parts[i].n ? skip : parts[i].n;

        skip -= cut;
        if (cut == parts[i].n)
            continue;
        if (queue_add(&t->out, parts[i].p + cut, parts[i].n - cut) < 0) {
            break_later(t, ENOMEM);
            return;
        }
    }
    watch(t);
}

/* A head of many small parts: putting them together costs less than the kernel's walk over
 * them, which it makes twice. */
static size_t join(const struct km_str *parts, size_t n, char out[JOIN_BYTES])
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++) {
        if (parts[i].n > JOIN_BYTES - total)
            return 0;
        if (parts[i].n > 0)
            memcpy(out + total, parts[i].p, parts[i].n);
        total += parts[i].n;
    }
    return total;
}

static void tcp_write(struct km_stream *s, const struct km_str *parts, size_t n)
{
    struct tcp *t = tcp_of(s);
    char joined[JOIN_BYTES];
    struct km_str whole;

    if (t->error || t->shut || t->shut_wanted)
        return;
    if (n >= JOIN_PARTS && t->out.n == 0 && (whole.n = join(parts, n, joined)) > 0) {
        whole.p = joined;
        parts = &whole;
        n = 1;
    }
    while (n > 0 && t->out.n == 0) {
        struct iovec iov[MAX_IOV];
        size_t used = 0, total = 0, sent;
        int error;

        for (; used < n && used < MAX_IOV; used++) {
            iov[used] = (struct iovec){ (void *)(uintptr_t)parts[used].p, parts[used].n };
            total += parts[used].n;
        }
        if (total > 0) {
            error = send_now(t->fd, iov, used, &sent);
            if (error) {
                break_later(t, error);
                return;
            }
            t->s.sent += sent;
            if (sent < total) {
                queue_parts(t, parts, n, sent);
                return;
            }
        }
        parts += used;
        n -= used;
    }
    if (n > 0)
        queue_parts(t, parts, n, 0);
}

static void flush(struct tcp *t)
{
    struct iovec iov = { t->out.p + t->out.at, t->out.n };
    size_t sent;
    int error = send_now(t->fd, &iov, 1, &sent);

    if (error) {
        break_later(t, error);
        return;
    }
    t->s.sent += sent;
    t->out.at += sent;
    t->out.n -= sent;
    if (t->out.n > 0)
        return;
    queue_done(&t->out);
    if (t->shut_wanted && !t->shut) {
        t->shut = true;
        shutdown(t->fd, SHUT_WR);
    }
    watch(t);
    (void)!km_stream_emit_drain(&t->s);
}

/* --- the loop --- */

/* An error condition of the socket; libuv has stopped watching. */
static void on_poll_error(struct tcp *t)
{
    int error = 0;
    socklen_t len = sizeof error;
    bool reading = t->watched & UV_READABLE;

    t->watched = 0;
    if (reading) {
        read_some(t); /* what had arrived, then the error itself */
        if (t->s.freed || t->s.closed || t->error)
            return;
    }
    getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error)
        break_later(t, error);
    else
        watch(t);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct tcp *t = poll->data;

    if (status < 0) {
        on_poll_error(t);
        return;
    }
    if (events & UV_WRITABLE && t->out.n > 0) {
        flush(t);
        if (t->s.freed || t->error)
            return;
    }
    if (events & UV_READABLE && t->watched & UV_READABLE)
        read_some(t);
}

/* --- the other operations --- */

static void tcp_update(struct km_stream *s)
{
    watch(tcp_of(s));
}

static size_t tcp_queued(const struct km_stream *s)
{
    return ((const struct tcp *)s)->out.n;
}

static void tcp_shutdown(struct km_stream *s)
{
    struct tcp *t = tcp_of(s);

    if (t->shut_wanted || t->error)
        return;
    t->shut_wanted = true;
    if (t->out.n == 0) {
        t->shut = true;
        shutdown(t->fd, SHUT_WR);
    }
}

static void on_close(uv_handle_t *handle)
{
    free(handle->data);
}

static void tcp_close(struct km_stream *s)
{
    struct tcp *t = tcp_of(s);

    queue_done(&t->out);
    uv_close((uv_handle_t *)&t->poll, on_close);
    close(t->fd);
}

static bool tcp_acked(const struct km_stream *s, uint64_t *ret_bytes)
{
    return km_tcp_acked(((const struct tcp *)s)->fd, ret_bytes);
}

/* Events come in the order in which they happened: what there was before the one we are in has
 * been told. */
static bool just_polled(const struct tcp *t)
{
    return t->watched & UV_READABLE && t->read_since < km_loop_turn(t->s.loop) &&
           km_loop_polled_within(t->s.loop, FRESH_MS);
}

static bool tcp_healthy(const struct km_stream *s)
{
    const struct tcp *t = (const struct tcp *)s;
    char byte;

    if (t->error || t->shut || t->shut_wanted)
        return false;
    if (t->emptied == km_loop_turn(s->loop) || just_polled(t)) /* we looked a moment ago */
        return true;
    return recv(t->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && would_block();
}

static const union km_addr *tcp_peer(const struct km_stream *s)
{
    return &((const struct tcp *)s)->addr;
}

static int tcp_detach(struct km_stream *s)
{
    struct tcp *t = tcp_of(s);
    int fd = t->fd;

    if (t->error || t->shut_wanted)
        return -1;
    s->freed = true;
    s->events = NULL;
    uv_close((uv_handle_t *)&t->poll, on_close);
    return fd;
}

static void tcp_reset(struct km_stream *s)
{
    const struct linger at_once = { .l_onoff = 1 };

    setsockopt(tcp_of(s)->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static const struct km_stream_ops tcp_ops = {
    .start = tcp_update,
    .write = tcp_write,
    .queued = tcp_queued,
    .offer = tcp_offer,
    .pause = tcp_update,
    .resume = tcp_update,
    .shutdown = tcp_shutdown,
    .close = tcp_close,
    .acked = tcp_acked,
    .healthy = tcp_healthy,
    .peer = tcp_peer,
    .detach = tcp_detach,
    .reset = tcp_reset,
};

struct km_stream *km_tcp_from_fd(struct km_loop *loop, int fd, const union km_addr *peer,
                                 struct km_err *err)
{
    struct tcp *t = calloc(1, sizeof *t);
    const int on = 1;
    int r;

    if (!t) {
        close(fd);
        km_fail(err, KM_E_NOMEM, "no memory for a connection");
        return NULL;
    }
    r = uv_poll_init(km_loop_uv(loop), &t->poll, fd);
    if (r < 0) {
        close(fd);
        free(t);
        km_fail(err, KM_E_SYSTEM, "cannot watch a connection: %s", uv_strerror(r));
        return NULL;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    km_stream_init(&t->s, &tcp_ops, loop, NULL, on_later);
    t->s.later.ctx = t;
    t->poll.data = t;
    t->fd = fd;
    t->emptied = UINT64_MAX;
    t->addr = *peer;
    return &t->s;
}
