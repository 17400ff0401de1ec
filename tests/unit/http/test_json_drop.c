/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "http/json_drop.h"

static int drop(struct km_arena *arena, const char *body, const char *path, struct km_str *ret)
{
    struct km_str p = km_str_c(path);
    struct km_err err = { 0 };

    return km_json_drop(arena, km_str_c(body), &p, 1, ret, &err);
}

static void becomes(const char *body, const char *path, const char *wanted)
{
    struct km_arena arena;
    struct km_str got;

    km_arena_init(&arena, 1 << 20, NULL);
    assert_int_equal(drop(&arena, body, path, &got), 0);
    if (!km_str_eq(got, km_str_c(wanted)))
        fail_msg("%s of %s: %.*s", path, body, KM_STR_ARG(got));
    km_arena_done(&arena);
}

static void stays(const char *body, const char *path)
{
    struct km_arena arena;
    struct km_str got;

    km_arena_init(&arena, 1 << 20, NULL);
    assert_int_equal(drop(&arena, body, path, &got), 0);
    assert_ptr_equal(got.p, body); /* no copy where nothing goes */
    km_arena_done(&arena);
}

static void a_member_goes_and_the_rest_keeps_its_bytes(void **state)
{
    (void)state;
    becomes("{ \"a\" : 1.10 , \"b\":[ ] }", "a", "{  \"b\":[ ] }");
    becomes("{\"a\":1}", "a", "{}");
    becomes("{\"x\":{\"a\" : {\"b\":1} , \"c\": 1.0e2 }}", "x.a.b",
            "{\"x\":{\"a\" : {} , \"c\": 1.0e2 }}");
    becomes("{\"x\":{\"a\":1 , \"c\": 1.0e2 }}", "x.c", "{\"x\":{\"a\":1 }}");
    becomes("{\"x\":{ \"\\u0061\":\"}],\\\"\",\"c\":0}}", "x.a", "{\"x\":{\"c\":0}}");
}

static void each_item_or_one_of_an_array(void **state)
{
    static const char tools[] =
        "{\"tools\": [ {\"function\":{\"name\":\"a\",\"strict\":true}} ,"
        " {\"function\":{\"strict\":false, \"name\":\"b\"}}, {\"type\":\"x\"}, 7 ],\"n\":1}";

    (void)state;
    becomes(tools, "tools[*].function.strict",
            "{\"tools\": [ {\"function\":{\"name\":\"a\"}} ,"
            " {\"function\":{ \"name\":\"b\"}}, {\"type\":\"x\"}, 7 ],\"n\":1}");
    becomes(tools, "tools[1].function.strict",
            "{\"tools\": [ {\"function\":{\"name\":\"a\",\"strict\":true}} ,"
            " {\"function\":{ \"name\":\"b\"}}, {\"type\":\"x\"}, 7 ],\"n\":1}");
    becomes("{\"m\":[[{\"a\":1}],[{\"a\":2,\"b\":3}]]}", "m[*][0].a", "{\"m\":[[{}],[{\"b\":3}]]}");
}

static void what_is_not_there_changes_nothing(void **state)
{
    static const char body[] = "{\"a\":{\"b\":[1,{\"c\":2}]},\"d\":\"x\"}";
    static const char *const paths[] = {
        "e", "a.c", "a.b.c", "a[*].b", "a.b[7].c", "a.b[x].c", "a.b[*]", "a.b[0]", "d.e", "d[*].e",
        "", ".", "[*]", "[", "a.b[", "a.b[*].z", "A",
    };

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        stays(body, paths[i]);
    stays("{}", "a");
    stays("{\"a\":{ }}", "a.b");
    stays("{\"a\":[ ]}", "a[*].b");
}

static void paths_are_taken_one_after_the_other(void **state)
{
    static const struct km_str paths[] = { { "a.b", 3 }, { "a.c", 3 }, { "d", 1 } };
    struct km_arena arena;
    struct km_err err = { 0 };
    struct km_str got;

    (void)state;
    km_arena_init(&arena, 1 << 20, NULL);
    assert_int_equal(km_json_drop(&arena, KM_STR("{\"a\":{\"b\":1,\"c\":2,\"e\":3},\"d\":4}"),
                                  paths, 3, &got, &err),
                     0);
    assert_true(km_str_eq(got, KM_STR("{\"a\":{\"e\":3}}")));
    km_arena_done(&arena);
}

/* Text that was not judged before ends somewhere too. */
static void a_body_that_breaks_off_is_survived(void **state)
{
    static const char body[] =
        "{\"tools\":[{\"function\":{\"strict\":true,\"n\\\"\":[1,{}]}} ,{\"x\":\"y\"}],\"z\":{}}";
    struct km_arena arena;
    struct km_str got;

    (void)state;
    for (size_t n = 0; n < sizeof body - 1; n++) {
        struct km_str path = KM_STR("tools[*].function.strict");
        struct km_err err = { 0 };

        km_arena_init(&arena, 1 << 20, NULL);
        (void)!km_json_drop(&arena, km_str(body, n), &path, 1, &got, &err);
        km_arena_done(&arena);
    }
    km_arena_init(&arena, 1 << 20, NULL);
    (void)!drop(&arena, "{\"a\":[}],\"b\":[,:]}", "a[*].b", &got); /* and comes to an end */
    km_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_goes_and_the_rest_keeps_its_bytes),
        cmocka_unit_test(each_item_or_one_of_an_array),
        cmocka_unit_test(what_is_not_there_changes_nothing),
        cmocka_unit_test(paths_are_taken_one_after_the_other),
        cmocka_unit_test(a_body_that_breaks_off_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
