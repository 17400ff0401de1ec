/* SPDX-License-Identifier: Apache-2.0 */
/* resources.c - what can be read by its address, and names that complete themselves.
 *
 *     postgres://{db}/{schema}/{table}     all that describe_table tells, as JSON
 *     postgres://{db}/-/metrics            the database's counters, as JSON
 *
 * The parts are percent-encoded as in any URI, so that every name has an address.  Lists are made
 * of the catalogue each time; that they changed is said by watch.c.
 *
 *     row ── arguments ── one query of our own ── members of the result
 *
 * What can be read is one row, a template: every table, the counters and the definitions' own have
 * an address of its form.
 */
#include "servers/postgres/tools.h"

#include "base/encode.h"
#include "servers/postgres/own.h"
#include "servers/postgres/process.h"
#include "servers/postgres/watch.h"

#define URI_BYTES 2048
#define CONTENT_BYTES ((size_t)2 * 1024 * 1024)

#define ENCODED(name)                                                                              \
    "(SELECT string_agg(CASE WHEN c ~ '^[A-Za-z0-9_.~-]$' THEN c ELSE upper(regexp_replace("       \
    "encode(convert_to(c, 'UTF8'), 'hex'), '(..)', '%\\1', 'g')) END, '' ORDER BY i) "             \
    "FROM regexp_split_to_table(" name ", '') WITH ORDINALITY AS x(c, i))"

static const char *const list_sql[] = {
    "WITH t AS (SELECT n.nspname, c.relname, c.oid, c.relkind, c.reltuples FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') "
    "AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema') "
    "AND n.nspname !~ '^pg_(toast|temp)' AND has_schema_privilege(n.oid, 'USAGE') "
    "ORDER BY 1, 2 LIMIT 500) SELECT json_build_array(json_build_object('uri', 'postgres://' || ",
    ENCODED("current_database()"),
    " || '/-/metrics', 'name', 'metrics', 'title', 'Counters of the database', 'mimeType', "
    "'application/json'))::jsonb || coalesce((SELECT jsonb_agg(jsonb_build_object('uri', "
    "'postgres://' || ",
    ENCODED("current_database()"),
    " || '/-/' || (o->>'name'), 'name', o->>'name', 'description', coalesce(o->>'description', "
    "''), 'mimeType', 'application/json')) FROM json_array_elements($1::json) o), '[]') || "
    "coalesce((SELECT jsonb_agg(jsonb_build_object('uri', "
    "'postgres://' || ",
    ENCODED("current_database()"),
    " || '/' || ",
    ENCODED("t.nspname"),
    " || '/' || ",
    ENCODED("t.relname"),
    ", 'name', t.nspname || '.' || t.relname, 'description', coalesce(obj_description(t.oid, "
    "'pg_class'), 'columns, keys, indexes, statistics'), 'mimeType', 'application/json') "
    "ORDER BY t.nspname, t.relname) FROM t), '[]')",
    NULL,
};

static const char *const metrics_sql[] = {
    "SELECT json_build_object('database', current_database(), 'at', clock_timestamp(), "
    "'started', pg_postmaster_start_time(), 'version', current_setting('server_version'), 'bytes', "
    "CASE WHEN has_database_privilege(current_database(), 'CONNECT') THEN "
    "pg_database_size(current_database()) END, 'connections', (SELECT json_object_agg("
    "coalesce(state, 'other'), n) FROM (SELECT state, count(*) n FROM pg_stat_activity GROUP BY 1) "
    "q), 'max_connections', current_setting('max_connections')::int, 'counters', (SELECT "
    "to_json(d) FROM pg_stat_database d WHERE d.datname = current_database()))",
    NULL,
};

/* --- asking --- */

static const char *text_of(struct km_arena *arena, struct km_str s)
{
    return km_str_chr(s, '\0') < s.n ? "" : km_arena_cstr(arena, s);
}

/* A query of our own whose one value `answer` turns into members. */
static int ask(struct km_mcp_call *call, const char *const *pieces, const char *const *values,
               unsigned n,
               int (*answer)(struct km_pg_task *, const struct km_pg_outcome *, struct km_err *),
               void *data, struct km_err *err)
{
    struct km_pg_task *task = km_pg_task_new(call, err);

    if (!task || km_pg_request_own(call, pieces, NULL, 0, &task->request, err) < 0)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    task->request.values = values;
    task->request.nparams = n;
    task->method = true;
    task->data = data;
    task->answer = answer;
    return km_pg_task_start(task, err);
}

static int answer_list(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_str value = km_pg_task_value(task);

    (void)o;
    if (!value.n)
        return km_fail(err, KM_E_LIMIT, "the list is too large");
    km_mcp_call_members(
        task->call,
        km_arena_cat(task->call->arena, (struct km_str[]){ KM_STR("\"resources\":"), value }, 2));
    return 0;
}

static int resources_list(struct km_mcp_call *call, struct km_err *err)
{
    const struct km_json *own = km_pg_own_list(km_pg_server_of(call)->own, "resources");
    const char **values = km_arena_zalloc(call->arena, sizeof *values);

    if (km_json_get(call->msg.params, "cursor"))
        return km_fail(err, KM_E_INVALID, "unknown cursor: the list has one page");
    km_pg_watch_begin(km_pg_server_of(call)->watch);
    if (!values)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    values[0] = own ? km_arena_cstr(call->arena, km_json_compact(own, call->arena)) : "[]";
    return ask(call, list_sql, values, 1, answer_list, NULL, err);
}

/* --- reading --- */

/* One part of an address, decoded. */
static bool decode(struct km_arena *arena, struct km_str part, struct km_str *ret)
{
    char *out = km_arena_alloc(arena, part.n + 1);
    size_t n = 0;

    for (size_t i = 0; out && i < part.n; i++) {
        uint8_t byte = (uint8_t)part.p[i];

        if (byte == '%') {
            if (km_str_sub(part, i + 1, 2).n != 2 ||
                km_unhex(km_str_sub(part, i + 1, 2), &byte, 1) < 0 || !byte)
                return false;
            i += 2;
        }
        out[n++] = (char)byte;
    }
    *ret = km_str(out, n);
    return out && km_utf8_valid(*ret) && km_str_chr(*ret, '\0') == n;
}

struct address {
    struct km_str uri, db, schema, table;
};

static bool split(struct km_arena *arena, struct km_str uri, struct address *a)
{
    struct km_str rest = km_str_skip(uri, sizeof "postgres://" - 1), db, schema;

    a->uri = uri;
    return uri.n <= URI_BYTES && km_str_starts(uri, KM_STR("postgres://")) &&
           km_str_split(&rest, '/', &db) && km_str_split(&rest, '/', &schema) && rest.n &&
           km_str_chr(rest, '/') == rest.n && decode(arena, db, &a->db) &&
           decode(arena, schema, &a->schema) && decode(arena, rest, &a->table);
}

static int put_contents(struct km_pg_task *task, struct km_str value, struct km_err *err);

/* One of the definitions: its SQL through the guard, its rows as JSON. */
static int answer_own(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(CONTENT_BYTES);

    (void)o;
    km_buf_byte(&b, '{');
    km_pg_table_put(&task->table, &b);
    km_buf_byte(&b, '}');
    return put_contents(task, km_buf_view(&b), err);
}

static int read_own(struct km_mcp_call *call, struct address *a, struct km_err *err)
{
    const struct km_json *d = km_pg_own_find(km_pg_server_of(call)->own, "resources", a->table);
    struct km_pg_task *task = d ? km_pg_task_new(call, err) : NULL;

    if (!task) {
        km_mcp_fault(call, KM_RPC_RESOURCE_NOT_FOUND, "no such resource");
        return 0;
    }
    (void)km_json_string(km_json_get(d, "sql"), &task->request.sql);
    task->method = true;
    task->data = a;
    task->answer = answer_own;
    return km_pg_task_start(task, err);
}

static int put_contents(struct km_pg_task *task, struct km_str value, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(CONTENT_BYTES);
    const struct address *a = task->data;

    km_buf_str(&b, KM_STR("\"contents\":[{\"uri\":"));
    km_buf_json(&b, a->uri);
    km_buf_str(&b, KM_STR(",\"mimeType\":\"application/json\",\"text\":"));
    km_buf_json(&b, value);
    km_buf_str(&b, KM_STR("}]"));
    if (km_buf_failed(&b))
        return km_fail(err, KM_E_LIMIT, "the content is too large");
    km_mcp_call_members(task->call, km_buf_view(&b));
    return 0;
}

static int answer_read(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_str value = km_pg_task_value(task);

    (void)o;
    if (!value.n)
        return km_fail(err, KM_E_NOT_FOUND, "no such table: resources/list has those there are");
    return put_contents(task, value, err);
}

/* An address of another database: there is nothing of it here. */
#define HERE(n) "SELECT CASE WHEN current_database() = $" n " THEN ("

static int resources_read(struct km_mcp_call *call, struct km_err *err)
{
    struct address *a = km_arena_zalloc(call->arena, sizeof *a);
    const char **values = km_arena_zalloc(call->arena, 4 * sizeof *values);
    const char *pieces[12] = { HERE("4") };
    size_t n = 1;

    if (!a || !values)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (!split(call->arena, call->uri, a)) {
        km_mcp_fault(call, KM_RPC_RESOURCE_NOT_FOUND,
                     "no such resource: addresses are postgres://{db}/{schema}/{table}");
        return 0;
    }
    if (km_str_eq(a->schema, KM_STR("-")) && km_str_eq(a->table, KM_STR("metrics"))) {
        const char *all[] = { HERE("1"), metrics_sql[0], ") END", NULL };

        values[0] = text_of(call->arena, a->db);
        return ask(call, all, values, 1, answer_read, a, err);
    }
    if (km_str_eq(a->schema, KM_STR("-")))
        return read_own(call, a, err);
    values[0] = text_of(call->arena, a->schema);
    values[1] = text_of(call->arena, a->table);
    values[2] = km_pg_processors_names(km_pg_server_of(call)->processors).p;
    values[3] = text_of(call->arena, a->db);
    for (size_t i = 0; km_pg_describe_sql[i] && n < 10; i++)
        pieces[n++] = km_pg_describe_sql[i];
    pieces[n] = ") END";
    return ask(call, pieces, values, 4, answer_read, a, err);
}

/* --- subscriptions --- */

static int subscribe(struct km_mcp_call *call, struct km_err *err)
{
    struct km_str uri = KM_STR_NONE;
    struct address a;

    (void)km_json_string(km_json_get(call->msg.params, "uri"), &uri);
    if (!split(call->arena, uri, &a))
        return km_fail(err, KM_E_INVALID, "uri: postgres://{db}/{schema}/{table}");
    if (km_pg_watch_add(km_pg_server_of(call)->watch, uri, err) < 0)
        return KM_E_LIMIT;
    km_mcp_call_members(call, KM_STR_NONE);
    return 0;
}

static int unsubscribe(struct km_mcp_call *call, struct km_err *err)
{
    struct km_str uri = KM_STR_NONE;

    (void)err;
    (void)km_json_string(km_json_get(call->msg.params, "uri"), &uri);
    km_pg_watch_remove(km_pg_server_of(call)->watch, uri);
    km_mcp_call_members(call, KM_STR_NONE);
    return 0;
}

/* --- completion --- */

static const char *const complete_sql[] = {
    "WITH v AS (SELECT DISTINCT w FROM (SELECT current_database()::text AS w WHERE $1 = 'db' "
    "UNION ALL SELECT n.nspname FROM pg_namespace n WHERE $1 = 'schema' AND n.nspname !~ "
    "'^pg_(toast|temp)' AND has_schema_privilege(n.oid, 'USAGE') UNION ALL SELECT c.relname FROM "
    "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE $1 = 'table' AND c.relkind IN "
    "('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_(toast|temp)' AND has_schema_privilege(n.oid, "
    "'USAGE') AND CASE WHEN $3::text IS NULL THEN n.nspname NOT IN ('pg_catalog', "
    "'information_schema') ELSE n.nspname = $3 END) q WHERE starts_with(lower(w), lower($2))) "
    "SELECT json_build_object('values', coalesce((SELECT json_agg(w ORDER BY w) FROM (SELECT w "
    "FROM v ORDER BY w LIMIT 100) k), '[]'), 'total', (SELECT count(*) FROM v), 'hasMore', "
    "(SELECT count(*) FROM v) > 100)",
    NULL,
};

static int answer_completion(struct km_pg_task *task, const struct km_pg_outcome *o,
                             struct km_err *err)
{
    struct km_str value = km_pg_task_value(task);

    (void)o;
    (void)err;
    if (!value.n)
        value = KM_STR("{\"values\":[]}");
    km_mcp_call_members(
        task->call,
        km_arena_cat(task->call->arena, (struct km_str[]){ KM_STR("\"completion\":"), value }, 2));
    return 0;
}

static int complete(struct km_mcp_call *call, struct km_err *err)
{
    const struct km_json *argument = km_json_get(call->msg.params, "argument");
    const struct km_json *given =
        km_json_get(km_json_get(call->msg.params, "context"), "arguments");
    const char **values = km_arena_zalloc(call->arena, 3 * sizeof *values);
    struct km_str name, value = KM_STR_NONE, schema;

    if (!values)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (!km_json_string(km_json_get(argument, "name"), &name) ||
        !km_json_string(km_json_get(argument, "value"), &value))
        return km_fail(err, KM_E_INVALID, "completion/complete needs argument.name and .value");
    values[0] = text_of(call->arena, name);
    values[1] = text_of(call->arena, value);
    if (km_json_string(km_json_get(given, "schema"), &schema) && schema.n)
        values[2] = text_of(call->arena, schema);
    return ask(call, complete_sql, values, 3, answer_completion, NULL, err);
}

const struct km_mcp_method km_pg_methods[] = {
    { { "resources/list", 14 }, resources_list },
    { { "resources/subscribe", 19 }, subscribe },
    { { "resources/unsubscribe", 21 }, unsubscribe },
    { { "completion/complete", 19 }, complete },
};

const size_t km_pg_nmethods = sizeof km_pg_methods / sizeof km_pg_methods[0];

const struct km_mcp_resource km_pg_table_resource = {
    .uri = KM_PG_TEXT("postgres://{db}/{schema}/{table}"),
    .name = KM_PG_TEXT("table"),
    .title = KM_PG_TEXT("A table or view"),
    .description = KM_PG_TEXT("Columns, keys both ways, indexes, policies, partitions, sizes and "
                              "statistics."),
    .mime = KM_PG_TEXT("application/json"),
    .is_template = true,
    .run = resources_read,
};
