/* SPDX-License-Identifier: Apache-2.0 */
/* tools_explain.c - explain_query: how PostgreSQL would run a statement, or ran it.
 *
 *     EXPLAIN of the caller's text ──> the plan as JSON, and findings in words (plan.h)
 *     with hypothetical_indexes: where is HypoPG? ──> the same, on a connection of its own
 *
 * The guard judges the whole text, so what may not run may not be explained either; ANALYZE of a
 * statement that writes is rolled back by the lease.
 */
#include "servers/postgres/tools.h"

#include "servers/postgres/hypo.h"
#include "servers/postgres/plan.h"

#define DDL_BYTES 8192

struct explain {
    struct km_pg_request request; /* the EXPLAIN, while HypoPG is looked for */
    size_t prefix;
    struct km_str ddl[KM_PG_HYPO_MOST];
    size_t nddl;
};

static int answer_plan(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_RESULT_BYTES);
    struct km_str plan = km_pg_task_value(task);
    const struct explain *e = task->data;
    const struct km_json *tree;

    if (!plan.n || km_json_parse_answer(task->call->arena, plan, &tree, NULL) < 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "PostgreSQL gave no plan, or too large a one");
    km_buf_str(&b, KM_STR("{\"plan\":"));
    km_buf_str(&b, plan);
    km_buf_str(&b, KM_STR(",\"findings\":"));
    km_pg_plan_findings(tree, &b);
    km_buf_str(&b, KM_STR(",\"hypothetical_indexes\":["));
    for (size_t i = 0; i < e->nddl; i++) {
        if (i)
            km_buf_byte(&b, ',');
        km_buf_json(&b, e->ddl[i]);
    }
    km_buf_str(&b, KM_STR("],\"elapsed_ms\":"));
    km_buf_decimal(&b, (int64_t)(o->elapsed_us / 100), 1);
    km_buf_byte(&b, '}');
    if (km_buf_failed(&b))
        return km_fail(err, KM_E_LIMIT, "the plan is too large");
    return km_pg_answer(task->call, km_buf_view(&b), err);
}

/* HypoPG was looked for. */
static int explain_supposed(struct km_pg_task *task, const struct km_pg_outcome *o,
                            struct km_err *err)
{
    struct km_str value = km_pg_task_value(task), schema;
    struct explain *e = task->data;
    const struct km_json *name;
    int r;

    (void)o;
    if (!value.n || km_json_parse(task->call->arena, value, &name, NULL) < 0 ||
        !km_json_string(name, &schema))
        return km_fail(err, KM_E_UNSUPPORTED,
                       "hypothetical_indexes need the extension HypoPG in this database: CREATE "
                       "EXTENSION hypopg (Debian's package postgresql-NN-hypopg)");
    r = km_pg_hypo_before(&e->request, task->call->arena, schema, e->ddl, e->nddl, err);
    if (r < 0)
        return r;
    task->answer = answer_plan;
    r = km_pg_task_again(task, &e->request, err);
    task->prefix = e->prefix;
    return r;
}

static int read_indexes(struct km_pg_task *task, const struct km_json *list, struct km_err *err)
{
    struct explain *e = task->data;
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused;

    for (km_json_iter(list, &it); km_json_next(&it, &unused, &item);) {
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(DDL_BYTES);

        if (e->nddl == KM_PG_HYPO_MOST)
            return km_fail(err, KM_E_LIMIT, "hypothetical_indexes: at most %d", KM_PG_HYPO_MOST);
        if (km_pg_hypo_ddl(item, &b, err) < 0)
            return KM_E_INVALID;
        e->ddl[e->nddl++] = km_arena_str(task->call->arena, km_buf_view(&b));
    }
    return 0;
}

static bool flag(const struct km_mcp_call *call, const char *name)
{
    bool on = false;

    (void)km_json_bool(km_json_get(call->args, name), &on);
    return on;
}

static const char *said(const struct km_mcp_call *call, const char *name)
{
    return flag(call, name) ? "true" : "false";
}

/* task->request becomes the EXPLAIN of the argument sql. */
static int make_request(struct km_pg_task *task, struct km_err *err)
{
    struct km_mcp_call *call = task->call;
    /* HypoPG looks for the word ANALYZE, not for what it is set to. */
    struct km_str head = km_arena_printf(
        call->arena, "EXPLAIN (FORMAT JSON%s, BUFFERS %s, SETTINGS %s) ",
        flag(call, "analyze") ? ", ANALYZE" : "", said(call, "buffers"), said(call, "settings"));

    (void)km_json_string(km_json_get(call->args, "sql"), &task->request.sql);
    if (km_str_ieq(km_str_sub(km_str_trim(task->request.sql), 0, 8), KM_STR("explain ")))
        return km_fail(err, KM_E_INVALID,
                       "sql: the statement alone, without EXPLAIN; its options are arguments: "
                       "analyze, buffers, settings");
    if (km_pg_task_params(task, km_json_get(call->args, "params"), err) < 0)
        return KM_E_INVALID;
    km_pg_task_limits(task);
    task->prefix = head.n;
    task->request.sql = km_arena_cat(call->arena, (struct km_str[]){ head, task->request.sql }, 2);
    return task->request.sql.p ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static int explain_query(struct km_mcp_call *call, struct km_err *err)
{
    const struct km_json *indexes = km_json_get(call->args, "hypothetical_indexes");
    struct km_pg_task *task = km_pg_task_new(call, err);
    struct explain *e = km_arena_zalloc(call->arena, sizeof *e);

    if (!task || !e)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    task->data = e;
    task->answer = answer_plan;
    if (make_request(task, err) < 0 || read_indexes(task, indexes, err) < 0)
        return KM_E_INVALID;
    if (!e->nddl)
        return km_pg_task_start(task, err);
    if (flag(call, "analyze"))
        return km_fail(err, KM_E_INVALID,
                       "analyze runs the query, which an index that does not exist cannot help: "
                       "leave out analyze or hypothetical_indexes");
    e->request = task->request;
    e->prefix = task->prefix;
    task->prefix = 0;
    task->answer = explain_supposed;
    if (km_pg_request_own(call, km_pg_hypo_sql, NULL, 0, &task->request, err) < 0)
        return KM_E_NOMEM;
    return km_pg_task_start(task, err);
}

static const struct km_pg_row rows[] = {
    { .tool = {
        .name = KM_PG_TEXT("explain_query"),
        .title = KM_PG_TEXT("Explain a query"),
        .description = KM_PG_TEXT(
            "Shows how PostgreSQL would run a query, as JSON and in words: the node that takes "
            "most, "
            "the worst estimate, an index that is missing. With analyze it runs it and measures; "
            "with hypothetical_indexes it plans as if those indexes existed (HypoPG)."),
        .input = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["sql"],
            "additionalProperties": false,
            "properties": {
                "sql": {"type": "string", "description": "One statement, without EXPLAIN."},
                "params": {"type": "array", "description": "Values of $1, $2, ..."},
                "timeout_ms": {"type": "integer", "minimum": 1, "maximum": 3600000},
                "analyze": {"type": "boolean", "description":
                    "Run it; what it changes is rolled back."},
                "buffers": {"type": "boolean"}, "settings": {"type": "boolean"},
                "hypothetical_indexes": {"type": "array", "items": {"type": "object",
                    "required": ["table", "columns"], "additionalProperties": false, "properties": {
                        "schema": {"type": "string"}, "table": {"type": "string"},
                        "columns": {"type": "array", "items": {"type": "string"}},
                        "using": {"type": "string", "enum": ["btree", "hash", "brin"]}}}}}})),
        .output = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["plan", "findings"],
            "properties": {
            "plan": {"type": "array"},
            "findings": {"type": "array", "items": {"type": "object", "required": ["kind", "node",
                "text"],
                "properties": {"kind": {"type": "string"}, "node": {"type": "string"}, "text":
                    {"type": "string"}}}},
            "hypothetical_indexes": {"type": "array", "items": {"type": "string"}},
            "elapsed_ms": {"type": "number"}}})),
        .run = explain_query },
      .does = KM_PG_RUNS },
};

const struct km_pg_rows km_pg_tools_explain = { rows, sizeof rows / sizeof rows[0] };
