/* SPDX-License-Identifier: Apache-2.0 */
/* Percent escapes, query parameters, URLs, and the paths a gateway may judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/encode.h"
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

static const char *const good_paths[] = { "/",
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
                                    "//v1//models",
                                    "/model/arn%3Aaws%3Abedrock%3A%3A1%3Aprofile%2Fx.y",
                                    "/a%2Fb%2fc",
                                    "/a%252Fb",
                                    "/a%25252Fb",
                                    "/100%25",
                                    "/100%2525",
                                    "/a;v=1.0;w=..x/b" };
static const char *const bad_paths[] = { "/..",
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
                                   "/%2e%2e%3b/a",
                                   "/pt/..%2fx",
                                   "/pt/%2e%2e%2fx",
                                   "/pt/a%2f..",
                                   "/pt/a%2f.%2fb",
                                   "/pt/a%2F%2e%2E%2Fb",
                                   "/pt/a%252f..%252fb",
                                   "/pt/a%25252f%25252e%25252e%25252fb",
                                   "/pt/%25252e%2e",
                                   "/pt/%25%32%65%2e",
                                   "/pt/%25%32%35%32%65.",
                                   "/pt/a%5c..%5cb",
                                   "/pt/a%255c..%255cb",
                                   "/pt/a;..",
                                   "/pt/a;/..;x=1",
                                   "/pt/a%3b%2e%2e%3bb",
                                   "/pt/a%253b..",
                                   "/pt/a%2500",
                                   "/pt/a%25250a",
                                   "/pt/%25c0%25ae%25c0%25ae%252fa",
                                   "/pt/%2525252e",
                                   "/pt/a%2525252fb",
                                   "/model/arn..x%2f..%2fy/converse",
                                   "/pt/..%3fx",
                                   "/pt/%2e%2e%23/x",
                                   "/pt/..%253f",
                                   "/models/..%2f..%2fx:generateContent",
                                   "/deployments/..%2f..%2fx/chat/completions" };

static void paths_that_could_be_read_as_another_path_are_refused(void **state)
{
    const char *why;

    (void)state;
    for (size_t i = 0; i < sizeof good_paths / sizeof *good_paths; i++)
        if (!km_path_ok(km_str_c(good_paths[i]), &why))
            fail_msg("'%s' was refused: %s", good_paths[i], why);
    for (size_t i = 0; i < sizeof bad_paths / sizeof *bad_paths; i++)
        if (km_path_ok(km_str_c(bad_paths[i]), &why))
            fail_msg("'%s' passed as a path", bad_paths[i]);
}

static void a_value_in_a_path_may_hold_a_backslash_but_lead_nowhere_else(void **state)
{
    static const char *const good[] = { "/n/a%5Cb", "/n/100%25", "/n/a%3B%2E%2Eb", "/n/x%252Fy" };
    static const char *const bad[] = { "/n/..%5Cx", "/n/%2e%2e%3Bx", "/n/%252e%252e", "/n/a%5C.",
                                       "/n/a%255c..%252fb", "/n/%0A" };
    const char *why;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!km_path_filled_ok(km_str_c(good[i]), &why))
            fail_msg("'%s' was refused: %s", good[i], why);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (km_path_filled_ok(km_str_c(bad[i]), &why))
            fail_msg("'%s' passed as a path", bad[i]);
}

/* --- what a server sees --- */

static unsigned dice(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* One of the texts a hostile path is made of, escaped up to four times, each time in part. */
static void put_piece(struct km_buf *out, unsigned *state)
{
    static const char *const pieces[] = { ".", "..", "/", "\\", ";", "a", "%2F", "x.y", "%", "2e" };
    struct km_buf a KM_CLEANUP(km_buf_done) = KM_BUF(4096),
                    b KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    km_buf_str(&a, km_str_c(pieces[dice(state) % (sizeof pieces / sizeof pieces[0])]));
    for (unsigned times = dice(state) % 5; times > 0; times--) {
        km_buf_reset(&b);
        for (size_t i = 0; i < a.n; i++)
            if (a.p[i] == '%' ? dice(state) % 2 : dice(state) % 3)
                km_buf_printf(&b, dice(state) % 2 ? "%%%02x" : "%%%02X", (unsigned char)a.p[i]);
            else
                km_buf_byte(&b, a.p[i]);
        km_buf_reset(&a);
        km_buf_str(&a, km_buf_view(&b));
    }
    km_buf_str(out, km_buf_view(&a));
}

/* Decodes as most servers do: what is no escape stays. */
static size_t decode_once(char *s, size_t n)
{
    size_t out = 0;

    for (size_t i = 0; i < n; i++) {
        int hi = i + 2 < n ? km_hex_value(s[i + 1]) : -1,
            lo = i + 2 < n ? km_hex_value(s[i + 2]) : -1;

        if (s[i] == '%' && hi >= 0 && lo >= 0) {
            s[out++] = (char)(hi * 16 + lo);
            i += 2;
        } else {
            s[out++] = s[i];
        }
    }
    return out;
}

/* Walks the folders as a server does that ends names at `ends`: false, it is outside. */
static bool stays_inside(const char *s, size_t n, const char *ends)
{
    int depth = 0;
    size_t from = 0;

    for (size_t i = 0; i <= n; i++) {
        if (i < n && !strchr(ends, s[i]))
            continue;
        if (i - from == 2 && s[from] == '.' && s[from + 1] == '.')
            depth--;
        else if (i > from && !(i - from == 1 && s[from] == '.'))
            depth++;
        if (depth < 0)
            return false;
        from = i + 1;
    }
    return true;
}

static void no_server_that_decodes_a_passed_path_leaves_its_folder(void **unused)
{
    static const char *const ends[] = { "/", "/\\", "/;", "/\\;" };
    unsigned state = 20261122, passed = 0, refused = 0;

    (void)unused;
    for (unsigned round = 0; round < 200000; round++) {
        struct km_buf path KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
        char text[4096];
        const char *why;
        size_t n;

        km_buf_byte(&path, '/');
        for (unsigned pieces = 1 + dice(&state) % 6; pieces > 0; pieces--)
            put_piece(&path, &state);
        n = path.n - 1;
        if (!km_path_ok(km_buf_view(&path), &why)) {
            refused++;
            continue;
        }
        passed++;
        assert_true(n < sizeof text);
        memcpy(text, path.p + 1, n);
        for (unsigned times = 0; times <= 5; times++) {
            for (size_t e = 0; e < sizeof ends / sizeof ends[0]; e++)
                if (!stays_inside(text, n, ends[e]))
                    fail_msg("'%.*s', decoded %u times, leaves its folder", (int)path.n, path.p,
                             times);
            n = decode_once(text, n);
        }
    }
    assert_true(passed > 1000 && refused > 1000);
}

static void targets_of_upstreams_are_judged_without_their_query(void **state)
{
    struct km_err err;

    (void)state;
    assert_int_equal(km_target_check(KM_STR("/v1/models/x%2Fy?a=../.."), &err), 0);
    assert_int_equal(km_target_check(KM_STR("/v1/models/..%2F..%2Fy?a=b"), &err), KM_E_INVALID);
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
        cmocka_unit_test(a_value_in_a_path_may_hold_a_backslash_but_lead_nowhere_else),
        cmocka_unit_test(no_server_that_decodes_a_passed_path_leaves_its_folder),
        cmocka_unit_test(targets_of_upstreams_are_judged_without_their_query),
        cmocka_unit_test(queries_may_hold_anything_but_bad_escapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
