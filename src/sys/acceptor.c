/* SPDX-License-Identifier: Apache-2.0 */
/* acceptor.c - connections off a listening socket; see listener.h for the contract.
 *
 * We poll the socket and call accept4() ourselves instead of using uv_listen(): the new
 * descriptor is wanted as a number, not wrapped in a handle, and what happens without
 * descriptors must be ours.  When they run out, a connection that waits keeps the socket
 * readable and the loop spinning, and its client hanging.  So each acceptor keeps one
 * descriptor in reserve:
 *
 *     EMFILE:  close(reserve), accept, close that, open the reserve again
 *
 * which turns a client away at once.  If the reserve is lost to another thread in between,
 * polling rests for PAUSE_MS and the reserve is tried again.
 */
#include "sys/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define AT_ONCE 64 /* connections taken before the loop looks at others */
#define PAUSE_MS 100
#define REPORT_MS 1000

struct km_acceptor {
    uv_poll_t poll;
    struct km_loop *loop;
    struct km_timer rest;
    km_accept_fn *on_accept;
    km_accept_full_fn *on_full;
    void *ctx;
    int fd;
    int reserve; /* -1: lost */
    bool paused; /* by the owner */
    bool closed;
    bool reported;
    uint64_t reported_ms;
};

static void take_reserve(struct km_acceptor *a)
{
    if (a->reserve < 0)
        a->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void report_full(struct km_acceptor *a)
{
    const uint64_t now_ms = km_loop_now_ms(a->loop);

    if (a->reported && now_ms - a->reported_ms < REPORT_MS)
        return;
    a->reported = true;
    a->reported_ms = now_ms;
    if (a->on_full)
        a->on_full(a->ctx);
}

static void rest(struct km_acceptor *a)
{
    uv_poll_stop(&a->poll);
    km_timer_start(&a->rest, PAUSE_MS);
}

static void on_full(struct km_acceptor *a)
{
    int fd;

    take_reserve(a);
    if (a->reserve < 0) {
        rest(a);
        report_full(a);
        return;
    }
    close(a->reserve);
    a->reserve = -1;
    fd = accept4(a->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    take_reserve(a);
    report_full(a);
}

/* false: nothing more to take now. */
static bool accept_one(struct km_acceptor *a)
{
    union km_addr peer;
    socklen_t n = sizeof peer;
    int fd;

    memset(&peer, 0, sizeof peer);
    fd = accept4(a->fd, &peer.sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        a->on_accept(a->ctx, fd, &peer);
        return true;
    }
    switch (errno) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM: /* a firewall rule refused this one */
        return true;
    case EMFILE:
    case ENFILE:
        on_full(a);
        return false;
    case ENOBUFS:
    case ENOMEM:
        rest(a);
        report_full(a);
        return false;
    default:
        return false;
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct km_acceptor *a = poll->data;

    (void)status; /* accept4() tells what is wrong */
    (void)events;
    for (int i = 0; i < AT_ONCE && !a->paused && !a->closed; i++)
        if (!accept_one(a))
            break;
}

static void on_rested(void *ctx)
{
    struct km_acceptor *a = ctx;

    take_reserve(a);
    if (!a->paused)
        uv_poll_start(&a->poll, UV_READABLE, on_readable);
}

struct km_acceptor *km_acceptor_new(struct km_loop *loop, int fd, km_accept_fn *on_accept,
                                    km_accept_full_fn *on_full_fn, void *ctx, struct km_err *err)
{
    struct km_acceptor *a = calloc(1, sizeof *a);
    int r;

    if (!a) {
        km_fail(err, KM_E_NOMEM, "no memory for an acceptor");
        return NULL;
    }
    a->loop = loop;
    a->on_accept = on_accept;
    a->on_full = on_full_fn;
    a->ctx = ctx;
    a->fd = fd;
    a->reserve = -1;
    km_timer_init(&a->rest, loop, on_rested, a);
    r = uv_poll_init(km_loop_uv(loop), &a->poll, fd); /* makes it non-blocking */
    if (r < 0) {
        km_fail_errno(err, -r, "cannot wait for connections on descriptor %d", fd);
        free(a);
        return NULL;
    }
    a->poll.data = a;
    take_reserve(a);
    uv_poll_start(&a->poll, UV_READABLE, on_readable);
    return a;
}

void km_acceptor_pause(struct km_acceptor *a)
{
    a->paused = true;
    km_timer_stop(&a->rest);
    uv_poll_stop(&a->poll);
}

void km_acceptor_resume(struct km_acceptor *a)
{
    a->paused = false;
    uv_poll_start(&a->poll, UV_READABLE, on_readable);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct km_acceptor *km_acceptor_free(struct km_acceptor *a)
{
    if (!a)
        return NULL;
    a->closed = true;
    km_timer_stop(&a->rest);
    uv_poll_stop(&a->poll);
    if (a->reserve >= 0)
        close(a->reserve);
    a->reserve = -1;
    uv_close((uv_handle_t *)&a->poll, on_closed);
    return NULL;
}
