/* SPDX-License-Identifier: Apache-2.0 */
#include "certs.h"

#include <pthread.h>

#include "net/tls.h"

/* --- both ends --- */

struct ready {
    int calls;
    struct km_err err;
    struct km_stream *stream; /* freed inside when set */
};

static void on_ready(void *ctx, const struct km_err *err)
{
    struct ready *r = ctx;

    r->calls++;
    r->err.code = 0;
    if (err)
        r->err = *err;
    if (r->stream)
        r->stream = km_stream_free(r->stream);
}

static bool is_ready(void *ctx)
{
    return ((struct ready *)ctx)->calls > 0;
}

struct tls_env {
    struct fixture f;
    struct certs *certs;
    struct km_tls_server *server; /* certs->server */
    struct km_tls_client *client; /* trusts certs->ca */
};

static struct km_tls_server *new_server(const struct identity *id, const char *client_ca)
{
    struct km_tls_server_args args = { id->cert_file, id->key_file, client_ca };
    struct km_tls_server *tls;

    assert_int_equal(km_tls_server_new(&args, &tls, NULL), 0);
    return tls;
}

static struct km_tls_client *new_client(const char *ca, const struct identity *id, bool insecure)
{
    struct km_tls_client_args args = { .ca_file = ca, .insecure = insecure };
    struct km_tls_client *tls;

    if (id) {
        args.cert_file = id->cert_file;
        args.key_file = id->key_file;
    }
    assert_int_equal(km_tls_client_new(&args, &tls, NULL), 0);
    return tls;
}

static struct certs *all_certs; /* made once for the whole run */

static int make_certs(void **state)
{
    (void)state;
    all_certs = certs_new();
    return 0;
}

static int drop_certs(void **state)
{
    (void)state;
    certs_free(all_certs);
    return 0;
}

static int setup(void **state)
{
    struct tls_env *env = calloc(1, sizeof *env);

    fixture_init(&env->f);
    env->certs = all_certs;
    env->server = new_server(&env->certs->server, NULL);
    env->client = new_client(env->certs->ca.cert_file, NULL, false);
    *state = env;
    return 0;
}

static int teardown(void **state)
{
    struct tls_env *env = *state;

    km_tls_server_unref(env->server);
    km_tls_client_unref(env->client);
    km_loop_free(env->f.loop);
    free(env);
    return 0;
}

struct pair {
    struct owner client, server;
    struct ready ready;
};

/* Two streams of one loop, joined by a socket pair of the loopback. */
static void pair_start(struct tls_env *env, struct pair *p, struct km_tls_server *server,
                       struct km_tls_client *client, const char *host)
{
    union km_addr a = loopback(0);
    struct km_stream *under;
    int fd;

    memset(p, 0, sizeof *p);
    under = tcp_pair(&env->f, &fd);
    owner_take(&p->server, km_tls_accept(env->f.loop, under, server, NULL));
    under = km_tcp_from_fd(env->f.loop, fd, &a, NULL);
    p->client.stream =
        km_tls_connect(env->f.loop, under, client, km_str_c(host), on_ready, &p->ready, NULL);
    assert_non_null(p->client.stream);
    assert_int_equal(p->ready.calls, 0);
}

static void pair_open(struct tls_env *env, struct pair *p)
{
    pair_start(env, p, env->server, env->client, "api.test");
    run_until(&env->f, is_ready, &p->ready);
    assert_int_equal(p->ready.err.code, 0);
    owner_take(&p->client, p->client.stream);
}

static void pair_done(struct pair *p)
{
    owner_done(&p->client);
    owner_done(&p->server);
}

/* The client's error when it meets this server. */
static struct km_err refusal(struct tls_env *env, const struct identity *id, const char *host)
{
    struct km_tls_server *server = new_server(id, NULL);
    struct pair p;

    pair_start(env, &p, server, env->client, host);
    run_until(&env->f, is_ready, &p.ready);
    assert_int_not_equal(p.ready.err.code, 0);
    owner_done(&p.client);
    run_until(&env->f, saw_closed, &p.server); /* it was told too */
    owner_done(&p.server);
    km_tls_server_unref(server);
    return p.ready.err;
}

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

/* --- who the other end is --- */

static void a_certificate_for_another_host_is_refused(void **state)
{
    struct tls_env *env = *state;
    struct km_err err = refusal(env, &env->certs->server, "evil.test");

    assert_int_equal(err.code, KM_E_UPSTREAM_CONNECT);
    assert_non_null(strstr(err.text, "hostname mismatch"));
    assert_non_null(strstr(err.text, "evil.test"));
}

static void a_certificate_of_an_unknown_authority_is_refused(void **state)
{
    struct tls_env *env = *state;
    struct km_err err = refusal(env, &env->certs->stray, "api.test");

    assert_int_equal(err.code, KM_E_UPSTREAM_CONNECT);
    assert_non_null(strstr(err.text, "unable to get local issuer certificate"));
}

static void an_expired_certificate_is_refused(void **state)
{
    struct tls_env *env = *state;
    struct km_err err = refusal(env, &env->certs->expired, "api.test");

    assert_non_null(strstr(err.text, "certificate has expired"));
}

static void literal_addresses_are_verified_as_addresses(void **state)
{
    struct tls_env *env = *state;
    static const char *const good[] = { "127.0.0.1", "::1", "0:0:0:0:0:0:0:1", "api.test.",
                                        "API.Test" };
    struct km_err err;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct pair p;

        pair_start(env, &p, env->server, env->client, good[i]);
        run_until(&env->f, is_ready, &p.ready);
        assert_int_equal(p.ready.err.code, 0);
        pair_done(&p);
    }
    err = refusal(env, &env->certs->server, "127.0.0.2");
    assert_non_null(strstr(err.text, "IP address mismatch"));
}

static void an_insecure_client_takes_any_certificate(void **state)
{
    struct tls_env *env = *state;
    struct km_tls_client *client = new_client(NULL, NULL, true);
    struct km_tls_server *server = new_server(&env->certs->expired, NULL);
    struct pair p;

    pair_start(env, &p, server, client, "whatever.test");
    km_tls_client_unref(client); /* streams keep their context */
    km_tls_server_unref(server);
    run_until(&env->f, is_ready, &p.ready);
    assert_int_equal(p.ready.err.code, 0);
    pair_done(&p);
}

static void a_client_certificate_is_asked_for_and_checked(void **state)
{
    struct tls_env *env = *state;
    const char *ca = env->certs->ca.cert_file;
    struct km_tls_server *server = new_server(&env->certs->server, ca);
    struct km_tls_client *known = new_client(ca, &env->certs->client, false);
    struct km_tls_client *stray = new_client(ca, &env->certs->stray, false);
    struct km_tls_client *bad[] = { env->client, stray };
    struct pair p;

    pair_start(env, &p, server, known, "api.test");
    run_until(&env->f, is_ready, &p.ready);
    owner_take(&p.client, p.client.stream);
    stream_write_text(p.client.stream, "it is me");
    expect_text(&env->f, &p.server, "it is me");
    pair_done(&p);
    for (int i = 0; i < 2; i++) {
        pair_start(env, &p, server, bad[i], "api.test");
        run_until(&env->f, saw_closed, &p.server);
        assert_int_equal(p.server.got.n, 0);
        pair_done(&p);
    }
    km_tls_server_unref(server);
    km_tls_client_unref(known);
    km_tls_client_unref(stray);
}

static void a_new_certificate_serves_new_streams_and_old_ones_go_on(void **state)
{
    struct tls_env *env = *state;
    struct pair old, young;

    pair_open(env, &old);
    km_tls_server_unref(env->server);
    env->server = new_server(&env->certs->renewed, NULL);
    pair_open(env, &young);
    stream_write_text(old.client.stream, "still here");
    expect_text(&env->f, &old.server, "still here");
    stream_write_text(young.client.stream, "new here");
    expect_text(&env->f, &young.server, "new here");
    pair_done(&old);
    pair_done(&young);
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

/* --- threads --- */

struct worker {
    pthread_t thread;
    struct tls_env *env; /* contexts only; the loop is its own */
    int done;
};

static void *shake_hands(void *arg)
{
    struct worker *w = arg;
    struct tls_env own = *w->env;

    fixture_init(&own.f);
    for (int i = 0; i < 5; i++) {
        struct pair p;

        pair_open(&own, &p);
        stream_write_text(p.client.stream, "hi");
        expect_text(&own.f, &p.server, "hi");
        pair_done(&p);
        w->done++;
    }
    km_loop_free(own.f.loop);
    return NULL;
}

static void workers_share_contexts(void **state)
{
    struct worker w[3];

    for (int i = 0; i < 3; i++) {
        w[i] = (struct worker){ .env = *state };
        assert_int_equal(pthread_create(&w[i].thread, NULL, shake_hands, &w[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(w[i].thread, NULL);
        assert_int_equal(w[i].done, 5);
    }
}

/* --- configuration --- */

/* SSL_CERT_FILE names the only authority there is, as for other programs of the system. */
static void the_systems_trust_is_what_the_environment_names(void **state)
{
    struct tls_env *env = *state;
    struct km_tls_client *client;
    struct pair p;

    for (int trusted = 0; trusted < 2; trusted++) {
        if (trusted)
            setenv("SSL_CERT_FILE", env->certs->ca.cert_file, 1);
        client = new_client(NULL, NULL, false);
        unsetenv("SSL_CERT_FILE");
        pair_start(env, &p, env->server, client, "api.test");
        run_until(&env->f, is_ready, &p.ready);
        assert_int_equal(p.ready.err.code, trusted ? 0 : KM_E_UPSTREAM_CONNECT);
        pair_done(&p);
        km_tls_client_unref(client);
    }
}

static void unusable_files_are_named(void **state)
{
    struct tls_env *env = *state;
    const struct certs *c = env->certs;
    char locked[128];
    struct km_tls_server *server = NULL;
    struct km_tls_client *client = NULL;
    struct km_err err;
    FILE *f;

    snprintf(locked, sizeof locked, "%s/locked.key", c->dir);
    assert_non_null(f = fopen(locked, "w"));
    PEM_write_PrivateKey(f, c->server.key, EVP_aes_128_cbc(), (const unsigned char *)"pw", 2, NULL,
                         NULL);
    fclose(f);

    const struct km_tls_server_args bad[] = {
        { "/no/such.pem", c->server.key_file, NULL },
        { c->server.cert_file, "/no/such.key", NULL },
        { c->server.cert_file, c->renewed.key_file, NULL },
        { c->server.cert_file, locked, NULL },
        { c->server.cert_file, NULL, NULL },
        { c->server.cert_file, c->server.key_file, "/no/such-ca.pem" },
        { c->server.key_file, c->server.key_file, NULL },
    };
    static const char *const named[] = { "/no/such.pem", "/no/such.key", "renewed.key",
                                         "locked.key",   "'key'",        "/no/such-ca.pem",
                                         "server.key" };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(km_tls_server_new(&bad[i], &server, &err), KM_E_CONFIG);
        assert_non_null(strstr(err.text, named[i]));
        assert_null(server);
    }
    const struct km_tls_client_args bad_ca = { .ca_file = "/no/such-ca.pem" };
    const struct km_tls_client_args half = { .cert_file = c->client.cert_file };

    assert_int_equal(km_tls_client_new(&bad_ca, &client, &err), KM_E_CONFIG);
    assert_non_null(strstr(err.text, "/no/such-ca.pem"));
    assert_int_equal(km_tls_client_new(&half, &client, &err), KM_E_CONFIG);
    assert_null(client);
    unlink(locked);
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
#define TLS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TLS_TEST(bytes_pass_both_ways_over_tls),
        TLS_TEST(many_small_parts_share_a_record),
        TLS_TEST(much_arrives_whole_although_the_reader_pauses),
        TLS_TEST(what_is_written_before_the_handshake_is_done_arrives),
        TLS_TEST(bytes_wait_for_an_owner),
        TLS_TEST(a_certificate_for_another_host_is_refused),
        TLS_TEST(a_certificate_of_an_unknown_authority_is_refused),
        TLS_TEST(an_expired_certificate_is_refused),
        TLS_TEST(literal_addresses_are_verified_as_addresses),
        TLS_TEST(an_insecure_client_takes_any_certificate),
        TLS_TEST(a_client_certificate_is_asked_for_and_checked),
        TLS_TEST(a_new_certificate_serves_new_streams_and_old_ones_go_on),
        TLS_TEST(close_notify_is_end_of_file_and_writing_goes_on),
        TLS_TEST(an_end_without_close_notify_is_a_truncation),
        TLS_TEST(a_lingering_tls_stream_ends_cleanly),
        TLS_TEST(the_owner_may_free_inside_every_callback),
        TLS_TEST(a_peer_that_closes_during_the_handshake_is_a_connect_error),
        TLS_TEST(a_client_that_speaks_plain_http_is_told_off),
        TLS_TEST(openssls_own_server_sees_name_and_protocol),
        TLS_TEST(records_may_be_cut_anywhere),
        TLS_TEST(workers_share_contexts),
        TLS_TEST(the_systems_trust_is_what_the_environment_names),
        TLS_TEST(unusable_files_are_named),
        TLS_TEST(health_knows_the_state_of_tls),
    };

    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
