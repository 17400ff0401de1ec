/* SPDX-License-Identifier: Apache-2.0 */
/* reach.c - see reach.h.
 *
 *     names of hosts ──> start ──> poll, as often as the socket is ready ──> a session
 *                          ^         │ silent for its time, and there are others
 *                          └─────────┘ without it
 *
 * libpq tries host after host, and address after address, by itself; but in its asynchronous form
 * it leaves time to us (its connect_timeout, for each address, counts in the blocking form alone).
 * An address that says nothing would take all of it.  There is no call for "try the next": so it is
 * begun anew with a list that lacks the silent one, and the rest of libpq's rules stay its own:
 * their order, target_session_attrs, and that a password that is wrong ends it.
 *
 * Of several addresses each has its part of connect_ms, a second at least, the last one all of it.
 * So a caller, who waits for a connection as long as connecting may take, does not wait in vain.
 * Silence is remembered (silent.h): the next connection begins with the others.
 */
#include "pg/reach.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "pg/hosts.h"
#include "sys/read_file.h"
#include "sys/watch.h"

#define PART_LEAST_MS 1000
#define PASSWORD_BYTES 1024

struct km_pg_reach {
    struct km_loop *loop;
    const struct km_pg_lib *lib;
    const struct km_pg_target *target;
    struct km_pg_hosts *hosts; /* NULL: there is one, as the dsn has it */
    PGconn *pq;
    struct km_watch *watch;
    int fd; /* the watch's */
    size_t at; /* of the hosts */
    uint64_t part_ms; /* of an address with others behind it */
    struct km_timer each, all; /* one address; the whole */
    struct km_deferred told;
    struct km_err err; /* code 0: it succeeded */
    bool over;
    km_pg_reach_fn *fn;
    void *ctx;
};

static void on_ready(void *ctx, bool readable, bool writable);

/* --- ends --- */

/* libpq's words name host and port before what matters: `connection to server at "db", port 5432
 * failed: FATAL: ...`, with lines of advice after it. */
static struct km_str reason(const char *why)
{
    struct km_str text = km_str_c(why), mark = KM_STR(" failed: ");
    size_t at = km_str_find(text, mark);

    if (at < text.n)
        text = km_str_skip(text, at + mark.n);
    return km_str_trim(km_str_sub(text, 0, km_str_chr(text, '\n')));
}

void km_pg_fail(struct km_err *err, int code, const char *what, const char *why)
{
    struct km_str text = reason(why);

    km_fail(err, code, "%s%s%.*s", what, text.n ? ": " : "", KM_STR_ARG(text));
}

static void end(struct km_pg_reach *r)
{
    if (r->over)
        return;
    r->over = true;
    km_timer_stop(&r->each);
    km_timer_stop(&r->all);
    r->watch = km_watch_free(r->watch);
    km_deferred_queue(&r->told);
}

static void fail(struct km_pg_reach *r, int code, const char *what, const char *why)
{
    if (!r->over)
        km_pg_fail(&r->err, code, what, why);
    end(r);
}

static void on_told(void *ctx)
{
    struct km_pg_reach *r = ctx;
    PGconn *pq = r->err.code ? NULL : r->pq;

    if (pq)
        r->pq = NULL;
    r->fn(r->ctx, pq, r->err.code ? &r->err : NULL);
}

struct km_pg_reach *km_pg_reach_free(struct km_pg_reach *r)
{
    if (!r)
        return NULL;
    km_timer_stop(&r->each);
    km_timer_stop(&r->all);
    km_deferred_cancel(&r->told);
    km_watch_free(r->watch);
    km_pg_hosts_free(r->hosts);
    if (r->pq)
        r->lib->PQfinish(r->pq);
    free(r);
    return NULL;
}

/* --- one start --- */

/* A line of a file on this machine: it may have changed since the last connection. */
static bool read_password(const char *file, char *out, size_t cap)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(cap - 1);
    bool whole = km_file_read(file, KM_FILE_REGULAR, &b, NULL) == 0;
    size_t n = whole ? b.n : 0;

    while (n > 0 && (b.p[n - 1] == '\n' || b.p[n - 1] == '\r'))
        n--;
    memcpy(out, n ? b.p : "", n);
    out[n] = '\0';
    km_wipe(b.p, b.n);
    return n > 0;
}

/* While it connects libpq may take another socket: the next address, or TLS anew. */
static void watch_socket(struct km_pg_reach *r, bool read, bool write)
{
    int fd = r->lib->PQsocket(r->pq);

    if (!r->watch || fd != r->fd) {
        km_watch_free(r->watch);
        r->fd = fd;
        r->watch = km_watch_new(r->loop, fd, on_ready, r, NULL);
    }
    if (r->watch)
        km_watch_want(r->watch, read, write);
    else
        fail(r, KM_E_UPSTREAM_CONNECT, "cannot watch the connection to PostgreSQL", "");
}

/* A word whose value is NULL is as the dsn has it. */
static void start(struct km_pg_reach *r, const char *password)
{
    const struct km_pg_target *target = r->target;
    struct km_pg_hosts *h = r->hosts;
    static const char *const names[] = { "dbname",          "options",
                                         "client_encoding", "tcp_user_timeout",
                                         "keepalives_idle", "fallback_application_name",
                                         "password",        "host",
                                         "hostaddr",        "port",
                                         "target_session_attrs", NULL };
    const char *const values[] = { target->dsn,
                                   target->options,
                                   "UTF8",
                                   "30000",
                                   "30",
                                   "kanmon",
                                   password,
                                   h ? km_pg_hosts_host(h) : NULL,
                                   h ? km_pg_hosts_hostaddr(h) : NULL,
                                   h ? km_pg_hosts_port(h) : NULL,
                                   target->session_attrs,
                                   NULL };

    r->pq = r->lib->PQconnectStartParams(names, values, 1);
    if (!r->pq || r->lib->PQstatus(r->pq) == CONNECTION_BAD)
        fail(r, KM_E_UPSTREAM_CONNECT, "PostgreSQL",
             r->pq ? r->lib->PQerrorMessage(r->pq) : "out of memory");
    else
        watch_socket(r, false, true); /* as PQconnectPoll had said: writing */
}

/* The clock of the address libpq is at, begun when it gets there. */
static void clock_address(struct km_pg_reach *r, bool anew)
{
    size_t left = r->hosts ? km_pg_hosts_left(r->hosts) : 1, at = 0;

    if (left > 1)
        at = km_pg_hosts_at(r->hosts, r->lib->PQhost(r->pq), r->lib->PQhostaddr(r->pq),
                            r->lib->PQport(r->pq));
    if (anew || at != r->at)
        km_timer_start(&r->each, left > 1 ? r->part_ms : r->target->connect_ms);
    r->at = at;
}

static void begin(struct km_pg_reach *r)
{
    const struct km_pg_target *target = r->target;
    char password[PASSWORD_BYTES] = "";

    if (target->password_file && !read_password(target->password_file, password, sizeof password))
        fail(r, KM_E_CONFIG, "the password file cannot be read, or is empty", "");
    else
        start(r, *password ? password : target->password);
    km_wipe(password, sizeof password);
    if (!r->over)
        clock_address(r, true);
}

/* What the address libpq is at has said, or has not. */
static void remember(struct km_pg_reach *r, bool silent)
{
    char text[KM_PG_WHERE];
    struct km_str where;

    if (!r->hosts)
        return;
    where = km_pg_hosts_where(r->hosts, r->at, text);
    if (silent)
        km_pg_silent_note(r->target->silent, where, km_loop_now_ms(r->loop));
    else
        km_pg_silent_heard(r->target->silent, where);
}

static void on_ready(void *ctx, bool readable, bool writable)
{
    struct km_pg_reach *r = ctx;

    (void)readable;
    (void)writable;
    /* Another address's socket may have been closed and opened under the same number. */
    r->watch = km_watch_free(r->watch);
    switch (r->lib->PQconnectPoll(r->pq)) {
    case PGRES_POLLING_READING:
        watch_socket(r, true, false);
        clock_address(r, false);
        break;
    case PGRES_POLLING_WRITING:
        watch_socket(r, false, true);
        clock_address(r, false);
        break;
    case PGRES_POLLING_OK:
        clock_address(r, false);
        remember(r, false);
        end(r);
        break;
    default:
        fail(r, KM_E_UPSTREAM_CONNECT, "PostgreSQL", r->lib->PQerrorMessage(r->pq));
        break;
    }
}

/* --- the whole --- */

static void on_all_timeout(void *ctx)
{
    fail(ctx, KM_E_UPSTREAM_TIMEOUT, "PostgreSQL did not answer in time", "");
}

static void on_each_timeout(void *ctx)
{
    struct km_pg_reach *r = ctx;

    remember(r, true);
    if (!r->hosts || km_pg_hosts_left(r->hosts) == 1) {
        on_all_timeout(r);
        return;
    }
    km_pg_hosts_drop(r->hosts, r->at);
    r->watch = km_watch_free(r->watch);
    r->lib->PQfinish(r->pq);
    r->pq = NULL;
    begin(r);
}

static void begin_all(struct km_pg_reach *r)
{
    uint64_t ms = r->target->connect_ms, n = r->hosts ? km_pg_hosts_left(r->hosts) : 1;
    uint64_t least = ms < PART_LEAST_MS ? ms : PART_LEAST_MS;

    r->part_ms = ms / n > least ? ms / n : least;
    if (r->hosts)
        km_pg_hosts_defer(r->hosts, r->target->silent, km_loop_now_ms(r->loop));
    km_timer_start(&r->all, n * ms); /* what libpq, which may pass twice, could not exceed either */
    begin(r);
}

static void on_hosts(void *ctx, const struct km_err *err)
{
    struct km_pg_reach *r = ctx;

    if (err)
        fail(r, err->code, err->text, "");
    else
        begin_all(r);
}

struct km_pg_reach *km_pg_reach_new(struct km_loop *loop, const struct km_pg_lib *lib,
                                    const struct km_pg_target *target, km_pg_reach_fn *fn,
                                    void *ctx)
{
    struct km_pg_reach *r = calloc(1, sizeof *r);
    struct km_err err = { 0 };

    if (!r)
        return NULL;
    r->loop = loop;
    r->lib = lib;
    r->target = target;
    r->fd = -1;
    r->fn = fn;
    r->ctx = ctx;
    km_timer_init(&r->each, loop, on_each_timeout, r);
    km_timer_init(&r->all, loop, on_all_timeout, r);
    km_deferred_init(&r->told, loop, on_told, r);
    km_timer_start(&r->all, target->connect_ms); /* for the names */
    if (km_pg_hosts_new(lib, target->dns, target->dsn, target->connect_ms, on_hosts, r, &r->hosts,
                        &err) < 0)
        fail(r, err.code, err.text, "");
    else if (!r->hosts || !km_pg_hosts_asks(r->hosts))
        begin_all(r);
    return r;
}
