/* SPDX-License-Identifier: Apache-2.0 */
/* advise_answer.c - what the advisor found, as JSON; see advise_inside.h.
 *
 *     {"method": "hypopg", "indexes": [{"create": "CREATE INDEX CONCURRENTLY ...", "columns": [],
 *      "estimated_bytes": 1, "write_cost": {...}, "makes_redundant": [...]}],
 *      "statements": [{"sql": "...", "cost_before": 1526, "cost_after": 8.3}]}
 */
#include "servers/postgres/advise_inside.h"

#include <stdio.h>

#include "http/json_out.h"

static void put_names(struct km_json_out *o, const char *key, const struct km_str *names, size_t n)
{
    km_out_key(o, key);
    km_out_open(o, '[');
    for (size_t i = 0; i < n; i++)
        km_out_str(o, names[i]);
    km_out_close(o, ']');
}

static void put_number(struct km_json_out *o, const char *key, double v)
{
    char text[32];

    km_out_key(o, key);
    km_out_raw(o, km_str_c((snprintf(text, sizeof text, "%.4g", v), text)));
}

/* Indexes that this one begins with and that promise nothing: it does what they do. */
static void put_redundant(struct km_json_out *o, const struct km_pg_candidate *c)
{
    const struct km_json *index;
    struct km_json_iter it;
    struct km_str unused;

    km_out_key(o, "makes_redundant");
    km_out_open(o, '[');
    for (km_json_iter(km_json_get(c->table, "indexes"), &it); km_json_next(&it, &unused, &index);) {
        size_t n = km_json_count(km_json_get(index, "columns"));

        if (!km_pg_fact_flag(index, "unique") && n && n < c->n && !c->only &&
            c->method == KM_PG_BTREE && !km_pg_fact_text(index, "where").n &&
            !km_json_count(km_json_get(index, "includes")) &&
            km_str_eq(km_pg_fact_text(index, "method"), KM_STR("btree")) &&
            km_pg_index_begins(index, c, n))
            km_out_str(o, km_pg_fact_text(index, "name"));
    }
    km_out_close(o, ']');
}

static void put_upkeep(struct km_json_out *o, const struct km_pg_advice *a,
                       const struct km_pg_candidate *c)
{
    km_out_key(o, "write_cost");
    km_out_open(o, '{');
    km_out_member_i64(o, "rows_written", (int64_t)c->writes);
    km_out_member(o, "since", a->since);
    put_number(o, "each", km_pg_candidate_write(c));
    if (a->workload)
        put_number(o, "counted_against_it", km_pg_advice_upkeep(a, c));
    km_out_close(o, '}');
}

static void put_index(struct km_json_out *o, const struct km_pg_advice *a,
                      const struct km_pg_candidate *c)
{
    static const char *const methods[] = { "btree", "gin", "brin" };

    km_out_open(o, '{');
    km_out_key(o, "create");
    km_out_joined(o, KM_STR("CREATE INDEX CONCURRENTLY"),
                  km_str_skip(c->ddl, sizeof "CREATE INDEX" - 1));
    km_out_member(o, "undo", KM_STR("DROP INDEX CONCURRENTLY <the name it got>;"));
    km_out_member(o, "method", km_str_c(methods[c->method]));
    put_names(o, "columns", c->columns, c->n);
    put_names(o, "includes", c->includes, c->nincludes);
    if (c->only)
        put_number(o, "part_of_rows", c->share);
    km_out_member_i64(o, "estimated_bytes", (int64_t)c->bytes);
    put_upkeep(o, a, c);
    km_out_key(o, "estimated");
    km_out_bool(o, c->estimated);
    if (c->assumes)
        km_out_member(
            o, "assumes",
            KM_STR("the pattern of LIKE, a parameter here, begins with letters: it serves "
                   "none that begins with % or _"));
    put_redundant(o, c);
    km_out_close(o, '}');
}

static void put_statement(struct km_json_out *o, const struct km_pg_advised *s)
{
    km_out_open(o, '{');
    km_out_member(o, "sql", s->of.n ? s->shown_of : s->shown);
    if (s->of.n)
        km_out_member(o, "read_as", s->shown);
    if (s->before >= 0) {
        put_number(o, "cost_before", s->before);
        put_number(o, "cost_after", s->now);
        km_out_member(o, "plan_before", s->plan_before);
        if (s->plan_after.n && !km_str_eq(s->plan_after, s->plan_before))
            km_out_member(o, "plan_after", s->plan_after);
    } else {
        km_out_member(o, "error", s->error);
    }
    km_out_close(o, '}');
}

void km_pg_advice_put(const struct km_pg_advice *a, struct km_buf *b)
{
    struct km_json_out o;

    km_json_out_init(&o, b);
    km_out_open(&o, '{');
    km_out_member(&o, "method", a->hypopg.n ? KM_STR("hypopg") : KM_STR("estimate"));
    km_out_key(&o, "indexes");
    km_out_open(&o, '[');
    for (size_t i = 0; i < a->nchosen; i++)
        put_index(&o, a, &a->candidates[a->chosen[i]]);
    km_out_close(&o, ']');
    km_out_key(&o, "statements");
    km_out_open(&o, '[');
    for (size_t i = 0; i < a->nstatements; i++)
        put_statement(&o, &a->statements[i]);
    km_out_close(&o, ']');
    km_out_member_i64(&o, "candidates", (int64_t)a->ncandidates);
    km_out_member_i64(&o, "plans_tried", a->explains);
    if (a->nhints)
        put_names(&o, "hints", a->hints, a->nhints);
    km_out_key(&o, "stopped_early");
    km_out_bool(&o, a->stopped);
    km_out_close(&o, '}');
}
