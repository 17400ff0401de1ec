/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mcp/salvage.h"

static uint64_t id_of(const char *line)
{
    return km_mcp_salvage_id(km_str_c(line));
}

static void a_broken_answer_is_of_the_call_whose_id_can_be_read(void **state)
{
    static const struct {
        const char *line;
        uint64_t id;
    } rows[] = {
        { "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"mean\":NaN}}", 7 },
        { "{\"result\":{\"mean\":[-Infinity,{\"a\":{}}]},\"jsonrpc\":\"2.0\",\"id\": 71 }", 71 },
        { "{\"id\":7,\"error\":{\"message\":\"\\ud800 \x01 \xff \\q\"}}", 7 },
        { "{\"id\":7,\"result\":{\"text\":\"one line", 7 },
        { "{\"id\":7,\"result\":{\"a\":[}}", 7 },
        { "{\"id\":7,\"result\":{}}{\"id\":8,\"result\":{}}", 7 },
        { "{\"id\":7,\"result\":{\"id\":8}}", 7 },
        /* Cut within the number, or before it is clear that it is an answer. */
        { "{\"result\":{},\"id\":7", 0 },
        { "{\"id\":7", 0 },
        { "{\"id\":7,\"resul", 0 },
        /* Something else. */
        { "{\"id\":7,\"method\":\"sampling/createMessage\",\"params\":{\"a\":NaN}}", 0 },
        { "{\"id\":7,\"result\":{},\"method\":\"x\",\"params\":{\"a\":NaN}}", 0 },
        { "{\"method\":\"notifications/progress\",\"params\":{\"id\":7,\"result\":NaN}}", 0 },
        { "loading {\"id\":7,\"result\":{}}", 0 },
        { "[{\"id\":7,\"result\":{}}]", 0 },
        { "", 0 },
        { "{", 0 },
        { "{}", 0 },
        /* Not ours, or not sure. */
        { "{\"id\":\"7\",\"result\":NaN}", 0 },
        { "{\"id\":{\"id\":7},\"result\":NaN}", 0 },
        { "{\"id\":7.5,\"result\":NaN}", 0 },
        { "{\"id\":-7,\"result\":NaN}", 0 },
        { "{\"id\":7,\"result\":NaN,\"id\":8}", 0 },
        { "{\"id\":7,\"result\":NaN,\"\\u0069d\":8}", 0 },
        { "{\"result\":{\"a\":[}},\"id\":7}", 0 },
        { "{\"result\":\"he said \"hi\"\",\"id\":7}", 0 },
        { "{\"result\" {},\"id\":7}", 0 },
        { "{\"result\":{}\"id\":7}", 0 },
        { "{7:1,\"result\":{},\"id\":7}", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(id_of(rows[i].line), rows[i].id);
}

static void nesting_is_followed_as_deep_as_its_bound(void **state)
{
    static const size_t depths[] = { 65, 65535, 65536, 1000000 };

    (void)state;
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        const size_t n = depths[i];
        char *line = malloc(2 * n + 64), *at = line;

        assert_non_null(line);
        at = stpcpy(at, "{\"result\":");
        for (size_t k = 0; k < n; k++)
            *at++ = '[';
        for (size_t k = 0; k < n; k++)
            *at++ = ']';
        strcpy(at, ",\"id\":7}");
        assert_int_equal(id_of(line), n < 65536 ? 7 : 0);
        free(line);
    }
}

static void a_line_cut_anywhere_is_of_no_other_call(void **state)
{
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"result\":{\"content\":[{\"id\":8,\"t\":"
                               "\"\\\"id\\\":9\"}],\"x\":NaN},"
                               "\"id\":1234}";

    (void)state;
    for (size_t n = 0; n < sizeof line - 1; n++)
        assert_int_equal(km_mcp_salvage_id(km_str(line, n)), 0);
    assert_int_equal(id_of(line), 1234);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_answer_is_of_the_call_whose_id_can_be_read),
        cmocka_unit_test(nesting_is_followed_as_deep_as_its_bound),
        cmocka_unit_test(a_line_cut_anywhere_is_of_no_other_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
