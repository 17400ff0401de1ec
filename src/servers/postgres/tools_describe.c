/* SPDX-License-Identifier: Apache-2.0 */
/* tools_describe.c - describe_table: all the catalogue knows of one table or view.
 *
 * One query of our own gives one JSON value; each part is a scalar subquery over `t`, the relation
 * that was found:
 *
 *     t ── columns, constraints, referenced_by, indexes, triggers, policies, partitions
 *       └─ sizes, statistics
 *
 * The name is compared as the catalogue writes it, so mixed case is found.  Without a schema the
 * first of the search path counts; a name that is nowhere on the path is taken from another schema
 * when only one has it, or as SQL would write it (hr.people, "Sales"."Order Items").  Statistics of
 * columns are words about numbers: pg_stats' values are data.  Of a relation that is narrowed ($3)
 * the columns that are shown are told, without statistics; of keys, indexes, triggers, policies
 * and views those that are made of such columns alone.
 */
#include "servers/postgres/tools.h"

#define COLUMNS                                                                                    \
    "'columns', (SELECT coalesce(json_agg(json_build_object('name', a.attname, 'type', "           \
    "format_type(a.atttypid, a.atttypmod), 'nullable', NOT a.attnotnull, "                         \
    "'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END, "          \
    "'generated', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END, "       \
    "'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END, "       \
    "'collation', (SELECT l.collname FROM pg_collation l WHERE l.oid = a.attcollation "            \
    "AND l.collname <> 'default'), "                                                               \
    "'values', (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e "             \
    "WHERE e.enumtypid = a.atttypid), "                                                            \
    "'domain', (SELECT json_build_object('type', format_type(y.typbasetype, y.typtypmod), "        \
    "'checks', (SELECT coalesce(json_agg(pg_get_constraintdef(k.oid) ORDER BY k.conname), '[]') "  \
    "FROM pg_constraint k WHERE k.contypid = y.oid AND k.contype = 'c')) FROM pg_type y WHERE "    \
    "y.oid = a.atttypid AND y.typtype = 'd'), "                                                    \
    "'comment', col_description(a.attrelid, a.attnum), "                                           \
    "'statistics', (SELECT concat_ws(', ', CASE WHEN s.null_frac = 0 THEN 'no nulls' "             \
    "ELSE round((s.null_frac * 100)::numeric, 1) || '% nulls' END, CASE WHEN s.n_distinct = 0 "    \
    "THEN NULL WHEN s.n_distinct <= -0.995 THEN 'all values differ' WHEN s.n_distinct < 0 THEN "   \
    "'distinct values for ' || round((-100 * s.n_distinct)::numeric, 1) || '% of the rows' "       \
    "ELSE 'about ' || s.n_distinct || CASE s.n_distinct WHEN 1 THEN ' value' "                     \
    "ELSE ' distinct values' END END, s.avg_width || ' bytes on average', "                        \
    "CASE WHEN s.correlation > 0.9 THEN 'stored in its order' "                                    \
    "WHEN s.correlation < -0.9 THEN 'stored against its order' END) "                              \
    "FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = t.relname "                  \
    "AND s.attname = a.attname AND x.c IS NULL ORDER BY s.inherited DESC LIMIT 1)) "               \
    "ORDER BY a.attnum), '[]') "                                                                   \
    "FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid "                        \
    "AND d.adnum = a.attnum WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped "     \
    "AND " KM_PG_SHOWN("t.oid", "a.attname", "$3") "), "
#define KEY_COLUMNS(array, rel)                                                                    \
    "(SELECT json_agg(a.attname ORDER BY x.i) FROM unnest(" array ") WITH ORDINALITY x(n, i) "     \
    "JOIN pg_attribute a ON a.attrelid = " rel " AND a.attnum = x.n)"
#define CONSTRAINTS                                                                                \
    "'constraints', (SELECT coalesce(json_agg(json_build_object('name', k.conname, 'kind', "       \
    "CASE k.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' "                           \
    "WHEN 'f' THEN 'foreign key' WHEN 'c' THEN 'check' WHEN 'x' THEN 'exclude' "                   \
    "WHEN 'n' THEN 'not null' ELSE 'other' END, 'columns', " KEY_COLUMNS("k.conkey", "t.oid")      \
    ", 'references', CASE WHEN k.contype = 'f' THEN json_build_object('schema', rn.nspname, "      \
    "'table', r.relname, 'columns', " KEY_COLUMNS("k.confkey", "k.confrelid") ") END, "            \
    "'definition', pg_get_constraintdef(k.oid), 'validated', k.convalidated, 'comment', "          \
    "obj_description(k.oid, 'pg_constraint')) ORDER BY k.contype, k.conname), '[]') "              \
    "FROM pg_constraint k LEFT JOIN pg_class r ON r.oid = k.confrelid "                            \
    "LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace WHERE k.conrelid = t.oid "               \
    "AND NOT " KM_PG_NAMES_HIDDEN("pg_constraint", "k.oid", "$3") "), "
#define REFERENCED                                                                                 \
    "'referenced_by', (SELECT coalesce(json_agg(json_build_object('table', "                       \
    "k.conrelid::regclass::text, 'name', k.conname, 'columns', "                                   \
    KEY_COLUMNS("k.conkey", "k.conrelid") ", 'definition', pg_get_constraintdef(k.oid)) "          \
    "ORDER BY k.conrelid::regclass::text, k.conname), '[]') FROM pg_constraint k "                 \
    "WHERE k.confrelid = t.oid AND k.contype = 'f' AND k.conparentid = 0 "                         \
    "AND NOT " KM_PG_NAMES_HIDDEN("pg_constraint", "k.oid", "$3") "), "
#define INDEXES                                                                                    \
    "'indexes', (SELECT coalesce(json_agg(json_build_object('name', i.indexrelid::regclass::text, "\
    "'definition', pg_get_indexdef(i.indexrelid), 'method', (SELECT m.amname FROM pg_am m "        \
    "JOIN pg_class x ON x.relam = m.oid WHERE x.oid = i.indexrelid), 'unique', i.indisunique, "    \
    "'primary', i.indisprimary, 'valid', i.indisvalid, 'bytes', "                                  \
    "pg_relation_size(i.indexrelid), 'scans', s.idx_scan) "                                        \
    "ORDER BY NOT i.indisprimary, i.indexrelid::regclass::text), '[]') FROM pg_index i "           \
    "LEFT JOIN pg_stat_all_indexes s ON s.indexrelid = i.indexrelid WHERE i.indrelid = t.oid "     \
    "AND NOT " KM_PG_NAMES_HIDDEN("pg_class", "i.indexrelid", "$3") " AND NOT EXISTS (SELECT 1 "   \
    "FROM pg_constraint ic WHERE ic.conindid = i.indexrelid AND ic.conrelid = t.oid AND "          \
    KM_PG_NAMES_HIDDEN("pg_constraint", "ic.oid", "$3") ")), "
#define TRIGGERS                                                                                   \
    "'triggers', (SELECT coalesce(json_agg(json_build_object('name', g.tgname, 'definition', "     \
    "pg_get_triggerdef(g.oid), 'enabled', CASE g.tgenabled WHEN 'O' THEN 'yes' "                   \
    "WHEN 'D' THEN 'no' WHEN 'R' THEN 'replica only' ELSE 'always' END) ORDER BY g.tgname), "      \
    "'[]') FROM pg_trigger g WHERE g.tgrelid = t.oid AND NOT g.tgisinternal "                      \
    "AND NOT " KM_PG_NAMES_HIDDEN("pg_trigger", "g.oid", "$3") "), "
#define POLICIES                                                                                   \
    "'policies', (SELECT coalesce(json_agg(json_build_object('name', p.polname, 'command', "       \
    "CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' "          \
    "WHEN 'd' THEN 'DELETE' ELSE 'ALL' END, 'permissive', p.polpermissive, 'roles', "              \
    "(SELECT json_agg(CASE WHEN o = 0 THEN 'public' ELSE pg_get_userbyid(o) END) "                 \
    "FROM unnest(p.polroles) o), 'using', pg_get_expr(p.polqual, p.polrelid), 'check', "           \
    "pg_get_expr(p.polwithcheck, p.polrelid)) ORDER BY p.polname), '[]') FROM pg_policy p "        \
    "WHERE p.polrelid = t.oid AND NOT " KM_PG_NAMES_HIDDEN("pg_policy", "p.oid", "$3")             \
    "), 'row_security', t.relrowsecurity, 'row_security_forced', "         \
    "t.relforcerowsecurity, "
#define PARTITIONS                                                                                 \
    "'partition_key', CASE WHEN t.relkind = 'p' AND x.c IS NULL THEN pg_get_partkeydef(t.oid) "    \
    "END, "                                                                                        \
    "'partition_of', CASE WHEN t.relispartition THEN (SELECT json_build_object('table', "          \
    "h.inhparent::regclass::text, 'bound', pg_get_expr(t.relpartbound, t.oid)) "                   \
    "FROM pg_inherits h WHERE h.inhrelid = t.oid) END, "                                           \
    "'inherits', (SELECT coalesce(json_agg(h.inhparent::regclass::text ORDER BY h.inhseqno), "     \
    "'[]') FROM pg_inherits h WHERE h.inhrelid = t.oid AND NOT t.relispartition), "                \
    "'partitions', (SELECT coalesce(json_agg(json_build_object('table', "                          \
    "h.inhrelid::regclass::text, 'bound', pg_get_expr(c.relpartbound, c.oid), 'row_estimate', "    \
    "CASE WHEN c.reltuples >= 0 THEN c.reltuples::int8 END) "                                      \
    "ORDER BY h.inhrelid::regclass::text), '[]') FROM pg_inherits h "                              \
    "JOIN pg_class c ON c.oid = h.inhrelid WHERE h.inhparent = t.oid), "
#define SIZES                                                                                      \
    "'view_definition', CASE WHEN t.relkind IN ('v', 'm') AND NOT EXISTS (SELECT 1 FROM "          \
    "pg_rewrite w WHERE w.ev_class = t.oid AND " KM_PG_NAMES_HIDDEN("pg_rewrite", "w.oid", "$3")   \
    ") THEN pg_get_viewdef(t.oid) END, "                                                           \
    "'row_estimate', CASE WHEN t.reltuples >= 0 AND t.relkind <> 'v' THEN t.reltuples::int8 END, " \
    "'total_bytes', z.total, 'sizes', CASE WHEN z.total IS NOT NULL THEN json_build_object("       \
    "'table', z.heap, 'indexes', z.idx, 'toast', z.total - z.heap - z.idx) END, "
#define STATISTICS                                                                                 \
    "'last_analyze', (SELECT greatest(s.last_analyze, s.last_autoanalyze) "                        \
    "FROM pg_stat_all_tables s WHERE s.relid = t.oid), "                                           \
    "'statistics', (SELECT json_build_object('live_rows', s.n_live_tup, 'dead_rows', "             \
    "s.n_dead_tup, 'inserted', s.n_tup_ins, 'updated', s.n_tup_upd, 'deleted', s.n_tup_del, "      \
    "'sequential_scans', s.seq_scan, 'index_scans', s.idx_scan, 'changed_since_analyze', "         \
    "s.n_mod_since_analyze, 'last_vacuum', greatest(s.last_vacuum, s.last_autovacuum), "           \
    "'last_analyze', greatest(s.last_analyze, s.last_autoanalyze)) "                               \
    "FROM pg_stat_all_tables s WHERE s.relid = t.oid))) "
#define FOUND                                                                                      \
    "FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace CROSS JOIN LATERAL ("           \
    "SELECT sum(pg_total_relation_size(m.relid)) AS total, sum(pg_relation_size(m.relid)) AS "     \
    "heap, sum(pg_indexes_size(m.relid)) AS idx FROM (SELECT t.oid AS relid "                      \
    "WHERE t.relkind IN ('r', 'm') UNION ALL SELECT p.relid FROM pg_partition_tree(t.oid) p "      \
    "WHERE t.relkind = 'p' AND p.isleaf) m) z LEFT JOIN LATERAL (SELECT coalesce(r.c, 'true') "    \
    "AS c FROM json_to_recordset($3::json) AS r(k text, s text, n text, c json) WHERE r.k = "      \
    "'narrow' AND (to_regclass(format('%I.%I', r.s, r.n)) = t.oid OR to_regclass(format('%I.%I', " \
    "r.s, r.n)) IN (SELECT pg_partition_ancestors(t.oid))) LIMIT 1) x ON true "                    \
    "WHERE t.relkind IN ('r', 'p', 'v', 'm', 'f') AND has_schema_privilege(n.oid, 'USAGE') AND "   \
    "((t.relname = $2::text AND CASE WHEN $1::text IS NULL "                                       \
    "THEN pg_table_is_visible(t.oid) OR NOT EXISTS (SELECT 1 FROM pg_class c "                     \
    "WHERE c.relname = t.relname AND c.oid <> t.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')) "  \
    "ELSE n.nspname = $1 END) OR t.oid = (SELECT " KM_PG_AS_WRITTEN ")) "                          \
    "ORDER BY t.relname = $2 DESC, pg_table_is_visible(t.oid) DESC LIMIT 1)"

const char *const km_pg_describe_sql[] = {
    "SELECT (SELECT json_strip_nulls(json_build_object('schema', n.nspname, 'name', t.relname, "
    "'kind', CASE t.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' "
    "WHEN 'v' THEN 'view' "
    "WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END, 'owner', "
    "pg_get_userbyid(t.relowner), 'comment', obj_description(t.oid, 'pg_class'), " COLUMNS,
    CONSTRAINTS,
    REFERENCED,
    INDEXES,
    TRIGGERS POLICIES,
    PARTITIONS,
    SIZES,
    STATISTICS FOUND,
    NULL,
};

static int describe_table(struct km_mcp_call *call, struct km_err *err)
{
    bool table = km_json_get(call->args, "table") != NULL;
    const char *const names[] = { "schema", table ? "table" : "name", KM_PG_NARROWED };

    if (!table && !km_json_get(call->args, "name"))
        return km_fail(err, KM_E_INVALID, "arguments needs the member table");
    return km_pg_ask(call, km_pg_describe_sql, names, 3, km_pg_answer_value, err);
}

static const struct km_pg_row rows[] = {
    { .tool = {
        .name = KM_PG_TEXT("describe_table"),
        .title = KM_PG_TEXT("Describe a table"),
        .description = KM_PG_TEXT(
            "Tells all about a table or view: columns with types, defaults, generated and identity "
            "columns and comments, keys both ways, checks, indexes, triggers, policies, "
            "partitions, "
            "sizes, statistics."),
        .input = KM_PG_TEXT(KM_PG_JSON({"type": "object",
            "additionalProperties": false,
            "properties": {
                "schema": {"type": "string", "description": 
                    "Left out: the first on the search path that has the table."},
                "table": {"type": "string", "description":
                    "As the catalogue has it; or, without schema, as SQL has it: hr.people."},
                "name": {"type": "string", "description": "The same as table."}}})),
        .output = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["schema", "name", "kind",
            "columns"],
            "properties": {"schema": {"type": "string"}, "name": {"type": "string"}, "kind":
                {"type": "string"},
                "columns": {"type": "array", "items": {"type": "object"}},
                "constraints": {"type": "array"}, "referenced_by": {"type": "array"},
                "indexes": {"type": "array"}, "triggers": {"type": "array"}, "policies": {"type":
                    "array"},
                "partitions": {"type": "array"}}})),
        .run = describe_table } },
};

const struct km_pg_rows km_pg_tools_describe = { rows, sizeof rows / sizeof rows[0] };
