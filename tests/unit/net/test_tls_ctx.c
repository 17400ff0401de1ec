/* SPDX-License-Identifier: Apache-2.0 */
/* Who the other end is, and what the contexts are made of. */
#include "tls_fixture.h"

#include <pthread.h>
#include <sys/stat.h>

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
        pair_start(env, &p, env->server, client, "api.test"); /* its first connection asks */
        unsetenv("SSL_CERT_FILE");
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
    char locked[128], pipe[128];
    struct km_tls_server *server = NULL;
    struct km_tls_client *client = NULL;
    struct km_err err;
    FILE *f;

    snprintf(locked, sizeof locked, "%s/locked.key", c->dir);
    snprintf(pipe, sizeof pipe, "%s/pipe", c->dir);
    assert_int_equal(mkfifo(pipe, 0600), 0);
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
        { pipe, c->server.key_file, NULL }, /* nothing waits for whoever writes it */
        { c->server.cert_file, pipe, NULL },
        { c->server.cert_file, c->server.key_file, pipe },
        { c->server.cert_file, c->server.key_file, "/no/such-ca.pem" },
        { c->server.key_file, c->server.key_file, NULL },
    };
    static const char *const named[] = { "/no/such.pem", "/no/such.key", "renewed.key",
                                         "locked.key",   "'key'",        "regular",
                                         "regular", "regular", "/no/such-ca.pem",
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
    unlink(pipe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(a_certificate_for_another_host_is_refused),
        TLS_TEST(a_certificate_of_an_unknown_authority_is_refused),
        TLS_TEST(an_expired_certificate_is_refused),
        TLS_TEST(literal_addresses_are_verified_as_addresses),
        TLS_TEST(an_insecure_client_takes_any_certificate),
        TLS_TEST(a_client_certificate_is_asked_for_and_checked),
        TLS_TEST(a_new_certificate_serves_new_streams_and_old_ones_go_on),
        TLS_TEST(workers_share_contexts),
        TLS_TEST(the_systems_trust_is_what_the_environment_names),
        TLS_TEST(unusable_files_are_named),
    };

    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
