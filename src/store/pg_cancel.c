/* SPDX-License-Identifier: Apache-2.0 */
/* pg_cancel.c - asks a server to end what a connection runs, without blocking the loop.
 *
 * The protocol's own way: a second connection to the same address, sixteen bytes on it with the
 * first one's process and secret, and the server closes it.  libpq's function for it blocks.  The
 * secret is in libpq's cancel object and nowhere else; it stands behind the process id there, by
 * which it is found: another libpq with another object has no such pair, and then nothing is sent
 * and the statement ends by its time-out.
 *
 * The request goes in the clear, as libpq sends it up to version 16: it names a process and a
 * secret that is good for nothing but this.
 */
#include "store/pg_cancel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/watch.h"

#define CANCEL_MS 5000
#define CANCEL_CODE 80877102 /* 1234, 5678 */
#define OBJECT_BYTES 256 /* of libpq's cancel object, at most looked at */

struct km_pg_cancel {
    struct km_loop *loop;
    int fd;
    struct km_watch *watch;
    struct km_timer timer;
    struct km_deferred done;
    uint32_t packet[4];
    bool sent;
    void (*fn)(void *ctx);
    void *ctx;
};

struct km_pg_cancel *km_pg_cancel_free(struct km_pg_cancel *k)
{
    if (!k)
        return NULL;
    km_timer_stop(&k->timer);
    km_deferred_cancel(&k->done);
    km_watch_free(k->watch);
    if (k->fd >= 0)
        close(k->fd);
    free(k);
    return NULL;
}

static void on_done(void *ctx)
{
    struct km_pg_cancel *k = ctx;

    k->fn(k->ctx); /* frees */
}

static void end(struct km_pg_cancel *k)
{
    km_watch_want(k->watch, false, false);
    km_timer_stop(&k->timer);
    km_deferred_queue(&k->done);
}

static void on_timeout(void *ctx)
{
    end(ctx);
}

static void on_ready(void *ctx, bool readable, bool writable)
{
    struct km_pg_cancel *k = ctx;
    char nothing[16];
    ssize_t n;

    if (writable && !k->sent) {
        n = send(k->fd, k->packet, sizeof k->packet, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
            return;
        k->sent = n == (ssize_t)sizeof k->packet; /* a fresh socket takes sixteen bytes at once */
        km_watch_want(k->watch, true, false);
        if (!k->sent)
            end(k);
        return;
    }
    if (readable && k->sent) {
        n = recv(k->fd, nothing, sizeof nothing, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            end(k);
    }
}

/* The secret stands right behind the process id. */
static bool find_secret(const struct km_pg_lib *lib, PGconn *pq, uint32_t *ret_secret)
{
    uint32_t pid = (uint32_t)lib->PQbackendPID(pq);
    PGcancel *object = lib->PQgetCancel(pq);
    const unsigned char *p = (const unsigned char *)object;
    bool found = false;
    uint32_t word;

    /* An object of libpq 14 to 16: an address (128 bytes and its length), process, secret. */
    for (size_t i = 128; object && !found && i <= 144; i += sizeof word) {
        memcpy(&word, p + i, sizeof word);
        found = pid && word == pid;
        if (found)
            memcpy(ret_secret, p + i + sizeof word, sizeof *ret_secret);
    }
    if (object)
        lib->PQfreeCancel(object);
    return found;
}

static int connect_like(int other)
{
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof address;
    int fd, r;

    if (getpeername(other, (struct sockaddr *)&address, &len) < 0)
        return -1;
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    r = connect(fd, (const struct sockaddr *)&address, len);
    if (r < 0 && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

struct km_pg_cancel *km_pg_cancel_new(struct km_loop *loop, const struct km_pg_lib *lib, PGconn *pq,
                                      void (*fn)(void *ctx), void *ctx)
{
    struct km_pg_cancel *k;
    uint32_t secret = 0;

    if (!find_secret(lib, pq, &secret))
        return NULL;
    k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->loop = loop;
    k->fn = fn;
    k->ctx = ctx;
    k->packet[0] = htonl(sizeof k->packet);
    k->packet[1] = htonl(CANCEL_CODE);
    k->packet[2] = htonl((uint32_t)lib->PQbackendPID(pq));
    k->packet[3] = htonl(secret);
    km_timer_init(&k->timer, loop, on_timeout, k);
    km_deferred_init(&k->done, loop, on_done, k);
    k->fd = connect_like(lib->PQsocket(pq));
    k->watch = k->fd < 0 ? NULL : km_watch_new(loop, k->fd, on_ready, k, NULL);
    if (!k->watch)
        return km_pg_cancel_free(k);
    km_watch_want(k->watch, true, true);
    km_timer_start(&k->timer, CANCEL_MS);
    return k;
}
