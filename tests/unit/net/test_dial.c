/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_dns.h"

#include "base/time.h"
#include "net/dial.h"
#include "net/filter.h"
#include "sys/unix.h"

struct result {
    int calls;
    struct km_stream *stream;
    struct km_err err;
};

static void on_dialled(void *ctx, struct km_stream *stream, const struct km_err *err)
{
    struct result *r = ctx;

    r->calls++;
    r->stream = stream;
    assert_true(!stream == !!err);
    if (err)
        r->err = *err;
}

static bool has_result(void *ctx)
{
    return ((struct result *)ctx)->calls > 0;
}

static struct km_origin *plain_origin(const char *host, uint16_t port, enum km_guard guard)
{
    struct km_origin *o;

    assert_int_equal(km_origin_new(false, km_str_c(host), port, NULL, NULL, guard, &o, NULL), 0);
    return o;
}

/* Dials and waits. */
static struct result dial_origin(struct fixture *f, struct km_dns *dns, struct km_origin *o,
                                 uint64_t timeout_ms, km_tunnel_fn *tunnel)
{
    struct km_dialer *d = km_dialer_new(f->loop, dns, tunnel);
    struct result r = { 0 };

    assert_non_null(km_dial(d, o, timeout_ms, on_dialled, &r));
    assert_int_equal(r.calls, 0);
    km_origin_unref(o);
    run_until(f, has_result, &r);
    assert_int_equal(r.calls, 1);
    km_dialer_free(d);
    return r;
}

static struct result dial(struct fixture *f, struct km_dns *dns, const char *host, uint16_t port,
                          uint64_t timeout_ms)
{
    return dial_origin(f, dns, plain_origin(host, port, false), timeout_ms, NULL);
}

/* A port where nothing listens. */
static uint16_t closed_port(void)
{
    int fd = listen_loopback();
    uint16_t port = port_of(fd);

    close(fd);
    return port;
}

/* A listener that does not answer SYNs any more, because its queue is full. */
struct black_hole {
    int listener, fill[3];
    uint16_t port;
};

static struct black_hole black_hole(void)
{
    struct black_hole b;
    union km_addr a = loopback(0);

    b.listener = listen_on(&a, 0);
    b.port = port_of(b.listener);
    a = loopback(b.port);
    for (int i = 0; i < 3; i++) {
        b.fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(b.fill[i], &a.sa, km_addr_len(&a));
    }
    return b;
}

static void black_hole_close(struct black_hole *b)
{
    close(b->listener);
    for (int i = 0; i < 3; i++)
        close(b->fill[i]);
}

static void a_literal_address_is_dialled_without_dns(void **state)
{
    struct fixture *f = *state;
    int listener = listen_loopback();
    struct result r = dial(f, NULL, "127.0.0.1", port_of(listener), 5000);
    int peer = accept(listener, NULL, NULL);
    struct owner o;
    uint64_t acked;

    owner_take(&o, r.stream);
    stream_write_text(o.stream, "hello");
    peer_expect(peer, "hello");
    peer_write(peer, "there");
    expect_text(f, &o, "there");
    assert_int_equal(ntohs(km_stream_peer(o.stream)->in.sin_port), port_of(listener));
    assert_int_equal(km_stream_sent(o.stream), 5);
    assert_true(km_stream_acked(o.stream, &acked));
    assert_int_equal(acked, 6); /* and the SYN */
    owner_done(&o);
    close(peer);
    close(listener);
}

static void a_unix_socket_is_connected_to_at_once(void **state)
{
    struct fixture *f = *state;
    char dir[] = "/tmp/km-dial-XXXXXX", path[64];
    struct km_origin *o;
    struct result r;
    int fd;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    assert_int_equal(km_origin_new_unix(km_str_c(path), &o, NULL), 0);
    assert_true(km_str_eq(o->host_header, KM_STR("localhost")));
    assert_true(km_str_eq(o->unix_path, km_str_c(path)));
    r = dial_origin(f, NULL, km_origin_ref(o), 1000, NULL);
    assert_int_equal(r.err.code, KM_E_NOT_RUNNING);
    assert_int_equal(km_unix_listen(path, &fd, NULL), 0);
    r = dial_origin(f, NULL, o, 1000, NULL);
    assert_non_null(r.stream);
    km_stream_free(r.stream);
    close(fd);
    unlink(path);
    rmdir(dir);
    assert_int_equal(km_origin_new_unix(KM_STR_NONE, &o, &r.err), KM_E_INVALID);
}

static void a_refused_connection_names_the_address(void **state)
{
    uint16_t port = closed_port();
    struct result r = dial(*state, NULL, "127.0.0.1", port, 5000);
    char text[64];

    snprintf(text, sizeof text, "127.0.0.1:%u: Connection refused", (unsigned)port);
    assert_int_equal(r.err.code, KM_E_UPSTREAM_CONNECT);
    assert_non_null(strstr(r.err.text, text));
}

static void a_name_without_address_is_a_connect_error_or_a_time_out(void **state)
{
    struct fixture *f = *state;
    struct km_dns dns = { .loop = f->loop };
    static const int codes[][2] = { { KM_E_UPSTREAM_CONNECT, KM_E_UPSTREAM_CONNECT },
                                    { KM_E_UPSTREAM_TIMEOUT, KM_E_UPSTREAM_TIMEOUT },
                                    { KM_E_INVALID, KM_E_UPSTREAM_CONNECT } };

    for (int i = 0; i < 3; i++) {
        dns.code = codes[i][0];
        assert_int_equal(dial(f, &dns, "nowhere.test", 80, 5000).err.code, codes[i][1]);
    }
}

/* Dials until it takes less than `most_ms`, which it does on a machine that is busy with other work
 * too, sooner or later, unless it waits for something.  Returns the time. */
static uint64_t dial_in_less_than(struct fixture *f, struct km_dns *dns, const char *name,
                                  uint64_t most_ms, struct result *ret)
{
    for (int tries = 0; tries < 20; tries++) {
        const uint64_t start = km_mono_ms();
        uint64_t took;

        *ret = dial(f, dns, name, 80, 10000);
        took = km_mono_ms() - start;
        assert_non_null(ret->stream);
        if (took < most_ms)
            return took;
        km_stream_free(ret->stream);
    }
    fail_msg("it never took less than %u ms", (unsigned)most_ms);
    return 0;
}

static void the_next_address_is_tried_at_once_when_one_refuses(void **state)
{
    struct fixture *f = *state;
    int listener = listen_loopback();
    struct km_dns dns = { .loop = f->loop };
    struct result r;

    dns.names[0] = (struct fake_name){ "two.test",
                                       { loopback(closed_port()), loopback(port_of(listener)) },
                                       2 };
    (void)dial_in_less_than(f, &dns, "two.test", 240, &r);
    km_stream_free(r.stream);
    close(listener);
}

static void a_silent_address_costs_one_stagger_and_not_the_time_out(void **state)
{
    struct fixture *f = *state;
    struct black_hole hole = black_hole();
    int listener = listen_loopback();
    struct km_dns dns = { .loop = f->loop };
    struct result r;

    dns.names[0] =
        (struct fake_name){ "two.test", { loopback(hole.port), loopback(port_of(listener)) }, 2 };
    /* before the first SYN would be sent again */
    assert_true(dial_in_less_than(f, &dns, "two.test", 900, &r) >= 240);
    km_stream_free(r.stream);
    black_hole_close(&hole);
    close(listener);
}

static void the_families_take_turns(void **state)
{
    struct fixture *f = *state;
    struct black_hole hole = black_hole();
    struct km_dns dns = { .loop = f->loop };
    union km_addr v6;
    int listener;
    struct result r;

    assert_int_equal(km_addr_parse(KM_STR("::1"), 0, &v6), 0);
    listener = listen_on(&v6, 64);
    assert_int_equal(km_addr_parse(KM_STR("::1"), port_of(listener), &v6), 0);
    dns.names[0] = (struct fake_name){
        "many.test",
        { loopback(hole.port), loopback(hole.port), loopback(hole.port), loopback(hole.port), v6 },
        5,
    };
    (void)dial_in_less_than(f, &dns, "many.test", 900, &r); /* it was second and not fifth */
    assert_int_equal(km_stream_peer(r.stream)->sa.sa_family, AF_INET6);
    km_stream_free(r.stream);
    black_hole_close(&hole);
    close(listener);
}

static void the_time_out_names_the_stage(void **state)
{
    struct fixture *f = *state;
    struct black_hole hole = black_hole();
    struct km_dns dns = { .loop = f->loop, .silent = true };
    struct result r = dial(f, NULL, "127.0.0.1", hole.port, 60);

    assert_int_equal(r.err.code, KM_E_UPSTREAM_TIMEOUT);
    assert_non_null(strstr(r.err.text, "within 60 ms (connecting)"));
    r = dial(f, &dns, "silent.test", 80, 60);
    assert_int_equal(r.err.code, KM_E_UPSTREAM_TIMEOUT);
    assert_non_null(strstr(r.err.text, "(resolving its name)"));
    black_hole_close(&hole);
}

static void a_cancelled_dial_calls_nobody(void **state)
{
    struct fixture *f = *state;
    struct black_hole hole = black_hole();
    struct km_dns dns = { .loop = f->loop };
    struct km_dialer *d = km_dialer_new(f->loop, &dns, NULL);
    struct km_origin *slow = plain_origin("127.0.0.1", hole.port, false);
    struct km_origin *named = plain_origin("nowhere.test", 80, false);
    struct km_origin *refused = plain_origin("127.0.0.1", 1, true);
    struct result r = { 0 };

    km_dial_cancel(km_dial(d, slow, 1000, on_dialled, &r));
    km_dial_cancel(km_dial(d, named, 1000, on_dialled, &r));
    km_dial_cancel(km_dial(d, refused, 1000, on_dialled, &r));
    km_dial(d, slow, 1000, on_dialled, &r); /* goes with the dialer */
    run_for(f, 30);
    km_dialer_free(d);
    run_for(f, 30);
    assert_int_equal(r.calls, 0);
    km_origin_unref(slow);
    km_origin_unref(named);
    km_origin_unref(refused);
    black_hole_close(&hole);
}

static void a_guarded_dial_refuses_what_a_name_resolves_to(void **state)
{
    struct fixture *f = *state;
    int listener = listen_loopback();
    struct km_dns dns = { .loop = f->loop };
    struct pollfd p = { .fd = listener, .events = POLLIN };
    union km_addr mapped;
    struct result r;

    assert_int_equal(km_addr_parse(KM_STR("::ffff:127.0.0.1"), port_of(listener), &mapped), 0);
    dns.names[0] = (struct fake_name){ "evil.test", { loopback(port_of(listener)), mapped }, 2 };
    r = dial_origin(f, &dns, plain_origin("evil.test", 80, true), 5000, NULL);
    assert_int_equal(r.err.code, KM_E_FORBIDDEN);
    assert_non_null(strstr(r.err.text, "not a public address"));
    r = dial_origin(f, &dns, plain_origin("127.0.0.1", port_of(listener), true), 5000, NULL);
    assert_int_equal(r.err.code, KM_E_FORBIDDEN);
    assert_int_equal(poll(&p, 1, 50), 0); /* nobody knocked */
    close(listener);
}

static void a_dial_for_an_administrator_refuses_metadata_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    int listener = listen_loopback();
    struct km_dns dns = { .loop = f->loop };
    union km_addr link, nat64;
    struct result r;

    assert_int_equal(km_addr_parse(KM_STR("169.254.169.254"), 80, &link), 0);
    assert_int_equal(km_addr_parse(KM_STR("64:ff9b::a9fe:a9fe"), 80, &nat64), 0);
    dns.names[0] = (struct fake_name){ "evil.test", { link, nat64 }, 2 };
    r = dial_origin(f, &dns, plain_origin("evil.test", 80, KM_GUARD_METADATA), 5000, NULL);
    assert_int_equal(r.err.code, KM_E_FORBIDDEN);
    assert_non_null(strstr(r.err.text, "metadata address"));
    r = dial_origin(f, &dns, plain_origin("169.254.169.254", 80, KM_GUARD_METADATA), 5000, NULL);
    assert_int_equal(r.err.code, KM_E_FORBIDDEN);
    dns.names[0] = (struct fake_name){ "mixed.test", { link, loopback(port_of(listener)) }, 2 };
    r = dial_origin(f, &dns, plain_origin("mixed.test", 80, KM_GUARD_METADATA), 5000, NULL);
    assert_non_null(r.stream);
    km_stream_free(r.stream);
    close(listener);
}

/* --- through a proxy --- */

static void the_stream_of_a_plain_origin_ends_at_the_proxy(void **state)
{
    struct fixture *f = *state;
    int proxy = listen_loopback();
    struct km_proxy_env env = { .none = KM_STR("") };
    struct km_origin *o;
    char url[64];
    struct result r;

    snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)port_of(proxy));
    env.http = km_str_c(url);
    assert_int_equal(km_origin_new(false, KM_STR("api.test"), 80, NULL, &env, false, &o, NULL), 0);
    r = dial_origin(f, NULL, o, 5000, NULL);
    assert_non_null(r.stream);
    assert_int_equal(ntohs(km_stream_peer(r.stream)->in.sin_port), port_of(proxy));
    km_stream_free(r.stream);
    close(proxy);
}

/* A filter that passes everything through and is ready, or fails, in the next round. */
struct tunnel {
    struct km_stream s;
    km_tls_ready_fn *on_ready;
    void *ctx;
    bool fails;
};

static void tunnel_release(void *ctx)
{
    free(ctx);
}

static void tunnel_close(struct km_stream *s)
{
    s->under = km_stream_free(s->under);
    km_stream_release(s, tunnel_release);
}

static void tunnel_ready(void *ctx)
{
    struct tunnel *t = ctx;
    struct km_err err;

    km_fail(&err, KM_E_UPSTREAM_CONNECT, "the proxy said no");
    t->on_ready(t->ctx, t->fails ? &err : NULL);
}

static const struct km_stream_ops tunnel_ops = { .close = tunnel_close };

static struct km_stream *tunnel_new(struct km_loop *loop, struct km_stream *under,
                                    const struct km_origin *origin, km_tls_ready_fn *on_ready,
                                    void *ctx)
{
    struct tunnel *t = calloc(1, sizeof *t);

    assert_true(km_str_eq(origin->host, KM_STR("api.test")));
    assert_true(km_str_eq(origin->proxy_auth, KM_STR("Basic dTpw")));
    km_stream_init(&t->s, &tunnel_ops, loop, under, tunnel_ready);
    t->on_ready = on_ready;
    t->ctx = ctx;
    km_deferred_queue(&t->s.later);
    return &t->s;
}

static struct km_stream *refusing_tunnel(struct km_loop *loop, struct km_stream *under,
                                         const struct km_origin *origin, km_tls_ready_fn *on_ready,
                                         void *ctx, struct km_err *err)
{
    struct km_stream *s = tunnel_new(loop, under, origin, on_ready, ctx);

    (void)err;
    ((struct tunnel *)s)->fails = true;
    return s;
}

static struct km_stream *open_tunnel(struct km_loop *loop, struct km_stream *under,
                                     const struct km_origin *origin, km_tls_ready_fn *on_ready,
                                     void *ctx, struct km_err *err)
{
    (void)err;
    return tunnel_new(loop, under, origin, on_ready, ctx);
}

static struct km_stream *no_tunnel(struct km_loop *loop, struct km_stream *under,
                                   const struct km_origin *origin, km_tls_ready_fn *on_ready,
                                   void *ctx, struct km_err *err)
{
    (void)loop;
    (void)origin;
    (void)on_ready;
    (void)ctx;
    km_stream_free(under);
    km_fail(err, KM_E_NOMEM, "no memory for a tunnel");
    return NULL;
}

/* A filter that has no operations of its own is as good as the stream it stands on. */
static void a_filter_passes_on_what_it_does_not_do(void **state)
{
    struct fixture *f = *state;
    struct tunnel *t = calloc(1, sizeof *t);
    struct owner o;
    uint64_t acked;
    int peer;

    km_stream_init(&t->s, &tunnel_ops, f->loop, tcp_pair(f, &peer), tunnel_ready);
    owner_take(&o, &t->s);
    km_stream_own(t->s.under, &owner_events, &o);
    assert_true(km_stream_healthy(&t->s));
    assert_false(km_stream_is_tls(&t->s));
    assert_true(km_stream_acked(&t->s, &acked));
    assert_int_equal(km_stream_peer(&t->s)->sa.sa_family, AF_INET);
    stream_write_text(&t->s, "down");
    peer_expect(peer, "down");
    km_stream_pause(&t->s);
    peer_write(peer, "up");
    run_for(f, 30);
    assert_int_equal(o.got.n, 0);
    km_stream_resume(&t->s);
    expect_text(f, &o, "up");
    assert_int_equal(km_stream_queued(&t->s), 0);
    assert_int_equal(km_stream_detach(&t->s), -1);
    km_stream_shutdown(&t->s);
    assert_int_equal(recv(peer, &(char){ 0 }, 1, 0), 0);
    owner_done(&o);
    close(peer);
}

static void an_https_origin_behind_a_proxy_goes_through_the_tunnel(void **state)
{
    struct fixture *f = *state;
    int proxy = listen_loopback(), peer;
    struct km_tls_client_args args = { .insecure = true };
    struct km_tls_client *tls;
    struct km_origin *o;
    struct km_proxy_env env = { .none = KM_STR("") };
    char url[64];
    struct result r;

    assert_int_equal(km_tls_client_new(&args, &tls, NULL), 0);
    snprintf(url, sizeof url, "http://u:p@127.0.0.1:%u", (unsigned)port_of(proxy));
    env.https = km_str_c(url);
    assert_int_equal(km_origin_new(true, KM_STR("api.test"), 443, tls, &env, false, &o, NULL), 0);

    r = dial_origin(f, NULL, km_origin_ref(o), 5000, refusing_tunnel);
    assert_int_equal(r.err.code, KM_E_UPSTREAM_CONNECT);
    assert_string_equal(r.err.text, "the proxy said no");
    close(accept(proxy, NULL, NULL));

    r = dial_origin(f, NULL, km_origin_ref(o), 5000, no_tunnel);
    assert_int_equal(r.err.code, KM_E_NOMEM);
    close(accept(proxy, NULL, NULL));

    r = dial_origin(f, NULL, km_origin_ref(o), 5000, NULL);
    assert_int_equal(r.err.code, KM_E_UNSUPPORTED);
    close(accept(proxy, NULL, NULL));

    /* Through an open one TLS begins; this proxy answers it with silence. */
    r = dial_origin(f, NULL, o, 100, open_tunnel);
    assert_int_equal(r.err.code, KM_E_UPSTREAM_TIMEOUT);
    assert_non_null(strstr(r.err.text, "(the TLS handshake)"));
    peer = accept(proxy, NULL, NULL);
    peer_expect(peer, "\x16\x03\x01");
    close(peer);
    close(proxy);
    km_tls_client_unref(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(a_literal_address_is_dialled_without_dns),
        NET_TEST(a_unix_socket_is_connected_to_at_once),
        NET_TEST(a_refused_connection_names_the_address),
        NET_TEST(a_name_without_address_is_a_connect_error_or_a_time_out),
        NET_TEST(the_next_address_is_tried_at_once_when_one_refuses),
        NET_TEST(a_silent_address_costs_one_stagger_and_not_the_time_out),
        NET_TEST(the_families_take_turns),
        NET_TEST(the_time_out_names_the_stage),
        NET_TEST(a_cancelled_dial_calls_nobody),
        NET_TEST(a_guarded_dial_refuses_what_a_name_resolves_to),
        NET_TEST(a_dial_for_an_administrator_refuses_metadata_and_nothing_else),
        NET_TEST(the_stream_of_a_plain_origin_ends_at_the_proxy),
        NET_TEST(a_filter_passes_on_what_it_does_not_do),
        NET_TEST(an_https_origin_behind_a_proxy_goes_through_the_tunnel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
