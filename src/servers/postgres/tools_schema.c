/* SPDX-License-Identifier: Apache-2.0 */
/* tools_schema.c - what a model asks before it asks anything: schemas, tables, columns, keys.
 *
 * Each tool is one query of our own that gives one JSON value, with the caller's words bound as
 * parameters.  Names are compared as they are written in the catalogue, so mixed case and any
 * schema are found.  Only what the role may use is told of: a schema without USAGE is not shown.
 */
#include "servers/postgres/tools.h"

static int answer_value(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_str rows = km_buf_view(&task->table.rows);

    (void)o;
    if (task->table.truncated)
        return km_fail(err, KM_E_LIMIT, "the answer is too large: ask for less of it");
    if (task->table.nrows != 1 || rows.n < 2 || km_str_eq(rows, KM_STR("[null]")))
        return km_fail(err, KM_E_NOT_FOUND,
                       "no such table, or no privilege to see it: list_objects and search_objects "
                       "find names");
    km_mcp_call_result(task->call, km_str_sub(rows, 1, rows.n - 2));
    return 0;
}

static int ask(struct km_mcp_call *call, const char *sql, const char *const *names, size_t n,
               struct km_err *err)
{
    struct km_pg_task *task = km_pg_task_new(call, err);
    const char **values = km_arena_zalloc(call->arena, (n + 1) * sizeof *values);

    if (!task || !values)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const struct km_json *v = km_json_get(call->args, names[i]);
        struct km_str s;

        if (!km_json_string(v, &s) && !km_json_number(v, &s))
            continue;
        if (km_str_chr(s, '\0') < s.n)
            return km_fail(err, KM_E_INVALID, "%s: a text with a NUL byte", names[i]);
        values[i] = km_arena_cstr(call->arena, s);
    }
    task->request.sql = km_str_c(sql);
    task->request.own = true;
    task->request.nparams = (unsigned)n;
    task->request.values = values;
    task->answer = answer_value;
    return km_pg_task_start(task, err);
}

#define KINDS                                                                                      \
    "CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' " \
    "WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' END"
#define SYSTEM "n.nspname ~ '^pg_(toast|temp)' OR NOT has_schema_privilege(n.oid, 'USAGE')"

int km_pg_list_schemas(struct km_mcp_call *call, struct km_err *err)
{
    static const char sql[] =
        "SELECT json_build_object('schemas', coalesce(json_agg(s ORDER BY s.system, s.name), "
        "'[]')) "
        "FROM (SELECT n.nspname AS name, pg_get_userbyid(n.nspowner) AS owner, "
        "n.nspname IN ('pg_catalog', 'information_schema') AS system, "
        "obj_description(n.oid, 'pg_namespace') AS comment, "
        "(SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid "
        "AND c.relkind IN ('r', 'p', 'v', 'm', 'f')) AS relations "
        "FROM pg_namespace n WHERE NOT (" SYSTEM ")) s";

    return ask(call, sql, NULL, 0, err);
}

int km_pg_list_objects(struct km_mcp_call *call, struct km_err *err)
{
    static const char *const names[] = { "schema", "kind", "contains", "limit" };
    static const char sql[] =
        "WITH o AS (SELECT n.nspname AS schema, c.relname AS name, " KINDS " AS kind, "
        "CASE WHEN c.relkind IN ('r', 'p', 'm') AND c.reltuples >= 0 THEN c.reltuples::int8 END "
        "AS row_estimate, CASE WHEN c.relkind IN ('r', 'm') THEN pg_total_relation_size(c.oid) END "
        "AS total_bytes, obj_description(c.oid, 'pg_class') AS comment "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT c.relispartition "
        "AND NOT (" SYSTEM ") AND CASE WHEN $1::text IS NULL "
        "THEN n.nspname NOT IN ('pg_catalog', 'information_schema') ELSE n.nspname = $1 END "
        "AND ($3::text IS NULL OR strpos(lower(c.relname), lower($3)) > 0)), "
        "k AS (SELECT * FROM o WHERE $2::text IS NULL OR o.kind = $2 "
        "ORDER BY o.schema, o.name LIMIT coalesce($4::int, 200) + 1) "
        "SELECT json_build_object('objects', coalesce((SELECT json_agg(x ORDER BY x.schema, "
        "x.name) "
        "FROM (SELECT * FROM k LIMIT coalesce($4::int, 200)) x), '[]'), "
        "'more', (SELECT count(*) FROM k) > coalesce($4::int, 200))";

    return ask(call, sql, names, 4, err);
}

int km_pg_search_objects(struct km_mcp_call *call, struct km_err *err)
{
    static const char *const names[] = { "query", "limit" };
    static const char sql[] =
        "WITH found AS (SELECT n.nspname AS schema, c.relname AS name, " KINDS " AS kind, "
        "NULL::name AS \"column\", NULL::text AS type, obj_description(c.oid, 'pg_class') AS "
        "comment "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT c.relispartition "
        "AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT (" SYSTEM ") "
        "AND (strpos(lower(c.relname), lower($1)) > 0 "
        "OR strpos(lower(obj_description(c.oid, 'pg_class')), lower($1)) > 0) "
        "UNION ALL SELECT n.nspname, c.relname, " KINDS ", a.attname, "
        "format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum) "
        "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND a.attnum > 0 "
        "AND NOT a.attisdropped AND n.nspname NOT IN ('pg_catalog', 'information_schema') "
        "AND NOT (" SYSTEM ") AND (strpos(lower(a.attname), lower($1)) > 0 "
        "OR strpos(lower(col_description(c.oid, a.attnum)), lower($1)) > 0)), "
        "k AS (SELECT * FROM found ORDER BY schema, name, \"column\" NULLS FIRST "
        "LIMIT coalesce($2::int, 50) + 1) "
        "SELECT json_build_object('matches', coalesce((SELECT json_agg(x) "
        "FROM (SELECT * FROM k LIMIT coalesce($2::int, 50)) x), '[]'), "
        "'more', (SELECT count(*) FROM k) > coalesce($2::int, 50))";

    return ask(call, sql, names, 2, err);
}

/* --- describe_table --- */

#define COLUMNS                                                                                    \
    "(SELECT json_agg(json_build_object('name', a.attname, 'type', "                               \
    "format_type(a.atttypid, a.atttypmod), 'nullable', NOT a.attnotnull, "                         \
    "'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END, "          \
    "'generated', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END, "       \
    "'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END, "       \
    "'comment', col_description(a.attrelid, a.attnum)) ORDER BY a.attnum) "                        \
    "FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid "                        \
    "AND d.adnum = a.attnum WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped)"
#define CONSTRAINTS                                                                                \
    "(SELECT coalesce(json_agg(json_build_object('name', k.conname, 'kind', CASE k.contype "       \
    "WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' WHEN 'f' THEN 'foreign key' "              \
    "WHEN 'c' THEN 'check' WHEN 'x' THEN 'exclude' ELSE 'other' END, 'definition', "               \
    "pg_get_constraintdef(k.oid), 'validated', k.convalidated) ORDER BY k.contype, k.conname), "   \
    "'[]') FROM pg_constraint k WHERE k.conrelid = t.oid)"
#define REFERENCED                                                                                 \
    "(SELECT coalesce(json_agg(json_build_object('table', k.conrelid::regclass::text, 'name', "    \
    "k.conname, 'definition', pg_get_constraintdef(k.oid)) ORDER BY 1), '[]') "                    \
    "FROM pg_constraint k WHERE k.confrelid = t.oid AND k.contype = 'f')"
#define INDEXES                                                                                    \
    "(SELECT coalesce(json_agg(json_build_object('name', i.indexrelid::regclass::text, "           \
    "'definition', pg_get_indexdef(i.indexrelid), 'valid', i.indisvalid, 'bytes', "                \
    "pg_relation_size(i.indexrelid), 'scans', s.idx_scan) ORDER BY 1), '[]') FROM pg_index i "     \
    "LEFT JOIN pg_stat_all_indexes s ON s.indexrelid = i.indexrelid WHERE i.indrelid = t.oid)"

int km_pg_describe_table(struct km_mcp_call *call, struct km_err *err)
{
    static const char *const names[] = { "schema", "name" };
    static const char sql[] =
        "SELECT (SELECT json_build_object('schema', n.nspname, 'name', t.relname, 'kind', "
        "(SELECT " KINDS " FROM pg_class c WHERE c.oid = t.oid), "
        "'comment', obj_description(t.oid, 'pg_class'), 'columns', " COLUMNS ", "
        "'constraints', " CONSTRAINTS ", 'referenced_by', " REFERENCED ", 'indexes', " INDEXES ", "
        "'triggers', (SELECT coalesce(json_agg(pg_get_triggerdef(g.oid) ORDER BY g.tgname), '[]') "
        "FROM pg_trigger g WHERE g.tgrelid = t.oid AND NOT g.tgisinternal), "
        "'policies', (SELECT coalesce(json_agg(json_build_object('name', p.polname, 'using', "
        "pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)) "
        "ORDER BY p.polname), '[]') FROM pg_policy p WHERE p.polrelid = t.oid), "
        "'row_security', t.relrowsecurity, "
        "'partition_key', CASE WHEN t.relkind = 'p' THEN pg_get_partkeydef(t.oid) END, "
        "'partitions', (SELECT coalesce(json_agg(json_build_object('table', "
        "h.inhrelid::regclass::text, 'bound', (SELECT pg_get_expr(c.relpartbound, c.oid) "
        "FROM pg_class c WHERE c.oid = h.inhrelid)) ORDER BY 1), '[]') FROM pg_inherits h "
        "WHERE h.inhparent = t.oid), "
        "'view_definition', CASE WHEN t.relkind IN ('v', 'm') THEN pg_get_viewdef(t.oid) END, "
        "'row_estimate', CASE WHEN t.reltuples >= 0 THEN t.reltuples::int8 END, "
        "'total_bytes', CASE WHEN t.relkind IN ('r', 'm') THEN pg_total_relation_size(t.oid) END, "
        "'last_analyze', (SELECT greatest(s.last_analyze, s.last_autoanalyze) "
        "FROM pg_stat_all_tables s WHERE s.relid = t.oid)) "
        "FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace "
        "WHERE t.relname = $2::text AND t.relkind IN ('r', 'p', 'v', 'm', 'f') "
        "AND has_schema_privilege(n.oid, 'USAGE') AND CASE WHEN $1::text IS NULL "
        "THEN pg_table_is_visible(t.oid) OR NOT EXISTS (SELECT 1 FROM pg_class c "
        "WHERE c.relname = t.relname AND c.oid <> t.oid AND c.relkind = t.relkind) "
        "ELSE n.nspname = $1 END ORDER BY pg_table_is_visible(t.oid) DESC LIMIT 1)";

    return ask(call, sql, names, 2, err);
}
