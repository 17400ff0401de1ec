/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <pthread.h>

static void bytes_pass_both_ways(void **state)
{
    struct fixture *f = *state;
    struct owner o;
    int peer;

    owner_take(&o, tcp_pair(f, &peer));
    peer_write(peer, "ping");
    expect_text(f, &o, "ping");
    stream_write_text(o.stream, "pong");
    peer_expect(peer, "pong");
    assert_int_equal(km_stream_queued(o.stream), 0);
    assert_false(km_stream_is_tls(o.stream));
    assert_int_equal(km_stream_peer(o.stream)->sa.sa_family, AF_INET);
    owner_done(&o);
    close(peer);
}

static void many_parts_are_written_in_order(void **state)
{
    struct fixture *f = *state;
    struct km_str parts[200];
    char letters[200], got[200];
    struct owner o;
    size_t queued = 1;
    int peer;

    owner_take(&o, tcp_pair(f, &peer));
    for (size_t i = 0; i < 200; i++) {
        letters[i] = (char)('a' + i % 26);
        parts[i] = km_str(&letters[i], i % 7 != 3); /* some are empty */
    }
    km_stream_write(o.stream, parts, 200, &queued);
    assert_int_equal(queued, 0);
    size_t n = 0;
    for (size_t i = 0; i < 200; i++)
        if (i % 7 != 3)
            letters[n++] = letters[i];
    peer_read(peer, got, n);
    assert_memory_equal(got, letters, n);
    owner_done(&o);
    close(peer);
}

/* --- a peer that reads slowly --- */

struct reader {
    pthread_t thread;
    int fd;
    struct km_buf got;
    _Atomic bool ended;
};

static void *read_to_end(void *arg)
{
    struct reader *r = arg;
    char buf[3001];
    ssize_t n;

    while ((n = recv(r->fd, buf, sizeof buf, 0)) > 0)
        km_buf_bytes(&r->got, buf, (size_t)n);
    r->ended = true;
    return NULL;
}

/* A pair whose kernel takes little: a few KB to send, and what the peer's side holds. */
static struct km_stream *narrow_pair(struct fixture *f, int *ret_peer)
{
    union km_addr a = loopback(0);
    struct km_stream *s = tcp_pair(f, ret_peer);
    int fd = km_stream_detach(s);
    const int least = 1, some = 32768;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
    assert_int_equal(setsockopt(*ret_peer, SOL_SOCKET, SO_RCVBUF, &some, sizeof some), 0);
    return km_tcp_from_fd(f->loop, fd, &a, NULL);
}

/* A stream with 400 KB queued to a peer that does not read yet. */
struct slow {
    struct reader r;
    struct owner o;
};

static const char zeros[400000];

static void slow_init(struct slow *s, struct fixture *f)
{
    struct km_str part = { zeros, sizeof zeros };

    s->r = (struct reader){ .got = KM_BUF(RECORDED_MAX) };
    owner_take(&s->o, narrow_pair(f, &s->r.fd));
    km_stream_write(s->o.stream, &part, 1, NULL);
    assert_true(km_stream_queued(s->o.stream) > 0);
}

/* The peer reads, until all has left. */
static void slow_drain(struct slow *s, struct fixture *f)
{
    assert_int_equal(pthread_create(&s->r.thread, NULL, read_to_end, &s->r), 0);
    run_until(f, saw_drain, &s->o);
}

/* The peer has seen the end, and everything before it. */
static void slow_done(struct slow *s)
{
    pthread_join(s->r.thread, NULL);
    assert_int_equal(s->r.got.n, sizeof zeros);
    km_buf_done(&s->r.got);
    close(s->r.fd);
    owner_done(&s->o);
}

static void what_the_kernel_does_not_take_is_queued_and_arrives_whole(void **state)
{
    struct fixture *f = *state;
    struct reader r = { .got = KM_BUF(RECORDED_MAX) };
    size_t total = 0, queued = 0;
    char chunk[10007];
    struct owner o;

    owner_take(&o, narrow_pair(f, &r.fd));
    for (int i = 0; i < 60; i++) {
        struct km_str parts[2];

        for (size_t k = 0; k < sizeof chunk; k++)
            chunk[k] = (char)((total + k) * 2654435761u >> 13);
        parts[0] = km_str(chunk, 4000);
        parts[1] = km_str(chunk + 4000, sizeof chunk - 4000);
        km_stream_write(o.stream, parts, 2, &queued);
        total += sizeof chunk;
    }
    assert_true(queued > total / 2);
    assert_int_equal(queued, km_stream_queued(o.stream));
    assert_int_equal(o.drains, 0);
    assert_int_equal(pthread_create(&r.thread, NULL, read_to_end, &r), 0);
    run_until(f, saw_drain, &o);
    assert_int_equal(km_stream_queued(o.stream), 0);
    assert_int_equal(o.drains, 1);
    km_stream_shutdown(o.stream);
    pthread_join(r.thread, NULL);
    assert_int_equal(r.got.n, total);
    for (size_t i = 0; i < total; i++)
        if (r.got.p[i] != (char)(i * 2654435761u >> 13))
            fail_msg("byte %zu differs", i);
    km_buf_done(&r.got);
    close(r.fd);
    owner_done(&o);
}

static void shutdown_comes_after_what_is_queued(void **state)
{
    struct fixture *f = *state;
    struct slow s;

    slow_init(&s, f);
    km_stream_shutdown(s.o.stream);
    assert_true(km_stream_queued(s.o.stream) > 0);
    slow_drain(&s, f);
    slow_done(&s);
}

static void the_stream_may_be_freed_when_it_has_drained(void **state)
{
    struct fixture *f = *state;
    struct slow s;

    slow_init(&s, f);
    s.o.free_on_drain = true;
    slow_drain(&s, f);
    slow_done(&s);
}

/* --- back-pressure --- */

static void a_paused_stream_leaves_bytes_in_the_kernel(void **state)
{
    struct fixture *f = *state;
    struct owner o;
    int peer;

    owner_take(&o, tcp_pair(f, &peer));
    o.pause_on_read = true;
    peer_write(peer, "one");
    expect_text(f, &o, "one");
    peer_write(peer, "two");
    run_for(f, 50);
    assert_int_equal(o.got.n, 0);
    km_stream_resume(o.stream);
    expect_text(f, &o, "two");
    owner_done(&o);
    close(peer);
}

static void a_paused_stream_can_be_written(void **state)
{
    struct fixture *f = *state;
    struct km_str hi = KM_STR("hi");
    struct owner o;
    struct slow s;
    int peer;

    owner_take(&o, tcp_pair(f, &peer));
    km_stream_pause(o.stream);
    km_stream_write(o.stream, &hi, 1, NULL);
    peer_expect(peer, "hi");
    owner_done(&o);
    close(peer);

    slow_init(&s, f);
    km_stream_pause(s.o.stream); /* what is queued leaves all the same */
    slow_drain(&s, f);
    km_stream_shutdown(s.o.stream);
    slow_done(&s);
}

/* --- ends --- */

static void a_fin_is_end_of_file_and_writing_goes_on(void **state)
{
    struct fixture *f = *state;
    struct owner o;
    int peer;

    owner_take(&o, tcp_pair(f, &peer));
    peer_write(peer, "last");
    shutdown(peer, SHUT_WR);
    run_until(f, saw_eof, &o);
    assert_int_equal(o.got.n, 4);
    stream_write_text(o.stream, "answer");
    peer_expect(peer, "answer");
    run_for(f, 30);
    assert_int_equal(o.eofs, 1);
    assert_int_equal(o.closes, 0);
    assert_false(km_stream_healthy(o.stream));
    owner_done(&o);
    close(peer);
}

static void a_reset_is_told_once_as_closed(void **state)
{
    struct fixture *f = *state;
    struct owner o;
    int peer;

    owner_take(&o, tcp_pair(f, &peer));
    peer_reset(peer);
    run_until(f, saw_closed, &o);
    run_for(f, 30);
    assert_int_equal(o.closes, 1);
    assert_int_equal(o.eofs, 0);
    assert_int_equal(o.err.code, KM_E_CLOSED);
    stream_write_text(o.stream, "into the void"); /* harmless */
    owner_done(&o);
}

static void bytes_sent_before_a_reset_are_delivered_when_a_write_finds_it(void **state)
{
    struct fixture *f = *state;
    struct owner o;
    int peer;

    owner_take(&o, tcp_pair(f, &peer));
    peer_write(peer, "413");
    peer_reset(peer);
    for (int i = 0; i < 3; i++)
        stream_write_text(o.stream, "more upload");
    assert_int_equal(o.closes, 0); /* never from inside a write */
    run_until(f, saw_closed, &o);
    assert_int_equal(o.got.n, 3);
    assert_memory_equal(o.got.p, "413", 3);
    assert_int_equal(o.err.code, KM_E_CLOSED);
    owner_done(&o);
}

static void a_reset_while_paused_is_found_by_writing(void **state)
{
    struct fixture *f = *state;
    struct owner o;
    int peer;

    owner_take(&o, tcp_pair(f, &peer));
    km_stream_pause(o.stream);
    peer_reset(peer);
    for (int i = 0; i < 3; i++)
        stream_write_text(o.stream, "x");
    run_until(f, saw_closed, &o);
    assert_int_equal(o.closes, 1);
    owner_done(&o);
}

static void a_reset_while_bytes_are_queued_is_told(void **state)
{
    struct fixture *f = *state;
    struct km_str part = { zeros, sizeof zeros };
    struct owner o;
    int peer;

    owner_take(&o, narrow_pair(f, &peer));
    km_stream_pause(o.stream);
    km_stream_write(o.stream, &part, 1, NULL);
    assert_true(km_stream_queued(o.stream) > 0);
    peer_reset(peer);
    run_until(f, saw_closed, &o);
    assert_int_equal(o.closes, 1);
    assert_int_equal(o.drains, 0);
    assert_int_equal(km_stream_queued(o.stream), 0);
    owner_done(&o);
}

static void the_stream_may_be_freed_inside_every_callback(void **state)
{
    struct fixture *f = *state;
    struct owner o;
    int peer;

    owner_take(&o, tcp_pair(f, &peer));
    o.free_on_read = true;
    peer_write(peer, "x");
    shutdown(peer, SHUT_WR);
    o.want = 1;
    run_until(f, got_all, &o);
    run_for(f, 20);
    assert_int_equal(o.eofs, 0);
    owner_done(&o);
    close(peer);

    owner_take(&o, tcp_pair(f, &peer));
    o.free_on_eof = true;
    shutdown(peer, SHUT_WR);
    run_until(f, saw_eof, &o);
    owner_done(&o);
    close(peer);

    owner_take(&o, tcp_pair(f, &peer));
    o.free_on_closed = true;
    peer_reset(peer);
    run_until(f, saw_closed, &o);
    owner_done(&o);
}

static void freeing_right_after_a_failed_write_tells_nothing(void **state)
{
    struct fixture *f = *state;
    struct owner o;
    int peer;

    owner_take(&o, tcp_pair(f, &peer));
    peer_reset(peer);
    stream_write_text(o.stream, "x");
    stream_write_text(o.stream, "x");
    owner_done(&o);
    run_for(f, 20);
    assert_int_equal(o.closes, 0);
}

/* --- lingering --- */

static bool peer_hung_up(void *ctx)
{
    struct pollfd p = { .fd = *(int *)ctx, .events = POLLIN };
    char buf[65536];

    while (poll(&p, 1, 0) == 1) {
        ssize_t n = recv(p.fd, buf, sizeof buf, 0);

        if (n <= 0)
            return true;
    }
    return false;
}

static void a_lingering_stream_delivers_its_queue_although_the_peer_still_sends(void **state)
{
    struct fixture *f = *state;
    struct reader r = { .got = KM_BUF(RECORDED_MAX) };
    struct km_str part = { zeros, sizeof zeros };
    struct owner o;

    owner_take(&o, narrow_pair(f, &r.fd));
    km_stream_pause(o.stream);
    peer_write(r.fd, "an upload nobody will read");
    km_stream_write(o.stream, &part, 1, NULL);
    km_stream_linger(o.stream, 10000);
    o.stream = NULL; /* a callback from now on fails the test */
    assert_int_equal(pthread_create(&r.thread, NULL, read_to_end, &r), 0);
    while (!r.ended)
        run_for(f, 20);
    pthread_join(r.thread, NULL);
    assert_int_equal(r.got.n, sizeof zeros);
    close(r.fd);
    run_for(f, 50);
    km_buf_done(&r.got);
    owner_done(&o);
}

static void lingering_ends_after_its_time(void **state)
{
    struct fixture *f = *state;
    struct owner o;
    int peer;

    owner_take(&o, tcp_pair(f, &peer));
    km_stream_linger(o.stream, 50);
    o.stream = NULL;
    run_until(f, peer_hung_up, &peer); /* FIN */
    run_for(f, 120);
    for (int i = 0; i < 2; i++) { /* the first finds the closed socket, the second its reset */
        send(peer, "x", 1, MSG_NOSIGNAL);
        run_for(f, 20);
    }
    assert_int_equal(send(peer, "x", 1, MSG_NOSIGNAL), -1);
    close(peer);
    owner_done(&o);
}

static void a_stream_that_lingers_when_the_loop_ends_is_freed(void **state)
{
    struct fixture *f = *state;
    struct owner o;
    int peer;

    owner_take(&o, tcp_pair(f, &peer));
    km_stream_linger(o.stream, 100000);
    o.stream = NULL;
    run_for(f, 10);
    close(peer);
    owner_done(&o);
}

/* --- looks --- */

static void health_sees_bytes_fin_and_reset_before_the_loop_does(void **state)
{
    struct fixture *f = *state;
    struct owner o;
    int peer;

    for (int kind = 0; kind < 3; kind++) {
        owner_take(&o, tcp_pair(f, &peer));
        assert_true(km_stream_healthy(o.stream));
        if (kind == 0)
            peer_write(peer, "x");
        else if (kind == 1)
            shutdown(peer, SHUT_WR);
        else
            peer_reset(peer);
        assert_false(km_stream_healthy(o.stream));
        owner_done(&o);
        if (kind != 2)
            close(peer);
    }
}

static void acknowledged_bytes_are_counted(void **state)
{
    struct fixture *f = *state;
    uint64_t before = 0, after = 0;
    struct owner o;
    int peer;

    owner_take(&o, tcp_pair(f, &peer));
    assert_true(km_stream_acked(o.stream, &before));
    stream_write_text(o.stream, "12345");
    peer_expect(peer, "12345");
    peer_write(peer, "ack rides on this");
    o.want = 1;
    run_until(f, got_all, &o);
    assert_true(km_stream_acked(o.stream, &after));
    assert_int_equal(before, 0);
    assert_int_equal(after, 5);
    owner_done(&o);
    close(peer);
}

static void a_detached_descriptor_goes_on_without_the_stream(void **state)
{
    struct fixture *f = *state;
    union km_addr a = loopback(0);
    struct owner o;
    int peer, fd;

    owner_take(&o, tcp_pair(f, &peer));
    fd = km_stream_detach(o.stream);
    assert_true(fd >= 0);
    peer_write(peer, "kept");
    run_for(f, 20);
    owner_take(&o, km_tcp_from_fd(f->loop, fd, &a, NULL));
    expect_text(f, &o, "kept");
    owner_done(&o);
    close(peer);
}

static void a_stream_with_queued_bytes_is_not_detached(void **state)
{
    struct fixture *f = *state;
    struct km_str part = { zeros, sizeof zeros };
    struct owner o;
    int peer;

    owner_take(&o, narrow_pair(f, &peer));
    km_stream_write(o.stream, &part, 1, NULL);
    assert_int_equal(km_stream_detach(o.stream), -1);
    owner_done(&o);
    close(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(bytes_pass_both_ways),
        NET_TEST(many_parts_are_written_in_order),
        NET_TEST(what_the_kernel_does_not_take_is_queued_and_arrives_whole),
        NET_TEST(shutdown_comes_after_what_is_queued),
        NET_TEST(the_stream_may_be_freed_when_it_has_drained),
        NET_TEST(a_paused_stream_leaves_bytes_in_the_kernel),
        NET_TEST(a_paused_stream_can_be_written),
        NET_TEST(a_fin_is_end_of_file_and_writing_goes_on),
        NET_TEST(a_reset_is_told_once_as_closed),
        NET_TEST(bytes_sent_before_a_reset_are_delivered_when_a_write_finds_it),
        NET_TEST(a_reset_while_paused_is_found_by_writing),
        NET_TEST(a_reset_while_bytes_are_queued_is_told),
        NET_TEST(the_stream_may_be_freed_inside_every_callback),
        NET_TEST(freeing_right_after_a_failed_write_tells_nothing),
        NET_TEST(a_lingering_stream_delivers_its_queue_although_the_peer_still_sends),
        NET_TEST(lingering_ends_after_its_time),
        NET_TEST(a_stream_that_lingers_when_the_loop_ends_is_freed),
        NET_TEST(health_sees_bytes_fin_and_reset_before_the_loop_does),
        NET_TEST(acknowledged_bytes_are_counted),
        NET_TEST(a_detached_descriptor_goes_on_without_the_stream),
        NET_TEST(a_stream_with_queued_bytes_is_not_detached),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
