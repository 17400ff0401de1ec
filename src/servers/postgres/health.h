/* SPDX-License-Identifier: Apache-2.0 */
/* health.h - private to the server: the checks of analyze_health, as data. */
#ifndef KM_SERVERS_POSTGRES_HEALTH_H
#define KM_SERVERS_POSTGRES_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

/* What of its objects a check sees. */
struct km_pg_coverage {
    const char *sql; /* one row: seen, total, and of the rest `hidden`, by privileges; NULL: it sees
                      * all of them, or those of pg_monitor */
    const char *grant; /* what lets it see them; NULL: the catalogue, which anybody sees */
};

/* A check is a query with a row a finding: severity ("critical", "warning", "info"), value,
 * threshold, evidence (jsonb), fix (text of SQL, or null).  No row: all is well, where all was
 * seen. */
struct km_pg_check {
    const char *name, *group;
    const char *sql;
    const char *window; /* what its numbers are about */
    const struct km_pg_coverage *covers;
    int from, before; /* server versions (150000); 0: any */
};

/* Whoever sees all of pg_stat_activity and its like (tools_health.c asks) sees all of it. */
extern const struct km_pg_coverage km_pg_covers_stats;

extern const struct km_pg_check km_pg_checks[];
extern const size_t km_pg_nchecks;

/* Since when a database's counters count: until one resets them, from the first start of the server
 * or its last crash on, as the counters of the whole server.  They outlive a restart. */
#define KM_PG_COUNTED_SINCE                                                                        \
    "coalesce((SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()), "     \
    "(SELECT least(b.stats_reset, a.stats_reset) FROM pg_stat_bgwriter b, pg_stat_archiver a), "   \
    "pg_postmaster_start_time())"

/* Queries of the table that health_index.c has. */
extern const char km_pg_health_duplicate_sql[], km_pg_health_redundant_sql[],
    km_pg_health_unused_sql[], km_pg_health_foreign_key_sql[];

#endif
