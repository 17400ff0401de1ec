/* SPDX-License-Identifier: Apache-2.0 */
/* Percent escapes, query parameters, URLs, and the paths a gateway may judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "http/message.h"
#include "http/syntax.h"

static void what_was_encoded_decodes_to_itself(void **state)
{
    char all[255];
    struct km_arena a;
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_err err;
    struct km_str out;

    (void)state;
    for (int c = 1; c < 256; c++)
        all[c - 1] = (char)c;
    km_arena_init(&a, 64 * 1024, NULL);
    km_url_encode(&b, km_str(all, sizeof all));
    assert_false(km_buf_failed(&b));
    assert_int_equal(km_url_decode(&a, km_buf_view(&b), true, &out, &err), 0);
    assert_true(km_str_eq(out, km_str(all, sizeof all)));
    km_arena_done(&a);
}

static void bad_escapes_are_refused(void **state)
{
    static const char *const bad[] = { "%", "%1", "a%", "%zz", "%4", "%4g", "%g4", "%00", "a%00b" };
    struct km_arena a;
    struct km_err err;
    struct km_str out;

    (void)state;
    km_arena_init(&a, 64 * 1024, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(km_url_decode(&a, km_str_c(bad[i]), false, &out, &err), KM_E_INVALID);
    assert_int_equal(km_url_decode(&a, KM_STR("a+b%2B%0f"), false, &out, &err), 0);
    assert_true(km_str_eq(out, KM_STR("a+b+\x0f")));
    assert_int_equal(km_url_decode(&a, KM_STR("a+b"), true, &out, &err), 0);
    assert_true(km_str_eq(out, KM_STR("a b")));
    km_arena_done(&a);
}

static void query_parameters_are_found_and_decoded(void **state)
{
    struct km_str q = KM_STR("a=1&b=x%20y+z&&c&a=2&d=%zz&%65=5&long%20name=v");
    struct km_arena a;
    struct km_str v;

    (void)state;
    km_arena_init(&a, 64 * 1024, NULL);
    assert_true(km_query_get(&a, q, KM_STR("a"), &v) && km_str_eq(v, KM_STR("1")));
    assert_true(km_query_get(&a, q, KM_STR("b"), &v) && km_str_eq(v, KM_STR("x y z")));
    assert_true(km_query_get(&a, q, KM_STR("c"), &v) && v.n == 0);
    assert_true(km_query_get(&a, q, KM_STR("e"), &v) && km_str_eq(v, KM_STR("5")));
    assert_true(km_query_get(&a, q, KM_STR("long name"), &v) && km_str_eq(v, KM_STR("v")));
    assert_false(km_query_get(&a, q, KM_STR("d"), &v));
    assert_false(km_query_get(&a, q, KM_STR("f"), &v));
    assert_false(km_query_get(&a, KM_STR(""), KM_STR("a"), &v));
    km_arena_done(&a);
}

static void urls_are_taken_apart(void **state)
{
    struct km_url u;
    struct km_err err;

    (void)state;
    assert_int_equal(km_url_parse(KM_STR("https://api.test/v1?x=1"), &u, &err), 0);
    assert_true(u.https && u.port == 443 && km_str_eq(u.host, KM_STR("api.test")));
    assert_true(km_str_eq(u.path, KM_STR("/v1?x=1")));
    assert_int_equal(km_url_parse(KM_STR("HTTP://[::1]:8080"), &u, &err), 0);
    assert_true(!u.https && u.port == 8080 && km_str_eq(u.host, KM_STR("::1")) && u.path.n == 0);
    assert_int_equal(km_url_parse(KM_STR("http://u:p@h/"), &u, &err), 0);
    assert_true(km_str_eq(u.userinfo, KM_STR("u:p")) && km_str_eq(u.host, KM_STR("h")));
}

static void ambiguous_urls_are_refused(void **state)
{
    static const char *const bad[] = { "",
                                       "h",
                                       "ftp://h/",
                                       "http:/h",
                                       "http://",
                                       "http:///x",
                                       "http://h:0/",
                                       "http://h:x/",
                                       "http://a b/",
                                       "http://h\\@e/",
                                       "http://h/a b",
                                       "http://h?x",
                                       "http://h/#f",
                                       "http://h#f",
                                       "http://a@b@c/",
                                       "http://h/\x7f",
                                       "http://[::1/" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct km_url u;
        struct km_err err;

        if (km_url_parse(km_str_c(bad[i]), &u, &err) != KM_E_INVALID)
            fail_msg("'%s' passed as a URL", bad[i]);
    }
}

static void paths_that_could_be_read_as_another_path_are_refused(void **state)
{
    static const char *const good[] = { "/",
                                        "/v1/models",
                                        "/v1/models/gpt-4.1",
                                        "/a/.../b",
                                        "/v1/models/openai%2Fgpt-4",
                                        "/caf%C3%A9",
                                        "/a.b",
                                        "/..a",
                                        "/%F0%9F%98%80",
                                        "/a;b",
                                        "/.well-known",
                                        "/a%20b",
                                        "/25.2e",
                                        "//v1//models" };
    static const char *const bad[] = { "/..",
                                       "/v1/../admin",
                                       "/v1/%2e%2e/admin",
                                       "/v1/.%2E",
                                       "/./a",
                                       "/a/.",
                                       "/%2e",
                                       "/a\\b",
                                       "/a%5Cb",
                                       "/a%00",
                                       "/%zz",
                                       "/%",
                                       "/%4",
                                       "/a#b",
                                       "/a b",
                                       "/caf\xc3\xa9",
                                       "/a\tb",
                                       "/a%0d%0ab",
                                       "/%7f",
                                       "/%c0%ae%c0%ae/a",
                                       "/%ff",
                                       "/%C3",
                                       "/%ed%a0%80",
                                       "/%f4%90%80%80",
                                       "/%252e%252e/a",
                                       "/%25252e./a",
                                       "/..;/a",
                                       "/..;x=1/a",
                                       "/%2e%2e%3b/a" };
    const char *why;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!km_path_ok(km_str_c(good[i]), &why))
            fail_msg("'%s' was refused: %s", good[i], why);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (km_path_ok(km_str_c(bad[i]), &why))
            fail_msg("'%s' passed as a path", bad[i]);
}

static void queries_may_hold_anything_but_bad_escapes(void **state)
{
    const char *why;

    (void)state;
    assert_true(km_query_ok(KM_STR("a=../..&b=%0a&c=%ff&d=\\"), &why));
    assert_false(km_query_ok(KM_STR("a=%00"), &why));
    assert_false(km_query_ok(KM_STR("a=%zz"), &why));
    assert_false(km_query_ok(KM_STR("a=%4"), &why));
    assert_false(km_query_ok(KM_STR("a#b"), &why));
    assert_false(km_query_ok(KM_STR("a=\xff"), &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_encoded_decodes_to_itself),
        cmocka_unit_test(bad_escapes_are_refused),
        cmocka_unit_test(query_parameters_are_found_and_decoded),
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(ambiguous_urls_are_refused),
        cmocka_unit_test(paths_that_could_be_read_as_another_path_are_refused),
        cmocka_unit_test(queries_may_hold_anything_but_bad_escapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
