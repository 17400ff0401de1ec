/* SPDX-License-Identifier: Apache-2.0 */
/* health_index.c - which indexes are too many, or missing: the long queries of health.c's table.
 *
 *     another does all of it ── duplicate ──┐
 *     another begins with it ── redundant ──┴─ one finding an index: the duplicate is the stronger
 *     nobody reads it ───────── unused, once statistics are a week old; before: that nobody knows
 *     a reference without one ─ foreign key
 *
 * Of several indexes that would do, the one that has to stay (a key's, a constraint's) is named, so
 * that all fixes together take none away that the others count on.  They are compared by the
 * catalogue's arrays (columns, operator classes, collations, options), never by their text.  An
 * index of one partition goes with its parent, which is what is told.
 */
#include "servers/postgres/health.h"

/* Those that count, and those another is the same as.  CONCURRENTLY is not for the index of a
 * partitioned table. */
#define INDEXES                                                                                    \
    "WITH x AS (SELECT i.*, c.oid, c.relam, c.relispartition AS part, c.oid::regclass::text AS "   \
    "name, i.indrelid::regclass::text AS of_table, coalesce(pg_get_expr(i.indexprs, "              \
    "i.indrelid), '') AS says, coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS holds, "        \
    "EXISTS (SELECT 1 FROM pg_constraint o WHERE o.conindid = c.oid) AS stays, format('DROP "      \
    "INDEX %s%s;', CASE c.relkind WHEN 'I' THEN '' ELSE 'CONCURRENTLY ' END, c.oid::regclass) "    \
    "AS fix FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indisvalid AND "       \
    "i.indrelid >= 16384), twice AS (SELECT DISTINCT ON (i.oid) i.*, k.name AS same_as FROM x i "  \
    "JOIN x k ON k.indrelid = i.indrelid AND k.relam = i.relam AND k.oid <> i.oid AND k.says = "   \
    "i.says AND k.holds = i.holds AND k.indkey = i.indkey AND k.indclass = i.indclass AND "        \
    "k.indcollation = i.indcollation AND k.indoption = i.indoption AND k.indnkeyatts = "           \
    "i.indnkeyatts WHERE NOT i.stays AND NOT i.indisprimary AND NOT i.indisreplident AND "         \
    "(k.indisunique OR NOT i.indisunique) AND (k.oid < i.oid OR k.stays OR k.indisprimary OR "     \
    "(k.indisunique AND NOT i.indisunique)) ORDER BY i.oid, k.indisprimary DESC, k.stays DESC, "   \
    "k.indisunique DESC, k.oid) "

const char km_pg_health_duplicate_sql[] =
    INDEXES "SELECT 'warning' AS severity, pg_relation_size(oid) AS value, 0 AS threshold, "
            "jsonb_build_object('index', name, 'same_as', same_as, 'table', of_table) AS evidence, "
            "fix FROM "
            "twice WHERE NOT part ORDER BY 2 DESC, oid";

const char km_pg_health_redundant_sql[] = INDEXES
    ", begins AS (SELECT DISTINCT ON (i.oid) i.*, k.name AS longer FROM x i JOIN x k ON k.indrelid "
    "= i.indrelid AND k.relam = i.relam AND k.says = i.says AND k.holds = i.holds AND "
    "k.indnkeyatts "
    "> i.indnkeyatts AND (k.indkey::int2[])[0:i.indnkeyatts - 1] = "
    "(i.indkey::int2[])[0:i.indnkeyatts - 1] AND (k.indclass::oid[])[0:i.indnkeyatts - 1] = "
    "(i.indclass::oid[])[0:i.indnkeyatts - 1] AND (k.indcollation::oid[])[0:i.indnkeyatts - 1] = "
    "(i.indcollation::oid[])[0:i.indnkeyatts - 1] AND (k.indoption::int2[])[0:i.indnkeyatts - 1] = "
    "(i.indoption::int2[])[0:i.indnkeyatts - 1] JOIN pg_am m ON m.oid = i.relam AND m.amname = "
    "'btree' WHERE NOT i.indisunique AND i.indnatts = i.indnkeyatts ORDER BY i.oid, "
    "k.indnkeyatts, k.oid) SELECT 'info' AS severity, pg_relation_size(oid) AS value, 0 AS "
    "threshold, jsonb_build_object('index', name, 'begins', longer, 'table', of_table) AS "
    "evidence, fix "
    "FROM begins WHERE NOT part AND oid NOT IN (SELECT oid FROM twice) ORDER BY 2 DESC, oid";

/* Of those that nobody has read so far a young count tells nothing: what runs once a week may. */
const char km_pg_health_unused_sql[] = INDEXES
    ", d AS (SELECT since, extract(epoch FROM now() - since)::numeric / 86400 AS days FROM "
    "(SELECT " KM_PG_COUNTED_SINCE ") c(since)), u AS (SELECT x.*, "
    "pg_relation_size(x.oid) AS bytes FROM x JOIN pg_stat_user_indexes s ON s.indexrelid = x.oid "
    "WHERE s.idx_scan = 0 AND NOT x.indisunique AND NOT x.stays AND pg_relation_size(x.oid) > "
    "1048576) SELECT 'info' AS severity, u.bytes::numeric AS value, 0 AS threshold, "
    "jsonb_build_object('index', name, 'table', of_table, 'scans', 0, 'statistics_days', "
    "round(d.days, "
    "1), 'replicas_not_seen', true) AS evidence, CASE WHEN NOT part THEN fix END AS fix FROM d, u "
    "WHERE d.days >= 7 UNION ALL SELECT 'info', round(d.days, 1), 7, "
    "jsonb_build_object('cannot_tell_yet', 'which indexes nobody reads', 'why', 'scans are counted "
    "since ' || to_char(d.since, 'YYYY-MM-DD HH24:MI TZ') || ': what runs once a week may not have "
    "run', 'statistics_days', round(d.days, 1), 'not_read_so_far', count(*), 'bytes', "
    "sum(u.bytes)), format('-- ask again from %s on, and reset no statistics until then', "
    "to_char(d.since + interval '7 days', 'YYYY-MM-DD HH24:MI TZ')) FROM d, u WHERE d.days < 7 "
    "GROUP BY d.days, d.since ORDER BY 2 DESC";

const char km_pg_health_foreign_key_sql[] =
    "SELECT CASE WHEN c.reltuples > 100000 THEN 'warning' ELSE 'info' END AS severity, "
    "greatest(c.reltuples, 0)::int8 AS value, 1000 AS threshold, jsonb_build_object('table', "
    "k.conrelid::regclass::text, 'constraint', k.conname, 'columns', a.names) AS evidence, "
    "format('CREATE INDEX CONCURRENTLY ON %s (%s);', k.conrelid::regclass, a.list) AS fix FROM "
    "pg_constraint k JOIN pg_class c ON c.oid = k.conrelid CROSS JOIN LATERAL (SELECT "
    "jsonb_agg(t.attname ORDER BY x.i) AS names, string_agg(quote_ident(t.attname), ', ' ORDER BY "
    "x.i) AS list FROM unnest(k.conkey) WITH ORDINALITY x(n, i) JOIN pg_attribute t ON t.attrelid "
    "= k.conrelid AND t.attnum = x.n) a WHERE k.contype = 'f' AND c.reltuples >= 1000 AND NOT "
    "EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indpred "
    "IS NULL AND (SELECT array_agg(v ORDER BY v) FROM "
    "unnest((i.indkey::int2[])[0:array_length(k.conkey, 1) - 1]) v) = (SELECT array_agg(v ORDER BY "
    "v) FROM unnest(k.conkey) v)) ORDER BY c.reltuples DESC";
