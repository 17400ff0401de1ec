/* SPDX-License-Identifier: Apache-2.0 */
/* load_stream.c - streams: many that are held open, and few that run at full speed.
 *
 * hold     opens all streams, a bounded number at a time, and waits until each has had
 *          its first event; prints {"phase":"open",...}; keeps reading until its standard
 *          input ends; prints the result.  In between one looks at the server's memory.
 *
 * events   each stream has exactly one event under way: when it arrives here, its tag is
 *          sent to the mock in a datagram, and the mock sends the next one.  The server
 *          reads and writes every event by itself, as it does when tokens come slowly,
 *          and is still as busy as it can be.  A mock that sent at full speed would have
 *          events pile up in the sockets and be relayed by the dozen, which measures
 *          memcpy.
 *
 *     mock --event--> server --event--> here
 *       ^------------- tags ------------'
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"

enum { READ_MAX = 65536, OPENING_MAX = 128, ACKS_MAX = 512 };
#define NS_PER_S 1000000000ull

struct stream {
    int fd; /* -1: not open */
    uint16_t tag;
    bool started;    /* had its first event */
    bool line_empty; /* where the event counter is: nothing on this line yet */
    bool data_seen;  /* the event under way has a data line */
    uint32_t events;
    char body[128];
    size_t body_len;
    struct wire wire;
};

struct stream_run {
    const struct options *o;
    int epoll, ack_fd;
    bool ack;
    struct stream *streams;
    int next, opening, started, ended;
    uint64_t events, events_at_begin;
    uint64_t open_ns;
    struct tally tally;
    struct watch watch;
    uint16_t acks[ACKS_MAX];
    size_t ack_count;
    char read_buf[READ_MAX];
};

/* An event ends at an empty line after at least one data line. */
static void on_body(void *ctx, const char *bytes, size_t len)
{
    struct stream *s = ctx;

    for (size_t i = 0; i < len && s->body_len < sizeof s->body - 1; i++)
        s->body[s->body_len++] = bytes[i];
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            if (s->line_empty && s->data_seen) {
                s->events++;
                s->data_seen = false;
            }
            s->line_empty = true;
        } else if (bytes[i] != '\r') {
            s->data_seen |= s->line_empty && bytes[i] == 'd';
            s->line_empty = false;
        }
    }
}

static void flush_acks(struct stream_run *r)
{
    if (r->ack_count)
        sendto(r->ack_fd, r->acks, r->ack_count * sizeof r->acks[0], 0,
               (const struct sockaddr *)&r->o->mock, sizeof r->o->mock);
    r->ack_count = 0;
}

static void stream_open(struct stream_run *r, int i)
{
    struct stream *s = &r->streams[i];
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };
    char request[REQUEST_MAX], script[128];
    size_t len;

    snprintf(script, sizeof script, "%s tag=%d", r->o->script, i + 1);
    len = client_request(r->o, request, script, true);
    s->tag = (uint16_t)(i + 1);
    s->line_empty = true;
    wire_init(&s->wire, true, on_body, s);
    s->fd = client_connect(r->o, i);
    if (s->fd < 0 || send(s->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len) {
        r->tally.broken++;
        if (s->fd >= 0)
            close(s->fd);
        s->fd = -1;
        return;
    }
    r->tally.sent++;
    r->opening++;
    epoll_ctl(r->epoll, EPOLL_CTL_ADD, s->fd, &ev);
}

static void stream_end(struct stream_run *r, struct stream *s)
{
    s->body[s->body_len] = '\0';
    if (s->wire.done && !s->started)
        client_check(&r->tally, r->o, &s->wire, s->body); /* an error instead of a stream */
    else
        r->tally.broken++;
    if (!s->started)
        r->opening--;
    else
        r->started--;
    r->ended++;
    close(s->fd);
    s->fd = -1;
}

static void on_readable(struct stream_run *r, struct stream *s)
{
    ssize_t n = recv(s->fd, r->read_buf, sizeof r->read_buf, 0);
    uint32_t before = s->events;
    size_t used;

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || wire_feed(&s->wire, r->read_buf, (size_t)n, &used) < 0 || s->wire.done) {
        stream_end(r, s);
        return;
    }
    if (s->events == before)
        return;
    r->events += s->events - before;
    if (!s->started) {
        s->started = true;
        r->started++;
        r->opening--;
    }
    if (r->ack && r->ack_count < ACKS_MAX)
        r->acks[r->ack_count++] = s->tag;
}

/* One look at the sockets, at most `wait_ms` long. */
static void poll_once(struct stream_run *r, int wait_ms)
{
    struct epoll_event ev[BATCH_MAX];
    int n = epoll_wait(r->epoll, ev, BATCH_MAX, wait_ms);

    for (int i = 0; i < n; i++)
        on_readable(r, ev[i].data.ptr);
    flush_acks(r);
}

/* Opens all streams; ends when each has started or failed, or the time is up. */
static void open_all(struct stream_run *r, double limit_s)
{
    uint64_t begin_ns = clock_ns();
    uint64_t until_ns = begin_ns + (uint64_t)(limit_s * (double)NS_PER_S);

    while (clock_ns() < until_ns) {
        while (r->next < r->o->connections && r->opening < OPENING_MAX)
            stream_open(r, r->next++);
        if (r->next == r->o->connections && !r->opening)
            break;
        poll_once(r, 10);
    }
    r->open_ns = clock_ns() - begin_ns;
}

static bool stdin_ended(void)
{
    struct pollfd p = { .fd = 0, .events = POLLIN };
    char buf[64];

    return poll(&p, 1, 0) > 0 && read(0, buf, sizeof buf) <= 0;
}

static void print_result(const struct stream_run *r, const char *phase)
{
    printf("{\"mode\":\"%s\",\"phase\":\"%s\",\"streams\":%d,\"open\":%d,\"ended\":%d,"
           "\"open_seconds\":%.3f,\"events\":%llu,",
           r->o->mode, phase, r->o->connections, r->started, r->ended, (double)r->open_ns / 1e9,
           (unsigned long long)(r->events - r->events_at_begin));
    client_print_tally(&r->tally, stdout);
    printf(",\"watch\":");
    watch_print_json(&r->watch, stdout);
    printf("}\n");
    fflush(stdout);
}

static void run_for(struct stream_run *r, double seconds)
{
    uint64_t until_ns = clock_ns() + (uint64_t)(seconds * (double)NS_PER_S);

    while (clock_ns() < until_ns && r->started)
        poll_once(r, 10);
}

int load_streams(const struct options *o)
{
    struct stream_run *r = calloc(1, sizeof *r);
    bool hold = !strcmp(o->mode, "hold");

    if (!r || !(r->streams = calloc((size_t)o->connections, sizeof *r->streams)) ||
        watch_init(&r->watch, o->pids, o->core) < 0)
        return 1;
    r->o = o;
    r->ack = !hold;
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    r->ack_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    open_all(r, hold ? 120 : 20);
    if (hold)
        print_result(r, "open");
    else
        run_for(r, o->warmup_s);
    r->events_at_begin = r->events;
    watch_begin(&r->watch);
    if (!hold)
        run_for(r, o->seconds);
    while (hold && !stdin_ended())
        poll_once(r, 10);
    watch_end(&r->watch);
    print_result(r, "done");
    return r->started ? 0 : 1;
}
