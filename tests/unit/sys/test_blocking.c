/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/blocking.h"
#include "sys/signals.h"
#include "sys/supervise.h"
#include "sys/unix.h"

static const char *const no_environment[] = { NULL };

static struct km_child_spec shell(const char *const *argv)
{
    return (struct km_child_spec){ .file = "/bin/sh",
                                   .argv = argv,
                                   .envp = no_environment,
                                   .stdin_fd = -1,
                                   .stdout_fd = STDERR_FILENO,
                                   .stderr_fd = STDERR_FILENO };
}

static void a_program_runs_to_its_end(void **state)
{
    static const char *const argv[] = { "sh", "-c", "exit 7", NULL };
    struct km_child_spec spec = shell(argv);
    struct km_err err = { 0 };
    int status;

    (void)state;
    assert_int_equal(km_run(&spec, &status, &err), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    spec.file = "/nowhere/to/be/found";
    assert_true(km_run(&spec, &status, &err) < 0);
}

/* Where SIGCHLD is ignored the kernel reaps: that is an error, said once, and no loop. */
static void a_child_that_nobody_can_hear_of_is_an_error(void **state)
{
    static const char *const argv[] = { "sh", "-c", ":", NULL };
    struct km_child_spec spec = shell(argv);
    struct km_err err = { 0 };
    struct sigaction now;
    sigset_t all, mask;
    int status;

    (void)state;
    signal(SIGCHLD, SIG_IGN);
    assert_int_equal(km_run(&spec, &status, &err), KM_E_SYSTEM);
    assert_int_equal(km_wait_child(getpid(), &status, &err), KM_E_SYSTEM);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    km_signals_restore();
    sigaction(SIGCHLD, NULL, &now);
    assert_true(now.sa_handler == SIG_DFL);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGTERM), 0);
    assert_int_equal(km_run(&spec, &status, &err), 0);
}

static void a_process_is_gone_or_is_not(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0) {
        pause();
        _exit(0);
    }
    assert_false(km_wait_gone(pid, 0));
    kill(pid, SIGKILL);
    assert_true(km_wait_gone(pid, 60000)); /* it is a zombie, which is an end */
    assert_int_equal(km_wait_child(pid, &status, NULL), 0);
    assert_true(km_wait_gone(pid, 0));
}

static void reading_ends_with_bytes_the_end_or_a_word_of_ours(void **state)
{
    int data[2], wake[2];
    char room[16];

    (void)state;
    assert_int_equal(pipe2(data, O_NONBLOCK), 0);
    assert_int_equal(pipe2(wake, O_CLOEXEC), 0);
    assert_int_equal(write(data[1], "abc", 3), 3);
    assert_int_equal(km_read_or_wake(data[0], wake[0], room, sizeof room), 3);
    assert_int_equal(write(wake[1], "", 1), 1);
    assert_int_equal(km_read_or_wake(data[0], wake[0], room, sizeof room), KM_READ_WOKEN);
    assert_int_equal(read(wake[0], room, 1), 1);
    close(data[1]);
    assert_int_equal(km_read_or_wake(data[0], wake[0], room, sizeof room), 0);
    close(data[0]);
    close(wake[0]);
    close(wake[1]);
}

static void a_socket_is_read_to_its_end_to_a_line_or_to_the_limit(void **state)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8);
    const struct timeval soon = { .tv_usec = 1000 };
    int s[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
    assert_int_equal(km_unix_send(s[0], KM_STR("one\n"), NULL), 0);
    assert_int_equal(km_unix_read(s[1], true, &b, NULL), 0);
    assert_string_equal(km_buf_cstr(&b), "one\n");
    setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    assert_int_equal(km_unix_read(s[1], true, &b, NULL), KM_E_UPSTREAM_TIMEOUT);
    assert_int_equal(km_unix_send(s[0], KM_STR("012345678"), NULL), 0);
    assert_int_equal(km_unix_read(s[1], false, &b, NULL), KM_E_LIMIT);
    km_buf_reset(&b);
    close(s[0]);
    assert_int_equal(km_unix_read(s[1], false, &b, NULL), 0);
    assert_string_equal(km_buf_cstr(&b), "45678");
    close(s[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_runs_to_its_end),
        cmocka_unit_test(a_child_that_nobody_can_hear_of_is_an_error),
        cmocka_unit_test(a_process_is_gone_or_is_not),
        cmocka_unit_test(reading_ends_with_bytes_the_end_or_a_word_of_ours),
        cmocka_unit_test(a_socket_is_read_to_its_end_to_a_line_or_to_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
