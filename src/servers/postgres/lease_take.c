/* SPDX-License-Identifier: Apache-2.0 */
/* lease_take.c - what comes back of a lease's flights: see lease_inside.h.
 *
 *     connection ──> km_pg_lease_take ──┬── the statement's rows, to the caller
 *                                       ├── the look-up and the plan, to the verdict
 *                                       └── errors, the first of them to the outcome
 *
 * Nothing is sent from here: what comes next is decided when a flight is over (lease.c).
 */
#include "servers/postgres/lease_inside.h"

#include "base/encode.h"
#include "servers/postgres/cost.h"
#include "servers/postgres/resolve.h"

#define ANCHOR 1 /* the step of OPEN */

static bool lacks_pins(const struct km_pg_lease *l, unsigned step)
{
    struct km_str message = l->out.message;
    bool anchor = l->flight == KM_PG_OPEN || (l->flight == KM_PG_READ && step < l->statement_step);

    return anchor && km_str_find(message, KM_STR(KM_PG_PINNED)) < message.n;
}

static void take_error(struct km_pg_lease *l, unsigned step, const struct km_pg_result *r)
{
    struct km_str position = km_pg_error_field(r, 'P');
    int64_t at = 0;

    if (l->out.sqlstate.n || l->out.cut)
        return; /* the first one counts; after a cut it is the cancel's */
    l->out.sqlstate = km_arena_str(l->arena, km_pg_error_field(r, 'C'));
    l->out.message = km_arena_str(l->arena, km_pg_error_field(r, 'M'));
    l->out.detail = km_arena_str(l->arena, km_pg_error_field(r, 'D'));
    l->out.hint = km_arena_str(l->arena, km_pg_error_field(r, 'H'));
    if (lacks_pins(l, step)) {
        l->out.sqlstate = KM_STR_NONE;
        l->out.err = &l->err;
        km_fail(&l->err, KM_E_UPSTREAM_PROTOCOL,
                "the settings a session begins with did not reach the database: between stands a "
                "pooler that drops them. Set pooler: transaction");
        return;
    }
    if (position.n && km_str_i64(position, &at) == 0)
        at -= l->flight == KM_PG_COST ? l->shift : 0;
    if (at > 0 && at < 1 << 30)
        l->out.position = l->request->own ? 0 : km_pg_verdict_place(&l->v, (int)at);
}

static void take_statement(struct km_pg_lease *l, unsigned step, enum km_pg_told told,
                           const struct km_pg_result *r)
{
    if (told == KM_PG_ERROR) {
        take_error(l, step, r);
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
        km_pg_lease_fail(l, &err);
    else if (l->v.allowed && !l->typed)
        km_pg_verdicts_seen(l->db->verdicts, l->request->sql, l->state, l->v.pure);
}

static void take_state(struct km_pg_lease *l, const struct km_pg_result *r)
{
    struct km_pg_db *db = l->db;

    if (!db->args.pooled && l->request->narrowed.n <= KM_PG_NARROWED_NONE)
        l->state = km_pg_unchanged_take(&db->unchanged, l->arena, r, km_pg_pool_made(db->pool));
}

bool km_pg_lease_unchanged(struct km_pg_lease *l)
{
    l->hopeful = false;
    if (!l->state.n || !km_str_eq(l->state, l->v.seen))
        return false;
    l->v.pure = l->v.seen_pure;
    return true;
}

static void take_cost(struct km_pg_lease *l, const struct km_pg_result *r)
{
    struct km_err err = { 0 };

    if (km_pg_cost_take(l->arena, r, l->db->args.limits.cost, &l->v, &err) < 0)
        km_pg_lease_fail(l, &err);
}

static void mark(struct km_pg_lease *l, unsigned what)
{
    km_pg_conn_mark(l->conn, km_pg_conn_marks(l->conn) | what);
}

/* What comes before the statement when all is sent at once. */
static void take_sure(struct km_pg_lease *l, unsigned step, enum km_pg_told told,
                      const struct km_pg_result *r)
{
    bool anchor = step + 1 == l->statement_step;

    if (told == KM_PG_ERROR && anchor &&
        km_str_eq(km_pg_error_field(r, 'C'), KM_STR(KM_PG_NOT_SURE))) {
        l->missed = true;
        km_pg_unchanged_missed(&l->db->unchanged);
    } else if (told == KM_PG_ERROR) {
        take_error(l, step, r);
    } else if (told == KM_PG_END && anchor) {
        take_state(l, r);
    } else if (told == KM_PG_END && step + 1 == l->prepare_step && l->v.pure) {
        mark(l, KM_PG_HAS_ANCHOR); /* DISCARD ALL would take it away again */
    }
}

/* ROLLBACK, and DISCARD ALL, which is refused while the transaction is open. */
static void take_read(struct km_pg_lease *l, unsigned step, enum km_pg_told told,
                      const struct km_pg_result *r)
{
    if (step < l->statement_step) {
        take_sure(l, step, told, r);
    } else if (step == l->statement_step) {
        take_statement(l, step, told, r);
    } else {
        if (step == l->statement_step + 1 && told != KM_PG_SKIPPED)
            l->open = false;
        if (told != KM_PG_END && !l->open)
            l->clean = false;
    }
}

static void take_close(struct km_pg_lease *l, unsigned step, enum km_pg_told told,
                       const struct km_pg_result *r)
{
    if (step == 0 && l->committing)
        l->settled = told == KM_PG_END && km_str_eq(km_pg_tag(r), KM_STR("COMMIT"));
    if (step == 0 && l->committing && told == KM_PG_ERROR)
        take_error(l, step, r); /* a deferred constraint, a conflict of serialization */
    if (told != KM_PG_END && !(step == 0 && l->committing))
        l->clean = false;
}

/* The statement, and DISCARD ALL. */
static void take_outside(struct km_pg_lease *l, unsigned step, enum km_pg_told told,
                         const struct km_pg_result *r)
{
    if (step > 0) {
        l->clean = l->clean && told == KM_PG_END;
        return;
    }
    take_statement(l, step, told, r);
    if (told == KM_PG_ERROR && !l->out.hint.n)
        l->out.hint = KM_STR("it did not run in a transaction: an index that is left invalid is "
                             "taken away by DROP INDEX CONCURRENTLY");
}

/* The count goes on from earlier transactions of the session, so its difference is ours. */
static void take_write(struct km_pg_lease *l, unsigned step, enum km_pg_told told,
                       const struct km_pg_result *r)
{
    bool counts = step == 0 || step == 3;
    int64_t n = 0;

    if (step == 1)
        take_statement(l, step, told, r);
    else if (told == KM_PG_ERROR)
        take_error(l, step, r);
    else if (counts && told == KM_PG_END && km_pg_rows(r) == 1 &&
             km_str_i64(km_pg_value(r, 0, 0), &n) == 0)
        l->changed = n - l->changed;
}

static struct km_str part(struct km_pg_lease *l, const struct km_pg_result *r, char field)
{
    return km_arena_str(l->arena, km_utf8_cut(km_pg_error_field(r, field), KM_PG_NOTICE_BYTES));
}

/* Of the statement alone: our own steps around it warn of nothing that is the caller's. */
void km_pg_lease_note(void *ctx, unsigned step, const struct km_pg_result *r)
{
    struct km_pg_lease *l = ctx;
    bool its = (l->flight == KM_PG_READ && step == l->statement_step) ||
               (l->flight == KM_PG_WRITE && step == 1) || (l->flight == KM_PG_OUTSIDE && step == 0);

    if (!its || l->request->own || l->out.nnotices == KM_PG_NOTICES)
        return;
    if (!l->notices)
        l->notices = km_arena_alloc(l->arena, KM_PG_NOTICES * sizeof *l->notices);
    if (!l->notices)
        return;
    l->notices[l->out.nnotices++] =
        (struct km_pg_notice){ part(l, r, 'V'), part(l, r, 'M'), part(l, r, 'H') };
    l->out.notices = l->notices;
}

void km_pg_lease_take(void *ctx, unsigned step, enum km_pg_told told, const struct km_pg_result *r)
{
    struct km_pg_lease *l = ctx;
    bool looks_up = l->flight == KM_PG_OPEN || l->flight == KM_PG_LOOKUP;

    if (l->flight == KM_PG_POSTURE && step == KM_PG_ROLE_STEP)
        km_pg_lease_take_role(l, told, r);
    else if ((looks_up || l->flight == KM_PG_BEFORE || l->flight == KM_PG_COST ||
              l->flight == KM_PG_EMPTIES || l->flight == KM_PG_COUNT || l->flight == KM_PG_LEAVE) &&
             told == KM_PG_ERROR)
        take_error(l, step, r);
    else if (l->flight == KM_PG_OUTSIDE)
        take_outside(l, step, told, r);
    else if (l->flight == KM_PG_EMPTIES && told == KM_PG_END && km_pg_value(r, 0, 0).n)
        l->count_sql = km_arena_cstr(l->arena, km_pg_value(r, 0, 0));
    else if (l->flight == KM_PG_COUNT && told == KM_PG_END &&
             km_str_i64(km_pg_value(r, 0, 0), &l->emptied) < 0)
        l->emptied = INT64_MAX; /* unknown is too many */
    else if (l->flight == KM_PG_COST && told == KM_PG_END)
        take_cost(l, r);
    else if (l->flight == KM_PG_OPEN && told == KM_PG_END && step == ANCHOR)
        take_state(l, r);
    else if (looks_up && told == KM_PG_END && step + 1 == l->prepare_step)
        mark(l, KM_PG_HAS_LOOKUP);
    else if (looks_up && told == KM_PG_END && step + 1 == l->lookup_step)
        take_lookup(l, r);
    else if (l->flight == KM_PG_WRITE)
        take_write(l, step, told, r);
    else if (l->flight == KM_PG_READ)
        take_read(l, step, told, r);
    else if (l->flight == KM_PG_CLOSE)
        take_close(l, step, told, r);
}
