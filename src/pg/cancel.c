/* SPDX-License-Identifier: Apache-2.0 */
/* cancel.c - asks a server to end what a connection runs, without blocking the loop.
 *
 * The protocol's own way: a second connection to the same address, sixteen bytes on it with the
 * first one's process and secret, and the server closes it.  libpq's function for it blocks.  The
 * secret is in libpq's cancel object and nowhere else; it stands behind the process id there, by
 * which it is found: another libpq with another object has no such pair, and then nothing is sent
 * and the statement ends by its time-out.
 *
 *     in the clear   connect ──────────────────────────────────> request ── closed by the server
 *     with TLS       connect ── SSLRequest ── 'S' ── handshake ──────^
 *
 * A connection with TLS is cancelled over TLS, verified as libpq verified it: by sslrootcert where
 * there is one, by the host's name where sslmode is verify-full.  libpq sends the request in the
 * clear up to version 16; here what cannot be sent protected is not sent.
 */
#include "pg/cancel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/tls.h"
#include "sys/watch.h"

#define CANCEL_MS 5000
#define CANCEL_CODE 80877102 /* 1234, 5678 */
#define TLS_CODE 80877103 /* 1234, 5679 */
#define PATH_BYTES 4096

enum state { CONNECTING, ASKED_TLS, SHAKING, SENT };

struct km_pg_cancel {
    struct km_loop *loop;
    int fd; /* -1: the stream has it */
    struct km_watch *watch;
    union km_addr peer;
    struct km_tls_client *tls; /* NULL: in the clear */
    struct km_stream *stream;
    char *host;
    struct km_timer timer;
    struct km_deferred done;
    uint32_t packet[4];
    enum state state;
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
    km_stream_free(k->stream);
    km_tls_client_unref(k->tls);
    if (k->fd >= 0)
        close(k->fd);
    free(k->host);
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
    if (k->watch)
        km_watch_want(k->watch, false, false);
    km_timer_stop(&k->timer);
    km_deferred_queue(&k->done);
}

static void on_timeout(void *ctx)
{
    end(ctx);
}

/* --- over TLS --- */

static void on_stream_read(void *ctx, const char *bytes, size_t n)
{
    (void)ctx; /* a server says nothing to it */
    (void)bytes;
    (void)n;
}

static void on_stream_eof(void *ctx)
{
    end(ctx);
}

static void on_stream_closed(void *ctx, const struct km_err *err)
{
    (void)err; /* PostgreSQL closes without a word of TLS */
    end(ctx);
}

static const struct km_stream_events stream_events = { on_stream_read, on_stream_eof,
                                                       on_stream_closed, NULL };

static void on_tls(void *ctx, const struct km_err *err)
{
    struct km_pg_cancel *k = ctx;
    const struct km_str request = { (const char *)k->packet, sizeof k->packet };

    if (err) {
        end(k);
        return;
    }
    k->state = SENT;
    km_stream_write(k->stream, &request, 1, NULL);
}

static void begin_tls(struct km_pg_cancel *k)
{
    struct km_err err = { 0 };
    struct km_stream *tcp;
    int fd = k->fd;

    k->watch = km_watch_free(k->watch);
    k->fd = -1;
    k->state = SHAKING;
    tcp = km_tcp_from_fd(k->loop, fd, &k->peer, &err);
    if (tcp)
        k->stream = km_tls_connect(k->loop, tcp, k->tls, km_str_c(k->host), on_tls, k, &err);
    if (k->stream)
        km_stream_own(k->stream, &stream_events, k);
    else
        end(k);
}

/* --- the socket --- */

/* A fresh socket takes a few bytes at once. */
static void send_first(struct km_pg_cancel *k)
{
    const uint32_t ask[2] = { htonl(sizeof ask), htonl(TLS_CODE) };
    const void *bytes = k->tls ? (const void *)ask : k->packet;
    size_t size = k->tls ? sizeof ask : sizeof k->packet;
    ssize_t n = send(k->fd, bytes, size, MSG_NOSIGNAL);

    if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
        return;
    k->state = k->tls ? ASKED_TLS : SENT;
    km_watch_want(k->watch, true, false);
    if (n != (ssize_t)size)
        end(k);
}

static void on_ready(void *ctx, bool readable, bool writable)
{
    struct km_pg_cancel *k = ctx;
    char answer[16];
    ssize_t n;

    if (writable && k->state == CONNECTING) {
        send_first(k);
    } else if (readable && k->state != CONNECTING) {
        /* One byte and no more: what came with it in the clear would be taken for protected. */
        n = recv(k->fd, answer, k->state == ASKED_TLS ? 1 : sizeof answer, 0);
        if (n == 1 && k->state == ASKED_TLS && answer[0] == 'S')
            begin_tls(k);
        else if (n == 0 || (n < 0 && errno != EAGAIN) || k->state == ASKED_TLS)
            end(k);
    }
}

static int connect_like(int other, union km_addr *ret_peer)
{
    struct sockaddr_storage address = { 0 };
    socklen_t len = sizeof address;
    int fd, r;

    if (getpeername(other, (struct sockaddr *)&address, &len) < 0)
        return -1;
    if (address.ss_family != AF_UNIX)
        memcpy(ret_peer, &address, sizeof *ret_peer);
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

/* --- what libpq knows --- */

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

static const char *word_of(const PQconninfoOption *words, const char *name)
{
    for (; words && words->keyword; words++)
        if (strcmp(words->keyword, name) == 0)
            return words->val && *words->val ? words->val : NULL;
    return NULL;
}

/* The roots libpq looks for where none are named; "" where there are none. */
static const char *roots_of(const PQconninfoOption *words, char path[PATH_BYTES])
{
    const char *named = word_of(words, "sslrootcert"), *home = getenv("HOME");

    if (named)
        return named;
    snprintf(path, PATH_BYTES, "%s/.postgresql/root.crt", home ? home : "");
    return home && access(path, R_OK) == 0 ? path : "";
}

static int make_tls(struct km_pg_cancel *k, const struct km_pg_lib *lib, PGconn *pq)
{
    PQconninfoOption *words = lib->PQconninfo(pq);
    const char *mode = word_of(words, "sslmode"), *host = lib->PQhost(pq);
    bool strict = mode && strncmp(mode, "verify", 6) == 0;
    char path[PATH_BYTES];
    const char *roots = roots_of(words, path);
    struct km_tls_client_args args = {
        .ca_file = strcmp(roots, "system") == 0 ? NULL : roots,
        .cert_file = word_of(words, "sslcert"),
        .key_file = word_of(words, "sslkey"),
        .alpn = "postgresql",
        .any_host = !mode || strcmp(mode, "verify-full") != 0,
        .insecure = !strict && (!*roots || access(roots, R_OK) != 0),
    };
    struct km_err err = { 0 };
    int r = words ? 0 : KM_E_NOMEM;

    if (args.insecure)
        args.ca_file = NULL;
    if (!args.cert_file || !args.key_file)
        args.cert_file = args.key_file = NULL;
    k->host = strdup(host ? host : "");
    if (r == 0 && k->host)
        r = km_tls_client_new(&args, &k->tls, &err);
    lib->PQconninfoFree(words);
    return k->host ? r : KM_E_NOMEM;
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
    k->fd = -1;
    k->fn = fn;
    k->ctx = ctx;
    k->packet[0] = htonl(sizeof k->packet);
    k->packet[1] = htonl(CANCEL_CODE);
    k->packet[2] = htonl((uint32_t)lib->PQbackendPID(pq));
    k->packet[3] = htonl(secret);
    km_timer_init(&k->timer, loop, on_timeout, k);
    km_deferred_init(&k->done, loop, on_done, k);
    if (lib->PQsslInUse(pq) && make_tls(k, lib, pq) < 0)
        return km_pg_cancel_free(k);
    k->fd = connect_like(lib->PQsocket(pq), &k->peer);
    k->watch = k->fd < 0 ? NULL : km_watch_new(loop, k->fd, on_ready, k, NULL);
    if (!k->watch)
        return km_pg_cancel_free(k);
    km_watch_want(k->watch, true, true);
    km_timer_start(&k->timer, CANCEL_MS);
    return k;
}
