/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mcp/view/names.h"
#include "mcp/request_state.h"

static const uint8_t key[32] = { 1, 2, 3 }, digest[32] = { 4, 5 };

static struct km_mcp_state_place here(void)
{
    return (struct km_mcp_state_place){ .key = key,
                                        .replica = 7,
                                        .principal = KM_STR("key:a"),
                                        .method = KM_STR("tools/call"),
                                        .digest = digest };
}

static int open_at(const struct km_mcp_state_place *place, struct km_str text, uint64_t now)
{
    struct km_mcp_sealed s;
    struct km_arena arena;
    int r;

    km_arena_init(&arena, 1 << 20, NULL);
    r = km_mcp_state_open(place, text, now, &arena, &s, NULL);
    if (r == 0) {
        assert_int_equal(s.worker, 3);
        assert_int_equal(s.park, 99);
        assert_true(km_str_eq(s.server, KM_STR("github")));
        assert_true(km_str_eq(s.inner, KM_STR("theirs")));
    }
    km_arena_done(&arena);
    return r;
}

static void a_state_is_good_in_its_place_and_time_only(void **state)
{
    struct km_mcp_sealed s = { 3, 99, 1000, KM_STR("github"), KM_STR("theirs") };
    struct km_mcp_state_place place = here();
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    uint8_t other[32] = { 9 };

    (void)state;
    assert_int_equal(km_mcp_state_seal(&place, &s, &b, NULL), 0);
    assert_int_equal(open_at(&place, km_buf_view(&b), 999), 0);
    assert_int_equal(open_at(&place, km_buf_view(&b), 1000), KM_E_INVALID);
    place.principal = KM_STR("key:b");
    assert_int_equal(open_at(&place, km_buf_view(&b), 0), KM_E_INVALID);
    place = here();
    place.method = KM_STR("prompts/get");
    assert_int_equal(open_at(&place, km_buf_view(&b), 0), KM_E_INVALID);
    place = here();
    place.digest = other;
    assert_int_equal(open_at(&place, km_buf_view(&b), 0), KM_E_INVALID);
    place = here();
    place.replica = 8;
    assert_int_equal(open_at(&place, km_buf_view(&b), 0), KM_E_INVALID);
    place = here();
    for (size_t i = 0; i < b.n; i++) {
        char was = b.p[i];

        b.p[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(open_at(&place, km_buf_view(&b), 0), KM_E_INVALID);
        b.p[i] = was;
        assert_int_equal(open_at(&place, km_str(b.p, i), 0), KM_E_INVALID);
    }
}

static void digest_text(const char *text, uint8_t ret[32])
{
    const struct km_json *root;
    struct km_arena arena;

    km_arena_init(&arena, 1 << 20, NULL);
    assert_int_equal(km_json_parse(&arena, km_str_c(text), &root, NULL), 0);
    assert_int_equal(km_mcp_state_digest(root, ret, NULL), 0);
    km_arena_done(&arena);
}

static void the_digest_leaves_out_what_a_retry_changes(void **state)
{
    uint8_t a[32], b[32];

    (void)state;
    digest_text("{\"name\":\"x\",\"arguments\":{\"p\":1,\"q\":2},\"_meta\":{\"t\":1}}", a);
    digest_text("{\"requestState\":\"s\",\"inputResponses\":{},\"arguments\":{\"q\":2,\"p\":1},"
                "\"name\":\"x\"}",
                b);
    assert_memory_equal(a, b, 32);
    digest_text("{\"name\":\"x\",\"arguments\":{\"p\":1,\"q\":3}}", b);
    assert_memory_not_equal(a, b, 32);
}

static void wire_names_fit_every_model(void **state)
{
    struct km_arena arena;
    struct km_str a, b;

    (void)state;
    km_arena_init(&arena, 1 << 20, NULL);
    a = km_mcp_name_wire(&arena, KM_STR("github"), KM_STR("list.issues"), false);
    assert_true(km_str_eq(a, KM_STR("github-list_issues")));
    a = km_mcp_name_wire(&arena, KM_STR("github"),
                         KM_STR("a_name_of_a_tool_that_goes_on_and_on_for_more_than_sixty_letters"),
                         false);
    b = km_mcp_name_wire(&arena, KM_STR("github"),
                         KM_STR("a_name_of_a_tool_that_goes_on_and_on_for_more_than_sixty_letterz"),
                         false);
    assert_int_equal(a.n, KM_MCP_NAME_MOST);
    assert_int_equal(b.n, KM_MCP_NAME_MOST);
    assert_false(km_str_eq(a, b));
    km_arena_done(&arena);
}

static void templates_match_what_they_give(void **state)
{
    static const struct {
        const char *pattern, *uri;
        bool fits;
    } rows[] = {
        { "test://{id}/data", "test://123/data", true },
        { "test://{id}/data", "test://1/2/data", false },
        { "test://{id}/data", "test:///data", false },
        { "file:///{+path}", "file:///a/b", true },
        { "test://a", "test://a", true },
        { "test://a", "test://ab", false },
        { "{a}{b}", "xy", true },
        { "x{", "x{", false },
        { "{a}-{b}", "one-two-three", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(km_mcp_template_matches(km_str_c(rows[i].pattern), km_str_c(rows[i].uri)),
                         rows[i].fits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_is_good_in_its_place_and_time_only),
        cmocka_unit_test(the_digest_leaves_out_what_a_retry_changes),
        cmocka_unit_test(wire_names_fit_every_model),
        cmocka_unit_test(templates_match_what_they_give),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
