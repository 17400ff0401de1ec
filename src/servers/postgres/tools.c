/* SPDX-License-Identifier: Apache-2.0 */
/* tools.c - a tool call's way to the database and back; execute_sql and explain_query.
 *
 * Errors are answers a model can act on: SQLSTATE or the guard's own word, the message, where in
 * the text that was sent, and what would pass.  They never tell how the database is reached.
 */
#include "servers/postgres/tools.h"

#include "base/encode.h"
#include "http/json_out.h"

#define PARAMS 1000
#define PARAM_BYTES ((size_t)1024 * 1024)
#define ERROR_BYTES ((size_t)64 * 1024)

/* --- errors --- */

/* Counted from 1, as PostgreSQL's own positions are; 0: unknown. */
static int character_of(struct km_str sql, int at)
{
    size_t byte = 0;
    int n = at >= 0;

    while (at > 0 && byte < (size_t)at && byte < sql.n) {
        byte += km_utf8_step(km_str_skip(sql, byte));
        n++;
    }
    return n;
}

static void put_error(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_buf *b)
{
    const struct km_pg_verdict *v = o->refused;
    struct km_json_out j;
    int position = o->position;

    km_json_out_init(&j, b);
    km_out_open(&j, '{');
    km_out_key(&j, "error");
    km_out_open(&j, '{');
    if (v) {
        km_out_member(&j, "code", km_str_c(v->code));
        if (v->node)
            km_out_member(&j, "node", km_str_c(v->node));
        position = character_of(task->request.sql, v->at);
    } else {
        km_out_member(&j, "code", o->sqlstate);
    }
    km_out_member(&j, "message", v ? v->message : o->message);
    if (position > (int)task->prefix)
        km_out_member_i64(&j, "position", position - (int)task->prefix);
    if (o->detail.n)
        km_out_member(&j, "detail", o->detail);
    if (v ? v->hint.n : o->hint.n)
        km_out_member(&j, "hint", v ? v->hint : o->hint);
    km_out_close(&j, '}');
    km_out_close(&j, '}');
}

static int answer_error(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(ERROR_BYTES);
    const struct km_pg_server *s = task->call->server->data;
    const struct km_pg_limits *limits = &km_pg_db_args_of(s->db)->limits;

    if (o->unknown)
        return km_fail(err, KM_E_UPSTREAM_CONNECT,
                       "outcome unknown: the connection was lost while the change was committed; "
                       "look whether it happened before trying again");
    if (o->over_cap)
        return km_fail(err, KM_E_LIMIT,
                       "rolled back: the statement would have changed %lld rows, at most %lld are "
                       "allowed",
                       (long long)o->affected, (long long)limits->affected);
    if (o->err)
        return km_fail(err, o->err->code, "%s", o->err->text);
    put_error(task, o, &b);
    km_mcp_call_text(task->call, km_buf_view(&b), true);
    return 0;
}

/* --- tasks --- */

static bool on_result(void *ctx, const struct km_pg_result *r)
{
    struct km_pg_task *task = ctx;

    return km_pg_table_take(&task->table, r);
}

static void on_end(void *ctx, const struct km_pg_outcome *o)
{
    struct km_pg_task *task = ctx;
    bool failed;
    struct km_err err = { 0 };
    int r;

    task->call->work = NULL;
    failed = o->err || o->refused || o->sqlstate.n || o->over_cap || o->unknown;
    r = failed ? answer_error(task, o, &err) : task->answer(task, o, &err);
    if (r < 0)
        km_mcp_call_text(task->call, km_str_c(err.text), true);
}

static const struct km_pg_lease_events lease_events = { on_result, on_end };

static void drop_table(void *table)
{
    km_pg_table_done(table);
}

static struct km_pg_db *db_of(const struct km_mcp_call *call)
{
    return ((struct km_pg_server *)call->server->data)->db;
}

struct km_pg_task *km_pg_task_new(struct km_mcp_call *call, struct km_err *err)
{
    struct km_pg_task *task = km_arena_zalloc(call->arena, sizeof *task);
    const struct km_pg_limits *limits = &km_pg_db_args_of(db_of(call))->limits;

    if (task)
        km_pg_table_init(&task->table, limits->rows, limits->bytes);
    if (!task || km_arena_defer(call->arena, drop_table, &task->table) < 0) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    task->call = call;
    return task;
}

int km_pg_task_start(struct km_pg_task *task, struct km_err *err)
{
    task->lease =
        km_pg_lease_new(db_of(task->call), task->call->arena, &task->request, &lease_events, task);
    task->call->work = task->lease ? task : NULL;
    return task->lease ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

void km_pg_task_cancel(struct km_mcp_call *call)
{
    km_pg_lease_cancel(((struct km_pg_task *)call->work)->lease);
}

void km_pg_task_drop(struct km_mcp_call *call)
{
    km_pg_lease_drop(((struct km_pg_task *)call->work)->lease);
}

/* --- parameters --- */

/* A value as PostgreSQL's text; NULL: null. */
static const char *text_of(struct km_arena *arena, const struct km_json *v)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(PARAM_BYTES);
    struct km_str s;
    bool on;

    if (km_json_kind(v) == KM_JSON_NULL)
        return NULL;
    if (km_json_bool(v, &on))
        return on ? "true" : "false";
    if (km_json_string(v, &s) || km_json_number(v, &s))
        return km_arena_cstr(arena, s);
    km_json_write(v, &b); /* lists and objects: JSON */
    return km_arena_cstr(arena, km_buf_view(&b));
}

static int take_param(struct km_pg_task *task, const struct km_json *v, const char **ret_text,
                      unsigned *ret_type, struct km_err *err)
{
    const struct km_json *inner = km_json_get(v, "value");
    struct km_str name = KM_STR_NONE, s;

    *ret_type = 0;
    if (km_json_kind(v) == KM_JSON_OBJECT && inner && km_json_count(v) == 2 &&
        km_json_string(km_json_get(v, "type"), &name)) {
        *ret_type = km_pg_type_oid(name);
        if (!*ret_type)
            return km_fail(err, KM_E_INVALID, "params: '%.*s' is no type that is known here",
                           KM_STR_ARG(name));
        v = inner;
    }
    if (km_json_string(v, &s) && km_str_chr(s, '\0') < s.n)
        return km_fail(err, KM_E_INVALID, "params: a text with a NUL byte");
    *ret_text = text_of(task->call->arena, v);
    return 0;
}

int km_pg_task_params(struct km_pg_task *task, const struct km_json *params, struct km_err *err)
{
    size_t n = km_json_count(params);
    const struct km_json *item;
    const char **values;
    unsigned *types;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    if (n == 0)
        return 0;
    if (n > PARAMS)
        return km_fail(err, KM_E_LIMIT, "params: at most %d values", PARAMS);
    values = km_arena_zalloc(task->call->arena, n * sizeof *values);
    types = km_arena_zalloc(task->call->arena, n * sizeof *types);
    if (!values || !types)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    task->request.values = values;
    task->request.types = types;
    for (km_json_iter(params, &it); r == 0 && km_json_next(&it, &key, &item);) {
        r = take_param(task, item, &values[task->request.nparams], &types[task->request.nparams],
                       err);
        task->request.nparams++;
    }
    if (r == 0 && km_arena_overflowed(task->call->arena))
        r = km_fail(err, KM_E_NOMEM, "params: too large");
    return r;
}

/* --- execute_sql --- */

static int answer_rows(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_RESULT_BYTES);

    km_buf_byte(&b, '{');
    km_pg_table_put(&task->table, &b);
    if (!o->cut) {
        km_buf_str(&b, KM_STR(",\"command\":"));
        km_buf_json(&b, o->tag);
    }
    km_buf_printf(&b, ",\"elapsed_ms\":%.1f}", (double)o->elapsed_us / 1000);
    if (km_buf_failed(&b))
        return km_fail(err, KM_E_LIMIT, "the result is too large: select fewer columns or rows");
    km_mcp_call_result(task->call, km_buf_view(&b));
    return 0;
}

static struct km_pg_task *task_of_sql(struct km_mcp_call *call, struct km_err *err)
{
    struct km_pg_task *task = km_pg_task_new(call, err);
    int64_t n;

    if (!task)
        return NULL;
    (void)km_json_string(km_json_get(call->args, "sql"), &task->request.sql);
    if (km_json_i64(km_json_get(call->args, "timeout_ms"), &n))
        task->request.timeout_ms = (uint64_t)n;
    if (km_json_i64(km_json_get(call->args, "max_rows"), &n) && n < task->table.most)
        task->table.most = n;
    if (km_pg_task_params(task, km_json_get(call->args, "params"), err) < 0)
        return NULL;
    task->answer = answer_rows;
    return task;
}

int km_pg_execute_sql(struct km_mcp_call *call, struct km_err *err)
{
    struct km_pg_task *task = task_of_sql(call, err);

    return task ? km_pg_task_start(task, err) : KM_E_INVALID;
}

/* --- explain_query --- */

static int answer_plan(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_RESULT_BYTES);
    struct km_str rows = km_buf_view(&task->table.rows);

    /* One row with one value, the plan as JSON: [[...]] without its outer brackets. */
    if (task->table.nrows != 1 || rows.n < 2)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "PostgreSQL gave no plan");
    km_buf_str(&b, KM_STR("{\"plan\":"));
    km_buf_str(&b, km_str_sub(rows, 1, rows.n - 2));
    km_buf_printf(&b, ",\"elapsed_ms\":%.1f}", (double)o->elapsed_us / 1000);
    if (km_buf_failed(&b))
        return km_fail(err, KM_E_LIMIT, "the plan is too large");
    km_mcp_call_result(task->call, km_buf_view(&b));
    return 0;
}

static const char *flag(const struct km_mcp_call *call, const char *name)
{
    bool on = false;

    (void)km_json_bool(km_json_get(call->args, name), &on);
    return on ? "true" : "false";
}

int km_pg_explain_query(struct km_mcp_call *call, struct km_err *err)
{
    struct km_pg_task *task = task_of_sql(call, err);
    struct km_str head;

    if (!task)
        return KM_E_INVALID;
    head =
        km_arena_printf(call->arena, "EXPLAIN (FORMAT JSON, ANALYZE %s, BUFFERS %s, SETTINGS %s) ",
                        flag(call, "analyze"), flag(call, "buffers"), flag(call, "settings"));
    task->prefix = head.n;
    task->request.sql = km_arena_cat(call->arena, (struct km_str[]){ head, task->request.sql }, 2);
    if (!task->request.sql.p)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    task->answer = answer_plan;
    return km_pg_task_start(task, err);
}
