/* SPDX-License-Identifier: Apache-2.0 */
/* Requests through a proxy: absolute-form for plain origins, CONNECT for TLS. */
#include "client_fixture.h"

static void use_proxy(struct upstream *u, bool https, struct km_tls_client *tls)
{
    char text[64];
    struct km_proxy_env env = { 0 };

    snprintf(text, sizeof text, "http://user:pass@127.0.0.1:%u", u->port);
    env.http = env.https = km_str_c(text);
    km_origin_unref(u->origin);
    assert_int_equal(
        km_origin_new(https, KM_STR("192.0.2.1"), 8443, tls, &env, false, &u->origin, NULL), 0);
    u->request.origin = u->origin;
}

static void script_proxy(struct upstream *u)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    int fd = take(u);

    CHECK(u, read_request(fd, &b));
    CHECK(u,
          times(&b, "GET http://192.0.2.1:8443/x?y=1 HTTP/1.1\r\nHost: 192.0.2.1:8443\r\n") == 1);
    CHECK(u, times(&b, "\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n") == 1);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    close(fd);
}

static void a_plain_origin_behind_a_proxy_is_asked_for_in_absolute_form(void **state)
{
    struct upstream u;

    (void)state;
    upstream_init(&u);
    use_proxy(&u, false, NULL);
    upstream_run(&u, script_proxy);
    assert_string_equal(km_buf_cstr(&u.text), "200 [ok]\n");
    upstream_done(&u);
}

static void script_tunnel(struct upstream *u)
{
    static const char *const answers[] = {
        "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nsurprise",
        "garbage",
        "",
        "HTTP/1.1 103 Hint\r\n\r\nHTTP/1.1 200 Connected\r\n\r\n",
    };
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    for (size_t i = 0; i < 5; i++) {
        int fd = take(u);

        CHECK(u, read_request(fd, &b));
        CHECK(u, times(&b, "CONNECT 192.0.2.1:8443 HTTP/1.1\r\nHost: 192.0.2.1:8443\r\n"
                           "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n") == 1);
        say(fd, answers[i]);
        km_buf_reset(&b);
        if (i == 4) { /* the tunnel stands: TLS begins */
            CHECK(u, hear(fd, &b, "\x16\x03"));
            say(fd, "not TLS at all");
        }
        close(fd);
    }
}

static void a_tunnel_is_asked_for_and_its_refusals_are_connect_failures(void **state)
{
    struct km_tls_client_args args = { .insecure = true };
    struct km_tls_client *tls;
    struct upstream u;

    (void)state;
    assert_int_equal(km_tls_client_new(&args, &tls, NULL), 0);
    upstream_init(&u);
    use_proxy(&u, true, tls);
    u.calls = 5;
    upstream_run(&u, script_tunnel);
    km_tls_client_unref(tls);
    assert_string_equal(km_buf_cstr(&u.text),
                        "[] UPSTREAM_CONNECT connect\n[] UPSTREAM_CONNECT connect\n"
                        "[] UPSTREAM_CONNECT connect\n[] UPSTREAM_CONNECT connect\n"
                        "[] UPSTREAM_CONNECT connect\n");
    upstream_done(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_origin_behind_a_proxy_is_asked_for_in_absolute_form),
        cmocka_unit_test(a_tunnel_is_asked_for_and_its_refusals_are_connect_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
