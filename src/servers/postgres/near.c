/* SPDX-License-Identifier: Apache-2.0 */
/* near.c - see near.h.
 *
 *     custmers ── _c cu us st tm me er rs s_ ──┐ eight in common, of nine and ten: near
 *     customers ─ _c cu us st to om me er rs s_┘
 *
 * PostgreSQL offers near names for columns, none for relations.  Pairs of letters need no
 * extension, and find a name with a letter too many, two that changed places, a plural, and one
 * that is in another schema.
 */
#include "servers/postgres/near.h"

const char km_pg_near_sql[] =
    "SELECT string_agg(q.name, ', ' ORDER BY q.near DESC, q.name) FROM (SELECT "
    "quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, (SELECT count(*) FROM ("
    "SELECT substr(lower(' ' || c.relname || ' '), i, 2) FROM generate_series(1, length(c.relname) "
    "+ 1) i INTERSECT SELECT substr(lower(' ' || $1 || ' '), i, 2) FROM generate_series(1, "
    "length($1) + 1) i) s) * 2.0 / (length(c.relname) + length($1) + 2) AS near FROM pg_class c "
    "JOIN pg_namespace n ON "
    "n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition "
    "AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)' "
    "AND has_schema_privilege(n.oid, 'USAGE') AND (has_table_privilege(c.oid, 'SELECT') OR "
    "has_any_column_privilege(c.oid, 'SELECT')) ORDER BY near DESC NULLS LAST, 1 LIMIT 3) q WHERE "
    "q.near >= 0.55";

struct km_str km_pg_near_name(struct km_str sqlstate, struct km_str message)
{
    struct km_str name;
    size_t at;

    if (!km_str_eq(sqlstate, KM_STR("42P01")))
        return KM_STR_NONE;
    at = km_str_chr(message, '"');
    name = km_str_skip(message, at + (at < message.n));
    name = km_str_sub(name, 0, km_str_rchr(name, '"'));
    at = km_str_rchr(name, '.');
    return at < name.n ? km_str_skip(name, at + 1) : name;
}
