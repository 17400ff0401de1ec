/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "mcp/revision.h"

#define OK 0

static void initialize_agrees_on_a_revision_with_a_handshake(void **state)
{
    static const char *const pairs[][2] = {
        { "2024-11-05", "2024-11-05" }, { "2025-03-26", "2025-03-26" },
        { "2025-06-18", "2025-06-18" }, { "2025-11-25", "2025-11-25" },
        { "2026-07-28", "2025-11-25" }, { "1999-01-01", "2025-11-25" },
        { "", "2025-11-25" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_true(km_str_eq(km_mcp_revision_negotiate(km_str_c(pairs[i][0]))->name,
                              km_str_c(pairs[i][1])));
    assert_null(km_mcp_revision_find(KM_STR("2025-11-2")));
}

#define META(version) "{\"_meta\":{\"" KM_MCP_META_VERSION "\":" version                           \
                      ",\"" KM_MCP_META_CAPABILITIES "\":{}}}"

static void a_message_is_in_the_revision_it_says(void **state)
{
    static const struct {
        const char *method, *params, *header;
        int r; /* 0, or that it fails with fault */
        enum km_rpc_fault fault;
        const char *revision;
        enum km_mcp_era era;
    } cases[] = {
        { "tools/list", "{}", "", OK, 0, "2025-03-26", KM_MCP_HANDSHAKE },
        { "tools/list", "{}", "2025-06-18", OK, 0, "2025-06-18", KM_MCP_HANDSHAKE },
        { "tools/list", "{}", "2023-01-01", 1, KM_RPC_UNSUPPORTED_VERSION, NULL, KM_MCP_HANDSHAKE },
        { "initialize", "{}", "2023-01-01", OK, 0, NULL, KM_MCP_HANDSHAKE },
        { "tools/list", META("\"2026-07-28\""), "2026-07-28", OK, 0, "2026-07-28",
          KM_MCP_STATELESS },
        { "initialize", META("\"2026-07-28\""), "2026-07-28", OK, 0, "2026-07-28",
          KM_MCP_STATELESS },
        { "tools/list", META("\"2026-07-28\""), "", 1, KM_RPC_HEADER_MISMATCH, NULL,
          KM_MCP_STATELESS },
        { "tools/list", META("\"2026-07-28\""), "2025-11-25", 1, KM_RPC_HEADER_MISMATCH, NULL,
          KM_MCP_STATELESS },
        { "tools/list", META("\"2031-01-01\""), "2031-01-01", 1, KM_RPC_UNSUPPORTED_VERSION, NULL,
          KM_MCP_STATELESS },
        { "tools/list", META("\"2025-11-25\""), "2025-11-25", 1, KM_RPC_UNSUPPORTED_VERSION, NULL,
          KM_MCP_STATELESS },
        { "tools/list", META("7"), "2026-07-28", 1, KM_RPC_MISSING_META, NULL, KM_MCP_STATELESS },
        { "tools/list", "{}", "2026-07-28", 1, KM_RPC_MISSING_META, NULL, KM_MCP_STATELESS },
        { "tools/list", "{}", "2031-01-01", 1, KM_RPC_UNSUPPORTED_VERSION, NULL, KM_MCP_STATELESS },
        { "tools/list", "{\"_meta\":{\"" KM_MCP_META_VERSION "\":\"2026-07-28\"}}", "2026-07-28", 1,
          KM_RPC_MISSING_META, NULL, KM_MCP_STATELESS },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct km_mcp_revision *revision = NULL;
        struct km_rpc_message m;
        enum km_rpc_fault fault = KM_RPC_INTERNAL;
        struct km_err err = { 0 };
        struct km_arena a;
        char text[600];
        int r;

        km_arena_init(&a, 1 << 20, NULL);
        snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", cases[i].method,
                 cases[i].params);
        assert_int_equal(km_rpc_parse(&a, km_str_c(text), &m, &fault, &err), 0);
        r = km_mcp_revision_select(&m, true, km_str_c(cases[i].header), &revision, &fault, &err);
        assert_int_equal(r < 0, cases[i].r);
        if (r < 0)
            assert_int_equal(fault, cases[i].fault);
        assert_non_null(revision);
        assert_int_equal(revision->era, cases[i].era);
        if (cases[i].revision)
            assert_true(km_str_eq(revision->name, km_str_c(cases[i].revision)));
        km_arena_done(&a);
    }
}

static void without_http_there_is_no_header_to_compare(void **state)
{
    const struct km_mcp_revision *revision = NULL;
    struct km_rpc_message m;
    enum km_rpc_fault fault;
    struct km_arena a;

    (void)state;
    km_arena_init(&a, 1 << 20, NULL);
    assert_int_equal(
        km_rpc_parse(
            &a,
            KM_STR("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":" META(
                "\"2026-07-28\"") "}"),
            &m, &fault, NULL),
        0);
    assert_int_equal(km_mcp_revision_select(&m, false, KM_STR_NONE, &revision, &fault, NULL), 0);
    assert_int_equal(revision->era, KM_MCP_STATELESS);
    km_arena_done(&a);
}

static void a_version_nobody_speaks_is_said_again_as_far_as_it_can_be_shown(void **state)
{
    static const struct {
        const char *params, *header, *requested;
    } cases[] = {
        { "{}", "2031-01-01", "\"2031-01-01\"}" },
        { "{}", "2031\x01\xff\"\\", "\"2031??\\\"\\\\\"}" },
        { "{}", "20310123456789012345678901234567890123456789012345678901234567890123456789",
          "\"2031012345678901234567890123456789012345678901234567890123456789\"}" },
        { META("\"2032-01-01\""), "2031-01-01", "\"2032-01-01\"}" },
        { "{}", "", "\"\"}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);
        struct km_rpc_message m;
        enum km_rpc_fault fault;
        struct km_arena a;
        char text[600];

        km_arena_init(&a, 1 << 20, NULL);
        snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":%s}",
                 cases[i].params);
        assert_int_equal(km_rpc_parse(&a, km_str_c(text), &m, &fault, NULL), 0);
        km_mcp_put_versions(&m, km_str_c(cases[i].header), &out);
        assert_true(km_str_ends(km_buf_view(&out), km_str_c(cases[i].requested)));
        km_arena_done(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initialize_agrees_on_a_revision_with_a_handshake),
        cmocka_unit_test(a_message_is_in_the_revision_it_says),
        cmocka_unit_test(without_http_there_is_no_header_to_compare),
        cmocka_unit_test(a_version_nobody_speaks_is_said_again_as_far_as_it_can_be_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
