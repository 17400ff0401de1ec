/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/shim.h"

/* This program run again is the shim: see main(). */
struct shim {
    pid_t pid;
    int in, out; /* our ends of the command's stdin and stdout */
    int liveness; /* our end: closing it ends everything */
};

/* options: up to four words before "--". */
static void start(struct shim *s, const char *const *options, const char *script)
{
    int in[2], out[2], liveness[2];

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(liveness, O_CLOEXEC), 0);
    s->pid = fork();
    if (s->pid == 0) {
        const char *argv[12] = { "kanmon", "--shim", "3" };
        int n = 3;

        for (int i = 0; options && options[i]; i++)
            argv[n++] = options[i];
        argv[n++] = "--";
        argv[n++] = "sh";
        argv[n++] = "-c";
        argv[n++] = script;
        in[0] = fcntl(in[0], F_DUPFD, 50);
        out[1] = fcntl(out[1], F_DUPFD, 50);
        liveness[0] = fcntl(liveness[0], F_DUPFD, 50);
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(liveness[0], 3);
        execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
        _exit(99);
    }
    close(in[0]);
    close(out[1]);
    close(liveness[0]);
    s->in = in[1];
    s->out = out[0];
    s->liveness = liveness[1];
}

static int exit_status(struct shim *s)
{
    int status;

    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void close_ends(struct shim *s)
{
    close(s->in);
    close(s->out);
    close(s->liveness);
}

/* Reads to the end, which comes when nobody of the command's tree is left. */
static const char *output(struct shim *s)
{
    static char text[4096];
    size_t n = 0;
    ssize_t r;

    while ((r = read(s->out, text + n, sizeof text - 1 - n)) > 0)
        n += (size_t)r;
    text[n] = '\0';
    return text;
}

static void read_ready(struct shim *s)
{
    char byte;

    assert_int_equal(read(s->out, &byte, 1), 1);
    assert_int_equal(byte, 'r');
}

static void the_commands_status_is_the_shims(void **state)
{
    static const struct {
        const char *script;
        int status;
    } cases[] = {
        { "exit 0", 0 },
        { "exit 7", 7 },
        { "kill -KILL $$", 128 + SIGKILL },
        { "kill -SEGV $$", 128 + SIGSEGV },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct shim s;

        start(&s, NULL, cases[i].script);
        assert_int_equal(exit_status(&s), cases[i].status);
        close_ends(&s);
    }
}

static void the_commands_input_and_output_are_direct(void **state)
{
    struct shim s;

    (void)state;
    start(&s, NULL, "cat");
    assert_int_equal(write(s.in, "through", 7), 7);
    close(s.in);
    assert_string_equal(output(&s), "through");
    assert_int_equal(exit_status(&s), 0);
    close(s.out);
    close(s.liveness);
}

static void the_command_has_only_its_three_descriptors(void **state)
{
    struct shim s;

    (void)state;
    start(&s, NULL, "ls /proc/$$/fd; :");
    assert_string_equal(output(&s), "0\n1\n2\n");
    assert_int_equal(exit_status(&s), 0);
    close_ends(&s);
}

/* A tree with a daemon in a session of its own whose parent has gone. */
#define TREE                                                                                       \
    "trap '' TERM;"                                                                                \
    "(setsid sh -c \"trap '' TERM HUP; while :; do sleep 100; done\" &) ;"                         \
    "sh -c 'sh -c \"while :; do sleep 100; done\" & wait' & "

static void the_end_of_the_pipe_ends_the_whole_tree(void **state)
{
    const char *const options[] = { "--leave-ms", "0", "--term-ms", "50", NULL };
    struct shim s;

    (void)state;
    start(&s, options, TREE "printf r; while :; do sleep 100; done");
    read_ready(&s);
    close(s.liveness);
    assert_string_equal(output(&s), "");
    assert_int_equal(exit_status(&s), 128 + SIGKILL);
    close(s.in);
    close(s.out);
}

static void the_end_of_the_command_ends_what_it_left_behind(void **state)
{
    const char *const options[] = { "--term-ms", "50", NULL };
    struct shim s;

    (void)state;
    start(&s, options, TREE "printf r; exit 5");
    read_ready(&s);
    assert_string_equal(output(&s), "");
    assert_int_equal(exit_status(&s), 5);
    close_ends(&s);
}

/* It is not hurried while it reads what it was sent last. */
static void a_command_may_end_by_the_end_of_its_input(void **state)
{
    struct shim s;

    (void)state;
    start(&s, NULL, "trap 'exit 9' TERM; printf r; read x; sleep 0.1; printf $x; exit 3");
    read_ready(&s);
    assert_int_equal(write(s.in, "last\n", 5), 5);
    close(s.in);
    close(s.liveness);
    assert_string_equal(output(&s), "last");
    assert_int_equal(exit_status(&s), 3);
    close(s.out);
}

static void a_polite_command_ends_by_term(void **state)
{
    const char *const options[] = { "--leave-ms", "50", NULL };
    struct shim s;

    (void)state;
    start(&s, options, "trap 'printf bye; exit 9' TERM; printf r; while :; do sleep 0.05; done");
    read_ready(&s);
    close(s.liveness);
    assert_string_equal(output(&s), "bye");
    assert_int_equal(exit_status(&s), 9);
    close(s.in);
    close(s.out);
}

static void term_to_the_shim_is_the_end_too(void **state)
{
    struct shim s;

    (void)state;
    start(&s, NULL, "printf r; exec sleep 100");
    read_ready(&s);
    kill(s.pid, SIGTERM);
    assert_int_equal(exit_status(&s), 128 + SIGTERM);
    close_ends(&s);
}

static void a_stopped_command_ends_as_well(void **state)
{
    const char *const options[] = { "--leave-ms", "50", NULL };
    struct shim s;

    (void)state;
    start(&s, options, "printf r; kill -STOP $$; exec sleep 100");
    read_ready(&s);
    close(s.liveness);
    assert_int_equal(exit_status(&s), 128 + SIGTERM);
    close(s.in);
    close(s.out);
}

/* The gateway's place is taken by a process that is killed without a chance to say so. */
static void a_killed_owner_takes_the_tree_with_it(void **state)
{
    struct pollfd end = { .events = POLLIN };
    int report[2];
    struct shim s;
    pid_t owner;

    (void)state;
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    owner = fork();
    if (owner == 0) {
        const char *const options[] = { "--leave-ms", "0", "--term-ms", "50", NULL };

        start(&s, options, TREE "printf r; while :; do sleep 100; done");
        read_ready(&s);
        dup2(s.out, 60);
        if (write(report[1], &s.pid, sizeof s.pid) != sizeof s.pid)
            _exit(1);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(owner, NULL, 0), owner);
    assert_int_equal(read(report[0], &s.pid, sizeof s.pid), sizeof s.pid);
    /* Not our child: a descriptor of it says when it ends; without one it has been reaped. */
    end.fd = (int)syscall(SYS_pidfd_open, s.pid, 0);
    assert_true(end.fd >= 0 || errno == ESRCH);
    if (end.fd >= 0) {
        assert_int_equal(poll(&end, 1, 10000), 1);
        close(end.fd);
    }
    close(report[0]);
    close(report[1]);
}

static void limits_hold_for_the_command(void **state)
{
    const char *const options[] = { "--limit", "nofile=17", "--limit", "core=0", NULL };
    struct shim s;

    (void)state;
    start(&s, options, "ulimit -n; ulimit -Hn");
    assert_string_equal(output(&s), "17\n17\n");
    assert_int_equal(exit_status(&s), 0);
    close_ends(&s);
}

static int shim_with(int argc, char **argv)
{
    pid_t pid = fork();
    int status, liveness[2];

    if (pid == 0) {
        assert_int_equal(pipe(liveness), 0);
        dup2(fcntl(liveness[0], F_DUPFD, 10), 3);
        fcntl(liveness[1], F_DUPFD, 10); /* stays open: the owner lives */
        dup2(open("/dev/null", O_RDWR), 2);
        _exit(km_shim_main(argc, argv));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define SHIM(...)                                                                                  \
    shim_with((int)(sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *)),                           \
              (char *[]){ __VA_ARGS__, NULL })

static void bad_arguments_and_commands_have_their_own_status(void **state)
{
    (void)state;
    assert_int_equal(SHIM("kanmon", "--shim"), 125);
    assert_int_equal(SHIM("kanmon", "--shim", "x", "--", "true"), 125);
    assert_int_equal(SHIM("kanmon", "--shim", "3", "--"), 125);
    assert_int_equal(SHIM("kanmon", "--shim", "77", "--", "true"), 125);
    assert_int_equal(SHIM("kanmon", "--shim", "3", "--limit", "x=1", "--", "true"), 125);
    assert_int_equal(SHIM("kanmon", "--shim", "3", "--limit", "cpu=x", "--", "true"), 125);
    assert_int_equal(SHIM("kanmon", "--shim", "3", "--what", "1", "--", "true"), 125);
    assert_int_equal(SHIM("kanmon", "--shim", "3", "--", "/no/such/command"), 127);
    assert_int_equal(SHIM("kanmon", "--shim", "3", "--", "/proc/version"), 126);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_commands_status_is_the_shims),
        cmocka_unit_test(the_commands_input_and_output_are_direct),
        cmocka_unit_test(the_command_has_only_its_three_descriptors),
        cmocka_unit_test(the_end_of_the_pipe_ends_the_whole_tree),
        cmocka_unit_test(the_end_of_the_command_ends_what_it_left_behind),
        cmocka_unit_test(a_command_may_end_by_the_end_of_its_input),
        cmocka_unit_test(a_polite_command_ends_by_term),
        cmocka_unit_test(term_to_the_shim_is_the_end_too),
        cmocka_unit_test(a_stopped_command_ends_as_well),
        cmocka_unit_test(a_killed_owner_takes_the_tree_with_it),
        cmocka_unit_test(limits_hold_for_the_command),
        cmocka_unit_test(bad_arguments_and_commands_have_their_own_status),
    };

    if (argc > 1 && strcmp(argv[1], "--shim") == 0)
        return km_shim_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
