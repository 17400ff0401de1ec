/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - what is configured of a PostgreSQL database that kanmon serves.
 *
 * The rows stand below `postgres` of an entry of mcp_servers; and once more as kanmon_settings.pg,
 * where each is a variable too (KANMON_PG_MAX_ROWS) and most a flag of `kanmon mcp postgres`: what
 * that command serves, and an entry that says nothing of its own.
 */
#ifndef KM_SERVERS_POSTGRES_SETTINGS_H
#define KM_SERVERS_POSTGRES_SETTINGS_H

#include <stdbool.h>

#include "base/setting.h"

struct km_pg_settings {
    struct km_str dsn, password, password_file;
    int64_t mode, max_mode; /* enum km_pg_mode; max_mode: one more, 0 is as mode */
    int64_t max_rows, max_bytes, max_affected, max_cost;
    int64_t statement_ms, lock_ms, idle_tx_ms;
    int64_t connect_ms, pool_least, pool_most, pool_idle_ms, pool_lifetime_ms;
    int64_t queue, queue_ms;
    int64_t pooler; /* 0: none, 1: transaction */
    int64_t slow_ms;
    struct km_str_list functions;
    struct km_str definitions;
};

extern const struct km_settings_table km_pg_own_table; /* kanmon_settings.pg */

#endif
