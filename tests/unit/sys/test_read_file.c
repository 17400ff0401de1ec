/* SPDX-License-Identifier: Apache-2.0 */
/* test_read_file.c - whole files: read to the last byte, or refused, and with which reason.
 *
 * Each test has a folder of its own.  Limits are tried at the byte: a file as long as the limit
 * fits, one byte more does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/read_file.h"

#define LONG (3 * 16384 + 5) /* of more than one read */

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/kanmon-file-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    char path[96];

    (void)state;
    snprintf(path, sizeof path, "%s/file", folder);
    (void)unlink(path);
    return rmdir(folder);
}

static const char *beside(const char *name)
{
    static char path[96];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put(size_t n)
{
    int fd = open(beside("file"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(write(fd, &"0123456789"[i % 10], 1), 1);
    assert_int_equal(close(fd), 0);
}

static void test_a_file_is_read_to_its_last_byte(void **state)
{
    static const size_t sizes[] = { 0, 1, 16384, LONG };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(LONG + 1);

        put(sizes[i]);
        km_buf_byte(&b, '>');
        assert_int_equal(km_file_read(beside("file"), KM_FILE_REGULAR, &b, NULL), 0);
        assert_int_equal(b.n, 1 + sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(b.p[1 + k], "0123456789"[k % 10]);
    }
}

static void test_the_limit_is_the_buffers(void **state)
{
    (void)state;
    for (size_t most = LONG - 1; most <= LONG; most++) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(most);
        struct km_err err = { 0 };

        put(LONG);
        assert_int_equal(km_file_read(beside("file"), KM_FILE_ANY, &b, &err),
                         most == LONG ? 0 : KM_E_LIMIT);
        if (most < LONG)
            assert_string_equal(err.text, "it is over 49156 bytes");
    }
}

static void test_what_is_no_file(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(100);
    struct km_err err;

    (void)state;
    assert_int_equal(km_file_read(beside("none"), KM_FILE_ANY, &b, &err), KM_E_NOT_FOUND);
    assert_string_equal(err.text, strerror(ENOENT));
    put(1);
    assert_int_equal(km_file_read(beside("file/below"), KM_FILE_ANY, &b, &err), KM_E_NOT_FOUND);
    assert_int_equal(km_file_read(folder, KM_FILE_ANY, &b, &err), KM_E_INVALID);
    assert_string_equal(err.text, "it is a directory");
    assert_int_equal(unlink(beside("file")), 0);
    assert_int_equal(symlink("file", beside("file")), 0);
    assert_int_equal(km_file_read(beside("file"), KM_FILE_ANY, &b, &err), KM_E_SYSTEM);
    assert_string_equal(err.text, strerror(ELOOP));
    assert_int_equal(b.n, 0);
}

/* A FIFO that nobody writes would be waited for forever. */
static void test_a_pipe_is_read_where_one_will_do(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(100);
    struct km_err err;
    int ends[2];

    (void)state;
    assert_int_equal(mkfifo(beside("file"), 0600), 0);
    assert_int_equal(km_file_read(beside("file"), KM_FILE_REGULAR, &b, &err), KM_E_INVALID);
    assert_string_equal(err.text, "it is no regular file");
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "given", 5), 5);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(km_file_read_fd(ends[0], KM_FILE_ANY, &b, &err), 0);
    assert_string_equal(km_buf_cstr(&b), "given");
    assert_int_equal(close(ends[0]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_file_is_read_to_its_last_byte, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(test_the_limit_is_the_buffers, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_what_is_no_file, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(test_a_pipe_is_read_where_one_will_do, make_folder,
                                        drop_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
