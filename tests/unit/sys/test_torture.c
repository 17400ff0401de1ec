/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <unistd.h>

#include "sys/dns.h"
#include "sys/listener.h"
#include "sys/mailbox.h"
#include "sys/signals.h"
#include "sys/supervise.h"
#include "torture.h"

static void on_signal(void *ctx, int signum)
{
    (void)ctx;
    (void)signum;
}

static void on_accept(void *ctx, int fd, const union km_addr *peer)
{
    (void)ctx;
    (void)peer;
    close(fd);
}

static int answers;

static void on_answer(void *ctx, const union km_addr *addrs, size_t n, const struct km_err *err)
{
    (void)ctx;
    (void)addrs;
    assert_int_equal(n == 0, err != NULL);
    answers++;
}

static void resolve(struct km_loop *loop)
{
    struct km_dns *dns = km_dns_new(loop, NULL);
    int asked = 0;

    answers = 0;
    if (!dns)
        return;
    if (km_dns_servers(dns, "127.0.0.1:9", NULL) < 0) {
        km_dns_free(dns);
        return;
    }
    asked += km_dns_resolve(dns, KM_STR("192.0.2.1"), 1, 1000, on_answer, NULL) != NULL;
    asked += km_dns_resolve(dns, KM_STR("a.test."), 1, 1000, on_answer, NULL) != NULL;
    asked += km_dns_resolve(dns, KM_STR("a.test."), 1, 1000, on_answer, NULL) != NULL;
    km_dns_free(dns);
    assert_int_equal(answers, asked);
}

static void listen_and_accept(struct km_loop *loop)
{
    union km_addr any;
    int fd;

    assert_int_equal(km_addr_parse(KM_STR("127.0.0.1"), 0, &any), 0);
    assert_int_equal(km_listen(&any, 1, 8, &fd, NULL), 0);
    km_acceptor_free(km_acceptor_new(loop, fd, on_accept, NULL, NULL, NULL));
    close(fd);
}

static void on_state(void *ctx, struct km_child *child, enum km_child_state state, int status)
{
    (void)ctx;
    (void)child;
    (void)state;
    (void)status;
}

static void supervise(struct km_loop *loop)
{
    const char *const argv[] = { "true", NULL }, *const envp[] = { "A=b", NULL };
    const int fds[] = { 0, 1 };
    const struct km_child_spec spec = { .file = "/bin/true",
                                        .argv = argv,
                                        .envp = envp,
                                        .fds = fds,
                                        .nfds = 2,
                                        .stdin_fd = -1,
                                        .stdout_fd = -1,
                                        .stderr_fd = -1,
                                        .listen_fds = true };
    struct km_child *c = km_child_new(loop, &spec, on_state, NULL, NULL);

    if (c && km_child_start(c, NULL) == 0)
        assert_true(km_child_pid(c) > 0);
    km_child_free(c);
}

static void life(void)
{
    struct km_err err = { .code = 0 };
    struct km_loop *loop = km_loop_new(&err);

    if (!loop) {
        assert_int_equal(err.code, KM_E_NOMEM);
        return;
    }
    km_mailbox_free(km_mailbox_new(loop, NULL, NULL));
    km_signal_free(km_signal_new(loop, SIGUSR1, on_signal, NULL, NULL));
    resolve(loop);
    listen_and_accept(loop);
    supervise(loop);
    km_loop_free(loop);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(km_torture(life) >= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
