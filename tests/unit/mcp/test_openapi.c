/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mcp/openapi/openapi.h"

#define DOCUMENT_BYTES ((size_t)20 * 1024 * 1024)

static struct km_openapi *document(const char *text, const char *url, struct km_err *err)
{
    const struct km_openapi_args args = { .text = km_str_c(text),
                                          .name = KM_STR("test"),
                                          .url = km_str_c(url) };
    struct km_openapi *doc;

    return km_openapi_new(&args, &doc, err) == 0 ? doc : NULL;
}

static void equal(struct km_str got, const char *wanted)
{
    assert_int_equal(got.n, strlen(wanted));
    assert_memory_equal(got.p ? got.p : "", wanted, got.n);
}

static void the_base_is_where_the_document_says(void **state)
{
    static const struct {
        const char *more, *url, *base;
    } cases[] = {
        { "\"openapi\":\"3.0.1\",\"servers\":[{\"url\":\"https://a/b\"},{\"url\":\"https://c\"}]",
          NULL, "https://a/b" },
        { "\"openapi\":\"3.1.0\",\"servers\":[{\"url\":\"https://{r}.a/{v}\",\"variables\":{"
          "\"r\":{\"default\":\"eu\"},\"v\":{\"default\":\"2\"}}}]",
          NULL, "https://eu.a/2" },
        { "\"openapi\":\"3.0.1\",\"servers\":[{\"url\":\"/v3\"}]", "https://h:8/x/o.json?k=1",
          "https://h:8/v3" },
        { "\"openapi\":\"3.0.1\",\"servers\":[{\"url\":\"v3\"}]", "https://h/x/o.json?k=/1",
          "https://h/x/v3" },
        { "\"openapi\":\"3.0.1\",\"servers\":[{\"url\":\"//i/v3\"}]", "https://h/x",
          "https://i/v3" },
        { "\"openapi\":\"3.0.1\",\"servers\":[{\"url\":\"../v3\"}]", "https://h/x/o.json", "" },
        { "\"openapi\":\"3.0.1\"", "http://h/x/o.json", "http://h/" },
        { "\"openapi\":\"3.0.1\"", NULL, "" },
        { "\"swagger\":\"2.0\",\"host\":\"h:1\",\"basePath\":\"/b\",\"schemes\":[\"http\"]", NULL,
          "http://h:1/b" },
        { "\"swagger\":\"2.0\",\"host\":\"h\"", NULL, "https://h" },
        { "\"swagger\":\"2.0\",\"basePath\":\"/b\"", "http://h/o", "http://h/b" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_buf text = KM_BUF(4096);
        struct km_openapi *doc;

        km_buf_printf(&text, "{%s,\"paths\":{\"/a\":{\"get\":{}}}}", cases[i].more);
        doc = document(km_buf_cstr(&text), cases[i].url, NULL);
        assert_non_null(doc);
        equal(doc->base, cases[i].base);
        km_openapi_unref(doc);
        km_buf_done(&text);
    }
}

static void names_are_legal_and_differ(void **state)
{
    static const char *const names[] = {
        "actions_list", "post__a__id_", "actions_list_2", "actions_list_3", "get__b",
    };
    struct km_openapi *doc =
        document("{\"openapi\":\"3.0.1\",\"paths\":{"
                 "\"/a/{id}\":{\"post\":{},\"get\":{\"operationId\":\"Actions/List\"}},"
                 "\"/b\":{\"put\":{\"operationId\":\"actions.list\"},\"get\":{\"summary\":\"S\"},"
                 "\"trace\":{}},\"x-b\":{\"get\":{}},"
                 "\"/c\":{\"get\":{\"operationId\":\"actions list\"}}}}",
                 NULL, NULL);
    unsigned found = 0;

    (void)state;
    assert_non_null(doc);
    assert_int_equal(doc->n, 5);
    for (size_t i = 0; i < doc->n; i++)
        for (size_t k = 0; k < 5; k++)
            found += km_str_eq(doc->tools[i].name, km_str_c(names[k]));
    assert_int_equal(found, 5);
    equal(doc->tools[2].title, "S");
    equal(doc->tools[1].description, "POST /a/{id}");
    km_openapi_unref(doc);
}

/* The schema of `body`, made of one of the document's. */
static void schemas_are_whole_in_themselves(void **state)
{
    static const struct {
        const char *schemas, *body;
    } cases[] = {
        { "{\"S\":{\"type\":\"string\",\"nullable\":true,\"enum\":[\"a\"],\"example\":\"a\","
          "\"x-y\":1}}",
          "{\"type\":[\"string\",\"null\"],\"enum\":[\"a\",null]}" },
        { "{\"S\":{\"type\":\"number\",\"minimum\":1,\"exclusiveMinimum\":true,\"maximum\":5,"
          "\"exclusiveMaximum\":false,\"multipleOf\":\"2\"}}",
          "{\"type\":\"number\",\"exclusiveMinimum\":1,\"maximum\":5}" },
        { "{\"S\":{\"properties\":{\"id\":{\"readOnly\":true},\"a\":{\"$ref\":"
          "\"#/components/schemas/A~1b%20c\"}},\"required\":[\"id\",\"a\"],\"type\":\"object\"},"
          "\"A/b c\":{\"type\":\"integer\"}}",
          "{\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"],"
          "\"type\":\"object\"}" },
        { "{\"S\":{\"items\":{\"$ref\":\"#/components/schemas/S\"}}}",
          "{\"items\":{\"$ref\":\"#/$defs/S\"}}" },
        { "{\"S\":{\"anyOf\":[{\"$ref\":\"other.yaml#/X\"},true,{\"type\":\"strange\"}]}}",
          "{\"anyOf\":[{},true,{}]}" },
        { "{\"S\":{\"allOf\":[],\"required\":true,\"properties\":[],\"minLength\":-1,"
          "\"default\":[[[[[1]]]]],\"items\":[{}],\"additionalProperties\":false}}",
          "{\"additionalProperties\":false}" },
        { "{\"S\":7}", "{}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_buf text = KM_BUF(4096), wanted = KM_BUF(4096);
        struct km_openapi *doc;
        struct km_str input;

        km_buf_printf(&text,
                      "{\"openapi\":\"3.0.1\",\"components\":{\"schemas\":%s},\"paths\":{\"/a\":{"
                      "\"post\":{\"requestBody\":{\"content\":{\"application/json\":{\"schema\":{"
                      "\"$ref\":\"#/components/schemas/S\"}}}}}}}}",
                      cases[i].schemas);
        km_buf_printf(&wanted,
                      "{\"type\":\"object\",\"properties\":{\"body\":%s},\"required\":[],"
                      "\"additionalProperties\":false",
                      cases[i].body);
        doc = document(km_buf_cstr(&text), NULL, NULL);
        assert_non_null(doc);
        input = doc->tools[0].input;
        assert_true(km_json_surely_object(input));
        equal(km_str_sub(input, 0, wanted.n), km_buf_cstr(&wanted));
        km_openapi_unref(doc);
        km_buf_done(&text);
        km_buf_done(&wanted);
    }
}

/* Each schema holds the next one ten times: written out it would be 10^40 of them. */
static void what_grows_without_end_has_names(void **state)
{
    struct km_buf text = KM_BUF(DOCUMENT_BYTES);
    struct km_openapi *doc;
    struct km_str input;

    (void)state;
    km_buf_str(&text, KM_STR("{\"openapi\":\"3.1.0\",\"components\":{\"schemas\":{\"S40\":{}"));
    for (int i = 0; i < 40; i++) {
        km_buf_printf(&text, ",\"S%d\":{\"properties\":{\"z\":{}", i);
        for (int k = 0; k < 10; k++)
            km_buf_printf(&text, ",\"p%d\":{\"$ref\":\"#/components/schemas/S%d\"}", k, i + 1);
        km_buf_str(&text, KM_STR("}}"));
    }
    km_buf_str(&text, KM_STR("}},\"paths\":{\"/a\":{\"post\":{\"requestBody\":{\"content\":{"
                             "\"application/json\":{\"schema\":{\"$ref\":"
                             "\"#/components/schemas/S0\"}}}}}}}}"));
    doc = document(km_buf_cstr(&text), NULL, NULL);
    assert_non_null(doc);
    input = doc->tools[0].input;
    assert_true(input.n < KM_OPENAPI_SCHEMA_BYTES && km_json_surely_object(input));
    assert_true(km_str_find(input, KM_STR("\"body\":{\"$ref\":\"#/$defs/S0\"}")) < input.n);
    assert_true(km_str_find(input, KM_STR("\"S40\":{}")) < input.n);
    km_openapi_unref(doc);
    km_buf_done(&text);
}

static void one_bad_operation_is_left_out(void **state)
{
    struct km_openapi *doc =
        document("{\"openapi\":\"3.0.1\",\"paths\":{\"/a/{\":{\"get\":{}},\"/b\":{\"get\":7,"
                 "\"put\":{\"parameters\":[{\"$ref\":\"#/no\"}]},\"post\":{\"servers\":[{}]},"
                 "\"patch\":{}}}}",
                 NULL, NULL);

    (void)state;
    assert_non_null(doc);
    assert_int_equal(doc->n, 1);
    assert_int_equal(doc->left_out, 4);
    equal(doc->notes, "GET /a/{: its path has a brace too many; GET /b: it is no operation; "
                      "POST /b: it has a server of its own; "
                      "PUT /b: a parameter of it refers to nothing");
    km_openapi_unref(doc);
}

static void what_is_no_document_is_refused(void **state)
{
    static const struct {
        const char *text, *wrong;
    } cases[] = {
        { "", "it is no OpenAPI document: neither openapi 3.x nor swagger 2.0" },
        { "[]", "it is no OpenAPI document: neither openapi 3.x nor swagger 2.0" },
        { "{\"openapi\":\"4.0\"}",
          "it is no OpenAPI document: neither openapi 3.x nor swagger 2.0" },
        { "{\"openapi\":\"3.0.1\"}", "it describes no operation" },
        { "{\"openapi\":\"3.0.1\",\"paths\":{\"/}\":{\"get\":{}}}}",
          "none of its 1 operations can be a tool: GET /}: its path has a brace too many" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_err err = { 0 };

        assert_null(document(cases[i].text, NULL, &err));
        assert_string_equal(err.text, cases[i].wrong);
    }
}

static void a_document_has_bounds(void **state)
{
    struct km_buf text = KM_BUF(DOCUMENT_BYTES);
    struct km_err err = { 0 };
    struct km_openapi *doc;

    (void)state;
    km_buf_str(&text, KM_STR("{\"openapi\":\"3.0.1\",\"paths\":{\"/x\":{\"get\":{}}"));
    for (int i = 0; i < KM_OPENAPI_TOOLS; i++)
        km_buf_printf(&text, ",\"/%d\":{\"get\":{}}", i);
    km_buf_str(&text, KM_STR("}}"));
    doc = document(km_buf_cstr(&text), NULL, &err);
    assert_non_null(doc);
    assert_int_equal(doc->n, KM_OPENAPI_TOOLS);
    assert_int_equal(doc->left_out, 1);
    km_openapi_unref(doc);
    while (text.n <= KM_OPENAPI_BYTES)
        km_buf_bytes(&text, "                ", 16);
    assert_null(document(km_buf_cstr(&text), NULL, &err));
    assert_string_equal(err.text, "it is over 16777216 bytes");
    km_buf_done(&text);
}

static void a_request_stays_below_its_base(void **state)
{
    static const struct {
        const char *base, *args, *target; /* NULL: refused */
    } cases[] = {
        { "/v1/", "{\"a\":\"x\",\"b\":\"y\"}", "/v1/t/xy/end" },
        { "", "{\"a\":\"x\",\"b\":1}", "/t/x1/end" },
        { "/v1?k=1", "{\"a\":\"/\",\"b\":\"?#\\\\ \"}", "/v1/t/%2F%3F%23%5C%20/end?k=1" },
        { "/v1", "{\"a\":\"..x\",\"b\":\"y\"}", "/v1/t/..xy/end" },
        { "/v1", "{\"a\":[\"p\",\"q\"],\"b\":{\"r\":true}}", "/v1/t/p,qr,true/end" },
        { "/v1", "{\"a\":\".\",\"b\":\"y\"}", NULL },
        { "/v1", "{\"a\":\"x/../..\",\"b\":\"y\"}", NULL },
        { "/v1", "{\"a\":\"..\\\\x\",\"b\":\"y\"}", NULL },
        { "/v1", "{\"a\":\"\",\"b\":\"y\"}", NULL },
        { "/v1", "{\"a\":null,\"b\":\"y\"}", NULL },
        { "/v1", "{\"a\":\"x\"}", NULL },
    };
    struct km_openapi *doc =
        document("{\"openapi\":\"3.0.1\",\"paths\":{\"/t/{a}{b}/end\":{\"get\":{}}}}", NULL, NULL);

    (void)state;
    assert_non_null(doc);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_openapi_request r;
        const struct km_json *args;
        struct km_err err = { 0 };
        struct km_arena arena;
        int e;

        km_arena_init(&arena, 1 << 20, NULL);
        km_openapi_request_init(&r);
        assert_int_equal(km_json_parse(&arena, km_str_c(cases[i].args), &args, NULL), 0);
        e = km_openapi_request(&doc->ops[0], km_str_c(cases[i].base), args, &r, &err);
        assert_int_equal(e, cases[i].target ? 0 : KM_E_INVALID);
        if (cases[i].target)
            equal(km_buf_view(&r.target), cases[i].target);
        km_openapi_request_done(&r);
        km_arena_done(&arena);
    }
    km_openapi_unref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_base_is_where_the_document_says),
        cmocka_unit_test(names_are_legal_and_differ),
        cmocka_unit_test(schemas_are_whole_in_themselves),
        cmocka_unit_test(what_grows_without_end_has_names),
        cmocka_unit_test(one_bad_operation_is_left_out),
        cmocka_unit_test(what_is_no_document_is_refused),
        cmocka_unit_test(a_document_has_bounds),
        cmocka_unit_test(a_request_stays_below_its_base),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
