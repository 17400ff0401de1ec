/* SPDX-License-Identifier: Apache-2.0 */
/* tools_data.c - select_rows and count_rows: reading a table without writing SQL.
 *
 *     arguments ── the table as the catalogue has it ── SELECT of quoted names, bound values
 *                                                          │ the guard, as any other statement
 *                                                       rows, a page at a time
 *
 * Without an order the primary key is one, so that pages do not overlap.
 */
#include "servers/postgres/tools.h"

struct looked_up {
    struct km_pg_relation rel;
    km_pg_table_fn *then;
};

static int on_table(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_str value = km_pg_task_value(task);
    struct looked_up *l = task->data;
    const struct km_json *tree;

    (void)o;
    if (!value.n)
        return km_fail(err, KM_E_NOT_FOUND,
                       "no such table on the search path, or no privilege to see it: say its "
                       "schema; list_objects and search_objects find names");
    if (km_json_parse(task->call->arena, value, &tree, err) < 0)
        return KM_E_UPSTREAM_PROTOCOL;
    if (km_pg_relation_read(&l->rel, tree, task->call->arena, err) < 0)
        return KM_E_NOMEM;
    return l->then(task, &l->rel, err);
}

int km_pg_task_with_table(struct km_mcp_call *call, km_pg_table_fn *then, struct km_err *err)
{
    static const char *const names[] = { "schema", "table", KM_PG_NARROWED };
    struct looked_up *l = km_arena_zalloc(call->arena, sizeof *l);
    struct km_pg_task *task = km_pg_task_new(call, err);

    if (!task || !l)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    l->then = then;
    task->data = l;
    task->answer = on_table;
    task->built = true;
    if (km_pg_request_own(call, km_pg_relation_sql, names, 3, &task->request, err) < 0)
        return KM_E_INVALID;
    return km_pg_task_start(task, err);
}

int km_pg_build_request(struct km_pg_build *b, struct km_pg_request *ret, struct km_err *err)
{
    if (km_buf_failed(&b->sql) || km_arena_overflowed(b->arena))
        return km_fail(err, KM_E_LIMIT, "the statement is too large: fewer rows or conditions");
    *ret = (struct km_pg_request){
        .sql = km_buf_view(&b->sql), .nparams = b->n, .values = b->values, .types = b->types
    };
    return 0;
}

int km_pg_build_columns(struct km_pg_build *b, const struct km_json *names, struct km_err *err)
{
    const struct km_pg_column *c;
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, name;
    size_t n = 0;

    for (km_json_iter(names, &it); km_json_next(&it, &unused, &item); n++) {
        if (!km_json_string(item, &name))
            return km_fail(err, KM_E_INVALID, "columns are names");
        c = km_pg_relation_column(b->rel, name, err);
        if (!c)
            return KM_E_INVALID;
        km_pg_build_text(b, n ? ", " : "");
        km_pg_build_name(b, c);
    }
    for (size_t i = 0; n == 0 && i < b->rel->ncolumns; i++) {
        km_pg_build_text(b, i ? ", " : "");
        km_pg_build_name(b, &b->rel->columns[i]);
    }
    return 0;
}

/* --- select_rows --- */

static int put_order(struct km_pg_build *b, const struct km_json *order, struct km_err *err)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused;
    bool descending;
    size_t n = 0;

    for (km_json_iter(order, &it); km_json_next(&it, &unused, &item); n++) {
        const struct km_pg_column *c;
        struct km_str name = KM_STR_NONE;

        (void)km_json_string(km_json_get(item, "column"), &name);
        c = km_pg_relation_column(b->rel, name, err);
        if (!c)
            return KM_E_INVALID;
        descending = false;
        (void)km_json_bool(km_json_get(item, "descending"), &descending);
        km_pg_build_text(b, n ? ", " : " ORDER BY ");
        km_pg_build_name(b, c);
        km_pg_build_text(b, descending ? " DESC" : "");
    }
    for (size_t i = 0; n == 0 && i < b->rel->nkey; i++) {
        km_pg_build_text(b, i ? ", " : " ORDER BY ");
        km_pg_build_name(b, b->rel->key[i]);
    }
    return 0;
}

static int put_where(struct km_pg_build *b, const struct km_json *filter, struct km_err *err)
{
    if (!filter || (km_json_kind(filter) == KM_JSON_OBJECT && !km_json_count(filter)))
        return 0; /* reading all is fine */
    km_pg_build_text(b, " WHERE ");
    return km_pg_build_filter(b, filter, err);
}

static int build_select(struct km_pg_task *task, const struct km_pg_relation *rel,
                        struct km_err *err)
{
    const struct km_json *args = task->call->args;
    struct km_pg_build *b = km_arena_zalloc(task->call->arena, sizeof *b);
    int r = b ? km_pg_build_init(b, task->call->arena, rel, err) : KM_E_NOMEM;

    if (r < 0)
        return r;
    km_pg_build_text(b, "SELECT ");
    r = km_pg_build_columns(b, km_json_get(args, "columns"), err);
    km_pg_build_text(b, " FROM ");
    km_pg_build_table(b);
    if (r == 0)
        r = put_where(b, km_json_get(args, "filter"), err);
    if (r == 0)
        r = put_order(b, km_json_get(args, "order_by"), err);
    if (r == 0)
        r = km_pg_build_request(b, &task->request, err);
    return r == 0 ? km_pg_task_paged(task, err) : r;
}

static int select_rows(struct km_mcp_call *call, struct km_err *err)
{
    return km_pg_task_with_table(call, build_select, err);
}

/* --- count_rows --- */

static int answer_count(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_str count = km_pg_task_value(task);

    (void)o;
    if (!count.n)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "PostgreSQL gave no count");
    km_mcp_call_result(task->call,
                       km_arena_printf(task->call->arena, "{\"count\":%.*s}", KM_STR_ARG(count)));
    return 0;
}

static int build_count(struct km_pg_task *task, const struct km_pg_relation *rel,
                       struct km_err *err)
{
    struct km_pg_build *b = km_arena_zalloc(task->call->arena, sizeof *b);
    struct km_pg_request request;
    int r = b ? km_pg_build_init(b, task->call->arena, rel, err) : KM_E_NOMEM;

    if (r < 0)
        return r;
    km_pg_build_text(b, "SELECT count(*) FROM ");
    km_pg_build_table(b);
    r = put_where(b, km_json_get(task->call->args, "filter"), err);
    if (r == 0)
        r = km_pg_build_request(b, &request, err);
    task->answer = answer_count;
    return r == 0 ? km_pg_task_again(task, &request, err) : r;
}

static int count_rows(struct km_mcp_call *call, struct km_err *err)
{
    return km_pg_task_with_table(call, build_count, err);
}

static const struct km_pg_row rows[] = {
    { .tool = {
        .name = KM_PG_TEXT("select_rows"),
        .title = KM_PG_TEXT("Read rows"),
        .description = KM_PG_TEXT(
            "Reads rows of one table by a filter, without SQL; ordered by the primary key unless "
            "order_by says otherwise. A result that was cut has next_cursor: the same call with it "
            "as cursor gives the next page."),
        .input = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["table"],
            "additionalProperties": false, "properties": {
                "schema": {"type": "string"}, "table": {"type": "string"},
                "columns": {"type": "array", "items": {"type": "string"},
                    "description": "Left out: all."},
                "filter": {"type": "object", "description":
                    "{column, op, value}, {and: [...]}, {or: [...]} or {not: {...}}",
                    "properties": {"op": {"enum": ["eq", "ne", "lt", "lte", "gt", "gte", "like",
                        "not_like", "ilike", "in", "between", "contains", "contained_by",
                        "overlaps", "is_null", "is_not_null", "=", "<>", "<", "<=", ">", ">=",
                        "@>", "<@", "&&"]}}},
                "order_by": {"type": "array", "items": {"type": "object", "required": ["column"],
                    "additionalProperties": false, "properties": {"column": {"type": "string"},
                        "descending": {"type": "boolean"}}}},
                "max_rows": {"type": "integer", "minimum": 1},
                "max_bytes": {"type": "integer", "minimum": 256},
                "timeout_ms": {"type": "integer", "minimum": 1, "maximum": 3600000},
                "cursor": {"type": "string"}}})),
        .output = KM_PG_TEXT(KM_PG_ROWS_SCHEMA),
        .run = select_rows } },
    { .tool = {
        .name = KM_PG_TEXT("count_rows"),
        .title = KM_PG_TEXT("Count rows"),
        .description = KM_PG_TEXT("Counts the rows of one table that a filter selects."),
        .input = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["table"],
            "additionalProperties": false, "properties": {
                "schema": {"type": "string"}, "table": {"type": "string"},
                "filter": {"type": "object", "description":
                    "{column, op, value}, {and: [...]}, {or: [...]} or {not: {...}}",
                    "properties": {"op": {"enum": ["eq", "ne", "lt", "lte", "gt", "gte", "like",
                        "not_like", "ilike", "in", "between", "contains", "contained_by",
                        "overlaps", "is_null", "is_not_null", "=", "<>", "<", "<=", ">", ">=",
                        "@>", "<@", "&&"]}}}}})),
        .output = KM_PG_TEXT(KM_PG_JSON({"type": "object", "required": ["count"],
            "properties": {"count": {"type": ["integer", "string"]}}})),
        .run = count_rows } },
};

const struct km_pg_rows km_pg_tools_data = { rows, sizeof rows / sizeof rows[0] };
