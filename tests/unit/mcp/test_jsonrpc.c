/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "mcp/jsonrpc.h"

#define ARENA_BYTES ((size_t)128 * 1024 * 1024)

static const char request[] =
    "{ \"jsonrpc\":\"2.0\", \"id\" : \"a\\u0041\", \"method\":\"tools\\/call\", "
    "\"params\":{\"name\":\"x\",\"arguments\":{\"k\":[1,2]}} }";

static void assert_str(struct km_str s, const char *expected)
{
    assert_int_equal(s.n, strlen(expected));
    assert_memory_equal(s.p, expected, s.n);
}

static void a_request_is_read_and_its_id_kept_as_sent(void **state)
{
    static const char *const ids[] = { "7", "-3", "0", "\"7\"", "\"\"", "90071992547409931234567",
                                       "\"\\u00e9\\n\"" };
    struct km_rpc_message m;
    enum km_rpc_fault fault;
    struct km_arena a;
    char text[200];

    (void)state;
    km_arena_init(&a, ARENA_BYTES, NULL);
    assert_int_equal(km_rpc_parse(&a, km_str_c(request), &m, &fault, NULL), 0);
    assert_int_equal(m.kind, KM_RPC_REQUEST);
    assert_str(m.id, "\"a\\u0041\"");
    assert_str(m.method, "tools/call");
    assert_int_equal(km_json_kind(m.params), KM_JSON_OBJECT);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        snprintf(text, sizeof text, "{\"id\":%s,\"jsonrpc\":\"2.0\",\"method\":\"ping\"}", ids[i]);
        assert_int_equal(km_rpc_parse(&a, km_str_c(text), &m, &fault, NULL), 0);
        assert_str(m.id, ids[i]);
    }
    km_arena_done(&a);
}

static void notifications_and_responses_are_told_apart(void **state)
{
    static const struct {
        const char *text;
        enum km_rpc_kind kind;
    } cases[] = {
        { "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", KM_RPC_NOTIFICATION },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", KM_RPC_RESPONSE },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"\"}}",
          KM_RPC_RESPONSE },
        { "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":1,\"message\":\"\"}}", KM_RPC_RESPONSE },
    };
    struct km_rpc_message m;
    enum km_rpc_fault fault;
    struct km_arena a;

    (void)state;
    km_arena_init(&a, ARENA_BYTES, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(km_rpc_parse(&a, km_str_c(cases[i].text), &m, &fault, NULL), 0);
        assert_int_equal(m.kind, cases[i].kind);
    }
    km_arena_done(&a);
}

static void a_message_that_is_none_says_how_to_answer(void **state)
{
    static const struct {
        const char *text;
        enum km_rpc_fault fault;
        const char *id; /* what is still known */
    } cases[] = {
        { "", KM_RPC_PARSE, "" },
        { "{", KM_RPC_PARSE, "" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"} x", KM_RPC_PARSE, "" },
        { "[]", KM_RPC_INVALID_REQUEST, "" },
        { "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", KM_RPC_INVALID_REQUEST, "" },
        { "7", KM_RPC_INVALID_REQUEST, "" },
        { "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"x\"}", KM_RPC_INVALID_REQUEST, "" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"x\"}", KM_RPC_INVALID_REQUEST, "" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1e3,\"method\":\"x\"}", KM_RPC_INVALID_REQUEST, "" },
        { "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"x\"}", KM_RPC_INVALID_REQUEST, "" },
        { "{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"x\"}", KM_RPC_INVALID_REQUEST, "" },
        { "{\"id\":1,\"method\":\"x\"}", KM_RPC_INVALID_REQUEST, "1" },
        { "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"x\"}", KM_RPC_INVALID_REQUEST, "1" },
        { "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"x\"}", KM_RPC_INVALID_REQUEST, "1" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", KM_RPC_INVALID_REQUEST, "1" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1}", KM_RPC_INVALID_REQUEST, "1" },
        { "{\"jsonrpc\":\"2.0\",\"result\":1}", KM_RPC_INVALID_REQUEST, "" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"result\":1}", KM_RPC_INVALID_REQUEST,
          "1" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{},\"result\":1}", KM_RPC_INVALID_REQUEST, "1" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":[]}", KM_RPC_INVALID_REQUEST,
          "1" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":null}", KM_RPC_INVALID_REQUEST,
          "1" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"m\\u0065thod\":\"y\"}",
          KM_RPC_INVALID_REQUEST, "" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"name\":1,\"n\\u0061me\":2}"
          "}",
          KM_RPC_INVALID_REQUEST, "1" },
        { "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"name\":1,\"Name\":2}}",
          KM_RPC_INVALID_REQUEST, "" },
        { "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"argument\\u017f\":{}}}",
          KM_RPC_INVALID_REQUEST, "" },
        { "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"tas\\u212aId\":1}}",
          KM_RPC_INVALID_REQUEST, "" },
        { "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"a\":[{\"b\":{\"c\":1,\"c\":1}}]}}",
          KM_RPC_INVALID_REQUEST, "" },
    };
    struct km_rpc_message m;
    enum km_rpc_fault fault;
    struct km_arena a;

    (void)state;
    km_arena_init(&a, ARENA_BYTES, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_err err = { 0 };

        assert_int_not_equal(km_rpc_parse(&a, km_str_c(cases[i].text), &m, &fault, &err), 0);
        assert_int_equal(fault, cases[i].fault);
        assert_str(m.id, cases[i].id);
        assert_true(err.text[0] != 0);
    }
    km_arena_done(&a);
}

/* n members of params.arguments, the last of them called as number `again`, if that is less. */
static int with_members(size_t n, size_t again)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_rpc_message m;
    enum km_rpc_fault fault;
    struct km_arena a;
    int r;

    km_buf_str(&b, KM_STR("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\","
                          "\"params\":{\"arguments\":{\"\":0"));
    for (size_t i = 1; i < n; i++)
        km_buf_printf(&b, ",\"%zu\":0", i + 1 == n && again < n ? again : i);
    km_buf_str(&b, KM_STR("}}}"));
    km_arena_init(&a, ARENA_BYTES, NULL);
    r = km_rpc_parse(&a, km_buf_view(&b), &m, &fault, NULL);
    km_arena_done(&a);
    return r;
}

static void a_member_of_the_parameters_occurs_once(void **state)
{
    static const size_t sizes[] = { 3, 15, 16, 17, 1000, 20000 };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(with_members(sizes[i], SIZE_MAX), 0);
        assert_int_equal(with_members(sizes[i], 1), KM_E_INVALID);
        assert_int_equal(with_members(sizes[i], sizes[i] - 2), KM_E_INVALID);
    }
}

static void a_message_cut_anywhere_is_refused(void **state)
{
    struct km_rpc_message m;
    enum km_rpc_fault fault;

    (void)state;
    for (size_t n = 0; n < sizeof request - 1; n++) {
        struct km_arena a;

        km_arena_init(&a, ARENA_BYTES, NULL);
        assert_int_not_equal(km_rpc_parse(&a, km_str(request, n), &m, &fault, NULL), 0);
        assert_int_equal(fault, KM_RPC_PARSE);
        km_arena_done(&a);
    }
}

/* {"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[[[...]]]}} with `depth` levels in all */
static int nested(size_t depth, enum km_rpc_fault *fault)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_rpc_message m;
    struct km_arena a;
    int r;

    km_buf_str(&b, KM_STR("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"a\":"));
    for (size_t i = 2; i < depth; i++)
        km_buf_byte(&b, '[');
    for (size_t i = 2; i < depth; i++)
        km_buf_byte(&b, ']');
    km_buf_str(&b, depth > 2 ? KM_STR("}}") : KM_STR("1}}"));
    km_arena_init(&a, ARENA_BYTES, NULL);
    r = km_rpc_parse(&a, km_buf_view(&b), &m, fault, NULL);
    km_arena_done(&a);
    return r;
}

static void nesting_and_size_are_bounded(void **state)
{
    enum km_rpc_fault fault;
    struct km_rpc_message m;
    struct km_arena a;
    char *huge = malloc(KM_RPC_BYTES + 1);

    (void)state;
    assert_non_null(huge);
    assert_int_equal(nested(KM_JSON_DEPTH, &fault), 0);
    assert_int_equal(nested(KM_JSON_DEPTH + 1, &fault), KM_E_LIMIT);
    assert_int_equal(fault, KM_RPC_INVALID_REQUEST);
    assert_int_equal(nested(100000, &fault), KM_E_LIMIT);
    memset(huge, ' ', KM_RPC_BYTES + 1);
    km_arena_init(&a, ARENA_BYTES, NULL);
    assert_int_equal(km_rpc_parse(&a, km_str(huge, KM_RPC_BYTES + 1), &m, &fault, NULL),
                     KM_E_LIMIT);
    assert_int_equal(fault, KM_RPC_TOO_LARGE);
    /* A small arena bounds the tree of a message within the size. */
    memset(huge, '[', KM_RPC_BYTES);
    km_arena_done(&a);
    km_arena_init(&a, 1 << 20, NULL);
    assert_int_not_equal(km_rpc_parse(&a, km_str(huge, KM_RPC_BYTES), &m, &fault, NULL), 0);
    km_arena_done(&a);
    free(huge);
}

static void codes_differ_by_era(void **state)
{
    (void)state;
    assert_int_equal(km_rpc_code(KM_RPC_METHOD_NOT_FOUND, KM_MCP_HANDSHAKE), -32601);
    assert_int_equal(km_rpc_http(KM_RPC_METHOD_NOT_FOUND, KM_MCP_HANDSHAKE), 200);
    assert_int_equal(km_rpc_http(KM_RPC_METHOD_NOT_FOUND, KM_MCP_STATELESS), 404);
    assert_int_equal(km_rpc_code(KM_RPC_HEADER_MISMATCH, KM_MCP_STATELESS), -32020);
    assert_int_equal(km_rpc_code(KM_RPC_MISSING_CAPABILITY, KM_MCP_STATELESS), -32021);
    assert_int_equal(km_rpc_code(KM_RPC_UNSUPPORTED_VERSION, KM_MCP_STATELESS), -32022);
    assert_int_equal(km_rpc_code(KM_RPC_RESOURCE_NOT_FOUND, KM_MCP_HANDSHAKE), -32002);
    assert_int_equal(km_rpc_code(KM_RPC_RESOURCE_NOT_FOUND, KM_MCP_STATELESS), -32602);
}

static void answers_carry_the_id_as_it_came(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    (void)state;
    km_rpc_result(&b, KM_STR("\"a\\u0041\""), KM_STR("{\"x\":1}"));
    assert_string_equal(km_buf_cstr(&b),
                        "{\"jsonrpc\":\"2.0\",\"id\":\"a\\u0041\",\"result\":{\"x\":1}}");
    km_buf_reset(&b);
    km_rpc_request(&b, KM_STR("\"a\\u0041\""), KM_STR("roots/list"), KM_STR_NONE);
    assert_string_equal(km_buf_cstr(&b),
                        "{\"jsonrpc\":\"2.0\",\"id\":\"a\\u0041\",\"method\":\"roots/list\"}");
    km_buf_reset(&b);
    km_rpc_request(&b, KM_STR_NONE, KM_STR("a\"b"), KM_STR("{}"));
    assert_string_equal(km_buf_cstr(&b),
                        "{\"jsonrpc\":\"2.0\",\"method\":\"a\\\"b\",\"params\":{}}");
    km_buf_reset(&b);
    km_rpc_error(&b, KM_MCP_HANDSHAKE, KM_RPC_PARSE, KM_STR_NONE, KM_STR("a \"b\""), KM_STR_NONE);
    assert_string_equal(km_buf_cstr(&b), "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":"
                                         "-32700,\"message\":\"a \\\"b\\\"\"}}");
    km_buf_reset(&b);
    km_rpc_error(&b, KM_MCP_STATELESS, KM_RPC_HEADER_MISMATCH, KM_STR_NONE, KM_STR("m"),
                 KM_STR("{}"));
    assert_string_equal(
        km_buf_cstr(&b),
        "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32020,\"message\":\"m\",\"data\":{}}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_and_its_id_kept_as_sent),
        cmocka_unit_test(notifications_and_responses_are_told_apart),
        cmocka_unit_test(a_message_that_is_none_says_how_to_answer),
        cmocka_unit_test(a_member_of_the_parameters_occurs_once),
        cmocka_unit_test(a_message_cut_anywhere_is_refused),
        cmocka_unit_test(nesting_and_size_are_bounded),
        cmocka_unit_test(codes_differ_by_era),
        cmocka_unit_test(answers_carry_the_id_as_it_came),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
