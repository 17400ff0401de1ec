/* SPDX-License-Identifier: Apache-2.0 */
/* tools_activity.c - what goes on right now, and what took the time: sessions, locks, statements.
 *
 *     list_activity, list_locks      one query of our own each
 *     top_queries                    where is pg_stat_statements? ── a query of it
 *     cancel_query, terminate_backend   mode admin: a signal to one client's session
 *
 * Texts of other sessions are shown without their literals, for these are data (texts.h).  What
 * the role may not see is counted, so that an empty list is never taken for silence.
 */
#include "servers/postgres/texts.h"

#define SESSION(a)                                                                                 \
    "'pid', " a ".pid, 'user', " a ".usename, 'database', " a ".datname, 'application', "          \
    a ".application_name, 'state', " a ".state, 'transaction_seconds', "                           \
    "round(extract(epoch FROM clock_timestamp() - " a ".xact_start)::numeric, 1), "                \
    "'query_seconds', round(extract(epoch FROM clock_timestamp() - " a ".query_start)::numeric, "  \
    "1), 'wait', " a ".wait_event_type || ': ' || " a ".wait_event, 'query', " a ".query"
#define HIDDEN                                                                                     \
    "'hidden_by_privilege', (SELECT count(*) FROM pg_stat_activity h WHERE "                       \
    "h.query = '<insufficient privilege>')"

static int list_activity(struct km_mcp_call *call, struct km_err *err)
{
    static const char *const names[] = { "state", "limit" };
    static const char *const sql[] = {
        "SELECT json_build_object('sessions', coalesce((SELECT json_agg(s.j) FROM (SELECT "
        "json_build_object(" SESSION("a"),
        ", 'backend_type', a.backend_type, 'client', host(a.client_addr), 'blocked_by', "
        "pg_blocking_pids(a.pid)) AS j FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() "
        "AND ($1::text IS NULL OR a.state = $1) AND (a.backend_type = 'client backend' "
        "OR a.state IS NOT NULL) ORDER BY a.state = 'active' DESC NULLS LAST, "
        "a.xact_start NULLS LAST LIMIT coalesce($2::int, 100)) s), '[]'), 'total', "
        "(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), "
        "'max_connections', current_setting('max_connections')::int, " HIDDEN ")",
        NULL,
    };

    return km_pg_ask(call, sql, names, 2, km_pg_answer_texts, err);
}

static int list_locks(struct km_mcp_call *call, struct km_err *err)
{
    static const char *const names[] = { "limit" };
    static const char *const sql[] = {
        "WITH RECURSIVE w AS (SELECT a.pid, b.by FROM pg_stat_activity a CROSS JOIN LATERAL "
        "unnest(pg_blocking_pids(a.pid)) AS b(by)), roots AS (SELECT DISTINCT by AS pid FROM w "
        "WHERE by NOT IN (SELECT pid FROM w)), tree AS (SELECT r.pid AS root, r.pid, 0 AS depth "
        "FROM roots r UNION SELECT t.root, w.pid, t.depth + 1 FROM tree t JOIN w ON w.by = t.pid "
        "WHERE t.depth < 20) "
        "SELECT json_build_object('blocking', coalesce((SELECT json_agg(json_build_object("
        "'root', t.root, 'depth', t.depth, " SESSION("a"),
        ", 'waits_for', (SELECT json_build_object('mode', l.mode, 'kind', l.locktype, 'relation', "
        "l.relation::regclass::text) FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted LIMIT 1)"
        ") ORDER BY t.root, t.depth, t.pid) FROM tree t JOIN pg_stat_activity a ON a.pid = t.pid), "
        "'[]'), 'locks', coalesce((SELECT json_agg(x) FROM (SELECT l.pid, l.locktype AS kind, "
        "l.relation::regclass::text AS relation, l.mode, l.granted FROM pg_locks l "
        "WHERE l.pid <> pg_backend_pid() AND (l.database IS NULL OR l.database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())) "
        "AND (l.locktype <> 'virtualxid' OR NOT l.granted) ORDER BY l.granted, l.pid "
        "LIMIT coalesce($1::int, 100)) x), '[]'), " HIDDEN ")",
        NULL,
    };

    return km_pg_ask(call, sql, names, 1, km_pg_answer_texts, err);
}

/* --- top_queries --- */

static const char *const where_sql[] = {
    "SELECT to_json((SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n "
    "ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'))",
    NULL,
};

/* @schema@: that of pg_stat_statements.  Columns that came or went are read through jsonb. */
static const char top_sql[] =
    "WITH s AS MATERIALIZED (SELECT q.*, to_jsonb(q) AS j FROM @schema@.pg_stat_statements q "
    "WHERE q.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())), "
    "t AS (SELECT nullif(sum(total_exec_time), 0) AS time, "
    "nullif(sum(shared_blks_hit + shared_blks_read), 0) AS touched, "
    "nullif(sum(shared_blks_read), 0) AS read, nullif(sum(shared_blks_dirtied), 0) AS dirtied, "
    "nullif(sum((j->>'wal_bytes')::numeric), 0) AS wal FROM s), "
    "f AS (SELECT s.*, total_exec_time / t.time AS part_time, "
    "(shared_blks_hit + shared_blks_read) / t.touched AS part_touched, "
    "shared_blks_read / t.read AS part_read, shared_blks_dirtied / t.dirtied AS part_dirtied, "
    "(j->>'wal_bytes')::numeric / t.wal AS part_wal FROM s, t), "
    "o AS (SELECT f.*, CASE $1 WHEN 'mean_time' THEN mean_exec_time WHEN 'calls' THEN calls "
    "WHEN 'rows' THEN rows WHEN 'io' THEN shared_blks_read WHEN 'temp' THEN temp_blks_written "
    "WHEN 'resources' THEN greatest(part_time, part_touched, part_read, part_dirtied, part_wal) "
    "ELSE total_exec_time END AS by FROM f) "
    "SELECT json_build_object('queries', coalesce((SELECT json_agg(x.j) FROM (SELECT "
    "json_build_object('query_id', o.queryid::text, 'query', left(o.query, 8000), 'user', "
    "pg_get_userbyid(o.userid), 'calls', o.calls, 'rows', o.rows, 'total_ms', "
    "round(o.total_exec_time::numeric, 3), 'mean_ms', round(o.mean_exec_time::numeric, 3), "
    "'max_ms', round(o.max_exec_time::numeric, 3), 'stddev_ms', "
    "round(o.stddev_exec_time::numeric, 3), 'cache_hit_fraction', "
    "round(o.shared_blks_hit::numeric / nullif(o.shared_blks_hit + o.shared_blks_read, 0), 4), "
    "'blocks_read', o.shared_blks_read, 'temp_blocks_written', o.temp_blks_written, 'wal_bytes', "
    "(o.j->>'wal_bytes')::numeric, 'fraction', json_build_object('time', "
    "round(o.part_time::numeric, 4), 'blocks', round(o.part_touched::numeric, 4), 'read', "
    "round(o.part_read::numeric, 4), 'dirtied', round(o.part_dirtied::numeric, 4), 'wal', "
    "round(o.part_wal::numeric, 4))) AS j FROM o WHERE coalesce($1, '') <> 'resources' "
    "OR o.by > 0.05 ORDER BY o.by DESC NULLS LAST LIMIT coalesce($2::int, 10)) x), '[]'), "
    "'statements', (SELECT count(*) FROM s), 'hidden_by_privilege', (SELECT count(*) FROM s "
    "WHERE query = '<insufficient privilege>'))";

static int on_where(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    static const char *const names[] = { "sort_by", "limit" };
    struct km_arena *arena = task->call->arena;
    struct km_str value = km_pg_task_value(task), schema;
    struct km_pg_request request;
    const struct km_json *name;
    const char *pieces[2] = { NULL, NULL };

    (void)o;
    if (!value.n || km_json_parse(arena, value, &name, NULL) < 0 || !km_json_string(name, &schema))
        return km_fail(err, KM_E_UNSUPPORTED,
                       "top_queries needs the extension pg_stat_statements: put it into "
                       "shared_preload_libraries, restart, then CREATE EXTENSION "
                       "pg_stat_statements");
    pieces[0] = km_pg_with_schema(arena, top_sql, schema);
    if (km_pg_request_own(task->call, pieces, names, 2, &request, err) < 0)
        return KM_E_INVALID;
    task->answer = km_pg_answer_texts;
    return km_pg_task_again(task, &request, err);
}

static int top_queries(struct km_mcp_call *call, struct km_err *err)
{
    struct km_pg_task *task = km_pg_task_new(call, err);

    if (!task || km_pg_request_own(call, where_sql, NULL, 0, &task->request, err) < 0)
        return KM_E_NOMEM;
    task->answer = on_where;
    return km_pg_task_start(task, err);
}

/* --- signals --- */

static int answer_signal(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    if (!km_pg_task_value(task).n && !task->table.truncated)
        return km_fail(
            err, KM_E_NOT_FOUND,
            "no client's session has this pid in this cluster: list_activity shows them");
    return km_pg_answer_texts(task, o, err);
}

static int signal_backend(struct km_mcp_call *call, const char *function, struct km_err *err)
{
    static const char *const names[] = { "pid" };
    struct km_pg_task *task = km_pg_task_new(call, err);
    const char *const sql[] = {
        "SELECT (SELECT json_build_object('signalled', ", function,
        "(a.pid), " SESSION("a") ") FROM pg_stat_activity a WHERE a.pid = $1::int "
        "AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid())",
        NULL,
    };

    if (!task || km_pg_request_own(call, sql, names, 1, &task->request, err) < 0)
        return KM_E_NOMEM;
    task->answer = answer_signal;
    return km_pg_task_start(task, err);
}

static int cancel_query(struct km_mcp_call *call, struct km_err *err)
{
    return signal_backend(call, "pg_cancel_backend", err);
}

static int terminate_backend(struct km_mcp_call *call, struct km_err *err)
{
    return signal_backend(call, "pg_terminate_backend", err);
}

#define PID                                                                                        \
    KM_PG_JSON({"type": "object", "required": ["pid"], "additionalProperties": false,              \
        "properties": {"pid": {"type": "integer", "minimum": 1}}})
#define SIGNALLED                                                                                  \
    KM_PG_JSON({"type": "object", "required": ["pid", "signalled"], "properties": {                \
        "pid": {"type": "integer"}, "signalled": {"type": "boolean"}}})

static const struct km_pg_row rows[] = {
    { .tool = {
        .name = KM_PG_TEXT("top_queries"),
        .title = KM_PG_TEXT("Statements that take most"),
        .description = KM_PG_TEXT(
            "Lists the statements that took most since statistics were reset, by total or mean "
            "time, calls, rows, blocks read, temporary blocks, or any resource of which a "
            "statement "
            "took over 5 %. Needs pg_stat_statements."),
        .input = KM_PG_TEXT(KM_PG_JSON({"type": "object", "additionalProperties": false,
            "properties": {
                "sort_by": {"type": "string", "enum": ["total_time", "mean_time", "calls", "rows",
                    "io", "temp", "resources"]},
                "limit": {"type": "integer", "minimum": 1, "maximum": 100}}})),
        .output = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["queries"], "properties": {
            "queries": {"type": "array", "items": {"type": "object"}},
            "hidden_by_privilege": {"type": "integer"}}})),
        .run = top_queries } },
    { .tool = {
        .name = KM_PG_TEXT("list_activity"),
        .title = KM_PG_TEXT("Sessions right now"),
        .description = KM_PG_TEXT(
            "Lists the sessions of the server: what they do, since when, what they wait for, who "
            "blocks them. Statements are shown without their literals."),
        .input = KM_PG_TEXT(KM_PG_JSON({"type": "object", "additionalProperties": false,
            "properties": {"state": {"type": "string", "enum": ["active", "idle",
                    "idle in transaction", "idle in transaction (aborted)"]},
                "limit": {"type": "integer", "minimum": 1, "maximum": 500}}})),
        .output = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["sessions"],
            "properties": {"sessions": {"type": "array", "items": {"type": "object"}},
                "hidden_by_privilege": {"type": "integer"}}})),
        .run = list_activity } },
    { .tool = {
        .name = KM_PG_TEXT("list_locks"),
        .title = KM_PG_TEXT("Locks and who waits"),
        .description = KM_PG_TEXT(
            "Shows who blocks whom, from the session at the root down, and the locks that are held "
            "or waited for in this database."),
        .input = KM_PG_TEXT(KM_PG_JSON({"type": "object", "additionalProperties": false,
            "properties": {"limit": {"type": "integer", "minimum": 1, "maximum": 1000}}})),
        .output = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["blocking", "locks"],
            "properties": {"blocking": {"type": "array", "items": {"type": "object"}},
                "locks": {"type": "array", "items": {"type": "object"}}}})),
        .run = list_locks } },
    { .tool = {
        .name = KM_PG_TEXT("cancel_query"),
        .title = KM_PG_TEXT("Cancel a statement"),
        .description = KM_PG_TEXT("Ends what another client's session runs; the session stays."),
        .input = KM_PG_TEXT(PID),
        .output = KM_PG_TEXT(SIGNALLED),
        .run = cancel_query }, .does = KM_PG_DESTROYS, .mode = KM_PG_ADMIN },
    { .tool = {
        .name = KM_PG_TEXT("terminate_backend"),
        .title = KM_PG_TEXT("End a session"),
        .description = KM_PG_TEXT("Ends another client's session; its transaction is rolled back."),
        .input = KM_PG_TEXT(PID),
        .output = KM_PG_TEXT(SIGNALLED),
        .run = terminate_backend }, .does = KM_PG_DESTROYS, .mode = KM_PG_ADMIN },
};

const struct km_pg_rows km_pg_tools_activity = { rows, sizeof rows / sizeof rows[0] };
