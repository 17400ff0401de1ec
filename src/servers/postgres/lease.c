/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c - see lease.h.
 *
 * A lease is a few flights of statements; `flight` says which one is in the air:
 *
 *     POSTURE  what the role may do                      at first, and every few minutes
 *     OPEN     BEGIN READ ONLY; anchor; look-up          one group: any failure ends it
 *     BEFORE   request->before                            one group; most requests have none
 *     COST     EXPLAIN of the statement                   where there is a max_cost
 *     READ     statement | ROLLBACK | DISCARD ALL        a group each, so that the next one runs
 *     WRITE    statement; rows changed                   alone: what it changed decides
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

#include "base/log.h"
#include "base/time.h"
#include "servers/postgres/cost.h"
#include "servers/postgres/functions.h"
#include "servers/postgres/posture.h"
#include "servers/postgres/resolve.h"
#include "servers/postgres/verdicts.h"

#define GRACE_MS 3000 /* from the server's own time-out to ours, and from cancel to cut */
#define LOOKUP_BYTES 32768
#define ROW_BYTES_LEAST ((size_t)4 * 1024 * 1024)

#define POSTURE_MS 300000 /* then it is looked at again */
#define LOOKUP "kanmon_lookup" /* the prepared look-up, of a connection that is marked */

#define PINS                                                                                       \
    "-c default_transaction_read_only=%s -c standard_conforming_strings=on -c row_security=on "    \
    "-c idle_in_transaction_session_timeout=%llu -c DateStyle=ISO -c IntervalStyle=postgres "      \
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
    struct km_pg_posture posture;
    uint64_t posture_ms; /* when it was looked at */
    struct km_pg_verdicts *verdicts; /* of the guard, by text */
};

enum flight { WAITING, POSTURE, OPEN, BEFORE, COST, READ, WRITE, CLOSE, OVER };

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
    struct km_pg_step steps[8];
    unsigned lookup_step, prepare_step; /* of OPEN; 0: none */
    const char *anchor_values[2], *lookup_values[2];
    char statement_ms[24], lock_ms[24];
    struct km_timer timer;
    struct km_deferred ended; /* of what never left */
    int shift; /* of COST: places are so many characters later */
    uint64_t began_ns;
    unsigned overdue; /* 1: cancelled by us, 2: cut */
    bool clean; /* the session is as it was */
    bool committing;
    bool enough; /* on_result wants no more */
    bool cancelled; /* nobody wants it: nothing more of it is sent */
    int64_t changed; /* rows, triggers and cascades included */
    uint64_t database_ns; /* when it got its connection; 0: it has none */
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
             a->mode == KM_PG_READ_ONLY && !a->without_read_only ? "on" : "off",
             (unsigned long long)(a->idle_tx_ms ? a->idle_tx_ms : 60000));
    if (a->pooled)
        pins[0] = '\0'; /* a session's options would be somebody else's: see km_pg_anchor_pooled */
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
    if (r == 0) {
        db->verdicts = km_pg_verdicts_new();
        r = db->verdicts ? km_pg_lib_open(&db->lib, err)
                         : km_fail(err, KM_E_NOMEM, "out of memory");
    }
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
    km_pg_verdicts_free(db->verdicts);
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

int km_pg_db_judge(const struct km_pg_db *db, struct km_arena *arena, struct km_str sql,
                   struct km_pg_verdict *ret, struct km_err *err)
{
    return km_pg_guard_judge(db->guard, arena, sql, &db->options, ret, err);
}

const struct km_pg_parser *km_pg_db_parser(const struct km_pg_db *db)
{
    return km_pg_guard_parser(db->guard);
}

struct km_pg_pool_stats km_pg_db_pool(const struct km_pg_db *db)
{
    return km_pg_pool_stats(db->pool);
}

/* --- ends --- */

static void finish(struct km_pg_lease *l)
{
    if (l->database_ns)
        l->out.database_ns = km_mono_ns() - l->database_ns;
    else if (l->out.pool_ns)
        l->out.pool_ns = km_mono_ns() - l->out.pool_ns; /* it got no connection */
    km_timer_stop(&l->timer);
    l->flight = OVER;
    if (l->conn)
        km_pg_pool_give(l->db->pool, l->conn, l->clean && !l->request->alone);
    l->conn = NULL;
    if (!l->out.err && !l->v.allowed)
        l->out.refused = &l->v;
    l->out.elapsed_us = (km_mono_ns() - l->began_ns) / 1000;
    l->out.fingerprint = l->v.fingerprint;
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
    if (position.n && km_str_i64(position, &at) == 0)
        at -= l->flight == COST ? l->shift : 0;
    if (at > 0 && at < 1 << 30)
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

static void take_cost(struct km_pg_lease *l, const struct km_pg_result *r)
{
    struct km_err err = { 0 };

    if (km_pg_cost_take(l->arena, r, l->db->args.limits.cost, &l->v, &err) < 0)
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

/* The count goes on from earlier transactions of the session, so its difference is ours. */
static void take_write(struct km_pg_lease *l, unsigned step, enum km_pg_told told,
                       const struct km_pg_result *r)
{
    bool counts = step == 0 || step == 3;
    int64_t n = 0;

    if (step == 1)
        take_statement(l, told, r);
    else if (told == KM_PG_ERROR)
        take_error(l, r);
    else if (counts && told == KM_PG_END && km_pg_rows(r) == 1 &&
             km_str_i64(km_pg_value(r, 0, 0), &n) == 0)
        l->changed = n - l->changed;
}

static void take_posture(struct km_pg_lease *l, enum km_pg_told told, const struct km_pg_result *r)
{
    struct km_pg_db *db = l->db;
    struct km_pg_posture before = db->posture;

    if (told != KM_PG_END) {
        db->posture = (struct km_pg_posture){ .known = true, .writes = true };
        snprintf(db->posture.why, sizeof db->posture.why, "what it may do could not be found out");
    } else {
        km_pg_posture_take(r, &db->posture);
    }
    db->posture_ms = km_loop_now_ms(db->loop);
    if (db->args.log && db->posture.writes && strcmp(before.why, db->posture.why) != 0)
        km_log_msg(db->args.log, KM_LOG_WARN, "postgres.role",
                   "%.*s only reads, but its role could do more: %s", KM_STR_ARG(db->args.name),
                   db->posture.why);
}

static void on_result(void *ctx, unsigned step, enum km_pg_told told, const struct km_pg_result *r)
{
    struct km_pg_lease *l = ctx;

    if (l->flight == POSTURE)
        take_posture(l, told, r);
    else if ((l->flight == OPEN || l->flight == BEFORE || l->flight == COST) && told == KM_PG_ERROR)
        take_error(l, r);
    else if (l->flight == COST && told == KM_PG_END)
        take_cost(l, r);
    else if (l->flight == OPEN && told == KM_PG_END && step && step == l->prepare_step)
        km_pg_conn_mark(l->conn, true);
    else if (l->flight == OPEN && told == KM_PG_END && step && step == l->lookup_step)
        take_lookup(l, r);
    else if (l->flight == WRITE)
        take_write(l, step, told, r);
    else if (l->flight == READ && step == 0)
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

static void put_step(struct km_pg_lease *l, unsigned *n, const char *sql, unsigned nparams,
                     const char *const *values)
{
    l->steps[(*n)++] = (struct km_pg_step){ .sql = sql, .nparams = nparams, .values = values };
}

static unsigned put_end(struct km_pg_lease *l, unsigned n, const char *end)
{
    l->steps[n++] = (struct km_pg_step){ .sql = end, .sync = true };
    if (!l->v.pure && !l->db->args.pooled) { /* a pooler does that itself */
        l->steps[n++] = (struct km_pg_step){ .sql = "DISCARD ALL", .sync = true };
        km_pg_conn_mark(l->conn, false);
    }
    return n;
}

static void fly_statement(struct km_pg_lease *l)
{
    const struct km_pg_request *q = l->request;

    struct km_pg_step statement = {
        .sql = q->own ? q->sql.p : km_arena_cstr(l->arena, l->v.sql),
        .nparams = q->nparams,
        .values = q->values,
        .types = q->types,
        .rows = true,
        .sync = !l->v.writes,
    };
    unsigned n = 0;

    l->clean = true;
    if (l->v.writes) {
        put_step(l, &n, km_pg_changed, 0, NULL);
        l->steps[n++] = statement;
        /* What was put off to COMMIT runs now, and counts. */
        put_step(l, &n, "SET CONSTRAINTS ALL IMMEDIATE", 0, NULL);
        put_step(l, &n, km_pg_changed, 0, NULL);
        l->steps[n - 1].sync = true;
        fly(l, WRITE, n);
        return;
    }
    l->steps[0] = statement;
    fly(l, READ, put_end(l, 1, l->db->args.without_rollback ? "COMMIT" : "ROLLBACK"));
}

static bool costs(const struct km_pg_lease *l)
{
    return l->db->args.limits.cost && !l->request->own && l->flight != COST &&
           km_pg_cost_asks(&l->v);
}

static void fly_cost(struct km_pg_lease *l)
{
    const struct km_pg_request *q = l->request;
    struct km_err err = { 0 };
    const char *sql = km_pg_cost_sql(l->arena, &l->v, &l->shift, &err);

    if (!sql) {
        fail(l, &err);
        l->clean = true;
        fly(l, CLOSE, put_end(l, 0, "ROLLBACK"));
        return;
    }
    l->steps[0] = (struct km_pg_step){
        .sql = sql, .nparams = q->nparams, .values = q->values, .types = q->types, .sync = true
    };
    fly(l, COST, 1);
}

/* What the server's tag says, where it speaks of changes and not of rows read. */
static int64_t changes(const struct km_pg_lease *l)
{
    return km_str_starts(l->out.tag, KM_STR("SELECT")) ? 0 : l->out.affected;
}

/* A write came back: the cap decides.  The tag alone would miss what WITH changes, and triggers. */
static void fly_close(struct km_pg_lease *l)
{
    bool failed = l->out.sqlstate.n || l->out.cut;
    int64_t most = l->db->args.limits.affected;

    if (l->request->capped && l->request->affected_most < most)
        most = l->request->affected_most;
    if (changes(l) > l->changed)
        l->changed = changes(l);
    l->out.over_cap = !failed && !l->v.explains && l->changed > most;
    if (l->out.over_cap)
        l->out.affected = l->changed;
    l->committing = !failed && !l->out.over_cap && !l->v.explains && !l->request->dry;
    fly(l, CLOSE, put_end(l, 0, l->committing ? "COMMIT" : "ROLLBACK"));
}

static void give_up(struct km_pg_lease *l);
static void fly_open(struct km_pg_lease *l);
static bool refused_by_posture(struct km_pg_lease *l);

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
    } else if (l->flight == POSTURE) {
        if (refused_by_posture(l))
            give_up(l);
        else
            fly_open(l);
    } else if (l->flight == WRITE) {
        fly_close(l);
    } else if (l->out.sqlstate.n || l->out.err || !l->v.allowed || l->cancelled) {
        if (l->cancelled && !l->out.sqlstate.n && !l->out.err) {
            km_fail(&l->err, KM_E_CANCELED, "the call was cancelled");
            l->out.err = &l->err;
        }
        /* Not even the transaction's beginning: nothing of the caller's ran. */
        l->clean = true;
        fly(l, CLOSE, put_end(l, 0, "ROLLBACK"));
    } else if (l->flight == OPEN && l->request->nbefore) {
        fly_steps(l, BEFORE, l->request->before, l->request->nbefore);
    } else if (costs(l)) {
        fly_cost(l);
    } else {
        fly_statement(l);
    }
}

/* The look-up, made ready once a connection; a pooler has another session for each transaction. */
static void put_lookup(struct km_pg_lease *l, unsigned *n)
{
    static const unsigned types[2] = { 114, 25 }; /* json, text */
    const char *sql = l->db->lookup.p;

    if (l->db->args.pooled) {
        l->lookup_step = *n;
        put_step(l, n, sql, 2, l->lookup_values);
        return;
    }
    put_step(l, n, km_pg_plan_once, 0, NULL);
    if (!km_pg_conn_marked(l->conn)) {
        l->prepare_step = *n;
        put_step(l, n, sql, 2, NULL);
        l->steps[*n - 1].name = LOOKUP;
        l->steps[*n - 1].types = types;
    }
    l->lookup_step = *n;
    put_step(l, n, NULL, 2, l->lookup_values);
    l->steps[*n - 1].name = LOOKUP;
    put_step(l, n, km_pg_plan_as_ever, 0, NULL);
}

static const char *begin_text(const struct km_pg_lease *l)
{
    return l->v.writes || l->db->args.without_read_only ? "BEGIN READ WRITE" : "BEGIN READ ONLY";
}

static uint64_t time_of(const struct km_pg_lease *l)
{
    uint64_t timeout = l->request->timeout_ms, most = l->db->args.limits.statement_ms;

    return timeout && timeout < most ? timeout : most;
}

/* Nothing was sent: it ends later, with the reason in l->err. */
static void give_up(struct km_pg_lease *l)
{
    l->out.err = &l->err;
    l->clean = true;
    km_deferred_queue(&l->ended);
}

static void fly_open(struct km_pg_lease *l)
{
    bool lookup = !l->request->own && !l->db->args.without_lookup;
    unsigned n = 0;

    snprintf(l->statement_ms, sizeof l->statement_ms, "%llu", (unsigned long long)time_of(l));
    snprintf(l->lock_ms, sizeof l->lock_ms, "%llu", (unsigned long long)l->db->args.limits.lock_ms);
    l->anchor_values[0] = l->statement_ms;
    l->anchor_values[1] = l->lock_ms;
    put_step(l, &n, begin_text(l), 0, NULL);
    put_step(l, &n, l->db->args.pooled ? km_pg_anchor_pooled : km_pg_anchor, 2, l->anchor_values);
    if (lookup) {
        l->lookup_values[0] =
            km_pg_resolve_refs(&l->v, l->arena, &l->db->options, l->request->narrowed);
        l->lookup_values[1] = km_pg_extensions;
        if (!l->lookup_values[0]) {
            km_fail(&l->err, KM_E_LIMIT, "the statement names too many things");
            give_up(l);
            return;
        }
        put_lookup(l, &n);
    }
    l->steps[n - 1].sync = true;
    km_timer_start(&l->timer, time_of(l) + GRACE_MS);
    fly(l, OPEN, n);
}

/* --- the role --- */

static bool knows_posture(const struct km_pg_lease *l)
{
    const struct km_pg_db *db = l->db;

    return l->request->own || db->args.mode > KM_PG_READ_ONLY || db->args.without_guard ||
           (db->posture.known && km_loop_now_ms(db->loop) - db->posture_ms < POSTURE_MS);
}

static bool refused_by_posture(struct km_pg_lease *l)
{
    const struct km_pg_db *db = l->db;

    if (l->request->own || !db->args.strict || !db->posture.writes)
        return false;
    km_fail(&l->err, KM_E_FORBIDDEN,
            "this server only reads and can be reached from other machines, but its role could do "
            "more: %s. Give it a role that may only SELECT",
            db->posture.why);
    return true;
}

/* A session whose texts would be read otherwise than the guard reads them is not used. */
static bool readable(struct km_pg_lease *l)
{
    const char *strings = km_pg_conn_parameter(l->conn, "standard_conforming_strings");

    if (strcmp(strings, "on") == 0 && km_pg_conn_version(l->conn) > 0)
        return true;
    km_fail(&l->err, KM_E_UPSTREAM_PROTOCOL,
            "the database does not say that standard_conforming_strings is on: its texts could be "
            "read in two ways");
    return false;
}

static void fly_first(struct km_pg_lease *l)
{
    l->database_ns = km_mono_ns();
    l->out.pool_ns = l->database_ns - l->out.pool_ns;
    if (!readable(l)) {
        give_up(l);
    } else if (knows_posture(l)) {
        if (refused_by_posture(l))
            give_up(l);
        else
            fly_open(l);
    } else {
        l->steps[0] = (struct km_pg_step){ .sql = km_pg_posture_sql, .sync = true };
        km_timer_start(&l->timer, time_of(l) + GRACE_MS);
        fly(l, POSTURE, 1);
    }
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
    fly_first(l);
}

const char *km_pg_lease_fingerprint(const struct km_pg_lease *lease)
{
    return lease->v.fingerprint;
}

void km_pg_lease_cancel(struct km_pg_lease *lease)
{
    struct km_err err = { 0 };

    if (lease->flight == WAITING && lease->wait.pool) {
        km_pg_pool_forget(&lease->wait);
        km_fail(&err, KM_E_CANCELED, "the call was cancelled");
        fail(lease, &err);
        km_deferred_queue(&lease->ended);
    } else if (lease->conn && lease->flight != CLOSE) {
        lease->cancelled = true;
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
    if (!km_pg_verdicts_find(l->db->verdicts, l->arena, q->sql, &l->v)) {
        if (km_pg_guard_judge(l->db->guard, l->arena, q->sql, &l->db->options, &l->v, &l->err) < 0)
            return KM_E_NOMEM;
        if (l->v.parsed)
            km_pg_fingerprint(km_pg_guard_parser(l->db->guard), l->arena, q->sql, l->v.fingerprint,
                              sizeof l->v.fingerprint);
        km_pg_verdicts_keep(l->db->verdicts, q->sql, &l->v);
    }
    l->out.guard_ns = km_mono_ns() - l->began_ns;
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
        l->out.pool_ns = km_mono_ns(); /* when it was asked, for now */
        km_pg_pool_take(db->pool, &l->wait, on_connection);
    }
    return l;
}
