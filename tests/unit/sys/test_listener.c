/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/listener.h"

static union km_addr loopback(uint16_t port)
{
    union km_addr a;

    assert_int_equal(km_addr_parse(KM_STR("127.0.0.1"), port, &a), 0);
    return a;
}

static union km_addr address_of(int fd)
{
    union km_addr a;

    assert_int_equal(km_listen_address(fd, &a, NULL), 0);
    return a;
}

static int connect_to(const union km_addr *a)
{
    int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &a->sa, km_addr_len(a)), 0);
    return fd;
}

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

static void port_zero_is_resolved_once_and_shared(void **state)
{
    union km_addr any = loopback(0), first;
    int fds[4];

    (void)state;
    assert_int_equal(km_listen(&any, 4, 16, fds, NULL), 0);
    first = address_of(fds[0]);
    assert_int_not_equal(first.in.sin_port, 0);
    for (int i = 1; i < 4; i++)
        assert_int_equal(address_of(fds[i]).in.sin_port, first.in.sin_port);
    assert_true(fcntl(fds[3], F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(fds[3], F_GETFL) & O_NONBLOCK);
    close_all(fds, 4);
}

static void a_port_that_is_taken_names_its_holder(void **state)
{
    union km_addr any = loopback(0), taken;
    char expected[32];
    struct km_err err;
    int fds[2], more[2];

    (void)state;
    assert_int_equal(km_listen(&any, 2, 16, fds, NULL), 0);
    taken = address_of(fds[0]);
    assert_int_equal(km_listen(&taken, 1, 16, more, &err), KM_E_EXISTS);
    snprintf(expected, sizeof expected, "taken by pid %d (", (int)getpid());
    assert_non_null(strstr(err.text, expected));
    assert_non_null(strstr(err.text, "127.0.0.1:"));
    close_all(fds, 2);
    assert_int_equal(km_listen(&taken, 2, 16, more, &err), 0); /* free again at once */
    close_all(more, 2);
}

static void a_joined_socket_queues_nothing_before_it_is_asked_to(void **state)
{
    union km_addr any = loopback(0), addr;
    int fds[1], more, client;
    struct km_err err;

    (void)state;
    assert_int_equal(km_listen(&any, 1, 16, fds, NULL), 0);
    addr = address_of(fds[0]);
    assert_int_equal(km_listen_join(&addr, &more, NULL), 0);
    assert_int_equal(address_of(more).in.sin_port, addr.in.sin_port);
    /* Whoever comes now comes to the first one: after it is closed, nobody is there. */
    close(fds[0]);
    client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, &addr.sa, km_addr_len(&addr)), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(client);
    assert_int_equal(km_listen_begin(more, 16, &err), 0);
    assert_int_equal(km_listen_begin(more, 32, &err), 0); /* again: no harm */
    client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, &addr.sa, km_addr_len(&addr)), 0);
    close(client);
    close(more);
}

static void the_holder_is_seen_through_wildcard_addresses(void **state)
{
    union km_addr any, exact;
    char holder[64], expected[32];
    int fd;

    (void)state;
    assert_int_equal(km_addr_parse(KM_STR("0.0.0.0"), 0, &any), 0);
    assert_int_equal(km_listen(&any, 1, 16, &fd, NULL), 0);
    exact = loopback(ntohs(address_of(fd).in.sin_port));
    snprintf(expected, sizeof expected, "pid %d (", (int)getpid());
    assert_true(km_port_holder(&exact, holder, sizeof holder));
    assert_memory_equal(holder, expected, strlen(expected));
    close(fd);
    assert_false(km_port_holder(&exact, holder, sizeof holder));
}

static void ipv6_has_its_holder_too(void **state)
{
    union km_addr any;
    char holder[64];
    int fd;

    (void)state;
    assert_int_equal(km_addr_parse(KM_STR("::1"), 0, &any), 0);
    if (km_listen(&any, 1, 16, &fd, NULL) < 0)
        skip(); /* a machine without IPv6 */
    any = address_of(fd);
    assert_true(km_port_holder(&any, holder, sizeof holder));
    close(fd);
}

static void an_address_of_another_machine_is_refused(void **state)
{
    union km_addr foreign;
    struct km_err err;
    int fd;

    (void)state;
    assert_int_equal(km_addr_parse(KM_STR("192.0.2.1"), 0, &foreign), 0);
    assert_int_equal(km_listen(&foreign, 1, 16, &fd, &err), KM_E_INVALID);
    assert_non_null(strstr(err.text, "no such address"));
    assert_int_equal(km_listen(&foreign, 0, 16, &fd, &err), KM_E_LIMIT);
    assert_int_equal(km_listen(&foreign, KM_LISTEN_MAX + 1, 16, &fd, &err), KM_E_LIMIT);
}

/* In a process of its own: it moves descriptors to 3 and on and sets its environment. */
static int in_a_child(int (*body)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void announce(int count)
{
    char text[32];

    snprintf(text, sizeof text, "%d", (int)getpid());
    setenv("LISTEN_PID", text, 1);
    snprintf(text, sizeof text, "%d", count);
    setenv("LISTEN_FDS", text, 1);
}

static int inherit_two(void)
{
    union km_addr any = loopback(0);
    int fds[2], got[8];
    size_t n = 99;

    if (km_listen(&any, 2, 16, fds, NULL) < 0)
        return 1;
    for (int i = 0; i < 2; i++)
        fds[i] = fcntl(fds[i], F_DUPFD, 100);
    dup2(fds[0], 3);
    dup2(fds[1], 4);
    announce(2);
    if (km_listen_inherited(got, 8, &n, NULL) < 0 || n != 2 || got[0] != 3 || got[1] != 4)
        return 2;
    if (!(fcntl(3, F_GETFD) & FD_CLOEXEC) || getenv("LISTEN_FDS") || getenv("LISTEN_PID"))
        return 3;
    return km_listen_inherited(got, 8, &n, NULL) < 0 || n != 0 ? 4 : 0;
}

static int inherit_what_is_no_socket(void)
{
    int fd = open("/dev/null", O_RDONLY), got[8];
    struct km_err err;
    size_t n = 99;

    dup2(fd, 3);
    announce(1);
    return km_listen_inherited(got, 8, &n, &err) == KM_E_INVALID && n == 99 ? 0 : 1;
}

static int inherit_one_that_will_listen(void)
{
    union km_addr any = loopback(0), addr;
    int fds[1], joined, got[8];
    size_t n = 0;

    if (km_listen(&any, 1, 16, fds, NULL) < 0)
        return 1;
    addr = address_of(fds[0]);
    if (km_listen_join(&addr, &joined, NULL) < 0)
        return 2;
    dup2(joined, 3);
    announce(1);
    return km_listen_inherited(got, 8, &n, NULL) == 0 && n == 1 ? 0 : 3;
}

static int inherit_a_connection(void)
{
    int ends[2], got[8];
    size_t n = 99;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        return 1;
    dup2(ends[0], 3);
    announce(1);
    return km_listen_inherited(got, 8, &n, NULL) == KM_E_INVALID && n == 99 ? 0 : 2;
}

static int inherit_too_many(void)
{
    int got[1];
    size_t n;

    announce(2);
    return km_listen_inherited(got, 1, &n, NULL) == KM_E_LIMIT ? 0 : 1;
}

static int inherit_what_is_for_another(void)
{
    int got[1];
    size_t n = 99;

    setenv("LISTEN_PID", "1", 1);
    setenv("LISTEN_FDS", "1", 1);
    return km_listen_inherited(got, 1, &n, NULL) == 0 && n == 0 ? 0 : 1;
}

static void sockets_are_inherited_as_systemd_passes_them(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(inherit_two), 0);
    assert_int_equal(in_a_child(inherit_what_is_no_socket), 0);
    assert_int_equal(in_a_child(inherit_one_that_will_listen), 0);
    assert_int_equal(in_a_child(inherit_a_connection), 0);
    assert_int_equal(in_a_child(inherit_too_many), 0);
    assert_int_equal(in_a_child(inherit_what_is_for_another), 0);
}

struct server {
    struct km_loop *loop;
    struct km_acceptor *acceptor;
    int accepted[64];
    size_t n, wanted;
    int full;
    bool leave; /* free the acceptor at the first connection */
    bool pause;
    union km_addr peer;
};

static void on_accept(void *ctx, int fd, const union km_addr *peer)
{
    struct server *s = ctx;

    s->accepted[s->n++] = fd;
    s->peer = *peer;
    if (s->leave)
        s->acceptor = km_acceptor_free(s->acceptor);
    else if (s->pause)
        km_acceptor_pause(s->acceptor);
    if (s->n >= s->wanted)
        km_loop_stop(s->loop);
}

static void on_full(void *ctx)
{
    struct server *s = ctx;

    s->full++;
    km_loop_stop(s->loop);
}

static void open_server(struct server *s, int *ret_fd)
{
    union km_addr any = loopback(0);

    s->loop = km_loop_new(NULL);
    assert_int_equal(km_listen(&any, 1, 64, ret_fd, NULL), 0);
    s->acceptor = km_acceptor_new(s->loop, *ret_fd, on_accept, on_full, s, NULL);
    assert_non_null(s->acceptor);
}

static void close_server(struct server *s, int fd)
{
    assert_null(km_acceptor_free(s->acceptor));
    km_loop_free(s->loop);
    close_all(s->accepted, s->n);
    close(fd);
}

static void connections_arrive_with_their_peer(void **state)
{
    struct server s = { .wanted = 3 };
    int fd, clients[3];
    union km_addr a, mine;
    socklen_t len = sizeof mine;

    (void)state;
    open_server(&s, &fd);
    a = address_of(fd);
    for (int i = 0; i < 3; i++)
        clients[i] = connect_to(&a);
    km_loop_run(s.loop);
    assert_int_equal(s.n, 3);
    assert_true(fcntl(s.accepted[0], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(s.accepted[0], F_GETFD) & FD_CLOEXEC);
    memset(&mine, 0, sizeof mine);
    assert_int_equal(getsockname(clients[2], &mine.sa, &len), 0);
    assert_int_equal(s.peer.in.sin_port, mine.in.sin_port);
    close_all(clients, 3);
    close_server(&s, fd);
}

static void a_paused_acceptor_leaves_connections_in_the_queue(void **state)
{
    struct server s = { .wanted = 1, .pause = true };
    int fd, clients[2];
    union km_addr a;

    (void)state;
    open_server(&s, &fd);
    a = address_of(fd);
    clients[0] = connect_to(&a);
    clients[1] = connect_to(&a);
    km_loop_run(s.loop);
    assert_int_equal(s.n, 1);
    s.pause = false;
    s.wanted = 2;
    km_acceptor_resume(s.acceptor);
    km_loop_run(s.loop);
    assert_int_equal(s.n, 2);
    close_all(clients, 2);
    close_server(&s, fd);
}

static void an_acceptor_may_be_freed_by_its_own_callback(void **state)
{
    struct server s = { .wanted = 1, .leave = true };
    int fd, clients[2];
    union km_addr a;

    (void)state;
    open_server(&s, &fd);
    a = address_of(fd);
    clients[0] = connect_to(&a);
    clients[1] = connect_to(&a);
    km_loop_run(s.loop);
    assert_int_equal(s.n, 1);
    close_all(clients, 2);
    close_server(&s, fd);
}

/* Lowers the limit to what is open, so that the next descriptor does not exist. */
static struct rlimit exhaust(void)
{
    struct rlimit before, now;
    int probe = dup(0);

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    close(probe);
    now = before;
    now.rlim_cur = (rlim_t)probe;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return before;
}

static void without_descriptors_a_client_is_turned_away_not_left_hanging(void **state)
{
    struct server s = { .wanted = 1 };
    struct rlimit before;
    int fd, clients[2];
    union km_addr a;
    char byte;

    (void)state;
    open_server(&s, &fd);
    a = address_of(fd);
    clients[0] = connect_to(&a);
    clients[1] = connect_to(&a);
    before = exhaust();
    km_loop_run(s.loop);
    assert_int_equal(s.n, 0);
    assert_int_equal(s.full, 1);
    assert_true(read(clients[0], &byte, 1) <= 0); /* returns: the connection is closed */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    close_all(clients, 2);
    clients[0] = connect_to(&a);
    s.wanted = 1;
    km_loop_run(s.loop);
    assert_true(s.n >= 1); /* and goes on as before */
    close(clients[0]);
    close_server(&s, fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(port_zero_is_resolved_once_and_shared),
        cmocka_unit_test(a_port_that_is_taken_names_its_holder),
        cmocka_unit_test(a_joined_socket_queues_nothing_before_it_is_asked_to),
        cmocka_unit_test(the_holder_is_seen_through_wildcard_addresses),
        cmocka_unit_test(ipv6_has_its_holder_too),
        cmocka_unit_test(an_address_of_another_machine_is_refused),
        cmocka_unit_test(sockets_are_inherited_as_systemd_passes_them),
        cmocka_unit_test(connections_arrive_with_their_peer),
        cmocka_unit_test(a_paused_acceptor_leaves_connections_in_the_queue),
        cmocka_unit_test(an_acceptor_may_be_freed_by_its_own_callback),
        cmocka_unit_test(without_descriptors_a_client_is_turned_away_not_left_hanging),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
