/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "sys/pipe.h"

static void on_end(void *ctx)
{
    (void)ctx;
}

static void what_the_other_end_has_not_read_is_counted(void **state)
{
    static const struct km_pipe_events events = { .on_end = on_end };
    struct km_loop *loop = km_loop_new(NULL);
    static char bytes[300000]; /* more than the kernel's pipe takes */
    struct km_pipe *p;
    int fds[2];

    (void)state;
    assert_non_null(loop);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    p = km_pipe_new(loop, fds[1], &events, NULL, NULL);
    assert_non_null(p);
    assert_int_equal(km_pipe_unread(p), 0);
    assert_int_equal(km_pipe_write(p, KM_STR("hello"), 1000, NULL), 0);
    assert_int_equal(km_pipe_unread(p), 5);
    assert_int_equal(read(fds[0], bytes, 3), 3);
    assert_int_equal(km_pipe_unread(p), 2);
    assert_int_equal(read(fds[0], bytes, sizeof bytes), 2);
    assert_int_equal(km_pipe_unread(p), 0);
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(km_pipe_write(p, km_str(bytes, sizeof bytes), sizeof bytes, NULL), 0);
    assert_int_equal(km_pipe_unread(p), sizeof bytes);
    km_pipe_free(p);
    km_loop_free(loop);
    close(fds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_other_end_has_not_read_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
