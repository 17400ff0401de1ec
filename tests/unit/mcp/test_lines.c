/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "mcp/lines.h"

static int note(void *ctx, struct km_str line)
{
    struct km_buf *out = ctx;

    km_buf_byte(out, '<');
    km_buf_str(out, line);
    km_buf_byte(out, '>');
    return 0;
}

static void lines_come_whole_cut_at_any_byte(void **state)
{
    static const char text[] = "{\"a\":1}\n\n{\"b\":2}\r\n\r\nthe third\nno end";
    const size_t n = sizeof text - 1;

    (void)state;
    for (size_t cut = 0; cut <= n; cut++) {
        struct km_buf got KM_CLEANUP(km_buf_done) = KM_BUF(1024);
        struct km_lines lines;
        struct km_err err;

        km_lines_init(&lines, 64, note, &got);
        assert_int_equal(km_lines_feed(&lines, text, cut, &err), 0);
        assert_int_equal(km_lines_feed(&lines, text + cut, n - cut, &err), 0);
        assert_string_equal(km_buf_cstr(&got), "<{\"a\":1}><{\"b\":2}><the third>");
        km_lines_done(&lines);
    }
}

static void bytes_one_by_one_make_the_same_lines(void **state)
{
    static const char text[] = "one\ntwo\n\nthree\n";
    struct km_buf got KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    struct km_lines lines;
    struct km_err err;

    (void)state;
    km_lines_init(&lines, 8, note, &got);
    for (size_t i = 0; i < sizeof text - 1; i++)
        assert_int_equal(km_lines_feed(&lines, text + i, 1, &err), 0);
    assert_string_equal(km_buf_cstr(&got), "<one><two><three>");
    km_lines_done(&lines);
}

static void a_line_over_the_limit_is_refused_whole_or_in_pieces(void **state)
{
    struct km_buf got KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    struct km_lines lines;
    struct km_err err;

    (void)state;
    km_lines_init(&lines, 4, note, &got);
    assert_int_equal(km_lines_feed(&lines, "12345\n", 6, &err), KM_E_LIMIT);
    km_lines_done(&lines);
    km_lines_init(&lines, 4, note, &got);
    assert_int_equal(km_lines_feed(&lines, "1234", 4, &err), 0);
    assert_int_equal(km_lines_feed(&lines, "5", 1, &err), KM_E_LIMIT);
    km_lines_done(&lines);
    km_lines_init(&lines, 4, note, &got);
    assert_int_equal(km_lines_feed(&lines, "1234\n", 5, &err), 0);
    assert_string_equal(km_buf_cstr(&got), "<1234>");
    km_lines_done(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_whole_cut_at_any_byte),
        cmocka_unit_test(bytes_one_by_one_make_the_same_lines),
        cmocka_unit_test(a_line_over_the_limit_is_refused_whole_or_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
