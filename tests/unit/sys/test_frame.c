/* SPDX-License-Identifier: Apache-2.0 */
/* Frames over a socket pair: cut anywhere, with descriptors, and what is no frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/frame.h"

#define BUF 4096

static void pair(int s[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
}

static bool open_fd(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void a_frame_arrives_as_it_was_sent(void **state)
{
    struct km_buf buf KM_CLEANUP(km_buf_done) = KM_BUF(BUF);
    struct km_frame f;
    int s[2];

    (void)state;
    pair(s);
    assert_int_equal(km_frame_send(s[0], 7, KM_STR("hello"), NULL, 0, NULL), 0);
    assert_int_equal(km_frame_send(s[0], 8, KM_STR_NONE, NULL, 0, NULL), 0);
    assert_int_equal(km_frame_recv(s[1], &buf, &f, NULL), 0);
    assert_int_equal(f.type, 7);
    assert_true(km_str_eq(f.body, KM_STR("hello")));
    assert_int_equal(f.nfds, 0);
    assert_int_equal(km_frame_recv(s[1], &buf, &f, NULL), 0);
    assert_int_equal(f.type, 8);
    assert_int_equal(f.body.n, 0);
    close(s[0]);
    assert_int_equal(km_frame_recv(s[1], &buf, &f, NULL), KM_E_CLOSED);
    close(s[1]);
}

/* What the kernel would send for one frame, to be cut. */
static size_t bytes_of(char *out, size_t cap)
{
    size_t n = 0;
    ssize_t got;
    int s[2];

    pair(s);
    assert_int_equal(km_frame_send(s[0], 3, KM_STR("0123456789"), NULL, 0, NULL), 0);
    close(s[0]);
    while ((got = read(s[1], out + n, cap - n)) > 0)
        n += (size_t)got;
    close(s[1]);
    return n;
}

struct writer {
    int fd;
    const char *bytes;
    size_t n;
};

static void *write_rest(void *ctx)
{
    const struct writer *w = ctx;

    assert_int_equal(write(w->fd, w->bytes, w->n), (ssize_t)w->n);
    return NULL;
}

static void a_frame_may_be_cut_at_every_byte(void **state)
{
    struct km_buf buf KM_CLEANUP(km_buf_done) = KM_BUF(BUF);
    char bytes[256];
    size_t n = bytes_of(bytes, sizeof bytes);
    struct km_frame f;

    (void)state;
    for (size_t cut = 0; cut <= n; cut++) {
        struct writer w;
        pthread_t thread;
        int s[2];

        pair(s);
        assert_int_equal(write(s[0], bytes, cut), (ssize_t)cut);
        w = (struct writer){ s[0], bytes + cut, n - cut };
        assert_int_equal(pthread_create(&thread, NULL, write_rest, &w), 0);
        assert_int_equal(km_frame_recv(s[1], &buf, &f, NULL), 0);
        pthread_join(thread, NULL);
        assert_int_equal(f.type, 3);
        assert_true(km_str_eq(f.body, KM_STR("0123456789")));
        close(s[0]);
        close(s[1]);
    }
}

static void a_frame_that_ends_early_is_the_end(void **state)
{
    struct km_buf buf KM_CLEANUP(km_buf_done) = KM_BUF(BUF);
    char bytes[256];
    size_t n = bytes_of(bytes, sizeof bytes);
    struct km_frame f;

    (void)state;
    for (size_t cut = 0; cut < n; cut++) {
        int s[2];

        pair(s);
        assert_int_equal(write(s[0], bytes, cut), (ssize_t)cut);
        close(s[0]);
        assert_int_equal(km_frame_recv(s[1], &buf, &f, NULL), KM_E_CLOSED);
        close(s[1]);
    }
}

static void descriptors_stay_with_their_frame(void **state)
{
    struct km_buf buf KM_CLEANUP(km_buf_done) = KM_BUF(BUF);
    int s[2], a[2], b[2];
    struct km_frame f;
    char byte = 0;

    (void)state;
    pair(s);
    assert_int_equal(pipe2(a, O_CLOEXEC), 0);
    assert_int_equal(pipe2(b, O_CLOEXEC), 0);
    assert_int_equal(km_frame_send(s[0], 1, KM_STR("first"), NULL, 0, NULL), 0);
    assert_int_equal(km_frame_send(s[0], 2, KM_STR("ends"), (int[]){ a[1], b[1] }, 2, NULL), 0);
    assert_int_equal(km_frame_send(s[0], 3, KM_STR_NONE, &b[1], 1, NULL), 0);
    close(a[1]);
    close(b[1]);
    assert_int_equal(km_frame_recv(s[1], &buf, &f, NULL), 0);
    assert_int_equal(f.nfds, 0);
    assert_int_equal(km_frame_recv(s[1], &buf, &f, NULL), 0);
    assert_int_equal(f.nfds, 2);
    assert_true(fcntl(f.fds[0], F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(f.fds[0], "x", 1), 1);
    assert_int_equal(read(a[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(f.fds[0]);
    close(f.fds[1]);
    assert_int_equal(km_frame_recv(s[1], &buf, &f, NULL), 0);
    assert_int_equal(f.nfds, 1);
    close(f.fds[0]);
    assert_int_equal(read(b[0], &byte, 1), 0); /* no copy is left anywhere */
    close(a[0]);
    close(b[0]);
    close(s[0]);
    close(s[1]);
}

static void what_is_no_frame_is_refused_and_leaks_nothing(void **state)
{
    struct km_buf buf KM_CLEANUP(km_buf_done) = KM_BUF(BUF);
    static const char junk[64] = "GET / HTTP/1.1\r\n\r\n";
    struct km_err err;
    struct km_frame f;
    int s[2], next;

    (void)state;
    pair(s);
    next = dup(s[0]);
    close(next);
    assert_int_equal(write(s[0], junk, sizeof junk), (ssize_t)sizeof junk);
    assert_int_equal(km_frame_recv(s[1], &buf, &f, &err), KM_E_INVALID);
    close(s[0]);
    close(s[1]);
    /* Larger than the receiver's buffer: the descriptor that came along is closed. */
    pair(s);
    {
        char *large = calloc(1, BUF * 2);

        next = dup(s[0]);
        close(next);
        assert_int_equal(km_frame_send(s[0], 1, km_str(large, BUF * 2), &s[0], 1, NULL), 0);
        assert_true(km_frame_recv(s[1], &buf, &f, &err) < 0);
        assert_false(open_fd(next));
        free(large);
    }
    assert_int_equal(km_frame_send(s[0], 1, KM_STR_NONE, (int[8]){ 0 }, 8, &err), KM_E_LIMIT);
    close(s[0]);
    close(s[1]);
}

static void a_receive_time_out_is_no_end(void **state)
{
    struct km_buf buf KM_CLEANUP(km_buf_done) = KM_BUF(BUF);
    const struct timeval tv = { .tv_usec = 1000 };
    struct km_frame f;
    int s[2];

    (void)state;
    pair(s);
    assert_int_equal(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv), 0);
    assert_int_equal(km_frame_recv(s[1], &buf, &f, NULL), KM_E_SYSTEM);
    close(s[1]);
    assert_int_equal(km_frame_send(s[0], 1, KM_STR_NONE, NULL, 0, NULL), KM_E_CLOSED);
    close(s[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_arrives_as_it_was_sent),
        cmocka_unit_test(a_frame_may_be_cut_at_every_byte),
        cmocka_unit_test(a_frame_that_ends_early_is_the_end),
        cmocka_unit_test(descriptors_stay_with_their_frame),
        cmocka_unit_test(what_is_no_frame_is_refused_and_leaks_nothing),
        cmocka_unit_test(a_receive_time_out_is_no_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
