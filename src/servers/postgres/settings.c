/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - rows of `postgres` in an entry of mcp_servers; see settings.h.
 *
 * Everything that lets more through has a default that lets nothing: the mode reads only, no
 * function beyond the known ones may be called.  An unknown key refuses to load: a misspelt `mode`
 * or `max_affected` would be no limit at all.  Numbers of connections are of the whole process.
 */
#include "servers/postgres/settings.h"

#include "mcp/upstream/upstream.h"

#define AT(member) offsetof(struct km_pg_settings, member)
#define MS(key, member, value, least, text)                                                        \
    { .name = key, .type = KM_SET_MS, .offset = AT(member), .def = value, .min = least,            \
      .max = INT64_C(86400000), .help = text }
#define COUNT(key, member, value, least, most, text)                                               \
    { .name = key, .type = KM_SET_INT, .offset = AT(member), .def = value, .min = least,           \
      .max = most, .help = text }

static const char *const modes[] = { "read-only", "dml", "ddl", "admin", NULL };
static const char *const most_modes[] = { "mode", "read-only", "dml", "ddl", "admin", NULL };
static const char *const poolers[] = { "none", "transaction", NULL };

static const struct km_setting rows[] = {
    { .name = "dsn", .type = KM_SET_SECRET, .offset = AT(dsn),
      .help = "Which database: `postgresql://user@host/name?sslmode=verify-full`, or "
              "`host=... dbname=...`. Several hosts are tried in order." },
    { .name = "password", .type = KM_SET_SECRET, .offset = AT(password),
      .help = "Of the role, where the dsn has none." },
    { .name = "password_file", .type = KM_SET_STR, .offset = AT(password_file),
      .help = "A file with the password and nothing else, read anew for each connection; a "
              "`passfile` of PostgreSQL's own form goes into the dsn." },
    { .name = "mode", .type = KM_SET_ENUM, .offset = AT(mode), .def = "read-only",
      .choices = modes,
      .help = "What statements may do: `dml` changes rows, `ddl` tables, indexes, views and types "
              "too, `admin` may end what other sessions run." },
    { .name = "max_mode", .type = KM_SET_ENUM, .offset = AT(max_mode), .def = "mode",
      .choices = most_modes,
      .help = "The most that a key's `object_permission.mcp_modes` may give instead of `mode`." },
    COUNT("max_rows", max_rows, "1000", 1, 1000000, "Rows of a result."),
    { .name = "max_bytes", .type = KM_SET_BYTES, .offset = AT(max_bytes), .def = "1MiB",
      .min = 4096, .max = 3 * 1024 * 1024, .help = "Of a result's JSON." },
    COUNT("max_affected", max_affected, "1000", 0, INT64_C(1) << 40,
          "Rows a statement may change; more is rolled back."),
    COUNT("max_cost", max_cost, "0", 0, INT64_C(1) << 52,
          "What the planner may expect of a statement, in its own units (a page read in order is "
          "1): it is asked before the statement runs, and more is refused. 0: any."),
    MS("statement_timeout", statement_ms, "30s", 1,
       "How long a statement may run; a call may ask for less. The caller has its answer then, "
       "whatever the database does."),
    MS("lock_timeout", lock_ms, "5s", 1, "How long a statement may wait for a lock."),
    MS("idle_timeout", idle_tx_ms, "60s", 1000,
       "The database ends a transaction that we leave idle for so long."),
    MS("connect_timeout", connect_ms, "10s", 1,
       "How long connecting may take. Of several addresses each but the last has its part of that, "
       "a second at least."),
    COUNT("pool_max", pool_most, "8", 1, 1000,
          "Connections at most, divided between the workers, at least one each."),
    COUNT("pool_min", pool_least, "0", 0, 1000,
          "Connections kept ready from the start on, divided as `pool_max` is; 0: each is made "
          "when a call needs it."),
    MS("pool_idle", pool_idle_ms, "5min", 1000,
       "An unused connection is closed after so long, beyond `pool_min`."),
    MS("pool_lifetime", pool_lifetime_ms, "1h", 1000, "Any connection is, between two calls."),
    COUNT("queue", queue, "100", 0, 10000, "Calls that may wait for a connection."),
    MS("queue_timeout", queue_ms, "10s", 1, "How long they may."),
    { .name = "pooler", .type = KM_SET_ENUM, .offset = AT(pooler), .def = "none",
      .choices = poolers,
      .help = "`transaction`: between kanmon and the database stands a pooler that lends a session "
              "for one transaction (PgBouncer); nothing is left to a session then." },
    MS("slow_query", slow_ms, "1s", 0,
       "A statement that took longer is logged, by its fingerprint and its text without values; 0: "
       "none is."),
    { .name = "allow_functions", .type = KM_SET_STR_LIST, .offset = AT(functions),
      .help = "More functions that may be called, as `schema.name`; what they do is yours." },
    { .name = "definitions", .type = KM_SET_STR, .offset = AT(definitions),
      .help = "A file with tools, resources, prompts and query processors of your own." },
    { 0 },
};

static const struct km_settings_table entry_table = { .rows = rows,
                                                      .size = sizeof(struct km_pg_settings),
                                                      .extra = SIZE_MAX };

static const struct km_setting part = {
    .name = "postgres", .type = KM_SET_TABLE, .table = &entry_table, .flags = KM_SET_SAFETY,
    .help = "Of `builtin: postgres`: the database and what may be done there."
};

const struct km_settings_table km_pg_own_table = { .section = "kanmon_settings.pg",
                                                   .rows = rows,
                                                   .size = sizeof(struct km_pg_settings),
                                                   .extra = SIZE_MAX,
                                                   .flags = KM_SET_SAFETY,
                                                   .part = &part,
                                                   .under = &km_mcp_entry_table };
