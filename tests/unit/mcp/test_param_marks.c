/* SPDX-License-Identifier: Apache-2.0 */
/* test_param_marks.c - which marks for header lines a tool may have (mcp/header_check.h).
 *
 * The rules of revision 2026-07-28 for x-mcp-header: on string, integer or boolean properties that
 * are reached through `properties` alone, each with a header name of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mcp/header_check.h"

static bool valid(const char *properties)
{
    struct km_arena arena;
    const struct km_json *root;
    bool ok;

    km_arena_init(&arena, 256 * 1024, NULL);
    assert_int_equal(km_json_parse(&arena, km_str_c(properties), &root, NULL), 0);
    ok = km_mcp_param_marks_valid(root);
    km_arena_done(&arena);
    return ok;
}

static void marks_on_plain_properties_are_fine(void **state)
{
    (void)state;
    assert_true(valid("{}"));
    assert_true(
        valid("{\"type\":\"object\",\"properties\":{\"x-mcp-header\":{\"type\":\"array\"}}}"));
    assert_true(
        valid("{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"},"
              "\"b\":{\"type\":\"integer\",\"x-mcp-header\":\"B-2\"},"
              "\"c\":{\"properties\":{\"d\":{\"type\":\"boolean\",\"x-mcp-header\":\"D\"}}}}}"));
}

static void marks_elsewhere_or_of_other_types_are_not(void **state)
{
    static const char *const bad[] = {
        "{\"properties\":{\"a\":{\"type\":\"number\",\"x-mcp-header\":\"A\"}}}",
        "{\"properties\":{\"a\":{\"type\":\"null\",\"x-mcp-header\":\"A\"}}}",
        "{\"properties\":{\"a\":{\"type\":\"object\",\"x-mcp-header\":\"A\"}}}",
        "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"\"}}}",
        "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A B\"}}}",
        "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A:\"}}}",
        "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":7}}}",
        "{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"},"
        "\"b\":{\"type\":\"string\",\"x-mcp-header\":\"a\"}}}",
        "{\"properties\":{\"a\":{\"type\":\"array\",\"items\":{\"type\":\"string\","
        "\"x-mcp-header\":\"A\"}}}}",
        "{\"anyOf\":[{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (valid(bad[i]))
            fail_msg("%s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_on_plain_properties_are_fine),
        cmocka_unit_test(marks_elsewhere_or_of_other_types_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
