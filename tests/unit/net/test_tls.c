/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_fixture.h"

#include <pthread.h>

static void bytes_pass_both_ways_over_tls(void **state)
{
    struct tls_env *env = *state;
    struct pair p;

    pair_open(env, &p);
    assert_true(km_stream_is_tls(p.client.stream));
    assert_int_equal(km_stream_peer(p.client.stream)->sa.sa_family, AF_INET);
    assert_int_equal(km_stream_detach(p.client.stream), -1);
    stream_write_text(p.client.stream, "question");
    expect_text(&env->f, &p.server, "question");
    stream_write_text(p.server.stream, "answer");
    expect_text(&env->f, &p.client, "answer");
    assert_int_equal(p.ready.calls, 1);
    pair_done(&p);
}

static void many_small_parts_share_a_record(void **state)
{
    struct tls_env *env = *state;
    struct km_str parts[100];
    struct pair p;

    pair_open(env, &p);
    for (size_t i = 0; i < 100; i++)
        parts[i] = KM_STR("ab");
    km_stream_write(p.client.stream, parts, 100, NULL);
    p.server.want = 200;
    run_until(&env->f, got_all, &p.server);
    assert_int_equal(p.server.got.n, 200);
    assert_int_equal(p.server.reads, 1);
    pair_done(&p);
}

static char byte_at(size_t i)
{
    return (char)((uint32_t)i * 2654435761u >> 13);
}

/* Parts of all sizes, larger than records and than what the kernel takes, with pauses. */
static void much_arrives_whole_although_the_reader_pauses(void **state)
{
    struct tls_env *env = *state;
    const size_t total = 12 << 20;
    char *bytes = malloc(total);
    struct pair p;
    size_t at = 0;

    pair_open(env, &p);
    for (size_t i = 0; i < total; i++)
        bytes[i] = byte_at(i);
    for (size_t n = 1; at < total; n = n * 3 % 70001 + 1) {
        size_t take = n < total - at ? n : total - at;
        struct km_str parts[2] = { { bytes + at, take / 2 },
                                   { bytes + at + take / 2, take - take / 2 } };

        km_stream_write(p.client.stream, parts, 2, NULL);
        at += take;
    }
    p.server.pause_on_read = true;
    for (int i = 0; p.server.got.n < total; i++) {
        size_t had = p.server.got.n;

        p.server.want = had + 1;
        run_until(&env->f, got_all, &p.server);
        assert_true(p.server.got.n - had <= 16384); /* one record, then paused */
        if (i % 50 == 0) {
            had = p.server.got.n;
            run_for(&env->f, 10);
            assert_int_equal(p.server.got.n, had);
        }
        km_stream_resume(p.server.stream);
    }
    assert_int_equal(p.server.got.n, total);
    assert_memory_equal(p.server.got.p, bytes, total);
    assert_true(p.client.drains > 0);
    free(bytes);
    pair_done(&p);
}

static void what_is_written_before_the_handshake_is_done_arrives(void **state)
{
    struct tls_env *env = *state;
    struct pair p;

    pair_start(env, &p, env->server, env->client, "api.test");
    stream_write_text(p.server.stream, "early ");
    stream_write_text(p.server.stream, "bird");
    assert_int_equal(km_stream_queued(p.server.stream), 10);
    run_until(&env->f, is_ready, &p.ready);
    owner_take(&p.client, p.client.stream);
    expect_text(&env->f, &p.client, "early bird");
    pair_done(&p);
}

static void bytes_wait_for_an_owner(void **state)
{
    struct tls_env *env = *state;
    struct pair p;

    pair_start(env, &p, env->server, env->client, "api.test");
    run_until(&env->f, is_ready, &p.ready);
    stream_write_text(p.server.stream, "patience");
    run_for(&env->f, 30);
    owner_take(&p.client, p.client.stream);
    expect_text(&env->f, &p.client, "patience");
    pair_done(&p);
}

/* --- ends --- */

static void close_notify_is_end_of_file_and_writing_goes_on(void **state)
{
    struct tls_env *env = *state;
    struct pair p;

    pair_open(env, &p);
    stream_write_text(p.client.stream, "last words");
    km_stream_shutdown(p.client.stream);
    run_until(&env->f, saw_eof, &p.server);
    assert_int_equal(p.server.got.n, 10);
    stream_write_text(p.server.stream, "understood");
    expect_text(&env->f, &p.client, "understood");
    km_stream_shutdown(p.server.stream);
    run_until(&env->f, saw_eof, &p.client);
    run_for(&env->f, 20);
    assert_int_equal(p.client.closes + p.server.closes, 0);
    pair_done(&p);
}

static void an_end_without_close_notify_is_a_truncation(void **state)
{
    struct tls_env *env = *state;
    struct pair p;

    pair_open(env, &p);
    stream_write_text(p.server.stream, "half an ans");
    p.client.want = 11;
    run_until(&env->f, got_all, &p.client);
    owner_done(&p.server); /* breaks off */
    run_until(&env->f, saw_closed, &p.client);
    assert_int_equal(p.client.eofs, 0);
    assert_int_equal(p.client.err.code, KM_E_CLOSED);
    assert_non_null(strstr(p.client.err.text, "close_notify"));
    pair_done(&p);
}

static void a_lingering_tls_stream_ends_cleanly(void **state)
{
    struct tls_env *env = *state;
    struct pair p;

    pair_open(env, &p);
    stream_write_text(p.server.stream, "bye");
    km_stream_linger(p.server.stream, 5000);
    p.server.stream = NULL;
    run_until(&env->f, saw_eof, &p.client);
    assert_int_equal(p.client.got.n, 3);
    pair_done(&p);
    run_for(&env->f, 20);
}

static void the_owner_may_free_inside_every_callback(void **state)
{
    struct tls_env *env = *state;
    struct pair p;

    pair_open(env, &p);
    p.client.free_on_read = true;
    stream_write_text(p.server.stream, "x");
    stream_write_text(p.server.stream, "y");
    p.client.want = 1;
    run_until(&env->f, got_all, &p.client);
    run_for(&env->f, 20);
    assert_int_equal(p.client.got.n, 1);
    pair_done(&p);

    pair_open(env, &p);
    p.client.free_on_eof = true;
    km_stream_shutdown(p.server.stream);
    run_until(&env->f, saw_eof, &p.client);
    pair_done(&p);

    pair_open(env, &p);
    p.client.free_on_closed = true;
    owner_done(&p.server);
    run_until(&env->f, saw_closed, &p.client);
    pair_done(&p);

    pair_start(env, &p, env->server, env->client, "api.test");
    p.ready.stream = p.client.stream;
    p.client.stream = NULL;
    run_until(&env->f, is_ready, &p.ready);
    pair_done(&p);
}

static void a_peer_that_closes_during_the_handshake_is_a_connect_error(void **state)
{
    struct tls_env *env = *state;
    struct ready r = { 0 };
    struct km_stream *s, *under;

    for (int kind = 0; kind < 3; kind++) {
        int peer;

        under = tcp_pair(&env->f, &peer);
        s = km_tls_connect(env->f.loop, under, env->client, KM_STR("api.test"), on_ready, &r, NULL);
        r.calls = 0;
        if (kind == 0)
            shutdown(peer, SHUT_WR);
        else if (kind == 1)
            peer_reset(peer);
        else
            peer_write(peer, "HTTP/1.1 400 Bad Request\r\n\r\n"); /* not TLS at all */
        run_until(&env->f, is_ready, &r);
        assert_int_equal(r.err.code, KM_E_UPSTREAM_CONNECT);
        run_for(&env->f, 10);
        assert_int_equal(r.calls, 1);
        km_stream_free(s);
        if (kind != 1)
            close(peer);
    }
}

static void a_client_that_speaks_plain_http_is_told_off(void **state)
{
    struct tls_env *env = *state;
    struct owner o;
    int peer;

    owner_take(&o, km_tls_accept(env->f.loop, tcp_pair(&env->f, &peer), env->server, NULL));
    peer_write(peer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    run_until(&env->f, saw_closed, &o);
    assert_int_equal(o.err.code, KM_E_CLOSED);
    assert_non_null(strstr(o.err.text, "http request"));
    owner_done(&o);
    close(peer);
}

/* --- against OpenSSL's own client and server, on a thread --- */

struct native {
    pthread_t thread;
    int fd;
    const struct identity *id;
    char sni[64];
    char alpn[16];
    bool close_notify;
};

static int native_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    struct native *n = arg;

    (void)ssl;
    snprintf(n->alpn, sizeof n->alpn, "%.*s", (int)in_len - 1, in + 1);
    *out = in + 1;
    *out_len = in[0];
    return SSL_TLSEXT_ERR_OK;
}

/* Sends back what it gets with a mark in front, in TLS 1.2. */
static void *native_server(void *arg)
{
    struct native *n = arg;
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL *ssl;
    char buf[101] = ">";
    int got;

    SSL_CTX_use_certificate(ctx, n->id->cert);
    SSL_CTX_use_PrivateKey(ctx, n->id->key);
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_alpn_select_cb(ctx, native_alpn, n);
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, n->fd);
    if (SSL_accept(ssl) == 1) {
        const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

        snprintf(n->sni, sizeof n->sni, "%s", sni ? sni : "none");
        got = SSL_read(ssl, buf + 1, 100);
        SSL_write(ssl, buf, got + 1);
        if (n->close_notify)
            SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(n->fd);
    return NULL;
}

static void openssls_own_server_sees_name_and_protocol(void **state)
{
    struct tls_env *env = *state;

    for (int notify = 0; notify < 2; notify++) {
        struct native n = { .id = &env->certs->server, .close_notify = notify };
        struct km_stream *under = tcp_pair(&env->f, &n.fd);
        struct ready r = { 0 };
        struct owner o;
        struct km_stream *s =
            km_tls_connect(env->f.loop, under, env->client, KM_STR("api.test"), on_ready, &r, NULL);

        assert_int_equal(pthread_create(&n.thread, NULL, native_server, &n), 0);
        run_until(&env->f, is_ready, &r);
        assert_int_equal(r.err.code, 0);
        owner_take(&o, s);
        stream_write_text(s, "ping");
        run_until(&env->f, notify ? saw_eof : saw_closed, &o);
        assert_int_equal(o.got.n, 5);
        assert_memory_equal(o.got.p, ">ping", 5);
        pthread_join(n.thread, NULL);
        assert_string_equal(n.sni, "api.test");
        assert_string_equal(n.alpn, "http/1.1");
        owner_done(&o);
    }
}

/* Passes bytes between two sockets in pieces of `piece` bytes. */
struct shuttle {
    pthread_t thread;
    int a, b;
    size_t piece;
};

static void *shuttle(void *arg)
{
    struct shuttle *s = arg;
    struct pollfd p[2] = { { .fd = s->a, .events = POLLIN }, { .fd = s->b, .events = POLLIN } };
    char buf[16];

    for (;;) {
        poll(p, 2, -1);
        for (int i = 0; i < 2; i++) {
            ssize_t n;

            if (!(p[i].revents))
                continue;
            n = recv(p[i].fd, buf, s->piece, 0);
            if (n <= 0 || send(p[1 - i].fd, buf, (size_t)n, MSG_NOSIGNAL) != n) {
                shutdown(s->a, SHUT_RDWR);
                shutdown(s->b, SHUT_RDWR);
                return NULL;
            }
        }
    }
}

static void records_may_be_cut_anywhere(void **state)
{
    struct tls_env *env = *state;

    for (size_t piece = 1; piece <= 7; piece += 3) {
        struct shuttle sh = { .piece = piece };
        struct pair p;
        struct km_stream *under;

        memset(&p, 0, sizeof p);
        under = tcp_pair(&env->f, &sh.a);
        owner_take(&p.server, km_tls_accept(env->f.loop, under, env->server, NULL));
        under = tcp_pair(&env->f, &sh.b);
        p.client.stream = km_tls_connect(env->f.loop, under, env->client, KM_STR("api.test"),
                                         on_ready, &p.ready, NULL);
        assert_int_equal(pthread_create(&sh.thread, NULL, shuttle, &sh), 0);
        run_until(&env->f, is_ready, &p.ready);
        assert_int_equal(p.ready.err.code, 0);
        owner_take(&p.client, p.client.stream);
        stream_write_text(p.client.stream, "one");
        stream_write_text(p.client.stream, " two");
        expect_text(&env->f, &p.server, "one two");
        stream_write_text(p.server.stream, "three");
        expect_text(&env->f, &p.client, "three");
        km_stream_shutdown(p.server.stream);
        run_until(&env->f, saw_eof, &p.client);
        pair_done(&p);
        pthread_join(sh.thread, NULL);
        close(sh.a);
        close(sh.b);
    }
}

static void health_knows_the_state_of_tls(void **state)
{
    struct tls_env *env = *state;
    struct pair p;

    pair_start(env, &p, env->server, env->client, "api.test");
    assert_false(km_stream_healthy(p.client.stream));
    run_until(&env->f, is_ready, &p.ready);
    owner_take(&p.client, p.client.stream);
    run_for(&env->f, 20); /* session tickets come and go */
    assert_true(km_stream_healthy(p.client.stream));
    stream_write_text(p.server.stream, "unasked");
    assert_false(km_stream_healthy(p.client.stream));
    expect_text(&env->f, &p.client, "unasked");
    assert_true(km_stream_healthy(p.client.stream));
    km_stream_shutdown(p.server.stream);
    run_until(&env->f, saw_eof, &p.client);
    assert_false(km_stream_healthy(p.client.stream));
    pair_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(bytes_pass_both_ways_over_tls),
        TLS_TEST(many_small_parts_share_a_record),
        TLS_TEST(much_arrives_whole_although_the_reader_pauses),
        TLS_TEST(what_is_written_before_the_handshake_is_done_arrives),
        TLS_TEST(bytes_wait_for_an_owner),
        TLS_TEST(close_notify_is_end_of_file_and_writing_goes_on),
        TLS_TEST(an_end_without_close_notify_is_a_truncation),
        TLS_TEST(a_lingering_tls_stream_ends_cleanly),
        TLS_TEST(the_owner_may_free_inside_every_callback),
        TLS_TEST(a_peer_that_closes_during_the_handshake_is_a_connect_error),
        TLS_TEST(a_client_that_speaks_plain_http_is_told_off),
        TLS_TEST(openssls_own_server_sees_name_and_protocol),
        TLS_TEST(records_may_be_cut_anywhere),
        TLS_TEST(health_knows_the_state_of_tls),
    };

    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
