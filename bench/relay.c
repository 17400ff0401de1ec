/* SPDX-License-Identifier: Apache-2.0 */
/* relay.c - the least that standing in between can cost: bytes in, the same bytes out.
 *
 *     bench_relay --target 127.0.0.1:PORT      prints "port N" when it listens
 *
 * Each client has an upstream connection of its own.  A direction costs a wake-up, one recv() and
 * one send(); nothing is parsed, kept, checked or written down.  What it uses is the kernel's
 * price of two connections in place of one, so that the rest of a gateway's figure is its own.
 *
 * It is no proxy: what the other side does not take at once ends the pair.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 256, READ_MAX = 65536 };

struct end {
    int fd;
    struct end *other;
    struct end *next_dead;
    bool dead;
};

static struct {
    int epoll, listener;
    struct sockaddr_in target;
    struct end *dead; /* freed at the end of the batch: an event may still name them */
    char bytes[READ_MAX];
} relay;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void bury(struct end *e)
{
    close(e->fd);
    e->dead = true;
    e->next_dead = relay.dead;
    relay.dead = e;
}

static void watch(int fd, void *mark)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = mark };

    epoll_ctl(relay.epoll, EPOLL_CTL_ADD, fd, &ev);
}

static void on_accept(void)
{
    int client = accept4(relay.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct end *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);

    if (client < 0 || server < 0 || !a || !b ||
        connect(server, (struct sockaddr *)&relay.target, sizeof relay.target) < 0)
        fail("a pair");
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    *a = (struct end){ .fd = client, .other = b };
    *b = (struct end){ .fd = server, .other = a };
    watch(client, a);
    watch(server, b);
}

static void on_readable(struct end *e)
{
    ssize_t n = recv(e->fd, relay.bytes, sizeof relay.bytes, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0 && send(e->other->fd, relay.bytes, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) == n)
        return;
    bury(e->other);
    bury(e);
}

static void run(void)
{
    struct epoll_event ev[BATCH];

    for (;;) {
        int n = epoll_wait(relay.epoll, ev, BATCH, -1);

        for (int i = 0; i < n; i++) {
            struct end *e = ev[i].data.ptr;

            if (!e)
                on_accept();
            else if (!e->dead)
                on_readable(e);
        }
        while (relay.dead) {
            struct end *e = relay.dead;

            relay.dead = e->next_dead;
            free(e);
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const char *colon = argc == 3 && !strcmp(argv[1], "--target") ? strchr(argv[2], ':') : NULL;
    socklen_t len = sizeof sa;

    if (!colon) {
        fprintf(stderr, "usage: bench_relay --target 127.0.0.1:PORT\n");
        return 2;
    }
    relay.target = sa;
    relay.target.sin_port = htons((uint16_t)atoi(colon + 1));
    relay.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(relay.listener, (struct sockaddr *)&sa, sizeof sa) < 0 ||
        listen(relay.listener, 4096) < 0)
        fail("listen");
    getsockname(relay.listener, (struct sockaddr *)&sa, &len);
    relay.epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(relay.listener, NULL);
    printf("port %d\n", ntohs(sa.sin_port));
    fflush(stdout);
    run();
}
