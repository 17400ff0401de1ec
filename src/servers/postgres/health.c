/* SPDX-License-Identifier: Apache-2.0 */
/* health.c - what can be wrong with a database, a row a check; see health.h.
 *
 *     row ── its query ── findings: severity, value, threshold, evidence, fix
 *
 * Thresholds stand in the queries, which give them back, so that a reader sees what was compared.
 * What compares indexes is long and stands in health_index.c.  A fix is SQL to read first, never
 * run here.  Nothing needs more than pg_monitor; tools_health.c says where the role has less.
 */
#include "servers/postgres/health.h"

#define SINCE_RESET "since statistics were reset"
#define USER_TABLES                                                                                \
    "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'"
#define NAME(oid) oid "::regclass::text"

/* pg_stats tells the columns of a table to whoever may read all of it, past its policies. */
#define STATS_SHOWN(oid)                                                                           \
    "(has_table_privilege(" oid ", 'SELECT') AND NOT row_security_active(" oid "))"
#define LARGE "104857600" /* bytes: less is no bloat worth a lock */

/* --- what they see --- */

const struct km_pg_coverage km_pg_covers_stats = {
    NULL, "sessions and statements of other roles: GRANT pg_monitor to this role"
};
static const struct km_pg_coverage all = { NULL, NULL };
static const struct km_pg_coverage sequences = {
    "SELECT count(*) FILTER (WHERE q.seen) AS seen, count(*) AS total, count(*) FILTER (WHERE NOT "
    "q.seen) AS hidden FROM (SELECT has_sequence_privilege(c.oid, 'SELECT,USAGE') AS seen FROM "
    "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND "
    USER_TABLES ") q",
    "values of sequences: GRANT SELECT ON ALL SEQUENCES IN SCHEMA ... to this role",
};
static const struct km_pg_coverage tables = {
    "SELECT count(*) FILTER (WHERE q.seen AND q.known) AS seen, count(*) AS total, count(*) FILTER "
    "(WHERE NOT q.seen) AS hidden FROM (SELECT " STATS_SHOWN("c.oid") " AS seen, EXISTS (SELECT 1 "
    "FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname) AS known FROM "
    "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm') AND "
    "pg_relation_size(c.oid) > " LARGE " AND " USER_TABLES ") q",
    "statistics of large tables: GRANT SELECT on them to this role, and ANALYZE those without any",
};
static const struct km_pg_coverage indexes = {
    "SELECT count(*) FILTER (WHERE q.seen) AS seen, count(*) AS total, count(*) FILTER (WHERE NOT "
    "q.seen) AS hidden FROM (SELECT " STATS_SHOWN("i.indrelid") " AS seen FROM pg_index i JOIN "
    "pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am m "
    "ON m.oid = c.relam WHERE m.amname = 'btree' AND pg_relation_size(c.oid) > " LARGE
    " AND " USER_TABLES ") q",
    "statistics of large tables: GRANT SELECT on them to this role",
};

/* --- the checks --- */

const struct km_pg_check km_pg_checks[] = {
    { "connections", "connection",
      "SELECT CASE WHEN u > 0.95 THEN 'critical' ELSE 'warning' END AS severity, round(u, 3) AS "
      "value, 0.8 AS threshold, jsonb_build_object('used', n, 'available', most, 'by_state', "
      "(SELECT jsonb_object_agg(coalesce(state, 'none'), c) FROM (SELECT state, count(*) c FROM "
      "pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1) q), 'by_application', "
      "(SELECT jsonb_object_agg(application_name, c) FROM (SELECT application_name, count(*) c "
      "FROM "
      "pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1 ORDER BY 2 DESC LIMIT 10) "
      "q)) AS evidence, NULL AS fix FROM (SELECT n, most, n::numeric / most AS u FROM (SELECT "
      "count(*) n, current_setting('max_connections')::int - "
      "current_setting('superuser_reserved_connections')::int AS most FROM pg_stat_activity "
      "WHERE backend_type = 'client backend') a) b WHERE u > 0.8",
      "now", &km_pg_covers_stats, 0, 0 },
    { "idle_in_transaction", "connection",
      "SELECT CASE WHEN age > 3600 THEN 'critical' ELSE 'warning' END AS severity, round(age) AS "
      "value, 300 AS threshold, jsonb_build_object('pid', pid, 'user', usename, 'application', "
      "application_name, 'state', state) AS evidence, format('SELECT pg_terminate_backend(%s);', "
      "pid) AS fix FROM (SELECT *, extract(epoch FROM clock_timestamp() - state_change)::numeric "
      "AS "
      "age FROM pg_stat_activity WHERE state LIKE 'idle in transaction%') a WHERE age > 300 "
      "ORDER BY age DESC",
      "now", &km_pg_covers_stats, 0, 0 },
    { "long_transactions", "transaction",
      "SELECT CASE WHEN age > 14400 THEN 'critical' ELSE 'warning' END AS severity, round(age) AS "
      "value, 900 AS threshold, jsonb_build_object('pid', pid, 'user', usename, 'application', "
      "application_name, 'state', state) AS evidence, format('SELECT pg_cancel_backend(%s);', pid) "
      "AS fix FROM (SELECT *, extract(epoch FROM clock_timestamp() - xact_start)::numeric AS age "
      "FROM pg_stat_activity WHERE backend_type = 'client backend') a WHERE age > 900 "
      "ORDER BY age DESC",
      "now", &km_pg_covers_stats, 0, 0 },
    { "old_snapshots", "transaction",
      "SELECT CASE WHEN held > 100000000 THEN 'critical' ELSE 'warning' END AS severity, held AS "
      "value, 10000000 AS threshold, jsonb_build_object('holder', holder, 'what', what) AS "
      "evidence, "
      "fix FROM (SELECT 'session' AS holder, pid::text AS what, age(backend_xmin) AS held, "
      "format('SELECT pg_cancel_backend(%s);', pid) AS fix FROM pg_stat_activity "
      "UNION ALL SELECT 'replication slot', slot_name, greatest(age(xmin), age(catalog_xmin)), "
      "format('SELECT pg_drop_replication_slot(%L);', slot_name) FROM pg_replication_slots "
      "UNION ALL SELECT 'prepared transaction', gid, age(transaction), format('ROLLBACK PREPARED "
      "%L;', gid) FROM pg_prepared_xacts UNION ALL SELECT 'standby', application_name, "
      "age(backend_xmin), NULL FROM pg_stat_replication) h WHERE held > 10000000 ORDER BY held "
      "DESC",
      "now", &km_pg_covers_stats, 0, 0 },
    { "wraparound_database", "vacuum",
      "SELECT CASE WHEN greatest(x, m) > 1500000000 THEN 'critical' ELSE 'warning' END AS "
      "severity, "
      "greatest(x, m) AS value, most AS threshold, jsonb_build_object('database', datname, "
      "'transaction_ids', x, 'multixact_ids', m, 'left', 2146483648 - greatest(x, m)) AS evidence, "
      "'VACUUM (FREEZE);' AS fix FROM (SELECT datname, age(datfrozenxid)::int8 AS x, "
      "mxid_age(datminmxid)::int8 AS m, current_setting('autovacuum_freeze_max_age')::int8 AS fx, "
      "current_setting('autovacuum_multixact_freeze_max_age')::int8 AS fm, "
      "current_setting('autovacuum_freeze_max_age')::int8 AS most FROM pg_database) d "
      "WHERE x > fx * 1.1 OR m > fm * 1.1",
      "now", &all, 0, 0 },
    { "wraparound_table", "vacuum",
      "SELECT CASE WHEN x > 1500000000 THEN 'critical' ELSE 'warning' END AS severity, x AS value, "
      "most AS threshold, jsonb_build_object('table', name, 'multixact_ids', m) AS evidence, "
      "format('VACUUM (FREEZE) %s;', name) AS fix FROM (SELECT " NAME("c.oid") " AS name, "
      "greatest(age(c.relfrozenxid), age(t.relfrozenxid))::int8 AS x, mxid_age(c.relminmxid)::int8 "
      "AS m, current_setting('autovacuum_freeze_max_age')::int8 AS most FROM pg_class c LEFT JOIN "
      "pg_class t ON t.oid = c.reltoastrelid WHERE c.relkind IN ('r', 'm')) q WHERE x > most * 1.1 "
      "ORDER BY x DESC",
      "now", &all, 0, 0 },
    { "vacuum_lag", "vacuum",
      "SELECT 'warning' AS severity, dead AS value, round(bound) AS threshold, "
      "jsonb_build_object('table', name, 'live_rows', live, 'last_autovacuum', last) AS evidence, "
      "format('VACUUM (ANALYZE) %s;', name) AS fix FROM (SELECT " NAME("s.relid") " AS name, "
      "s.n_dead_tup AS dead, s.n_live_tup AS live, greatest(s.last_vacuum, s.last_autovacuum) AS "
      "last, current_setting('autovacuum_vacuum_threshold')::numeric + "
      "current_setting('autovacuum_vacuum_scale_factor')::numeric * greatest(c.reltuples, "
      "0)::numeric "
      "AS bound FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid) q "
      "WHERE dead > bound * 1.5 AND dead > 1000 ORDER BY dead DESC",
      SINCE_RESET, &all, 0, 0 },
    { "autovacuum_workers", "vacuum",
      "SELECT 'warning' AS severity, n AS value, most AS threshold, jsonb_build_object('workers', "
      "n) "
      "AS evidence, format('ALTER SYSTEM SET autovacuum_max_workers = %s;', most * 2) AS fix "
      "FROM (SELECT count(*) AS n, current_setting('autovacuum_max_workers')::int AS most "
      "FROM pg_stat_activity WHERE backend_type = 'autovacuum worker') q WHERE n >= most",
      "now", &km_pg_covers_stats, 0, 0 },
    { "bloat_table", "bloat",
      "SELECT CASE WHEN waste > 10737418240 THEN 'critical' ELSE 'warning' END AS severity, "
      "round(waste) AS value, 104857600 AS threshold, jsonb_build_object('table', name, 'bytes', "
      "bytes, 'toast_bytes', toast, 'wasted_fraction', round(waste / bytes, 3), 'estimated', "
      "true) AS "
      "evidence, format('VACUUM FULL %s; -- locks the table; or pg_repack', name) AS fix FROM "
      "(SELECT "
      NAME("c.oid") " AS name, pg_relation_size(c.oid)::numeric AS bytes, CASE WHEN "
      "c.reltoastrelid "
      "<> 0 THEN pg_relation_size(c.reltoastrelid) END AS toast, pg_relation_size(c.oid)::numeric "
      "- "
      "ceil(c.reltuples::numeric * (28 + (SELECT coalesce(sum(s.avg_width * (1 - s.null_frac)), 0) "
      "FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname)::numeric) / "
      "(8168 * "
      "coalesce((SELECT substr(o, 12)::numeric / 100 FROM unnest(c.reloptions) o WHERE o LIKE "
      "'fillfactor=%'), 1))) * 8192 AS waste FROM pg_class c JOIN pg_namespace n ON n.oid = "
      "c.relnamespace WHERE c.relkind IN ('r', 'm') AND c.reltuples > 0 AND " USER_TABLES
      " AND " STATS_SHOWN("c.oid") " AND EXISTS (SELECT 1 FROM pg_stats s WHERE s.schemaname = "
      "n.nspname AND s.tablename = c.relname)) q WHERE waste > 104857600 AND waste > bytes * 0.4 "
      "ORDER BY waste DESC",
      "at the last ANALYZE", &tables, 0, 0 },
    { "bloat_index", "bloat",
      "SELECT 'warning' AS severity, round(waste) AS value, 104857600 AS threshold, "
      "jsonb_build_object('index', name, 'bytes', bytes, 'wasted_fraction', round(waste / bytes, "
      "3), "
      "'estimated', true) AS evidence, format('REINDEX INDEX CONCURRENTLY %s;', name) AS fix FROM ("
      "SELECT " NAME("c.oid") " AS name, pg_relation_size(c.oid)::numeric AS bytes, "
      "pg_relation_size(c.oid)::numeric - ceil(c.reltuples::numeric * (20 + (SELECT coalesce(sum("
      "s.avg_width), 8) FROM pg_attribute a JOIN pg_stats s ON s.schemaname = n.nspname AND "
      "s.tablename "
      "= t.relname AND s.attname = a.attname WHERE a.attrelid = t.oid AND a.attnum = ANY "
      "(i.indkey))"
      "::numeric) / (8152 * 0.9)) * 8192 AS waste FROM pg_index i JOIN pg_class c ON c.oid = "
      "i.indexrelid JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = "
      "t.relnamespace JOIN pg_am m ON m.oid = c.relam WHERE m.amname = 'btree' AND i.indexprs IS "
      "NULL "
      "AND c.reltuples > 0 AND " USER_TABLES " AND " STATS_SHOWN("t.oid")
      ") q WHERE waste > 104857600 AND waste > bytes * 0.5 "
      "ORDER BY waste DESC",
      "at the last ANALYZE", &indexes, 0, 0 },
    { "index_invalid", "index",
      "SELECT 'warning' AS severity, 1 AS value, 0 AS threshold, jsonb_build_object('index', "
      NAME("i.indexrelid") ", 'table', " NAME("i.indrelid") ", 'definition', "
      "pg_get_indexdef(i.indexrelid)) AS evidence, format('DROP INDEX CONCURRENTLY %s; -- then "
      "create it again', " NAME("i.indexrelid") ") AS fix FROM pg_index i WHERE NOT i.indisvalid "
      "AND NOT EXISTS (SELECT 1 FROM pg_stat_progress_create_index p "
      "WHERE p.index_relid = i.indexrelid) AND NOT EXISTS (SELECT 1 FROM pg_class c "
      "WHERE c.oid = i.indexrelid AND c.relkind = 'I')",
      "now", &all, 0, 0 },
    { "index_duplicate", "index", km_pg_health_duplicate_sql, "now", &all, 0, 0 },
    { "index_redundant", "index", km_pg_health_redundant_sql, "now", &all, 0, 0 },
    { "index_unused", "index", km_pg_health_unused_sql, SINCE_RESET, &all, 0, 0 },
    { "foreign_key_without_index", "index", km_pg_health_foreign_key_sql, "now", &all, 0, 0 },
    { "sequential_scans", "index",
      "SELECT 'info' AS severity, seq_tup_read AS value, 10000000 AS threshold, jsonb_build_object("
      "'table', " NAME("relid") ", 'sequential_scans', seq_scan, 'index_scans', idx_scan, 'rows', "
      "n_live_tup) AS evidence, NULL AS fix FROM pg_stat_user_tables WHERE n_live_tup > 10000 AND "
      "seq_tup_read > 10000000 AND seq_scan > coalesce(idx_scan, 0) ORDER BY seq_tup_read DESC",
      SINCE_RESET, &all, 0, 0 },
    { "cache_hit", "memory",
      "SELECT 'warning' AS severity, round(hit, 4) AS value, 0.95 AS threshold, jsonb_build_object("
      "'hits', blks_hit, 'reads', blks_read, 'since', " KM_PG_COUNTED_SINCE
      ") AS evidence, NULL AS fix FROM ("
      "SELECT *, blks_hit::numeric / nullif(blks_hit + blks_read, 0) AS hit FROM pg_stat_database "
      "WHERE datname = current_database()) q WHERE hit < 0.95 AND blks_hit + blks_read > 100000",
      SINCE_RESET, &all, 0, 0 },
    { "database_counters", "memory",
      "SELECT CASE WHEN q.name = 'checksum_failures' THEN 'critical' ELSE 'info' END AS severity, "
      "q.value, 0 AS threshold, jsonb_build_object('counter', q.name, 'since', " KM_PG_COUNTED_SINCE
      ") AS evidence, NULL AS fix FROM pg_stat_database d CROSS JOIN LATERAL (VALUES "
      "('checksum_failures', "
      "coalesce(d.checksum_failures, 0)), ('deadlocks', d.deadlocks), ('temp_bytes', CASE WHEN "
      "d.temp_bytes > 1073741824 THEN d.temp_bytes ELSE 0 END)) q(name, value) WHERE d.datname = "
      "current_database() AND q.value > 0",
      SINCE_RESET, &all, 0, 0 },
    { "checkpoints", "write",
      "SELECT 'warning' AS severity, round(part, 3) AS value, 0.3 AS threshold, jsonb_build_object("
      "'requested', checkpoints_req, 'timed', checkpoints_timed, 'backend_writes', "
      "buffers_backend) AS "
      "evidence, 'ALTER SYSTEM SET max_wal_size = ''4GB'';' AS fix FROM (SELECT *, "
      "checkpoints_req::numeric / nullif(checkpoints_req + checkpoints_timed, 0) AS part FROM "
      "pg_stat_bgwriter) q WHERE part > 0.3 AND checkpoints_req > 20",
      SINCE_RESET, &all, 0, 170000 },
    { "checkpoints", "write",
      "SELECT 'warning' AS severity, round(part, 3) AS value, 0.3 AS threshold, jsonb_build_object("
      "'requested', num_requested, 'timed', num_timed) AS evidence, 'ALTER SYSTEM SET "
      "max_wal_size = "
      "''4GB'';' AS fix FROM (SELECT *, num_requested::numeric / nullif(num_requested + "
      "num_timed, 0) "
      "AS part FROM pg_stat_checkpointer) q WHERE part > 0.3 AND num_requested > 20",
      SINCE_RESET, &all, 170000, 0 },
    { "sequence_exhaustion", "sequence",
      "SELECT CASE WHEN used > 0.9 THEN 'critical' ELSE 'warning' END AS severity, round(used, 3) "
      "AS value, 0.75 AS threshold, jsonb_build_object('sequence', name, 'last_value', last_value, "
      "'most', most, 'column', owner) AS evidence, fix FROM (SELECT n.name, s.last_value, "
      "CASE WHEN s.increment_by > 0 THEN least(s.max_value, o.most) ELSE greatest(s.min_value, "
      "-o.most - 1) END AS most, o.owner, coalesce(o.fix, CASE WHEN s.data_type IN "
      "('int2'::regtype, 'int4'::regtype) THEN n.widen END) AS fix, CASE WHEN s.increment_by > 0 "
      "THEN s.last_value::numeric / nullif(least(s.max_value, o.most), 0) WHEN s.last_value < 0 "
      "THEN s.last_value::numeric / nullif(greatest(s.min_value, -o.most - 1), 0) END AS used "
      "FROM pg_sequences s CROSS JOIN LATERAL (SELECT "
      "format('%I.%I', s.schemaname, s.sequencename) AS name, format('ALTER SEQUENCE %I.%I AS "
      "bigint;', s.schemaname, s.sequencename) AS widen) n LEFT JOIN LATERAL "
      "(SELECT d.refobjid::regclass || '.' || a.attname AS owner, CASE a.atttypid WHEN 21 THEN "
      "32767 WHEN 23 THEN 2147483647 END::int8 AS most, CASE WHEN a.atttypid IN (21, 23) THEN "
      /* an identity's sequence changes with its column, a serial's does not */
      "format('ALTER TABLE %s ALTER COLUMN %I TYPE bigint;%s -- rewrites the table', "
      "d.refobjid::regclass, a.attname, CASE d.deptype WHEN 'a' THEN ' ' || n.widen ELSE '' END) "
      "END AS fix FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = "
      "d.refobjsubid WHERE d.classid = 'pg_class'::regclass AND d.objid = (SELECT c.oid FROM "
      "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = s.schemaname AND "
      "c.relname = s.sequencename) AND d.deptype IN ('a', 'i') LIMIT 1) o ON true "
      "WHERE NOT s.cycle) q WHERE used > 0.75 ORDER BY used DESC",
      "now", &sequences, 0, 0 },
    { "replication", "replication",
      "SELECT CASE WHEN bytes > 10737418240 THEN 'critical' ELSE 'warning' END AS severity, bytes "
      "AS "
      "value, 268435456 AS threshold, jsonb_build_object('standby', application_name, 'state', "
      "state, "
      "'sync', sync_state, 'lag_seconds', round(extract(epoch FROM replay_lag)::numeric, 1)) AS "
      "evidence, NULL AS fix FROM (SELECT *, pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN "
      "pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, replay_lsn) AS bytes FROM "
      "pg_stat_replication) q WHERE bytes > 268435456 OR state <> 'streaming'",
      "now", &km_pg_covers_stats, 0, 0 },
    { "replication_slots", "replication",
      "SELECT CASE WHEN wal_status IN ('lost', 'unreserved') OR bytes > 53687091200 THEN "
      "'critical' "
      "ELSE 'warning' END AS severity, bytes AS value, 1073741824 AS threshold, jsonb_build_object("
      "'slot', slot_name, 'type', slot_type, 'active', active, 'wal_status', wal_status) AS "
      "evidence, "
      "format('SELECT pg_drop_replication_slot(%L);', slot_name) AS fix FROM (SELECT *, "
      "pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE "
      "pg_current_wal_lsn() END, restart_lsn) AS bytes FROM pg_replication_slots) q WHERE NOT "
      "active "
      "OR bytes > 1073741824 OR wal_status IN ('lost', 'unreserved')",
      "now", &all, 0, 0 },
    { "archiver", "replication",
      "SELECT 'critical' AS severity, failed_count AS value, 0 AS threshold, jsonb_build_object("
      "'last_failed_wal', last_failed_wal, 'last_failed', last_failed_time, 'last_archived', "
      "last_archived_time) AS evidence, NULL AS fix FROM pg_stat_archiver WHERE last_failed_time > "
      "coalesce(last_archived_time, '-infinity')",
      SINCE_RESET, &all, 0, 0 },
    { "constraint_not_validated", "schema",
      "SELECT 'warning' AS severity, 1 AS value, 0 AS threshold, jsonb_build_object('table', "
      NAME("conrelid") ", 'constraint', conname) AS evidence, format('ALTER TABLE %s VALIDATE "
      "CONSTRAINT %I;', " NAME("conrelid") ", conname) AS fix FROM pg_constraint "
      "WHERE NOT convalidated AND conrelid <> 0",
      "now", &all, 0, 0 },
    { "trigger_disabled", "schema",
      "SELECT 'warning' AS severity, 1 AS value, 0 AS threshold, jsonb_build_object('table', "
      NAME("tgrelid") ", 'trigger', tgname, 'internal', tgisinternal) AS evidence, format('ALTER "
      "TABLE %s ENABLE TRIGGER %I;', " NAME("tgrelid") ", tgname) AS fix FROM pg_trigger "
      "WHERE tgenabled = 'D'",
      "now", &all, 0, 0 },
    { "no_primary_key", "schema",
      "SELECT 'info' AS severity, greatest(c.reltuples, 0)::int8 AS value, 0 AS threshold, "
      "jsonb_build_object('table', " NAME("c.oid") ") AS evidence, NULL AS fix FROM pg_class c "
      "JOIN "
      "pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND NOT "
      "c.relispartition AND c.relpersistence <> 't' AND " USER_TABLES " AND NOT EXISTS (SELECT 1 "
      "FROM "
      "pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) ORDER BY 2 DESC",
      "now", &all, 0, 0 },
    { "never_analyzed", "schema",
      "SELECT 'warning' AS severity, n_live_tup AS value, 1000 AS threshold, jsonb_build_object("
      "'table', " NAME("relid") ", 'changed', n_mod_since_analyze) AS evidence, format('ANALYZE "
      "%s;', "
      NAME("relid") ") AS fix FROM pg_stat_user_tables WHERE last_analyze IS NULL AND "
      "last_autoanalyze IS NULL AND n_live_tup > 1000 ORDER BY n_live_tup DESC",
      SINCE_RESET, &all, 0, 0 },
    { "row_security_off", "security",
      "SELECT CASE WHEN p.n > 0 THEN 'warning' ELSE 'info' END AS severity, p.n AS value, 0 AS "
      "threshold, jsonb_build_object('table', " NAME("c.oid") ", 'policies', p.n, 'readable_by', "
      "'public') AS evidence, format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', " NAME("c.oid")
      ") AS fix FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL ("
      "SELECT count(*) AS n FROM pg_policy o WHERE o.polrelid = c.oid) p WHERE c.relkind IN ('r', "
      "'p') "
      "AND NOT c.relrowsecurity AND " USER_TABLES " AND (p.n > 0 OR EXISTS (SELECT 1 FROM "
      "aclexplode(c.relacl) a WHERE a.grantee = 0 AND a.privilege_type IN ('SELECT', 'UPDATE')))",
      "now", &all, 0, 0 },
    { "security_definer_path", "security",
      "SELECT 'warning' AS severity, 1 AS value, 0 AS threshold, jsonb_build_object('function', "
      "p.oid::regprocedure::text) AS evidence, format('ALTER FUNCTION %s SET search_path = "
      "pg_catalog, pg_temp;', p.oid::regprocedure) AS fix FROM pg_proc p JOIN pg_namespace n ON "
      "n.oid "
      "= p.pronamespace WHERE p.prosecdef AND " USER_TABLES " AND NOT EXISTS (SELECT 1 FROM "
      "unnest(p.proconfig) c WHERE c LIKE 'search_path=%') AND NOT EXISTS (SELECT 1 FROM "
      "pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')",
      "now", &all, 0, 0 },
    { "public_may_create", "security",
      "SELECT 'warning' AS severity, 1 AS value, 0 AS threshold, jsonb_build_object('schema', "
      "n.nspname) AS evidence, format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC;', n.nspname) AS fix "
      "FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a WHERE a.grantee = 0 AND "
      "a.privilege_type = 'CREATE'",
      "now", &all, 0, 0 },
    { "settings", "settings",
      "SELECT q.severity, s.setting AS value, q.wanted AS threshold, jsonb_build_object('setting', "
      "s.name, 'unit', s.unit, 'why', q.why) AS evidence, CASE WHEN q.fix <> '' THEN format('ALTER "
      "SYSTEM SET %s = %s;', s.name, q.fix) END AS fix FROM pg_settings s JOIN (VALUES "
      "('fsync', 'off', 'critical', 'on', 'a crash destroys the cluster', 'on'), "
      "('full_page_writes', 'off', 'critical', 'on', 'a crash may tear pages', 'on'), "
      "('autovacuum', 'off', 'critical', 'on', 'dead rows stay, and ids run out', 'on'), "
      "('track_counts', 'off', 'critical', 'on', 'autovacuum works by these counts', 'on'), "
      "('track_io_timing', 'off', 'info', 'on', 'plans and statements say no time of reading', "
      "'on'), "
      "('shared_buffers', '16384', 'info', 'a quarter of memory', 'it is the default of 128 MiB', "
      "''), "
      "('random_page_cost', '4', 'info', '1.1 on SSD', 'the default is for turning disks', '1.1'), "
      "('synchronous_commit', 'off', 'info', 'on', 'the last commits may be lost in a crash', '')) "
      "AS q(name, bad, severity, wanted, why, fix) ON q.name = s.name AND q.bad = s.setting "
      "UNION ALL SELECT 'warning', round(w.bytes / 1073741824, 1)::text, "
      "'memory of the machine', jsonb_build_object('setting', 'work_mem', 'why', "
      "'work_mem times max_connections, in GiB, could be asked for at once'), NULL FROM (SELECT "
      "pg_size_bytes(current_setting('work_mem'))::numeric * "
      "current_setting('max_connections')::int AS "
      "bytes) w WHERE w.bytes > 34359738368",
      "now", &all, 0, 0 },
    { "temporary_files", "settings",
      "SELECT 'info' AS severity, current_setting('temp_file_limit') AS value, 'a bound' AS "
      "threshold, jsonb_build_object('setting', 'temp_file_limit', 'role', current_user, 'why', "
      "'sorts and joins of this role may fill the disk, so many at once as it has connections; no "
      "setting bounds the memory of one value') AS evidence, format('ALTER ROLE %I SET "
      "temp_file_limit = ''2GB'';', current_user) AS fix WHERE current_setting('temp_file_limit') "
      "= '-1'",
      "now", &all, 0, 0 },
    { "blocked_sessions", "lock",
      "SELECT CASE WHEN age > 300 THEN 'critical' ELSE 'warning' END AS severity, round(age) AS "
      "value, "
      "10 AS threshold, jsonb_build_object('pid', pid, 'user', usename, 'blocked_by', by) AS "
      "evidence, "
      "format('SELECT pg_terminate_backend(%s);', by[1]) AS fix FROM (SELECT pid, usename, "
      "pg_blocking_pids(pid) AS by, extract(epoch FROM clock_timestamp() - query_start)::numeric "
      "AS "
      "age FROM pg_stat_activity WHERE wait_event_type = 'Lock') q WHERE cardinality(by) > 0 AND "
      "age > "
      "10 ORDER BY age DESC",
      "now", &km_pg_covers_stats, 0, 0 },
    { "extension_behind", "schema",
      "SELECT 'info' AS severity, installed_version AS value, default_version AS threshold, "
      "jsonb_build_object('extension', name) AS evidence, format('ALTER EXTENSION %I UPDATE;', "
      "name) "
      "AS fix FROM pg_available_extensions WHERE installed_version <> default_version",
      "now", &all, 0, 0 },
};

const size_t km_pg_nchecks = sizeof km_pg_checks / sizeof km_pg_checks[0];
