/* SPDX-License-Identifier: Apache-2.0 */
/* mock.c - an upstream that costs almost nothing: OpenAI, Anthropic and Bedrock in one.
 *
 *     bench_mock [--host 127.0.0.1] [--port 0]      prints "port N" when it listens
 *
 *     POST .../chat/completions   answers as the prompt's script says (script.h)
 *     POST .../messages, .../converse, .../converse-stream   the same in other words (speak.h)
 *     GET  .../models             one model
 *     GET  /__stats               what it served, and when each tagged client left
 *     POST /__reset               sets the counts to zero
 *
 * One thread, one epoll, one read and one write a request.  A connection is either
 * reading a request or writing an answer; an answer that takes time (a stream, a delay)
 * has a timer in the wheel, and a stream paced by acknowledgement also moves when a
 * datagram with its tag comes.  While it answers it keeps reading, for that is how the
 * departure of the client is seen: the moment goes to the log of departures.
 *
 *     accept -> READING -> request complete -> reply at once ------------> READING
 *                                           -> STREAMING: head, event, event ... end
 *                                           -> delay -> either of the two
 *
 * What it counts is the other half of an exact check: the gateway's own account must
 * agree with it to the last call.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "mock.h"

enum { BATCH = 256, BODY_MAX = 1 << 22 };

struct mock mock;

static void on_body(void *ctx, const char *bytes, size_t len)
{
    struct conn *c = ctx;

    if (c->body_len + len > c->body_cap) {
        size_t cap = c->body_cap ? c->body_cap : 2048;
        char *grown;

        while (cap < c->body_len + len)
            cap *= 2;
        grown = cap <= BODY_MAX ? realloc(c->body, cap) : NULL;
        if (!grown)
            return; /* the script is at the front: a cut body still says what to do */
        c->body = grown;
        c->body_cap = cap;
    }
    memcpy(c->body + c->body_len, bytes, len);
    c->body_len += len;
}

static void conn_close(struct conn *c)
{
    if (c->dead)
        return;
    if (c->busy) {
        mock.aborted++;
        if (c->script.tag) {
            mock.departures[mock.departed++ % MOCK_DEPARTURES] =
                (struct departure){ c->script.tag, clock_ns() };
            mock.by_tag[c->script.tag] = NULL;
        }
        if (c->head_sent)
            mock.open_streams--;
    }
    wheel_disarm(&mock.wheel, &c->timer);
    close(c->fd);
    mock.connections--;
    c->dead = true;
    c->next_dead = mock.dead;
    mock.dead = c;
}

static void free_dead(void)
{
    while (mock.dead) {
        struct conn *c = mock.dead;

        mock.dead = c->next_dead;
        free(c->body);
        free(c->out);
        free(c);
    }
}

static void watch_write(struct conn *c, bool on)
{
    struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | (on ? EPOLLOUT : 0u),
                              .data.ptr = c };

    if (c->want_write != on)
        epoll_ctl(mock.epoll, EPOLL_CTL_MOD, c->fd, &ev);
    c->want_write = on;
}

/* Keeps what the socket did not take.  -1: no memory. */
static int keep(struct conn *c, const char *bytes, size_t len)
{
    if (c->out_len + len > c->out_cap) {
        char *grown = realloc(c->out, c->out_len + len + 4096);

        if (!grown)
            return -1;
        c->out = grown;
        c->out_cap = c->out_len + len + 4096;
    }
    memcpy(c->out + c->out_len, bytes, len);
    c->out_len += len;
    watch_write(c, true);
    return 0;
}

int conn_send(struct conn *c, const char *bytes, size_t len)
{
    ssize_t n = 0;

    if (!c->out_len) {
        n = send(c->fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return -1;
        if (n < 0)
            n = 0;
    }
    return (size_t)n < len ? keep(c, bytes + n, len - (size_t)n) : 0;
}

static void on_timer(struct wheel_item *item)
{
    struct conn *c = (struct conn *)item;

    if (mock_answer(c) < 0)
        conn_close(c);
}

/* Bytes of the client.  -1: close. */
static int on_bytes(struct conn *c, const char *bytes, size_t len)
{
    while (len) {
        size_t used;

        if (c->busy) /* a second request before the first was answered: not our clients */
            return -1;
        if (wire_feed(&c->wire, bytes, len, &used) < 0)
            return -1;
        bytes += used;
        len -= used;
        if (!c->wire.done)
            continue;
        if (mock_on_request(c) < 0)
            return -1;
        c->body_len = 0;
        wire_reset(&c->wire);
    }
    return 0;
}

static void on_readable(struct conn *c)
{
    ssize_t n = recv(c->fd, mock.read_buf, sizeof mock.read_buf, 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || on_bytes(c, mock.read_buf, (size_t)n) < 0)
        conn_close(c);
}

static void on_writable(struct conn *c)
{
    ssize_t n = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN) {
        conn_close(c);
        return;
    }
    if (n > 0) {
        c->out_len -= (size_t)n;
        memmove(c->out, c->out + n, c->out_len);
    }
    if (!c->out_len)
        watch_write(c, false);
}

static void on_accept(void)
{
    int fd;

    while ((fd = accept4(mock.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = calloc(1, sizeof *c);
        struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = c };

        if (!c) {
            close(fd);
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        c->fd = fd;
        wire_init(&c->wire, false, on_body, c);
        epoll_ctl(mock.epoll, EPOLL_CTL_ADD, fd, &ev);
        mock.accepted++;
        mock.connections++;
    }
}

static void on_acks(void)
{
    uint16_t tags[1024];
    ssize_t n;

    while ((n = recv(mock.ack, tags, sizeof tags, 0)) > 0) {
        for (size_t i = 0; i < (size_t)n / sizeof tags[0]; i++) {
            struct conn *c = mock.by_tag[tags[i]];

            if (c && !c->out_len && mock_on_ack(c) < 0)
                conn_close(c);
        }
    }
}

static void run(void)
{
    struct epoll_event ev[BATCH];

    for (;;) {
        int n = epoll_wait(mock.epoll, ev, BATCH, mock.wheel.armed ? 1 : -1);

        wheel_advance(&mock.wheel, clock_ms(), on_timer);
        for (int i = 0; i < n; i++) {
            struct conn *c = ev[i].data.ptr;

            if (ev[i].data.ptr == &mock.listener)
                on_accept();
            else if (ev[i].data.ptr == &mock.ack)
                on_acks();
            else if (!c->dead && ev[i].events & EPOLLOUT)
                on_writable(c);
            else if (!c->dead)
                on_readable(c);
        }
        free_dead();
    }
}

static void add_special(int fd, void *mark)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = mark };

    epoll_ctl(mock.epoll, EPOLL_CTL_ADD, fd, &ev);
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* The TCP listener and the UDP socket for acknowledgements, on one port number. */
static void listen_on(const char *host, uint16_t port)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
    socklen_t len = sizeof sa;
    int kind = SOCK_NONBLOCK | SOCK_CLOEXEC;

    inet_pton(AF_INET, host, &sa.sin_addr);
    mock.listener = socket(AF_INET, SOCK_STREAM | kind, 0);
    setsockopt(mock.listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (bind(mock.listener, (struct sockaddr *)&sa, sizeof sa) < 0)
        fail("bind");
    if (listen(mock.listener, 4096) < 0)
        fail("listen");
    getsockname(mock.listener, (struct sockaddr *)&sa, &len);
    mock.ack = socket(AF_INET, SOCK_DGRAM | kind, 0);
    if (bind(mock.ack, (struct sockaddr *)&sa, sizeof sa) < 0)
        fail("bind the datagram socket");
    mock.epoll = epoll_create1(EPOLL_CLOEXEC);
    add_special(mock.listener, &mock.listener);
    add_special(mock.ack, &mock.ack);
    printf("port %d\n", ntohs(sa.sin_port));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *host = "127.0.0.1";
    uint16_t port = 0;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--host"))
            host = argv[i + 1];
        else if (!strcmp(argv[i], "--port"))
            port = (uint16_t)atoi(argv[i + 1]);
    }
    /* Shares its core with the load generator: let each finish its batch. */
    sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
    wheel_init(&mock.wheel, clock_ms());
    script_texts_init(&mock.texts);
    listen_on(host, port);
    run();
}
