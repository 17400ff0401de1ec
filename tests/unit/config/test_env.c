/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "config/env.h"

struct fixture {
    struct km_arena arena;
    struct km_env env;
    struct km_diags *diags;
};

static void init(struct fixture *f, const char *const *environ_list)
{
    km_arena_init(&f->arena, 1 << 20, NULL);
    km_env_init(&f->env, &f->arena, environ_list);
    f->diags = km_diags_new();
}

static void done(struct fixture *f)
{
    km_diags_free(f->diags);
    km_arena_done(&f->arena);
}

static void assert_var(const struct fixture *f, const char *name, const char *value)
{
    struct km_str got;

    if (!km_env_get(&f->env, km_str_c(name), &got))
        fail_msg("%s is not set", name);
    if (!km_str_eq(got, km_str_c(value)))
        fail_msg("%s is '%.*s', not '%s'", name, KM_STR_ARG(got), value);
}

static void a_dotenv_file_reads_as_python_dotenv_reads_it(void **state)
{
    static const char *const vars[] = { "HOST=h", NULL };
    struct fixture f;

    (void)state;
    init(&f, vars);
    km_env_dotenv(&f.env, KM_ENV_DOTENV, KM_STR(".env"),
                  KM_STR("# comment\n\nA=1\n  export B = two words  # comment\n"
                         "C='as $HOST \\n is'\nD=\"line\\nnext ${HOST}\"\nE=http://${HOST}:1/#x\n"
                         "F=\nG=\"two\nlines\"\nH=${NOPE:-fallback}\r\nI=$HOST\nJ=a#b\nA=again\n"),
                  f.diags);
    assert_var(&f, "A", "again");
    assert_var(&f, "B", "two words");
    assert_var(&f, "C", "as $HOST \\n is");
    assert_var(&f, "D", "line\nnext h");
    assert_var(&f, "E", "http://h:1/#x");
    assert_var(&f, "F", "");
    assert_var(&f, "G", "two\nlines");
    assert_var(&f, "H", "fallback");
    assert_var(&f, "I", "$HOST");
    assert_var(&f, "J", "a#b");
    assert_int_equal(km_diags_count(f.diags, KM_DIAG_WARNING), 0);
    done(&f);
}

static void a_bad_line_is_named_by_number_and_never_shown(void **state)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1 << 16);
    struct fixture f;

    (void)state;
    init(&f, NULL);
    km_env_dotenv(&f.env, KM_ENV_DOTENV, KM_STR(".env"), KM_STR("A=\"x\ny\"\nhush hush\nB=2\n"),
                  f.diags);
    km_diags_seal(f.diags);
    assert_int_equal(km_diags_at(f.diags, 0)->line, 3);
    km_diags_text(f.diags, false, &out);
    assert_null(strstr(km_buf_cstr(&out), "hush"));
    assert_var(&f, "B", "2");
    done(&f);
}

static void stronger_sources_win(void **state)
{
    static const char *const vars[] = { "A=process", NULL };
    struct fixture f;

    (void)state;
    init(&f, vars);
    km_env_dotenv(&f.env, KM_ENV_DOTENV, KM_STR(".env"), KM_STR("A=e\nB=e\nC=e\nD=e\n"), f.diags);
    km_env_dotenv(&f.env, KM_ENV_LOCAL, KM_STR(".env.local"), KM_STR("A=l\nB=l\nC=l\n"), f.diags);
    km_env_set(&f.env, KM_ENV_FILE, KM_STR("B"), KM_STR("file"));
    assert_var(&f, "A", "process");
    assert_var(&f, "B", "file");
    assert_var(&f, "C", "l");
    assert_var(&f, "D", "e");
    done(&f);
}

static void a_dotenv_file_cut_anywhere_is_read_without_reading_past_it(void **state)
{
    static const char text[] = "A=\"x\\\"y\"\nexport B='${A}' # c\nC=${A:-d}\\\nD=\"\\";

    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        struct fixture f;
        char *cut = malloc(n ? n : 1);

        memcpy(cut, text, n);
        init(&f, NULL);
        km_env_dotenv(&f.env, KM_ENV_DOTENV, KM_STR(".env"), km_str(cut, n), f.diags);
        if (n > 10)
            assert_var(&f, "A", "x\"y");
        done(&f);
        free(cut);
    }
}

static void a_switch_says_yes_or_no_in_words(void **state)
{
    static const char *const yes[] = { "true", "TRUE", "yes", "On", "1" };
    static const char *const no[] = { "false", "False", "no", "OFF", "0" };
    static const char *const neither[] = { "", "2", "maybe", "truee", "tru", " true" };
    bool on;

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        assert_int_equal(km_env_bool(km_str_c(yes[i]), &on), 0);
        assert_true(on);
        assert_int_equal(km_env_bool(km_str_c(no[i]), &on), 0);
        assert_false(on);
    }
    for (size_t i = 0; i < sizeof neither / sizeof neither[0]; i++)
        assert_int_equal(km_env_bool(km_str_c(neither[i]), &on), KM_E_INVALID);
}

static void what_kubernetes_sets_is_told_from_a_setting(void **state)
{
    (void)state;
    assert_true(km_env_is_service(KM_STR("KANMON_PORT"), KM_STR("tcp://10.96.0.1:4000")));
    assert_true(km_env_is_service(KM_STR("KANMON_PG_PORT"), KM_STR("udp://[fd00::1]:53")));
    assert_false(km_env_is_service(KM_STR("KANMON_PORT"), KM_STR("4000")));
    assert_false(km_env_is_service(KM_STR("KANMON_PG_DSN"), KM_STR("tcp://10.96.0.1:4000")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dotenv_file_reads_as_python_dotenv_reads_it),
        cmocka_unit_test(a_bad_line_is_named_by_number_and_never_shown),
        cmocka_unit_test(stronger_sources_win),
        cmocka_unit_test(a_dotenv_file_cut_anywhere_is_read_without_reading_past_it),
        cmocka_unit_test(a_switch_says_yes_or_no_in_words),
        cmocka_unit_test(what_kubernetes_sets_is_told_from_a_setting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
