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

#include "base/err.h"
#include "sys/cgroup.h"

#define MOUNTS                                                                                     \
    "22 1 0:20 / /proc rw - proc proc rw\n"                                                        \
    "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"

static char own[KM_CGROUP_PATH];

static bool find(const char *cgroup, const char *mounts)
{
    memset(own, 0, sizeof own);
    return km_cgroup_own(km_str_c(cgroup), km_str_c(mounts), own);
}

static void the_own_cgroup_is_found(void **state)
{
    (void)state;
    assert_true(find("0::/system.slice/kanmon.service\n", MOUNTS));
    assert_string_equal(own, "/sys/fs/cgroup/system.slice/kanmon.service");
    assert_true(find("0::/\n", MOUNTS)); /* a namespace's top */
    assert_string_equal(own, "/sys/fs/cgroup");
    assert_true(find("4:memory:/elsewhere\n0::/a\n",
                     "40 1 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                     "41 1 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"));
    assert_string_equal(own, "/sys/fs/cgroup/unified/a");
    assert_true(find("0::/docker/1/a\n", "41 1 0:31 /docker/1 /mnt rw - cgroup2 none rw\n"));
    assert_string_equal(own, "/mnt/a");
}

static void what_is_out_of_reach_is_not_found(void **state)
{
    (void)state;
    assert_false(find("4:memory:/a\n", MOUNTS)); /* no cgroup v2 */
    assert_false(find("0::/a\n", "22 1 0:20 / /proc rw - proc proc rw\n"));
    assert_false(find("0::/../b\n", MOUNTS)); /* beside the namespace */
    assert_false(find("0::/other\n", "41 1 0:31 /docker/1 /mnt rw - cgroup2 none rw\n"));
}

/* --- a folder that looks like a cgroup --- */

static char dir[64], base[128];

static void put(const char *name, const char *text)
{
    char path[256];
    int fd;

    snprintf(path, sizeof path, "%s/%s", base, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static int make(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/kanmon-cgroup-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(base, sizeof base, "%s/unit", dir);
    assert_int_equal(mkdir(base, 0755), 0);
    put("cgroup.controllers", "cpu memory pids\n");
    put("cgroup.subtree_control", "");
    put("cgroup.procs", "");
    return 0;
}

static int remove_all(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static void look(const char *path, const char *why)
{
    struct km_cgroup_have have;

    km_cgroup_look(path, &have);
    assert_string_equal(have.base, "");
    assert_non_null(strstr(have.why, why));
}

static void a_cgroup_without_the_controller_is_none(void **state)
{
    (void)state;
    put("cgroup.controllers", "cpu pids memoryless\n");
    look(base, "no memory controller");
    look("/nonexistent", "no memory controller");
}

/* Root can write everything: that alone is no delegation. */
static void roots_own_rights_are_no_delegation(void **state)
{
    (void)state;
    if (geteuid() == 0)
        look(base, "not delegated");
}

static void below_kanmon_the_base_is_the_folder_above(void **state)
{
    struct km_cgroup_have have;
    char path[256];

    (void)state;
    snprintf(path, sizeof path, "%s/kanmon", base);
    km_cgroup_look(path, &have); /* its own files are not looked at: there are none */
    if (geteuid() == 0)
        assert_null(strstr(have.why, "/kanmon ")); /* why speaks of the folder above */
    else
        assert_string_equal(have.base, base);
}

static void a_folder_that_is_no_cgroup_gets_no_leaf(void **state)
{
    struct km_err err = { 0 };
    char leaf[KM_CGROUP_PATH];

    (void)state;
    assert_true(km_cgroup_leaf(base, 1 << 20, leaf, &err) < 0); /* no memory.max appears */
    assert_non_null(strstr(err.text, "memory.max"));
    assert_int_equal(access(leaf, F_OK), -1);
}

static void what_the_kernel_ended_is_read_from_its_events(void **state)
{
    (void)state;
    assert_false(km_cgroup_was_over(base));
    put("memory.events", "low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\n");
    assert_false(km_cgroup_was_over(base));
    put("memory.events", "low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 1\n");
    assert_true(km_cgroup_was_over(base));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_own_cgroup_is_found),
        cmocka_unit_test(what_is_out_of_reach_is_not_found),
        cmocka_unit_test_setup_teardown(a_cgroup_without_the_controller_is_none, make, remove_all),
        cmocka_unit_test_setup_teardown(roots_own_rights_are_no_delegation, make, remove_all),
        cmocka_unit_test_setup_teardown(below_kanmon_the_base_is_the_folder_above, make,
                                        remove_all),
        cmocka_unit_test_setup_teardown(a_folder_that_is_no_cgroup_gets_no_leaf, make, remove_all),
        cmocka_unit_test_setup_teardown(what_the_kernel_ended_is_read_from_its_events, make,
                                        remove_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
