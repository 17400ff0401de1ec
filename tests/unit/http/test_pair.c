/* SPDX-License-Identifier: Apache-2.0 */
/* Our client against our server on one loop, plain and over TLS: bodies of every size both
 * ways, whole, chunked, paused and cancelled, over few connections used again and again. */
#include "../net/certs.h"

#include "http/client.h"
#include "http/server.h"
#include "sys/listener.h"

#define SLOTS 6
#define CALLS 240
#define LARGEST 300000

static char pattern[LARGEST + 256];

struct pair {
    struct fixture *f;
    struct km_http_server *server;
    struct km_http_client *client;
    struct km_pool *pool;
    struct km_dialer *dialer;
    struct km_acceptor *acceptor;
    struct km_origin *origin;
    struct km_tls_server *server_tls;
    struct km_body_budget bodies;
    _Atomic int64_t connections;
    uint32_t seed;
    int listener;
    size_t open; /* exchanges */
    size_t started, ended, cancelled, gone, accepted;
};

struct slot {
    struct pair *p;
    struct km_http_call *call;
    struct km_str body;
    size_t got;
    size_t cancel_at, pause_at; /* 0: not */
    struct km_timer resume;
};

static uint32_t any(struct pair *p, uint32_t below)
{
    p->seed = p->seed * 1664525u + 1013904223u;
    return (p->seed >> 8) % below;
}

/* --- the server: sends back what it gets --- */

struct answer {
    struct pair *p;
    struct km_exchange *x;
    struct km_str body;
    size_t at;
    struct km_deferred later;
};

static void answer_free(struct answer *a)
{
    km_deferred_cancel(&a->later);
    a->p->open--;
    free(a);
}

static void stream_more(void *ctx)
{
    struct answer *a = ctx;

    while (a->at < a->body.n) {
        size_t n = any(a->p, 20000) + 1;
        struct km_str part = km_str_sub(a->body, a->at, n);

        a->at += part.n;
        if (!km_exchange_write(a->x, &part, 1))
            return; /* on_drain goes on */
        if (any(a->p, 8) == 0) {
            km_deferred_queue(&a->later); /* the next turn of the loop */
            return;
        }
    }
    km_exchange_end(a->x);
    answer_free(a);
}

static void on_body(void *ctx, struct km_str body, const struct km_err *err)
{
    struct answer *a = ctx;

    if (err) {
        km_exchange_respond(a->x, km_err_http(err), KM_STR_NONE, KM_STR_NONE);
        answer_free(a);
    } else if (km_str_eq(km_exchange_request(a->x)->path, KM_STR("/stream"))) {
        a->body = body;
        km_exchange_start(a->x, 200, KM_STR_NONE, any(a->p, 2) ? UINT64_MAX : body.n);
        stream_more(a);
    } else {
        km_exchange_respond(a->x, 200, KM_STR_NONE, body);
        answer_free(a);
    }
}

static void on_gone(void *ctx)
{
    struct answer *a = ctx;

    a->p->gone++;
    km_exchange_abort(a->x);
    answer_free(a);
}

static const struct km_exchange_events server_events = { .on_body = on_body,
                                                        .on_drain = stream_more,
                                                        .on_gone = on_gone };

static void on_request(void *ctx, struct km_exchange *x)
{
    struct answer *a = calloc(1, sizeof *a);
    struct pair *p = ctx;
    struct km_str body;
    struct km_err err;
    int r;

    *a = (struct answer){ .p = p, .x = x };
    km_deferred_init(&a->later, p->f->loop, stream_more, a);
    p->open++;
    km_exchange_listen(x, &server_events, a);
    r = km_exchange_body(x, LARGEST, &body, &err);
    if (r != KM_E_AGAIN)
        on_body(a, body, r < 0 ? &err : NULL);
}

static void on_error(void *ctx, const struct km_err *err, struct km_str path, struct km_buf *out)
{
    (void)ctx;
    (void)path;
    km_buf_str(out, km_str_c(err->text));
}

static void on_accept(void *ctx, int fd, const union km_addr *peer)
{
    struct pair *p = ctx;

    p->accepted++;
    km_http_server_accept(p->server, fd, peer, p->server_tls);
}

/* --- the client --- */

static void next(struct slot *s);

static void on_head(void *ctx, const struct km_response *r)
{
    (void)ctx;
    assert_int_equal(r->status, 200);
}

static void on_resume(void *ctx)
{
    struct slot *s = ctx;

    km_http_resume(s->call);
}

static void on_bytes(void *ctx, const char *bytes, size_t n)
{
    struct slot *s = ctx;

    assert_true(s->got + n <= s->body.n);
    assert_memory_equal(bytes, s->body.p + s->got, n);
    s->got += n;
    if (s->cancel_at && s->got >= s->cancel_at) {
        km_http_cancel(s->call);
        s->p->cancelled++;
        next(s);
    } else if (s->pause_at && s->got >= s->pause_at) {
        s->pause_at = 0;
        km_http_pause(s->call);
        km_timer_start(&s->resume, 1 + any(s->p, 20));
    }
}

static void on_done(void *ctx, const struct km_http_result *r)
{
    struct slot *s = ctx;

    if (r->err)
        fail_msg("%s", r->err->text);
    assert_int_equal(s->got, s->body.n);
    s->p->ended++;
    next(s);
}

static const struct km_http_events client_events = { .on_head = on_head,
                                                     .on_body = on_bytes,
                                                     .on_done = on_done };

static void next(struct slot *s)
{
    struct pair *p = s->p;
    struct km_http_request q = { .origin = p->origin,
                                 .method = KM_STR("POST"),
                                 .target = any(p, 2) ? KM_STR("/echo") : KM_STR("/stream"),
                                 .body = &s->body,
                                 .nbody = 1,
                                 .has_body = true,
                                 .first_byte_ms = 5000,
                                 .between_ms = 5000 };

    s->call = NULL;
    km_timer_stop(&s->resume);
    if (p->started == CALLS)
        return;
    p->started++;
    /* How many are left in the middle must not hang on the order in which they are drawn. */
    if (p->started % 12 == 0)
        s->body = km_str(pattern, 5000 + any(p, 3000));
    else
        s->body = km_str(pattern + any(p, 256), any(p, 3) ? any(p, 3000) : any(p, LARGEST));
    s->got = 0;
    s->cancel_at = p->started % 12 == 0 ? 1 + any(p, 5000) : 0;
    s->pause_at = any(p, 4) == 0 ? 1 + any(p, 50000) : 0;
    s->call = km_http_send(p->client, &q, &client_events, s);
}

static bool all_over(void *ctx)
{
    struct pair *p = ctx;

    return p->ended + p->cancelled == CALLS && p->open == 0;
}

static bool all_closed(void *ctx)
{
    struct pair *p = ctx;

    return km_http_server_connections(p->server) == 0;
}

static void pair_init(struct pair *p, struct fixture *f, const struct certs *certs)
{
    static const struct km_http_settings set = {
        32768, 100, 8192, 4 << 20, 10000, 1024, 75000, 60000, 0, 65536, 100, 0, 0, 0,
    };
    static const struct km_pool_settings pool = { 4, 4, 60000, 100, 5000 };
    struct km_http_server_args args = { .loop = f->loop,
                                        .settings = &set,
                                        .bodies = &p->bodies,
                                        .connections = &p->connections,
                                        .on_request = on_request,
                                        .on_error = on_error,
                                        .ctx = p };
    struct km_tls_client *client_tls = NULL;
    union km_addr addr;

    *p = (struct pair){ .f = f, .seed = 7, .bodies.limit = 64 << 20 };
    if (certs) {
        const struct km_tls_server_args s = { certs->server.cert_file, certs->server.key_file,
                                              NULL };
        const struct km_tls_client_args c = { .ca_file = certs->ca.cert_file };

        assert_int_equal(km_tls_server_new(&s, &p->server_tls, NULL), 0);
        assert_int_equal(km_tls_client_new(&c, &client_tls, NULL), 0);
    }
    p->server = km_http_server_new(&args, NULL);
    assert_int_equal(km_addr_parse(KM_STR("127.0.0.1"), 0, &addr), 0);
    assert_int_equal(km_listen(&addr, 1, 64, &p->listener, NULL), 0);
    assert_int_equal(km_listen_address(p->listener, &addr, NULL), 0);
    p->acceptor = km_acceptor_new(f->loop, p->listener, on_accept, NULL, p, NULL);
    p->dialer = km_dialer_new(f->loop, NULL, km_connect_tunnel);
    p->pool = km_pool_new(f->loop, p->dialer, &pool);
    p->client = km_http_client_new(f->loop, p->pool);
    assert_int_equal(km_origin_new(certs != NULL, KM_STR("127.0.0.1"), ntohs(addr.in.sin_port),
                                   client_tls, NULL, false, &p->origin, NULL),
                     0);
    km_tls_client_unref(client_tls);
}

static void pair_done(struct pair *p)
{
    km_http_client_free(p->client);
    km_pool_free(p->pool);
    km_dialer_free(p->dialer);
    run_until(p->f, all_closed, p); /* the clients' ends are gone: so are the server's */
    assert_int_equal(p->connections, 0);
    assert_int_equal(p->bodies.used, 0);
    km_acceptor_free(p->acceptor);
    km_http_server_free(p->server);
    km_origin_unref(p->origin);
    km_tls_server_unref(p->server_tls);
    close(p->listener);
}

static void talk(struct fixture *f, const struct certs *certs)
{
    struct slot slots[SLOTS];
    struct pair p;

    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)(i * i >> 3);
    pair_init(&p, f, certs);
    for (size_t i = 0; i < SLOTS; i++) {
        slots[i] = (struct slot){ .p = &p };
        km_timer_init(&slots[i].resume, f->loop, on_resume, &slots[i]);
        next(&slots[i]);
    }
    run_until(f, all_over, &p);
    assert_int_equal(p.started, CALLS);
    assert_int_equal(p.cancelled, CALLS / 12);
    assert_int_equal(p.ended, CALLS - CALLS / 12);
    assert_true(p.accepted <= 4 + p.cancelled); /* used again and again */
    pair_done(&p);
}

static void every_body_comes_back_as_it_was(void **state)
{
    talk(*state, NULL);
}

static void every_body_comes_back_as_it_was_over_tls(void **state)
{
    struct certs *certs = certs_new();

    talk(*state, certs);
    certs_free(certs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_body_comes_back_as_it_was, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(every_body_comes_back_as_it_was_over_tls, fixture_setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
