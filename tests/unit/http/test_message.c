/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields: looking up, list tokens, and what may never be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "http/message.h"
#include "http/syntax.h"

static const struct km_header fields[] = {
    { { "Host", 4 }, { "a", 1 } },
    { { "Connection", 10 }, { "keep-alive , TE", 15 } },
    { { "X-A", 3 }, { "1", 1 } },
    { { "x-a", 3 }, { "2", 1 } },
    { { "connection", 10 }, { ",close,", 7 } },
};
static const struct km_headers headers = { .v = fields, .n = sizeof fields / sizeof *fields };

static void the_first_field_of_a_name_is_found_whatever_its_case(void **state)
{
    (void)state;
    assert_true(km_str_eq(km_header_get(&headers, KM_STR("x-A")), KM_STR("1")));
    assert_true(km_str_eq(km_header_get(&headers, KM_STR("HOST")), KM_STR("a")));
    assert_int_equal(km_header_get(&headers, KM_STR("hos")).n, 0);
    assert_null(km_header_get(&headers, KM_STR("cookie")).p);
    assert_int_equal(km_header_count(&headers, KM_STR("X-A")), 2);
    assert_int_equal(km_header_count(&headers, KM_STR("none")), 0);
}

static void tokens_are_found_in_all_fields_of_a_name(void **state)
{
    (void)state;
    assert_true(km_header_has_token(&headers, KM_STR("connection"), KM_STR("te")));
    assert_true(km_header_has_token(&headers, KM_STR("connection"), KM_STR("Close")));
    assert_true(km_header_has_token(&headers, KM_STR("connection"), KM_STR("keep-alive")));
    assert_false(km_header_has_token(&headers, KM_STR("connection"), KM_STR("keep")));
    assert_false(km_header_has_token(&headers, KM_STR("host"), KM_STR("b")));
}

static void every_byte_is_judged_before_a_header_line_is_written(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(256);
        struct km_err err;
        char text[3] = { 'a', (char)c, 'b' };
        bool value_ok = c == '\t' || (c >= 0x20 && c != 0x7f);
        bool name_ok = km_is_token(km_str(text, 3));
        int r = km_header_put(&b, KM_STR("X-V"), km_str(text, 3), &err);

        assert_int_equal(r, value_ok ? 0 : KM_E_INVALID);
        assert_int_equal(b.n, value_ok ? 10 : 0);
        km_buf_reset(&b);
        r = km_header_put(&b, km_str(text, 3), KM_STR("v"), &err);
        assert_int_equal(r, name_ok ? 0 : KM_E_INVALID);
        if (strchr(" \t\r\n:\"(),/;<=>?@[\\]{}", c) || c >= 127)
            assert_false(name_ok);
    }
}

static void a_header_line_over_the_buffer_is_an_error(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8);
    struct km_err err;

    (void)state;
    assert_int_equal(km_header_put(&b, KM_STR("Name"), KM_STR("value"), &err), KM_E_LIMIT);
}

static void hosts_are_judged_strictly(void **state)
{
    static const char *const good[] = { "a",          "gw.test",
                                        "gw.test:80", "127.0.0.1:65535",
                                        "[::1]",      "[2001:db8::1]:443",
                                        "a-b.c_d.",   "localhost:1" };
    static const char *const bad[] = { "",        ":80",      "a:",      "a:0",    "a:99999",
                                       "a:65536", "a:-1",     "a:+1",    "a:1x",   "a b",
                                       "a,b",     "u@a",      "a/x",     "a?x",    "a#x",
                                       "[::1",    "::1",      "[::g]",   "[::1]x", "[]",
                                       "a..b",    ".a",       "a\\b",    "a%41",   "[::1%25lo]",
                                       "a:1:2",   "http://a", "a:000080" };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct km_str host;
        uint16_t port;

        assert_true(km_host_port(km_str_c(good[i]), &host, &port));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct km_str host;
        uint16_t port;

        if (km_host_port(km_str_c(bad[i]), &host, &port))
            fail_msg("'%s' passed as a host", bad[i]);
    }
}

static void a_copy_stands_in_one_piece(void **state)
{
    struct km_arena arena, small;
    struct km_headers copy, none = { 0 };

    (void)state;
    km_arena_init(&arena, 4096, NULL);
    km_arena_init(&small, 16, NULL);
    copy = km_headers_copy(&arena, &headers);
    assert_int_equal(copy.n, headers.n);
    for (size_t i = 0; i < copy.n; i++) {
        assert_true(km_str_eq(copy.v[i].name, headers.v[i].name));
        assert_true(km_str_eq(copy.v[i].value, headers.v[i].value));
        assert_ptr_not_equal(copy.v[i].value.p, headers.v[i].value.p);
        assert_in_range((uintptr_t)copy.v[i].name.p, (uintptr_t)copy.text.p,
                        (uintptr_t)copy.text.p + copy.text.n - copy.v[i].name.n);
        assert_in_range((uintptr_t)copy.v[i].value.p, (uintptr_t)copy.text.p,
                        (uintptr_t)copy.text.p + copy.text.n - copy.v[i].value.n);
    }
    assert_int_equal(km_headers_copy(&arena, &none).n, 0);
    assert_int_equal(km_headers_copy(&small, &headers).n, 0);
    assert_true(km_arena_overflowed(&small));
    km_arena_done(&arena);
    km_arena_done(&small);
}

static void lines_are_read_as_they_were_written(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    struct km_str lines, name, value;
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < headers.n; i++)
        assert_int_equal(km_header_put(&b, fields[i].name, km_str_trim(fields[i].value), NULL), 0);
    for (lines = km_buf_view(&b); km_header_next(&lines, &name, &value); n++) {
        assert_true(km_str_eq(name, fields[n].name));
        assert_true(km_str_eq(value, km_str_trim(fields[n].value)));
    }
    assert_int_equal(n, headers.n);
    lines = KM_STR("no line\r\nA:\r\nB: x");
    assert_true(km_header_next(&lines, &name, &value));
    assert_true(km_str_eq(name, KM_STR("A")) && value.n == 0);
    assert_true(km_header_next(&lines, &name, &value));
    assert_true(km_str_eq(name, KM_STR("B")) && km_str_eq(value, KM_STR("x")));
    assert_false(km_header_next(&lines, &name, &value));
}

static void reasons_are_known_for_the_statuses_in_use(void **state)
{
    (void)state;
    assert_string_equal(km_http_reason(200), "OK");
    assert_string_equal(km_http_reason(431), "Request Header Fields Too Large");
    assert_string_equal(km_http_reason(299), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_field_of_a_name_is_found_whatever_its_case),
        cmocka_unit_test(tokens_are_found_in_all_fields_of_a_name),
        cmocka_unit_test(every_byte_is_judged_before_a_header_line_is_written),
        cmocka_unit_test(a_header_line_over_the_buffer_is_an_error),
        cmocka_unit_test(hosts_are_judged_strictly),
        cmocka_unit_test(a_copy_stands_in_one_piece),
        cmocka_unit_test(lines_are_read_as_they_were_written),
        cmocka_unit_test(reasons_are_known_for_the_statuses_in_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
