/* SPDX-License-Identifier: Apache-2.0 */
/* tools_change.c - insert_rows, update_rows, delete_rows, upsert_rows: mode dml and above.
 *
 *     table ── statement ── run ── within the cap? ── COMMIT ── {affected, rows of returning}
 *                  │
 *                  └ preview: true ── its plan ── run and rolled back ── {would_affect, sample,
 *                                                                         plan, confirmation}
 *
 * The statement is made as tools_data.c says, and goes through the guard of the mode as any other.
 * Without a condition nothing is updated or deleted.  With a confirmation of a preview it changes
 * at most as many rows as were shown.
 *
 * What a rolled back statement does outside the transaction stays: sequences go on.
 */
#include "servers/postgres/tools.h"

#include "base/crypto.h"
#include "base/time.h"
#include "servers/postgres/confirm.h"
#include "servers/postgres/plan.h"

#define SAMPLE 10 /* rows of a preview */
#define ROWS 1000 /* of one insert */

struct change {
    struct km_pg_build b;
    struct km_pg_request request;
    struct km_str plan; /* of a preview, as JSON */
};

/* --- the parts of a statement --- */

static const struct km_pg_column *writable(struct km_pg_build *b, struct km_str name,
                                           struct km_err *err)
{
    const struct km_pg_column *c = km_pg_relation_column(b->rel, name, err);

    if (!c || !c->generated)
        return c;
    km_fail(err, KM_E_INVALID, "%.*s is generated: it takes no value", KM_STR_ARG(name));
    return NULL;
}

/* The columns any of the rows has, in the table's order. */
static size_t columns_of(struct km_pg_build *b, const struct km_json *rows,
                         const struct km_pg_column **ret, struct km_err *err)
{
    const struct km_json *row, *unused_value;
    struct km_json_iter it, members;
    struct km_str unused, name;
    size_t n = 0;

    for (km_json_iter(rows, &it); km_json_next(&it, &unused, &row);)
        for (km_json_iter(row, &members); km_json_next(&members, &name, &unused_value);) {
            const struct km_pg_column *c = writable(b, name, err);
            size_t i = 0;

            if (!c)
                return 0;
            while (i < n && ret[i] != c)
                i++;
            if (i == n)
                ret[n++] = c;
        }
    if (!n)
        km_fail(err, KM_E_INVALID, "rows: no row has a column");
    return n;
}

static int put_row(struct km_pg_build *b, const struct km_json *row,
                   const struct km_pg_column *const *columns, size_t n, struct km_err *err)
{
    int r = 0;

    km_pg_build_text(b, "(");
    for (size_t i = 0; r == 0 && i < n; i++) {
        const char *name = km_arena_cstr(b->arena, columns[i]->name);
        const struct km_json *value = km_json_get(row, name);

        km_pg_build_text(b, i ? ", " : "");
        if (value)
            r = km_pg_build_value(b, columns[i], value, err);
        else
            km_pg_build_text(b, "DEFAULT");
    }
    km_pg_build_text(b, ")");
    return r;
}

/* INSERT INTO t (a, b) VALUES ($1, $2), ($3, DEFAULT) */
static int put_insert(struct km_pg_build *b, const struct km_json *args,
                      const struct km_pg_column **columns, size_t *ret_n, struct km_err *err)
{
    const struct km_json *rows = km_json_get(args, "rows"), *row;
    struct km_json_iter it;
    struct km_str unused;
    size_t n, at = 0;
    int r = 0;

    if (!km_json_count(rows) || km_json_count(rows) > ROWS)
        return km_fail(err, KM_E_LIMIT, "rows: from 1 to %d of them", ROWS);
    n = columns_of(b, rows, columns, err);
    if (!n)
        return KM_E_INVALID;
    km_pg_build_text(b, "INSERT INTO ");
    km_pg_build_table(b);
    for (size_t i = 0; i < n; i++) {
        km_pg_build_text(b, i ? ", " : " (");
        km_pg_build_name(b, columns[i]);
    }
    km_pg_build_text(b, ") VALUES ");
    for (km_json_iter(rows, &it); r == 0 && km_json_next(&it, &unused, &row); at++) {
        km_pg_build_text(b, at ? ", " : "");
        r = put_row(b, row, columns, n, err);
    }
    *ret_n = n;
    return r;
}

static const struct km_pg_column **room(struct km_pg_build *b)
{
    return km_arena_zalloc(b->arena, (b->rel->ncolumns + 1) * sizeof(struct km_pg_column *));
}

static int put_inserts(struct km_pg_build *b, const struct km_json *args, struct km_err *err)
{
    const struct km_pg_column **columns = room(b);
    size_t n;

    return columns ? put_insert(b, args, columns, &n, err) : KM_E_NOMEM;
}

/* The columns that tell rows apart: the argument, or the primary key. */
static size_t conflict_of(struct km_pg_build *b, const struct km_json *names,
                          const struct km_pg_column **ret, struct km_err *err)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, name = KM_STR_NONE;
    size_t n = 0;

    for (km_json_iter(names, &it); n < b->rel->ncolumns && km_json_next(&it, &unused, &item);) {
        (void)km_json_string(item, &name);
        ret[n] = km_pg_relation_column(b->rel, name, err);
        if (!ret[n++])
            return 0;
    }
    for (size_t i = 0; !km_json_count(names) && i < b->rel->nkey; i++)
        ret[n++] = b->rel->key[i];
    if (!n)
        km_fail(err, KM_E_INVALID,
                "the table has no primary key: say in conflict which columns "
                "tell its rows apart");
    return n;
}

static bool among(const struct km_pg_column *const *list, size_t n, const struct km_pg_column *c)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == c)
            return true;
    return false;
}

static int put_upsert(struct km_pg_build *b, const struct km_json *args, struct km_err *err)
{
    const struct km_pg_column **columns = room(b), **keys = room(b);
    size_t n, nkeys, set = 0;

    if (!columns || !keys)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    nkeys = conflict_of(b, km_json_get(args, "conflict"), keys, err);
    if (!nkeys || put_insert(b, args, columns, &n, err) < 0)
        return KM_E_INVALID;
    for (size_t i = 0; i < nkeys; i++) {
        km_pg_build_text(b, i ? ", " : " ON CONFLICT (");
        km_pg_build_name(b, keys[i]);
    }
    km_pg_build_text(b, ") DO ");
    for (size_t i = 0; i < n; i++) {
        if (among(keys, nkeys, columns[i]))
            continue;
        km_pg_build_text(b, set++ ? ", " : "UPDATE SET ");
        km_pg_build_name(b, columns[i]);
        km_pg_build_text(b, " = EXCLUDED.");
        km_pg_build_name(b, columns[i]);
    }
    km_pg_build_text(b, set ? "" : "NOTHING");
    return 0;
}

static int put_condition(struct km_pg_build *b, const struct km_json *args, struct km_err *err)
{
    const struct km_json *filter = km_json_get(args, "filter");

    if (!km_json_count(filter))
        return km_fail(err, KM_E_INVALID,
                       "filter: without a condition every row would be changed; "
                       "say which rows");
    km_pg_build_text(b, " WHERE ");
    return km_pg_build_filter(b, filter, err);
}

static int put_update(struct km_pg_build *b, const struct km_json *args, struct km_err *err)
{
    const struct km_json *set = km_json_get(args, "set"), *value;
    struct km_json_iter it;
    struct km_str name;
    size_t n = 0;
    int r = 0;

    if (!km_json_count(set))
        return km_fail(err, KM_E_INVALID, "set: at least one column and its new value");
    km_pg_build_text(b, "UPDATE ");
    km_pg_build_table(b);
    for (km_json_iter(set, &it); r == 0 && km_json_next(&it, &name, &value); n++) {
        const struct km_pg_column *c = writable(b, name, err);

        if (!c)
            return KM_E_INVALID;
        km_pg_build_text(b, n ? ", " : " SET ");
        km_pg_build_name(b, c);
        km_pg_build_text(b, " = ");
        r = km_pg_build_value(b, c, value, err);
    }
    return r == 0 ? put_condition(b, args, err) : r;
}

static int put_delete(struct km_pg_build *b, const struct km_json *args, struct km_err *err)
{
    km_pg_build_text(b, "DELETE FROM ");
    km_pg_build_table(b);
    return put_condition(b, args, err);
}

/* --- running it --- */

static void put_rows(const struct km_pg_task *task, struct km_buf *b)
{
    if (task->table.started && task->table.columns.n) {
        km_buf_byte(b, ',');
        km_pg_table_put(&task->table, b);
    }
}

static int answer_change(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_RESULT_BYTES);

    km_buf_printf(&b, "{\"affected\":%lld", (long long)o->affected);
    put_rows(task, &b);
    km_buf_str(&b, KM_STR(",\"elapsed_ms\":"));
    km_buf_decimal(&b, (int64_t)(o->elapsed_us / 100), 1);
    if (o->nnotices)
        km_pg_put_notices(o, &b);
    km_buf_byte(&b, '}');
    return km_pg_answer(task->call, km_buf_view(&b), err);
}

/* Who, where, what and with which values: what a confirmation is for. */
static void digest_of(const struct km_pg_task *task, const struct change *c, uint8_t digest[32])
{
    const struct km_pg_request *q = &c->request;
    struct km_str *parts = km_arena_zalloc(task->call->arena, (2 * q->nparams + 5) * sizeof *parts);
    size_t n = 0;

    memset(digest, 0, 32);
    if (!parts)
        return;
    parts[n++] = task->call->caller.principal;
    parts[n++] = KM_STR("\n");
    parts[n++] = km_pg_db_args_of(km_pg_server_of(task->call)->db)->name;
    parts[n++] = KM_STR("\n");
    parts[n++] = q->sql;
    for (unsigned i = 0; i < q->nparams; i++) {
        parts[n++] = q->values[i] ? KM_STR("\n=") : KM_STR("\nnull");
        parts[n++] = km_str_c(q->values[i]);
    }
    km_sha256_parts(parts, n, digest);
}

static int answer_preview(struct km_pg_task *task, const struct km_pg_outcome *o,
                          struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_RESULT_BYTES);
    struct change *c = task->data;
    char word[KM_PG_CONFIRM_WORD + 1];
    uint8_t digest[32];
    int r;

    digest_of(task, c, digest);
    r = km_pg_confirm_give(digest, task->call->caller.principal, o->affected, km_mono_ms(), word,
                           err);
    if (r < 0)
        return r;
    km_buf_printf(&b, "{\"preview\":true,\"would_affect\":%lld", (long long)o->affected);
    put_rows(task, &b);
    km_buf_str(&b, KM_STR(",\"plan\":"));
    km_buf_str(&b, c->plan);
    km_buf_printf(&b, ",\"confirmation\":\"%s\",\"confirmation_seconds\":%d}", word,
                  (int)(KM_PG_CONFIRM_MS / 1000));
    return km_pg_answer(task->call, km_buf_view(&b), err);
}

/* The plan of a preview came: now the change itself, which is rolled back. */
static int run_dry(struct km_pg_task *task, const struct km_pg_outcome *o, struct km_err *err)
{
    struct change *c = task->data;
    struct km_pg_request request = c->request;

    (void)o;
    c->plan = km_arena_str(task->call->arena, km_pg_task_value(task));
    if (!c->plan.n)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "PostgreSQL gave no plan");
    request.sql = km_arena_cat(task->call->arena,
                               (struct km_str[]){ request.sql, KM_STR(" RETURNING *") }, 2);
    request.dry = true;
    task->table.most = SAMPLE;
    task->answer = answer_preview;
    return km_pg_task_again(task, &request, err);
}

static int run_preview(struct km_pg_task *task, struct km_err *err)
{
    struct change *c = task->data;
    struct km_pg_request request = c->request;

    request.sql = km_arena_cat(
        task->call->arena, (struct km_str[]){ KM_STR("EXPLAIN (FORMAT JSON) "), request.sql }, 2);
    task->answer = run_dry;
    return km_pg_task_again(task, &request, err);
}

static int run_change(struct km_pg_task *task, struct km_err *err)
{
    const struct km_json *returning = km_json_get(task->call->args, "returning");
    struct change *c = task->data;
    struct km_str word;
    uint8_t digest[32];
    int r = 0;

    if (km_json_string(km_json_get(task->call->args, "confirmation"), &word)) {
        digest_of(task, c, digest);
        r = km_pg_confirm_take(word, digest, km_mono_ms(), &c->request.affected_most, err);
        c->request.capped = true;
    }
    if (r == 0 && km_json_count(returning)) {
        km_pg_build_text(&c->b, " RETURNING ");
        r = km_pg_build_columns(&c->b, returning, err);
        c->request.sql = km_buf_view(&c->b.sql);
    }
    task->answer = answer_change;
    return r == 0 ? km_pg_task_again(task, &c->request, err) : r;
}

typedef int put_fn(struct km_pg_build *b, const struct km_json *args, struct km_err *err);

static int change(struct km_pg_task *task, const struct km_pg_relation *rel, put_fn *put,
                  struct km_err *err)
{
    struct change *c = km_arena_zalloc(task->call->arena, sizeof *c);
    bool preview = false;
    int r = c ? km_pg_build_init(&c->b, task->call->arena, rel, err) : KM_E_NOMEM;

    if (r == 0)
        r = put(&c->b, task->call->args, err);
    if (r == 0)
        r = km_pg_build_request(&c->b, &c->request, err);
    if (r < 0)
        return r;
    task->data = c;
    (void)km_json_bool(km_json_get(task->call->args, "preview"), &preview);
    return preview ? run_preview(task, err) : run_change(task, err);
}

static int on_insert(struct km_pg_task *task, const struct km_pg_relation *rel, struct km_err *err)
{
    return change(task, rel, put_inserts, err);
}

static int on_upsert(struct km_pg_task *task, const struct km_pg_relation *rel, struct km_err *err)
{
    return change(task, rel, put_upsert, err);
}

static int on_update(struct km_pg_task *task, const struct km_pg_relation *rel, struct km_err *err)
{
    return change(task, rel, put_update, err);
}

static int on_delete(struct km_pg_task *task, const struct km_pg_relation *rel, struct km_err *err)
{
    return change(task, rel, put_delete, err);
}

static int insert_rows(struct km_mcp_call *call, struct km_err *err)
{
    return km_pg_task_with_table(call, on_insert, err);
}

static int upsert_rows(struct km_mcp_call *call, struct km_err *err)
{
    return km_pg_task_with_table(call, on_upsert, err);
}

static int update_rows(struct km_mcp_call *call, struct km_err *err)
{
    return km_pg_task_with_table(call, on_update, err);
}

static int delete_rows(struct km_mcp_call *call, struct km_err *err)
{
    return km_pg_task_with_table(call, on_delete, err);
}

/* --- rows --- */

#define HEAD "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
#define COMMON(required)                                                                           \
    "," KM_PG_JSON("schema": {"type": "string"}, "table": {"type": "string"},                      \
        "returning": {"type": "array", "items": {"type": "string"},                                \
            "description": "Columns of the changed rows to give back."},                           \
        "preview": {"type": "boolean",                                                             \
            "description": "Only show what would happen; the answer has a confirmation."},         \
        "confirmation": {"type": "string",                                                         \
            "description": "Of a preview of the same call: no more rows than it showed."})         \
    "},\"required\":" required "}"
#define FILTER                                                                                     \
    KM_PG_JSON("filter": {"type": "object", "description":                                         \
        "{column, op, value}, {and: [...]}, {or: [...]} or {not: {...}}; not empty",               \
        "properties": {"op": {"enum": ["eq", "ne", "lt", "lte", "gt", "gte", "like", "not_like",   \
            "ilike", "in", "between", "contains", "contained_by", "overlaps", "is_null",           \
            "is_not_null", "=", "<>", "<", "<=", ">", ">=", "@>", "<@", "&&"]}}})
#define GIVEN                                                                                      \
    KM_PG_JSON("rows": {"type": "array", "items": {"type": "object"}, "description":               \
        "Objects of columns and values; a column left out gets its default."})
#define CHANGED                                                                                    \
    KM_PG_JSON({"type": "object", "properties": {"affected": {"type": "integer"},                  \
        "preview": {"type": "boolean"}, "would_affect": {"type": "integer"},                       \
        "columns": {"type": "array"}, "rows": {"type": "array"}, "plan": {"type": "array"},        \
        "confirmation": {"type": "string"}, "notices": {"type": "array"}}})

static const struct km_pg_row rows[] = {
    { .tool = {
        .name = KM_PG_TEXT("insert_rows"),
        .title = KM_PG_TEXT("Insert rows"),
        .description = KM_PG_TEXT("Adds rows to one table, all or none."),
        .input = KM_PG_TEXT(HEAD GIVEN COMMON("[\"table\",\"rows\"]")),
        .output = KM_PG_TEXT(CHANGED),
        .run = insert_rows }, .does = KM_PG_ADDS, .mode = KM_PG_DML },
    { .tool = {
        .name = KM_PG_TEXT("update_rows"),
        .title = KM_PG_TEXT("Update rows"),
        .description = KM_PG_TEXT(
            "Sets columns of the rows that a filter selects. The filter may not be empty; more "
            "rows "
            "than the server's cap are rolled back."),
        .input = KM_PG_TEXT(HEAD FILTER ","
            KM_PG_JSON("set": {"type": "object", "description": "Columns and their new values."})
            COMMON("[\"table\",\"filter\",\"set\"]")),
        .output = KM_PG_TEXT(CHANGED),
        .run = update_rows }, .does = KM_PG_DESTROYS, .mode = KM_PG_DML },
    { .tool = {
        .name = KM_PG_TEXT("delete_rows"),
        .title = KM_PG_TEXT("Delete rows"),
        .description = KM_PG_TEXT(
            "Deletes the rows that a filter selects. The filter may not be empty; more rows than "
            "the server's cap are rolled back."),
        .input = KM_PG_TEXT(HEAD FILTER COMMON("[\"table\",\"filter\"]")),
        .output = KM_PG_TEXT(CHANGED),
        .run = delete_rows }, .does = KM_PG_DESTROYS, .mode = KM_PG_DML },
    { .tool = {
        .name = KM_PG_TEXT("upsert_rows"),
        .title = KM_PG_TEXT("Insert or update rows"),
        .description = KM_PG_TEXT(
            "Adds rows, or updates those that are there by the primary key or the columns of "
            "conflict."),
        .input = KM_PG_TEXT(HEAD GIVEN ","
            KM_PG_JSON("conflict": {"type": "array", "items": {"type": "string"}, "description":
                "Columns of a unique index; left out: the primary key."})
            COMMON("[\"table\",\"rows\"]")),
        .output = KM_PG_TEXT(CHANGED),
        .run = upsert_rows }, .does = KM_PG_DESTROYS, .mode = KM_PG_DML },
};

const struct km_pg_rows km_pg_tools_change = { rows, sizeof rows / sizeof rows[0] };
