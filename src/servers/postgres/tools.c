/* SPDX-License-Identifier: Apache-2.0 */
/* tools.c - a tool call's way to the database and back.
 *
 *     handler ── task ── lease ── answer ──> a result, an error, or the next statement
 *
 * A task may run several statements one after the other: its answer changes the request and starts
 * again.  What comes from the database stands between data_begins and data_ends, with a word that
 * nobody could know before: whatever a row says, it cannot say that it ends there.
 *
 * Errors are answers a model can act on: SQLSTATE or the guard's own word, the message, where in
 * the text that was sent, and what would pass.  They never tell how the database is reached.
 */
#include "servers/postgres/tools.h"

#include "base/crypto.h"
#include "base/encode.h"
#include "base/time.h"
#include "http/json_out.h"
#include "servers/postgres/digest.h"
#include "servers/postgres/hints.h"
#include "servers/postgres/meter.h"
#include "servers/postgres/near.h"
#include "servers/postgres/own.h"
#include "servers/postgres/process.h"
#include "servers/postgres/typenames.h"

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
    struct km_str hint = v ? v->hint : o->hint.n ? o->hint : km_pg_hint(o->sqlstate, o->message);
    struct km_json_out j;
    int position = o->position;

    if (task->near.n)
        hint = km_arena_printf(task->call->arena,
                               "near names: %.*s; list_objects and "
                               "search_objects find others",
                               KM_STR_ARG(task->near));
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
    if (position > (int)task->prefix && !task->rewritten && !task->built)
        km_out_member_i64(&j, "position", position - (int)task->prefix);
    if (o->detail.n)
        km_out_member(&j, "detail", o->detail);
    if (hint.n)
        km_out_member(&j, "hint", hint);
    km_out_close(&j, '}');
    km_out_close(&j, '}');
}

static int answer_error(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(ERROR_BYTES);
    const struct km_pg_server *s = task->call->server->data;
    const struct km_pg_limits *limits = &km_pg_db_args_of(s->db)->limits;
    const struct km_pg_request *q = &task->request;

    if (o->unknown)
        return km_fail(err, KM_E_UPSTREAM_CONNECT,
                       "outcome unknown: the connection was lost while the change was committed; "
                       "look whether it happened before trying again");
    if (o->over_cap && q->capped && q->affected_most < limits->affected)
        return km_fail(err, KM_E_LIMIT,
                       "rolled back: the statement would have changed %lld rows, and its preview "
                       "showed %lld: preview it again",
                       (long long)o->affected, (long long)q->affected_most);
    if (o->over_cap)
        return km_fail(err, KM_E_LIMIT,
                       "rolled back: the statement would have changed %lld rows, at most %lld are "
                       "allowed",
                       (long long)o->affected, (long long)limits->affected);
    if (o->err)
        return km_fail(err, o->err->code, "%s", o->err->text);
    if (task->method)
        return km_fail(err, KM_E_UPSTREAM_STATUS, "%.*s: %.*s", KM_STR_ARG(o->sqlstate),
                       KM_STR_ARG(o->message));
    put_error(task, o, &b);
    km_mcp_call_text(task->call, km_buf_view(&b), true);
    return 0;
}

/* --- answers --- */

void km_pg_put_notices(const struct km_pg_outcome *o, struct km_buf *out)
{
    struct km_json_out j;

    km_buf_str(out, KM_STR(",\"notices\":"));
    km_json_out_init(&j, out);
    km_out_open(&j, '[');
    for (size_t i = 0; i < o->nnotices; i++) {
        km_out_open(&j, '{');
        km_out_member(&j, "severity", o->notices[i].severity);
        km_out_member(&j, "message", o->notices[i].message);
        if (o->notices[i].hint.n)
            km_out_member(&j, "hint", o->notices[i].hint);
        km_out_close(&j, '}');
    }
    km_out_close(&j, ']');
}

int km_pg_answer(struct km_mcp_call *call, struct km_str json, struct km_err *err)
{
    const struct km_pg_processors *p = km_pg_server_of(call)->processors;
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_RESULT_BYTES);
    uint8_t random[8];
    char word[2 * sizeof random + 1];
    int r = km_pg_process_result(p, call->arena, &json, err);

    if (r == 0)
        r = km_random(random, sizeof random, err);
    if (r < 0)
        return r;
    km_hex(word, random, sizeof random);
    km_buf_str(&b, KM_STR("{\"data_begins\":\"untrusted-"));
    km_buf_str(&b, km_str_c(word));
    km_buf_str(&b, KM_STR("\","));
    km_buf_str(&b, km_str_sub(json, 1, json.n - 2));
    km_buf_str(&b, KM_STR(",\"data_ends\":\"untrusted-"));
    km_buf_str(&b, km_str_c(word));
    km_buf_str(&b, KM_STR("\"}"));
    if (json.n <= 2 || km_buf_failed(&b))
        return km_fail(err, KM_E_LIMIT, "the result is too large: ask for fewer columns or rows");
    km_mcp_call_result(call, km_buf_view(&b));
    return 0;
}

/* The server writes blanks around colons and commas, which a model pays for. */
static struct km_str without_blanks(struct km_arena *arena, struct km_str json)
{
    char *p = km_arena_alloc(arena, json.n);
    bool quoted = false, escaped = false;
    size_t n = 0;

    for (size_t i = 0; p && i < json.n; i++) {
        char c = json.p[i];

        if (quoted || (c != ' ' && c != '\n'))
            p[n++] = c;
        if (c == '"' && !escaped)
            quoted = !quoted;
        escaped = quoted && c == '\\' && !escaped;
    }
    return p ? km_str(p, n) : json;
}

struct km_str km_pg_task_value(const struct km_pg_task *task)
{
    struct km_str rows = km_buf_view(&task->table.rows);

    if (task->table.truncated || task->table.nrows != 1 || rows.n < 2 ||
        km_str_eq(rows, KM_STR("[null]")))
        return KM_STR_NONE;
    return without_blanks(task->call->arena, km_str_sub(rows, 1, rows.n - 2));
}

int km_pg_answer_value(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_str value = km_pg_task_value(task);

    (void)o;
    if (task->table.truncated)
        return km_fail(err, KM_E_LIMIT, "the answer is too large: ask for less of it");
    if (!value.n)
        return km_fail(err, KM_E_NOT_FOUND,
                       "no such table, or no privilege to see it: list_objects and search_objects "
                       "find names");
    return km_pg_answer(task->call, value, err);
}

static struct km_str narrowed(const struct km_mcp_call *call)
{
    return km_pg_processors_names(km_pg_server_of(call)->processors);
}

/* A string or a number among the arguments, as a parameter; NULL where it is not there. */
static int take_argument(const struct km_mcp_call *call, const char *name, const char **ret_value,
                         struct km_err *err)
{
    const struct km_json *v = km_json_get(call->args, name);
    struct km_str s;

    *ret_value = NULL;
    if (strcmp(name, KM_PG_NARROWED) == 0)
        *ret_value = narrowed(call).p;
    else if (!km_json_string(v, &s) && !km_json_number(v, &s))
        return 0;
    else if (km_str_chr(s, '\0') < s.n)
        return km_fail(err, KM_E_INVALID, "%s: a text with a NUL byte", name);
    else
        *ret_value = km_arena_cstr(call->arena, s);
    return 0;
}

int km_pg_request_own(struct km_mcp_call *call, const char *const *pieces, const char *const *names,
                      size_t n, struct km_pg_request *ret, struct km_err *err)
{
    const char **values = km_arena_zalloc(call->arena, (n + 1) * sizeof *values);
    struct km_str sql = KM_STR_NONE;
    int r = 0;

    for (; values && *pieces; pieces++)
        sql = km_arena_cat(call->arena, (struct km_str[]){ sql, km_str_c(*pieces) }, 2);
    if (!sql.p)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; r == 0 && i < n; i++)
        r = take_argument(call, names[i], &values[i], err);
    *ret =
        (struct km_pg_request){ .sql = sql, .own = true, .nparams = (unsigned)n, .values = values };
    return r;
}

const char *km_pg_with_schema(struct km_arena *arena, const char *text, struct km_str schema)
{
    struct km_str rest = km_str_c(text), out = KM_STR_NONE, mark = KM_STR("@schema@");

    for (size_t at; (at = km_str_find(rest, mark)) < rest.n; rest = km_str_skip(rest, at + mark.n))
        out = km_arena_cat(arena, (struct km_str[]){ out, km_str_sub(rest, 0, at), schema }, 3);
    return km_arena_cstr(arena, km_arena_cat(arena, (struct km_str[]){ out, rest }, 2));
}

int km_pg_ask(struct km_mcp_call *call, const char *const *pieces, const char *const *names,
              size_t n, km_pg_answer_fn *answer, struct km_err *err)
{
    struct km_pg_task *task = km_pg_task_new(call, err);

    if (!task)
        return KM_E_NOMEM;
    if (km_pg_request_own(call, pieces, names, n, &task->request, err) < 0)
        return KM_E_INVALID;
    task->answer = answer;
    return km_pg_task_start(task, err);
}

/* --- tasks --- */

static bool on_result(void *ctx, const struct km_pg_result *r)
{
    struct km_pg_task *task = ctx;

    return km_pg_table_take(&task->table, r);
}

static bool failed(const struct km_pg_outcome *o)
{
    return o->err || o->refused || o->sqlstate.n || o->over_cap || o->unknown;
}

static void finish(struct km_pg_task *task, const struct km_pg_outcome *o)
{
    struct km_err err = { 0 };
    int r;

    km_pg_typenames_put(km_pg_db_typenames(km_pg_server_of(task->call)->db), &task->table);
    r = failed(o) && (!task->tolerant || task->cancelled) ? answer_error(task, o, &err)
                                                          : task->answer(task, o, &err);
    if (r < 0)
        km_pg_meter_failed(task, &err);
    if (r < 0 && task->method)
        km_mcp_fault(task->call,
                     err.code == KM_E_NOT_FOUND ? KM_RPC_RESOURCE_NOT_FOUND : KM_RPC_INTERNAL,
                     err.text);
    else if (r < 0)
        km_mcp_call_failed(task->call, &err);
}

/* --- names of types --- */

static bool on_names(void *ctx, const struct km_pg_result *r)
{
    const struct km_pg_task *task = ctx;
    const struct km_pg_server *s = km_pg_server_of(task->call);

    km_pg_typenames_take(km_pg_db_typenames(s->db), r, km_mono_ms());
    return true;
}

/* Whatever came of it: the result is there, and says numbers where it has no names. */
static void on_names_end(void *ctx, const struct km_pg_outcome *o)
{
    struct km_pg_task *task = ctx;

    (void)o;
    task->call->work = NULL;
    finish(task, &task->ended);
}

static bool ask_names(struct km_pg_task *task, const struct km_pg_outcome *o)
{
    static const struct km_pg_lease_events events = { on_names, on_names_end };
    struct km_pg_db *db = km_pg_server_of(task->call)->db;
    struct km_arena *arena = task->call->arena;
    struct km_buf oids KM_CLEANUP(km_buf_done) = KM_BUF(KM_PG_TABLE_OTHERS * 16);
    const char **values = km_arena_zalloc(arena, sizeof *values);

    if (failed(o) || task->cancelled || !values ||
        !km_pg_typenames_missing(km_pg_db_typenames(db), &task->table, km_mono_ms(), &oids))
        return false;
    values[0] = km_arena_cstr(arena, km_buf_view(&oids));
    task->ended = *o;
    task->names = (struct km_pg_request){
        .sql = km_str_c(km_pg_typenames_sql), .own = true, .nparams = 1, .values = values
    };
    task->lease = km_pg_lease_new(db, arena, &task->names, &events, task);
    task->call->work = task->lease ? task : NULL;
    return task->lease;
}

/* --- near names --- */

static bool on_near(void *ctx, const struct km_pg_result *r)
{
    struct km_pg_task *task = ctx;

    if (km_pg_rows(r) == 1)
        task->near = km_arena_str(task->call->arena, km_pg_value(r, 0, 0));
    return true;
}

/* For an error that a name does not exist. */
static bool ask_near(struct km_pg_task *task, const struct km_pg_outcome *o)
{
    static const struct km_pg_lease_events events = { on_near, on_names_end };
    struct km_str name = km_pg_near_name(o->sqlstate, o->message);
    struct km_arena *arena = task->call->arena;
    const char **values = km_arena_zalloc(arena, sizeof *values);

    if (!name.n || task->cancelled || task->method || task->tolerant || !values)
        return false;
    values[0] = km_arena_cstr(arena, name);
    task->ended = *o;
    task->names = (struct km_pg_request){
        .sql = km_str_c(km_pg_near_sql), .own = true, .nparams = 1, .values = values
    };
    task->lease =
        km_pg_lease_new(km_pg_server_of(task->call)->db, arena, &task->names, &events, task);
    task->call->work = task->lease ? task : NULL;
    return task->lease;
}

static void on_end(void *ctx, const struct km_pg_outcome *o)
{
    struct km_pg_task *task = ctx;

    task->call->work = NULL;
    km_pg_meter_lease(task, o);
    if (!o->err && !o->refused)
        km_pg_digest_answers(km_pg_server_of(task->call));
    if (!ask_names(task, o) && !ask_near(task, o))
        finish(task, o);
}

static const struct km_pg_lease_events lease_events = { on_result, on_end };

static void drop_table(void *table)
{
    km_pg_table_done(table);
}

struct km_pg_server *km_pg_server_of(const struct km_mcp_call *call)
{
    return call->server->data;
}

static struct km_pg_db *db_of(const struct km_mcp_call *call)
{
    return km_pg_server_of(call)->db;
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

int km_pg_task_again(struct km_pg_task *task, const struct km_pg_request *request,
                     struct km_err *err)
{
    if (task->cancelled)
        return km_fail(err, KM_E_CANCELED, "the call was cancelled");
    task->request = *request;
    task->prefix = 0;
    km_pg_table_reset(&task->table);
    return km_pg_task_start(task, err);
}

static int process(struct km_pg_task *task, const struct km_pg_processors *p, struct km_err *err)
{
    struct km_arena *arena = task->call->arena;
    const struct km_json *values = NULL;

    if (task->call->caller.values.n &&
        km_json_parse(arena, task->call->caller.values, &values, err) < 0)
        return KM_E_INVALID;
    task->request.narrowed = narrowed(task->call);
    return km_pg_process_statement(p, km_pg_db_parser(db_of(task->call)), values, arena,
                                   &task->request.sql, err);
}

int km_pg_task_start(struct km_pg_task *task, struct km_err *err)
{
    const struct km_pg_processors *p = km_pg_server_of(task->call)->processors;
    struct km_str before = task->request.sql;

    if (p && !task->request.own && process(task, p, err) < 0)
        return KM_E_FORBIDDEN;
    task->rewritten = !km_str_eq(before, task->request.sql);
    task->lease =
        km_pg_lease_new(db_of(task->call), task->call->arena, &task->request, &lease_events, task);
    task->call->work = task->lease ? task : NULL;
    if (!task->lease)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_pg_meter_begun(task);
    return 0;
}

void km_pg_task_cancel(struct km_mcp_call *call)
{
    struct km_pg_task *task = call->work;

    task->cancelled = true;
    if (task->lease)
        km_pg_lease_cancel(task->lease);
}

void km_pg_task_drop(struct km_mcp_call *call)
{
    struct km_pg_task *task = call->work;

    if (task->lease)
        km_pg_lease_drop(task->lease);
    else
        km_list_remove(&task->waits);
}
