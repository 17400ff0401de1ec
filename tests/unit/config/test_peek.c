/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"

#define STATE "kanmon_settings.state_dir", "KANMON_TEST_STATE_DIR"

static char folder[256];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/kanmon-peek.XXXXXX");
    unsetenv("KANMON_TEST_STATE_DIR");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    char path[300];

    (void)state;
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/.env", folder);
    unlink(path);
    rmdir(folder);
    return 0;
}

static void write_named(const char *name, const char *text)
{
    char path[300];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* What is found in a file of this text; "": nothing. */
static const char *peeked(const char *text)
{
    static char found[100];
    char path[300];

    write_named("config.yaml", text);
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    return km_config_peek(path, STATE, found, sizeof found) ? found : "";
}

static void it_reads_a_valid_file(void **state)
{
    (void)state;
    assert_string_equal(peeked("kanmon_settings: {state_dir: here}\n"), "here");
    assert_string_equal(peeked("x: &a {state_dir: by-alias}\nkanmon_settings: *a\n"), "by-alias");
    assert_string_equal(peeked("kanmon_settings:\n  workers: 1\n"), "");
    assert_string_equal(peeked("state_dir: elsewhere\n"), "");
    assert_string_equal(peeked(""), "");
}

static void secrets_need_not_be_set(void **state)
{
    (void)state;
    assert_string_equal(peeked("general_settings: {master_key: os.environ/KANMON_TEST_UNSET}\n"
                               "kanmon_settings: {state_dir: here}\n"),
                        "here");
}

#define BROKEN "model_list: [{model_nam: 1\n  - \"no end\n"

static void it_reads_what_is_left_of_a_broken_one(void **state)
{
    (void)state;
    assert_string_equal(peeked(BROKEN "kanmon_settings:\n  state_dir: block\n"), "block");
    assert_string_equal(peeked(BROKEN "kanmon_settings:\n  workers: 1\n  state_dir: 'a, b' # c\n"),
                        "a, b");
    assert_string_equal(peeked(BROKEN "kanmon_settings: {workers: 1, state_dir: flow, user: x}\n"),
                        "flow");
    assert_string_equal(peeked(BROKEN "\"kanmon_settings\":\n  \"state_dir\" : \"quoted\"\n"),
                        "quoted");
    assert_string_equal(peeked("kanmon_settings:\n  state_dir: first\n" BROKEN), "first");
    assert_string_equal(peeked(BROKEN "kanmon_settings:\n  state_dir: /a#b # why\n"), "/a#b");
}

static void it_is_not_misled(void **state)
{
    (void)state;
    assert_string_equal(peeked(BROKEN "kanmon_settings:\n  # state_dir: old\n  user: x\n"), "");
    assert_string_equal(peeked(BROKEN "kanmon_settings:\n  user: x # state_dir: old\n"), "");
    assert_string_equal(peeked(BROKEN "other:\n  state_dir: other\n"), "");
    assert_string_equal(peeked(BROKEN "kanmon_settings:\n  old_state_dir: a\n  state_dir: b\n"),
                        "b");
    assert_string_equal(peeked(BROKEN "kanmon_settings:\n  x: 1\nother:\n  state_dir: other\n"),
                        "");
    assert_string_equal(peeked(BROKEN "kanmon_settings:\n  state_dir:\n"), "");
}

static void a_variable_is_stronger_also_of_an_env_file(void **state)
{
    (void)state;
    write_named(".env", "KANMON_TEST_STATE_DIR=env-file\nKANMON_TEST_OTHER=other\n");
    assert_string_equal(peeked("kanmon_settings: {state_dir: here}\n"), "env-file");
    assert_string_equal(peeked(BROKEN "kanmon_settings: {state_dir: here}\n"), "env-file");
    setenv("KANMON_TEST_STATE_DIR", "process", 1);
    assert_string_equal(peeked("kanmon_settings: {state_dir: here}\n"), "process");
    unsetenv("KANMON_TEST_STATE_DIR");
    write_named(".env", "KANMON_TEST_OTHER=other\n");
    assert_string_equal(peeked("kanmon_settings: {state_dir: os.environ/KANMON_TEST_OTHER}\n"),
                        "other");
    assert_string_equal(
        peeked(BROKEN "kanmon_settings:\n  state_dir: os.environ/KANMON_TEST_OTHER\n"), "other");
    assert_string_equal(peeked("kanmon_settings: {state_dir: os.environ/KANMON_TEST_UNSET}\n"), "");
}

/* Cut anywhere, it finds the whole value, a piece of it, or nothing; and it ends. */
static void a_file_cut_at_any_byte_is_read(void **state)
{
    static const char text[] = "model_list: [{model_name: a}]\nkanmon_settings:\n  x: {y: [1, 2]}\n"
                               "  state_dir: \"here\"\nother: [1,\n";
    char cut[sizeof text];

    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        const char *found;

        memcpy(cut, text, n);
        cut[n] = 0;
        found = peeked(cut);
        assert_int_equal(strncmp("here", found, strlen(found)), 0);
    }
}

static void a_file_that_is_gone_or_a_pipe_says_nothing(void **state)
{
    char path[300], found[100];

    (void)state;
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    assert_false(km_config_peek(path, STATE, found, sizeof found));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(km_config_peek(path, STATE, found, sizeof found)); /* and does not wait */
}

static void a_value_that_does_not_fit_is_none(void **state)
{
    char path[300], found[8];

    (void)state;
    write_named("config.yaml", "kanmon_settings: {state_dir: longer-than-that}\n");
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    assert_false(km_config_peek(path, STATE, found, sizeof found));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(it_reads_a_valid_file),
        CASE(secrets_need_not_be_set),
        CASE(it_reads_what_is_left_of_a_broken_one),
        CASE(it_is_not_misled),
        CASE(a_variable_is_stronger_also_of_an_env_file),
        CASE(a_file_cut_at_any_byte_is_read),
        CASE(a_file_that_is_gone_or_a_pipe_says_nothing),
        CASE(a_value_that_does_not_fit_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
