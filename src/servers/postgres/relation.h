/* SPDX-License-Identifier: Apache-2.0 */
/* relation.h - private to the server: statements made of names from the catalogue and bound values.
 *
 * What a caller says of a table is looked up before a statement is made of it: a column is written
 * because the catalogue has it, never because somebody sent it.  Values are parameters with the
 * column's own type.
 */
#ifndef KM_SERVERS_POSTGRES_RELATION_H
#define KM_SERVERS_POSTGRES_RELATION_H

#include "base/arena.h"
#include "http/json.h"

#define KM_PG_FILTER_NODES 200 /* conditions of one filter */
#define KM_PG_FILTER_DEPTH 16
#define KM_PG_VALUES 10000 /* bound values of one statement */
#define KM_PG_BUILD_BYTES ((size_t)200 * 1024)

/* Where $1, a schema, is null: the relation $2 means as SQL would write it, "S"."T" or s.t. */
#define KM_PG_WORD "([A-Za-z_][A-Za-z0-9_$]*|\"([^\"]|\"\")+\")"
#define KM_PG_AS_WRITTEN                                                                           \
    "to_regclass(CASE WHEN $1::text IS NULL AND $2::text ~ '^" KM_PG_WORD "(\\." KM_PG_WORD        \
    ")?$' THEN $2::text END)"

/* Queries of the catalogue tell of a column what a caller may know of it.  SHOWN: the column `att`
 * of the relation `rel`, an oid, is shown where `list`, a parameter, says what is narrowed
 * (narrow.h).  NAMES_HIDDEN: what is in the catalogue `class` under `oid` depends on a column that
 * is not shown, so that its definition would tell of it. */
#define KM_PG_SHOWN(rel, att, list)                                                                \
    "NOT EXISTS (SELECT 1 FROM json_to_recordset(" list "::json) AS h(k text, s text, n text, "    \
    "c json, v text) CROSS JOIN LATERAL (SELECT to_regclass(format('%I.%I', h.s, h.n)) AS o) ho "  \
    "WHERE h.k = 'narrow' AND (ho.o = " rel " OR ho.o IN (SELECT pg_partition_ancestors(" rel      \
    "))) AND CASE WHEN json_typeof(h.c) = 'array' THEN " att " NOT IN (SELECT "                    \
    "json_array_elements_text(h.c)) WHEN h.v IS NOT NULL THEN NOT EXISTS (SELECT 1 FROM "          \
    "pg_attribute ha WHERE ha.attrelid = to_regclass(h.v) AND ha.attname = " att                   \
    " AND ha.attnum > 0 AND NOT ha.attisdropped) ELSE false END)"
#define KM_PG_NAMES_HIDDEN(class, oid, list)                                                       \
    "EXISTS (SELECT 1 FROM pg_depend hd JOIN pg_attribute hc ON hc.attrelid = hd.refobjid AND "    \
    "hc.attnum = hd.refobjsubid WHERE json_array_length(" list "::json) > 0 AND hd.classid = '"    \
    class "'::regclass AND hd.objid = " oid " AND hd.refclassid = 'pg_class'::regclass AND "       \
    "hd.refobjsubid > 0 AND NOT " KM_PG_SHOWN("hd.refobjid", "hc.attname", list) ")"

struct km_pg_column {
    struct km_str name, type; /* type: for messages */
    unsigned oid;
    bool array; /* a list is its literal, not JSON */
    bool pinned; /* operators are pg_catalog's: the type is PostgreSQL's own */
    bool generated; /* nobody may write it */
};

struct km_pg_relation {
    struct km_str schema, name;
    struct km_pg_column *columns;
    size_t ncolumns;
    const struct km_pg_column **key; /* of the primary key, in its order */
    size_t nkey;
};

/* The query that tells of a relation, one JSON value: $1 schema (null: by the path), $2 name,
 * $3 what is narrowed (narrow.h), whose other columns are not told. */
extern const char *const km_pg_relation_sql[];
int km_pg_relation_read(struct km_pg_relation *rel, const struct km_json *value,
                        struct km_arena *arena, struct km_err *err) KM_MUST_USE;
/* NULL with err, which lists what there is. */
const struct km_pg_column *km_pg_relation_column(const struct km_pg_relation *rel,
                                                 struct km_str name, struct km_err *err);

/* A statement that grows. */
/* ["a", null, [1]] as {"a",NULL,{"1"}}: PostgreSQL's literal of an array. */
void km_pg_array(struct km_buf *out, const struct km_json *list);

struct km_pg_build {
    struct km_arena *arena;
    const struct km_pg_relation *rel;
    struct km_buf sql;
    const char **values;
    unsigned *types;
    unsigned n; /* values so far */
    unsigned nodes; /* of the filter */
};

int km_pg_build_init(struct km_pg_build *b, struct km_arena *arena,
                     const struct km_pg_relation *rel, struct km_err *err) KM_MUST_USE;
void km_pg_build_text(struct km_pg_build *b, const char *text); /* our own words */
void km_pg_build_table(struct km_pg_build *b);
void km_pg_build_name(struct km_pg_build *b, const struct km_pg_column *column);
/* Appends $n, bound to the value. */
int km_pg_build_value(struct km_pg_build *b, const struct km_pg_column *column,
                      const struct km_json *value, struct km_err *err) KM_MUST_USE;
/* Appends the condition: {column, op, value}, {and: [...]}, {or: [...]}, {not: {...}}. */
int km_pg_build_filter(struct km_pg_build *b, const struct km_json *filter,
                       struct km_err *err) KM_MUST_USE;

#endif
