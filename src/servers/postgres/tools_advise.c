/* SPDX-License-Identifier: Apache-2.0 */
/* tools_advise.c - advise_indexes: which indexes would help, tried before they are named.
 *
 *     statements given, or pg_stat_statements' ── their columns (advise.h)
 *         ── the catalogue: rows, distinct values, a typical value, indexes there are
 *         ── candidates: equality columns by selectivity, then one range, or the order
 *         ── EXPLAIN of each statement ── with HypoPG: again with each candidate
 *                                      └─ without: our own estimate, marked as one
 *
 * Greedy: of all candidates the one that takes most off the whole is kept, then the next, until
 * nothing takes off a tenth any more.  Every statement goes through the guard, at each EXPLAIN.
 * A $n gets a typical value of the column it is compared with.  Writes make an index dearer.
 */
#include "servers/postgres/tools.h"

#include <math.h>

#include "http/json_out.h"
#include "servers/postgres/advise.h"
#include "servers/postgres/hypo.h"
#include "servers/postgres/own.h"
#include "servers/postgres/page.h"
#include "servers/postgres/plan.h"
#include "servers/postgres/process.h"

#define STATEMENTS 10
#define CANDIDATES 32
#define CHOSEN 5
#define WIDTH 3 /* columns of an index */
#define EXPLAINS 120
#define GAIN 0.1 /* of the whole, below which no index is worth it */
#define ANSWER_BYTES ((size_t)512 * 1024)

struct statement {
    struct km_str sql;
    struct km_pg_uses uses;
    const char **values;
    double weight, before, now; /* costs; negative: it could not be planned */
    struct km_str error;
};

struct candidate {
    const struct km_json *table;
    struct km_str columns[WIDTH];
    size_t n;
    struct km_str ddl;
    double bytes, writes, total;
    bool chosen;
};

struct advice {
    struct statement statements[STATEMENTS];
    size_t nstatements;
    struct candidate candidates[CANDIDATES];
    size_t ncandidates;
    struct km_str hypopg, pgss; /* their schemas; empty: not there */
    size_t chosen[CHOSEN], nchosen, most;
    size_t si, ci; /* what is being explained; ci == ncandidates: the base */
    unsigned explains;
};

static const char *const facts_sql[] = {
    "SELECT json_build_object('hypopg', (SELECT quote_ident(n.nspname) FROM pg_extension e JOIN "
    "pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'hypopg'), 'pgss', (SELECT "
    "quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
    "WHERE "
    "e.extname = 'pg_stat_statements'))",
    NULL,
};
static const char workload_sql[] =
    "SELECT coalesce(json_agg(x), '[]') FROM (SELECT q.query, q.calls, "
    "round(q.total_exec_time::numeric, 3) AS total_ms FROM @schema@.pg_stat_statements q WHERE "
    "q.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND q.query ~* "
    "'^\\s*(select|with)' AND q.query !~* '\\mpg_|information_schema' ORDER BY q.total_exec_time "
    "DESC LIMIT 10) x";
/* $1: [{"s": schema or "", "n": name}], $2: what is narrowed, of which no value is told */
static const char *const tables_sql[] = {
    "SELECT coalesce(json_agg(json_build_object('asked_schema', r.s, 'asked', r.n, 'schema', "
    "n.nspname, 'name', c.relname, 'rows', greatest(c.reltuples, 0)::int8, 'pages', c.relpages, "
    "'writes', (SELECT s.n_tup_ins + s.n_tup_upd + s.n_tup_del FROM pg_stat_all_tables s WHERE "
    "s.relid = c.oid), 'columns', (SELECT json_agg(json_build_object('name', a.attname, "
    "'distinct', "
    "CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * greatest(c.reltuples, 1) ELSE s.n_distinct "
    "END, "
    "'width', coalesce(s.avg_width, 8), 'typical', coalesce((s.most_common_vals::text::text[])[1], "
    "(s.histogram_bounds::text::text[])[greatest(1, array_length(s.histogram_bounds::text::text[], "
    "1) / 2)]))) FROM pg_attribute a LEFT JOIN pg_stats s ON NOT EXISTS (SELECT 1 FROM "
    "json_to_recordset($2::json) AS x(k text, s text, n text) WHERE x.k = 'narrow' AND "
    "(to_regclass(format('%I.%I', x.s, x.n)) = c.oid OR to_regclass(format('%I.%I', x.s, x.n)) IN "
    "(SELECT pg_partition_ancestors(c.oid)))) AND s.schemaname = n.nspname AND "
    "s.tablename = c.relname AND s.attname = a.attname AND NOT s.inherited WHERE a.attrelid = "
    "c.oid "
    "AND a.attnum > 0 AND NOT a.attisdropped AND EXISTS (SELECT 1 FROM pg_opclass o JOIN pg_am m "
    "ON "
    "m.oid = o.opcmethod AND m.amname = 'btree' JOIN pg_type t ON t.oid = a.atttypid WHERE "
    "o.opcdefault AND (o.opcintype = t.oid OR o.opcintype = t.typbasetype OR t.typtype = 'e' OR "
    "t.typcategory IN ('S', 'A')))), ",
    "'indexes', (SELECT json_agg(json_build_object('name', i.indexrelid::regclass::text, 'unique', "
    "i.indisunique, 'columns', (SELECT json_agg(a.attname ORDER BY x.i) FROM "
    "unnest(i.indkey::int2[]"
    ") WITH ORDINALITY x(n, i) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.n))) "
    "FROM "
    "pg_index i WHERE i.indrelid = c.oid AND i.indexprs IS NULL AND i.indpred IS NULL AND "
    "i.indisvalid))), '[]') FROM json_to_recordset($1::json) AS r(s text, n text) CROSS JOIN "
    "LATERAL "
    "(SELECT k.* FROM pg_class k WHERE k.relname = r.n AND k.relkind IN ('r', 'm') AND CASE WHEN "
    "r.s "
    "= '' THEN pg_table_is_visible(k.oid) ELSE k.relnamespace = to_regnamespace(quote_ident(r.s)) "
    "END LIMIT 1) c JOIN pg_namespace n ON n.oid = c.relnamespace AND has_schema_privilege(n.oid, "
    "'USAGE') WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')",
    NULL,
};

/* --- facts of the catalogue --- */

static const struct km_json *find_by(const struct km_json *list, const char *member,
                                     struct km_str name)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, s;

    for (km_json_iter(list, &it); km_json_next(&it, &unused, &item);)
        if (km_json_string(km_json_get(item, member), &s) && km_str_eq(s, name))
            return item;
    return NULL;
}

static double number(const struct km_json *v, const char *name, double otherwise)
{
    struct km_str s;
    int64_t milli;

    return km_json_number(km_json_get(v, name), &s) && km_str_decimal(s, 3, &milli) == 0
               ? (double)milli / 1000
               : otherwise;
}

static const struct km_json *table_of(const struct km_json *tables,
                                      const struct km_pg_named_table *t)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, schema, name;

    for (km_json_iter(tables, &it); km_json_next(&it, &unused, &item);)
        if (km_json_string(km_json_get(item, "asked"), &name) && km_str_eq(name, t->name) &&
            km_json_string(km_json_get(item, "asked_schema"), &schema) &&
            km_str_eq(schema, t->schema))
            return item;
    return NULL;
}

/* The column a use means in this table; NULL: it is another's. */
static const struct km_json *column_of(const struct km_pg_use *use,
                                       const struct km_pg_named_table *t,
                                       const struct km_json *table)
{
    if (use->table.n && !km_str_eq(use->table, t->alias))
        return NULL;
    return find_by(km_json_get(table, "columns"), "name", use->column);
}

/* --- candidates --- */

/* Does the index begin with these columns? */
static bool begins(const struct km_json *index, const struct km_str *columns, size_t n)
{
    const struct km_json *name;
    struct km_json_iter it;
    struct km_str unused, s;
    size_t i = 0;

    for (km_json_iter(km_json_get(index, "columns"), &it);
         i < n && km_json_next(&it, &unused, &name); i++)
        if (!km_json_string(name, &s) || !km_str_eq(s, columns[i]))
            return false;
    return i == n;
}

static bool indexed_already(const struct candidate *c)
{
    const struct km_json *index;
    struct km_json_iter it;
    struct km_str unused;

    for (km_json_iter(km_json_get(c->table, "indexes"), &it); km_json_next(&it, &unused, &index);)
        if (begins(index, c->columns, c->n))
            return true;
    return false;
}

static void keep(struct advice *a, struct candidate *c, struct km_arena *arena)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_str name = KM_STR_NONE;

    if (!c->n || a->ncandidates == CANDIDATES || indexed_already(c))
        return;
    km_buf_str(&b, KM_STR("CREATE INDEX ON "));
    (void)km_json_string(km_json_get(c->table, "schema"), &name);
    km_pg_quote(&b, name);
    km_buf_byte(&b, '.');
    (void)km_json_string(km_json_get(c->table, "name"), &name);
    km_pg_quote(&b, name);
    km_buf_str(&b, KM_STR(" USING btree ("));
    c->bytes = 0;
    for (size_t i = 0; i < c->n; i++) {
        km_buf_str(&b, i ? KM_STR(", ") : KM_STR(""));
        km_pg_quote(&b, c->columns[i]);
        c->bytes +=
            number(find_by(km_json_get(c->table, "columns"), "name", c->columns[i]), "width", 8);
    }
    km_buf_byte(&b, ')');
    c->bytes = (c->bytes + 20) * number(c->table, "rows", 0) / 0.9;
    c->writes = number(c->table, "writes", 0);
    c->ddl = km_arena_str(arena, km_buf_view(&b));
    for (size_t i = 0; i < a->ncandidates; i++)
        if (km_str_eq(a->candidates[i].ddl, c->ddl))
            return;
    a->candidates[a->ncandidates++] = *c;
}

static bool has(const struct candidate *c, struct km_str column)
{
    for (size_t i = 0; i < c->n; i++)
        if (km_str_eq(c->columns[i], column))
            return true;
    return false;
}

static double distinct_of(const struct candidate *c, struct km_str column)
{
    return number(find_by(km_json_get(c->table, "columns"), "name", column), "distinct", 1);
}

/* The equality columns, those that tell most apart first. */
static void take_equal(struct candidate *c, const struct km_pg_uses *u,
                       const struct km_pg_named_table *t)
{
    for (size_t i = 0; i < u->n && c->n < WIDTH; i++) {
        size_t at = c->n;

        if (u->v[i].kind != KM_PG_USE_EQUAL || !column_of(&u->v[i], t, c->table) ||
            has(c, u->v[i].column))
            continue;
        for (; at > 0 && distinct_of(c, c->columns[at - 1]) < distinct_of(c, u->v[i].column); at--)
            c->columns[at] = c->columns[at - 1];
        c->columns[at] = u->v[i].column;
        c->n++;
    }
}

static void take_kind(struct candidate *c, const struct km_pg_uses *u,
                      const struct km_pg_named_table *t, enum km_pg_use_kind kind, size_t most)
{
    for (size_t i = 0; i < u->n && c->n < WIDTH && most; i++)
        if (u->v[i].kind == kind && column_of(&u->v[i], t, c->table) && !has(c, u->v[i].column)) {
            c->columns[c->n++] = u->v[i].column;
            most--;
        }
}

static void find_candidates(struct advice *a, const struct km_json *tables, struct km_arena *arena)
{
    for (size_t i = 0; i < a->nstatements; i++) {
        const struct km_pg_uses *u = &a->statements[i].uses;

        for (size_t k = 0; k < u->ntables; k++) {
            const struct km_json *table = table_of(tables, &u->tables[k]);
            struct candidate equal = { .table = table }, more, order, one = { .table = table };

            if (!table)
                continue;
            take_equal(&equal, u, &u->tables[k]);
            more = order = equal;
            take_kind(&more, u, &u->tables[k], KM_PG_USE_RANGE, 1);
            take_kind(&order, u, &u->tables[k], KM_PG_USE_ORDER, WIDTH);
            one.columns[0] = equal.columns[0];
            one.n = equal.n > 1;
            keep(a, &equal, arena);
            keep(a, &more, arena);
            keep(a, &order, arena);
            keep(a, &one, arena);
        }
    }
}

/* Each $n gets a typical value of the column beside it; LIMIT and the like get 10. */
static void fill_values(struct statement *s, const struct km_json *tables, struct km_arena *arena)
{
    s->values = km_arena_zalloc(arena, (s->uses.params + 1) * sizeof *s->values);
    for (unsigned p = 0; s->values && p < s->uses.params; p++) {
        s->values[p] = "10";
        for (size_t i = 0; i < s->uses.n; i++)
            for (size_t k = 0; k < s->uses.ntables && s->uses.v[i].param == p + 1; k++) {
                const struct km_json *table = table_of(tables, &s->uses.tables[k]), *column;
                struct km_str typical;

                column = table ? column_of(&s->uses.v[i], &s->uses.tables[k], table) : NULL;
                if (km_json_string(km_json_get(column, "typical"), &typical))
                    s->values[p] = km_arena_cstr(arena, typical);
            }
    }
}

/* --- the estimate without HypoPG --- */

/* What reading by the index costs against reading all, in the planner's units. */
static double estimate(const struct candidate *c, const struct statement *s)
{
    double rows = number(c->table, "rows", 0), pages = number(c->table, "pages", 0), found = rows;
    double all = pages + 0.0125 * rows;

    for (size_t i = 0; i < c->n; i++)
        for (size_t k = 0; k < s->uses.n; k++) {
            if (!km_str_eq(s->uses.v[k].column, c->columns[i]))
                continue;
            if (s->uses.v[k].kind == KM_PG_USE_EQUAL)
                found /= fmax(1, distinct_of(c, c->columns[i]));
            else if (s->uses.v[k].kind == KM_PG_USE_RANGE)
                found /= 3;
            break;
        }
    return fmin(all, 4 * fmin(fmax(found, 1), pages) + 0.02 * found + log2(fmax(rows, 2)));
}

static bool concerns(const struct candidate *c, const struct statement *s)
{
    struct km_str name = KM_STR_NONE;

    (void)km_json_string(km_json_get(c->table, "asked"), &name);
    for (size_t i = 0; i < s->uses.ntables; i++)
        if (km_str_eq(s->uses.tables[i].name, name))
            return s->before >= 0;
    return false;
}

/* --- the answer --- */

static void put_index(struct km_json_out *o, const struct advice *a, const struct candidate *c)
{
    const struct km_json *index;
    struct km_json_iter it;
    struct km_str unused, name;

    km_out_open(o, '{');
    km_out_key(o, "create");
    km_out_joined(o, KM_STR("CREATE INDEX CONCURRENTLY"),
                  km_str_skip(c->ddl, sizeof "CREATE INDEX" - 1));
    km_out_member(o, "undo", KM_STR("DROP INDEX CONCURRENTLY <the name it got>;"));
    km_out_key(o, "columns");
    km_out_open(o, '[');
    for (size_t i = 0; i < c->n; i++)
        km_out_str(o, c->columns[i]);
    km_out_close(o, ']');
    km_out_member_i64(o, "estimated_bytes", (int64_t)c->bytes);
    km_out_member_i64(o, "table_writes", (int64_t)c->writes);
    km_out_key(o, "estimated");
    km_out_bool(o, !a->hypopg.n);
    km_out_key(o, "makes_redundant");
    km_out_open(o, '[');
    for (km_json_iter(km_json_get(c->table, "indexes"), &it); km_json_next(&it, &unused, &index);) {
        size_t n = km_json_count(km_json_get(index, "columns"));
        bool unique = false;

        (void)km_json_bool(km_json_get(index, "unique"), &unique);
        if (!unique && n && n < c->n && begins(index, c->columns, n) &&
            km_json_string(km_json_get(index, "name"), &name))
            km_out_str(o, name);
    }
    km_out_close(o, ']');
    km_out_close(o, '}');
}

static int finish(struct km_pg_task *task, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    struct advice *a = task->data;
    struct km_json_out o;

    km_json_out_init(&o, &b);
    km_out_open(&o, '{');
    km_out_member(&o, "method", a->hypopg.n ? KM_STR("hypopg") : KM_STR("estimate"));
    km_out_key(&o, "indexes");
    km_out_open(&o, '[');
    for (size_t i = 0; i < a->nchosen; i++)
        put_index(&o, a, &a->candidates[a->chosen[i]]);
    km_out_close(&o, ']');
    km_out_key(&o, "statements");
    km_out_open(&o, '[');
    for (size_t i = 0; i < a->nstatements; i++) {
        const struct statement *s = &a->statements[i];

        km_out_open(&o, '{');
        km_out_member(&o, "sql", km_str_sub(s->sql, 0, 2000));
        if (s->before >= 0) {
            km_out_member_i64(&o, "cost_before", (int64_t)s->before);
            km_out_member_i64(&o, "cost_after", (int64_t)s->now);
        } else {
            km_out_member(&o, "error", s->error);
        }
        km_out_close(&o, '}');
    }
    km_out_close(&o, ']');
    km_out_member_i64(&o, "candidates", (int64_t)a->ncandidates);
    km_out_member_i64(&o, "plans_tried", a->explains);
    km_out_close(&o, '}');
    if (km_buf_failed(&b))
        return km_fail(err, KM_E_LIMIT, "the advice is too large: fewer statements");
    return km_pg_answer(task->call, km_buf_view(&b), err);
}

/* --- the search --- */

static double whole(const struct advice *a)
{
    double sum = 0;

    for (size_t i = 0; i < a->nstatements; i++)
        if (a->statements[i].before >= 0)
            sum += a->statements[i].weight * a->statements[i].now;
    return sum;
}

/* The best of a round is kept; false: none is worth it. */
static bool choose(struct advice *a)
{
    size_t best = a->ncandidates;
    double base = whole(a);

    for (size_t i = 0; i < a->ncandidates; i++)
        if (!a->candidates[i].chosen && a->candidates[i].total >= 0 &&
            a->candidates[i].total < base * (1 - GAIN) &&
            (best == a->ncandidates || a->candidates[i].total < a->candidates[best].total ||
             (a->candidates[i].total <= a->candidates[best].total * 1.01 &&
              a->candidates[i].n < a->candidates[best].n)))
            best = i;
    if (best == a->ncandidates)
        return false;
    a->candidates[best].chosen = true;
    a->chosen[a->nchosen++] = best;
    return true;
}

static int by_estimate(struct km_pg_task *task, struct km_err *err)
{
    struct advice *a = task->data;

    while (a->nchosen < a->most) {
        for (size_t i = 0; i < a->ncandidates; i++) {
            struct candidate *c = &a->candidates[i];

            /* an update of an index costs about as much as a page that is read */
            c->total = c->writes / 1e6;
            for (size_t k = 0; k < a->nstatements; k++) {
                struct statement *s = &a->statements[k];
                double cost = s->now;

                if (s->before < 0)
                    continue;
                if (concerns(c, s))
                    cost = fmin(cost, estimate(c, s));
                c->total += s->weight * cost;
            }
        }
        if (!choose(a))
            break;
        for (size_t k = 0; k < a->nstatements; k++)
            if (concerns(&a->candidates[a->chosen[a->nchosen - 1]], &a->statements[k]))
                a->statements[k].now =
                    fmin(a->statements[k].now,
                         estimate(&a->candidates[a->chosen[a->nchosen - 1]], &a->statements[k]));
    }
    return finish(task, err);
}

static int explain(struct km_pg_task *task, struct km_err *err)
{
    struct advice *a = task->data;
    struct statement *s = &a->statements[a->si];
    struct km_str ddl[CHOSEN + 1];
    struct km_pg_request request = {
        .sql = km_arena_cat(task->call->arena,
                            (struct km_str[]){ KM_STR("EXPLAIN (FORMAT JSON) "), s->sql }, 2),
        .nparams = s->uses.params,
        .values = s->values,
    };
    size_t n = 0;

    for (; n < a->nchosen; n++)
        ddl[n] = a->candidates[a->chosen[n]].ddl;
    if (a->ci < a->ncandidates)
        ddl[n++] = a->candidates[a->ci].ddl;
    if (n && km_pg_hypo_before(&request, task->call->arena, a->hypopg, ddl, n, err) < 0)
        return KM_E_NOMEM;
    a->explains++;
    return km_pg_task_again(task, &request, err);
}

/* The next plan of the round, or the end of it. */
static int step(struct km_pg_task *task, struct km_err *err)
{
    struct advice *a = task->data;

    for (; a->explains < EXPLAINS && a->ci < a->ncandidates; a->ci++, a->si = 0) {
        struct candidate *c = &a->candidates[a->ci];

        if (a->si == 0)
            c->total = c->chosen ? -1 : c->writes / 1e6;
        for (; !c->chosen && a->si < a->nstatements; a->si++) {
            if (concerns(c, &a->statements[a->si]))
                return explain(task, err);
            if (a->statements[a->si].before >= 0)
                c->total += a->statements[a->si].weight * a->statements[a->si].now;
        }
    }
    for (; a->ci < a->ncandidates; a->ci++)
        a->candidates[a->ci].total = -1; /* not tried to the end */
    if (a->nchosen == a->most || a->explains >= EXPLAINS || !choose(a))
        return finish(task, err);
    a->ci = a->ncandidates; /* what it costs with the new one, from here on */
    a->si = 0;
    return explain(task, err);
}

static int on_plan(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct advice *a = task->data;
    struct statement *s = &a->statements[a->si];
    struct km_str value = km_pg_task_value(task);
    const struct km_json *plan = NULL;
    double cost = -1;

    if (value.n && km_json_parse(task->call->arena, value, &plan, NULL) == 0)
        cost = km_pg_plan_cost(plan);
    if (a->ci < a->ncandidates) {
        a->candidates[a->ci].total += s->weight * (cost >= 0 ? cost : s->now);
        a->si++;
        return step(task, err);
    }
    if (!a->nchosen) {
        s->before = s->now = cost;
        if (cost < 0)
            s->error = km_arena_str(task->call->arena, o->refused ? o->refused->message
                                                       : o->err   ? km_str_c(o->err->text)
                                                                  : o->message);
    } else if (cost >= 0) {
        s->now = cost;
    }
    if (++a->si < a->nstatements)
        return explain(task, err);
    a->ci = a->si = 0;
    return a->hypopg.n ? step(task, err) : by_estimate(task, err);
}

/* --- the beginning --- */

static int on_tables(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_arena *arena = task->call->arena;
    struct km_str value = km_pg_task_value(task);
    struct advice *a = task->data;
    const struct km_json *tables;

    (void)o;
    if (!value.n || km_json_parse(arena, km_arena_str(arena, value), &tables, NULL) < 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "PostgreSQL said nothing of the tables");
    for (size_t i = 0; i < a->nstatements; i++)
        fill_values(&a->statements[i], tables, arena);
    find_candidates(a, tables, arena);
    a->ci = a->ncandidates;
    task->tolerant = true;
    task->answer = on_plan;
    return a->nstatements ? explain(task, err) : finish(task, err);
}

static int ask_tables(struct km_pg_task *task, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    const char **values = km_arena_zalloc(task->call->arena, 2 * sizeof *values);
    struct advice *a = task->data;
    struct km_pg_request request;
    struct km_json_out o;

    km_json_out_init(&o, &b);
    km_out_open(&o, '[');
    for (size_t i = 0; i < a->nstatements; i++)
        for (size_t k = 0; k < a->statements[i].uses.ntables; k++) {
            const struct km_pg_named_table *t = &a->statements[i].uses.tables[k];

            km_out_open(&o, '{');
            km_out_member(&o, "s", t->schema);
            km_out_member(&o, "n", t->name);
            km_out_close(&o, '}');
        }
    km_out_close(&o, ']');
    if (!values || km_buf_failed(&b) ||
        km_pg_request_own(task->call, tables_sql, NULL, 0, &request, err) < 0)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    values[0] = km_arena_cstr(task->call->arena, km_buf_view(&b));
    values[1] = km_pg_processors_names(km_pg_own_processors(km_pg_server_of(task->call)->own)).p;
    request.values = values;
    request.nparams = 2;
    task->answer = on_tables;
    return km_pg_task_again(task, &request, err);
}

static int add_statement(struct km_pg_task *task, struct km_str sql, double weight,
                         struct km_err *err)
{
    struct advice *a = task->data;
    struct statement *s = &a->statements[a->nstatements];

    if (a->nstatements == STATEMENTS)
        return km_fail(err, KM_E_LIMIT, "at most %d statements", STATEMENTS);
    s->sql = sql;
    s->weight = weight > 0 ? weight : 1;
    if (km_pg_uses_find(km_pg_db_parser(km_pg_server_of(task->call)->db), task->call->arena, sql,
                        &s->uses, err) < 0)
        return KM_E_INVALID;
    a->nstatements++;
    return 0;
}

static int on_workload(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_arena *arena = task->call->arena;
    struct km_str value = km_pg_task_value(task), sql, unused;
    const struct km_json *list, *item;
    struct km_json_iter it;
    struct km_err skipped;

    (void)o;
    if (!value.n || km_json_parse(arena, km_arena_str(arena, value), &list, NULL) < 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "pg_stat_statements gave nothing");
    for (km_json_iter(list, &it); km_json_next(&it, &unused, &item);)
        if (km_json_string(km_json_get(item, "query"), &sql) &&
            add_statement(task, sql, number(item, "calls", 1), &skipped) < 0)
            continue; /* cut short, or of a newer grammar */
    return ask_tables(task, err);
}

static int on_facts(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_arena *arena = task->call->arena;
    struct km_str value = km_arena_str(arena, km_pg_task_value(task));
    const char *pieces[2] = { NULL, NULL };
    struct advice *a = task->data;
    struct km_pg_request request;
    const struct km_json *facts;

    (void)o;
    if (!value.n || km_json_parse(arena, value, &facts, NULL) < 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "PostgreSQL gave no answer");
    (void)km_json_string(km_json_get(facts, "hypopg"), &a->hypopg);
    (void)km_json_string(km_json_get(facts, "pgss"), &a->pgss);
    if (a->nstatements)
        return ask_tables(task, err);
    if (!a->pgss.n)
        return km_fail(err, KM_E_UNSUPPORTED,
                       "say which statements in queries: pg_stat_statements, which knows those "
                       "that "
                       "ran, is not installed");
    pieces[0] = km_pg_with_schema(arena, workload_sql, a->pgss);
    if (km_pg_request_own(task->call, pieces, NULL, 0, &request, err) < 0)
        return KM_E_NOMEM;
    task->answer = on_workload;
    return km_pg_task_again(task, &request, err);
}

static int advise_indexes(struct km_mcp_call *call, struct km_err *err)
{
    struct km_pg_task *task = km_pg_task_new(call, err);
    struct advice *a = km_arena_zalloc(call->arena, sizeof *a);
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, sql;
    int64_t most = 3;

    if (!task || !a)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    task->data = a;
    (void)km_json_i64(km_json_get(call->args, "max_indexes"), &most);
    a->most = (size_t)most;
    for (km_json_iter(km_json_get(call->args, "queries"), &it); km_json_next(&it, &unused, &item);)
        if (km_json_string(item, &sql) && add_statement(task, sql, 1, err) < 0)
            return KM_E_INVALID;
    task->answer = on_facts;
    if (km_pg_request_own(call, facts_sql, NULL, 0, &task->request, err) < 0)
        return KM_E_NOMEM;
    return km_pg_task_start(task, err);
}

static const struct km_pg_row rows[] = {
    { .tool = {
        .name = KM_PG_TEXT("advise_indexes"),
        .title = KM_PG_TEXT("Advise indexes"),
        .description = KM_PG_TEXT(
            "Finds indexes that would help the given statements, or those pg_stat_statements "
            "knows, "
            "and shows what each takes off the plans. With HypoPG the planner itself says so; "
            "without it the numbers are an estimate, marked as such. Creates nothing."),
        .input = KM_PG_TEXT(KM_PG_JSON({"type": "object", "additionalProperties": false,
            "properties": {
                "queries": {"type": "array", "items": {"type": "string"},
                    "description": "At most 10 statements; left out: those that took most time."},
                "max_indexes": {"type": "integer", "minimum": 1, "maximum": 5}}})),
        .output = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["method", "indexes",
            "statements"], "properties": {"method": {"type": "string"},
                "indexes": {"type": "array", "items": {"type": "object"}},
                "statements": {"type": "array", "items": {"type": "object"}}}})),
        .run = advise_indexes }, .does = KM_PG_RUNS },
};

const struct km_pg_rows km_pg_tools_advise = { rows, sizeof rows / sizeof rows[0] };
