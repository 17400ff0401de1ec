/* SPDX-License-Identifier: Apache-2.0 */
/* lease_fly.c - the flights of a lease, as they are sent: see lease.c for which one comes when.
 *
 *     POSTURE  what the role may do
 *     OPEN     BEGIN READ ONLY; anchor; [[prepare;] look-up]     one group
 *              or of a text of our own: its declaration, and READ fetches
 *     LOOKUP   [prepare;] look-up                                one group
 *     EMPTIES  which tables TRUNCATE or DROP empties
 *     COUNT    their rows
 *     COST     EXPLAIN of the statement
 *     READ     statement; ROLLBACK | [DISCARD ALL]
 *              or with all of OPEN before it, in one group: the anchor is then the sure one
 *     AGAIN    ROLLBACK | [DISCARD ALL]                          and OPEN comes after all
 *     WRITE    count; statement; SET CONSTRAINTS; count          one group
 *     CLOSE    COMMIT or ROLLBACK | [DISCARD ALL]
 *     LEAVE    ROLLBACK | settings of the session                 for what runs in no transaction:
 *     OUTSIDE  statement | DISCARD ALL                            CREATE INDEX CONCURRENTLY
 *
 * A group ends in a Sync: a failure inside skips what is left of the group, and the next runs.
 * Where a statement fails its ROLLBACK is skipped, and CLOSE follows: that is rarer than a Sync,
 * which wakes both sides once more, is dear.
 */
#include "servers/postgres/lease_inside.h"

#include <stdio.h>

#include "servers/postgres/cost.h"
#include "servers/postgres/empties.h"
#include "servers/postgres/functions.h"
#include "servers/postgres/resolve.h"

/* What is prepared on a connection, and the marks that say so. */
#define LOOKUP "kanmon_lookup"
#define ANCHOR "kanmon_anchor"

#define ROLE_LEAST_MS 2000 /* once in minutes; with many tables it may outlast a call's limit */

void km_pg_fly(struct km_pg_lease *l, enum km_pg_flight flight, const struct km_pg_step *steps,
               unsigned nsteps)
{
    struct km_err err = { 0 };

    l->flight = flight;
    if (km_pg_conn_send(l->conn, steps, nsteps, &km_pg_lease_on, l, &err) < 0) {
        km_pg_lease_fail(l, &err);
        l->clean = false;
        km_deferred_queue(&l->ended);
    }
}

static void fly(struct km_pg_lease *l, enum km_pg_flight flight, unsigned nsteps)
{
    km_pg_fly(l, flight, l->steps, nsteps);
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
        km_pg_conn_mark(l->conn, 0);
    }
    return n;
}

/* A text of our own, which is declared first; what else there is runs as it stands. */
static bool declares(const struct km_pg_request *q)
{
    return q->own &&
           (km_str_starts(q->sql, KM_STR("SELECT")) || km_str_starts(q->sql, KM_STR("WITH")));
}

static void put_own(struct km_pg_lease *l, unsigned *n)
{
    const struct km_pg_request *q = l->request;

    put_step(l, n, km_pg_own_begins, 0, NULL);
    if (declares(q)) {
        put_step(l, n,
                 km_arena_printf(l->arena, "%s%.*s", km_pg_own_declares, KM_STR_ARG(q->sql)).p,
                 q->nparams, q->values);
        l->steps[*n - 1].types = q->types;
    }
    put_step(l, n, km_pg_own_path_back, 0, NULL);
}

static struct km_pg_step statement_of(const struct km_pg_lease *l)
{
    const struct km_pg_request *q = l->request;

    if (declares(q))
        return (struct km_pg_step){ .sql = km_pg_own_runs, .rows = true };
    return (struct km_pg_step){
        .sql = q->own ? q->sql.p : km_arena_cstr(l->arena, l->v.sql),
        .nparams = q->nparams,
        .values = q->values,
        .types = q->types,
        .rows = true,
    };
}

/* The statement and its ROLLBACK, after the steps that are there. */
static void fly_read(struct km_pg_lease *l, unsigned n)
{
    l->steps[n] = statement_of(l);
    l->statement_step = n;
    l->clean = l->open = true;
    n = put_end(l, n + 1, l->db->args.without_rollback ? "COMMIT" : "ROLLBACK");
    fly(l, KM_PG_READ, n);
}

void km_pg_fly_statement(struct km_pg_lease *l)
{
    unsigned n = 0;

    km_pg_lease_clock(l, 0);
    if (l->v.writes) {
        l->clean = true;
        put_step(l, &n, km_pg_changed, 0, NULL);
        l->steps[n++] = statement_of(l);
        /* What was put off to COMMIT runs now, and counts. */
        put_step(l, &n, "SET CONSTRAINTS ALL IMMEDIATE", 0, NULL);
        put_step(l, &n, km_pg_changed, 0, NULL);
        l->steps[n - 1].sync = true;
        fly(l, KM_PG_WRITE, n);
        return;
    }
    fly_read(l, 0);
}

bool km_pg_lease_costs(const struct km_pg_lease *l)
{
    return l->db->args.limits.cost && !l->request->own && l->flight != KM_PG_COST &&
           km_pg_cost_asks(&l->v);
}

void km_pg_fly_cost(struct km_pg_lease *l)
{
    const struct km_pg_request *q = l->request;
    struct km_err err = { 0 };
    const char *sql = km_pg_cost_sql(l->arena, &l->v, &l->shift, &err);

    if (!sql) {
        km_pg_lease_fail(l, &err);
        km_pg_fly_rollback(l);
        return;
    }
    l->steps[0] = (struct km_pg_step){
        .sql = sql, .nparams = q->nparams, .values = q->values, .types = q->types, .sync = true
    };
    km_pg_lease_clock(l, 0);
    fly(l, KM_PG_COST, 1);
}

/* --- what TRUNCATE and DROP take away --- */

static int64_t most_rows(const struct km_pg_lease *l)
{
    int64_t most = l->db->args.limits.affected;

    return l->request->capped && l->request->affected_most < most ? l->request->affected_most
                                                                  : most;
}

bool km_pg_lease_empties(const struct km_pg_lease *l)
{
    return l->v.empties.n && l->flight != KM_PG_EMPTIES && l->flight != KM_PG_COUNT &&
           l->flight != KM_PG_COST;
}

void km_pg_fly_empties(struct km_pg_lease *l)
{
    unsigned n = 0;

    snprintf(l->empties_most, sizeof l->empties_most, "%lld", (long long)most_rows(l) + 1);
    l->empties_values[0] = km_arena_cstr(l->arena, l->v.empties);
    l->empties_values[1] = l->v.cascades ? "true" : "false";
    l->empties_values[2] = l->empties_most;
    put_step(l, &n, km_pg_empties_sql, 3, l->empties_values);
    l->steps[0].sync = true;
    km_pg_lease_clock(l, 0);
    fly(l, KM_PG_EMPTIES, n);
}

void km_pg_fly_count(struct km_pg_lease *l)
{
    unsigned n = 0;

    put_step(l, &n, l->count_sql, 0, NULL);
    l->steps[0].sync = true;
    km_pg_lease_clock(l, 0);
    fly(l, KM_PG_COUNT, n);
}

bool km_pg_lease_over(struct km_pg_lease *l)
{
    l->out.over_cap = l->flight == KM_PG_COUNT && l->emptied > most_rows(l);
    if (l->out.over_cap)
        l->out.affected = l->emptied;
    return l->out.over_cap;
}

/* --- without a transaction --- */

/* What was looked up is as it was a moment ago; the session's own settings hold what the
 * transaction's did, until DISCARD ALL. */
void km_pg_fly_leave(struct km_pg_lease *l)
{
    unsigned n = 0;

    put_step(l, &n, "ROLLBACK", 0, NULL);
    l->steps[n - 1].sync = true;
    put_step(l, &n, km_pg_session, 2, l->anchor_values);
    l->steps[n - 1].sync = true;
    km_pg_lease_clock(l, 0);
    fly(l, KM_PG_LEAVE, n);
}

void km_pg_fly_outside(struct km_pg_lease *l)
{
    l->steps[0] = statement_of(l);
    l->steps[0].sync = true;
    l->steps[1] = (struct km_pg_step){ .sql = "DISCARD ALL", .sync = true };
    km_pg_conn_mark(l->conn, 0);
    l->clean = true;
    km_pg_lease_clock(l, 0);
    fly(l, KM_PG_OUTSIDE, 2);
}

/* What the server's tag says, where it speaks of changes and not of rows read. */
static int64_t changes(const struct km_pg_lease *l)
{
    return km_str_starts(l->out.tag, KM_STR("SELECT")) ? 0 : l->out.affected;
}

/* A write came back: the cap decides.  The tag alone would miss what WITH changes, and triggers. */
void km_pg_fly_close(struct km_pg_lease *l)
{
    bool failed = l->out.sqlstate.n || l->out.cut;

    if (changes(l) > l->changed)
        l->changed = changes(l);
    l->changed = (l->changed > 0 ? l->changed : 0) + l->emptied;
    l->out.over_cap = !failed && !l->v.explains && l->changed > most_rows(l);
    if (l->out.over_cap)
        l->out.affected = l->changed;
    l->committing = !failed && !l->out.over_cap && !l->v.explains && !l->request->dry;
    fly(l, KM_PG_CLOSE, put_end(l, 0, l->committing ? "COMMIT" : "ROLLBACK"));
}

void km_pg_fly_rollback(struct km_pg_lease *l)
{
    l->clean = true;
    fly(l, KM_PG_CLOSE, put_end(l, 0, "ROLLBACK"));
}

/* The look-up, made ready once a connection; a pooler has another session for each transaction.
 * Neither is compiled (jit). */
static void put_lookup(struct km_pg_lease *l, unsigned *n)
{
    static const unsigned types[2] = { 114, 25 }; /* json, text */
    const char *sql = l->db->lookup.p;

    put_step(l, n, km_pg_plan_once, 0, NULL);
    if (l->db->args.pooled) {
        l->lookup_step = *n + 1;
        put_step(l, n, sql, 2, l->lookup_values);
        put_step(l, n, km_pg_plan_as_ever, 0, NULL);
        return;
    }
    if (!(km_pg_conn_marks(l->conn) & KM_PG_HAS_LOOKUP)) {
        l->prepare_step = *n + 1;
        put_step(l, n, sql, 2, NULL);
        l->steps[*n - 1].name = LOOKUP;
        l->steps[*n - 1].types = types;
    }
    l->lookup_step = *n + 1;
    put_step(l, n, NULL, 2, l->lookup_values);
    l->steps[*n - 1].name = LOOKUP;
    put_step(l, n, km_pg_plan_as_ever, 0, NULL);
}

static const char *begin_text(const struct km_pg_lease *l)
{
    return l->v.writes || l->db->args.without_read_only ? "BEGIN READ WRITE" : "BEGIN READ ONLY";
}

/* What the look-up asks about; false: too much, as l->err says. */
static bool know_refs(struct km_pg_lease *l)
{
    l->lookup_values[0] =
        km_pg_resolve_refs(&l->v, l->arena, &l->db->options, l->request->narrowed);
    l->lookup_values[1] = km_pg_extensions;
    if (!l->lookup_values[0])
        km_fail(&l->err, KM_E_LIMIT, "the statement names too many things");
    return l->lookup_values[0] != NULL;
}

/* In the transaction that is open already. */
void km_pg_fly_lookup(struct km_pg_lease *l)
{
    unsigned n = 0;

    if (!know_refs(l)) {
        l->out.err = &l->err;
        km_pg_fly_rollback(l);
        return;
    }
    put_lookup(l, &n);
    l->steps[n - 1].sync = true;
    fly(l, KM_PG_LOOKUP, n);
}

/* All of it at once, where the catalogue stands still; false: that is not so. */
static bool fly_at_once(struct km_pg_lease *l)
{
    struct km_str sure = km_pg_unchanged_sure(&l->db->unchanged, l->v.seen,
                                              km_pg_pool_made(l->db->pool));
    unsigned n = 0;

    if (!sure.n || l->missed || l->v.writes || l->request->nbefore || km_pg_lease_costs(l) ||
        l->request->narrowed.n > KM_PG_NARROWED_NONE)
        return false;
    l->anchor_values[2] = km_arena_cstr(l->arena, sure);
    l->guard_pure = l->v.pure;
    l->v.pure = l->v.seen_pure;
    put_step(l, &n, begin_text(l), 0, NULL);
    l->prepare_step = 0;
    if (!(km_pg_conn_marks(l->conn) & KM_PG_HAS_ANCHOR)) {
        l->prepare_step = n + 1;
        put_step(l, &n, km_pg_anchor_sure, 3, NULL);
        l->steps[n - 1].name = ANCHOR;
    }
    put_step(l, &n, NULL, 3, l->anchor_values);
    l->steps[n - 1].name = ANCHOR;
    fly_read(l, n);
    return true;
}

void km_pg_fly_again(struct km_pg_lease *l)
{
    fly(l, KM_PG_AGAIN, put_end(l, 0, "ROLLBACK"));
    l->v.pure = l->guard_pure;
}

void km_pg_fly_open(struct km_pg_lease *l)
{
    bool lookup = !l->request->own && !l->db->args.without_lookup;
    unsigned n = 0;

    snprintf(l->statement_ms, sizeof l->statement_ms, "%llu",
             (unsigned long long)km_pg_lease_time(l));
    snprintf(l->lock_ms, sizeof l->lock_ms, "%llu", (unsigned long long)l->db->args.limits.lock_ms);
    l->anchor_values[0] = l->statement_ms;
    l->anchor_values[1] = l->lock_ms;
    km_pg_lease_clock(l, 0);
    if (lookup && fly_at_once(l))
        return;
    put_step(l, &n, begin_text(l), 0, NULL);
    put_step(l, &n, l->db->args.pooled ? km_pg_anchor_pooled : km_pg_anchor, 2, l->anchor_values);
    if (l->request->own)
        put_own(l, &n);
    l->hopeful = lookup && !l->missed && km_pg_unchanged_likely(&l->db->unchanged, l->v.seen);
    if (lookup && !l->hopeful) {
        if (!know_refs(l)) {
            km_pg_lease_give_up(l);
            return;
        }
        put_lookup(l, &n);
    }
    l->steps[n - 1].sync = true;
    fly(l, KM_PG_OPEN, n);
}

void km_pg_fly_role(struct km_pg_lease *l)
{
    unsigned n = 0;

    put_step(l, &n, "BEGIN READ ONLY", 0, NULL);
    put_step(l, &n, km_pg_own_begins, 0, NULL);
    km_assert(n == KM_PG_ROLE_STEP);
    put_step(l, &n, km_pg_posture_sql, 0, NULL);
    l->steps[n - 1].sync = true;
    put_step(l, &n, "ROLLBACK", 0, NULL);
    l->steps[n - 1].sync = true;
    km_pg_lease_clock(l, ROLE_LEAST_MS);
    fly(l, KM_PG_POSTURE, n);
}
