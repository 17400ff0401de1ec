/* SPDX-License-Identifier: Apache-2.0 */
/* load_rate.c - requests and answers: the closed and the open loop.
 *
 * Closed: each of C connections sends its next request the moment it has its answer.
 * What it says about latency holds for C callers who wait, and no others.
 *
 * Open: request i is due at start + i / rate, whether or not the server is ready.  When
 * no connection is free it waits here, and its latency still counts from the moment it
 * was due: a server that stalls for a second is charged for every request that should
 * have been served in that second (no co-ordinated omission).  A request that never
 * comes back is recorded with the time it had waited when we gave up.
 *
 *     warm-up ........ | window ................. | drain
 *                      watch_begin      watch_end    what was sent is still awaited
 *
 * The drain makes the count exact: at the end the mock has seen what we have sent.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"

enum { READ_MAX = 65536, DRAIN_S = 10, RECONNECTS_MAX = 100000 };
#define NS_PER_S 1000000000ull

struct rconn {
    int fd; /* -1: could not be connected again */
    int index;
    bool busy;
    bool timed; /* was due inside the window */
    uint64_t from_ns;
    char body[256]; /* the beginning of the answer, for the report of a wrong one */
    size_t body_len;
    struct wire wire;
};

struct rate_run {
    const struct options *o;
    int epoll;
    struct rconn *conns;
    struct rconn **free_conns; /* open loop: a stack */
    int free_count;
    int in_flight;
    bool in_window, stopping;
    uint64_t begin_ns, end_ns;                  /* of the window */
    uint64_t first_due_ns, next_due, due_count; /* open loop */
    char request[REQUEST_MAX];
    size_t request_len;
    char *number; /* in it; NULL: all are the same */
    struct tally tally;
    struct hist hist;
    struct watch watch;
    char read_buf[READ_MAX];
};

static void on_body(void *ctx, const char *bytes, size_t len)
{
    struct rconn *c = ctx;

    if (len > sizeof c->body - 1 - c->body_len)
        len = sizeof c->body - 1 - c->body_len;
    memcpy(c->body + c->body_len, bytes, len);
    c->body_len += len;
    c->body[c->body_len] = '\0';
}

static void disconnect(struct rconn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static int reconnect(struct rate_run *r, struct rconn *c)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

    disconnect(c);
    if (r->tally.broken < RECONNECTS_MAX)
        c->fd = client_connect(r->o, c->index);
    if (c->fd < 0)
        return -1;
    epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &ev);
    return 0;
}

/* Sends one request, reconnecting once when the idle connection proves dead. */
static void issue(struct rate_run *r, struct rconn *c, uint64_t from_ns, bool timed)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        if (c->fd < 0 && reconnect(r, c) < 0)
            return;
        wire_reset(&c->wire);
        c->body_len = 0;
        c->body[0] = '\0';
        c->from_ns = from_ns;
        c->timed = timed;
        client_number(r->number, r->tally.sent);
        if (send(c->fd, r->request, r->request_len, MSG_NOSIGNAL) == (ssize_t)r->request_len) {
            r->tally.sent++;
            c->busy = true;
            r->in_flight++;
            return;
        }
        r->tally.broken++;
        disconnect(c);
    }
}

/* Open loop: every request that is due and finds a free connection goes out. */
static void issue_due(struct rate_run *r, uint64_t now_ns)
{
    while (r->free_count && r->next_due < r->due_count) {
        uint64_t due_ns =
            r->first_due_ns + (uint64_t)((double)r->next_due * (double)NS_PER_S / r->o->rate);

        if (due_ns > now_ns)
            return;
        r->next_due++;
        issue(r, r->free_conns[--r->free_count], due_ns, due_ns >= r->begin_ns);
    }
}

/* The connection has its answer, or will not get one. */
static void next_request(struct rate_run *r, struct rconn *c, uint64_t now_ns)
{
    c->busy = false;
    r->in_flight--;
    if (c->fd < 0 && reconnect(r, c) < 0)
        return;
    if (r->o->rate > 0)
        r->free_conns[r->free_count++] = c;
    else if (!r->stopping)
        issue(r, c, now_ns, r->in_window);
}

static void answered(struct rate_run *r, struct rconn *c)
{
    uint64_t now_ns = clock_ns();
    bool right = client_check(&r->tally, r->o, &c->wire, c->body);
    bool counts = r->o->rate > 0 ? c->timed : r->in_window;

    if (right && counts)
        r->tally.completed++;
    if (right && c->timed)
        hist_add(&r->hist, now_ns - c->from_ns);
    if (!c->wire.keep_alive)
        disconnect(c);
    next_request(r, c, now_ns);
}

static void broken(struct rate_run *r, struct rconn *c)
{
    disconnect(c);
    if (!c->busy) /* an idle one: the next request connects again */
        return;
    r->tally.broken++;
    next_request(r, c, clock_ns());
}

static void on_readable(struct rate_run *r, struct rconn *c)
{
    ssize_t n = recv(c->fd, r->read_buf, sizeof r->read_buf, 0);
    size_t used = 0;

    if (n < 0 && errno == EAGAIN)
        return;
    if (n == 0 && c->busy && wire_eof(&c->wire))
        answered(r, c);
    else if (n <= 0 || !c->busy || wire_feed(&c->wire, r->read_buf, (size_t)n, &used) < 0 ||
             used < (size_t)n)
        broken(r, c);
    else if (c->wire.done)
        answered(r, c);
}

static void poll_once(struct rate_run *r, uint64_t until_ns)
{
    struct epoll_event ev[BATCH_MAX];
    uint64_t now_ns = clock_ns();
    uint64_t wait_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec ts = { (time_t)(wait_ns / NS_PER_S), (long)(wait_ns % NS_PER_S) };
    int n = epoll_pwait2(r->epoll, ev, BATCH_MAX, &ts, NULL);

    for (int i = 0; i < n; i++)
        on_readable(r, ev[i].data.ptr);
}

/* When the loop must look up again if nothing is heard before `until_ns`. */
static uint64_t next_wake(const struct rate_run *r, uint64_t until_ns)
{
    uint64_t due_ns;

    if (r->o->rate <= 0 || !r->free_count || r->next_due >= r->due_count)
        return until_ns;
    due_ns = r->first_due_ns + (uint64_t)((double)r->next_due * (double)NS_PER_S / r->o->rate);
    return due_ns < until_ns ? due_ns : until_ns;
}

/* False when no answer is awaited and no connection is left to ask on. */
static bool alive(const struct rate_run *r)
{
    return r->in_flight || (r->o->rate > 0 && r->free_count);
}

static bool window_full(const struct rate_run *r)
{
    return r->o->requests && r->tally.completed >= r->o->requests;
}

static void run_until(struct rate_run *r, uint64_t until_ns)
{
    for (uint64_t now_ns; (now_ns = clock_ns()) < until_ns && !window_full(r);) {
        if (!alive(r))
            return;
        if (r->o->rate > 0)
            issue_due(r, now_ns);
        poll_once(r, next_wake(r, until_ns));
    }
}

static void drain(struct rate_run *r)
{
    uint64_t until_ns = clock_ns() + DRAIN_S * NS_PER_S;

    r->stopping = true;
    while (clock_ns() < until_ns && alive(r) && (r->in_flight || r->next_due < r->due_count)) {
        if (r->o->rate > 0)
            issue_due(r, clock_ns());
        poll_once(r, clock_ns() + NS_PER_S / 100);
    }
    for (int i = 0; i < r->o->connections; i++) /* what never came back */
        if (r->conns[i].busy && r->conns[i].timed)
            hist_add(&r->hist, clock_ns() - r->conns[i].from_ns);
    for (; r->next_due < r->due_count; r->next_due++) {
        uint64_t due_ns =
            r->first_due_ns + (uint64_t)((double)r->next_due * (double)NS_PER_S / r->o->rate);

        if (due_ns >= r->begin_ns)
            hist_add(&r->hist, clock_ns() - due_ns);
    }
}

static int start(struct rate_run *r)
{
    const struct options *o = r->o;
    uint64_t now_ns;

    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    r->conns = calloc((size_t)o->connections, sizeof *r->conns);
    r->free_conns = calloc((size_t)o->connections, sizeof(struct rconn *));
    if (r->epoll < 0 || !r->conns || !r->free_conns)
        return -1;
    r->request_len = client_request(o, r->request, o->script, o->stream);
    r->number = strstr(r->request, CLIENT_NUMBER);
    for (int i = 0; i < o->connections; i++) {
        struct rconn *c = &r->conns[i];

        c->fd = -1;
        c->index = i;
        wire_init(&c->wire, true, on_body, c);
        if (reconnect(r, c) < 0)
            return -1;
        r->free_conns[r->free_count++] = c;
    }
    now_ns = clock_ns();
    r->begin_ns = now_ns + (uint64_t)(o->warmup_s * (double)NS_PER_S);
    r->end_ns = r->begin_ns + (uint64_t)(o->seconds * (double)NS_PER_S);
    r->first_due_ns = now_ns;
    r->due_count = (uint64_t)(o->rate * (o->warmup_s + o->seconds));
    for (int i = 0; o->rate <= 0 && i < o->connections; i++)
        issue(r, &r->conns[i], clock_ns(), false);
    return 0;
}

int load_rate(const struct options *o)
{
    struct rate_run *r = calloc(1, sizeof *r);

    if (!r)
        return 1;
    r->o = o;
    prctl(PR_SET_TIMERSLACK, 1ul); /* a due request must not wait for a coarse timer */
    if (watch_init(&r->watch, o->pids, o->core) < 0 || start(r) < 0) {
        fprintf(stderr, "bench_load: cannot connect %d times, or --pids is not a list\n",
                o->connections);
        free(r);
        return 1;
    }
    run_until(r, r->begin_ns);
    r->in_window = true;
    watch_begin(&r->watch);
    run_until(r, r->end_ns);
    watch_end(&r->watch);
    r->in_window = false;
    drain(r);
    printf("{\"mode\":\"%s\",\"connections\":%d,\"rate\":%.1f,", o->mode, o->connections, o->rate);
    client_print_tally(&r->tally, stdout);
    printf(",\"latency\":");
    hist_print_json(&r->hist, stdout);
    printf(",\"watch\":");
    watch_print_json(&r->watch, stdout);
    printf("}\n");
    return r->tally.completed ? 0 : 1;
}
