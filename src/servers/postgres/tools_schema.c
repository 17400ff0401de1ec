/* SPDX-License-Identifier: Apache-2.0 */
/* tools_schema.c - what a model asks before it asks anything: schemas, tables, columns, keys.
 *
 * Each tool is one query of our own that gives one JSON value, with the caller's words bound as
 * parameters.  Names are compared as they are written in the catalogue, so mixed case and any
 * schema are found.  Only what the role may use is told of: a schema without USAGE is not shown.
 */
#include "servers/postgres/tools.h"

#define KINDS                                                                                      \
    "CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' " \
    "WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' END"
#define SYSTEM "n.nspname ~ '^pg_(toast|temp)' OR NOT has_schema_privilege(n.oid, 'USAGE')"

/* $1: the schema, or all but the system's; $3: a part of the name. */
#define WHERE_NAMED(name)                                                                          \
    "CASE WHEN $1::text IS NULL THEN n.nspname NOT IN ('pg_catalog', 'information_schema') "       \
    "ELSE n.nspname = $1 END AND ($3::text IS NULL OR strpos(lower(" name "), lower($3)) > 0)"

static int list_schemas(struct km_mcp_call *call, struct km_err *err)
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

    return km_pg_ask(call, (const char *const[]){ sql, NULL }, NULL, 0, km_pg_answer_value, err);
}

static int list_objects(struct km_mcp_call *call, struct km_err *err)
{
    static const char *const names[] = { "schema", "kind", "contains", "limit" };
    static const char sql[] =
        "WITH o AS (SELECT n.nspname AS schema, c.relname AS name, " KINDS " AS kind, "
        "CASE WHEN c.relkind IN ('r', 'p', 'm') AND c.reltuples >= 0 THEN c.reltuples::int8 END "
        "AS row_estimate, CASE WHEN c.relkind IN ('r', 'm') THEN pg_total_relation_size(c.oid) END "
        "AS total_bytes, obj_description(c.oid, 'pg_class') AS comment "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT c.relispartition "
        "AND NOT (" SYSTEM ") AND " WHERE_NAMED(
            "c.relname") "), "
                         "p AS (SELECT n.nspname, p.proname || '(' || "
                         "pg_get_function_identity_arguments(p.oid) || "
                         "')', CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' "
                         "ELSE 'function' "
                         "END, NULL::int8, NULL::int8, obj_description(p.oid, 'pg_proc') FROM "
                         "pg_proc p "
                         "JOIN pg_namespace n ON n.oid = p.pronamespace "
                         "WHERE $2 IN ('function', 'procedure', 'aggregate') AND NOT (" SYSTEM ") "
                         "AND " WHERE_NAMED(
                             "p.proname") "), "
                                          "t AS (SELECT n.nspname, t.typname, 'type', NULL::int8, "
                                          "NULL::int8, "
                                          "obj_description(t.oid, 'pg_type') FROM pg_type t JOIN "
                                          "pg_namespace n "
                                          "ON n.oid = t.typnamespace WHERE $2 = 'type' AND "
                                          "t.typtype IN ('e', 'd', 'c', 'r') "
                                          "AND NOT EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = "
                                          "t.typrelid AND c.relkind <> 'c') "
                                          "AND NOT (" SYSTEM ") AND " WHERE_NAMED(
                                              "t.typname") "), "
                                                           "e AS (SELECT n.nspname, e.extname, "
                                                           "'extension', NULL::int8, NULL::int8, "
                                                           "'version ' || "
                                                           "e.extversion FROM pg_extension e JOIN "
                                                           "pg_namespace n ON n.oid = "
                                                           "e.extnamespace "
                                                           "WHERE $2 = 'extension' AND ($1::text "
                                                           "IS NULL OR n.nspname = $1) "
                                                           "AND ($3::text IS NULL OR "
                                                           "strpos(lower(e.extname), lower($3)) > "
                                                           "0)), ";
    static const char rest[] =
        "k AS (SELECT * FROM (SELECT * FROM o UNION ALL SELECT * FROM p UNION ALL SELECT * FROM t "
        "UNION ALL SELECT * FROM e) o WHERE $2::text IS NULL OR o.kind = $2 "
        "ORDER BY o.schema, o.name LIMIT coalesce($4::int, 200) + 1) "
        "SELECT json_build_object('objects', coalesce((SELECT json_agg(x ORDER BY x.schema, "
        "x.name) "
        "FROM (SELECT * FROM k LIMIT coalesce($4::int, 200)) x), '[]'), "
        "'more', (SELECT count(*) FROM k) > coalesce($4::int, 200))";

    return km_pg_ask(call, (const char *const[]){ sql, rest, NULL }, names, 4, km_pg_answer_value,
                     err);
}

static int search_objects(struct km_mcp_call *call, struct km_err *err)
{
    static const char *const names[] = { "query", "limit", KM_PG_NARROWED };
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
        "OR strpos(lower(col_description(c.oid, a.attnum)), lower($1)) > 0) "
        "AND " KM_PG_SHOWN(
            "c.oid", "a.attname",
            "$3") " "
                  "UNION ALL SELECT n.nspname, p.proname, 'function', NULL, NULL, "
                  "obj_description(p.oid, 'pg_proc') FROM pg_proc p "
                  "JOIN pg_namespace n ON n.oid = p.pronamespace "
                  "WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT (" SYSTEM
                  ") "
                  "AND (strpos(lower(p.proname), lower($1)) > 0 "
                  "OR strpos(lower(obj_description(p.oid, 'pg_proc')), lower($1)) > 0)), "
                  "k AS (SELECT * FROM found ORDER BY schema, name, \"column\" NULLS FIRST "
                  "LIMIT coalesce($2::int, 50) + 1) "
                  "SELECT json_build_object('matches', coalesce((SELECT json_agg(x) "
                  "FROM (SELECT * FROM k LIMIT coalesce($2::int, 50)) x), '[]'), "
                  "'more', (SELECT count(*) FROM k) > coalesce($2::int, 50))";

    return km_pg_ask(call, (const char *const[]){ sql, NULL }, names, 3, km_pg_answer_value, err);
}

static const struct km_pg_row rows[] = {
    { .tool = {
        .name = KM_PG_TEXT("list_schemas"),
        .title = KM_PG_TEXT("List schemas"),
        .description = KM_PG_TEXT(
            "Lists the schemas the role may use, with their owners, comments and numbers of "
            "tables."),
        .input = KM_PG_TEXT(KM_PG_JSON({"type": "object", "properties": {}, "additionalProperties":
            false})),
        .output = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["schemas"], "properties": {
            "schemas": {"type": "array", "items": {"type": "object", "required": ["name"],
                "properties": {
                "name": {"type": "string"}, "relations": {"type": "integer"}}}}}})),
        .run = list_schemas } },
    { .tool = {
        .name = KM_PG_TEXT("list_objects"),
        .title = KM_PG_TEXT("List tables, views and more"),
        .description = KM_PG_TEXT(
            "Lists tables, views, sequences, functions, types and extensions of one schema, or of "
            "all but the "
            "system's, with estimates of rows and sizes."),
        .input = KM_PG_TEXT(KM_PG_JSON({"type": "object", "additionalProperties": false,
            "properties": {
            "schema": {"type": "string"},
            "kind": {"type": "string", "enum": ["table", "partitioned table", "view",
                "materialized view",
                "foreign table", "sequence", "function", "procedure", "aggregate", "type",
                    "extension"]},
            "contains": {"type": "string", "description": "Only names with this text in them."},
            "limit": {"type": "integer", "minimum": 1, "maximum": 1000}}})),
        .output = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["objects", "more"],
            "properties": {
            "objects": {"type": "array", "items": {"type": "object", "required": ["schema", "name",
                "kind"],
                "properties": {"schema": {"type": "string"}, "name": {"type": "string"}, "kind":
                    {"type": "string"},
                    "row_estimate": {"type": ["integer", "null"]}}}},
            "more": {"type": "boolean"}}})),
        .run = list_objects } },
    { .tool = {
        .name = KM_PG_TEXT("search_objects"),
        .title = KM_PG_TEXT("Search names and comments"),
        .description = KM_PG_TEXT(
            "Finds tables, columns and functions whose name or comment contains a text, in every "
            "schema "
            "the role may use."),
        .input = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["query"],
            "additionalProperties": false,
            "properties": {"query": {"type": "string"},
                "limit": {"type": "integer", "minimum": 1, "maximum": 500}}})),
        .output = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["matches", "more"],
            "properties": {
            "matches": {"type": "array", "items": {"type": "object", "required": ["schema", "name"],
                "properties": {"schema": {"type": "string"}, "name": {"type": "string"},
                    "column": {"type": ["string", "null"]}}}},
            "more": {"type": "boolean"}}})),
        .run = search_objects } },
};

const struct km_pg_rows km_pg_tools_schema = { rows, sizeof rows / sizeof rows[0] };
