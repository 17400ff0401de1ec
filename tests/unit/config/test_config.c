/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "config/config.h"
#include "files.h"

struct deployment {
    struct km_str model;
    struct km_str api_key;
    int64_t timeout_ms;
    int64_t input_price;
    const struct km_node *all;
};

struct entry {
    struct km_str model_name;
    struct deployment params;
    struct km_setting_parts parts;
};

struct top {
    struct km_table_list models;
};

struct guard {
    struct km_str model;
};

struct own {
    struct guard guard;
    struct km_str own_secret;
    int64_t workers, header_bytes, mode, idle_ms, retention_s;
    bool on;
    struct km_str state_dir;
    struct km_str_list tags;
    struct km_str_map headers;
    int64_t budget;
};

struct general {
    struct km_str master_key;
};

static const char *const modes[] = { "eventual", "strict", NULL };

static const struct km_setting deployment_rows[] = {
    { "model", KM_SET_STR, offsetof(struct deployment, model), .flags = KM_SET_REQUIRED,
      .help = "Provider and model." },
    { "api_key", KM_SET_SECRET, offsetof(struct deployment, api_key), .help = "Key." },
    { "timeout", KM_SET_MS, offsetof(struct deployment, timeout_ms), .def = "600" },
    { "input_cost_per_token", KM_SET_PRICE, offsetof(struct deployment, input_price),
      .help = "USD a token." },
    { "cooldown_time", KM_SET_INT, .class = KM_HARMLESS, .help = "Rest." },
    { 0 },
};
static const struct km_settings_table deployment_table = { .rows = deployment_rows,
                                                           .size = sizeof(struct deployment),
                                                           .extra =
                                                               offsetof(struct deployment, all) };
static const struct km_setting entry_rows[] = {
    { "model_name", KM_SET_STR, offsetof(struct entry, model_name), .flags = KM_SET_REQUIRED },
    { "litellm_params", KM_SET_TABLE, offsetof(struct entry, params), .table = &deployment_table,
      .flags = KM_SET_OPEN | KM_SET_REQUIRED },
    { 0 },
};
static const struct km_settings_table entry_table = { .rows = entry_rows,
                                                      .size = sizeof(struct entry),
                                                      .extra = SIZE_MAX,
                                                      .parts = offsetof(struct entry, parts) };
static const struct km_setting top_rows[] = {
    { "model_list", KM_SET_TABLE_LIST, offsetof(struct top, models), .table = &entry_table },
    { 0 },
};
static const struct km_settings_table top_table = { .section = "",
                                                    .rows = top_rows,
                                                    .size = sizeof(struct top),
                                                    .extra = SIZE_MAX };

static const struct km_setting guard_rows[] = {
    { "model", KM_SET_STR, offsetof(struct guard, model), .help = "Model." },
    { 0 },
};
static const struct km_settings_table guard_table = { .rows = guard_rows,
                                                      .size = sizeof(struct guard),
                                                      .extra = SIZE_MAX };

static const struct km_setting own_rows[] = {
    { "workers", KM_SET_INT, offsetof(struct own, workers), .def = "2", .min = 1, .max = 64,
      .flags = KM_SET_RESTART },
    { "header_bytes", KM_SET_BYTES, offsetof(struct own, header_bytes), .def = "32KiB" },
    { "accounting", KM_SET_ENUM, offsetof(struct own, mode), .def = "eventual", .choices = modes },
    { "idle", KM_SET_MS, offsetof(struct own, idle_ms), .def = "75s" },
    { "retention", KM_SET_SECONDS, offsetof(struct own, retention_s), .def = "1mo" },
    { "enabled", KM_SET_BOOL, offsetof(struct own, on), .def = "true" },
    { "state_dir", KM_SET_STR, offsetof(struct own, state_dir), .def = "state" },
    { "guard", KM_SET_TABLE, offsetof(struct own, guard), .table = &guard_table,
      .flags = KM_SET_SAFETY, .help = "Guard." },
    { "own", KM_SET_SECRET, offsetof(struct own, own_secret), .help = "Secret." },
    { "tags", KM_SET_STR_LIST, offsetof(struct own, tags), .def = "[a, b]" },
    { "headers", KM_SET_STR_MAP, offsetof(struct own, headers), .help = "Headers." },
    { "budget", KM_SET_MONEY, offsetof(struct own, budget), .help = "USD." },
    { 0 },
};
static const struct km_settings_table own_table = { .section = "kanmon_settings",
                                                    .rows = own_rows,
                                                    .size = sizeof(struct own),
                                                    .extra = SIZE_MAX };

static const struct km_setting general_rows[] = {
    { "master_key", KM_SET_SECRET, offsetof(struct general, master_key), .flags = KM_SET_SAFETY,
      .env = "LITELLM_MASTER_KEY" },
    { "allowed_ips", KM_SET_STR_LIST, .class = KM_RESTRICTIVE, .help = "Limits who may call." },
    { "enable_jwt_auth", KM_SET_BOOL, .class = KM_RESTRICTIVE, .inert = "false",
      .help = "Requires tokens." },
    { "health_check_interval", KM_SET_INT, .class = KM_HARMLESS, .help = "Background checks." },
    { 0 },
};
static const struct km_settings_table general_table = { .section = "general_settings",
                                                        .rows = general_rows,
                                                        .size = sizeof(struct general),
                                                        .extra = SIZE_MAX };

/* What a layer above puts into each entry of model_list. */
struct extra {
    int64_t most;
    struct km_str pass;
};

static const struct km_setting extra_rows[] = {
    { "most", KM_SET_INT, offsetof(struct extra, most), .def = "5", .help = "Most." },
    { "pass", KM_SET_SECRET, offsetof(struct extra, pass), .help = "Password." },
    { 0 },
};
static const struct km_settings_table extra_entry = { .rows = extra_rows,
                                                      .size = sizeof(struct extra),
                                                      .extra = SIZE_MAX };
static const struct km_setting extra_part = { "extra", KM_SET_TABLE, .table = &extra_entry,
                                              .flags = KM_SET_SAFETY, .help = "More." };
static const struct km_settings_table extra_table = { .section = "kanmon_settings.more",
                                                      .rows = extra_rows,
                                                      .size = sizeof(struct extra),
                                                      .extra = SIZE_MAX,
                                                      .part = &extra_part,
                                                      .under = &entry_table };

static const struct km_settings_table *const tables[] = {
    &top_table, &own_table, &general_table, &extra_table, NULL
};

struct loaded {
    struct files files;
    struct km_diags *diags;
    struct km_config *config;
    struct km_err err;
    int r;
};

static const char *const no_env[] = { NULL };

static void load_with(struct loaded *l, const char *text, const char *const *environ_list,
                      const struct km_config_flag *flags, size_t nflags)
{
    struct km_config_args args = { .tables = tables,
                                   .flags = flags,
                                   .nflags = nflags,
                                   .environ = environ_list ? environ_list : no_env };

    args.file = files_add(&l->files, "config.yaml", text);
    l->diags = km_diags_new();
    l->config = NULL;
    l->r = km_config_load(&args, l->diags, &l->config, &l->err);
}

static void load(struct loaded *l, const char *text)
{
    files_init(&l->files);
    load_with(l, text, NULL, NULL, 0);
}

static void done(struct loaded *l)
{
    l->config = km_config_unref(l->config);
    l->diags = km_diags_free(l->diags);
    files_done(&l->files);
}

static bool text_has(const struct km_diags *diags, const char *part)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    km_diags_text(diags, false, &out);
    return strstr(km_buf_cstr(&out), part) != NULL;
}

#define assert_says(l, part)                                                                       \
    do {                                                                                           \
        if (!text_has((l)->diags, part)) {                                                         \
            struct km_buf out_ KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);                          \
            km_diags_text((l)->diags, false, &out_);                                               \
            fail_msg("no '%s' in:\n%s", part, km_buf_cstr(&out_));                                 \
        }                                                                                          \
    } while (0)

static void defaults_fill_what_the_file_leaves_out(void **state)
{
    struct loaded l;
    const struct own *own;

    (void)state;
    load(&l, "model_list: []\n");
    assert_int_equal(l.r, 0);
    own = km_config_get(l.config, &own_table);
    assert_int_equal(own->workers, 2);
    assert_int_equal(own->header_bytes, 32 * 1024);
    assert_int_equal(own->mode, 0);
    assert_int_equal(own->idle_ms, 75000);
    assert_int_equal(own->retention_s, 30 * 86400);
    assert_true(own->on);
    assert_true(km_str_eq(own->state_dir, KM_STR("state")));
    assert_int_equal(own->tags.n, 2);
    assert_int_equal(own->headers.n, 0);
    assert_int_equal(own->budget, -1);
    done(&l);
}

static void values_of_the_file_reach_their_fields(void **state)
{
    struct loaded l;
    const struct own *own;
    const struct top *top;
    const struct entry *e;

    (void)state;
    load(&l, "model_list:\n"
             "  - model_name: gpt\n"
             "    litellm_params:\n"
             "      model: openai/gpt-4o\n"
             "      timeout: 2.5\n"
             "      input_cost_per_token: 2.5e-06\n"
             "      temperature: 0.3\n"
             "kanmon_settings:\n"
             "  workers: 4\n  accounting: strict\n  idle: 10min\n  enabled: off\n"
             "  tags: one\n  headers: {X-A: b, n: 5}\n  budget: 2.9\n");
    assert_int_equal(l.r, 0);
    own = km_config_get(l.config, &own_table);
    assert_int_equal(own->workers, 4);
    assert_int_equal(own->mode, 1);
    assert_int_equal(own->idle_ms, 600000);
    assert_false(own->on);
    assert_int_equal(own->tags.n, 1);
    assert_true(km_str_eq(own->headers.v[1].value, KM_STR("5")));
    assert_int_equal(own->budget, 2900000000);
    top = km_config_get(l.config, &top_table);
    assert_int_equal(top->models.n, 1);
    e = top->models.v;
    assert_true(km_str_eq(e->params.model, KM_STR("openai/gpt-4o")));
    assert_int_equal(e->params.timeout_ms, 2500);
    assert_int_equal(e->params.input_price, 2500000);
    assert_non_null(km_node_get(e->params.all, KM_STR("temperature")));
    assert_int_equal(km_diags_count(l.diags, KM_DIAG_WARNING), 0);
    done(&l);
}

static void a_part_stands_in_each_entry_that_writes_it(void **state)
{
    struct loaded l;
    const struct km_table_list *models;
    const struct entry *v;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    (void)state;
    load(&l, "kanmon_settings: {more: {most: 9}}\n"
             "model_list:\n"
             "  - {model_name: a, litellm_params: {model: x/a}, extra: {pass: hush}}\n"
             "  - {model_name: b, litellm_params: {model: x/b}}\n");
    assert_int_equal(l.r, 0);
    models = km_config_get(l.config, &top_table);
    v = models->v;
    assert_int_equal(v[0].parts.n, 1);
    assert_ptr_equal(v[0].parts.v[0].table, &extra_entry);
    assert_int_equal(((const struct extra *)v[0].parts.v[0].v)->most, 5);
    assert_true(km_str_eq(((const struct extra *)v[0].parts.v[0].v)->pass, KM_STR("hush")));
    assert_int_equal(v[1].parts.n, 0);
    assert_int_equal(((const struct extra *)km_config_get(l.config, &extra_table))->most, 9);
    km_config_show(l.config, false, &out);
    assert_non_null(strstr(km_buf_cstr(&out), "model_list[0].extra.pass"));
    assert_null(strstr(km_buf_cstr(&out), "hush"));
    km_config_schema(tables, &out);
    assert_non_null(strstr(km_buf_cstr(&out), "\"extra\":{\"description\":\"More.\""));
    km_config_docs(tables, &out);
    assert_non_null(strstr(km_buf_cstr(&out), "### `model_list[].extra`"));
    done(&l);
}

static void a_misspelt_key_of_a_part_refuses_to_load(void **state)
{
    struct loaded l;

    (void)state;
    load(&l, "model_list: [{model_name: a, litellm_params: {model: x/a}, extra: {mosd: 1}}]\n");
    assert_int_equal(l.r, KM_E_CONFIG);
    assert_says(&l, "did you mean 'most'?");
    done(&l);
    load(&l, "model_list: [{model_name: a, litellm_params: {model: x/a}, extrb: {}}]\n");
    assert_says(&l, "did you mean 'extra'?");
    done(&l);
}

static void a_missing_file_is_named_with_the_way_to_make_one(void **state)
{
    struct km_config_args args = { .file = "/nowhere/kanmon.yaml", .tables = tables };
    struct km_diags *diags = km_diags_new();
    struct km_config *config = NULL;
    struct km_err err = { 0 };

    (void)state;
    assert_int_equal(km_config_load(&args, diags, &config, &err), KM_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nowhere/kanmon.yaml"));
    assert_non_null(strstr(err.text, "create"));
    km_diags_free(diags);
}

static void every_problem_is_reported_at_once_with_its_place(void **state)
{
    struct loaded l;

    (void)state;
    load(&l, "model_list:\n"
             "  - litellm_params: {}\n"
             "kanmon_settings:\n"
             "  workers: 100\n"
             "  accounting: strictly\n"
             "  state_dri: x\n");
    assert_int_equal(l.r, KM_E_CONFIG);
    assert_says(&l, "kanmon_settings.workers: out of range: from 1 to 64");
    assert_says(&l, "4 |   workers: 100\n");
    assert_says(&l, "  |            ^^^\n");
    assert_says(&l, "expected one of: eventual, strict");
    assert_says(&l, "unknown key 'state_dri' in kanmon_settings");
    assert_says(&l, "did you mean 'state_dir'?");
    assert_says(&l, "model_list[0].model_name is required");
    assert_says(&l, "model_list[0].litellm_params.model is required");
    done(&l);
}

static void flags_beat_variables_which_beat_the_file(void **state)
{
    static const char *const vars[] = { "KANMON_WORKERS=5", "KANMON_STATE_DIR=from-env",
                                        "KANMON_TAGS=x,y,z", NULL };
    static const struct km_config_flag flags[] = { { "kanmon_settings.workers", "--workers",
                                                     "6" } };
    struct loaded l;
    const struct own *own;

    (void)state;
    files_init(&l.files);
    load_with(&l, "kanmon_settings: {workers: 3, state_dir: from-file}\n", vars, flags, 1);
    assert_int_equal(l.r, 0);
    own = km_config_get(l.config, &own_table);
    assert_int_equal(own->workers, 6);
    assert_true(km_str_eq(own->state_dir, KM_STR("from-env")));
    assert_int_equal(own->tags.n, 3);
    done(&l);
}

static void a_litellm_variable_only_stands_in_for_an_absent_key(void **state)
{
    static const char *const vars[] = { "LITELLM_MASTER_KEY=sk-env", NULL };
    struct loaded l;
    const struct general *g;

    (void)state;
    files_init(&l.files);
    load_with(&l, "general_settings: {master_key: sk-file}\n", vars, NULL, 0);
    g = km_config_get(l.config, &general_table);
    assert_true(km_str_eq(g->master_key, KM_STR("sk-file")));
    done(&l);
    files_init(&l.files);
    load_with(&l, "general_settings: {}\n", vars, NULL, 0);
    g = km_config_get(l.config, &general_table);
    assert_true(km_str_eq(g->master_key, KM_STR("sk-env")));
    done(&l);
}

static void an_unset_variable_stops_the_start_only_where_safety_hangs_on_it(void **state)
{
    struct loaded l;

    (void)state;
    load(&l, "general_settings: {master_key: os.environ/NOT_SET}\n");
    assert_int_equal(l.r, KM_E_CONFIG);
    assert_says(&l, "error[E0107]: general_settings.master_key: variable NOT_SET is not set");
    done(&l);
    load(&l, "general_settings: {master_key: os.environ/NOT_SET}\n"
             "kanmon_settings: {accept_unsupported: general_settings.master_key}\n");
    assert_int_equal(l.r, 0);
    done(&l);
    load(&l, "model_list: [{model_name: m, litellm_params: {model: a/b, api_key: "
             "os.environ/NOT_SET}}]\n");
    assert_int_equal(l.r, 0);
    assert_says(&l, "warning[W0104]");
    done(&l);
}

static void an_empty_variable_is_no_master_key(void **state)
{
    static const char *const vars[] = { "EMPTY=", NULL };
    struct loaded l;

    (void)state;
    files_init(&l.files);
    load_with(&l, "general_settings: {master_key: os.environ/EMPTY}\n", vars, NULL, 0);
    assert_int_equal(l.r, KM_E_CONFIG);
    assert_says(&l, "general_settings.master_key: its variable is set, but empty");
    done(&l);
}

static void restrictive_keys_stop_the_start_unless_inert_or_accepted(void **state)
{
    struct loaded l;

    (void)state;
    load(&l, "general_settings: {enable_jwt_auth: true, allowed_ips: [10.0.0.1]}\n");
    assert_int_equal(l.r, KM_E_CONFIG);
    assert_int_equal(km_diags_count(l.diags, KM_DIAG_ERROR), 2);
    assert_says(&l, "list 'general_settings.allowed_ips' in kanmon_settings.accept_unsupported");
    done(&l);
    load(&l, "general_settings: {enable_jwt_auth: false, allowed_ips: []}\n");
    assert_int_equal(l.r, 0);
    assert_int_equal(km_diags_count(l.diags, KM_DIAG_WARNING), 0);
    done(&l);
}

static void a_key_that_yaml_reads_as_a_boolean_is_pointed_out(void **state)
{
    struct loaded l;

    (void)state;
    load(&l, "kanmon_settings: {on: 1}\n");
    assert_says(&l, "unknown key 'on' in kanmon_settings");
    assert_says(&l, "put it in quotes");
    done(&l);
}

static void a_harmless_key_of_many_items_is_said_once(void **state)
{
    struct loaded l;

    (void)state;
    load(&l, "model_list:\n"
             "  - {model_name: a, litellm_params: {model: m, cooldown_time: 1}}\n"
             "  - {model_name: b, litellm_params: {model: m, cooldown_time: 2}}\n");
    assert_int_equal(l.r, 0);
    assert_int_equal(km_diags_count(l.diags, KM_DIAG_WARNING), 1);
    assert_int_equal(km_diags_at(l.diags, 0)->line, 2);
    done(&l);
}

static void a_mapping_that_is_required_is_missed(void **state)
{
    struct loaded l;

    (void)state;
    load(&l, "model_list: [{model_name: a}]\n");
    assert_int_equal(l.r, KM_E_CONFIG);
    assert_says(&l, "model_list[0].litellm_params is required");
    done(&l);
}

static void a_flag_for_no_setting_is_an_error(void **state)
{
    static const struct km_config_flag flags[] = { { "kanmon_settings.wrokers", "--wrokers",
                                                     "6" } };
    struct loaded l;

    (void)state;
    files_init(&l.files);
    load_with(&l, "model_list: []\n", NULL, flags, 1);
    assert_int_equal(l.r, KM_E_CONFIG);
    assert_says(&l, "--wrokers: there is no setting 'kanmon_settings.wrokers'");
    done(&l);
}

static void unknown_keys_below_a_safety_row_are_refused(void **state)
{
    struct loaded l;

    (void)state;
    load(&l, "kanmon_settings: {guard: {modle: x}}\n");
    assert_int_equal(l.r, KM_E_CONFIG);
    assert_says(&l, "error[E0103]: unknown key 'modle' in kanmon_settings.guard");
    assert_says(&l, "did you mean 'model'?");
    done(&l);
}

static void a_secret_stays_hidden_whatever_else_is_wrong_on_its_line(void **state)
{
    struct loaded l;

    (void)state;
    load(&l, "general_settings: {x: 1, master_key: [hush], y: 2}\n"
             "kanmon_settings: {workers: x, own: hush}\n");
    assert_int_equal(l.r, KM_E_CONFIG);
    assert_false(text_has(l.diags, "hush"));
    done(&l);
}

static void lists_and_mappings_come_from_variables_as_yaml(void **state)
{
    static const char *const vars[] = { "KANMON_HEADERS={X-A: b}", "KANMON_TAGS=[x, y]", NULL };
    struct loaded l;
    const struct own *own;

    (void)state;
    files_init(&l.files);
    load_with(&l, "model_list: []\n", vars, NULL, 0);
    assert_int_equal(l.r, 0);
    own = km_config_get(l.config, &own_table);
    assert_int_equal(own->headers.n, 1);
    assert_true(km_str_eq(own->headers.v[0].value, KM_STR("b")));
    assert_int_equal(own->tags.n, 2);
    done(&l);
}

static void a_snapshot_lives_until_its_last_reference(void **state)
{
    struct loaded l;
    struct km_config *more;

    (void)state;
    load(&l, "kanmon_settings: {workers: 3}\n");
    more = km_config_ref(l.config);
    l.config = km_config_unref(l.config);
    assert_null(l.config);
    assert_int_equal(((const struct own *)km_config_get(more, &own_table))->workers, 3);
    assert_null(km_config_unref(more));
    done(&l);
}

static void harmless_keys_are_warned_about_once(void **state)
{
    struct loaded l;

    (void)state;
    load(&l, "general_settings: {health_check_interval: 300}\n");
    assert_int_equal(l.r, 0);
    assert_int_equal(km_diags_count(l.diags, KM_DIAG_WARNING), 1);
    assert_says(&l, "general_settings.health_check_interval has no effect here");
    done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_fill_what_the_file_leaves_out),
        cmocka_unit_test(values_of_the_file_reach_their_fields),
        cmocka_unit_test(a_part_stands_in_each_entry_that_writes_it),
        cmocka_unit_test(a_misspelt_key_of_a_part_refuses_to_load),
        cmocka_unit_test(a_missing_file_is_named_with_the_way_to_make_one),
        cmocka_unit_test(every_problem_is_reported_at_once_with_its_place),
        cmocka_unit_test(flags_beat_variables_which_beat_the_file),
        cmocka_unit_test(a_litellm_variable_only_stands_in_for_an_absent_key),
        cmocka_unit_test(an_unset_variable_stops_the_start_only_where_safety_hangs_on_it),
        cmocka_unit_test(an_empty_variable_is_no_master_key),
        cmocka_unit_test(restrictive_keys_stop_the_start_unless_inert_or_accepted),
        cmocka_unit_test(a_key_that_yaml_reads_as_a_boolean_is_pointed_out),
        cmocka_unit_test(harmless_keys_are_warned_about_once),
        cmocka_unit_test(a_harmless_key_of_many_items_is_said_once),
        cmocka_unit_test(a_mapping_that_is_required_is_missed),
        cmocka_unit_test(a_flag_for_no_setting_is_an_error),
        cmocka_unit_test(unknown_keys_below_a_safety_row_are_refused),
        cmocka_unit_test(a_secret_stays_hidden_whatever_else_is_wrong_on_its_line),
        cmocka_unit_test(lists_and_mappings_come_from_variables_as_yaml),
        cmocka_unit_test(a_snapshot_lives_until_its_last_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
