/* SPDX-License-Identifier: Apache-2.0 */
/* tls_fixture.h - both ends of a TLS connection in one loop, with certificates of the run. */
#ifndef KM_TESTS_NET_TLS_FIXTURE_H
#define KM_TESTS_NET_TLS_FIXTURE_H

#include "certs.h"

#include "net/tls.h"

struct ready {
    int calls;
    struct km_err err;
    struct km_stream *stream; /* freed inside when set */
};

static inline void on_ready(void *ctx, const struct km_err *err)
{
    struct ready *r = ctx;

    r->calls++;
    r->err.code = 0;
    if (err)
        r->err = *err;
    if (r->stream)
        r->stream = km_stream_free(r->stream);
}

static inline bool is_ready(void *ctx)
{
    return ((struct ready *)ctx)->calls > 0;
}

struct tls_env {
    struct fixture f;
    struct certs *certs;
    struct km_tls_server *server; /* certs->server */
    struct km_tls_client *client; /* trusts certs->ca */
};

static inline struct km_tls_server *new_server(const struct identity *id, const char *client_ca)
{
    struct km_tls_server_args args = { id->cert_file, id->key_file, client_ca };
    struct km_tls_server *tls;

    assert_int_equal(km_tls_server_new(&args, &tls, NULL), 0);
    return tls;
}

static inline struct km_tls_client *new_client(const char *ca, const struct identity *id,
                                               bool insecure)
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

static inline int make_certs(void **state)
{
    (void)state;
    all_certs = certs_new();
    return 0;
}

static inline int drop_certs(void **state)
{
    (void)state;
    certs_free(all_certs);
    return 0;
}

static inline int setup(void **state)
{
    struct tls_env *env = calloc(1, sizeof *env);

    fixture_init(&env->f);
    env->certs = all_certs;
    env->server = new_server(&env->certs->server, NULL);
    env->client = new_client(env->certs->ca.cert_file, NULL, false);
    *state = env;
    return 0;
}

static inline int teardown(void **state)
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
static inline void pair_start(struct tls_env *env, struct pair *p, struct km_tls_server *server,
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

static inline void pair_open(struct tls_env *env, struct pair *p)
{
    pair_start(env, p, env->server, env->client, "api.test");
    run_until(&env->f, is_ready, &p->ready);
    assert_int_equal(p->ready.err.code, 0);
    owner_take(&p->client, p->client.stream);
}

static inline void pair_done(struct pair *p)
{
    owner_done(&p->client);
    owner_done(&p->server);
}

#define TLS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
