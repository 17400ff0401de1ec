/* SPDX-License-Identifier: Apache-2.0 */
/* tools_advise.c - advise_indexes: which indexes would help, tried before they are named.
 *
 *     statements given, or pg_stat_statements' ── their columns (advise.c); of UPDATE and DELETE
 *                                                 there the rows they look for (advise_reading.c)
 *         ── the catalogue: rows, values, indexes there are (advise_facts.c)
 *         ── indexes that could serve (advise_candidates.c)
 *         ── EXPLAIN of each statement ── with HypoPG: again with each candidate
 *                                      └─ without: our own estimate (advise_cost.c), marked so
 *
 * Greedy: of all candidates the one that takes most off the whole is kept, then the next, until
 * nothing takes off a tenth any more, or plans or time run out.  Every statement goes through the
 * guard, at each EXPLAIN.  A $n gets a typical value of the column it is compared with.
 */
#include "servers/postgres/tools.h"

#include <math.h>

#include "base/time.h"
#include "http/json_out.h"
#include "servers/postgres/advise_inside.h"
#include "servers/postgres/hypo.h"
#include "servers/postgres/normal.h"
#include "servers/postgres/own.h"
#include "servers/postgres/plan.h"
#include "servers/postgres/process.h"
#include "servers/postgres/texts.h"

#define EXPLAINS 200
#define LONGEST_MS 30000 /* of all plans together */
#define ANSWER_BYTES ((size_t)512 * 1024)
#define SHOWN_BYTES 2000 /* of a statement */

static int finish(struct km_pg_task *task, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);

    km_pg_advice_put(task->data, &b);
    if (km_buf_failed(&b))
        return km_fail(err, KM_E_LIMIT, "the advice is too large: fewer statements");
    return km_pg_answer(task->call, km_buf_view(&b), err);
}

/* --- the search --- */

static int by_estimate(struct km_pg_task *task, struct km_err *err)
{
    struct km_pg_advice *a = task->data;

    while (a->nchosen < a->most) {
        for (size_t i = 0; i < a->ncandidates; i++)
            km_pg_advice_estimate(a, &a->candidates[i]);
        if (!km_pg_advice_choose(a))
            break;
    }
    return finish(task, err);
}

static int explain(struct km_pg_task *task, struct km_err *err)
{
    struct km_pg_advice *a = task->data;
    struct km_pg_advised *s = &a->statements[a->si];
    struct km_str ddl[KM_PG_CHOSEN + 2];
    struct km_pg_request request = {
        .sql = km_arena_cat(task->call->arena,
                            (struct km_str[]){ KM_STR("EXPLAIN (FORMAT JSON) "), s->sql }, 2),
        .nparams = s->uses.params,
        .values = s->values,
    };
    size_t n = 0;

    for (size_t i = 0; i < a->nchosen; i++)
        if (!a->candidates[a->chosen[i]].estimated)
            ddl[n++] = a->candidates[a->chosen[i]].ddl;
    if (a->ci < a->ncandidates)
        ddl[n++] = a->candidates[a->ci].ddl;
    if (a->ci < a->ncandidates && a->candidates[a->ci].also)
        ddl[n++] = a->candidates[a->candidates[a->ci].also - 1].ddl;
    if (n && km_pg_hypo_before(&request, task->call->arena, a->hypopg, ddl, n, err) < 0)
        return KM_E_NOMEM;
    a->explains++;
    return km_pg_task_again(task, &request, err);
}

static bool exhausted(struct km_pg_advice *a)
{
    a->stopped |= a->explains >= EXPLAINS || km_mono_ms() >= a->until_ms;
    return a->stopped;
}

/* The next plan of the round, or the end of it. */
static int step(struct km_pg_task *task, struct km_err *err)
{
    struct km_pg_advice *a = task->data;

    for (; a->ci < a->ncandidates && !exhausted(a); a->ci++, a->si = 0) {
        struct km_pg_candidate *c = &a->candidates[a->ci];

        if (c->estimated) {
            km_pg_advice_estimate(a, c);
            continue;
        }
        if (a->si == 0)
            c->total = c->chosen ? -1 : km_pg_advice_upkeep(a, c);
        for (; !c->chosen && a->si < a->nstatements; a->si++) {
            if (km_pg_advice_concerns(c, &a->statements[a->si]))
                return explain(task, err);
            if (a->statements[a->si].before >= 0)
                c->total += a->statements[a->si].weight * a->statements[a->si].now;
        }
    }
    for (; a->ci < a->ncandidates; a->ci++)
        a->candidates[a->ci].total = -1; /* not tried to the end */
    if (a->nchosen == a->most || !km_pg_advice_choose(a))
        return finish(task, err);
    a->ci = a->ncandidates; /* what it costs with the new one, from here on */
    a->si = 0;
    return explain(task, err);
}

static void take_base(struct km_pg_task *task, struct km_pg_advised *s, const struct km_json *plan,
                      double cost, const struct km_pg_outcome *o)
{
    s->before = s->now = cost;
    s->plan_before = km_pg_plan_shape(task->call->arena, plan);
    if (cost >= 0)
        km_pg_advice_scans(s, plan);
    else
        s->error = km_arena_str(task->call->arena, o->refused ? o->refused->message
                                                   : o->err   ? km_str_c(o->err->text)
                                                              : o->message);
}

static int on_plan(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_pg_advice *a = task->data;
    struct km_pg_advised *s = &a->statements[a->si];
    struct km_str value = km_pg_task_value(task);
    const struct km_json *plan = NULL;
    double cost = -1, left;

    if (value.n && km_json_parse_answer(task->call->arena, value, &plan, NULL) == 0)
        cost = km_pg_plan_cost(plan);
    left = cost >= 0 ? fmax(cost - s->saved, 0) : s->now;
    if (a->ci < a->ncandidates) {
        a->candidates[a->ci].total += s->weight * left;
        a->si++;
        return step(task, err);
    }
    if (!a->nchosen)
        take_base(task, s, plan, cost, o);
    else
        s->now = left;
    if (a->nchosen && cost >= 0)
        s->plan_after = km_pg_plan_shape(task->call->arena, plan);
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
    struct km_pg_advice *a = task->data;
    const struct km_json *tables;

    (void)o;
    if (!value.n || km_json_parse(arena, km_arena_str(arena, value), &tables, NULL) < 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "PostgreSQL said nothing of the tables");
    km_pg_advice_facts(a, tables, arena);
    km_pg_advice_candidates(a, arena);
    a->ci = a->ncandidates;
    a->until_ms = km_mono_ms() + LONGEST_MS;
    task->tolerant = true;
    task->answer = on_plan;
    return a->nstatements ? explain(task, err) : finish(task, err);
}

/* The tables of all statements; *columns: those whose common values a partial index may want. */
static void put_tables(const struct km_pg_advice *a, struct km_json_out *tables,
                       struct km_json_out *columns)
{
    for (size_t i = 0; i < a->nstatements; i++) {
        const struct km_pg_uses *u = &a->statements[i].uses;

        for (size_t k = 0; k < u->ntables; k++) {
            km_out_open(tables, '{');
            km_out_member(tables, "s", u->tables[k].schema);
            km_out_member(tables, "n", u->tables[k].name);
            km_out_close(tables, '}');
        }
        for (size_t k = 0; k < u->nfixed; k++)
            km_out_str(columns, u->fixed[k].column);
    }
}

static int ask_tables(struct km_pg_task *task, struct km_err *err)
{
    struct km_buf tables KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    struct km_buf columns KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    const char **values = km_arena_zalloc(task->call->arena, 3 * sizeof *values);
    struct km_pg_request request;
    struct km_json_out t, c;

    km_json_out_init(&t, &tables);
    km_json_out_init(&c, &columns);
    km_out_open(&t, '[');
    km_out_open(&c, '[');
    put_tables(task->data, &t, &c);
    km_out_close(&t, ']');
    km_out_close(&c, ']');
    if (!values || km_buf_failed(&tables) || km_buf_failed(&columns) ||
        km_pg_request_own(task->call, km_pg_advice_tables_sql, NULL, 0, &request, err) < 0)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    values[0] = km_arena_cstr(task->call->arena, km_buf_view(&tables));
    values[1] = km_pg_processors_names(km_pg_server_of(task->call)->processors).p;
    values[2] = km_arena_cstr(task->call->arena, km_buf_view(&columns));
    request.values = values;
    request.nparams = 3;
    task->answer = on_tables;
    return km_pg_task_again(task, &request, err);
}

static int add_statement(struct km_pg_task *task, struct km_str sql, double weight,
                         struct km_err *err)
{
    struct km_pg_advice *a = task->data;
    struct km_pg_advised *s = &a->statements[a->nstatements];

    if (a->nstatements == KM_PG_STATEMENTS)
        return km_fail(err, KM_E_LIMIT, "at most %d statements", KM_PG_STATEMENTS);
    s->sql = sql;
    s->shown = km_str_sub(sql, 0, SHOWN_BYTES);
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
    const struct km_pg_parser *parser = km_pg_db_parser(km_pg_server_of(task->call)->db);
    struct km_str value = km_pg_task_value(task), sql, of, unused;
    struct km_pg_advice *a = task->data;
    const struct km_json *list, *item, *narrowed;
    struct km_pg_advised *s;
    struct km_json_iter it;
    struct km_err skipped;

    (void)o;
    if (!value.n || km_json_parse(arena, km_arena_str(arena, value), &list, NULL) < 0 ||
        km_json_parse(arena, km_pg_processors_names(km_pg_server_of(task->call)->processors),
                      &narrowed, NULL) < 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "pg_stat_statements gave nothing");
    for (km_json_iter(list, &it); km_json_next(&it, &unused, &item);) {
        a->window = a->age_s > 0 ? fmin(km_pg_fact(item, "age", a->age_s) / a->age_s, 1) : 1;
        if (!km_json_string(km_json_get(item, "query"), &sql) || km_pg_text_withheld(narrowed, sql))
            continue;
        of = km_pg_reading(parser, arena, sql);
        if (add_statement(task, of.n ? of : sql, km_pg_fact(item, "calls", 1), &skipped) < 0)
            continue; /* cut short, or of a newer grammar */
        s = &a->statements[a->nstatements - 1];
        s->shown = km_pg_normal(parser, arena, s->sql, SHOWN_BYTES);
        if (of.n) {
            s->of = sql;
            s->shown_of = km_pg_normal(parser, arena, sql, SHOWN_BYTES);
        }
    }
    return ask_tables(task, err);
}

static int on_facts(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_arena *arena = task->call->arena;
    struct km_str value = km_arena_str(arena, km_pg_task_value(task));
    const char *pieces[2] = { NULL, NULL };
    struct km_pg_advice *a = task->data;
    struct km_pg_request request;
    const struct km_json *facts;

    (void)o;
    if (!value.n || km_json_parse(arena, value, &facts, NULL) < 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "PostgreSQL gave no answer");
    a->hypopg = km_pg_fact_text(facts, "hypopg");
    a->pgss = km_pg_fact_text(facts, "pgss");
    a->trgm = km_pg_fact_text(facts, "trgm");
    a->since = km_pg_fact_text(facts, "since");
    a->age_s = km_pg_fact(facts, "age", 0);
    if (a->nstatements)
        return ask_tables(task, err);
    if (!a->pgss.n)
        return km_fail(err, KM_E_UNSUPPORTED,
                       "say which statements in queries: pg_stat_statements, which knows those "
                       "that ran, is not installed");
    a->workload = true;
    pieces[0] = km_pg_with_schema(arena,
                                  km_pg_fact_flag(facts, "info") ? km_pg_advice_workload_sql
                                                                 : km_pg_advice_workload_13_sql,
                                  a->pgss);
    if (km_pg_request_own(task->call, pieces, NULL, 0, &request, err) < 0)
        return KM_E_NOMEM;
    task->answer = on_workload;
    return km_pg_task_again(task, &request, err);
}

/* An UPDATE or DELETE is read as the SELECT of its rows, as those of pg_stat_statements are. */
static int add_given(struct km_pg_task *task, struct km_str sql, struct km_err *err)
{
    const struct km_pg_parser *parser = km_pg_db_parser(km_pg_server_of(task->call)->db);
    struct km_str reading = km_pg_reading(parser, task->call->arena, sql);
    struct km_pg_advice *a = task->data;

    if (add_statement(task, reading.n ? reading : sql, 1, err) < 0)
        return KM_E_INVALID;
    if (reading.n) {
        a->statements[a->nstatements - 1].of = sql;
        a->statements[a->nstatements - 1].shown_of = km_str_sub(sql, 0, SHOWN_BYTES);
    }
    return 0;
}

static int advise_indexes(struct km_mcp_call *call, struct km_err *err)
{
    struct km_pg_task *task = km_pg_task_new(call, err);
    struct km_pg_advice *a = km_arena_zalloc(call->arena, sizeof *a);
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, sql;
    int64_t most = 3, megabytes = 0;

    if (!task || !a)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    task->data = a;
    (void)km_json_i64(km_json_get(call->args, "max_indexes"), &most);
    a->most = (size_t)most;
    (void)km_json_i64(km_json_get(call->args, "max_index_size_mb"), &megabytes);
    a->most_bytes = (double)megabytes * 1024 * 1024;
    for (km_json_iter(km_json_get(call->args, "queries"), &it); km_json_next(&it, &unused, &item);)
        if (km_json_string(item, &sql) && add_given(task, sql, err) < 0)
            return KM_E_INVALID;
    task->answer = on_facts;
    if (km_pg_request_own(call, km_pg_advice_facts_sql, NULL, 0, &task->request, err) < 0)
        return KM_E_NOMEM;
    return km_pg_task_start(task, err);
}

static const struct km_pg_row rows[] = {
    { .tool = { .name = KM_PG_TEXT("advise_indexes"),
                .title = KM_PG_TEXT("Advise indexes"),
                .description = KM_PG_TEXT("Finds indexes that would help the given statements, or "
                                          "those pg_stat_statements "
                                          "knows, and shows what they take off the plans, their "
                                          "size and what keeping them "
                                          "costs: btree (several columns, INCLUDE, partial), GIN "
                                          "and BRIN. With HypoPG the "
                                          "planner itself says so; without it, and for GIN, the "
                                          "numbers are an estimate, marked "
                                          "as such. Creates nothing."),
                .input = KM_PG_TEXT(KM_PG_JSON({
                    "type" : "object",
                    "additionalProperties" : false,
                    "properties" : {
                        "queries" : {
                            "type" : "array",
                            "items" : { "type" : "string" },
                            "description" :
                                "At most 10 statements; left out: those that took most time."
                        },
                        "max_indexes" : { "type" : "integer", "minimum" : 1, "maximum" : 5 },
                        "max_index_size_mb" : {
                            "type" : "integer",
                            "minimum" : 1,
                            "description" : "Of all that are advised together."
                        }
                    }
                })),
                .output = KM_PG_TEXT(KM_PG_JSON({
                    "type" : "object",
                    "required" : [ "method", "indexes", "statements" ],
                    "properties" : {
                        "method" : { "type" : "string" },
                        "indexes" : { "type" : "array", "items" : { "type" : "object" } },
                        "statements" : { "type" : "array", "items" : { "type" : "object" } }
                    }
                })),
                .run = advise_indexes },
      .does = KM_PG_RUNS },
};

const struct km_pg_rows km_pg_tools_advise = { rows, sizeof rows / sizeof rows[0] };
