/* SPDX-License-Identifier: Apache-2.0 */
/* frame.c - see frame.h for the contract.
 *
 *     "KMfr" type length | body ...        descriptors ride on the head's first byte
 *
 * A stream socket has no borders, but descriptors are bound to the bytes they were sent with:
 * recvmsg() never reads across them.  So the head is received alone and brings what belongs to
 * its frame; the body follows as plain bytes.  What comes is from a process of the same user,
 * yet a length is believed only up to KM_FRAME_BYTES, and descriptors that a malformed frame
 * brought are closed.
 */
#include "sys/frame.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAGIC 0x72664d4bU

struct head {
    uint32_t magic, type;
    uint64_t length;
};

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * KM_FRAME_FDS)];
};

static void attach(struct msghdr *msg, union control *control, const int *fds, size_t nfds)
{
    struct cmsghdr *c;

    if (nfds == 0)
        return;
    memset(control, 0, sizeof *control);
    msg->msg_control = control->bytes;
    msg->msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
    c = CMSG_FIRSTHDR(msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
}

/* Drops n sent bytes from the front of the two pieces. */
static void advance(struct msghdr *msg, size_t n)
{
    while (n > 0) {
        struct iovec *v = msg->msg_iov;
        size_t k = n < v->iov_len ? n : v->iov_len;

        v->iov_base = (char *)v->iov_base + k;
        v->iov_len -= k;
        n -= k;
        if (v->iov_len == 0) {
            msg->msg_iov++;
            msg->msg_iovlen--;
        }
    }
}

int km_frame_send(int sock, uint32_t type, struct km_str body, const int *fds, size_t nfds,
                  struct km_err *err)
{
    struct head head = { MAGIC, type, body.n };
    struct iovec iov[2] = { { &head, sizeof head },
                            { (char *)(uintptr_t)body.p, body.n } };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = body.n ? 2 : 1 };
    union control control;

    if (nfds > KM_FRAME_FDS || body.n > KM_FRAME_BYTES)
        return km_fail(err, KM_E_LIMIT, "a frame of %zu bytes and %zu descriptors", body.n, nfds);
    attach(&msg, &control, fds, nfds);
    while (msg.msg_iovlen > 0) {
        ssize_t n = sendmsg(sock, &msg, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EPIPE || errno == ECONNRESET
                       ? km_fail(err, KM_E_CLOSED, "the other process is gone")
                       : km_fail_errno(err, errno, "send to the other process");
        msg.msg_control = NULL;
        msg.msg_controllen = 0;
        advance(&msg, (size_t)n);
    }
    return 0;
}

static void close_fds(struct km_frame *f)
{
    for (size_t i = 0; i < f->nfds; i++)
        close(f->fds[i]);
    f->nfds = 0;
}

static void take_fds(struct msghdr *msg, struct km_frame *f)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
            if (f->nfds < KM_FRAME_FDS)
                f->fds[f->nfds++] = fd;
            else
                close(fd);
        }
    }
}

/* Fills n bytes; descriptors that come with the first of them go to f. */
static int receive(int sock, void *to, size_t n, struct km_frame *f, struct km_err *err)
{
    size_t at = 0;

    while (at < n) {
        struct iovec iov = { (char *)to + at, n - at };
        union control control;
        struct msghdr msg = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
        ssize_t got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno != ECONNRESET)
            return km_fail_errno(err, errno, "wait for the other process");
        if (got <= 0)
            return km_fail(err, KM_E_CLOSED, "the other process is gone");
        take_fds(&msg, f);
        at += (size_t)got;
    }
    return 0;
}

int km_frame_recv(int sock, struct km_buf *buf, struct km_frame *ret_frame, struct km_err *err)
{
    struct km_frame f = { 0 };
    struct head head;
    char *room;
    int r = receive(sock, &head, sizeof head, &f, err);

    if (r == 0 && (head.magic != MAGIC || head.length > KM_FRAME_BYTES))
        r = km_fail(err, KM_E_INVALID, "what the other process sent is not a frame");
    if (r == 0 && head.length > 0) {
        km_buf_reset(buf);
        room = km_buf_reserve(buf, (size_t)head.length);
        r = room ? receive(sock, room, (size_t)head.length, &f, err)
                 : km_fail(err, KM_E_NOMEM, "out of memory");
        buf->n = r == 0 ? (size_t)head.length : 0;
    }
    if (r < 0) {
        close_fds(&f);
        return r;
    }
    f.type = head.type;
    f.body = head.length ? km_buf_view(buf) : KM_STR_NONE;
    *ret_frame = f;
    return 0;
}
