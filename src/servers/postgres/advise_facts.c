/* SPDX-License-Identifier: Apache-2.0 */
/* advise_facts.c - what the advisor asks the catalogue, and how it reads the answer.
 *
 *     {"asked": "orders", "schema": "shop", "name": "orders", "rows": 60000, "pages": 800,
 *      "columns": [{"name": "status", "distinct": 2, "common": {"open": 0.02}, ...}],
 *      "indexes": [{"name": "shop.orders_pkey", "method": "btree", "columns": ["id"], ...}]}
 *
 * Of relations narrowed for callers no statistics are told: a common value is a value.
 */
#include "servers/postgres/advise_inside.h"
#include "servers/postgres/health.h"

#define PREFIX_BYTES 32 /* of a pattern we make up */

const char *const km_pg_advice_facts_sql[] = {
    "SELECT json_build_object('hypopg', max(s) FILTER (WHERE e = 'hypopg'), 'pgss', max(s) FILTER "
    "(WHERE e = 'pg_stat_statements'), 'trgm', max(s) FILTER (WHERE e = 'pg_trgm'), 'info', EXISTS "
    "(SELECT 1 FROM pg_proc WHERE proname = 'pg_stat_statements_info'), 'since', max(d.since), "
    "'age', round(extract(epoch FROM now() - max(d.since))::numeric, 3)) FROM (SELECT e.extname, "
    "quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace) "
    "x(e, s), (SELECT " KM_PG_COUNTED_SINCE ") d(since)",
    NULL,
};
#define WORKLOAD(age)                                                                              \
    "SELECT coalesce(json_agg(x), '[]') FROM (SELECT q.query, q.calls, round(extract(epoch FROM "  \
    "now() - " age ")::numeric, 3) AS age FROM @schema@.pg_stat_statements q WHERE q.dbid = "      \
    "(SELECT oid FROM pg_database WHERE datname = current_database()) AND q.query ~* "             \
    "'^\\s*(select|with|(update|delete)\\M.*\\mwhere)\\M' AND q.query !~* "                        \
    "'\\mpg_|information_schema' ORDER BY q.total_exec_time DESC LIMIT 10) x"
const char km_pg_advice_workload_sql[] =
    WORKLOAD("(SELECT stats_reset FROM @schema@.pg_stat_statements_info)");
const char km_pg_advice_workload_13_sql[] = WORKLOAD("pg_postmaster_start_time()");
const char *const km_pg_advice_tables_sql[] = {
    "SELECT coalesce(json_agg(json_build_object('asked_schema', r.s, 'asked', r.n, 'schema', "
    "n.nspname, 'name', c.relname, 'rows', greatest(c.reltuples, 0)::int8, 'pages', c.relpages, "
    "'visible', c.relallvisible, 'writes', (SELECT s.n_tup_ins + s.n_tup_upd + s.n_tup_del FROM "
    "pg_stat_all_tables s WHERE s.relid = c.oid), "
    "'columns', (SELECT json_agg(json_build_object('name', a.attname, 'type', t.typname, 'array', "
    "t.typcategory = 'A', 'text', 'text'::regtype IN (t.oid, t.typbasetype) OR 'varchar'::regtype "
    "IN (t.oid, t.typbasetype), "
    "'btree', EXISTS (SELECT 1 FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod AND m.amname "
    "= 'btree' WHERE o.opcdefault AND (o.opcintype IN (t.oid, t.typbasetype) OR t.typtype = 'e' OR "
    "t.typcategory IN ('S', 'A'))), "
    "'gin', EXISTS (SELECT 1 FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod AND m.amname = "
    "'gin' WHERE o.opcdefault AND (o.opcintype = t.oid OR (o.opcintype = 'anyarray'::regtype AND "
    "t.typcategory = 'A'))), "
    "'brin', EXISTS (SELECT 1 FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod AND m.amname = "
    "'brin' WHERE o.opcdefault AND o.opcintype = t.oid), "
    /* a btree in the language's own order finds no place for LIKE 'abc%' */
    "'like', (SELECT CASE WHEN CASE k.collprovider WHEN 'd' THEN (SELECT CASE "
    "coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') WHEN 'c' THEN d.datcollate IN ('C', 'POSIX') "
    "WHEN 'b' THEN true ELSE false END FROM pg_database d WHERE d.datname = current_database()) "
    "WHEN 'c' THEN k.collcollate IN ('C', 'POSIX') WHEN 'b' THEN true ELSE false END THEN 'plain' "
    "ELSE 'pattern' END FROM pg_collation k WHERE k.oid = a.attcollation AND k.collisdeterministic "
    "AND t.typname IN ('text', 'varchar')), "
    "'distinct', CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * greatest(c.reltuples, 1) ELSE "
    "s.n_distinct END, 'width', coalesce(s.avg_width, 8), 'nulls', round(s.null_frac::numeric, 6), "
    "'correlation', round(abs(s.correlation)::numeric, 6), 'typical', "
    "coalesce((s.most_common_vals::text::text[])[1], "
    "(s.histogram_bounds::text::text[])[greatest(1, array_length(s.histogram_bounds::text::text[], "
    "1) / 2)]), 'element', (s.most_common_elems::text::text[])[1], "
    "'common', (SELECT json_object_agg(v, round(f::numeric, 6)) FROM "
    "unnest(s.most_common_vals::text::text[], s.most_common_freqs) AS x(v, f) WHERE length(v) <= "
    "100 AND a.attname IN (SELECT json_array_elements_text($3::json))))) ",
    "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_stats s ON NOT EXISTS "
    "(SELECT 1 FROM json_to_recordset($2::json) AS x(k text, s text, n text) WHERE x.k = 'narrow' "
    "AND (to_regclass(format('%I.%I', x.s, x.n)) = c.oid OR to_regclass(format('%I.%I', x.s, x.n)) "
    "IN (SELECT pg_partition_ancestors(c.oid)))) AND s.schemaname = n.nspname AND s.tablename = "
    "c.relname AND s.attname = a.attname AND NOT s.inherited WHERE a.attrelid = c.oid AND a.attnum "
    "> 0 AND NOT a.attisdropped), ",
    "'documents', (SELECT json_agg(pg_get_indexdef(i.indexrelid, 1, true)) FROM pg_index i JOIN "
    "pg_class k ON k.oid = i.indexrelid JOIN pg_am m ON m.oid = k.relam WHERE i.indrelid = c.oid "
    "AND m.amname = 'gin' AND i.indexprs IS NOT NULL AND i.indpred IS NULL AND i.indisvalid), ",
    "'indexes', (SELECT json_agg(json_build_object('name', i.indexrelid::regclass::text, 'unique', "
    "i.indisunique, 'method', m.amname, 'where', pg_get_expr(i.indpred, i.indrelid), 'columns', "
    "(SELECT json_agg(a.attname ORDER BY x.p) FROM unnest(i.indkey::int2[]) WITH ORDINALITY x(n, "
    "p) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.n WHERE x.p <= "
    "i.indnkeyatts), 'down', (SELECT json_agg((x.o & 1) = 1 ORDER BY x.p) FROM "
    "unnest(i.indoption::int2[]) WITH ORDINALITY x(o, p)), 'patterns', (SELECT "
    "json_agg(o.opcname LIKE '%\\_pattern\\_ops' ORDER BY x.p) FROM unnest(i.indclass::oid[]) "
    "WITH ORDINALITY x(n, p) JOIN pg_opclass o ON o.oid = x.n), 'includes', (SELECT "
    "json_agg(a.attname) FROM unnest(i.indkey::int2[]) WITH "
    "ORDINALITY x(n, p) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.n WHERE x.p > "
    "i.indnkeyatts))) FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid JOIN pg_am m ON "
    "m.oid = k.relam WHERE i.indrelid = c.oid AND i.indexprs IS NULL AND i.indisvalid))), '[]') "
    "FROM json_to_recordset($1::json) AS r(s text, n text) CROSS JOIN LATERAL (SELECT k.* FROM "
    "pg_class k WHERE k.relname = r.n AND k.relkind IN ('r', 'm') AND CASE WHEN r.s = '' THEN "
    "pg_table_is_visible(k.oid) ELSE k.relnamespace = to_regnamespace(quote_ident(r.s)) END LIMIT "
    "1) c JOIN pg_namespace n ON n.oid = c.relnamespace AND has_schema_privilege(n.oid, 'USAGE') "
    "WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')",
    NULL,
};

double km_pg_fact(const struct km_json *v, const char *name, double otherwise)
{
    struct km_str s;
    int64_t millionths;

    return km_json_number(km_json_get(v, name), &s) && km_str_decimal(s, 6, &millionths) == 0
               ? (double)millionths / 1e6
               : otherwise;
}

bool km_pg_fact_flag(const struct km_json *v, const char *name)
{
    bool on = false;

    (void)km_json_bool(km_json_get(v, name), &on);
    return on;
}

struct km_str km_pg_fact_text(const struct km_json *v, const char *name)
{
    struct km_str s = KM_STR_NONE;

    (void)km_json_string(km_json_get(v, name), &s);
    return s;
}

const struct km_json *km_pg_fact_column(const struct km_json *table, struct km_str name)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused;

    for (km_json_iter(km_json_get(table, "columns"), &it); km_json_next(&it, &unused, &item);)
        if (km_str_eq(km_pg_fact_text(item, "name"), name))
            return item;
    return NULL;
}

bool km_pg_use_begins(const struct km_pg_use *use)
{
    return use->kind == KM_PG_USE_PREFIX || (use->kind == KM_PG_USE_PATTERN && use->may_begin);
}

bool km_pg_use_of(const struct km_pg_advised *s, size_t k, struct km_str table,
                  struct km_str column)
{
    return (!table.n || km_str_eq(table, s->uses.tables[k].alias)) && s->scans[k].facts &&
           km_pg_fact_column(s->scans[k].facts, column);
}

static const struct km_json *table_of(const struct km_json *tables,
                                      const struct km_pg_named_table *t)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused;

    for (km_json_iter(tables, &it); km_json_next(&it, &unused, &item);)
        if (km_str_eq(km_pg_fact_text(item, "asked"), t->name) &&
            km_str_eq(km_pg_fact_text(item, "asked_schema"), t->schema))
            return item;
    return NULL;
}

/* What an operator of an inverted index could be given; the type decides what parses. */
static const char *held(const struct km_pg_use *use, const struct km_json *column,
                        struct km_arena *arena)
{
    struct km_str element = km_pg_fact_text(column, "element");
    struct km_str type = km_pg_fact_text(column, "type");
    bool many = km_str_eq(use->op, KM_STR("?|")) || km_str_eq(use->op, KM_STR("?&"));
    bool array = km_pg_fact_flag(column, "array");

    if (use->config.n)
        return "a";
    if (km_str_plain(element) < element.n)
        element = KM_STR_NONE; /* it would have to be quoted */
    if (km_str_eq(type, KM_STR("tsvector")))
        return element.n && km_str_chr(element, '\'') == element.n
                   ? km_arena_printf(arena, "'%.*s'", KM_STR_ARG(element)).p
                   : "a";
    if (array)
        return element.n ? km_arena_printf(arena, "{\"%.*s\"}", KM_STR_ARG(element)).p : "{}";
    if (km_str_eq(use->op, KM_STR("@?")) || km_str_eq(use->op, KM_STR("@@")))
        return "$.a";
    if (many)
        return "{a}";
    return km_str_eq(use->op, KM_STR("?")) ? "a" : "{\"a\": 1}";
}

/* Half of what a typical value is, as a pattern; at least a byte, without wildcards. */
static const char *beginning_of(struct km_str typical, struct km_arena *arena)
{
    size_t n = 0, most = typical.n / 2 < PREFIX_BYTES ? typical.n / 2 + 1 : PREFIX_BYTES;

    while (n < typical.n && (n < most || ((unsigned char)typical.p[n] & 0xc0) == 0x80) &&
           !strchr("%_\\", typical.p[n]))
        n++;
    return n ? km_arena_printf(arena, "%.*s%%", (int)n, typical.p).p : "abc%";
}

static const char *value_for(const struct km_pg_use *use, const struct km_json *column,
                             struct km_arena *arena)
{
    struct km_str typical = km_pg_fact_text(column, "typical");

    if (use->kind == KM_PG_USE_HOLDS)
        return held(use, column, arena);
    if (use->kind == KM_PG_USE_PATTERN && use->may_begin)
        return beginning_of(typical, arena);
    if (use->kind == KM_PG_USE_PATTERN)
        return "%abc%";
    return typical.n ? km_arena_cstr(arena, typical) : NULL;
}

/* Each $n gets a typical value of the column beside it; LIMIT and the like get 10. */
static void fill_values(struct km_pg_advised *s, struct km_arena *arena)
{
    s->values = km_arena_zalloc(arena, (s->uses.params + 1) * sizeof *s->values);
    for (unsigned p = 0; s->values && p < s->uses.params; p++) {
        s->values[p] = "10";
        for (size_t i = 0; i < s->uses.n; i++)
            for (size_t k = 0; k < s->uses.ntables && s->uses.v[i].param == p + 1; k++) {
                const struct km_pg_use *use = &s->uses.v[i];
                const char *value = NULL;

                if (km_pg_use_of(s, k, use->table, use->column))
                    value =
                        value_for(use, km_pg_fact_column(s->scans[k].facts, use->column), arena);
                s->values[p] = value ? value : s->values[p];
            }
    }
}

void km_pg_advice_facts(struct km_pg_advice *a, const struct km_json *tables,
                        struct km_arena *arena)
{
    for (size_t i = 0; i < a->nstatements; i++) {
        struct km_pg_advised *s = &a->statements[i];

        for (size_t k = 0; k < s->uses.ntables; k++)
            s->scans[k] = (struct km_pg_scan){ table_of(tables, &s->uses.tables[k]), 0, -1 };
        fill_values(s, arena);
    }
}
