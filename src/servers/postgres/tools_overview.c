/* SPDX-License-Identifier: Apache-2.0 */
/* tools_overview.c - database_overview: the database at a glance, and settings of one group.
 *
 * One query of our own.  Settings are those that SHOW may tell (secrets.c): no path, no connection,
 * nothing of an application; which group one is in says the server's own category.
 */
#include "servers/postgres/functions.h"
#include "servers/postgres/tools.h"

#define SETTINGS_BYTES ((size_t)32 * 1024)

static const char *const overview_sql[] = {
    "SELECT json_strip_nulls(json_build_object('version', current_setting('server_version'), "
    "'database', current_database(), 'role', current_user, "
    "'bytes', pg_database_size(current_database()), "
    "'up_since', pg_postmaster_start_time(), 'standby', pg_is_in_recovery(), "
    "'encoding', current_setting('server_encoding'), 'time_zone', current_setting('TimeZone'), "
    "'connections', (SELECT json_build_object('now', count(*), 'active', "
    "count(*) FILTER (WHERE a.state = 'active'), 'most', "
    "current_setting('max_connections')::int) FROM pg_stat_activity a "
    "WHERE a.backend_type = 'client backend'), "
    "'schemas', (SELECT coalesce(json_object_agg(x.nspname, x.n ORDER BY x.nspname), '{}') FROM ("
    "SELECT n.nspname, count(c.oid) AS n FROM pg_namespace n LEFT JOIN pg_class c "
    "ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition "
    "WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' "
    "AND has_schema_privilege(n.oid, 'USAGE') GROUP BY n.nspname LIMIT 200) x), "
    "'extensions', (SELECT coalesce(json_object_agg(e.extname, e.extversion ORDER BY e.extname), "
    "'{}') FROM pg_extension e), ",
    "'since_statistics_were_reset', (SELECT json_build_object('since', d.stats_reset, "
    "'commits', d.xact_commit, 'rollbacks', d.xact_rollback, 'cache_hits', round("
    "d.blks_hit::numeric / nullif(d.blks_hit + d.blks_read, 0), 4), 'rows_read', d.tup_fetched, "
    "'rows_written', d.tup_inserted + d.tup_updated + d.tup_deleted, 'temporary_bytes', "
    "d.temp_bytes, 'deadlocks', d.deadlocks) FROM pg_stat_database d "
    "WHERE d.datname = current_database()), "
    "'settings', (SELECT coalesce(json_agg(json_build_object('name', s.name, 'value', "
    "current_setting(s.name), 'default', CASE WHEN s.setting IS DISTINCT FROM s.boot_val "
    "THEN s.boot_val || coalesce(' (in ' || s.unit || ')', '') END, 'does', s.short_desc) "
    "ORDER BY s.name), '[]') FROM pg_settings s WHERE s.name = ANY ($2::text[]) "
    "AND CASE $1::text WHEN 'timeouts' THEN s.name ~ '_timeout$' ELSE s.category ~ CASE $1 "
    "WHEN 'memory' THEN '^Resource Usage / (Memory|Disk)' "
    "WHEN 'autovacuum' THEN '^(Autovacuum|Vacuuming)' WHEN 'planner' THEN '^Query Tuning' "
    "WHEN 'wal' THEN '^(Write-Ahead Log|Replication)' END "
    "OR ($1 = 'autovacuum' AND s.name ~ '^vacuum_') END HAVING $1::text IS NOT NULL)))",
    NULL,
};

static int database_overview(struct km_mcp_call *call, struct km_err *err)
{
    static const char *const names[] = { "settings" };
    struct km_buf list KM_CLEANUP(km_buf_done) = KM_BUF(SETTINGS_BYTES);
    struct km_pg_task *task = km_pg_task_new(call, err);
    const char **values = km_arena_zalloc(call->arena, 2 * sizeof *values);

    km_buf_byte(&list, '{');
    km_pg_settings_list(&list);
    km_buf_byte(&list, '}');
    if (!task || !values || km_buf_failed(&list))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (km_pg_request_own(call, overview_sql, names, 1, &task->request, err) < 0)
        return KM_E_INVALID;
    values[0] = task->request.values[0];
    values[1] = km_arena_cstr(call->arena, km_buf_view(&list));
    task->request.values = values;
    task->request.nparams = 2;
    task->answer = km_pg_answer_value;
    return km_pg_task_start(task, err);
}

static const struct km_pg_row rows[] = {
    { .tool = {
        .name = KM_PG_TEXT("database_overview"),
        .title = KM_PG_TEXT("Database at a glance"),
        .description = KM_PG_TEXT("Version, size, schemas, extensions, connections and counters; "
            "with settings, those of a group too."),
        .input = KM_PG_TEXT(KM_PG_JSON({"type": "object", "additionalProperties": false,
            "properties": {"settings": {"type": "string",
                "enum": ["memory", "autovacuum", "planner", "wal", "timeouts"]}}})),
        .output = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["version", "database"]})),
        .run = database_overview } },
};

const struct km_pg_rows km_pg_tools_overview = { rows, sizeof rows / sizeof rows[0] };
