/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "http/json_fill.h"

static void becomes(const char *body, const char *name, const char *value, const char *wanted)
{
    struct km_arena arena;
    struct km_str got;
    struct km_err err = { 0 };

    km_arena_init(&arena, 1 << 20, NULL);
    assert_int_equal(
        km_json_fill(&arena, km_str_c(body), km_str_c(name), km_str_c(value), &got, &err), 0);
    if (!km_str_eq(got, km_str_c(wanted)))
        fail_msg("%s of %s: %.*s", name, body, KM_STR_ARG(got));
    km_arena_done(&arena);
}

static void what_is_absent_is_added(void **state)
{
    (void)state;
    becomes("{}", "a", "[1]", "{\"a\":[1]}");
    becomes("{\"b\": 1}", "a", "{\"c\":1}", "{\"b\": 1,\"a\":{\"c\":1}}");
}

static void what_is_there_holds(void **state)
{
    (void)state;
    becomes("{\"a\": 1}", "a", "2", "{\"a\": 1}");
    becomes("{\"a\": [1]}", "a", "[2]", "{\"a\": [1]}");
    becomes("{\"a\": {\"b\":1}}", "a", "2", "{\"a\": {\"b\":1}}");
    becomes("{\"\\u0061\": 1}", "a", "2", "{\"\\u0061\": 1}");
}

static void objects_get_what_they_have_not(void **state)
{
    (void)state;
    becomes("{\"a\": {\"b\": 1.0}, \"z\":0}", "a", "{\"b\":2,\"c\":{\"d\":3}}",
            "{\"a\": {\"b\": 1.0,\"c\":{\"d\":3}}, \"z\":0}");
    becomes("{\"a\": {}}", "a", "{\"b\":2}", "{\"a\": {\"b\":2}}");
    becomes("{\"a\": {\"b\":1}}", "a", "{}", "{\"a\": {\"b\":1}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_absent_is_added),
        cmocka_unit_test(what_is_there_holds),
        cmocka_unit_test(objects_get_what_they_have_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
