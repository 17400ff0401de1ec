/* SPDX-License-Identifier: Apache-2.0 */
/* unchanged.h - private to the lease: is the catalogue what it was when names were looked up? */
#ifndef KM_SERVERS_POSTGRES_UNCHANGED_H
#define KM_SERVERS_POSTGRES_UNCHANGED_H

#include "base/arena.h"
#include "pg/conn.h"

#define KM_PG_STATE 512 /* bytes of a state; one that is longer is not relied on */

/* Columns of the anchor that tell it, found by their names: what is missing is not relied on.  The
 * server's part is empty where it could not be relied on. */
#define KM_PG_STATE_PATH "kanmon_path"
#define KM_PG_STATE_SERVER "kanmon_state"
#define KM_PG_STATE_SQL                                                                            \
    "CASE WHEN pg_catalog.pg_is_in_recovery() THEN '' ELSE pg_catalog.concat_ws(' ', "             \
    "pg_catalog.pg_postmaster_start_time(), pg_catalog.pg_current_snapshot()) END "                \
    "AS " KM_PG_STATE_SERVER

/* What one database said last. */
struct km_pg_unchanged {
    char last[KM_PG_STATE];
    size_t n;
    bool steady; /* twice the same */
    uint64_t since_ms; /* monotonic; it is what it is */
    uint64_t calm_ms; /* it must have been that long before km_pg_unchanged_sure(); 0: the least */
};

/* The state as the anchor's row has it; made: connections that were made so far.  In the arena;
 * empty: not to be relied on. */
struct km_str km_pg_unchanged_take(struct km_pg_unchanged *u, struct km_arena *arena,
                                   const struct km_pg_result *anchor, uint64_t made);
/* Is it likely that the next anchor says so? */
bool km_pg_unchanged_likely(const struct km_pg_unchanged *u, struct km_str state);
/* Is it so likely that the statement can be sent along, behind an anchor that fails otherwise?
 * Then what km_pg_anchor_sure is to find; empty: no. */
struct km_str km_pg_unchanged_sure(const struct km_pg_unchanged *u, struct km_str state,
                                   uint64_t made);
/* It failed. */
void km_pg_unchanged_missed(struct km_pg_unchanged *u);

#endif
