/* SPDX-License-Identifier: Apache-2.0 */
/* params.c - the argument `params` of a tool, as the values of a statement: see tools.h.
 *
 *     [7, null, {"value": "7", "type": "int4"}] ──> texts "7", NULL, "7"; types 0, 0, 23
 *     [[1, 2]] for `= ANY ($1)`, {"value": [1, 2], "type": "int4[]"} ──> "{\"1\",\"2\"}"
 *
 * PostgreSQL reads every value from its text and infers the types that are not said.  Objects go as
 * JSON, and so do lists, but where an array is wanted: by the type that is said, or where the
 * statement has the $n: behind ANY or ALL, cast to an array, in unnest() and other functions of
 * arrays.
 */
#include "base/buf.h"
#include "servers/postgres/tools.h"
#include "servers/postgres/tree.h"

#define PARAMS 1000
#define PARAM_BYTES ((size_t)1024 * 1024)

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

int km_pg_task_text(struct km_mcp_call *call, const struct km_json *value, const char **ret,
                    struct km_err *err)
{
    struct km_str s;

    if (km_json_string(value, &s) && km_str_chr(s, '\0') < s.n)
        return km_fail(err, KM_E_INVALID, "params: a text with a NUL byte");
    *ret = text_of(call->arena, value);
    return 0;
}

/* --- arrays --- */

struct arrays {
    bool at[PARAMS + 1]; /* by $n */
};

static void see_array(struct arrays *a, const PgQuery__Node *node)
{
    if (node && node->node_case == PG_QUERY__NODE__NODE_PARAM_REF && node->param_ref->number > 0 &&
        node->param_ref->number <= PARAMS)
        a->at[node->param_ref->number] = true;
}

static bool takes_arrays(const PgQuery__FuncCall *f)
{
    const PgQuery__Node *last = f->n_funcname ? f->funcname[f->n_funcname - 1] : NULL;
    const char *name =
        last && last->node_case == PG_QUERY__NODE__NODE_STRING ? last->string->sval : "";

    return strcmp(name, "unnest") == 0 || strcmp(name, "cardinality") == 0 ||
           strncmp(name, "array_", 6) == 0;
}

static void see(void *ctx, const struct km_pg_type *t, const ProtobufCMessage *message)
{
    const void *m = message;

    if (strcmp(t->name, "TypeCast") == 0) {
        const PgQuery__TypeCast *c = m;

        if (c->type_name && c->type_name->n_array_bounds)
            see_array(ctx, c->arg);
    } else if (strcmp(t->name, "A_Expr") == 0) {
        const PgQuery__AExpr *e = m;

        if (e->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY ||
            e->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP_ALL)
            see_array(ctx, e->rexpr);
    } else if (strcmp(t->name, "FuncCall") == 0 && takes_arrays(m)) {
        const PgQuery__FuncCall *f = m;

        if (f->n_args) /* the others of array_append() and its like are elements */
            see_array(ctx, f->args[0]);
    }
}

/* Of a text that does not parse nothing is known: it will be refused. */
static struct arrays *find_arrays(const struct km_pg_task *task, const struct km_json *params)
{
    const struct km_pg_parser *parser = km_pg_db_parser(km_pg_server_of(task->call)->db);
    struct arrays *a = km_arena_zalloc(task->call->arena, sizeof *a);
    PgQuery__ParseResult *tree;
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused;
    bool any = false;
    size_t at;

    for (km_json_iter(params, &it); km_json_next(&it, &unused, &item);)
        any |= km_json_kind(item) == KM_JSON_ARRAY;
    if (a && any && km_str_chr(task->request.sql, '\0') == task->request.sql.n &&
        km_pg_parse(parser, task->call->arena, task->request.sql, &tree, &at, NULL) == 0 &&
        tree->n_stmts == 1 && tree->stmts[0]->stmt)
        km_pg_tree_walk(km_pg_parser_types(parser), &tree->stmts[0]->base, see, a);
    return a;
}

/* --- params --- */

static int take_array(struct km_pg_task *task, const struct km_json *list, const char **ret_text,
                      struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(PARAM_BYTES);

    km_pg_array(&b, list);
    if (km_buf_failed(&b) || km_str_chr(km_buf_view(&b), '\0') < b.n)
        return km_fail(err, KM_E_INVALID, "params: a list that is too long, or has a NUL byte");
    *ret_text = km_arena_cstr(task->call->arena, km_buf_view(&b));
    return 0;
}

static int take_param(struct km_pg_task *task, const struct km_json *v, bool array,
                      const char **ret_text, unsigned *ret_type, struct km_err *err)
{
    const struct km_json *inner = km_json_get(v, "value");
    struct km_str name = KM_STR_NONE;

    *ret_type = 0;
    if (km_json_kind(v) == KM_JSON_OBJECT && inner && km_json_count(v) == 2 &&
        km_json_string(km_json_get(v, "type"), &name)) {
        *ret_type = km_pg_type_oid(name);
        if (!*ret_type)
            return km_fail(err, KM_E_INVALID,
                           "params: '%.*s' is no type that is known here: leave it out, and write "
                           "$n::type in the statement",
                           KM_STR_ARG(km_str_sub(name, 0, 64)));
        array = km_str_ends(name, KM_STR("[]"));
        v = inner;
    }
    if (array && km_json_kind(v) == KM_JSON_ARRAY)
        return take_array(task, v, ret_text, err);
    return km_pg_task_text(task->call, v, ret_text, err);
}

int km_pg_task_params(struct km_pg_task *task, const struct km_json *params, struct km_err *err)
{
    size_t n = km_json_count(params);
    const struct km_json *item;
    const struct arrays *arrays;
    const char **values;
    unsigned *types, i;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    if (n == 0)
        return 0;
    if (n > PARAMS)
        return km_fail(err, KM_E_LIMIT, "params: at most %d values", PARAMS);
    values = km_arena_zalloc(task->call->arena, n * sizeof *values);
    types = km_arena_zalloc(task->call->arena, n * sizeof *types);
    arrays = find_arrays(task, params);
    if (!values || !types || !arrays)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    task->request.values = values;
    task->request.types = types;
    for (km_json_iter(params, &it); r == 0 && km_json_next(&it, &key, &item);) {
        i = task->request.nparams++;
        r = take_param(task, item, arrays->at[i + 1], &values[i], &types[i], err);
    }
    if (r == 0 && km_arena_overflowed(task->call->arena))
        r = km_fail(err, KM_E_NOMEM, "params: too large");
    return r;
}
