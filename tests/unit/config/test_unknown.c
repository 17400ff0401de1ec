/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "config/config.h"
#include "config/fill.h"
#include "config/litellm.h"
#include "files.h"

/* Stand-ins for rows of the layers above: one that is safe to misspell, one that is not. */
struct stub {
    struct km_str key;
    int64_t number;
    const struct km_node *node;
    struct km_table_list list;
};

static const struct km_setting params_rows[] = {
    { "model", KM_SET_STR, offsetof(struct stub, key), .help = "Model." },
    { "rpm", KM_SET_INT, offsetof(struct stub, number), .help = "Weight." },
    { 0 },
};
static const struct km_settings_table params_table = { .rows = params_rows,
                                                       .size = sizeof(struct stub),
                                                       .extra = SIZE_MAX };
static const struct km_setting entry_rows[] = {
    { "model_name", KM_SET_STR, offsetof(struct stub, key), .help = "Name." },
    { "litellm_params", KM_SET_TABLE, 0, .table = &params_table, .flags = KM_SET_OPEN,
      .help = "Params." },
    { 0 },
};
static const struct km_settings_table entry_table = { .rows = entry_rows,
                                                      .size = sizeof(struct stub),
                                                      .extra = SIZE_MAX };
static const struct km_setting server_rows[] = {
    { "url", KM_SET_STR, offsetof(struct stub, key), .help = "Address." },
    { "allowed_tools", KM_SET_NODE, offsetof(struct stub, node), .help = "Tools." },
    { 0 },
};
static const struct km_settings_table server_table = { .rows = server_rows,
                                                       .size = sizeof(struct stub),
                                                       .extra = SIZE_MAX };
static const struct km_setting top_rows[] = {
    { "model_list", KM_SET_TABLE_LIST, offsetof(struct stub, list), .table = &entry_table,
      .help = "Models." },
    { "mcp_servers", KM_SET_TABLE_MAP, offsetof(struct stub, list), .table = &server_table,
      .flags = KM_SET_SAFETY, .help = "Servers." },
    { 0 },
};
static const struct km_settings_table top_table = {
    .section = "", .rows = top_rows, .size = sizeof(struct stub), .extra = SIZE_MAX
};
static const struct km_setting general_rows[] = {
    { "master_key", KM_SET_SECRET, offsetof(struct stub, key), .flags = KM_SET_SAFETY,
      .help = "Key." },
    { 0 },
};
static const struct km_settings_table general_table = { .section = "general_settings",
                                                        .rows = general_rows,
                                                        .size = sizeof(struct stub),
                                                        .extra = SIZE_MAX };
static const struct km_setting defaults_rows[] = {
    { "num_retries", KM_SET_INT, offsetof(struct stub, number), .help = "Retries." },
    { 0 },
};
static const struct km_settings_table defaults_table = { .section = "litellm_settings",
                                                         .rows = defaults_rows,
                                                         .size = sizeof(struct stub),
                                                         .extra = SIZE_MAX };

static const struct km_settings_table *const tables[] = { &top_table,
                                                          &general_table,
                                                          &defaults_table,
                                                          &km_config_top_table,
                                                          &km_config_own_table,
                                                          &km_litellm_top_table,
                                                          &km_litellm_settings_table,
                                                          &km_litellm_module_table,
                                                          &km_litellm_general_table,
                                                          &km_litellm_newer_table,
                                                          &km_litellm_router_table,
                                                          NULL };

struct checked {
    struct km_buf text;
    size_t errors, warnings;
};

static void check(struct checked *c, const char *yaml)
{
    static const char *const environ_list[] = { "SET=value", NULL };
    struct km_diags *diags = km_diags_new();
    struct km_config *config = NULL;
    struct km_err err = { 0 };
    struct files files;

    files_init(&files);
    km_buf_init(&c->text, 1 << 20);
    struct km_config_args args = { .tables = tables,
                                   .environ = environ_list,
                                   .file = files_add(&files, "config.yaml", yaml) };
    (void)!km_config_load(&args, diags, &config, &err);
    km_diags_text(diags, false, &c->text);
    c->errors = km_diags_count(diags, KM_DIAG_ERROR);
    c->warnings = km_diags_count(diags, KM_DIAG_WARNING);
    km_diags_free(diags);
    km_config_unref(config);
    files_done(&files);
}

static void expect(const char *yaml, size_t errors, size_t warnings, const char *said)
{
    struct checked c;

    check(&c, yaml);
    if (c.errors != errors || c.warnings != warnings ||
        (said && !strstr(km_buf_cstr(&c.text), said)))
        fail_msg("%s: %zu errors, %zu warnings, not '%s' but:\n%s", yaml, c.errors, c.warnings,
                 said ? said : "", km_buf_cstr(&c.text));
    km_buf_done(&c.text);
}

static void a_near_miss_of_a_section_stops_the_start(void **state)
{
    (void)state;
    expect("general_setting: {master_key: k}\n", 1, 0, "did you mean 'general_settings'?");
    expect("LiteLLM-Settings: {num_retries: 1}\n", 1, 0, "did you mean 'litellm_settings'?");
    expect("mcp_server: {a: {url: u}}\n", 1, 0, "did you mean 'mcp_servers'?");
    expect("guardrials: [{x: y}]\n", 1, 0, "did you mean 'guardrails'?");
    expect("general_setting:\n", 0, 1, "did you mean 'general_settings'?");
    expect("budgets: {a: 1}\n", 0, 1, "unknown key 'budgets'");
    expect("general_setting: {master_key: k}\n"
           "kanmon_settings: {accept_unsupported: [general_setting]}\n",
           0, 1, "as accepted");
}

static void a_near_miss_of_a_key_that_restricts_stops_the_start(void **state)
{
    (void)state;
    expect("general_settings: {masterkey: k}\n", 1, 0, "did you mean 'master_key'?");
    expect("general_settings: {Master-Key: k}\n", 1, 0, "did you mean 'master_key'?");
    expect("general_settings: {custom_auht: k}\n", 1, 0, "did you mean 'custom_auth'?");
    expect("litellm_settings: {callback: [a.b]}\n", 1, 0, "did you mean 'callbacks'?");
    expect("litellm_settings: {masterkey: k}\n", 1, 0, "did you mean 'master_key'?");
    expect("general_settings: {masterkey: os.environ/NOT_SET}\n", 1, 0, "master_key");
    expect("general_settings: {masterkey: null}\n", 0, 1, "did you mean 'master_key'?");
    expect("general_settings: {masterkey: k}\n"
           "kanmon_settings: {accept_unsupported: [general_settings.masterkey]}\n",
           0, 1, "as accepted");
    /* With what nobody sees in it. */
    expect("general_settings: {\u00a0master_key: k}\n", 1, 0, "did you mean 'master_key'?");
    expect("general_settings: {master_key\u202c\u2066\ufe0f: k}\n", 1, 0, "'master_key'?");
    expect("general_settings: {m\u0430ster_key: k}\n", 1, 0, "did you mean 'master_key'?");
    expect("\ufeff\u200bgeneral_settings: {master_key: k}\n", 1, 0, "'general_settings'?");
    /* A near miss of what restricts nothing is a warning. */
    expect("litellm_settings: {num_retrys: 1}\n", 0, 1, "did you mean 'num_retries'?");
    expect("litellm_settings: {sucess_callback: [x]}\n", 0, 1, "did you mean 'success_callback'?");
}

static void an_unknown_name_that_sounds_like_a_restriction_stops_the_start(void **state)
{
    static const char *const sections[] = { "general_settings", "litellm_settings",
                                            "router_settings" };
    static const char *const names[] = { "allowed_planets", "deny_all_of_it", "x_block_y",
                                         "disable_frobnication", "enforce_the_thing",
                                         "require_a_hat", "max_widgets", "widgets_limit",
                                         "widgets-limit", "Max_Widgets", "ip_whitelist",
                                         "model_allowlist", "blacklist", "user_denylist",
                                         "restrict_models", "forbid_tools", "internal_only",
                                         "permit_models", "permitted", "rejected_users",
                                         "max\u200b_widgets", "\u00a0ma\u2060x_widgets" };
    char yaml[160];

    (void)state;
    for (size_t s = 0; s < 3; s++)
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            snprintf(yaml, sizeof yaml, "%s: {%s: 3}\n", sections[s], names[i]);
            expect(yaml, 1, 0, "its name says that it restricts something");
            snprintf(yaml, sizeof yaml, "%s: {%s: false}\n", sections[s], names[i]);
            expect(yaml, 0, 0, NULL);
            snprintf(yaml, sizeof yaml, "%s: {%s: null}\n", sections[s], names[i]);
            expect(yaml, 0, 0, NULL);
            snprintf(yaml, sizeof yaml, "%s: {%s: []}\n", sections[s], names[i]);
            expect(yaml, 0, 0, NULL);
            snprintf(yaml, sizeof yaml,
                     "%s: {%s: 3}\nkanmon_settings: {accept_unsupported: [%s.%s]}\n", sections[s],
                     names[i], sections[s], names[i]);
            expect(yaml, 0, 1, "as accepted");
        }
    expect("general_settings: {frobnicate: 3}\n", 0, 1, "unknown key 'frobnicate'");
}

static void an_unknown_key_of_a_server_stops_the_start_unless_it_says_nothing(void **state)
{
    (void)state;
    expect("mcp_servers: {a: {url: u, deny_tools: [x]}}\n", 1, 0, "accept_unsupported");
    expect("mcp_servers: {a: {url: u, alowed_tools: [x]}}\n", 1, 0, "'allowed_tools'");
    expect("mcp_servers: {a: {url: u, alowed_tools: []}}\n", 1, 0, "'allowed_tools'");
    expect("mcp_servers: {a: {url: u, deny_tools: []}}\n", 0, 0, NULL);
    expect("mcp_servers: {a: {url: u, deny_tools: [x]}}\n"
           "kanmon_settings: {accept_unsupported: [mcp_servers.a.deny_tools]}\n",
           0, 1, "as accepted");
}

static void a_restriction_that_is_lost_to_an_equal_key_stops_the_start(void **state)
{
    static const char *const lost[] = {
        "general_settings: {master_key: a, master_key: b}\n",
        "general_settings: {master_key: a, master_key: }\n",
        "general_settings: {master_key: a}\ngeneral_settings: {alerting: [x]}\n",
        "general_settings: {master_key: a}\ngeneral_settings:\n",
        "general_settings: {master_key: a}\ngeneral_settings: {}\ngeneral_settings: {master_key: "
        "a}\ngeneral_settings: []\n",
        "general_settings: {master_key: a, max_widgets: 3}\ngeneral_settings: {master_key: a}\n",
        "mcp_servers: {a: {url: u, allowed_tools: [x]}, a: {url: u}}\n",
        "mcp_servers: {a: {url: u, allowed_tools: [x], allowed_tools: [x, y]}}\n",
        "mcp_servers: {a: {url: u, allowed_tools: [x]}}\nmcp_servers: {a: {url: u}}\n",
        "guardrails: [{guardrail_name: a, litellm_params: {default_on: true}}]\nguardrails:\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++) {
        struct checked c;

        check(&c, lost[i]);
        if (!c.errors || !strstr(km_buf_cstr(&c.text), "E0115") ||
            !strstr(km_buf_cstr(&c.text), "is lost: '"))
            fail_msg("%s: %s", lost[i], km_buf_cstr(&c.text));
        km_buf_done(&c.text);
    }
    expect("general_settings:\n  master_key: a\ngeneral_settings:\n  alerting: [x]\n", 1, 2,
           "general_settings.master_key is lost: 'general_settings' at ");
    expect("general_settings: {master_key: a, master_key: a}\n", 0, 1, "occurs twice");
    expect("general_settings: {master_key: os.environ/SET, master_key: os.environ/SET}\n", 0, 1,
           NULL);
    expect("general_settings: {master_key: , master_key: a}\n", 0, 1, NULL);
    expect("general_settings: {}\ngeneral_settings: {master_key: a}\n", 0, 1, NULL);
    expect("model_list: [{model_name: a, model_name: b}]\n", 0, 1, NULL);
    expect("mcp_servers: {a: {url: u, allowed_tools: [x]}}\nmcp_servers: {b: {url: u}}\n", 0, 1,
           NULL);
    expect("x: &x {master_key: a}\ngeneral_settings: {<<: *x, master_key: b}\n", 0, 1, "'x'");
}

static void a_key_of_another_section_is_told_where_it_belongs(void **state)
{
    (void)state;
    expect("general_settings: {num_retries: 3}\n", 0, 1, "it belongs in litellm_settings");
    expect("general_settings: {modify_params: true}\n", 0, 1, "it belongs in litellm_settings");
    expect("litellm_settings: {redis_url: r}\n", 0, 1, "it belongs in router_settings");
    expect("litellm_settings: {mcp_servers: {a: {url: u}}}\n", 0, 1,
           "it belongs at the top of the file");
    expect("num_retries: 3\n", 0, 1, "it belongs in litellm_settings");
    expect("model_list: [{model_name: a, litellm_params: {model: b}, rpm: 3}]\n", 0, 1,
           "it belongs in model_list[0].litellm_params");
    /* One that restricts where it belongs restricts nothing here. */
    expect("litellm_settings: {master_key: k}\n", 1, 0, "it belongs in general_settings");
    expect("general_settings: {blocked_user_list: [u]}\n", 1, 0, "it belongs in litellm_settings");
    expect("master_key: k\n", 1, 0, "it belongs in general_settings");
    expect("general_settings: {callbacks: [my_module.check]}\n", 1, 0,
           "it belongs in litellm_settings");
    /* Unless its value restricts nothing, or it is a default, which is no limit. */
    expect("general_settings: {callbacks: [otel]}\n", 0, 1, "it belongs in litellm_settings");
    expect("general_settings: {default_team_params: {max_budget: 5}}\n", 0, 1,
           "it belongs in litellm_settings");
    /* Known to be harmless elsewhere, whatever its name sounds like. */
    expect("general_settings: {disable_end_user_cost_tracking: true}\n", 0, 1,
           "it belongs in litellm_settings");
}

static void what_says_nothing_is_not_worth_a_word(void **state)
{
    (void)state;
    expect(
        "general_settings: {disable_prisma_schema_update: false, alerting: [], alert_types: null,\n"
        "  database_args: {}, ui_access_mode: ''}\n",
        0, 0, NULL);
    expect("router_settings: {cache_responses: false}\n", 0, 0, NULL);
    expect("general_settings: {admin_only_routes: '', custom_auth: ''}\n", 0, 0, NULL);
    expect("general_settings: {disable_prisma_schema_update: true}\n", 0, 1, "has no effect here");
    /* What is done in any case is not worth a word, whatever is said of it. */
    expect("general_settings: {cancel_on_disconnect: true, user_api_key_cache_ttl: 60,\n"
           "  scheduled_job_stagger: {a: 1}, litellm_license: k, allow_user_auth: true}\n"
           "litellm_settings: {request_correlation_in_logs: true, store_audit_logs: false}\n",
           0, 0, NULL);
}

static void a_protection_that_is_off_reads_differently_from_no_effect(void **state)
{
    (void)state;
    expect("router_settings: {cache_responses: true}\n", 0, 1,
           "warning[W0106]: router_settings.cache_responses: the file counts on this, and "
           "it is off");
    expect("litellm_settings: {cache: true}\n", 0, 1, "warning[W0106]");
    expect("router_settings: {cache_responses: true}\n", 0, 1, "warning[W0106]");
    expect("litellm_settings: {telemetry: true}\n", 0, 1, "warning[W0103]");
}

static void an_unset_variable_is_told_once_with_its_places(void **state)
{
    (void)state;
    expect("model_list:\n"
           "- {model_name: a, litellm_params: {model: os.environ/NOT_SET}}\n"
           "- {model_name: b, litellm_params: {model: os.environ/NOT_SET}}\n"
           "- {model_name: c, litellm_params: {model: os.environ/OTHER}}\n"
           "- {model_name: d, litellm_params: {model: os.environ/NOT_SET}}\n",
           0, 2,
           "3 keys have no value, for variable NOT_SET is not set: "
           "model_list[0].litellm_params.model, model_list[1].litellm_params.model (line 3), "
           "model_list[3].litellm_params.model (line 5)");
}

static void an_unset_variable_of_a_key_without_effect_is_not_missed(void **state)
{
    (void)state;
    expect("general_settings: {database_args: os.environ/NOT_SET}\n", 0, 0, NULL);
    expect("general_settings: {custom_auth: os.environ/NOT_SET}\n", 1, 0, "NOT_SET is not set");
}

static void values_that_were_meant_as_variables_are_found(void **state)
{
    static const char *const wrong[] = {
        "os.environSET", "os.environ:SET", "os.environment/SET", "os.environ.get('SET')",
        "OS.Environ/SET", "{{ SET }}", "${{ secrets.SET }}", "%SET%",
        "os.enviro/SET",  "os.environ.SET", "os.environ['SET']", "os.getenv('SET')", "${SET}",
        "$SET",           "os.envrion/SET", "os.env/SET",        "OS.ENVIRON/SET",   "$env:SET",
        "process.env.SET", "x-${SET}-y",    "${SET:-default}",
    };
    static const char *const right[] = { "os.environ/SET", "env/prod.json", "sk-1$2", "cost: $5",
                                         "openai/gpt-4o",  "a {b} ${c d}",  "${X-NAME}" };
    char yaml[200];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(yaml, sizeof yaml,
                 "model_list: [{model_name: a, litellm_params: {model: m, x: \"%s\"}}]\n",
                 wrong[i]);
        expect(yaml, 0, 1, "warning[W0107]: model_list[0].litellm_params.x");
    }
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        snprintf(yaml, sizeof yaml,
                 "model_list: [{model_name: a, litellm_params: {model: m, x: \"%s\"}}]\n",
                 right[i]);
        expect(yaml, 0, 0, NULL);
    }
    expect("general_settings: {master_key: “sk-1”}\n", 0, 1, "warning[W0108]");
    expect("general_settings: {master_key: ‘sk-1’}\n", 0, 1, "warning[W0108]");
    expect("model_list: [{model_name: Bob’s own, litellm_params: {model: m}}]\n", 0, 0, NULL);
}

static void names_that_sound_like_restrictions(void **state)
{
    (void)state;
    assert_true(km_name_restricts(KM_STR("allowed_ips")));
    assert_true(km_name_restricts(KM_STR("MAX-BUDGET")));
    assert_true(km_name_restricts(KM_STR("tpm_limit")));
    assert_false(km_name_restricts(KM_STR("allow_all")));
    assert_false(km_name_restricts(KM_STR("maximum")));
    assert_false(km_name_restricts(KM_STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_near_miss_of_a_section_stops_the_start),
        cmocka_unit_test(a_near_miss_of_a_key_that_restricts_stops_the_start),
        cmocka_unit_test(an_unknown_name_that_sounds_like_a_restriction_stops_the_start),
        cmocka_unit_test(an_unknown_key_of_a_server_stops_the_start_unless_it_says_nothing),
        cmocka_unit_test(a_restriction_that_is_lost_to_an_equal_key_stops_the_start),
        cmocka_unit_test(a_key_of_another_section_is_told_where_it_belongs),
        cmocka_unit_test(what_says_nothing_is_not_worth_a_word),
        cmocka_unit_test(a_protection_that_is_off_reads_differently_from_no_effect),
        cmocka_unit_test(an_unset_variable_is_told_once_with_its_places),
        cmocka_unit_test(an_unset_variable_of_a_key_without_effect_is_not_missed),
        cmocka_unit_test(values_that_were_meant_as_variables_are_found),
        cmocka_unit_test(names_that_sound_like_restrictions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
