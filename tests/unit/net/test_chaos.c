/* SPDX-License-Identifier: Apache-2.0 */
/* Two streams that write, pause, resume, shut down and go away at random, plain and over TLS,
 * with kernel buffers so small that much is queued.  Whatever happens, what arrives is a
 * prefix of what was written, and all of it when both lived to the end.  The seeds are fixed:
 * a failure repeats. */
#include "certs.h"

#include "net/tls.h"

#define SEEDS 20
#define STEPS 600

struct side {
    struct owner o;
    uint64_t written; /* bytes so far; byte i of a side is pattern(i, salt) */
    uint32_t salt;
};

struct game {
    struct fixture *f;
    struct side side[2];
    uint32_t random;
    int steps;
    bool may_free;
    struct km_deferred next;
    bool over;
};

static uint32_t next_random(struct game *g, uint32_t below)
{
    g->random = g->random * 1664525u + 1013904223u;
    return (g->random >> 8) % below;
}

static char pattern(uint64_t i, uint32_t salt)
{
    return (char)(((uint32_t)i + salt) * 2654435761u >> 11);
}

static void write_some(struct game *g, struct side *s)
{
    static char bytes[60000];
    struct km_str parts[3];
    size_t total = 0;

    for (int i = 0; i < 3; i++) {
        size_t n = next_random(g, 4) ? next_random(g, 300) : next_random(g, 20000);

        parts[i] = km_str(bytes + total, n);
        total += n;
    }
    for (size_t i = 0; i < total; i++)
        bytes[i] = pattern(s->written + i, s->salt);
    km_stream_write(s->o.stream, parts, 3, NULL);
    s->written += total;
}

static void step(struct game *g, struct side *s)
{
    uint32_t what = next_random(g, 100);

    if (!s->o.stream || s->o.closes)
        return;
    if (what < 40)
        write_some(g, s);
    else if (what < 65)
        km_stream_pause(s->o.stream);
    else if (what < 95)
        km_stream_resume(s->o.stream);
    else if (what == 99 && g->may_free)
        owner_free(&s->o);
}

static void on_step(void *ctx)
{
    struct game *g = ctx;

    step(g, &g->side[next_random(g, 2)]);
    if (++g->steps < STEPS) {
        km_deferred_queue(&g->next); /* with a look at the sockets every few rounds */
        return;
    }
    g->over = true;
    for (int i = 0; i < 2; i++) {
        struct side *s = &g->side[i];

        if (!s->o.stream || s->o.closes)
            continue;
        km_stream_resume(s->o.stream);
        km_stream_shutdown(s->o.stream);
    }
}

static bool side_ended(const struct side *s)
{
    return !s->o.stream || s->o.eofs || s->o.closes;
}

static bool game_ended(void *ctx)
{
    const struct game *g = ctx;

    return g->over && side_ended(&g->side[0]) && side_ended(&g->side[1]);
}

static void check(const struct side *from, const struct side *to, bool whole)
{
    assert_true(to->o.got.n <= from->written);
    if (whole)
        assert_int_equal(to->o.got.n, from->written);
    for (size_t i = 0; i < to->o.got.n; i++)
        if (to->o.got.p[i] != pattern(i, from->salt))
            fail_msg("byte %zu of %zu differs", i, to->o.got.n);
}

static void narrow(struct km_stream **s, struct km_loop *loop)
{
    const int small = 40000;
    union km_addr a = loopback(0);
    int fd = km_stream_detach(*s);

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    *s = km_tcp_from_fd(loop, fd, &a, NULL);
}

static void ignore_ready(void *ctx, const struct km_err *err)
{
    assert_null(err);
    *(bool *)ctx = true;
}

static void play(struct fixture *f, struct km_tls_server *server, struct km_tls_client *client,
                 uint32_t seed, bool may_free)
{
    struct game g = { .f = f, .random = seed * 7919u + 1, .may_free = may_free };
    union km_addr a = loopback(0);
    struct km_stream *one, *two;
    bool ready = !client, whole;
    int fd;

    one = tcp_pair(f, &fd);
    two = km_tcp_from_fd(f->loop, fd, &a, NULL);
    narrow(&one, f->loop);
    narrow(&two, f->loop);
    if (client) {
        one = km_tls_accept(f->loop, one, server, NULL);
        two = km_tls_connect(f->loop, two, client, KM_STR("api.test"), ignore_ready, &ready, NULL);
        run_until(f, is_set, &ready);
    }
    owner_take(&g.side[0].o, one);
    owner_take(&g.side[1].o, two);
    g.side[1].salt = 77;
    km_deferred_init(&g.next, f->loop, on_step, &g);
    km_deferred_queue(&g.next);
    run_until(f, game_ended, &g);
    whole = g.side[0].o.stream && g.side[1].o.stream;
    if (!may_free) {
        assert_true(whole);
        assert_int_equal(g.side[0].o.closes + g.side[1].o.closes, 0);
    }
    check(&g.side[0], &g.side[1], whole && !may_free);
    check(&g.side[1], &g.side[0], whole && !may_free);
    owner_done(&g.side[0].o);
    owner_done(&g.side[1].o);
}

static void plain_streams_survive_chaos(void **state)
{
    for (uint32_t seed = 0; seed < SEEDS; seed++)
        play(*state, NULL, NULL, seed, seed % 2);
}

static void tls_streams_survive_chaos(void **state)
{
    struct certs *c = certs_new();
    const struct km_tls_server_args server_args = { c->server.cert_file, c->server.key_file, NULL };
    const struct km_tls_client_args client_args = { .ca_file = c->ca.cert_file };
    struct km_tls_server *server;
    struct km_tls_client *client;

    assert_int_equal(km_tls_server_new(&server_args, &server, NULL), 0);
    assert_int_equal(km_tls_client_new(&client_args, &client, NULL), 0);
    for (uint32_t seed = 0; seed < SEEDS; seed++)
        play(*state, server, client, seed, seed % 2);
    km_tls_server_unref(server);
    km_tls_client_unref(client);
    certs_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(plain_streams_survive_chaos),
        NET_TEST(tls_streams_survive_chaos),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
