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

        assert_int_equal(km_json_parse_answer(&a, km_str_c(cases[i].json), &value, NULL), 0);
        assert_int_equal(km_schema_check(rules, value, &err), cases[i].wrong ? KM_E_INVALID : 0);
        assert_string_equal(err.text, cases[i].wrong ? cases[i].wrong : "");
    }
    km_arena_done(&a);
}

static bool fits(const char *rules, const char *json, struct km_err *err)
{
    const struct km_json *schema_tree, *value;
    struct km_arena a;
    int r;

    km_arena_init(&a, 16 << 20, NULL);
    assert_int_equal(km_json_parse(&a, km_str_c(rules), &schema_tree, NULL), 0);
    assert_int_equal(km_json_parse(&a, km_str_c(json), &value, NULL), 0);
    r = km_schema_check(schema_tree, value, err);
    km_arena_done(&a);
    return r == 0;
}

static void schemas_of_schemas_are_looked_into(void **state)
{
    static const struct {
        const char *schema, *json, *wrong;
    } cases[] = {
        { "{\"$ref\":\"#/$defs/a~1b\",\"$defs\":{\"a/b\":{\"type\":\"string\"}}}", "1",
          "arguments must be of type string" },
        { "{\"$ref\":\"#/$defs/gone\"}", "1", NULL },
        { "{\"$ref\":\"other.json#/a\"}", "1", NULL },
        { "{\"items\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]}}", "[\"a\",null,1]",
          "arguments[2] fits none of the forms it can have" },
        { "{\"oneOf\":[{\"const\":1},{\"const\":\"a\"}]}", "1.0", NULL },
        { "{\"oneOf\":[{\"const\":1},{\"const\":\"a\"}]}", "2",
          "arguments fits none of the forms it can have" },
        { "{\"oneOf\":[{\"pattern\":\"a\"},{\"pattern\":\"b\"}]}", "\"b\"", NULL },
        { "{\"oneOf\":[{\"type\":\"number\"},{\"type\":\"integer\",\"title\":\"n\"}]}", "1.5",
          NULL },
        { "{\"oneOf\":[{\"type\":\"number\"},{\"type\":\"integer\",\"title\":\"n\"}]}", "1",
          "arguments fits more than one form and may have one only" },
        { "{\"oneOf\":[{},{\"oneOf\":[{},{}]}]}", "1", NULL },
        { "{\"oneOf\":[{\"anyOf\":[{},false]},{\"allOf\":[{}]}]}", "1",
          "arguments fits more than one form and may have one only" },
        /* Not sure of one of the two. */
        { "{\"oneOf\":[{},{\"not\":{}}]}", "1", NULL },
        { "{\"oneOf\":[{},{\"$ref\":\"#/$defs/gone\"}]}", "1", NULL },
        { "{\"oneOf\":[{},{\"items\":[{\"type\":\"null\"}]}]}", "[1]", NULL },
        { "{\"oneOf\":[{},{\"anyOf\":[{\"format\":\"date\"}]}]}", "\"x\"", NULL },
        { "{\"oneOf\":[{},{\"const\":9007199254740993.0}]}", "9007199254740992", NULL },
        { "{\"oneOf\":[{},{\"minimum\":0.10000000000000000001}]}", "0.1", NULL },
        { "{\"oneOf\":[{},{\"type\":\"integer\"}]}", "1e-400", NULL },
        { "{\"allOf\":[{\"required\":[\"a\"]},{\"properties\":{\"a\":{\"maximum\":1.5}}}]}",
          "{\"a\":1.6}", "arguments.a must be at most 1.5" },
        { "{\"properties\":{\"a\":false}}", "{\"a\":1}", "arguments.a must not be there" },
        { "{\"prefixItems\":[{}],\"items\":{\"type\":\"null\"}}", "[1,null,2]",
          "arguments[2] must be of type null" },
        { "{\"patternProperties\":{\"^a\":{}},\"additionalProperties\":false}", "{\"ab\":1}",
          NULL },
        { "{\"additionalProperties\":{\"type\":\"null\"}}", "{\"ab\":1}",
          "arguments.ab must be of type null" },
        { "{\"type\":\"integer\"}", "18446744073709551616", NULL },
        { "{\"enum\":[{\"a\":1,\"b\":[2]}]}", "{\"b\":[2.0],\"a\":1}", NULL },
        { "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"properties\":{\"a\":{"
          "\"$ref\":\"#/definitions/t\",\"type\":\"null\"}},\"definitions\":{\"t\":{}}}",
          "{\"a\":1}", NULL },
        { "{\"properties\":{\"a\":{\"$id\":\"x\",\"$ref\":\"#/$defs/t\",\"$defs\":{\"t\":{}}}},"
          "\"$defs\":{\"t\":{\"type\":\"null\"}}}",
          "{\"a\":1}", NULL },
        { "{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#\"}},"
          "\"additionalProperties\":false}",
          "{\"next\":{\"next\":{\"nxt\":1}}}", "arguments.next.next has no member nxt" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_err err = { 0 };

        assert_int_equal(fits(cases[i].schema, cases[i].json, &err), !cases[i].wrong);
        assert_string_equal(err.text, cases[i].wrong ? cases[i].wrong : "");
    }
}

/* Each would be looked at 8^128 times, or for ever. */
static void a_hostile_schema_costs_no_more_than_it_may(void **state)
{
    struct km_buf many = KM_BUF(4 << 20);
    struct km_err err = { 0 };

    (void)state;
    assert_true(fits("{\"$ref\":\"#\"}", "1", &err));
    assert_true(
        fits("{\"allOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"},{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}",
             "1", &err));
    assert_true(fits("{\"anyOf\":[{\"allOf\":[{\"$ref\":\"#\"},false]},"
                     "{\"allOf\":[{\"$ref\":\"#\"},false]}]}",
                     "1", &err));
    assert_true(fits("{\"oneOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"},{}]}", "1", &err));
    km_buf_byte(&many, '[');
    for (int i = 0; i < 200000; i++)
        km_buf_printf(&many, "%s%d", i ? "," : "", i);
    km_buf_byte(&many, ']');
    assert_true(fits("{\"anyOf\":[{\"items\":{\"type\":\"integer\"}}]}", km_buf_cstr(&many), &err));
    assert_true(
        fits("{\"oneOf\":[{},{\"items\":{\"type\":\"integer\"}}]}", km_buf_cstr(&many), &err));
    /* What is said without them is checked to the end. */
    assert_false(fits("{\"items\":{\"maximum\":199998}}", km_buf_cstr(&many), &err));
    km_buf_done(&many);
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
        cmocka_unit_test(schemas_of_schemas_are_looked_into),
        cmocka_unit_test(a_hostile_schema_costs_no_more_than_it_may),
        cmocka_unit_test(a_digest_is_of_the_arguments_and_not_of_their_spelling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
