/* SPDX-License-Identifier: Apache-2.0 */
/* What is mended, and into what.  What clients take at all is asked of the official SDKs
 * themselves, in tests/mcp/test_odd_items.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mcp/catalogue/shape.h"

#define GOOD "good"
#define T "{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\"}"

static const struct {
    enum km_mcp_list list;
    const char *item, *becomes; /* GOOD, JSON, or the reason */
} cases[] = {
    { KM_MCP_TOOLS, T "}", GOOD },
    { KM_MCP_TOOLS, T ",\"own\":null,\"annotations\":{\"own\":[null]}}", GOOD },
    { KM_MCP_TOOLS, "{\"name\":\"t\"}", T "}" },
    { KM_MCP_TOOLS, "{\"inputSchema\":null,\"name\":\"t\"}", T "}" },
    { KM_MCP_TOOLS, T ",\"description\":null,\"title\":7,\"icons\":[{}]}", T "}" },
    { KM_MCP_TOOLS, T ",\"annotations\":{\"readOnlyHint\":\"yes\",\"openWorldHint\":true}}",
      T ",\"annotations\":{\"openWorldHint\":true}}" },
    { KM_MCP_TOOLS, "{\"name\":\"t\",\"inputSchema\":{\"properties\":{\"a\":true,\"b\":false,\"c\":"
                    "{\"x\":1.50}},\"required\":null}}",
      "{\"name\":\"t\",\"inputSchema\":{\"properties\":{\"a\":{},\"b\":{\"not\":{}},\"c\":"
      "{\"x\":1.50}},\"type\":\"object\"}}" },
    { KM_MCP_TOOLS, T ",\"outputSchema\":{\"type\":\"object\",\"additionalProperties\":false}}",
      GOOD },
    { KM_MCP_TOOLS, T ",\"outputSchema\":{\"type\":\"array\",\"items\":true}}", GOOD },
    { KM_MCP_TOOLS, T ",\"outputSchema\":{\"properties\":{\"a\":{\"$ref\":\"#/$defs/none\"}}}}",
      T "}" },
    { KM_MCP_TOOLS, T ",\"outputSchema\":{\"properties\":{\"a\":true}}}",
      T ",\"outputSchema\":{\"properties\":{\"a\":{}}}}" },
    { KM_MCP_TOOLS, "{\"name\":\"t\",\"inputSchema\":{\"type\":[\"object\"]}}",
      "inputSchema.type is not \"object\"" },
    { KM_MCP_TOOLS, "{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"required\":[1]}}",
      "inputSchema.required is no string" },
    { KM_MCP_TOOLS, "{\"inputSchema\":{\"type\":\"object\"}}", "name is missing" },
    { KM_MCP_TOOLS, "[]", "it is no object" },
    { KM_MCP_RESOURCES, "{\"uri\":\"a:b\"}", "{\"uri\":\"a:b\",\"name\":\"a:b\"}" },
    { KM_MCP_RESOURCES, "{\"uri\":\"a:b\",\"name\":\"n\",\"size\":7.5}",
      "{\"uri\":\"a:b\",\"name\":\"n\"}" },
    { KM_MCP_RESOURCES, "{\"uri\":\"b\",\"name\":\"n\"}", "uri is no absolute URI" },
    { KM_MCP_TEMPLATES, "{\"uriTemplate\":\"a:{b}\"}",
      "{\"uriTemplate\":\"a:{b}\",\"name\":\"a:{b}\"}" },
    { KM_MCP_PROMPTS, "{\"name\":\"p\",\"arguments\":[{\"name\":\"a\",\"required\":null}]}",
      "{\"name\":\"p\",\"arguments\":[{\"name\":\"a\"}]}" },
    { KM_MCP_PROMPTS, "{\"name\":\"p\",\"arguments\":{}}", "arguments is no array" },
};

static void an_item_is_good_or_mended_or_bad_with_a_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(65536);
        const struct km_json *root;
        struct km_arena arena;
        char why[KM_SHAPE_WHY] = "";

        km_arena_init(&arena, 1 << 20, NULL);
        assert_int_equal(km_json_parse(&arena, km_str_c(cases[i].item), &root, NULL), 0);
        switch (km_shape_look(cases[i].list, root, &out, why)) {
        case KM_SHAPE_GOOD:
            assert_string_equal(GOOD, cases[i].becomes);
            break;
        case KM_SHAPE_MENDED:
            assert_string_equal(km_buf_cstr(&out), cases[i].becomes);
            break;
        case KM_SHAPE_BAD:
            assert_string_equal(why, cases[i].becomes);
        }
        km_arena_done(&arena);
    }
}

static void what_is_mended_is_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_buf once KM_CLEANUP(km_buf_done) = KM_BUF(65536);
        struct km_buf twice KM_CLEANUP(km_buf_done) = KM_BUF(65536);
        const struct km_json *root;
        struct km_arena arena;
        char why[KM_SHAPE_WHY];

        km_arena_init(&arena, 1 << 20, NULL);
        assert_int_equal(km_json_parse(&arena, km_str_c(cases[i].item), &root, NULL), 0);
        if (km_shape_look(cases[i].list, root, &once, why) == KM_SHAPE_MENDED) {
            assert_int_equal(km_json_parse(&arena, km_buf_view(&once), &root, NULL), 0);
            assert_int_equal(km_shape_look(cases[i].list, root, &twice, why), KM_SHAPE_GOOD);
        }
        km_arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_is_good_or_mended_or_bad_with_a_reason),
        cmocka_unit_test(what_is_mended_is_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
