/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "app/cli.h"
#include "config/config.h"
#include "host/module.h"

static void no_setting_is_named_twice_and_every_row_is_sound(void **state)
{
    struct km_buf wrong KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    (void)state;
    km_config_check_rows(km_app_tables, &wrong);
    if (wrong.n)
        fail_msg("%s", km_buf_cstr(&wrong));
}

static void every_command_has_a_summary_and_a_name_of_its_own(void **state)
{
    (void)state;
    for (const struct km_command *c = km_app_commands; c->name; c++) {
        assert_non_null(c->summary);
        assert_non_null(c->run);
        for (const struct km_command *d = c + 1; d->name; d++)
            assert_string_not_equal(c->name, d->name);
    }
}

static void every_module_has_a_name_and_a_place_of_its_own(void **state)
{
    (void)state;
    for (const struct km_module *const *m = km_app_modules; *m; m++) {
        assert_non_null((*m)->name);
        assert_non_null((*m)->place);
        for (const struct km_module *const *n = m + 1; *n; n++)
            assert_ptr_not_equal((*m)->place, (*n)->place);
    }
}

static void all_routes_fit_into_one_router(void **state)
{
    struct km_router *router = km_router_new();
    struct km_err err = { 0 };

    (void)state;
    for (const struct km_route_rows *const *r = km_app_routes; *r; r++)
        if (km_router_add(router, (*r)->rows, (*r)->n, &err) < 0)
            fail_msg("%s", err.text);
    km_router_free(router);
}

static struct km_diags *check(const char *yaml)
{
    static const char *const environ_list[] = { "SET=value", NULL };
    char path[] = "/tmp/kanmon-tables-XXXXXX";
    struct km_config_args args = { .file = path, .tables = km_app_tables, .environ = environ_list };
    struct km_diags *diags = km_diags_new();
    struct km_config *config = NULL;
    struct km_err err = { 0 };
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    close(fd);
    (void)!km_config_load(&args, diags, &config, &err);
    unlink(path);
    km_config_unref(config);
    return diags;
}

static size_t told(const struct km_diags *diags, const char *code, const char *text)
{
    const struct km_diag *g;
    size_t n = 0;

    for (size_t i = 0; (g = km_diags_at(diags, i)) != NULL; i++)
        n += strcmp(g->code, code) == 0 && km_str_find(g->message, km_str_c(text)) < g->message.n;
    return n;
}

/* The name with its middle character doubled; empty where that is another row's name. */
static void misspell(const char *name, char *out, size_t cap)
{
    size_t middle = strlen(name) / 2;

    snprintf(out, cap, "%.*s%c%s", (int)middle, name, name[middle], name + middle);
}

static void every_key_that_restricts_stops_the_start_when_it_is_misspelt(void **state)
{
    (void)state;
    for (size_t t = 0; km_app_tables[t]; t++)
        for (const struct km_setting *row = km_app_tables[t]->rows; row->name; row++) {
            bool scalar = row->type != KM_SET_TABLE && row->type != KM_SET_TABLE_LIST &&
                          row->type != KM_SET_TABLE_MAP;
            bool safe = row->class == KM_SUPPORTED && (row->flags & KM_SET_SAFETY) && scalar;
            char name[128], yaml[256];
            struct km_diags *diags;

            if (row->class != KM_RESTRICTIVE && !safe)
                continue;
            misspell(row->name, name, sizeof name);
            snprintf(yaml, sizeof yaml, "%s%s{%s: something}\n", km_app_tables[t]->section,
                     *km_app_tables[t]->section ? ": " : "", name);
            if (strchr(km_app_tables[t]->section, '.'))
                continue; /* the same, one level down */
            diags = check(yaml);
            if (told(diags, "E0103", name) != 1)
                fail_msg("%s is taken", yaml);
            km_diags_free(diags);
        }
}

static void every_misspelt_section_stops_the_start(void **state)
{
    static const char *const names[] = { "general_settings", "litellm_settings", "router_settings",
                                         "kanmon_settings",  "mcp_servers",      "model_list",
                                         "guardrails",       "policies",         "include",
                                         "credential_list",  "environment_variables" };
    char name[128], yaml[256];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct km_diags *diags;

        misspell(names[i], name, sizeof name);
        snprintf(yaml, sizeof yaml, "%s: {a: b}\n", name);
        diags = check(yaml);
        if (told(diags, "E0103", name) != 1)
            fail_msg("%s is taken", yaml);
        km_diags_free(diags);
    }
}

/* Whether the one error that a file gives has this code. */
static void stops(const char *yaml, const char *code)
{
    struct km_diags *diags = check(yaml);

    if (told(diags, code, "") != 1 || km_diags_count(diags, KM_DIAG_ERROR) != 1)
        fail_msg("%s: %zu errors, %zu of them %s", yaml, km_diags_count(diags, KM_DIAG_ERROR),
                 told(diags, code, ""), code);
    km_diags_free(diags);
}

static void mutual_tls_is_not_lost_without_an_error(void **state)
{
    (void)state;
    stops("kanmon_settings: {listen: [{tls: {cert: c, key: k, clientca: a}}]}\n", "E0103");
    stops("kanmon_settings: {listen: [{tls: {cert: c, key: k, verify: a}}]}\n", "E0103");
    stops("kanmon_settings: {listen: [{tls: {cert: c, key: k, client_ca: os.environ/UNSET}}]}\n",
          "E0107");
}

static void what_protects_here_is_not_lost_by_its_name_or_its_place(void **state)
{
    static const char *const inside[] = {
        "mcp_safty: {approve: always}", "mcpsafety: {approve: always}", "prefix_model: listed",
        "acounting: strict", "stor_unavailable: refuse", "limits: {bodybytes: 1024}",
        "limits: {connectionss: 5}", "body_bytes: 1024", "limits: {accounting: strict}",
        "lisen: [{tls: {cert: c, key: k}}]", "listen: [{tsl: {cert: c, key: k}}]",
        "listen: [{max_connections: 5}]", "mcp_sesions: {per_key: 5}", "deny_all: true",
        "upstream: {max_things: 5}", "upstream: {max_per_orgin: 5}",
    };
    static const char *const outside[] = {
        "mcp_safety: {approve: always}", "prefix_models: listed", "accounting: strict",
        "limits: {body_bytes: 1024}", "mcp_sessions: {per_key: 5}",
    };
    char yaml[256];

    (void)state;
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        snprintf(yaml, sizeof yaml, "kanmon_settings: {%s}\n", inside[i]);
        stops(yaml, "E0103");
    }
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        snprintf(yaml, sizeof yaml, "general_settings: {%s}\n", outside[i]);
        stops(yaml, "E0103");
    }
    stops("router_settings: {accounting: strict}\n", "E0103");
}

static void an_unset_variable_in_a_bound_of_kanmons_own_stops_the_start(void **state)
{
    static const char *const bounds[] = {
        "default_max_parallel_requests: os.environ/UNSET", "prefix_models: os.environ/UNSET",
        "accounting: os.environ/UNSET", "store_unavailable: os.environ/UNSET",
        "max_keys: os.environ/UNSET", "budget_mode: os.environ/UNSET",
        "limits: {body_bytes: os.environ/UNSET}", "limits: {connections: os.environ/UNSET}",
        "listen: [{tls: os.environ/UNSET}]", "mcp_sessions: {per_key: os.environ/UNSET}",
        "allowed_hosts: os.environ/UNSET",
        "mcp_safety: os.environ/UNSET", "limits: os.environ/UNSET",
        "user: os.environ/UNSET", "upstream: {max_waiting: os.environ/UNSET}",
    };
    struct km_diags *diags;
    char yaml[256];

    (void)state;
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        snprintf(yaml, sizeof yaml, "kanmon_settings: {%s}\n", bounds[i]);
        stops(yaml, "E0107");
    }
    /* Accepted, it has its default: 0 would be out of range. */
    diags = check("kanmon_settings: {limits: {body_bytes: os.environ/UNSET},\n"
                  "  accept_unsupported: [kanmon_settings.limits.body_bytes]}\n");
    assert_int_equal(km_diags_count(diags, KM_DIAG_ERROR), 0);
    assert_int_equal(told(diags, "W0104", "body_bytes"), 1);
    km_diags_free(diags);
    diags = check("kanmon_settings: {log_level: os.environ/UNSET}\n");
    assert_int_equal(km_diags_count(diags, KM_DIAG_ERROR), 0);
    km_diags_free(diags);
}

static void a_key_is_sent_to_the_section_where_it_works(void **state)
{
    struct km_diags *diags = check("general_settings: {max_keys: 1}\n");
    struct km_str help;

    (void)state;
    assert_int_equal(told(diags, "E0103", "max_keys"), 1);
    help = km_diags_at(diags, 0)->help;
    assert_true(km_str_starts(help, KM_STR("it belongs in kanmon_settings.")));
    km_diags_free(diags);
}

static void what_protects_nothing_here_is_only_warned_about(void **state)
{
    static const char *const files[] = {
        "kanmon_settings: {log_fromat: json}\n",   "kanmon_settings: {frobnicate: 1}\n",
        "kanmon_settings: {mcp_tool_serch: {whole: true}}\n",
        "kanmon_settings: {accounting_: null}\n",  "general_settings: {log_format: json}\n",
        "litellm_settings: {mcp_servers: {a: {url: 'http://127.0.0.1/x'}}}\n",
        "kanmon_settings: {deny_all: true, accept_unsupported: [kanmon_settings.deny_all]}\n",
    };
    struct km_diags *diags;

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        diags = check(files[i]);
        if (km_diags_count(diags, KM_DIAG_ERROR) || km_diags_count(diags, KM_DIAG_WARNING) != 1)
            fail_msg("%s: %zu errors, %zu warnings", files[i], km_diags_count(diags, KM_DIAG_ERROR),
                     km_diags_count(diags, KM_DIAG_WARNING));
        km_diags_free(diags);
    }
    diags = check("kanmon_settings: {deny_all: false, max_it: null}\n");
    assert_int_equal(km_diags_count(diags, KM_DIAG_ERROR), 0);
    km_diags_free(diags);
}

static void litellms_jwt_and_server_keys_are_not_supported_and_not_unknown(void **state)
{
    struct km_diags *diags =
        check("general_settings:\n"
              "  litellm_jwtauth: {roles_jwt_field: r, user_allowed_email_domain: d,\n"
              "                    enforce_rbac: true, team_id_upsert: true, misspelt: 1}\n"
              "mcp_servers:\n"
              "  a: {url: 'http://127.0.0.1/x', rpm: 3, env_vars: [{name: x}]}\n");

    (void)state;
    assert_int_equal(told(diags, "W0103", "litellm_jwtauth.roles_jwt_field"), 1);
    assert_int_equal(told(diags, "W0103", "litellm_jwtauth.team_id_upsert"), 1);
    assert_int_equal(told(diags, "E0108", "litellm_jwtauth.user_allowed_email_domain"), 1);
    assert_int_equal(told(diags, "E0108", "litellm_jwtauth.enforce_rbac"), 1);
    assert_int_equal(told(diags, "E0103", "misspelt"), 1);
    assert_int_equal(told(diags, "E0108", "mcp_servers.a.rpm"), 1);
    assert_int_equal(told(diags, "W0103", "mcp_servers.a.env_vars"), 1);
    km_diags_free(diags);
}

static void what_is_read_is_not_said_to_have_no_effect(void **state)
{
    struct km_diags *diags =
        check("model_list:\n"
              "- model_name: a\n"
              "  litellm_params: {model: azure/x, api_base: 'http://127.0.0.1', tenant_id: t,\n"
              "                   client_id: c, client_secret: s, api_version: '2024-10-21'}\n"
              "litellm_settings: {callbacks: [langtrace, clickhouse]}\n");

    (void)state;
    assert_int_equal(told(diags, "W0103", "litellm_params"), 0);
    assert_int_equal(km_diags_count(diags, KM_DIAG_ERROR), 0);
    km_diags_free(diags);
    diags =
        check("model_list: [{model_name: a, litellm_params: {model: b/c, drop_params: [x]}}]\n");
    assert_int_equal(told(diags, "E0102", "drop_params"), 1);
    assert_true(km_str_find(km_diags_at(diags, 0)->help, KM_STR("additional_drop_params")) <
                km_diags_at(diags, 0)->help.n);
    km_diags_free(diags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_setting_is_named_twice_and_every_row_is_sound),
        cmocka_unit_test(every_command_has_a_summary_and_a_name_of_its_own),
        cmocka_unit_test(every_module_has_a_name_and_a_place_of_its_own),
        cmocka_unit_test(all_routes_fit_into_one_router),
        cmocka_unit_test(every_key_that_restricts_stops_the_start_when_it_is_misspelt),
        cmocka_unit_test(every_misspelt_section_stops_the_start),
        cmocka_unit_test(mutual_tls_is_not_lost_without_an_error),
        cmocka_unit_test(what_protects_here_is_not_lost_by_its_name_or_its_place),
        cmocka_unit_test(a_key_is_sent_to_the_section_where_it_works),
        cmocka_unit_test(an_unset_variable_in_a_bound_of_kanmons_own_stops_the_start),
        cmocka_unit_test(what_protects_nothing_here_is_only_warned_about),
        cmocka_unit_test(litellms_jwt_and_server_keys_are_not_supported_and_not_unknown),
        cmocka_unit_test(what_is_read_is_not_said_to_have_no_effect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
