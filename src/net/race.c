/* SPDX-License-Identifier: Apache-2.0 */
/* race.c - happy eyeballs: several connects, the first to succeed wins (tcp.h, RFC 8305).
 *
 *     addrs:    [v6 a][v4 a][v6 b][v4 b]     alternating, as they will be tried
 *     attempts:   ^ under way, each with its socket and its uv_poll
 *
 * One attempt is under way at first.  Each 250 ms without a winner, and each failure, starts
 * the next.  When none is left and none is under way, the race has failed, and the error says
 * why for each address.  A guarded race refuses an address here, at the last moment before
 * the connect.
 */
#include "net/tcp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "net/dial.h"

struct attempt {
    struct km_list link;
    uv_poll_t poll;
    struct km_tcp_race *race;
    const union km_addr *addr;
    int fd;
};

struct km_tcp_race {
    struct km_loop *loop;
    km_tcp_race_fn *fn;
    void *ctx;
    enum km_guard guard;
    bool refused;
    union km_addr addrs[KM_TCP_MAX_ADDRS];
    size_t n, next;
    struct km_list attempts;
    struct km_timer stagger;
    struct km_deferred over; /* all failed: told from here */
    size_t used; /* of text */
    char text[400]; /* "127.0.0.1:80: Connection refused; ..." */
};

static void note_failure(struct km_tcp_race *race, const union km_addr *addr, const char *why)
{
    char where[KM_ADDR_TEXT];
    size_t left = sizeof race->text - race->used;
    int n;

    km_addr_text(addr, where);
    n = snprintf(race->text + race->used, left, "%s%s: %s", race->used ? "; " : "", where, why);
    if (n > 0)
        race->used += (size_t)n < left ? (size_t)n : left - 1;
}

static void on_attempt_close(uv_handle_t *handle)
{
    free(handle->data);
}

/* Ends watching.  The socket is closed unless it is kept. */
static void attempt_end(struct attempt *a, bool keep_fd)
{
    km_list_remove(&a->link);
    uv_close((uv_handle_t *)&a->poll, on_attempt_close);
    if (!keep_fd)
        close(a->fd);
}

struct km_tcp_race *km_tcp_race_free(struct km_tcp_race *race)
{
    if (!race)
        return NULL;
    KM_LIST_EACH(it, &race->attempts)
    attempt_end(KM_CONTAINER(it, struct attempt, link), false);
    km_timer_stop(&race->stagger);
    km_deferred_cancel(&race->over);
    free(race);
    return NULL;
}

static void on_over(void *ctx)
{
    struct km_tcp_race *race = ctx;
    km_tcp_race_fn *fn = race->fn;
    void *fn_ctx = race->ctx;
    struct km_err err;

    km_fail(&err, race->refused ? KM_E_FORBIDDEN : KM_E_UPSTREAM_CONNECT, "cannot connect to %s",
            race->used ? race->text : "any address");
    km_tcp_race_free(race);
    fn(fn_ctx, NULL, &err);
}

static void win(struct attempt *a)
{
    struct km_tcp_race *race = a->race;
    km_tcp_race_fn *fn = race->fn;
    void *fn_ctx = race->ctx;
    union km_addr addr = *a->addr;
    struct km_stream *stream;
    struct km_err err;
    int fd = a->fd;

    uv_poll_stop(&a->poll); /* before another handle watches the same descriptor */
    attempt_end(a, true);
    stream = km_tcp_from_fd(race->loop, fd, &addr, &err);
    km_tcp_race_free(race);
    fn(fn_ctx, stream, stream ? NULL : &err);
}

static void start_next(struct km_tcp_race *race);

static void on_attempt(uv_poll_t *poll, int status, int events)
{
    struct attempt *a = poll->data;
    struct km_tcp_race *race = a->race;
    int error = 0;
    socklen_t len = sizeof error;

    (void)events;
    if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (status < 0 && error == 0)
        error = ECONNREFUSED;
    if (error == 0) {
        win(a);
        return;
    }
    note_failure(race, a->addr, strerror(error));
    attempt_end(a, false);
    start_next(race);
}

/* A connecting socket; -1 with errno. */
static int open_connecting(const union km_addr *addr)
{
    const int on = 1;
    int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (connect(fd, &addr->sa, km_addr_len(addr)) == 0 || errno == EINPROGRESS)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* false: it failed at once and is noted. */
static bool start_one(struct km_tcp_race *race, const union km_addr *addr)
{
    struct attempt *a;
    const char *why;
    int fd;

    if (!km_guard_allows(race->guard, addr, &why)) {
        race->refused = true;
        note_failure(race, addr, why);
        return false;
    }
    fd = open_connecting(addr);
    if (fd < 0) {
        note_failure(race, addr, strerror(errno));
        return false;
    }
    a = calloc(1, sizeof *a);
    if (!a || uv_poll_init(km_loop_uv(race->loop), &a->poll, fd) < 0) {
        note_failure(race, addr, "out of memory or descriptors");
        close(fd);
        free(a);
        return false;
    }
    a->poll.data = a;
    a->race = race;
    a->addr = addr;
    a->fd = fd;
    km_list_push(&race->attempts, &a->link);
    uv_poll_start(&a->poll, UV_WRITABLE, on_attempt);
    return true;
}

static void start_next(struct km_tcp_race *race)
{
    bool started = false;

    km_timer_stop(&race->stagger);
    while (!started && race->next < race->n)
        started = start_one(race, &race->addrs[race->next++]);
    if (race->next < race->n)
        km_timer_start(&race->stagger, KM_TCP_STAGGER_MS);
    else if (!started && km_list_empty(&race->attempts))
        km_deferred_queue(&race->over);
}

static void on_stagger(void *ctx)
{
    start_next(ctx);
}

/* The index of the next address of the wanted family (or of any other) at or after `from`. */
static size_t find_family(const union km_addr *addrs, size_t n, size_t from, int family, bool other)
{
    while (from < n && (addrs[from].sa.sa_family == family) == other)
        from++;
    return from;
}

/* Alternates between the family of the first address and the other, keeping each's order. */
static void interleave(struct km_tcp_race *race, const union km_addr *addrs, size_t n)
{
    int family = addrs[0].sa.sa_family;
    size_t at[2] = { 0, 0 };

    for (int other = 0; race->n < KM_TCP_MAX_ADDRS; other = !other) {
        at[0] = find_family(addrs, n, at[0], family, false);
        at[1] = find_family(addrs, n, at[1], family, true);
        if (at[0] == n && at[1] == n)
            break;
        if (at[other] < n)
            race->addrs[race->n++] = addrs[at[other]++];
    }
}

struct km_tcp_race *km_tcp_race_new(struct km_loop *loop, const union km_addr *addrs, size_t n,
                                    enum km_guard guard, km_tcp_race_fn *fn, void *ctx)
{
    struct km_tcp_race *race = calloc(1, sizeof *race);

    if (!race)
        return NULL;
    race->loop = loop;
    race->fn = fn;
    race->ctx = ctx;
    race->guard = guard;
    km_list_init(&race->attempts);
    km_timer_init(&race->stagger, loop, on_stagger, race);
    km_deferred_init(&race->over, loop, on_over, race);
    if (n > 0)
        interleave(race, addrs, n);
    start_next(race);
    return race;
}
