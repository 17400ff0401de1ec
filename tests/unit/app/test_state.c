/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/state.h"

#define NAME "lock"

static char dir[64], path[80];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/kanmon-state.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/" NAME, dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    rmdir(dir);
    return 0;
}

static void write_lock(const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void who_takes_a_lock_is_known_while_it_is_held(void **state)
{
    struct km_state_holder by;
    struct km_err err = { 0 };
    int fd;

    (void)state;
    assert_false(km_state_held(dir, NAME, &by));
    assert_int_equal(km_state_lock(dir, NAME, "/etc/k/one.yaml", &fd, &err), 0);
    assert_true(km_state_held(dir, NAME, &by));
    assert_int_equal(by.pid, getpid());
    assert_string_equal(by.config, "/etc/k/one.yaml");
    close(fd);
    assert_false(km_state_held(dir, NAME, &by));
    km_state_holder(dir, NAME, &by);
    assert_string_equal(by.config, "/etc/k/one.yaml");
}

static void the_second_is_told_who_was_first(void **state)
{
    struct km_err err = { 0 };
    char pid[32];
    int fd, other;

    (void)state;
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    assert_int_equal(km_state_lock(dir, NAME, "/etc/k/one.yaml", &fd, &err), 0);
    assert_int_equal(km_state_lock(dir, NAME, "/etc/k/two.yaml", &other, &err), KM_E_EXISTS);
    assert_non_null(strstr(err.text, "/etc/k/one.yaml"));
    assert_non_null(strstr(err.text, "/etc/k/two.yaml"));
    assert_non_null(strstr(err.text, pid));
    close(fd);
    assert_int_equal(km_state_lock(dir, NAME, "/etc/k/two.yaml", &other, &err), 0);
    close(other);
}

static void what_is_no_record_says_nothing(void **state)
{
    static const char *const texts[] = { "",    "\n", "x\n/etc/k/one.yaml\n", "-1\n/a\n",
                                         "0\n", "12", "99999999999999999999\n/a" };
    struct km_state_holder by;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        write_lock(texts[i]);
        km_state_holder(dir, NAME, &by);
        assert_int_equal(by.pid, 0);
    }
}

/* A version before this one wrote the number alone. */
static void a_number_alone_is_a_process_of_an_unknown_file(void **state)
{
    struct km_state_holder by;
    char text[32];

    (void)state;
    snprintf(text, sizeof text, "%ld\n", (long)getpid());
    write_lock(text);
    km_state_holder(dir, NAME, &by);
    assert_int_equal(by.pid, getpid());
    assert_string_equal(by.config, "");
}

static void a_process_of_another_user_than_the_files_is_not_believed(void **state)
{
    struct km_state_holder by;
    char text[64];

    (void)state;
    snprintf(text, sizeof text, "%ld\n/etc/k/one.yaml\n", (long)getpid());
    write_lock(text);
    assert_true(km_state_is_owner(dir, NAME, getpid()));
    if (geteuid() != 0)
        skip(); /* files cannot be given away */
    assert_int_equal(chown(path, 65534, 65534), 0);
    km_state_holder(dir, NAME, &by);
    assert_int_equal(by.pid, 0);
    assert_false(km_state_is_owner(dir, NAME, getpid()));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(who_takes_a_lock_is_known_while_it_is_held),
        CASE(the_second_is_told_who_was_first),
        CASE(what_is_no_record_says_nothing),
        CASE(a_number_alone_is_a_process_of_an_unknown_file),
        CASE(a_process_of_another_user_than_the_files_is_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
