/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "net/dial.h"
#include "net/proxy.h"

static struct km_tls_client *some_tls(void)
{
    const struct km_tls_client_args args = { .insecure = true };
    struct km_tls_client *tls;

    assert_int_equal(km_tls_client_new(&args, &tls, NULL), 0);
    return tls;
}

static void assert_str(struct km_str got, const char *expected)
{
    if (!km_str_eq(got, km_str_c(expected)))
        fail_msg("'%.*s', not '%s'", KM_STR_ARG(got), expected);
}

static void the_host_header_has_a_port_only_when_it_is_not_the_schemes_own(void **state)
{
    static const struct {
        const char *host, *header;
        uint16_t port;
        bool https;
    } table[] = {
        { "api.test", "api.test", 443, true },   { "api.test", "api.test:80", 80, true },
        { "api.test", "api.test", 80, false },   { "api.test", "api.test:443", 443, false },
        { "[::1]", "[::1]", 80, false },         { "::1", "[::1]:8080", 8080, false },
        { "127.0.0.1", "127.0.0.1", 443, true },
    };
    struct km_tls_client *tls = some_tls();

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct km_origin *o;

        assert_int_equal(km_origin_new(table[i].https, km_str_c(table[i].host), table[i].port, tls,
                                       NULL, false, &o, NULL),
                         0);
        assert_str(o->host_header, table[i].header);
        assert_int_equal(o->port, table[i].port);
        assert_int_equal(!!o->tls, table[i].https);
        assert_int_equal(o->proxy_host.n, 0);
        assert_null(memchr(o->host.p, '[', o->host.n));
        km_origin_unref(km_origin_ref(o));
        km_origin_unref(o);
    }
    km_tls_client_unref(tls);
}

static void whatever_makes_connections_differ_makes_keys_differ(void **state)
{
    struct km_tls_client *one = some_tls(), *two = some_tls();
    const struct km_proxy_env env = { .https = KM_STR("http://proxy.test:3128") };
    struct km_origin *o[8];
    size_t n = 0;

    (void)state;
#define ORIGIN(...) assert_int_equal(km_origin_new(__VA_ARGS__, &o[n++], NULL), 0)
    ORIGIN(true, KM_STR("api.test"), 443, one, NULL, false);
    ORIGIN(true, KM_STR("api.test"), 443, two, NULL, false);
    ORIGIN(true, KM_STR("api.test"), 443, one, &env, false);
    ORIGIN(true, KM_STR("api.test"), 443, one, &env, true);
    ORIGIN(true, KM_STR("api.test"), 444, one, NULL, false);
    ORIGIN(true, KM_STR("api2.test"), 443, one, NULL, false);
    ORIGIN(false, KM_STR("api.test"), 443, NULL, NULL, false);
    ORIGIN(true, KM_STR("api.test"), 443, one, NULL, false);
#undef ORIGIN
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            assert_int_equal(km_str_eq(o[i]->key, o[k]->key), i == 0 && k == n - 1);
    assert_int_equal(o[3]->proxy_host.n, 0); /* guarded: never through a proxy */
    for (size_t i = 0; i < n; i++)
        km_origin_unref(o[i]);
    km_tls_client_unref(one);
    km_tls_client_unref(two);
}

static void hosts_that_cannot_be_are_refused(void **state)
{
    struct km_origin *o;
    char longest[256];

    (void)state;
    memset(longest, 'a', sizeof longest);
    assert_int_equal(km_origin_new(false, KM_STR(""), 80, NULL, NULL, false, &o, NULL),
                     KM_E_INVALID);
    assert_int_equal(km_origin_new(false, KM_STR("a\0b"), 80, NULL, NULL, false, &o, NULL),
                     KM_E_INVALID);
    assert_int_equal(km_origin_new(false, km_str(longest, 256), 80, NULL, NULL, false, &o, NULL),
                     KM_E_INVALID);
    assert_int_equal(km_origin_new(false, km_str(longest, 255), 80, NULL, NULL, false, &o, NULL),
                     0);
    km_origin_unref(o);
}

static void the_scheme_chooses_the_proxy(void **state)
{
    const struct km_proxy_env env = { .http = KM_STR("plain.test"),
                                      .https = KM_STR("http://me:s%40c%3aret@secure.test:3128/") };
    struct km_tls_client *tls = some_tls();
    struct km_origin *o;

    (void)state;
    assert_int_equal(km_origin_new(false, KM_STR("api.test"), 80, NULL, &env, false, &o, NULL), 0);
    assert_str(o->proxy_host, "plain.test");
    assert_int_equal(o->proxy_port, 80);
    assert_int_equal(o->proxy_auth.n, 0);
    km_origin_unref(o);
    assert_int_equal(km_origin_new(true, KM_STR("api.test"), 443, tls, &env, false, &o, NULL), 0);
    assert_str(o->proxy_host, "secure.test");
    assert_int_equal(o->proxy_port, 3128);
    assert_str(o->proxy_auth, "Basic bWU6c0BjOnJldA=="); /* me:s@c:ret */
    assert_int_equal(km_str_find(o->key, KM_STR("bWU6")), o->key.n);
    km_origin_unref(o);
    km_tls_client_unref(tls);
}

static void proxy_urls_are_read_or_refused_without_repeating_them(void **state)
{
    static const struct {
        const char *url, *host;
        uint16_t port;
        int code;
    } table[] = {
        { "http://p.test:8080", "p.test", 8080, 0 },
        { "HTTP://p.test", "p.test", 80, 0 },
        { "p.test:1", "p.test", 1, 0 },
        { " http://p.test/ignored?too ", "p.test", 80, 0 },
        { "http://[::1]:3128", "::1", 3128, 0 },
        { "http://[::1]", "::1", 80, 0 },
        { "http://user:secret@[fd00::1]:3128", "fd00::1", 3128, 0 },
        { "socks5://user:secret@p.test:1080", NULL, 0, KM_E_UNSUPPORTED },
        { "https://user:secret@p.test:443", NULL, 0, KM_E_UNSUPPORTED },
        { "http://user:secret@", NULL, 0, KM_E_INVALID },
        { "http://user:secret@p.test:http", NULL, 0, KM_E_INVALID },
        { "http://user:secret@p.test:65536", NULL, 0, KM_E_INVALID },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct km_proxy p;
        struct km_err err;

        assert_int_equal(km_proxy_parse(km_str_c(table[i].url), &p, &err), table[i].code);
        if (table[i].code == 0) {
            assert_str(p.host, table[i].host);
            assert_int_equal(p.port, table[i].port);
        } else {
            assert_null(strstr(err.text, "secret"));
        }
        km_buf_done(&p.auth);
    }
}

static void no_proxy_rules_decide_as_listed(void **state)
{
    static const struct {
        const char *none, *host;
        uint16_t port;
        bool direct;
    } table[] = {
        { "", "api.test", 443, false },
        { "*", "api.test", 443, true },
        { "x, * ", "api.test", 443, true },
        { "api.test", "api.test", 443, true },
        { "API.Test", "api.TEST", 443, true },
        { "api.test", "api.test.", 443, true },
        { "test", "api.test", 443, true },
        { ".test", "api.test", 443, true },
        { "*.test", "api.test", 443, true },
        { ".api.test", "api.test", 443, true },
        { "pi.test", "api.test", 443, false },
        { "*pi.test", "api.test", 443, false },
        { "api.test.evil", "api.test", 443, false },
        { "other.test,api.test", "api.test", 443, true },
        { "other.test api.test", "api.test", 443, true },
        { " , ,, ", "api.test", 443, false },
        { ".", "api.test", 443, false },
        { "api.test:443", "api.test", 443, true },
        { "api.test:80", "api.test", 443, false },
        { "api.test:http", "api.test", 443, false },
        { "10.1.2.3", "10.1.2.3", 80, true },
        { "10.1.2.3", "10.1.2.4", 80, false },
        { "10.1.2.3:80", "10.1.2.3", 80, true },
        { "10.1.2.3:81", "10.1.2.3", 80, false },
        { "10.0.0.0/8", "10.200.1.1", 80, true },
        { "10.0.0.0/8", "11.0.0.1", 80, false },
        { "10.128.0.0/9", "10.127.255.255", 80, false },
        { "10.128.0.0/9", "10.128.0.1", 80, true },
        { "0.0.0.0/0", "8.8.8.8", 80, true },
        { "10.0.0.0/33", "10.0.0.1", 80, false },
        { "10.0.0.0/", "10.0.0.1", 80, false },
        { "10.0.0.0/x", "10.0.0.1", 80, false },
        { "0.1", "10.0.0.1", 80, false }, /* no suffixes of addresses */
        { "fd00::/8", "fd12::1", 80, true },
        { "fd00::/8", "fe12::1", 80, false },
        { "fd00::1", "fd00:0::1", 80, true },
        { "[fd00::1]", "fd00::1", 80, true },
        { "[fd00::1]:80", "fd00::1", 80, true },
        { "[fd00::1]:81", "fd00::1", 80, false },
        { "10.0.0.0/8", "fd00::1", 80, false },
        { "10.0.0.0/8", "ten.test", 80, false }, /* names are not resolved for this */
        { "", "localhost", 80, true },
        { "", "127.0.0.7", 80, true },
        { "", "::1", 80, true },
        { "", "localhost.evil.test", 80, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (km_proxy_bypass(km_str_c(table[i].none), km_str_c(table[i].host), table[i].port) !=
            table[i].direct)
            fail_msg("NO_PROXY='%s', %s:%u", table[i].none, table[i].host, (unsigned)table[i].port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_header_has_a_port_only_when_it_is_not_the_schemes_own),
        cmocka_unit_test(whatever_makes_connections_differ_makes_keys_differ),
        cmocka_unit_test(hosts_that_cannot_be_are_refused),
        cmocka_unit_test(the_scheme_chooses_the_proxy),
        cmocka_unit_test(proxy_urls_are_read_or_refused_without_repeating_them),
        cmocka_unit_test(no_proxy_rules_decide_as_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
