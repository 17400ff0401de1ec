/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/sandbox.h"
#include "sys/seccomp.h"

static const struct km_sandbox_have all = { .landlock = 7, .seccomp = true, .bubblewrap = true };
static const struct km_sandbox_have debian = { .landlock = 2, .seccomp = true };
static const struct km_sandbox_have old = { .seccomp = true };
static const struct km_sandbox_have bare = { 0 };

static void what_is_missing_is_refused_where_it_is_required(void **state)
{
    static const struct {
        const struct km_sandbox_have *have;
        enum km_sandbox_mode mode;
        const char *missing; /* NULL: it may */
    } cases[] = {
        { &all, KM_SANDBOX_OFF, NULL },
        { &all, KM_SANDBOX_REQUIRED, NULL },
        { &all, KM_SANDBOX_BUBBLEWRAP, NULL },
        { &old, KM_SANDBOX_ON, NULL },
        { &old, KM_SANDBOX_REQUIRED, "Landlock" },
        { &old, KM_SANDBOX_BUBBLEWRAP, "bubblewrap" },
        { &bare, KM_SANDBOX_OFF, NULL },
        { &bare, KM_SANDBOX_ON, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_err err = { 0 };
        int r = km_sandbox_may(cases[i].have, cases[i].mode, &err);

        assert_int_equal(r, cases[i].missing ? KM_E_UNSUPPORTED : 0);
        if (cases[i].missing)
            assert_non_null(strstr(err.text, cases[i].missing));
    }
}

static void it_says_what_is_active_and_no_more(void **state)
{
    static const struct {
        const struct km_sandbox_have *have;
        enum km_sandbox_mode mode;
        const char *said;
    } cases[] = {
        { &all, KM_SANDBOX_OFF, "nothing" },
        { &all, KM_SANDBOX_ON, "Landlock 7, seccomp, no capabilities" },
        { &debian, KM_SANDBOX_REQUIRED,
          "Landlock 2 (keeps files, not signals), seccomp, no capabilities" },
        { &all, KM_SANDBOX_BUBBLEWRAP, "bubblewrap, seccomp, no capabilities" },
        { &old, KM_SANDBOX_ON, "seccomp, no capabilities" },
        { &old, KM_SANDBOX_BUBBLEWRAP, "nothing" },
        { &bare, KM_SANDBOX_ON, "no capabilities" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(256);

        km_sandbox_say(cases[i].have, cases[i].mode, &out);
        assert_int_equal(out.n, strlen(cases[i].said));
        assert_memory_equal(out.p, cases[i].said, out.n);
    }
}

static bool refused(long r)
{
    return r < 0 && errno == EPERM;
}

/* What went against what was expected, a bit each. */
static int try_all(bool network)
{
    int wrong = 0;

    wrong |= refused(ptrace(PTRACE_TRACEME, 0, NULL, NULL)) ? 0 : 1;
    wrong |= refused(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) == !network ? 0 : 2;
    wrong |= refused(socket(AF_INET6, SOCK_DGRAM, 0)) == !network ? 0 : 4;
    wrong |= refused(socket(AF_INET, SOCK_RAW, 1)) ? 0 : 8;
    wrong |= refused(socket(AF_UNIX, SOCK_STREAM, 0)) ? 0 : 16;
    wrong |= refused(socket(AF_NETLINK, SOCK_RAW, 0)) ? 32 : 0; /* interfaces */
    wrong |= refused(socket(AF_NETLINK, SOCK_RAW, 12)) ? 0 : 64; /* the firewall */
    return wrong;
}

static void the_filter_refuses_what_it_is_to_and_nothing_else(void **state)
{
    (void)state;
    if (!km_seccomp_here())
        skip();
    for (int network = 0; network < 2; network++) {
        struct sock_filter program[KM_SECCOMP_MOST];
        const size_t n = km_seccomp_program(program, network == 1);
        pid_t pid = fork();
        int status;

        if (pid == 0)
            _exit(km_seccomp_enter(program, n) < 0 ? 255 : try_all(network == 1));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_refused_where_it_is_required),
        cmocka_unit_test(it_says_what_is_active_and_no_more),
        cmocka_unit_test(the_filter_refuses_what_it_is_to_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
