/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c - see conn.h for the contract.
 *
 *     connecting (reach.c) ──> idle <──> busy ──> dead
 *          └───────────────────────┴──────────────────^
 *
 * A batch goes out whole; its answers come in order.  libpq tells the end of a step by a NULL
 * between its results, and the end of a group by a result of its own; `step` and `groups` count
 * along.  A row is told when it has come, and libpq keeps one at a time: what the caller does not
 * keep is gone, however long the table is.
 *
 * libpq gathers a row before it shows it.  So that one huge value cannot fill the memory, the bytes
 * that were read since the last result are counted, and past row_bytes the connection is cut.
 */
#include "pg/conn.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "pg/cancel.h"
#include "pg/lib.h"
#include "pg/reach.h"
#include "sys/watch.h"

/* A server drops a cancel that comes between two messages of a statement: while it is planned, or
 * while its code is compiled.  So it is said again as long as the statement runs. */
#define CANCEL_AGAIN_MS 100

enum state { CONNECTING, IDLE, BUSY, DEAD };

struct km_pg_conn {
    struct km_loop *loop;
    const struct km_pg_lib *lib;
    const struct km_pg_target *target;
    struct km_pg_reach *reach; /* while it connects */
    PGconn *pq; /* NULL while it does */
    struct km_watch *watch;
    int fd; /* the watch's */
    enum state state;
    struct km_deferred work; /* tells what ended */
    km_pg_connect_fn *on_connect; /* NULL once told */
    void *connect_ctx;
    void (*on_lost)(void *ctx, struct km_pg_conn *conn);
    void *lost_ctx;
    /* of a batch */
    const struct km_pg_step *steps; /* NULL: abandoned */
    unsigned nsteps, step, groups; /* groups: not yet ended */
    const struct km_pg_conn_events *events;
    void *ctx;
    uint64_t read, shown; /* bytes so far; and when the last result came */
    bool partly; /* some of an answer is here, and these are kept */
    bool finished; /* on_done is due */
    struct km_err err; /* why it is dead; code 0: it is not */
    struct km_pg_cancel *cancel;
    bool cancel_wanted; /* of the batch that runs */
    struct km_timer cancel_again;
    unsigned marks;
};

static void on_ready(void *ctx, bool readable, bool writable);
static void on_cancel_again(void *ctx);

/* --- ends --- */

static void fail(struct km_pg_conn *c, int code, const char *what, const char *why)
{
    if (c->state == DEAD)
        return;
    km_pg_fail(&c->err, code, what, why);
    c->state = DEAD;
    c->finished = true;
    km_timer_stop(&c->cancel_again);
    c->watch = km_watch_free(c->watch);
    km_deferred_queue(&c->work);
}

static void on_work(void *ctx)
{
    struct km_pg_conn *c = ctx;
    const struct km_err *err = c->err.code ? &c->err : NULL;
    const struct km_pg_conn_events *events = c->events;
    km_pg_connect_fn *on_connect = c->on_connect;

    if (on_connect) {
        c->on_connect = NULL;
        on_connect(c->connect_ctx, c, err);
    } else if (c->finished && events) {
        c->events = NULL;
        c->finished = false;
        if (c->state == BUSY)
            c->state = IDLE;
        c->cancel_wanted = false;
        km_timer_stop(&c->cancel_again);
        events->on_done(c->ctx, err);
    } else if (c->state == DEAD && c->on_lost) {
        c->on_lost(c->lost_ctx, c);
    }
}

struct km_pg_conn *km_pg_conn_free(struct km_pg_conn *c)
{
    if (!c)
        return NULL;
    km_timer_stop(&c->cancel_again);
    km_deferred_cancel(&c->work);
    km_pg_cancel_free(c->cancel);
    km_watch_free(c->watch);
    km_pg_reach_free(c->reach);
    if (c->pq)
        c->lib->PQfinish(c->pq);
    free(c);
    return NULL;
}

/* --- connecting --- */

static void on_notice(void *arg, const PGresult *result)
{
    struct km_pg_conn *c = arg;
    struct km_pg_result r = { c->lib, (PGresult *)(uintptr_t)result };

    if (c->state == BUSY && c->steps && c->events && c->events->on_notice)
        c->events->on_notice(c->ctx, c->step, &r);
}

static void on_reached(void *ctx, PGconn *pq, const struct km_err *err)
{
    struct km_pg_conn *c = ctx;

    c->pq = pq;
    if (err)
        fail(c, err->code, err->text, "");
    c->reach = km_pg_reach_free(c->reach);
    if (err)
        return;
    c->lib->PQsetNoticeReceiver(pq, on_notice, c);
    c->fd = c->lib->PQsocket(pq);
    c->watch = km_watch_new(c->loop, c->fd, on_ready, c, NULL);
    if (!c->watch || c->lib->PQsetnonblocking(pq, 1) != 0 || c->lib->PQenterPipelineMode(pq) != 1) {
        fail(c, KM_E_UPSTREAM_CONNECT, "PostgreSQL", c->lib->PQerrorMessage(pq));
        return;
    }
    km_watch_want(c->watch, true, false);
    c->state = IDLE;
    km_deferred_queue(&c->work);
}

int km_pg_dsn_check(const char *dsn, struct km_err *err)
{
    struct km_pg_lib *lib = NULL;
    PQconninfoOption *words;
    int r = km_pg_lib_open(&lib, err);

    if (r < 0)
        return r;
    words = lib->PQconninfoParse(dsn, NULL);
    lib->PQconninfoFree(words);
    km_pg_lib_close(lib);
    return words ? 0
                 : km_fail(err, KM_E_CONFIG,
                           "the dsn cannot be read: write postgresql://user@host:port/name, or "
                           "words as host=... dbname=...");
}

struct km_pg_conn *km_pg_conn_new(struct km_loop *loop, const struct km_pg_lib *lib,
                                  const struct km_pg_target *target, km_pg_connect_fn *fn,
                                  void *ctx)
{
    struct km_pg_conn *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->loop = loop;
    c->lib = lib;
    c->target = target;
    c->fd = -1;
    c->on_connect = fn;
    c->connect_ctx = ctx;
    km_timer_init(&c->cancel_again, loop, on_cancel_again, c);
    km_deferred_init(&c->work, loop, on_work, c);
    c->reach = km_pg_reach_new(loop, lib, target, on_reached, c);
    return c->reach ? c : km_pg_conn_free(c);
}

/* --- a batch --- */

static void want(struct km_pg_conn *c)
{
    int r = c->lib->PQflush(c->pq);

    if (r < 0)
        fail(c, KM_E_UPSTREAM_CONNECT, "PostgreSQL", c->lib->PQerrorMessage(c->pq));
    else if (c->watch)
        km_watch_want(c->watch, true, r > 0);
}

/* The step that is answered next; libpq takes this before its first result only. */
static void ask_for_rows(struct km_pg_conn *c)
{
    if (c->steps && c->step < c->nsteps && c->steps[c->step].rows)
        (void)c->lib->PQsetSingleRowMode(c->pq);
}

static void end_group(struct km_pg_conn *c)
{
    if (--c->groups == 0) {
        c->finished = true;
        km_deferred_queue(&c->work);
    } else {
        ask_for_rows(c);
    }
}

static enum km_pg_told kind_of(ExecStatusType status)
{
    switch (status) {
    case PGRES_SINGLE_TUPLE:
        return KM_PG_ROW;
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        return KM_PG_END;
    case PGRES_PIPELINE_ABORTED:
        return KM_PG_SKIPPED;
    default:
        return KM_PG_ERROR;
    }
}

/* One that came whole before it could be cut, for the server was faster than we. */
static bool is_too_large(const struct km_pg_conn *c, const struct km_pg_result *row)
{
    size_t bytes = 0;

    for (size_t i = 0; i < km_pg_columns(row); i++)
        bytes += km_pg_value(row, 0, i).n;
    return bytes > c->target->row_bytes;
}

static void refuse_row(struct km_pg_conn *c)
{
    km_pg_conn_cancel(c); /* as far as it gets: the server stops sending anyway */
    fail(c, KM_E_LIMIT, "one row is larger than the limit", "");
}

static void take_result(struct km_pg_conn *c, PGresult *res)
{
    const struct km_pg_result result = { c->lib, res };
    ExecStatusType status = c->lib->PQresultStatus(res);

    c->shown = c->read;
    if (status == PGRES_SINGLE_TUPLE && is_too_large(c, &result))
        refuse_row(c);
    else if (status == PGRES_PIPELINE_SYNC)
        end_group(c);
    else if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
        fail(c, KM_E_UPSTREAM_PROTOCOL, "PostgreSQL began a COPY nobody asked for", "");
    else if (c->steps && c->step < c->nsteps)
        c->events->on_result(c->ctx, c->step, kind_of(status), &result);
    c->lib->PQclear(res);
}

static void take_results(struct km_pg_conn *c)
{
    while (c->state == BUSY && !c->finished && !c->lib->PQisBusy(c->pq)) {
        PGresult *res = c->lib->PQgetResult(c->pq);

        if (res) {
            take_result(c, res);
        } else if (c->lib->PQstatus(c->pq) == CONNECTION_BAD || c->step >= c->nsteps) {
            fail(c, KM_E_UPSTREAM_CONNECT, "PostgreSQL", c->lib->PQerrorMessage(c->pq));
        } else {
            c->step++;
            ask_for_rows(c);
        }
    }
}

static uint64_t waiting_bytes(int fd)
{
    int n = 0;

    return ioctl(fd, FIONREAD, &n) == 0 ? (uint64_t)n : 0;
}

/* How many bytes libpq has read, by what TCP has received and it has not taken.  A Unix socket
 * counts nothing: there it is what waited before each read, which is what waited too long twice.
 * Asked only while part of an answer is here: most come in one piece. */
static void count_read(struct km_pg_conn *c, uint64_t waited)
{
    struct tcp_info info = { 0 };
    socklen_t len = sizeof info;

    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
        len >= offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
        c->read = info.tcpi_bytes_received - waiting_bytes(c->fd);
    else
        c->read += waited;
}

/* After what came was taken: is there more to come, and has too much of one row come? */
static void look_at_row(struct km_pg_conn *c)
{
    bool more = c->state == BUSY && !c->finished;

    if (more && !c->partly) {
        count_read(c, 0);
        c->shown = c->read;
    } else if (more && c->read - c->shown > c->target->row_bytes) {
        refuse_row(c);
    }
    c->partly = more;
}

static void on_ready(void *ctx, bool readable, bool writable)
{
    struct km_pg_conn *c = ctx;
    uint64_t waited;

    (void)writable;
    if (readable) {
        waited = c->partly ? waiting_bytes(c->fd) : 0;
        if (!c->lib->PQconsumeInput(c->pq)) {
            fail(c, KM_E_UPSTREAM_CONNECT, "PostgreSQL", c->lib->PQerrorMessage(c->pq));
            return;
        }
        if (c->partly)
            count_read(c, waited);
        take_results(c);
        look_at_row(c);
    }
    if (c->state == IDLE && c->lib->PQstatus(c->pq) == CONNECTION_BAD)
        fail(c, KM_E_UPSTREAM_CONNECT, "PostgreSQL", c->lib->PQerrorMessage(c->pq));
    if (c->state != DEAD)
        want(c);
}

static bool send_step(struct km_pg_conn *c, const struct km_pg_step *s)
{
    int n = (int)s->nparams;

    if (s->name && s->sql)
        return c->lib->PQsendPrepare(c->pq, s->name, s->sql, n, s->types) == 1;
    if (s->name)
        return c->lib->PQsendQueryPrepared(c->pq, s->name, n, s->values, NULL, NULL, 0) == 1;
    return c->lib->PQsendQueryParams(c->pq, s->sql, n, s->types, s->values, NULL, NULL, 0) == 1;
}

void km_pg_conn_mark(struct km_pg_conn *c, unsigned marks)
{
    c->marks = marks;
}

unsigned km_pg_conn_marks(const struct km_pg_conn *c)
{
    return c->marks;
}

int km_pg_conn_send(struct km_pg_conn *c, const struct km_pg_step *steps, unsigned nsteps,
                    const struct km_pg_conn_events *events, void *ctx, struct km_err *err)
{
    bool sent = c->state == IDLE;

    c->groups = 0;
    for (unsigned i = 0; sent && i < nsteps; i++) {
        const struct km_pg_step *s = &steps[i];

        sent = send_step(c, s);
        if (sent && s->sync) {
            sent = c->lib->PQpipelineSync(c->pq) == 1;
            c->groups++;
        }
    }
    if (!sent || c->groups == 0) {
        fail(c, KM_E_UPSTREAM_CONNECT, "PostgreSQL", c->lib->PQerrorMessage(c->pq));
        return km_fail(err, KM_E_UPSTREAM_CONNECT, "%s", c->err.text);
    }
    c->steps = steps;
    c->nsteps = nsteps;
    c->step = 0;
    c->partly = false;
    c->events = events;
    c->ctx = ctx;
    c->finished = false;
    c->state = BUSY;
    ask_for_rows(c);
    want(c);
    return 0;
}

/* --- cancelling, and what is known --- */

static void on_cancelled(void *ctx)
{
    struct km_pg_conn *c = ctx;

    c->cancel = km_pg_cancel_free(c->cancel);
    if (c->state == BUSY && c->cancel_wanted)
        km_timer_start(&c->cancel_again, CANCEL_AGAIN_MS);
}

static void on_cancel_again(void *ctx)
{
    km_pg_conn_cancel(ctx);
}

void km_pg_conn_cancel(struct km_pg_conn *c)
{
    if (c->state != BUSY)
        return;
    c->cancel_wanted = true;
    if (!c->cancel)
        c->cancel = km_pg_cancel_new(c->loop, c->lib, c->pq, on_cancelled, c);
}

void km_pg_conn_abandon(struct km_pg_conn *c, const struct km_pg_conn_events *events, void *ctx)
{
    c->steps = NULL;
    c->events = events;
    c->ctx = ctx;
    km_pg_conn_cancel(c);
}

bool km_pg_conn_cancelling(const struct km_pg_conn *c)
{
    return c->cancel != NULL;
}

bool km_pg_conn_alive(const struct km_pg_conn *c)
{
    return c->state == IDLE || c->state == BUSY;
}

void km_pg_conn_on_lost(struct km_pg_conn *c, void (*fn)(void *ctx, struct km_pg_conn *conn),
                        void *ctx)
{
    c->on_lost = fn;
    c->lost_ctx = ctx;
}

const char *km_pg_conn_parameter(const struct km_pg_conn *c, const char *name)
{
    const char *value = c->lib->PQparameterStatus(c->pq, name);

    return value ? value : "";
}

int km_pg_conn_version(const struct km_pg_conn *c)
{
    return c->lib->PQserverVersion(c->pq);
}

unsigned km_pg_conn_pid(const struct km_pg_conn *c)
{
    return (unsigned)c->lib->PQbackendPID(c->pq);
}
