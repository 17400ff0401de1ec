/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c - see lease.h.
 *
 * A lease is a few flights of statements; `flight` says which one is in the air:
 *
 *     POSTURE  what the role may do                      at first, and every few minutes
 *     OPEN     BEGIN READ ONLY; anchor; look-up          one group: any failure ends it
 *     LOOKUP   look-up                                   where OPEN left it out, and was wrong
 *     BEFORE   request->before                            one group; most requests have none
 *     EMPTIES  which tables does it empty                 TRUNCATE and DROP TABLE
 *     COUNT    their rows                                 over the cap: it does not run
 *     COST     EXPLAIN of the statement                   where there is a max_cost
 *     LEAVE    ROLLBACK | settings                        where it runs in no transaction,
 *     OUTSIDE  statement | DISCARD ALL                    such as CREATE INDEX CONCURRENTLY
 *     READ     statement; ROLLBACK | DISCARD ALL         CLOSE as well, where it failed;
 *              with OPEN in one group where the catalogue stands still (unchanged.c)
 *     AGAIN    ROLLBACK                                  it did not: OPEN after all
 *     WRITE    statement; rows changed                   alone: what it changed decides
 *     CLOSE    COMMIT or ROLLBACK | DISCARD ALL
 *
 * The anchor takes the snapshot before the caller's statement comes: from then on the transaction
 * cannot be made writable by any means PostgreSQL has.
 *
 * Time: the server ends a statement by itself (statement_timeout), and tells a moment later.  When
 * it does not, because it computes what nothing can interrupt, is stopped, or the network is gone,
 * the caller is told without it, and the connection is the pool's to cancel and to close.  COMMIT
 * alone is waited for longer: whether a change happened is worth more than the time.
 */
#include "servers/postgres/lease_inside.h"

#include "base/time.h"

static void finish(struct km_pg_lease *l)
{
    if (l->database_ns)
        l->out.database_ns = km_mono_ns() - l->database_ns;
    else if (l->out.pool_ns)
        l->out.pool_ns = km_mono_ns() - l->out.pool_ns; /* it got no connection */
    km_timer_stop(&l->timer);
    l->flight = KM_PG_OVER;
    if (l->conn && l->abandoned)
        km_pg_pool_abandon(l->db->pool, l->conn, KM_PG_GRACE_MS);
    else if (l->conn)
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

void km_pg_lease_fail(struct km_pg_lease *l, const struct km_err *err)
{
    l->err = *err;
    l->out.err = &l->err;
}

void km_pg_lease_give_up(struct km_pg_lease *l)
{
    l->out.err = &l->err;
    l->clean = true;
    km_deferred_queue(&l->ended);
}

uint64_t km_pg_lease_time(const struct km_pg_lease *l)
{
    uint64_t timeout = l->request->timeout_ms, most = l->db->args.limits.statement_ms;

    return timeout && timeout < most ? timeout : most;
}

void km_pg_lease_clock(struct km_pg_lease *l, uint64_t least_ms)
{
    uint64_t ms = km_pg_lease_time(l);

    km_timer_start(&l->timer, (ms > least_ms ? ms : least_ms) + KM_PG_SLACK_MS);
}

/* The connection is gone.  After the answer to COMMIT that is nothing to the caller. */
static void cut_off(struct km_pg_lease *l, const struct km_err *err)
{
    l->clean = false;
    l->out.unknown = l->flight == KM_PG_CLOSE && l->committing && !l->settled;
    if (!l->out.cut && !l->settled) /* one huge row, or a server that ended: the cut is told */
        km_pg_lease_fail(l, err);
    finish(l);
}

static void on_done(void *ctx, const struct km_err *err)
{
    struct km_pg_lease *l = ctx;
    bool ended = l->flight == KM_PG_CLOSE || l->flight == KM_PG_OUTSIDE ||
                 (l->flight == KM_PG_READ && !l->open);

    if (err) {
        cut_off(l, err);
    } else if (ended) {
        finish(l);
    } else if (l->flight == KM_PG_POSTURE) {
        if (km_pg_lease_role_refused(l))
            km_pg_lease_give_up(l);
        else
            km_pg_fly_open(l);
    } else if (l->flight == KM_PG_WRITE) {
        km_pg_fly_close(l);
    } else if (l->flight == KM_PG_READ && l->missed) {
        km_pg_fly_again(l);
    } else if (l->flight == KM_PG_READ) {
        km_pg_fly_rollback(l); /* it failed, and the ROLLBACK behind it was skipped */
    } else if (l->out.sqlstate.n || l->out.err || !l->v.allowed || l->cancelled) {
        if (l->cancelled && !l->out.sqlstate.n && !l->out.err) {
            km_fail(&l->err, KM_E_CANCELED, "the call was cancelled");
            l->out.err = &l->err;
        }
        /* Not even the transaction's beginning: nothing of the caller's ran. */
        km_pg_fly_rollback(l);
    } else if (l->flight == KM_PG_AGAIN) {
        km_pg_fly_open(l);
    } else if (l->flight == KM_PG_OPEN && l->hopeful && !km_pg_lease_unchanged(l)) {
        km_pg_fly_lookup(l);
    } else if ((l->flight == KM_PG_OPEN || l->flight == KM_PG_LOOKUP) && l->request->nbefore) {
        km_pg_fly(l, KM_PG_BEFORE, l->request->before, l->request->nbefore);
    } else if (l->flight == KM_PG_LEAVE) {
        km_pg_fly_outside(l);
    } else if (km_pg_lease_empties(l)) {
        km_pg_fly_empties(l);
    } else if (l->flight == KM_PG_EMPTIES && l->count_sql) {
        km_pg_fly_count(l);
    } else if (km_pg_lease_over(l)) {
        km_pg_fly_rollback(l);
    } else if (l->v.outside) {
        km_pg_fly_leave(l);
    } else if (km_pg_lease_costs(l)) {
        km_pg_fly_cost(l);
    } else {
        km_pg_fly_statement(l);
    }
}

const struct km_pg_conn_events km_pg_lease_on = { km_pg_lease_take, on_done, km_pg_lease_note };

static void fly_first(struct km_pg_lease *l)
{
    l->database_ns = km_mono_ns();
    l->out.pool_ns = l->database_ns - l->out.pool_ns;
    if (!km_pg_lease_readable(l)) {
        km_pg_lease_give_up(l);
    } else if (km_pg_lease_role_known(l)) {
        if (km_pg_lease_role_refused(l))
            km_pg_lease_give_up(l);
        else
            km_pg_fly_open(l);
    } else {
        km_pg_fly_role(l);
    }
}

/* --- time --- */

/* As the server would have said it, had it looked. */
static void say_overdue(struct km_pg_lease *l)
{
    l->out.sqlstate = KM_STR("57014");
    l->out.message = km_arena_printf(
        l->arena,
        "the database does not answer: the statement was given up after %llu ms, and its "
        "connection with it",
        (unsigned long long)km_pg_lease_time(l));
    l->out.hint = KM_STR("nothing interrupts some computations, such as numbers of many thousand "
                         "digits: ask for less, or give it more time");
}

static void on_overdue(void *ctx)
{
    struct km_pg_lease *l = ctx;
    bool commits = l->flight == KM_PG_CLOSE && l->committing && !l->settled;
    struct km_err err = { 0 };

    if (commits && !l->overdue) {
        l->overdue = true;
        km_pg_conn_cancel(l->conn);
        km_timer_start(&l->timer, KM_PG_GRACE_MS);
        return;
    }
    if (commits) {
        km_fail(&err, KM_E_UPSTREAM_TIMEOUT, "the database does not answer");
        cut_off(l, &err);
        return;
    }
    /* In CLOSE all is known but whether the session is clean. */
    if (l->flight != KM_PG_CLOSE && !l->out.cut && !l->out.sqlstate.n && !l->out.err)
        say_overdue(l);
    l->abandoned = true;
    finish(l);
}

static void on_connection(struct km_pg_wait *wait, struct km_pg_conn *conn,
                          const struct km_err *err)
{
    struct km_pg_lease *l = KM_CONTAINER(wait, struct km_pg_lease, wait);

    if (err) {
        km_pg_lease_fail(l, err);
        if (strstr(err->text, "unsupported startup parameter"))
            km_fail(&l->err, err->code, "%s: this is a pooler; %s", err->text,
                    l->db->args.pooled ? "leave options out of the dsn"
                                       : "set pooler: transaction");
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

    if (lease->flight == KM_PG_WAITING && lease->wait.pool) {
        km_pg_pool_forget(&lease->wait);
        km_fail(&err, KM_E_CANCELED, "the call was cancelled");
        km_pg_lease_fail(lease, &err);
        km_deferred_queue(&lease->ended);
    } else if (lease->conn && lease->flight != KM_PG_CLOSE) {
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
    lease->flight = KM_PG_OVER;
}

/* --- beginning --- */

/* A parameter whose type is given does not become what it stands beside.  The verdict is the text's
 * alone: what a state of the catalogue said of it does not hold for this call, nor this for it. */
static void take_types(struct km_pg_lease *l)
{
    bool given = false;

    for (unsigned i = 0; !given && l->request->types && i < l->request->nparams; i++)
        given = l->request->types[i] != 0;
    for (struct km_pg_ref *r = given ? l->v.refs : NULL; r; r = r->next) {
        bool left = r->left && *r->left == 'p', right = r->right && *r->right == 'p';

        l->typed = l->typed || left || right;
        r->left = left ? NULL : r->left;
        r->right = right ? NULL : r->right;
    }
    if (l->typed)
        l->v.seen = KM_STR_NONE;
}

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
    take_types(l);
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
    if (l->v.outside && (db->args.pooled || request->dry || request->nbefore)) {
        km_fail(
            &l->err, KM_E_UNSUPPORTED,
            "what says CONCURRENTLY runs outside of a transaction, which %s needs: leave it out",
            db->args.pooled ? "a pooler" : "this tool");
        l->out.err = &l->err;
    }
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
