/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c - see lease.h.
 *
 * A lease is a few flights of statements; `flight` says which one is in the air:
 *
 *     OPEN     BEGIN READ ONLY; anchor; look-up          one group: any failure ends it
 *     BEFORE   request->before                            one group; most requests have none
 *     READ     statement | ROLLBACK | DISCARD ALL        a group each, so that the next one runs
 *     WRITE    statement                                  alone: what it changed decides
 *     CLOSE    COMMIT or ROLLBACK | DISCARD ALL
 *
 * The anchor takes the snapshot before the caller's statement comes: from then on the transaction
 * cannot be made writable by any means PostgreSQL has.
 *
 * Time: the server ends a statement by itself (statement_timeout).  When it does not, because it
 * is stopped or the network is gone, the lease cancels, and then cuts the connection.
 */
#include "servers/postgres/lease.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "servers/postgres/functions.h"
#include "servers/postgres/resolve.h"

#define GRACE_MS 3000 /* from the server's own time-out to ours, and from cancel to cut */
#define LOOKUP_BYTES 32768
#define ROW_BYTES_LEAST ((size_t)4 * 1024 * 1024)

#define PINS                                                                                       \
    "-c default_transaction_read_only=%s -c standard_conforming_strings=on -c row_security=on "    \
    "-c idle_in_transaction_session_timeout=60000 -c DateStyle=ISO -c IntervalStyle=postgres "     \
    "-c extra_float_digits=1 -c bytea_output=hex"

struct km_pg_db {
    struct km_loop *loop;
    struct km_pg_db_args args;
    char *dsn;
    struct km_pg_lib *lib;
    struct km_pg_pool *pool;
    struct km_pg_guard *guard;
    struct km_pg_guard_options options;
    struct km_buf lookup; /* the query of resolve.h */
};

enum flight { WAITING, OPEN, BEFORE, READ, WRITE, CLOSE, OVER };

struct km_pg_lease {
    struct km_pg_db *db;
    struct km_arena *arena;
    const struct km_pg_request *request;
    const struct km_pg_lease_events *events;
    void *ctx;
    struct km_pg_verdict v;
    struct km_pg_wait wait;
    struct km_pg_conn *conn;
    enum flight flight;
    struct km_pg_step steps[4];
    const char *anchor_values[2], *lookup_values[2];
    char statement_ms[24], lock_ms[24];
    struct km_timer timer;
    struct km_deferred ended; /* of what never left */
    uint64_t began_ns;
    unsigned overdue; /* 1: cancelled by us, 2: cut */
    bool clean; /* the session is as it was */
    bool committing;
    bool enough; /* on_result wants no more */
    struct km_pg_outcome out;
    struct km_err err;
};

/* --- the database --- */

static int make_pool(struct km_pg_db *db, struct km_err *err)
{
    const struct km_pg_db_args *a = &db->args;
    char pins[512];
    struct km_pg_pool_args args = {
        .target = { .dsn = db->dsn,
                    .password = a->password,
                    .password_file = a->password_file,
                    .options = pins,
                    .connect_ms = a->connect_ms },
        .most = a->connections,
        .queue = a->queue,
        .queue_ms = a->queue_ms,
        .idle_ms = a->idle_ms,
        .lifetime_ms = a->lifetime_ms,
    };

    args.target.row_bytes = (size_t)a->limits.bytes * 2;
    if (args.target.row_bytes < ROW_BYTES_LEAST)
        args.target.row_bytes = ROW_BYTES_LEAST;
    snprintf(pins, sizeof pins, PINS,
             a->mode == KM_PG_READ_ONLY && !a->without_read_only ? "on" : "off");
    db->pool = km_pg_pool_new(db->loop, db->lib, &args, err);
    return db->pool ? 0 : KM_E_NOMEM;
}

int km_pg_db_new(struct km_loop *loop, const struct km_pg_db_args *args, struct km_pg_db **ret_db,
                 struct km_err *err)
{
    struct km_pg_db *db = calloc(1, sizeof *db);
    int r;

    if (!db)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    db->loop = loop;
    db->args = *args;
    db->options = (struct km_pg_guard_options){ .mode = args->mode,
                                                .functions = args->functions,
                                                .nfunctions = args->nfunctions };
    km_buf_init(&db->lookup, LOOKUP_BYTES);
    km_pg_resolve_sql(&db->lookup);
    (void)km_buf_cstr(&db->lookup);
    db->dsn = strdup(args->dsn);
    db->args.dsn = NULL; /* it may hold a password: in one place only */
    r = db->dsn && !km_buf_failed(&db->lookup) ? km_pg_guard_new(&db->guard, err)
                                               : km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0)
        r = km_pg_lib_open(&db->lib, err);
    if (r == 0)
        r = make_pool(db, err);
    if (r < 0)
        km_pg_db_free(db);
    else
        *ret_db = db;
    return r;
}

struct km_pg_db *km_pg_db_free(struct km_pg_db *db)
{
    if (!db)
        return NULL;
    km_pg_pool_free(db->pool);
    km_pg_lib_close(db->lib);
    km_pg_guard_free(db->guard);
    km_buf_done(&db->lookup);
    if (db->dsn)
        explicit_bzero(db->dsn, strlen(db->dsn));
    free(db->dsn);
    free(db);
    return NULL;
}

const struct km_pg_db_args *km_pg_db_args_of(const struct km_pg_db *db)
{
    return &db->args;
}

const struct km_pg_parser *km_pg_db_parser(const struct km_pg_db *db)
{
    return km_pg_guard_parser(db->guard);
}

/* --- ends --- */

static void finish(struct km_pg_lease *l)
{
    km_timer_stop(&l->timer);
    l->flight = OVER;
    if (l->conn)
        km_pg_pool_give(l->db->pool, l->conn, l->clean && !l->request->alone);
    l->conn = NULL;
    if (!l->out.err && !l->v.allowed)
        l->out.refused = &l->v;
    l->out.elapsed_us = (km_mono_ns() - l->began_ns) / 1000;
    l->events->on_end(l->ctx, &l->out);
}

static void on_ended(void *ctx)
{
    finish(ctx);
}

static void fail(struct km_pg_lease *l, const struct km_err *err)
{
    l->err = *err;
    l->out.err = &l->err;
}

/* --- what comes back --- */

static void take_error(struct km_pg_lease *l, const struct km_pg_result *r)
{
    struct km_str position = km_pg_error_field(r, 'P');
    int64_t at = 0;

    if (l->out.sqlstate.n || l->out.cut)
        return; /* the first one counts; after a cut it is the cancel's */
    l->out.sqlstate = km_arena_str(l->arena, km_pg_error_field(r, 'C'));
    l->out.message = km_arena_str(l->arena, km_pg_error_field(r, 'M'));
    l->out.detail = km_arena_str(l->arena, km_pg_error_field(r, 'D'));
    l->out.hint = km_arena_str(l->arena, km_pg_error_field(r, 'H'));
    if (position.n && km_str_i64(position, &at) == 0 && at > 0 && at < 1 << 30)
        l->out.position = l->request->own ? 0 : km_pg_verdict_place(&l->v, (int)at);
}

static void take_statement(struct km_pg_lease *l, enum km_pg_told told,
                           const struct km_pg_result *r)
{
    if (told == KM_PG_ERROR) {
        take_error(l, r);
    } else if (told == KM_PG_ROW || told == KM_PG_END) {
        if (told == KM_PG_END) {
            l->out.tag = km_arena_str(l->arena, km_pg_tag(r));
            l->out.affected = km_pg_affected(r);
        }
        if (l->out.cut || l->enough || l->events->on_result(l->ctx, r))
            return;
        l->enough = true;
        if (!l->v.writes) {
            l->out.cut = true;
            km_pg_conn_cancel(l->conn);
        }
    }
}

static void take_lookup(struct km_pg_lease *l, const struct km_pg_result *r)
{
    struct km_err err = { 0 };

    l->out.looked_up = true;
    if (km_pg_resolve_take(l->db->guard, &l->db->options, l->arena, r, &l->v, &err) < 0)
        fail(l, &err);
}

static void take_close(struct km_pg_lease *l, unsigned step, enum km_pg_told told,
                       const struct km_pg_result *r)
{
    if (step == 0 && l->committing && told == KM_PG_ERROR)
        take_error(l, r); /* a deferred constraint, a conflict of serialization */
    if (told != KM_PG_END && !(step == 0 && l->committing))
        l->clean = false;
}

static void on_result(void *ctx, unsigned step, enum km_pg_told told, const struct km_pg_result *r)
{
    struct km_pg_lease *l = ctx;

    if ((l->flight == OPEN || l->flight == BEFORE) && told == KM_PG_ERROR)
        take_error(l, r);
    else if (l->flight == OPEN && step == 2 && told == KM_PG_END)
        take_lookup(l, r);
    else if ((l->flight == READ || l->flight == WRITE) && step == 0)
        take_statement(l, told, r);
    else if (l->flight == READ && told != KM_PG_END)
        l->clean = false; /* ROLLBACK or DISCARD ALL did not succeed */
    else if (l->flight == CLOSE)
        take_close(l, step, told, r);
}

/* --- flights --- */

static void on_done(void *ctx, const struct km_err *err);

static const struct km_pg_conn_events conn_events = { on_result, on_done };

static void fly_steps(struct km_pg_lease *l, enum flight flight, const struct km_pg_step *steps,
                      unsigned nsteps)
{
    struct km_err err = { 0 };

    l->flight = flight;
    if (km_pg_conn_send(l->conn, steps, nsteps, &conn_events, l, &err) < 0) {
        fail(l, &err);
        l->clean = false;
        km_deferred_queue(&l->ended);
    }
}

static void fly(struct km_pg_lease *l, enum flight flight, unsigned nsteps)
{
    fly_steps(l, flight, l->steps, nsteps);
}

static unsigned put_end(struct km_pg_lease *l, unsigned n, const char *end)
{
    l->steps[n++] = (struct km_pg_step){ .sql = end, .sync = true };
    if (!l->v.pure)
        l->steps[n++] = (struct km_pg_step){ .sql = "DISCARD ALL", .sync = true };
    return n;
}

static void fly_statement(struct km_pg_lease *l)
{
    const struct km_pg_request *q = l->request;

    l->steps[0] = (struct km_pg_step){
        .sql = q->own ? q->sql.p : km_arena_cstr(l->arena, l->v.sql),
        .nparams = q->nparams,
        .values = q->values,
        .types = q->types,
        .rows = true,
        .sync = true,
    };
    l->clean = true;
    if (l->v.writes)
        fly(l, WRITE, 1);
    else
        fly(l, READ, put_end(l, 1, l->db->args.without_rollback ? "COMMIT" : "ROLLBACK"));
}

/* A write came back: the cap decides. */
static void fly_close(struct km_pg_lease *l)
{
    bool failed = l->out.sqlstate.n || l->out.cut;
    int64_t most = l->db->args.limits.affected;

    if (l->request->capped && l->request->affected_most < most)
        most = l->request->affected_most;
    l->out.over_cap = !failed && l->out.affected > most;
    l->committing = !failed && !l->out.over_cap && !l->v.explains && !l->request->dry;
    fly(l, CLOSE, put_end(l, 0, l->committing ? "COMMIT" : "ROLLBACK"));
}

static void on_done(void *ctx, const struct km_err *err)
{
    struct km_pg_lease *l = ctx;
    bool ended = l->flight == READ || l->flight == CLOSE;

    if (err) {
        l->clean = false;
        l->out.unknown = l->flight == CLOSE && l->committing;
        if (!l->out.cut) /* one huge row, or a server that ended: the cut is told, or this */
            fail(l, err);
        finish(l);
    } else if (ended) {
        finish(l);
    } else if (l->flight == WRITE) {
        fly_close(l);
    } else if (l->out.sqlstate.n || l->out.err || !l->v.allowed) {
        /* Not even the transaction's beginning: nothing of the caller's ran. */
        l->clean = true;
        fly(l, CLOSE, put_end(l, 0, "ROLLBACK"));
    } else if (l->flight == OPEN && l->request->nbefore) {
        fly_steps(l, BEFORE, l->request->before, l->request->nbefore);
    } else {
        fly_statement(l);
    }
}

static void fly_open(struct km_pg_lease *l)
{
    bool lookup = !l->request->own && !l->db->args.without_lookup;
    bool writable = l->v.writes || l->db->args.without_read_only;
    uint64_t timeout = l->request->timeout_ms, most = l->db->args.limits.statement_ms;

    if (!timeout || timeout > most)
        timeout = most;
    snprintf(l->statement_ms, sizeof l->statement_ms, "%llu", (unsigned long long)timeout);
    snprintf(l->lock_ms, sizeof l->lock_ms, "%llu", (unsigned long long)l->db->args.limits.lock_ms);
    l->anchor_values[0] = l->statement_ms;
    l->anchor_values[1] = l->lock_ms;
    l->steps[0] = (struct km_pg_step){ .sql = writable ? "BEGIN READ WRITE" : "BEGIN READ ONLY" };
    l->steps[1] = (struct km_pg_step){
        .sql = km_pg_anchor, .nparams = 2, .values = l->anchor_values, .sync = !lookup
    };
    if (lookup) {
        l->lookup_values[0] = km_pg_resolve_refs(&l->v, l->arena, &l->db->options);
        l->lookup_values[1] = km_pg_extensions;
        l->steps[2] = (struct km_pg_step){
            .sql = l->db->lookup.p, .nparams = 2, .values = l->lookup_values, .sync = true
        };
        if (!l->lookup_values[0]) {
            km_fail(&l->err, KM_E_LIMIT, "the statement names too many things");
            l->out.err = &l->err;
            l->clean = true; /* nothing was sent */
            km_deferred_queue(&l->ended);
            return;
        }
    }
    km_timer_start(&l->timer, timeout + GRACE_MS);
    fly(l, OPEN, lookup ? 3 : 2);
}

/* --- time --- */

static void on_overdue(void *ctx)
{
    struct km_pg_lease *l = ctx;
    struct km_err err = { 0 };

    if (l->overdue++ == 0) {
        km_pg_conn_cancel(l->conn);
        km_timer_start(&l->timer, GRACE_MS);
        return;
    }
    km_fail(&err, KM_E_UPSTREAM_TIMEOUT, "the database does not answer; its connection was cut");
    l->out.unknown = l->flight == CLOSE && l->committing;
    fail(l, &err);
    l->clean = false;
    finish(l); /* frees the connection and what runs on it */
}

static void on_connection(struct km_pg_wait *wait, struct km_pg_conn *conn,
                          const struct km_err *err)
{
    struct km_pg_lease *l = KM_CONTAINER(wait, struct km_pg_lease, wait);

    if (err) {
        fail(l, err);
        finish(l);
        return;
    }
    l->conn = conn;
    fly_open(l);
}

void km_pg_lease_cancel(struct km_pg_lease *lease)
{
    struct km_err err = { 0 };

    if (lease->flight == WAITING && lease->wait.pool) {
        km_pg_pool_forget(&lease->wait);
        km_fail(&err, KM_E_CANCELED, "the call was cancelled");
        fail(lease, &err);
        km_deferred_queue(&lease->ended);
    } else if (lease->conn) {
        km_pg_conn_cancel(lease->conn);
    }
}

void km_pg_lease_drop(struct km_pg_lease *lease)
{
    km_timer_stop(&lease->timer);
    km_deferred_cancel(&lease->ended);
    if (lease->conn)
        km_pg_pool_give(lease->db->pool, lease->conn, false);
    else if (lease->wait.pool)
        km_pg_pool_forget(&lease->wait);
    lease->conn = NULL;
    lease->flight = OVER;
}

/* --- beginning --- */

/* The guard's verdict, or that of our own texts: they read, and need no look-up. */
static int judge(struct km_pg_lease *l)
{
    const struct km_pg_request *q = l->request;

    if (q->own) {
        l->v = (struct km_pg_verdict){ .allowed = true, .pure = true, .at = -1, .sql = q->sql };
        return 0;
    }
    if (l->db->args.without_guard) {
        l->v = (struct km_pg_verdict){ .allowed = true, .at = -1, .sql = q->sql };
        return 0;
    }
    if (km_pg_guard_judge(l->db->guard, l->arena, q->sql, &l->db->options, &l->v, &l->err) < 0)
        return KM_E_NOMEM;
    /* What names stand for decides as well: only a look-up can agree that nothing stays. */
    l->v.pure = l->v.pure && !l->db->args.without_lookup;
    return 0;
}

struct km_pg_lease *km_pg_lease_new(struct km_pg_db *db, struct km_arena *arena,
                                    const struct km_pg_request *request,
                                    const struct km_pg_lease_events *events, void *ctx)
{
    struct km_pg_lease *l = km_arena_zalloc(arena, sizeof *l);

    if (!l)
        return NULL;
    l->db = db;
    l->arena = arena;
    l->request = request;
    l->events = events;
    l->ctx = ctx;
    l->began_ns = km_mono_ns();
    km_timer_init(&l->timer, db->loop, on_overdue, l);
    km_deferred_init(&l->ended, db->loop, on_ended, l);
    if (judge(l) < 0)
        l->out.err = &l->err;
    if (l->out.err || !l->v.allowed) {
        km_deferred_queue(&l->ended);
    } else if (!request->own && l->v.params > request->nparams) {
        km_fail(&l->err, KM_E_INVALID, "the statement has $%u, but %u values came with it",
                l->v.params, request->nparams);
        l->out.err = &l->err;
        km_deferred_queue(&l->ended);
    } else {
        km_pg_pool_take(db->pool, &l->wait, on_connection);
    }
    return l;
}
