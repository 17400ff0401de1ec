/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "mcp/catalogue/catalogue.h"
#include "mcp/safety/pin.h"

static uint8_t hashes[64][32];

static struct km_pin_tool tool(const char *name, unsigned hash, unsigned flags)
{
    hashes[hash][0] = (uint8_t)(hash + 1);
    return (struct km_pin_tool){ km_str_c(name), hashes[hash], flags };
}

static void on_news(void *ctx, const struct km_pin_news *news)
{
    struct km_buf *b = ctx;

    km_buf_printf(b, "%.*s:%s ", KM_STR_ARG(news->tool), km_pin_state_name(news->state));
}

/* What was told when a list came. */
static const char *look(struct km_pins *p, const char *server, const struct km_pin_tool *tools,
                        size_t n, struct km_buf *b)
{
    struct km_pin_look l = {
        .server = km_str_c(server), .tools = tools, .n = n, .whole = true, .news = on_news, .ctx = b
    };
    size_t first;

    km_buf_reset(b);
    km_pins_look(p, &l, &first);
    return km_buf_cstr(b);
}

static enum km_pin_state state_of(struct km_pins *p, struct km_pin_tool t)
{
    return km_pins_state(p, KM_STR("s"), &t);
}

static void a_list_is_accepted_at_first_sight_and_told_of_afterwards(void **unused)
{
    struct km_pins *p = km_pins_new();
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_pin_tool first[] = { tool("a", 0, 0), tool("b", 1, 0) };
    struct km_pin_tool then[] = { tool("a", 2, 0), tool("b", 1, 0), tool("c", 3, 0) };

    (void)unused;
    assert_int_equal(state_of(p, first[0]), KM_PIN_NEW); /* nothing was seen yet */
    assert_string_equal(look(p, "s", first, 2, &b), "");
    assert_int_equal(state_of(p, first[0]), KM_PIN_OK);
    assert_string_equal(look(p, "s", then, 3, &b), "a:changed c:new ");
    assert_string_equal(look(p, "s", then, 3, &b), ""); /* once */
    assert_int_equal(state_of(p, then[0]), KM_PIN_CHANGED);
    assert_int_equal(state_of(p, then[1]), KM_PIN_OK);
    assert_int_equal(state_of(p, then[2]), KM_PIN_NEW);
    /* a name is not another server's, nor another tool's */
    assert_int_equal(km_pins_state(p, KM_STR("t"), &first[0]), KM_PIN_NEW);
    assert_string_equal(look(p, "s", first, 2, &b), "c:gone ");
    assert_string_equal(look(p, "s", first, 1, &b), "b:gone ");
    assert_string_equal(look(p, "s", first, 2, &b), ""); /* back as they were */
    km_pins_free(p);
}

/* What was told when a list came to a session whose clients declare something. */
static const char *look_as(struct km_pins *p, unsigned kind, const struct km_pin_tool *tools,
                           size_t n, struct km_buf *b)
{
    const uint8_t hash[32] = { (uint8_t)kind };
    struct km_pin_look l = {
        .server = KM_STR("s"), .tools = tools, .n = n, .kind = hash, .news = on_news, .ctx = b
    };
    size_t first;

    km_buf_reset(b);
    km_pins_look(p, &l, &first);
    return km_buf_cstr(b);
}

static void what_only_some_clients_are_shown_is_accepted_at_its_own_first_sight(void **unused)
{
    struct km_pins *p = km_pins_new();
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_pin_tool all[] = { tool("a", 0, 0) };
    struct km_pin_tool more[] = { tool("a", 0, 0), tool("b", 1, 0) };
    struct km_pin_tool then[] = { tool("a", 0, 0), tool("b", 1, 0), tool("c", 2, 0) };
    struct km_pin_tool turned[] = { tool("a", 3, 0), tool("d", 4, 0) };

    (void)unused;
    look(p, "s", all, 1, &b);
    assert_string_equal(look_as(p, 1, more, 2, &b), "");
    assert_int_equal(state_of(p, more[1]), KM_PIN_OK);
    assert_string_equal(look(p, "s", all, 1, &b), ""); /* not gone: it was never there for all */
    assert_string_equal(look_as(p, 1, then, 3, &b), "c:new ");
    /* Another kind sees what it sees first; a tool that is known is not another one for it. */
    assert_string_equal(look_as(p, 2, turned, 2, &b), "a:changed ");
    assert_int_equal(state_of(p, turned[1]), KM_PIN_OK);
    assert_string_equal(look(p, "s", then, 3, &b), ""); /* told when it came */
    assert_int_equal(state_of(p, then[2]), KM_PIN_NEW);
    km_buf_reset(&b);
    km_pins_json(p, KM_STR("s"), &b);
    assert_null(strstr(km_buf_cstr(&b), "\"tool\":\"\""));
    km_pins_free(p);
}

static void renaming_a_tool_makes_a_new_one(void **unused)
{
    struct km_pins *p = km_pins_new();
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_pin_tool first[] = { tool("a", 0, 0) }, then[] = { tool("b", 0, 0) };

    (void)unused;
    look(p, "s", first, 1, &b);
    assert_string_equal(look(p, "s", then, 1, &b), "b:new a:gone ");
    assert_int_equal(state_of(p, then[0]), KM_PIN_NEW);
    km_pins_free(p);
}

static void accepting_is_for_one_definition(void **unused)
{
    struct km_pins *p = km_pins_new();
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_pin_tool a0 = tool("a", 0, 0), a1 = tool("a", 1, 0), a2 = tool("a", 2, 0);
    struct km_pin_accept all = { .server = KM_STR("s") };
    struct km_pin_accept one = { .server = KM_STR("s"), .tool = KM_STR("a"), .hash = KM_STR("02") };
    uint64_t before;

    (void)unused;
    look(p, "s", &a0, 1, &b);
    look(p, "s", &a1, 1, &b);
    look(p, "s", &a2, 1, &b);
    before = km_pins_generation(p);
    assert_int_equal(km_pins_accept(p, &one), 1); /* the one in the middle, by its hash */
    assert_true(km_pins_generation(p) > before);
    assert_int_equal(state_of(p, a1), KM_PIN_OK);
    assert_int_equal(state_of(p, a2), KM_PIN_CHANGED);
    look(p, "s", &a1, 1, &b);
    assert_int_equal(km_pins_accept(p, &all), 0); /* what is offered is accepted already */
    assert_int_equal(state_of(p, a2), KM_PIN_CHANGED);
    look(p, "s", &a2, 1, &b);
    assert_int_equal(km_pins_accept(p, &all), 1);
    assert_int_equal(state_of(p, a2), KM_PIN_OK);
    assert_int_equal(state_of(p, a0), KM_PIN_OK);
    km_pins_free(p);
}

static void what_hides_something_is_fine_only_when_a_person_said_so(void **unused)
{
    struct km_pins *p = km_pins_new();
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_pin_tool bad = tool("a", 0, KM_SCAN_HIDDEN), worse = tool("a", 1, KM_SCAN_ORDERS);
    struct km_pin_accept all = { .server = KM_STR("s") };

    (void)unused;
    assert_string_equal(look(p, "s", &bad, 1, &b), "a:flagged ");
    assert_int_equal(state_of(p, bad), KM_PIN_FLAGGED);
    assert_int_equal(km_pins_accept(p, &all), 1);
    assert_int_equal(state_of(p, bad), KM_PIN_OK);
    assert_string_equal(look(p, "s", &worse, 1, &b), "a:changed ");
    km_buf_reset(&b);
    km_pins_json(p, KM_STR("s"), &b);
    assert_non_null(strstr(km_buf_cstr(&b), "\"state\":\"changed\",\"flags\":[\"orders\"]"));
    km_pins_free(p);
}

static void definitions_of_a_tool_are_bounded_and_what_was_accepted_stays(void **unused)
{
    struct km_pins *p = km_pins_new();
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_pin_tool first = tool("a", 0, 0);

    (void)unused;
    look(p, "s", &first, 1, &b);
    for (unsigned i = 1; i < 2 * KM_PINS_OF_TOOL - 1; i++) {
        struct km_pin_tool next = tool("a", i, 0);

        look(p, "s", &next, 1, &b);
        assert_int_equal(state_of(p, next), KM_PIN_CHANGED);
    }
    assert_int_equal(state_of(p, first), KM_PIN_OK);
    km_pins_free(p);
}

static void digest(const char *json, uint8_t out[32])
{
    struct km_arena arena;
    const struct km_json *root;

    km_arena_init(&arena, 1 << 20, NULL);
    assert_int_equal(km_json_parse(&arena, km_str_c(json), &root, NULL), 0);
    assert_int_equal(km_pin_digest(root, out, NULL), 0);
    km_arena_done(&arena);
}

static void the_digest_is_of_what_a_model_decides_by(void **unused)
{
    static const char *const same[] = {
        "{\"description\":\"d\",\"name\":\"a\",\"inputSchema\":{\"a\":1,\"b\":2}}",
        "{\"name\":\"a\",\"description\":\"\\u0064\",\"inputSchema\":{\"b\":2,\"a\":1}}",
        "{\"name\":\"a\",\"description\":\"d\",\"inputSchema\":{\"a\":1,\"b\":2},"
        "\"_meta\":{\"v\":7},\"icons\":[]}",
    };
    static const char *const other[] = {
        "{\"name\":\"b\",\"description\":\"d\",\"inputSchema\":{\"a\":1,\"b\":2}}",
        "{\"name\":\"a\",\"description\":\"e\",\"inputSchema\":{\"a\":1,\"b\":2}}",
        "{\"name\":\"a\",\"description\":\"d\",\"inputSchema\":{\"a\":1,\"b\":3}}",
        "{\"name\":\"a\",\"description\":\"d\",\"inputSchema\":{\"a\":1,\"b\":2},\"title\":\"d\"}",
        "{\"name\":\"a\",\"description\":\"d\",\"inputSchema\":{\"a\":1,\"b\":2},"
        "\"outputSchema\":{}}",
        "{\"name\":\"a\",\"description\":\"d\",\"inputSchema\":{\"a\":1,\"b\":2},"
        "\"annotations\":{}}",
        "{\"name\":\"a\",\"inputSchema\":{\"a\":1,\"b\":2}}",
    };
    uint8_t first[32], next[32];

    (void)unused;
    digest(same[0], first);
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        digest(same[i], next);
        assert_memory_equal(first, next, 32);
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        digest(other[i], next);
        assert_memory_not_equal(first, next, 32);
    }
}

/* The digest would be of the first, and clients read the last. */
static void a_definition_with_a_member_twice_is_left_out(void **unused)
{
    static const char page[] =
        "{\"tools\":[{\"name\":\"a\",\"description\":\"fine\",\"description\":\"not\"},"
        "{\"name\":\"b\",\"inputSchema\":{\"properties\":{\"x\":{},\"\\u0078\":{}}}},"
        "{\"name\":\"c\",\"description\":\"fine\"}]}";
    struct km_mcp_catalogue *c = km_catalogue_new();
    struct km_str cursor;

    (void)unused;
    assert_int_equal(km_catalogue_page(c, KM_MCP_TOOLS, km_str_c(page), &cursor, NULL), 0);
    assert_int_equal(c->lists[KM_MCP_TOOLS].n, 1);
    assert_int_equal(c->lists[KM_MCP_TOOLS].v[0].name.p[0], 'c');
    km_mcp_catalogue_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_accepted_at_first_sight_and_told_of_afterwards),
        cmocka_unit_test(what_only_some_clients_are_shown_is_accepted_at_its_own_first_sight),
        cmocka_unit_test(renaming_a_tool_makes_a_new_one),
        cmocka_unit_test(accepting_is_for_one_definition),
        cmocka_unit_test(what_hides_something_is_fine_only_when_a_person_said_so),
        cmocka_unit_test(definitions_of_a_tool_are_bounded_and_what_was_accepted_stays),
        cmocka_unit_test(the_digest_is_of_what_a_model_decides_by),
        cmocka_unit_test(a_definition_with_a_member_twice_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
