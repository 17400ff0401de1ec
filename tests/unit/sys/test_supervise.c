/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "sys/signals.h"
#include "sys/supervise.h"

#define CHANGES 32

/* A child with /bin/sh -c and what was told about it. */
struct fixture {
    struct km_loop *loop;
    struct km_child *child;
    struct km_child_spec spec;
    const char *argv[4];
    const char *envp[4];
    int out[2]; /* the child's output */
    enum km_child_state states[CHANGES];
    int statuses[CHANGES];
    uint64_t at_ms[CHANGES];
    size_t n, wanted;
    enum km_child_state free_at; /* frees the child when it is told this */
    bool frees;
    struct km_timer again;
};

static void on_state(void *ctx, struct km_child *child, enum km_child_state state, int status)
{
    struct fixture *f = ctx;

    assert_ptr_equal(child, f->child);
    assert_true(f->n < CHANGES);
    f->states[f->n] = state;
    f->statuses[f->n] = status;
    f->at_ms[f->n++] = km_mono_ms();
    if (f->frees && state == f->free_at)
        f->child = km_child_free(f->child);
    if (f->n == f->wanted)
        km_loop_stop(f->loop);
}

static int set_up(void **state)
{
    struct fixture *f = test_calloc(1, sizeof *f);

    f->loop = km_loop_new(NULL);
    if (pipe2(f->out, O_CLOEXEC) < 0)
        return -1;
    f->argv[0] = "sh";
    f->argv[1] = "-c";
    f->envp[0] = "PATH=/usr/local/bin:/usr/bin:/bin";
    f->spec = (struct km_child_spec){ .file = "sh",
                                      .argv = f->argv,
                                      .envp = f->envp,
                                      .stdin_fd = -1,
                                      .stdout_fd = f->out[1],
                                      .stderr_fd = 2,
                                      .stop_ms = 5000 };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    km_child_free(f->child);
    km_loop_free(f->loop);
    close(f->out[0]);
    if (f->out[1] >= 0)
        close(f->out[1]);
    test_free(f);
    return 0;
}

static void make(struct fixture *f, const char *script)
{
    f->argv[2] = script;
    f->child = km_child_new(f->loop, &f->spec, on_state, f, NULL);
    assert_non_null(f->child);
}

static void run(struct fixture *f, const char *script)
{
    struct km_err err = { .text = "" };

    make(f, script);
    if (km_child_start(f->child, &err) < 0)
        fail_msg("%s", err.text);
}

static void wait_for(struct fixture *f, size_t changes)
{
    f->wanted = changes;
    km_loop_run(f->loop);
    assert_true(f->n >= changes);
}

/* What the child and all it started have written, to the end. */
static const char *output(struct fixture *f)
{
    static char text[4096];
    size_t n = 0;
    ssize_t r;

    close(f->out[1]);
    f->out[1] = -1;
    while ((r = read(f->out[0], text + n, sizeof text - 1 - n)) > 0)
        n += (size_t)r;
    assert_int_equal(r, 0);
    text[n] = '\0';
    return text;
}

static void a_child_starts_is_ready_and_ends_with_its_status(void **state)
{
    struct fixture *f = *state;

    run(f, "echo hello; exit 7");
    assert_int_equal(f->n, 0); /* told later, never from inside */
    assert_true(km_child_pid(f->child) > 0);
    wait_for(f, 3);
    assert_int_equal(f->states[0], KM_CHILD_STARTING);
    assert_int_equal(f->states[1], KM_CHILD_READY);
    assert_int_equal(f->states[2], KM_CHILD_STOPPED);
    assert_int_equal(f->statuses[1], -1);
    assert_int_equal(WEXITSTATUS(f->statuses[2]), 7);
    assert_int_equal(km_child_pid(f->child), 0);
    assert_string_equal(output(f), "hello\n");
}

static void a_child_gets_only_the_environment_given(void **state)
{
    struct fixture *f = *state;

    setenv("KANMON_TEST_LEAK", "secret", 1);
    f->argv[0] = "env";
    f->argv[1] = NULL;
    f->envp[1] = "ANSWER=42";
    f->spec.file = "env";
    run(f, NULL);
    wait_for(f, 3);
    assert_string_equal(output(f), "PATH=/usr/local/bin:/usr/bin:/bin\nANSWER=42\n");
}

static void a_child_gets_only_the_descriptors_given_and_in_order(void **state)
{
    struct fixture *f = *state;
    int a[2], b[2], leak = open("/dev/null", O_RDONLY); /* without close-on-exec */
    int fds[2];
    char got[2];

    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    fds[0] = b[1]; /* the higher number first: source and target overlap */
    fds[1] = a[1];
    f->spec.fds = fds;
    f->spec.nfds = 2;
    run(f, "printf b >&3; printf a >&4; ls /proc/$$/fd; :");
    wait_for(f, 3);
    assert_string_equal(output(f), "0\n1\n2\n3\n4\n");
    assert_int_equal(read(b[0], got, 1), 1);
    assert_int_equal(read(a[0], got + 1, 1), 1);
    assert_memory_equal(got, "ba", 2);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
    close(leak);
}

static void listen_fds_and_pid_are_those_of_the_child(void **state)
{
    struct fixture *f = *state;

    f->envp[1] = "LISTEN_PID=1";
    f->spec.fds = f->out;
    f->spec.nfds = 2;
    f->spec.listen_fds = true;
    run(f, "[ \"$LISTEN_PID\" = $$ ] && echo \"$LISTEN_FDS\"");
    wait_for(f, 3);
    assert_string_equal(output(f), "2\n");
}

static void signals_are_default_and_unblocked_in_the_child(void **state)
{
    struct fixture *f = *state;
    sigset_t set;

    km_signals_ignore();
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &set, NULL);
    run(f, "kill -PIPE $$; echo survived");
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    wait_for(f, 3);
    assert_true(WIFSIGNALED(f->statuses[2]));
    assert_int_equal(WTERMSIG(f->statuses[2]), SIGPIPE);
}

static void a_child_leads_a_session_in_its_folder(void **state)
{
    struct fixture *f = *state;

    f->spec.cwd = "/proc";
    run(f, "pwd; cut -d' ' -f6 /proc/$$/stat | grep -qx $$ && echo leader");
    wait_for(f, 3);
    assert_string_equal(output(f), "/proc\nleader\n");
}

static void what_cannot_be_run_is_an_error_of_start(void **state)
{
    struct fixture *f = *state;
    struct km_err err;

    f->spec.file = "no-such-program-here";
    make(f, "");
    assert_int_equal(km_child_start(f->child, &err), KM_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "no-such-program-here"));
    assert_int_equal(km_child_state(f->child), KM_CHILD_STOPPED);
    km_child_free(f->child);
    f->spec.file = "/proc/version"; /* is there, but no program */
    make(f, "");
    assert_int_equal(km_child_start(f->child, &err), KM_E_SYSTEM);
    assert_string_equal(err.text, "cannot run '/proc/version': Permission denied");
    km_child_free(f->child);
    f->spec.file = "sh";
    f->spec.cwd = "/no/such/folder";
    make(f, "");
    assert_int_equal(km_child_start(f->child, &err), KM_E_SYSTEM);
    assert_int_equal(f->n, 0);
}

static void a_second_start_is_refused(void **state)
{
    struct fixture *f = *state;
    struct km_err err;

    run(f, "exec sleep 100");
    assert_int_equal(km_child_start(f->child, &err), KM_E_EXISTS);
    assert_string_equal(err.text, "'sh' is ready");
}

static void stop_sends_term_and_does_not_restart(void **state)
{
    struct fixture *f = *state;

    f->spec.restart = true;
    run(f, "exec sleep 100");
    wait_for(f, 2);
    km_child_stop(f->child);
    km_child_stop(f->child);
    wait_for(f, 4);
    assert_int_equal(f->states[2], KM_CHILD_STOPPING);
    assert_int_equal(f->states[3], KM_CHILD_STOPPED);
    assert_int_equal(WTERMSIG(f->statuses[3]), SIGTERM);
    assert_int_equal(f->n, 4);
}

static void a_child_that_ignores_term_is_killed_with_its_group(void **state)
{
    struct fixture *f = *state;
    char ready[6];

    f->spec.stop_ms = 50;
    run(f, "trap '' TERM; sleep 100 & echo ready; while :; do sleep 100; done");
    assert_int_equal(read(f->out[0], ready, sizeof ready), 6);
    wait_for(f, 2);
    km_child_stop(f->child);
    wait_for(f, 4);
    assert_int_equal(WTERMSIG(f->statuses[3]), SIGKILL);
    assert_true(f->at_ms[3] - f->at_ms[2] >= 40);
    assert_string_equal(output(f), ""); /* ends: nobody holds the pipe any more */
}

static void on_again(void *ctx)
{
    struct fixture *f = ctx;

    if (km_child_start(f->child, NULL) == KM_E_AGAIN)
        km_timer_start(&f->again, 5);
}

static void a_bound_counts_processes_until_they_are_gone(void **state)
{
    struct fixture *f = *state;
    _Atomic unsigned living = 0;
    struct km_child *first;
    struct km_err err;
    char ready[6];

    f->spec.living = &living;
    f->spec.most = 1;
    run(f, "trap '' TERM; echo ready; while :; do sleep 100; done");
    assert_int_equal(read(f->out[0], ready, sizeof ready), 6);
    first = f->child;
    assert_int_equal(living, 1);
    make(f, "exit 3");
    assert_int_equal(km_child_start(f->child, &err), KM_E_AGAIN);
    km_child_leave(first, 30); /* nobody has it any more, and it is still there */
    assert_int_equal(km_child_start(f->child, &err), KM_E_AGAIN);
    km_timer_init(&f->again, f->loop, on_again, f);
    km_timer_start(&f->again, 5);
    wait_for(f, 3);
    assert_int_equal(WEXITSTATUS(f->statuses[2]), 3);
    assert_int_equal(living, 0);
}

static void an_end_not_asked_for_restarts_after_growing_delays(void **state)
{
    static const enum km_child_state cycle[] = { KM_CHILD_STARTING, KM_CHILD_READY,
                                                 KM_CHILD_BACKOFF };
    struct fixture *f = *state;

    f->spec.restart = true;
    run(f, "exit 3");
    wait_for(f, 9);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(f->states[i], cycle[i % 3]);
    assert_int_equal(WEXITSTATUS(f->statuses[2]), 3);
    assert_true(f->at_ms[3] - f->at_ms[2] >= 95);
    assert_true(f->at_ms[6] - f->at_ms[5] >= 195);
    km_child_stop(f->child);
    wait_for(f, 10);
    assert_int_equal(f->states[9], KM_CHILD_STOPPED);
}

static void ready_is_what_the_owner_says(void **state)
{
    struct fixture *f = *state;

    f->spec.ready_ms = 60000;
    run(f, "exec sleep 100");
    wait_for(f, 1);
    assert_int_equal(km_child_state(f->child), KM_CHILD_STARTING);
    km_child_ready(f->child);
    km_child_ready(f->child);
    wait_for(f, 2);
    assert_int_equal(f->states[1], KM_CHILD_READY);
    km_child_signal(f->child, SIGTERM);
    wait_for(f, 3);
    assert_int_equal(f->states[2], KM_CHILD_STOPPED);
}

static void a_child_that_is_never_ready_is_a_failure(void **state)
{
    struct fixture *f = *state;

    f->spec.ready_ms = 30;
    f->spec.stop_ms = 30;
    f->spec.restart = true;
    run(f, "trap '' TERM; while :; do sleep 100; done");
    wait_for(f, 2);
    assert_int_equal(f->states[0], KM_CHILD_STARTING);
    assert_int_equal(f->states[1], KM_CHILD_BACKOFF);
    assert_int_equal(WTERMSIG(f->statuses[1]), SIGKILL);
}

static void freeing_a_running_child_kills_it(void **state)
{
    struct fixture *f = *state;

    run(f, "sleep 100 & while :; do sleep 100; done");
    wait_for(f, 2);
    f->child = km_child_free(f->child);
    assert_null(f->child);
    assert_string_equal(output(f), "");
}

static void a_callback_may_free_the_child(void **state)
{
    struct fixture *f = *state;
    static const enum km_child_state at[] = { KM_CHILD_STARTING, KM_CHILD_READY, KM_CHILD_STOPPED };

    f->frees = true;
    for (size_t i = 0; i < 3; i++) {
        f->free_at = at[i];
        f->n = 0;
        run(f, "exit 0");
        wait_for(f, i + 1);
        assert_int_equal(f->n, i + 1); /* and hears nothing more */
        assert_null(f->child);
    }
}

static void freeing_leaves_no_zombie(void **state)
{
    struct fixture *f = *state;
    struct fixture *second = f;
    pid_t pid;

    run(f, "exec sleep 100");
    pid = km_child_pid(f->child);
    f->child = km_child_free(f->child);
    /* Another child's life gives the loop time to see the first one's end. */
    f->n = 0;
    run(second, "sleep 0.1");
    wait_for(second, 3);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_child_starts_is_ready_and_ends_with_its_status),
        CASE(a_child_gets_only_the_environment_given),
        CASE(a_child_gets_only_the_descriptors_given_and_in_order),
        CASE(listen_fds_and_pid_are_those_of_the_child),
        CASE(signals_are_default_and_unblocked_in_the_child),
        CASE(a_child_leads_a_session_in_its_folder),
        CASE(what_cannot_be_run_is_an_error_of_start),
        CASE(a_second_start_is_refused),
        CASE(stop_sends_term_and_does_not_restart),
        CASE(a_child_that_ignores_term_is_killed_with_its_group),
        CASE(a_bound_counts_processes_until_they_are_gone),
        CASE(an_end_not_asked_for_restarts_after_growing_delays),
        CASE(ready_is_what_the_owner_says),
        CASE(a_child_that_is_never_ready_is_a_failure),
        CASE(freeing_a_running_child_kills_it),
        CASE(a_callback_may_free_the_child),
        CASE(freeing_leaves_no_zombie),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
