/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "admin/key_fields.h"

#define NOW INT64_C(1795000000000000)

struct fixture {
    struct km_admin a;
    struct km_key_row row;
    struct km_err err;
    struct km_buf out;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    km_arena_init(&f->a.arena, 4 << 20, NULL);
    km_key_row_init(&f->row);
    km_buf_init(&f->out, 1 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_buf_done(&f->out);
    km_arena_done(&f->a.arena);
    free(f);
    return 0;
}

static int read_body(struct fixture *f, const char *json)
{
    f->err = (struct km_err){ 0 };
    assert_int_equal(km_json_parse_answer(&f->a.arena, km_str_c(json), &f->a.body, NULL), 0);
    return km_key_fields_read(&f->a, NOW, &f->row, &f->err);
}

static void every_field_goes_to_its_place(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        read_body(f, "{\"key_alias\":\"team\",\"models\":[\"a\",\"b/*\"],\"max_budget\":1.5,"
                     "\"rpm_limit\":10,\"tpm_limit\":1000,\"max_parallel_requests\":0,"
                     "\"duration\":\"1h\",\"budget_duration\":\"1d\",\"metadata\":{\"x\":1},"
                     "\"blocked\":true,\"user_id\":\"u\"}"),
        0);
    assert_true(km_str_eq(f->row.alias, KM_STR("team")));
    assert_int_equal(f->row.models.n, 2);
    assert_int_equal(f->row.max_budget, 1500000000);
    assert_int_equal(f->row.rpm, 10);
    assert_int_equal(f->row.max_parallel, 0);
    assert_int_equal(f->row.expires_us, NOW + INT64_C(3600000000));
    assert_int_equal(f->row.budget_duration_s, 86400);
    assert_true(f->row.budget_reset_us > NOW);
    assert_true(f->row.blocked);
    assert_true(km_str_eq(f->row.metadata, KM_STR("{\"x\":1}")));
}

static void null_takes_a_limit_away(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read_body(f, "{\"max_budget\":2,\"rpm_limit\":5,\"duration\":\"1d\"}"), 0);
    assert_int_equal(read_body(f, "{\"max_budget\":null,\"rpm_limit\":null,\"duration\":null}"), 0);
    assert_int_equal(f->row.max_budget, -1);
    assert_int_equal(f->row.rpm, -1);
    assert_int_equal(f->row.expires_us, 0);
}

static void wrong_values_name_their_field(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *body, *param;
    } cases[] = {
        { "{\"max_budget\":\"much\"}", "max_budget" },
        { "{\"max_budget\":-1}", "max_budget" },
        { "{\"rpm_limit\":1.5}", "rpm_limit" },
        { "{\"models\":\"a\"}", "models" },
        { "{\"models\":[1]}", "models" },
        { "{\"duration\":\"soon\"}", "duration" },
        { "{\"metadata\":[]}", "metadata" },
        { "{\"blocked\":\"yes\"}", "blocked" },
        { "{\"key_alias\":5}", "key_alias" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_body(f, cases[i].body), KM_E_INVALID);
        assert_string_equal(f->err.param, cases[i].param);
    }
}

static void a_restriction_that_is_not_enforced_is_refused_unless_it_is_empty(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read_body(f, "{\"guardrails\":[\"pii\"]}"), KM_E_UNSUPPORTED);
    assert_string_equal(f->err.param, "guardrails");
    assert_int_equal(read_body(f, "{\"guardrails\":[],\"permissions\":{},\"allowed_routes\":null}"),
                     0);
}

static void what_has_no_column_is_kept_but_cannot_forge_ours(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read_body(f, "{\"tags\":[\"t\"],\"token\":\"forged\",\"spend\":9}"), 0);
    assert_true(km_str_eq(f->row.extra, KM_STR("{\"tags\":[\"t\"]}")));
}

static void a_row_is_shown_as_json_with_the_secret_only_when_given(void **state)
{
    struct fixture *f = *state;
    const struct km_json *root;
    struct km_str text;

    assert_int_equal(read_body(f, "{\"key_alias\":\"q\\\"uote\",\"max_budget\":0.25,\"tags\":[1]}"),
                     0);
    km_key_fields_write(&f->row, 123456789, KM_STR("sk-secret"), &f->out);
    assert_int_equal(km_json_parse(&f->a.arena, km_buf_view(&f->out), &root, NULL), 0);
    assert_true(km_json_string(km_json_get(root, "key"), &text));
    assert_true(km_json_number(km_json_get(root, "spend"), &text));
    assert_true(km_str_eq(text, KM_STR("0.123456789")));
    assert_true(km_json_number(km_json_get(root, "max_budget"), &text));
    assert_true(km_str_eq(text, KM_STR("0.25")));
    assert_int_equal(km_json_kind(km_json_get(root, "tags")), KM_JSON_ARRAY);
    km_buf_reset(&f->out);
    km_key_fields_write(&f->row, 0, KM_STR_NONE, &f->out);
    assert_int_equal(km_str_find(km_buf_view(&f->out), KM_STR("sk-")), f->out.n);
}

static void permissions_are_kept_in_the_form_that_is_enforced(void **state)
{
    static const char *const good[] = {
        "{}",
        "{\"mcp_servers\":[]}",
        "{\"mcp_servers\":null,\"vector_stores\":[]}",
        "{\"mcp_tool_permissions\":{\"s\":[\"t\"]},\"mcp_modes\":{\"s\":\"dml\"}}",
        "{\"mcp_param_permissions\":{\"s\":{\"t\":[\"p\"],\"u\":[]}}}",
    };
    static const char *const bad[] = {
        "[]",
        "\"s\"",
        "false",
        "{\"mcp_servers\":\"s\"}",
        "{\"mcp_servers\":[1]}",
        "{\"mcp_access_groups\":{}}",
        "{\"mcp_tool_permissions\":{\"s\":\"t\"}}",
        "{\"mcp_tool_permissions\":{\"s\":null}}",
        "{\"mcp_param_permissions\":{\"s\":[\"p\"]}}",
        "{\"mcp_param_permissions\":{\"s\":{\"t\":\"p\"}}}",
        "{\"mcp_servers\":[\"s\"],\"mcp_servers\":[\"t\"]}",
        "{\"vector_stores\":[\"v\"]}",
    };
    struct fixture *f = *state;
    char text[200];

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(text, sizeof text, "{\"object_permission\":%s}", good[i]);
        assert_int_equal(read_body(f, text), 0);
        assert_true(km_str_eq(f->row.extra, km_str_c(text)));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "{\"object_permission\":%s}", bad[i]);
        assert_int_not_equal(read_body(f, text), 0);
        assert_non_null(strstr(f->err.text, i == 10 ? "twice" : "object_permission"));
    }
    assert_int_equal(read_body(f, "{\"object_permission\":null}"), 0); /* what lifts it */
    assert_int_equal(f->row.extra.n, 0);
}

static void tools_that_providers_run_are_named(void **state)
{
    static const char *const good[] = { "false", "[]", "[\"web_search\",\"mcp\",\"other\"]" };
    static const char *const bad[] = { "\"web_search\"", "[\"websearch\"]", "[7]", "{}", "1" };
    struct fixture *f = *state;
    char text[200];

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(text, sizeof text, "{\"hosted_tools\":%s}", good[i]);
        assert_int_equal(read_body(f, text), 0);
        assert_true(km_str_eq(f->row.extra, km_str_c(text)));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "{\"hosted_tools\":%s}", bad[i]);
        assert_int_not_equal(read_body(f, text), 0);
        assert_string_equal(f->err.param, "hosted_tools");
    }
    assert_int_not_equal(read_body(f, "{\"hosted_tool\":[\"mcp\"]}"), 0);
    assert_int_not_equal(read_body(f, "{\"hosted_tool\":false}"), 0);
    assert_non_null(strstr(f->err.text, "hosted_tools"));
    assert_int_equal(read_body(f, "{\"hosted_tools\":true}"), 0); /* what lifts it */
    assert_int_equal(f->row.extra.n, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(permissions_are_kept_in_the_form_that_is_enforced),
        T(tools_that_providers_run_are_named),
        T(every_field_goes_to_its_place),
        T(null_takes_a_limit_away),
        T(wrong_values_name_their_field),
        T(a_restriction_that_is_not_enforced_is_refused_unless_it_is_empty),
        T(what_has_no_column_is_kept_but_cannot_forge_ours),
        T(a_row_is_shown_as_json_with_the_secret_only_when_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
