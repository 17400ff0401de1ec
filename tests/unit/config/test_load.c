/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "config/config.h"
#include "config/litellm.h"
#include "files.h"

struct llm {
    const struct km_node *models, *master_key;
    int64_t workers;
    struct km_str url, key;
};

static const struct km_setting model_rows[] = {
    { "model_list", KM_SET_NODE, offsetof(struct llm, models), .help = "Models." },
    { 0 },
};
static const struct km_settings_table model_table = { .section = "",
                                                      .rows = model_rows,
                                                      .size = sizeof(struct llm),
                                                      .extra = SIZE_MAX };
static const struct km_setting own_rows[] = {
    { "workers", KM_SET_INT, offsetof(struct llm, workers), .def = "1", .flags = KM_SET_RESTART,
      .help = "Workers." },
    { "store", KM_SET_STR, offsetof(struct llm, url), .help = "Store.", .flags = KM_SET_RESTART },
    { "key", KM_SET_SECRET, offsetof(struct llm, key), .help = "Key." },
    { 0 },
};
static const struct km_settings_table own_table = { .section = "kanmon_settings",
                                                    .rows = own_rows,
                                                    .size = sizeof(struct llm),
                                                    .extra = SIZE_MAX };

static const struct km_settings_table *const tables[] = { &model_table,
                                                          &own_table,
                                                          &km_config_top_table,
                                                          &km_config_own_table,
                                                          &km_litellm_top_table,
                                                          &km_litellm_settings_table,
                                                          &km_litellm_general_table,
                                                          &km_litellm_router_table,
                                                          NULL };

struct loaded {
    struct files files;
    struct km_diags *diags;
    struct km_config *config;
    struct km_err err;
    struct km_buf text;
    int r;
};

static void init(struct loaded *l)
{
    memset(l, 0, sizeof *l);
    files_init(&l->files);
    km_buf_init(&l->text, 1 << 20);
}

static void load_over(struct loaded *l, const char *text, const char *below)
{
    static const char *const environ_list[] = { "FROM_PROCESS=process", NULL };
    struct km_config_args args = { .tables = tables,
                                   .environ = environ_list,
                                   .below = { { "added servers", km_str_c(below) } } };

    args.file = files_add(&l->files, "config.yaml", text);
    l->diags = km_diags_new();
    l->r = km_config_load(&args, l->diags, &l->config, &l->err);
    km_diags_text(l->diags, false, &l->text);
}

static void load(struct loaded *l, const char *text)
{
    load_over(l, text, "");
}

static void done(struct loaded *l)
{
    km_config_unref(l->config);
    km_diags_free(l->diags);
    km_buf_done(&l->text);
    files_done(&l->files);
}

static void assert_json(const struct loaded *l, const char *path, const char *json)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);

    if (l->r < 0)
        fail_msg("%s", l->text.p);
    km_node_json(km_node_path(km_config_root(l->config), path), &out);
    assert_string_equal(km_buf_cstr(&out), json);
}

static void assert_fails(struct loaded *l, const char *part)
{
    assert_int_equal(l->r, KM_E_CONFIG);
    if (!strstr(km_buf_cstr(&l->text), part))
        fail_msg("no '%s' in:\n%s", part, km_buf_cstr(&l->text));
}

static void includes_append_lists_and_replace_the_rest(void **state)
{
    struct loaded l;

    (void)state;
    init(&l);
    files_add(&l.files, "models.yaml",
              "include: [more.yaml]\nmodel_list: [b]\n"
              "litellm_settings: {cache: true}\n");
    files_add(&l.files, "more.yaml", "model_list: [c]\n");
    load(&l,
         "include: [models.yaml]\nmodel_list: [a]\nlitellm_settings: {cache: false, http2: 1}\n");
    assert_json(&l, "model_list", "[\"a\",\"b\",\"c\"]");
    assert_json(&l, "litellm_settings", "{\"cache\":true}");
    assert_non_null(strstr(km_buf_cstr(&l.text), "'litellm_settings' replaces the one at"));
    done(&l);
}

static void an_include_that_takes_a_restriction_away_is_refused(void **state)
{
    static const char *const included[] = { "litellm_settings:\n", "litellm_settings: {}\n",
                                            "litellm_settings: {http2: 1}\n" };
    struct loaded l;

    (void)state;
    for (size_t i = 0; i < sizeof included / sizeof included[0]; i++) {
        init(&l);
        files_add(&l.files, "more.yaml", included[i]);
        load(&l, "include: [more.yaml]\nlitellm_settings: {max_widgets: 3}\n");
        assert_fails(&l, "litellm_settings.max_widgets is lost: "
                         "'litellm_settings' at ");
        assert_fails(&l, "more.yaml:1");
        done(&l);
    }
}

static void an_include_that_is_not_there_or_goes_round_is_refused(void **state)
{
    struct loaded l;

    (void)state;
    init(&l);
    load(&l, "include: [absent.yaml]\n");
    assert_fails(&l, "absent.yaml");
    done(&l);
    init(&l);
    files_add(&l.files, "a.yaml", "include: [./config.yaml]\n");
    load(&l, "include: [a.yaml]\n");
    assert_fails(&l, "this file includes itself");
    done(&l);
    init(&l);
    files_add(&l.files, "a.yaml", "model_list: [1\n");
    load(&l, "include: a.yaml\n");
    assert_fails(&l, "a.yaml:2:1");
    done(&l);
}

static void a_pipe_beside_the_file_is_refused_and_not_waited_for(void **state)
{
    static const char *const names[] = { "a.yaml", ".env" };
    struct loaded l;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const char *path;

        init(&l);
        path = files_add(&l.files, names[i], "");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkfifo(path, 0600), 0);
        load(&l, i ? "model_list: []\n" : "include: [a.yaml]\n");
        assert_int_equal(l.r, KM_E_CONFIG);
        if (!strstr(i ? l.err.text : km_buf_cstr(&l.text), "it is no regular file"))
            fail_msg("%s: %s %s", names[i], l.err.text, km_buf_cstr(&l.text));
        done(&l);
    }
}

static void variables_come_from_the_process_the_file_and_dotenv(void **state)
{
    struct loaded l;
    struct km_str value;

    (void)state;
    init(&l);
    files_add(&l.files, ".env", "A=env\nB=env\nFROM_PROCESS=env\n");
    files_add(&l.files, ".env.local", "A=local\n");
    load(&l, "environment_variables: {C: os.environ/B, D: 5, FROM_PROCESS: file}\n"
             "model_list: [os.environ/A, [os.environ/B], {x: os.environ/C}, os.environ/D,\n"
             "  os.environ/FROM_PROCESS, text os.environ/A]\n");
    assert_json(&l, "model_list",
                "[\"local\",[\"env\"],{\"x\":\"env\"},\"5\",\"process\","
                "\"text os.environ/A\"]");
    assert_true(km_config_getenv(l.config, "A", &value));
    assert_true(km_str_eq(value, KM_STR("local")));
    assert_false(km_config_getenv(l.config, "NOPE", &value));
    done(&l);
}

static void a_variable_that_is_not_set_leaves_no_value_and_a_warning(void **state)
{
    struct loaded l;

    (void)state;
    init(&l);
    load(&l, "model_list: [{api_key: os.environ/NOPE}]\n");
    assert_json(&l, "model_list", "[{\"api_key\":null}]");
    assert_non_null(strstr(km_buf_cstr(&l.text), "variable NOPE is not set"));
    done(&l);
}

static void credentials_fill_what_a_deployment_leaves_out(void **state)
{
    struct loaded l;

    (void)state;
    init(&l);
    load(&l,
         "credential_list:\n- credential_name: c\n  credential_values: {api_key: k, api_base: b}\n"
         "model_list:\n- {n: 1, litellm_params: {litellm_credential_name: c, api_base: own}}\n"
         "- {n: 2}\n");
    assert_json(
        &l, "model_list",
        "[{\"n\":1,\"litellm_params\":{\"api_base\":\"own\",\"api_key\":\"k\"}},{\"n\":2}]");
    done(&l);
    init(&l);
    load(&l, "model_list: [{litellm_params: {litellm_credential_name: nobody}}]\n");
    assert_fails(&l, "no credential named 'nobody'");
    done(&l);
}

static void an_empty_file_and_one_that_is_no_mapping_are_refused(void **state)
{
    struct loaded l;

    (void)state;
    init(&l);
    load(&l, "# nothing\n");
    assert_fails(&l, "the configuration is empty");
    done(&l);
    init(&l);
    load(&l, "- a\n");
    assert_fails(&l, "expected a mapping, found a list");
    done(&l);
}

static void show_names_origins_and_masks_secrets(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);
    struct loaded l;
    const char *text;

    (void)state;
    init(&l);
    load(&l, "kanmon_settings:\n  key: hush1\n  store: postgresql://u:hush2@h/d\n"
             "model_list: [{api_key: hush3, x: os.environ/FROM_PROCESS, y: 1}]\n");
    assert_int_equal(l.r, 0);
    km_config_show(l.config, false, &out);
    text = km_buf_cstr(&out);
    assert_null(strstr(text, "hush"));
    assert_null(strstr(text, "\"process\""));
    assert_non_null(strstr(text, "kanmon_settings.workers = 1  # default\n"));
    assert_non_null(strstr(text, "kanmon_settings.key = \"********\"  # "));
    assert_non_null(strstr(text, "config.yaml:2\n"));
    assert_non_null(strstr(text, "\"postgresql********\""));
    assert_non_null(strstr(text, "\"y\":1"));
    km_buf_reset(&out);
    km_config_show(l.config, true, &out);
    text = km_buf_cstr(&out);
    assert_null(strstr(text, "hush"));
    assert_non_null(strstr(text, "{\"setting\":\"kanmon_settings.workers\",\"value\":1,"
                                 "\"origin\":\"default\"}"));
    done(&l);
}

static void changes_that_need_a_restart_are_named(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);
    struct loaded a, b;

    (void)state;
    init(&a);
    load(&a, "kanmon_settings: {workers: 1, key: a, store: x}\n");
    init(&b);
    load(&b, "kanmon_settings: {workers: 2, key: b}\n");
    km_config_needs_restart(a.config, b.config, &out);
    assert_string_equal(km_buf_cstr(&out), "kanmon_settings.workers\nkanmon_settings.store");
    km_buf_reset(&out);
    km_config_needs_restart(a.config, a.config, &out);
    assert_string_equal(km_buf_cstr(&out), "");
    done(&a);
    done(&b);
}

static void exporters_are_ignored_and_other_callbacks_refused(void **state)
{
    struct loaded l;

    (void)state;
    init(&l);
    load(&l, "litellm_settings: {callbacks: [prometheus, otel], success_callback: [my.hook]}\n");
    assert_int_equal(l.r, 0);
    assert_int_equal(km_diags_count(l.diags, KM_DIAG_WARNING), 2);
    done(&l);
    init(&l);
    load(&l, "litellm_settings: {callbacks: [prometheus, my_guard.instance]}\n");
    assert_fails(&l, "litellm_settings.callbacks would restrict something");
    done(&l);
}

static void a_guardrail_stops_the_start_only_when_it_runs_by_default(void **state)
{
    struct loaded l;

    (void)state;
    init(&l);
    load(&l,
         "guardrails:\n- guardrail_name: g\n  litellm_params: {guardrail: presidio, default_on: "
         "false}\n");
    assert_int_equal(l.r, 0);
    assert_int_equal(km_diags_count(l.diags, KM_DIAG_WARNING), 1);
    done(&l);
    init(&l);
    load(&l,
         "guardrails:\n- guardrail_name: g\n  litellm_params: {guardrail: x, default_on: true}\n");
    assert_fails(&l, "guardrails[0].litellm_params.default_on");
    done(&l);
    init(&l);
    load(&l, "guardrails:\n- litellm_params: {default_on: true}\n"
             "kanmon_settings: {accept_unsupported: [guardrails]}\n");
    assert_int_equal(l.r, 0);
    done(&l);
}

static void an_unset_variable_where_something_is_restricted_stops_the_start(void **state)
{
    struct loaded l;

    (void)state;
    init(&l);
    load(&l, "general_settings: {custom_auth: null}\n");
    assert_int_equal(l.r, 0);
    done(&l);
    init(&l);
    load(&l, "general_settings: {custom_auth: os.environ/NOPE}\n");
    assert_fails(&l, "general_settings.custom_auth: variable NOPE is not set");
    done(&l);
    init(&l);
    load(&l, "guardrails: [{litellm_params: {api_key: os.environ/NOPE}}]\n");
    assert_fails(&l, "guardrails: variable NOPE is not set");
    done(&l);
}

static void a_text_below_the_file_adds_to_its_mappings_and_never_wins(void **state)
{
    struct loaded l;

    (void)state;
    init(&l);
    load_over(&l, "mcp_servers: {a: {url: file, env: {X: 1}}, n: null}\nmodel_list: [1]\n",
              "{\"mcp_servers\": {\"a\": {\"url\": \"below\", \"env\": {\"Y\": 2}, \"more\": 1},"
              " \"b\": {\"url\": \"new\"}, \"n\": {\"url\": \"was null\"}},"
              " \"model_list\": [2, 3], \"general_settings\": {\"master_key\": \"sk-below\"}}");
    /* An entry is one thing: none is half of the file and half of what is below. */
    assert_json(&l, "mcp_servers.a", "{\"url\":\"file\",\"env\":{\"X\":1}}");
    assert_json(&l, "mcp_servers.b", "{\"url\":\"new\"}");
    assert_json(&l, "mcp_servers.n", "{\"url\":\"was null\"}");
    assert_json(&l, "model_list", "[1,2,3]"); /* a list at the top goes on */
    assert_json(&l, "general_settings", "{\"master_key\":\"sk-below\"}");
    done(&l);
}

static void a_text_below_an_empty_file_is_all_there_is(void **state)
{
    struct loaded l;

    (void)state;
    init(&l);
    load_over(&l, "", "{\"mcp_servers\": {\"b\": {\"url\": \"new\"}}}");
    assert_json(&l, "mcp_servers", "{\"b\":{\"url\":\"new\"}}");
    done(&l);
}

static void a_text_below_that_cannot_be_read_says_what_it_is(void **state)
{
    struct loaded l;

    (void)state;
    init(&l);
    load_over(&l, "model_list: []\n", "{\"mcp_servers\": ");
    assert_fails(&l, "added servers");
    done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(includes_append_lists_and_replace_the_rest),
        cmocka_unit_test(an_include_that_takes_a_restriction_away_is_refused),
        cmocka_unit_test(an_include_that_is_not_there_or_goes_round_is_refused),
        cmocka_unit_test(a_pipe_beside_the_file_is_refused_and_not_waited_for),
        cmocka_unit_test(variables_come_from_the_process_the_file_and_dotenv),
        cmocka_unit_test(a_variable_that_is_not_set_leaves_no_value_and_a_warning),
        cmocka_unit_test(credentials_fill_what_a_deployment_leaves_out),
        cmocka_unit_test(an_empty_file_and_one_that_is_no_mapping_are_refused),
        cmocka_unit_test(show_names_origins_and_masks_secrets),
        cmocka_unit_test(a_text_below_the_file_adds_to_its_mappings_and_never_wins),
        cmocka_unit_test(a_text_below_an_empty_file_is_all_there_is),
        cmocka_unit_test(a_text_below_that_cannot_be_read_says_what_it_is),
        cmocka_unit_test(changes_that_need_a_restart_are_named),
        cmocka_unit_test(exporters_are_ignored_and_other_callbacks_refused),
        cmocka_unit_test(a_guardrail_stops_the_start_only_when_it_runs_by_default),
        cmocka_unit_test(an_unset_variable_where_something_is_restricted_stops_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
