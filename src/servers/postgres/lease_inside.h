/* SPDX-License-Identifier: Apache-2.0 */
/* lease_inside.h - private to the lease: the database, one lease, and what its files share.
 *
 *     lease.c ─────> lease_role.c      may it run here at all
 *       │  └───────> lease_fly.c       what is sent, flight by flight
 *       └──────────> lease_take.c      what comes back
 *     lease_db.c                       what all leases of a database share
 */
#ifndef KM_SERVERS_POSTGRES_LEASE_INSIDE_H
#define KM_SERVERS_POSTGRES_LEASE_INSIDE_H

#include "base/buf.h"
#include "servers/postgres/lease.h"
#include "servers/postgres/posture.h"
#include "servers/postgres/unchanged.h"
#include "servers/postgres/verdicts.h"

#define KM_PG_SLACK_MS 250 /* from the server's own time-out to ours: its word is on the way */
#define KM_PG_GRACE_MS 3000 /* from cancel to cut */

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
    struct km_pg_unchanged unchanged; /* the catalogue */
    struct km_pg_typenames *typenames;
};

#define KM_PG_NARROWED_NONE 2 /* bytes of a request's empty list */

enum { KM_PG_HAS_LOOKUP = 1, KM_PG_HAS_ANCHOR = 2 }; /* marks of a connection: what is prepared */

/* Which statements are in the air: see lease.c. */
enum km_pg_flight {
    KM_PG_WAITING,
    KM_PG_POSTURE,
    KM_PG_OPEN,
    KM_PG_LOOKUP,
    KM_PG_BEFORE,
    KM_PG_EMPTIES,
    KM_PG_COUNT,
    KM_PG_COST,
    KM_PG_READ,
    KM_PG_LEAVE,
    KM_PG_OUTSIDE,
    KM_PG_AGAIN,
    KM_PG_WRITE,
    KM_PG_CLOSE,
    KM_PG_OVER
};

struct km_pg_lease {
    struct km_pg_db *db;
    struct km_arena *arena;
    const struct km_pg_request *request;
    const struct km_pg_lease_events *events;
    void *ctx;
    struct km_pg_verdict v;
    struct km_pg_wait wait;
    struct km_pg_conn *conn;
    enum km_pg_flight flight;
    struct km_pg_step steps[9];
    unsigned lookup_step, prepare_step; /* of OPEN and LOOKUP, from 1; 0: none */
    unsigned statement_step; /* of READ, from 0: what is before it is the anchor's */
    struct km_str state; /* of the catalogue; empty: not to be relied on */
    bool hopeful; /* the look-up was left out of OPEN */
    const char *anchor_values[3], *lookup_values[2];
    char statement_ms[24], lock_ms[24];
    struct km_timer timer;
    struct km_deferred ended; /* of what never left */
    int shift; /* of COST: places are so many characters later */
    uint64_t began_ns;
    bool typed; /* the caller says of what type a parameter is */
    bool overdue; /* COMMIT is; it was cancelled */
    bool abandoned; /* what runs on the connection is nobody's any more */
    bool clean; /* the session is as it was */
    bool open; /* READ: the transaction has not ended */
    bool guard_pure; /* v.pure before it was the look-up's */
    bool missed; /* the state was another than READ's anchor wanted: once more, from OPEN */
    bool committing;
    bool settled; /* it was committed: what is lost afterwards is only the session */
    bool enough; /* on_result wants no more */
    bool cancelled; /* nobody wants it: nothing more of it is sent */
    int64_t changed; /* rows, triggers and cascades included */
    const char *count_sql; /* counts what TRUNCATE or DROP takes away; NULL: nothing does */
    const char *empties_values[3];
    char empties_most[24];
    int64_t emptied;
    uint64_t database_ns; /* when it got its connection; 0: it has none */
    struct km_pg_notice *notices; /* KM_PG_NOTICES, once there is one */
    struct km_pg_outcome out;
    struct km_err err;
};

/* lease.c */
extern const struct km_pg_conn_events km_pg_lease_on;
/* The reason it ends with; a copy is kept. */
void km_pg_lease_fail(struct km_pg_lease *l, const struct km_err *err);
/* Nothing was sent: it ends later, with the reason in l->err. */
void km_pg_lease_give_up(struct km_pg_lease *l);
/* How long the server may take for one statement, in milliseconds. */
uint64_t km_pg_lease_time(const struct km_pg_lease *l);
/* A statement is sent that may take so long, or least_ms where that is more. */
void km_pg_lease_clock(struct km_pg_lease *l, uint64_t least_ms);

/* lease_role.c */
#define KM_PG_ROLE_STEP 2 /* of POSTURE: the one that asks */
bool km_pg_lease_role_known(const struct km_pg_lease *l); /* or nothing hangs on it */
bool km_pg_lease_role_refused(struct km_pg_lease *l); /* l->err says why */
void km_pg_lease_take_role(struct km_pg_lease *l, enum km_pg_told told,
                           const struct km_pg_result *r);
/* A session whose texts would be read otherwise than the guard reads them is not used. */
bool km_pg_lease_readable(struct km_pg_lease *l);

/* lease_fly.c: each sends a flight; what cannot be sent ends the lease, later. */
void km_pg_fly(struct km_pg_lease *l, enum km_pg_flight flight, const struct km_pg_step *steps,
               unsigned nsteps);
void km_pg_fly_role(struct km_pg_lease *l);
void km_pg_fly_open(struct km_pg_lease *l);
void km_pg_fly_lookup(struct km_pg_lease *l); /* OPEN left it out, and was wrong */
bool km_pg_lease_costs(const struct km_pg_lease *l); /* the planner is to be asked first */
void km_pg_fly_cost(struct km_pg_lease *l);
bool km_pg_lease_empties(const struct km_pg_lease *l); /* rows are to be counted first */
void km_pg_fly_empties(struct km_pg_lease *l);
void km_pg_fly_count(struct km_pg_lease *l); /* EMPTIES gave a count_sql */
bool km_pg_lease_over(struct km_pg_lease *l); /* by what was counted; the outcome says so */
void km_pg_fly_leave(
    struct km_pg_lease *l); /* the transaction, for a statement that runs in none */
void km_pg_fly_outside(struct km_pg_lease *l);
void km_pg_fly_statement(struct km_pg_lease *l);
void km_pg_fly_close(struct km_pg_lease *l); /* a write came back: the cap decides */
void km_pg_fly_rollback(struct km_pg_lease *l); /* nothing of the caller's ran */
void km_pg_fly_again(struct km_pg_lease *l); /* READ missed */

/* lease_take.c */
/* The look-up was left out, and would say what it said: then the verdict is as it was then. */
bool km_pg_lease_unchanged(struct km_pg_lease *l);
void km_pg_lease_take(void *ctx, unsigned step, enum km_pg_told told, const struct km_pg_result *r);
/* What the server says beside the statement's result. */
void km_pg_lease_note(void *ctx, unsigned step, const struct km_pg_result *r);

#endif
