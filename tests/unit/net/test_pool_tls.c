/* SPDX-License-Identifier: Apache-2.0 */
/* The whole stack at once: pool, dialer, TLS and TCP, against a TLS server of the same loop. */
#include "certs.h"

#include "net/pool.h"
#include "sys/listener.h"

struct world {
    struct fixture *f;
    struct certs *certs;
    struct km_tls_server *server_tls;
    struct km_tls_client *client_tls;
    struct km_acceptor *acceptor;
    struct owner server; /* the connection accepted last */
    struct km_dialer *dialer;
    struct km_pool *pool;
    struct km_origin *origin;
    int listener;
};

static void on_accept(void *ctx, int fd, const union km_addr *peer)
{
    struct world *w = ctx;
    struct km_stream *under = km_tcp_from_fd(w->f->loop, fd, peer, NULL);

    owner_done(&w->server);
    owner_take(&w->server, km_tls_accept(w->f->loop, under, w->server_tls, NULL));
}

static void world_init(struct world *w, struct fixture *f)
{
    const struct km_pool_settings set = {
        .max_per_origin = 4, .max_idle = 4, .idle_ms = 60000, .max_waiting = 4, .connect_ms = 5000
    };

    *w = (struct world){ .f = f, .certs = certs_new(), .listener = listen_loopback() };
    const struct km_tls_server_args server = { w->certs->server.cert_file,
                                               w->certs->server.key_file, NULL };
    const struct km_tls_client_args client = { .ca_file = w->certs->ca.cert_file };

    assert_int_equal(fcntl(w->listener, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(km_tls_server_new(&server, &w->server_tls, NULL), 0);
    assert_int_equal(km_tls_client_new(&client, &w->client_tls, NULL), 0);
    w->acceptor = km_acceptor_new(f->loop, w->listener, on_accept, NULL, w, NULL);
    w->dialer = km_dialer_new(f->loop, NULL, NULL);
    w->pool = km_pool_new(f->loop, w->dialer, &set);
    assert_int_equal(km_origin_new(true, KM_STR("127.0.0.1"), port_of(w->listener), w->client_tls,
                                   NULL, false, &w->origin, NULL),
                     0);
}

static void world_done(struct world *w)
{
    km_pool_free(w->pool);
    km_dialer_free(w->dialer);
    km_origin_unref(w->origin);
    owner_done(&w->server);
    km_acceptor_free(w->acceptor);
    close(w->listener);
    km_tls_server_unref(w->server_tls);
    km_tls_client_unref(w->client_tls);
    certs_free(w->certs);
}

struct result {
    int calls;
    struct km_stream *stream;
    struct km_err err;
};

static void on_get(void *ctx, struct km_stream *stream, const struct km_err *err)
{
    struct result *r = ctx;

    r->calls++;
    r->stream = stream;
    if (err)
        r->err = *err;
}

static bool has_result(void *ctx)
{
    return ((struct result *)ctx)->calls > 0;
}

static bool none_open(void *ctx)
{
    return km_pool_open(((struct world *)ctx)->pool) == 0;
}

/* Gets a connection, exchanges a question and an answer over it, and gives it back. */
static struct km_stream *exchange(struct world *w)
{
    struct km_stream *s = km_pool_take(w->pool, w->origin);
    struct owner o;

    if (!s) {
        struct result r = { 0 };

        assert_non_null(km_pool_get(w->pool, w->origin, on_get, &r));
        run_until(w->f, has_result, &r);
        assert_non_null(r.stream);
        s = r.stream;
    }
    owner_take(&o, s);
    stream_write_text(s, "question");
    expect_text(w->f, &w->server, "question");
    stream_write_text(w->server.stream, "answer");
    expect_text(w->f, &o, "answer");
    km_pool_put(w->pool, w->origin, s);
    o.stream = NULL;
    owner_done(&o);
    return s;
}

static void a_tls_connection_is_kept_and_lent_again(void **state)
{
    struct world w;
    struct km_stream *first;

    world_init(&w, *state);
    first = exchange(&w);
    assert_true(km_stream_is_tls(first));
    for (int i = 0; i < 5; i++) {
        run_for(w.f, 10);
        assert_ptr_equal(exchange(&w), first);
    }
    assert_int_equal(km_pool_idle(w.pool), 1);
    world_done(&w);
}

static void a_tls_connection_that_ends_while_idle_is_removed(void **state)
{
    struct world w;

    world_init(&w, *state);
    for (int kind = 0; kind < 3; kind++) {
        exchange(&w);
        assert_int_equal(km_pool_idle(w.pool), 1);
        if (kind == 0)
            km_stream_shutdown(w.server.stream); /* close_notify */
        else if (kind == 1)
            owner_free(&w.server); /* a FIN alone */
        else
            stream_write_text(w.server.stream, "?");
        run_until(w.f, none_open, &w);
    }
    exchange(&w); /* a new one takes its place */
    assert_int_equal(km_pool_open(w.pool), 1);
    world_done(&w);
}

static void closing_an_idle_tls_connection_says_so(void **state)
{
    struct world w;

    world_init(&w, *state);
    exchange(&w);
    w.pool = km_pool_free(w.pool);
    run_until(w.f, saw_eof, &w.server); /* and not saw_closed */
    world_done(&w);
}

static void a_handshake_that_fails_is_the_requests_answer(void **state)
{
    struct world w;
    struct km_origin *wrong;
    union km_addr a;
    struct result r = { 0 };

    world_init(&w, *state);
    km_acceptor_free(w.acceptor);
    close(w.listener);
    assert_int_equal(km_addr_parse(KM_STR("127.0.0.2"), 0, &a), 0);
    w.listener = listen_on(&a, 4);
    assert_int_equal(fcntl(w.listener, F_SETFL, O_NONBLOCK), 0);
    w.acceptor = km_acceptor_new(w.f->loop, w.listener, on_accept, NULL, &w, NULL);
    assert_int_equal(km_origin_new(true, KM_STR("127.0.0.2"), port_of(w.listener), w.client_tls,
                                   NULL, false, &wrong, NULL),
                     0);
    assert_non_null(km_pool_get(w.pool, wrong, on_get, &r));
    run_until(w.f, has_result, &r);
    assert_null(r.stream);
    assert_int_equal(r.err.code, KM_E_UPSTREAM_CONNECT);
    assert_non_null(strstr(r.err.text, "IP address mismatch"));
    km_origin_unref(wrong);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(a_tls_connection_is_kept_and_lent_again),
        NET_TEST(a_tls_connection_that_ends_while_idle_is_removed),
        NET_TEST(closing_an_idle_tls_connection_says_so),
        NET_TEST(a_handshake_that_fails_is_the_requests_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
