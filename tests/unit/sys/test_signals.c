/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/signals.h"

struct seen {
    struct km_loop *loop;
    int signum;
    int count;
};

static void on_signal(void *ctx, int signum)
{
    struct seen *seen = ctx;

    seen->signum = signum;
    seen->count++;
    km_loop_stop(seen->loop);
}

static void a_signal_arrives_as_a_callback(void **state)
{
    struct seen seen = { .loop = km_loop_new(NULL) };
    struct km_signal *s = km_signal_new(seen.loop, SIGHUP, on_signal, &seen, NULL);

    (void)state;
    assert_non_null(s);
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    assert_int_equal(seen.count, 0);
    km_loop_run(seen.loop);
    assert_int_equal(seen.signum, SIGHUP);
    assert_int_equal(seen.count, 1);
    assert_null(km_signal_free(s));
    assert_null(km_signal_free(NULL));
    km_loop_free(seen.loop);
}

static void a_signal_that_cannot_be_caught_is_an_error(void **state)
{
    struct km_loop *loop = km_loop_new(NULL);
    struct km_err err;

    (void)state;
    assert_null(km_signal_new(loop, SIGKILL, on_signal, NULL, &err));
    assert_int_equal(err.code, KM_E_SYSTEM);
    km_loop_free(loop);
}

static void writing_to_a_closed_pipe_is_an_error_not_the_end(void **state)
{
    int fds[2];

    (void)state;
    km_signals_ignore();
    assert_int_equal(pipe(fds), 0);
    close(fds[0]);
    assert_int_equal(write(fds[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(fds[1]);
}

/* In a process of its own: were it not so, it would be killed and not return. */
static void a_process_that_ends_is_not_cut_short(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        struct km_loop *loop = km_loop_new(NULL);
        struct km_signal *s = km_signal_new(loop, SIGTERM, on_signal, NULL, NULL);

        km_signals_block();
        km_signal_free(s);
        kill(getpid(), SIGTERM);
        kill(getpid(), SIGINT);
        kill(getpid(), SIGHUP);
        _exit(3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_arrives_as_a_callback),
        cmocka_unit_test(a_signal_that_cannot_be_caught_is_an_error),
        cmocka_unit_test(a_process_that_ends_is_not_cut_short),
        cmocka_unit_test(writing_to_a_closed_pipe_is_an_error_not_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
