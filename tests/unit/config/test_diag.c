/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "config/diag.h"
#include "config/mask.h"

static const struct km_str file = { "c.yaml", 6 };

static struct km_node place(unsigned line, unsigned column, const char *text)
{
    return (struct km_node){
        .type = KM_NODE_STR, .text = km_str_c(text), .file = file, .line = line, .column = column
    };
}

static const char *text_of(const struct km_diags *d, struct km_buf *out)
{
    km_buf_reset(out);
    km_diags_text(d, false, out);
    return km_buf_cstr(out);
}

static void a_diagnostic_looks_like_the_compilers(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);
    struct km_diags *d = km_diags_new();
    struct km_node at = place(12, 5, "max_tokns");

    (void)state;
    km_diags_source(d, file, KM_STR("\n\n\n\n\n\n\n\n\n\n\n    max_tokns: 3\nlast"));
    km_diag_add(d, KM_DIAG_ERROR, "E0103", &at, "did you mean 'max_tokens'?",
                "unknown key 'max_tokns' in kanmon_settings.limits");
    km_diags_seal(d);
    assert_string_equal(text_of(d, &out),
                        "error[E0103]: unknown key 'max_tokns' in kanmon_settings.limits\n"
                        "  --> c.yaml:12:5\n"
                        "   |\n"
                        "12 |     max_tokns: 3\n"
                        "   |     ^^^^^^^^^\n"
                        "   = help: did you mean 'max_tokens'?\n\n");
    km_diags_free(d);
}

static void json_has_one_object_a_diagnostic(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);
    struct km_diags *d = km_diags_new();

    (void)state;
    km_diag_add_at(d, KM_DIAG_WARNING, "W0001", file, 3, 4, NULL, "a \"quoted\" %s", "text");
    km_diag_add(d, KM_DIAG_ERROR, "E0002", NULL, "help", "nowhere");
    km_diags_json(d, &out);
    assert_string_equal(km_buf_cstr(&out),
                        "[{\"file\":\"c.yaml\",\"line\":3,\"column\":4,\"level\":\"warning\","
                        "\"code\":\"W0001\",\"message\":\"a \\\"quoted\\\" text\","
                        "\"suggestion\":null},"
                        "{\"file\":null,\"line\":0,\"column\":0,\"level\":\"error\","
                        "\"code\":\"E0002\",\"message\":\"nowhere\",\"suggestion\":\"help\"}]");
    km_diags_free(d);
}

/* Whatever points at the line, the text "hush" never comes out. */
static void assert_hides(const char *text, unsigned line, unsigned column)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);
    struct km_diags *d = km_diags_new();

    km_diags_source(d, file, km_str_c(text));
    km_diag_add_at(d, KM_DIAG_ERROR, "E0001", file, line, column, NULL, "bad");
    km_diags_seal(d);
    if (strstr(text_of(d, &out), "hush"))
        fail_msg("shown: %s", km_buf_cstr(&out));
    assert_non_null(strstr(km_buf_cstr(&out), KM_MASK));
    km_diags_free(d);
}

static void what_sounds_like_a_secret_is_never_shown(void **state)
{
    (void)state;
    assert_hides("  api_key: hush: x\n", 1, 10);
    assert_hides("{model: a, 'master_key' : hush}\n", 1, 3);
    assert_hides("a: sk-hush\n", 1, 1);
    assert_hides("db: postgresql://me:hush@host/x\n", 1, 1);
    assert_hides("vertex_credentials: |\n  {\n   hush\n  }\n", 3, 4);
    assert_hides("- aws_secret_access_key: \"hu\n    hush\n", 2, 5);
    assert_hides("Authorization: Bearer hush\n", 1, 1);
}

static void what_cannot_be_a_secret_stays_readable(void **state)
{
    static const char *const lines[] = { "input_cost_per_token: 2.5e-06",
                                         "max_tokens: 4096",
                                         "api_key: os.environ/OPENAI_API_KEY",
                                         "credential_list:",
                                         "model_name: gpt-4o",
                                         "task-force: sunk",
                                         "url: http://host:1/path",
                                         NULL };
    bool open;

    (void)state;
    for (size_t i = 0; lines[i]; i++)
        if (km_mask_from(km_str_c(lines[i]), &open) != strlen(lines[i]))
            fail_msg("masked: %s", lines[i]);
}

static void a_hidden_node_hides_its_lines_and_no_others(void **state)
{
    struct km_diags *d = km_diags_new();
    struct km_node secret = place(1, 4, "hush"), env = place(4, 4, "x");

    (void)state;
    env.from_env = true;
    km_diags_source(d, file, KM_STR("a: hush\n   hush too\nb: shown\nc: os.environ/NAME\n"));
    km_diags_hide(d, &secret);
    km_diags_hide(d, &env);
    for (unsigned line = 1; line <= 4; line++)
        km_diag_add_at(d, KM_DIAG_ERROR, "E0001", file, line, 1, NULL, "bad");
    km_diags_seal(d);
    assert_true(km_str_eq(km_diags_at(d, 0)->source, KM_STR("a: " KM_MASK)));
    assert_true(km_str_eq(km_diags_at(d, 1)->source, KM_STR(KM_MASK)));
    assert_true(km_str_eq(km_diags_at(d, 2)->source, KM_STR("b: shown")));
    assert_true(km_str_eq(km_diags_at(d, 3)->source, KM_STR("c: os.environ/NAME")));
    km_diags_free(d);
}

static void bytes_a_terminal_acts_on_do_not_come_out(void **state)
{
    struct km_diags *d = km_diags_new();

    (void)state;
    km_diags_source(d, file, KM_STR("a: \033[31mred\007\177 \xc2\x9b \xc3\xa9"));
    km_diag_add_at(d, KM_DIAG_ERROR, "E0001", file, 1, 1, NULL, "unknown key '%s'", "\033[2J");
    km_diags_seal(d);
    assert_true(km_str_eq(km_diags_at(d, 0)->source, KM_STR("a: ?[31mred?? ?? \xc3\xa9")));
    assert_true(km_str_eq(km_diags_at(d, 0)->message, KM_STR("unknown key '?[2J'")));
    km_diags_free(d);
}

static void a_long_line_is_cut_around_its_caret(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);
    struct km_diags *d = km_diags_new();
    struct km_node at = place(1, 1001, "needle");

    (void)state;
    for (int i = 0; i < 1000; i++)
        km_buf_byte(&line, 'x');
    km_buf_str(&line, KM_STR("needle"));
    km_diags_source(d, file, km_buf_view(&line));
    km_diag_add(d, KM_DIAG_ERROR, "E0001", &at, NULL, "bad");
    km_diags_seal(d);
    text_of(d, &out);
    assert_true(out.n < 300);
    assert_non_null(strstr(km_buf_cstr(&out), "needle\n"));
    assert_non_null(strstr(km_buf_cstr(&out), "^^^^^^\n"));
    km_diags_free(d);
}

static void more_than_are_kept_are_counted(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_diags *d = km_diags_new();

    (void)state;
    for (int i = 0; i < 250; i++)
        km_diag_add(d, KM_DIAG_ERROR, "E0001", NULL, NULL, "bad");
    assert_int_equal(km_diags_count(d, KM_DIAG_ERROR), 250);
    assert_null(km_diags_at(d, 200));
    assert_non_null(strstr(text_of(d, &out), "... and 50 more"));
    km_diags_free(d);
}

static void errors_are_kept_where_warnings_are_many(void **state)
{
    struct km_diags *d = km_diags_new();
    size_t errors = 0;

    (void)state;
    for (int i = 0; i < 300; i++)
        km_diag_add(d, i < 250 ? KM_DIAG_WARNING : KM_DIAG_ERROR, "E0001", NULL, NULL, "bad");
    for (size_t i = 0; i < 200; i++)
        errors += km_diags_at(d, i)->level == KM_DIAG_ERROR;
    assert_int_equal(errors, 50);
    km_diags_free(d);
}

static void entries_come_in_the_order_of_the_file(void **state)
{
    static const unsigned lines[] = { 5, 2, 9, 2, 1 };
    struct km_diags *d = km_diags_new();

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        km_diag_add_at(d, KM_DIAG_ERROR, "E0001", file, lines[i], 10 - i, NULL, "bad");
    km_diags_seal(d);
    for (size_t i = 1; i < 5; i++)
        assert_true(km_diags_at(d, i - 1)->line <= km_diags_at(d, i)->line);
    assert_int_equal(km_diags_at(d, 1)->column, 7);
    assert_int_equal(km_diags_at(d, 2)->column, 9);
    km_diags_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_diagnostic_looks_like_the_compilers),
        cmocka_unit_test(json_has_one_object_a_diagnostic),
        cmocka_unit_test(what_sounds_like_a_secret_is_never_shown),
        cmocka_unit_test(what_cannot_be_a_secret_stays_readable),
        cmocka_unit_test(a_hidden_node_hides_its_lines_and_no_others),
        cmocka_unit_test(bytes_a_terminal_acts_on_do_not_come_out),
        cmocka_unit_test(a_long_line_is_cut_around_its_caret),
        cmocka_unit_test(more_than_are_kept_are_counted),
        cmocka_unit_test(errors_are_kept_where_warnings_are_many),
        cmocka_unit_test(entries_come_in_the_order_of_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
