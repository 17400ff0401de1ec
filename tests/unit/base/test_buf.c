/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"

static void view_is(struct km_buf *b, const char *text)
{
    assert_string_equal(km_buf_cstr(b), text);
    assert_int_equal(b->n, strlen(text));
}

static void appends_add_up(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1000);

    (void)state;
    km_buf_str(&b, KM_STR("a"));
    km_buf_byte(&b, ' ');
    km_buf_u64(&b, UINT64_MAX);
    km_buf_byte(&b, ' ');
    km_buf_i64(&b, INT64_MIN);
    km_buf_printf(&b, " %s-%d", "x", 5);
    view_is(&b, "a 18446744073709551615 -9223372036854775808 x-5");
    km_buf_reset(&b);
    km_buf_u64(&b, 0);
    view_is(&b, "0");
}

static void the_limit_is_exact_and_failure_sticks(void **state)
{
    (void)state;
    for (size_t max = 0; max < 300; max += 7) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(max);

        for (size_t i = 0; i < max; i++)
            km_buf_byte(&b, 'x');
        assert_false(km_buf_failed(&b));
        assert_int_equal(b.n, max);
        km_buf_byte(&b, 'y');
        assert_true(km_buf_failed(&b));
        assert_int_equal(b.n, max);
        assert_string_equal(km_buf_cstr(&b), "");
        km_buf_consume(&b, 1);
        km_buf_byte(&b, 'z'); /* would fit, but the bit is sticky */
        assert_int_equal(b.n, max ? max - 1 : 0);
        km_buf_reset(&b);
        assert_false(km_buf_failed(&b));
    }
}

static void a_refused_append_changes_nothing(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(10);

    (void)state;
    km_buf_str(&b, KM_STR("12345"));
    km_buf_str(&b, KM_STR("678901"));
    assert_true(km_buf_failed(&b));
    assert_true(km_str_eq(km_buf_view(&b), KM_STR("12345")));
}

static void decimals_have_no_trailing_zeros(void **state)
{
    static const struct {
        int64_t v;
        int scale;
        const char *text;
    } cases[] = {
        { 0, 0, "0" },
        { 0, 9, "0" },
        { 1500, 3, "1.5" },
        { 1000, 3, "1" },
        { 1, 9, "0.000000001" },
        { -1, 2, "-0.01" },
        { -1200, 2, "-12" },
        { 12345, 0, "12345" },
        { INT64_MIN, 18, "-9.223372036854775808" },
        { INT64_MAX, 9, "9223372036.854775807" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(100);

        km_buf_decimal(&b, cases[i].v, cases[i].scale);
        assert_string_equal(km_buf_cstr(&b), cases[i].text);
    }
}

static void printf_grows_at_every_size(void **state)
{
    char expected[600];

    (void)state;
    memset(expected, 'q', sizeof expected);
    for (int n = 0; n < 500; n++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(510);

        km_buf_str(&b, KM_STR("head"));
        km_buf_printf(&b, "%.*s", n, expected);
        assert_false(km_buf_failed(&b));
        assert_int_equal(b.n, (size_t)n + 4);
        assert_memory_equal(b.p + 4, expected, (size_t)n);
        km_buf_printf(&b, "%.*s", 510 - n, expected);
        assert_true(km_buf_failed(&b));
        assert_int_equal(b.n, (size_t)n + 4);
    }
}

static void reserve_gives_room_or_null(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(100);
    char *p = km_buf_reserve(&b, 100);

    (void)state;
    assert_non_null(p);
    memset(p, 'r', 100);
    b.n += 100;
    assert_non_null(km_buf_reserve(&b, 0));
    assert_null(km_buf_reserve(&b, 1));
    assert_true(km_buf_failed(&b));
}

static void an_empty_reserve_is_not_a_failure(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(0);

    (void)state;
    assert_non_null(km_buf_reserve(&b, 0));
    assert_null(km_buf_reserve(&b, SIZE_MAX));
}

static void consume_drops_from_the_front(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(100);

    (void)state;
    km_buf_str(&b, KM_STR("abcdef"));
    km_buf_consume(&b, 2);
    view_is(&b, "cdef");
    km_buf_consume(&b, 100);
    assert_int_equal(b.n, 0);
}

static void json_of(const char *in, size_t n, const char *out)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1000);

    km_buf_json(&b, km_str(in, n));
    assert_string_equal(km_buf_cstr(&b), out);
}

static void a_list_of_json_strings(void **state)
{
    static const struct km_str v[] = { { "a\"b", 3 }, { "", 0 }, { "c", 1 } };
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1000);

    (void)state;
    km_buf_json_list(&b, v, 0);
    km_buf_json_list(&b, v, 1);
    km_buf_json_list(&b, v, 3);
    assert_string_equal(km_buf_cstr(&b), "[][\"a\\\"b\"][\"a\\\"b\",\"\",\"c\"]");
}

static void json_strings_are_always_valid(void **state)
{
    (void)state;
    json_of("", 0, "\"\"");
    json_of(NULL, 0, "\"\"");
    json_of("plain", 5, "\"plain\"");
    json_of("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    json_of("\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
    json_of("\0\x01\x1f", 3, "\"\\u0000\\u0001\\u001f\"");
    json_of("\x7f", 1, "\"\x7f\"");
    json_of("\xe3\x81\x82", 3, "\"\xe3\x81\x82\"");
    json_of("\xff", 1, "\"\xef\xbf\xbd\"");
    json_of("\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    json_of("a\xe3\x81", 3, "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
    json_of("\xed\xa0\x80x", 4, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_add_up),
        cmocka_unit_test(the_limit_is_exact_and_failure_sticks),
        cmocka_unit_test(a_refused_append_changes_nothing),
        cmocka_unit_test(decimals_have_no_trailing_zeros),
        cmocka_unit_test(printf_grows_at_every_size),
        cmocka_unit_test(reserve_gives_room_or_null),
        cmocka_unit_test(an_empty_reserve_is_not_a_failure),
        cmocka_unit_test(consume_drops_from_the_front),
        cmocka_unit_test(a_list_of_json_strings),
        cmocka_unit_test(json_strings_are_always_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
