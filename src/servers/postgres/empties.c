/* SPDX-License-Identifier: Apache-2.0 */
/* empties.c - see empties.h.
 *
 *     named ── partitions and children, with CASCADE what refers to them ── each counted, with ONLY
 *
 * The rows are counted in the transaction of the statement, by a statement made of the catalogue's
 * own names: an estimate would be wrong for a table that nobody analysed.
 */
#include "servers/postgres/empties.h"

const char km_pg_empties_sql[] =
    "WITH RECURSIVE named AS (SELECT to_regclass(CASE WHEN r.s = '' THEN quote_ident(r.n) ELSE "
    "format('%I.%I', r.s, r.n) END)::oid AS o FROM json_to_recordset($1::json) AS r(s text, n "
    "text)), every(o) AS (SELECT o FROM named WHERE o IS NOT NULL UNION SELECT x.o FROM every e "
    "CROSS JOIN LATERAL (SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = e.o UNION ALL "
    "SELECT k.conrelid FROM pg_constraint k WHERE k.contype = 'f' AND k.confrelid = e.o AND "
    "$2::bool) x(o)) SELECT 'SELECT count(*) FROM (' || string_agg(format('SELECT 1 FROM ONLY "
    "%I.%I', n.nspname, c.relname), ' UNION ALL ') || ' LIMIT ' || $3::text || ') q' FROM every e "
    "JOIN pg_class c ON c.oid = e.o AND c.relkind = 'r' JOIN pg_namespace n ON n.oid = "
    "c.relnamespace";
