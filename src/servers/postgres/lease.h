/* SPDX-License-Identifier: Apache-2.0 */
/* lease.h - a database on a loop, and the one way a statement gets to it.
 *
 *     guard ──> connection ──> BEGIN READ ONLY, anchor, look-up ──> statement, ROLLBACK, reset
 *                              (one round trip)                     (one round trip)
 *
 * A statement that only reads ends in ROLLBACK whatever happened.  One that writes is sent alone;
 * when the rows it changed are within the cap it is committed, else rolled back.  After a lease
 * the session is as it was: DISCARD ALL, which a pure statement does not need, or a closed
 * connection.
 */
#ifndef KM_SERVERS_POSTGRES_LEASE_H
#define KM_SERVERS_POSTGRES_LEASE_H

#include "servers/postgres/guard.h"
#include "servers/postgres/parse.h"
#include "pg/pool.h"

struct km_pg_db;
struct km_pg_lease;
struct km_pg_typenames;

struct km_pg_limits {
    int64_t rows; /* of a result */
    int64_t bytes; /* of a result's JSON */
    int64_t affected; /* rows a statement may change */
    int64_t cost; /* what the planner may expect of a statement; 0: anything */
    uint64_t statement_ms; /* the ceiling of a call's own */
    uint64_t lock_ms;
};

struct km_pg_db_args {
    const char *dsn;
    const char *password, *password_file; /* NULL: the dsn's, or libpq's own places */
    enum km_pg_mode mode;
    const struct km_pg_named *functions; /* allow_functions; outlive the database */
    size_t nfunctions;
    struct km_pg_limits limits;
    unsigned connections, queue;
    unsigned ready; /* connections that are made before anybody asks; at most `connections` */
    uint64_t queue_ms, connect_ms, idle_ms, lifetime_ms, idle_tx_ms;
    uint64_t slow_ms; /* a statement that takes longer is logged (meter.h); 0: none is */
    bool pooled; /* a pooler lends a session for one transaction */
    bool strict; /* read-only, and reachable from elsewhere: a role that can write is refused */
    struct km_log *log; /* NULL: nothing is said */
    struct km_str name; /* for the log */
    /* For the tests that show which layer holds: what is left out.  A database that serves
     * anybody has none of them set. */
    bool without_guard, without_lookup, without_read_only, without_rollback;
};

int km_pg_db_new(struct km_loop *loop, const struct km_pg_db_args *args, struct km_pg_db **ret_db,
                 struct km_err *err) KM_MUST_USE;
struct km_pg_db *km_pg_db_free(struct km_pg_db *db); /* no lease runs */
const struct km_pg_db_args *km_pg_db_args_of(const struct km_pg_db *db);
/* The guard's verdict alone, in the database's mode. */
int km_pg_db_judge(const struct km_pg_db *db, struct km_arena *arena, struct km_str sql,
                   struct km_pg_verdict *ret, struct km_err *err) KM_MUST_USE;
const struct km_pg_parser *km_pg_db_parser(const struct km_pg_db *db); /* its guard's */
struct km_pg_typenames *km_pg_db_typenames(const struct km_pg_db *db); /* its own types' */
struct km_pg_pool_stats km_pg_db_pool(const struct km_pg_db *db); /* as it is now */

#define KM_PG_NOTICES 20 /* of one statement; what comes beyond is dropped */
#define KM_PG_NOTICE_BYTES 1000 /* a longer one is cut */

struct km_pg_notice {
    struct km_str severity, message, hint; /* "WARNING", ... */
};

/* What a statement asks for.  Everything it points to stays until on_end. */
struct km_pg_request {
    struct km_str sql;
    bool own; /* our own text: not judged, never a caller's */
    struct km_str narrowed; /* what is narrowed for the caller, as narrow.h says; empty: nothing */
    unsigned nparams;
    const char *const *values; /* text; NULL: null */
    const unsigned *types; /* oids; NULL: all are inferred */
    uint64_t timeout_ms; /* 0: the ceiling */
    /* Our own texts that run first, in the same transaction; nobody reads their rows. */
    const struct km_pg_step *before;
    unsigned nbefore;
    bool alone; /* on a connection nobody else gets afterwards: what `before` left dies with it */
    bool dry; /* rolled back whatever it did; affected is told all the same */
    bool capped; /* affected_most is a cap below the limit's own */
    int64_t affected_most;
};

struct km_pg_outcome {
    const struct km_err *err; /* no connection, no answer, no memory */
    const struct km_pg_verdict *refused; /* by the guard or the look-up */
    /* the server's error: SQLSTATE is empty where there is none */
    struct km_str sqlstate, message, detail, hint;
    int position; /* character of the text that came, from 1; 0: none */
    const struct km_pg_notice *notices; /* what the server said beside it */
    size_t nnotices;
    struct km_str tag; /* "SELECT 5" */
    int64_t affected;
    bool looked_up; /* the catalogue was asked */
    bool cut; /* on_result had enough */
    bool unknown; /* the answer to COMMIT was lost: it may have happened.  What is lost after it
                     is the session alone */
    bool over_cap; /* rolled back: it would have changed more than the cap */
    uint64_t elapsed_us;
    /* Where the time went: judging, waiting for a connection, on it. */
    uint64_t guard_ns, pool_ns, database_ns;
    const char *fingerprint; /* of the statement; "": it is our own, or none */
};

struct km_pg_lease_events {
    /* A row, or the end with its columns.  false: enough, the rest is cancelled; or, where the
     * statement writes, goes untold: half a change is none. */
    bool (*on_result)(void *ctx, const struct km_pg_result *r);
    /* Once, not from inside km_pg_lease_new(). */
    void (*on_end)(void *ctx, const struct km_pg_outcome *o);
};

/* In the arena, which must outlive on_end.  NULL: out of memory, nothing follows. */
struct km_pg_lease *km_pg_lease_new(struct km_pg_db *db, struct km_arena *arena,
                                    const struct km_pg_request *request,
                                    const struct km_pg_lease_events *events, void *ctx);
/* As the outcome's, but at once. */
const char *km_pg_lease_fingerprint(const struct km_pg_lease *lease);
/* Asks the server to stop; on_end comes as ever.  Not after on_end. */
void km_pg_lease_cancel(struct km_pg_lease *lease);
/* Ends it at once, with its connection; on_end does not come.  Not after on_end. */
void km_pg_lease_drop(struct km_pg_lease *lease);

#endif
