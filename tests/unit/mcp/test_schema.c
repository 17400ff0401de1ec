/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mcp/schema.h"

static const char schema[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"name\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9},"
    "\"x\":{\"type\":\"number\"},\"on\":{\"type\":\"boolean\"},"
    "\"mode\":{\"type\":\"string\",\"enum\":[\"brief\",\"full\"]},"
    "\"maybe\":{\"type\":[\"string\",\"null\"]},"
    "\"list\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
    "\"k\":{\"type\":\"integer\"}},\"required\":[\"k\"]}}},"
    "\"required\":[\"name\"],\"additionalProperties\":false}";

static void arguments_are_judged_and_the_place_is_named(void **state)
{
    static const struct {
        const char *json, *wrong; /* NULL: it fits */
    } cases[] = {
        { "{\"name\":\"a\"}", NULL },
        { "{\"name\":\"a\",\"n\":9,\"x\":1.5,\"on\":false,\"mode\":\"full\",\"maybe\":null,"
          "\"list\":[{\"k\":1},{\"k\":-2,\"free\":0}]}",
          NULL },
        { "{\"name\":\"a\",\"n\":5.0}", NULL },
        { "{}", "arguments needs the member name" },
        { "{\"name\":1}", "arguments.name must be of type string" },
        { "{\"name\":\"a\",\"n\":1.5}", "arguments.n must be of type integer" },
        { "{\"name\":\"a\",\"n\":0}", "arguments.n must be at least 1" },
        { "{\"name\":\"a\",\"n\":10}", "arguments.n must be at most 9" },
        { "{\"name\":\"a\",\"x\":\"1\"}", "arguments.x must be of type number" },
        { "{\"name\":\"a\",\"on\":0}", "arguments.on must be of type boolean" },
        { "{\"name\":\"a\",\"mode\":\"long\"}",
          "arguments.mode must be one of [\"brief\",\"full\"]" },
        { "{\"name\":\"a\",\"maybe\":1}", "arguments.maybe is of a type that is not allowed here" },
        { "{\"name\":\"a\",\"list\":{}}", "arguments.list must be of type array" },
        { "{\"name\":\"a\",\"list\":[{\"k\":1},{}]}", "arguments.list[1] needs the member k" },
        { "{\"name\":\"a\",\"list\":[{\"k\":\"1\"}]}",
          "arguments.list[0].k must be of type integer" },
        { "{\"name\":\"a\",\"other\":1}", "arguments has no member other" },
        { "{\"name\":\"a\",\"name\":\"b\"}", "arguments has a member twice: name" },
        { "[]", "arguments must be of type object" },
    };
    const struct km_json *rules, *value;
    struct km_arena a;

    (void)state;
    km_arena_init(&a, 1 << 20, NULL);
    assert_int_equal(km_json_parse(&a, km_str_c(schema), &rules, NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_err err = { 0 };

        assert_int_equal(km_json_parse(&a, km_str_c(cases[i].json), &value, NULL), 0);
        assert_int_equal(km_schema_check(rules, value, &err), cases[i].wrong ? KM_E_INVALID : 0);
        assert_string_equal(err.text, cases[i].wrong ? cases[i].wrong : "");
    }
    km_arena_done(&a);
}

static void same_digest(const char *x, const char *y, bool same)
{
    const struct km_json *a = NULL, *b = NULL;
    uint8_t da[32], db[32];
    struct km_arena arena;

    km_arena_init(&arena, 1 << 20, NULL);
    assert_int_equal(x ? km_json_parse(&arena, km_str_c(x), &a, NULL) : 0, 0);
    assert_int_equal(y ? km_json_parse(&arena, km_str_c(y), &b, NULL) : 0, 0);
    assert_int_equal(km_json_digest(a, da, NULL), 0);
    assert_int_equal(km_json_digest(b, db, NULL), 0);
    assert_int_equal(memcmp(da, db, sizeof da) == 0, same);
    km_arena_done(&arena);
}

static void a_digest_is_of_the_arguments_and_not_of_their_spelling(void **state)
{
    (void)state;
    same_digest("{\"a\":1,\"b\":[{\"x\":1,\"y\":2}]}", " {\"b\": [{\"y\":2,\"x\":1}], \"a\":1 }",
                true);
    same_digest("{\"a\":\"\\u0041\"}", "{\"a\":\"A\"}", true);
    same_digest(NULL, "{}", true);
    same_digest("{\"a\":1}", "{\"a\":2}", false);
    same_digest("{\"a\":1}", "{\"a\":\"1\"}", false);
    same_digest("{\"a\":[1,2]}", "{\"a\":[2,1]}", false);
    same_digest("{\"a\":[[],1]}", "{\"a\":[[1]]}", false);
    same_digest("{\"a\":{\"b\":1}}", "{\"a\":{},\"b\":1}", false);
    same_digest("{\"a\":[[\"[\"],1]}", "{\"a\":[[\"[\",1]]}", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_are_judged_and_the_place_is_named),
        cmocka_unit_test(a_digest_is_of_the_arguments_and_not_of_their_spelling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
