/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/unix.h"

struct place {
    char folder[64];
    char path[80];
};

static int set_up(void **state)
{
    struct place *p = test_calloc(1, sizeof *p);
    const char *tmp = getenv("TMPDIR");

    snprintf(p->folder, sizeof p->folder, "%.40s/kanmon.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(p->folder))
        return -1;
    snprintf(p->path, sizeof p->path, "%s/socket", p->folder);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    unlink(p->path);
    rmdir(p->folder);
    test_free(p);
    return 0;
}

static void a_listener_is_reached_by_its_path_and_private(void **state)
{
    struct place *p = *state;
    int server, client;
    struct stat st;
    mode_t mask = umask(0);

    assert_int_equal(km_unix_listen(p->path, &server, NULL), 0);
    umask(mask);
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(km_unix_connect(p->path, &client, NULL), 0);
    close(client);
    close(server);
}

static void nobody_there_is_not_running(void **state)
{
    struct place *p = *state;
    struct km_err err;
    int fd;

    assert_int_equal(km_unix_connect(p->path, &fd, &err), KM_E_NOT_RUNNING);
    assert_int_equal(km_unix_listen(p->path, &fd, NULL), 0);
    close(fd); /* as a crash leaves it */
    assert_int_equal(km_unix_connect(p->path, &fd, &err), KM_E_NOT_RUNNING);
    assert_int_equal(km_unix_listen(p->path, &fd, NULL), 0);
    close(fd);
}

static void a_second_listener_is_refused_and_the_first_stays(void **state)
{
    struct place *p = *state;
    int first, second, client;
    struct km_err err;

    assert_int_equal(km_unix_listen(p->path, &first, NULL), 0);
    assert_int_equal(km_unix_listen(p->path, &second, &err), KM_E_EXISTS);
    assert_int_equal(km_unix_connect(p->path, &client, NULL), 0);
    close(client);
    close(first);
}

static void a_file_that_is_no_socket_is_not_removed(void **state)
{
    struct place *p = *state;
    FILE *file = fopen(p->path, "w");
    struct km_err err;
    struct stat st;
    int fd;

    fputs("precious", file);
    fclose(file);
    assert_int_equal(km_unix_listen(p->path, &fd, &err), KM_E_EXISTS);
    assert_non_null(strstr(err.text, "not a socket"));
    assert_int_equal(stat(p->path, &st), 0);
    assert_int_equal(st.st_size, 8);
}

/* Three folders of 120 bytes each: over what an address holds, and then over it thrice. */
static void a_path_longer_than_an_address_works(void **state)
{
    struct place *p = *state;
    struct km_err err = { 0 };
    char folder[3][600], path[700], name[121], above[600];
    int server, client, again;
    struct stat st;

    memset(name, 'n', 120);
    name[120] = '\0';
    snprintf(above, sizeof above, "%s", p->folder);
    for (int i = 0; i < 3; i++) {
        snprintf(folder[i], sizeof folder[i], "%.460s/%s", above, name);
        memcpy(above, folder[i], sizeof above);
        assert_int_equal(mkdir(folder[i], 0700), 0);
        snprintf(path, sizeof path, "%s/kanmon.sock", folder[i]);
        assert_int_equal(km_unix_connect(path, &client, &err), KM_E_NOT_RUNNING);
        if (km_unix_listen(path, &server, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(stat(path, &st), 0);
        assert_true(S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600);
        assert_int_equal(km_unix_listen(path, &again, &err), KM_E_EXISTS);
        assert_int_equal(km_unix_connect(path, &client, &err), 0);
        close(client);
        close(server);
        assert_int_equal(km_unix_connect(path, &client, &err), KM_E_NOT_RUNNING);
        unlink(path);
    }
    for (int i = 2; i >= 0; i--)
        rmdir(folder[i]);
}

static void what_cannot_be_reached_says_why(void **state)
{
    struct km_err err;
    char path[5000];
    int fd;

    (void)state;
    assert_int_equal(km_unix_listen("/no/such/folder/socket", &fd, &err), KM_E_SYSTEM);
    memset(path, 'a', sizeof path - 1); /* and its name alone is over what an address holds */
    path[sizeof path - 1] = '\0';
    assert_int_equal(km_unix_connect(path, &fd, &err), KM_E_LIMIT);
    assert_non_null(strstr(err.text, "state_dir"));
    path[0] = '/';
    path[4000] = '/';
    assert_int_equal(km_unix_connect(path, &fd, &err), KM_E_LIMIT);
}

static void a_folder_of_somebody_else_is_said_to_be_forbidden(void **state)
{
    struct place *p = *state;
    struct km_err err = { 0 };
    int fd;

    if (geteuid() == 0)
        skip(); /* root may go everywhere */
    assert_int_equal(chmod(p->folder, 0), 0);
    assert_int_equal(km_unix_connect(p->path, &fd, &err), KM_E_FORBIDDEN);
    assert_non_null(strstr(err.text, "Permission denied"));
    chmod(p->folder, 0700);
}

static void an_end_before_the_answer_is_an_end_and_no_fault(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64);
    struct km_err err = { 0 };
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(km_unix_send(ends[0], KM_STR("asked"), &err), 0);
    close(ends[1]); /* what it was asked lies there unread */
    assert_int_equal(km_unix_read(ends[0], false, &b, &err), KM_E_UPSTREAM_CONNECT);
    assert_int_equal(km_unix_send(ends[0], KM_STR("again"), &err), KM_E_UPSTREAM_CONNECT);
    assert_non_null(strstr(err.text, "went away"));
    close(ends[0]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_listener_is_reached_by_its_path_and_private),
        CASE(nobody_there_is_not_running),
        CASE(a_second_listener_is_refused_and_the_first_stays),
        CASE(a_file_that_is_no_socket_is_not_removed),
        CASE(a_path_longer_than_an_address_works),
        CASE(what_cannot_be_reached_says_why),
        CASE(a_folder_of_somebody_else_is_said_to_be_forbidden),
        CASE(an_end_before_the_answer_is_an_end_and_no_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
