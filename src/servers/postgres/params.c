/* SPDX-License-Identifier: Apache-2.0 */
/* params.c - the argument `params` of a tool, as the values of a statement: see tools.h.
 *
 *     [7, null, {"value": "7", "type": "int4"}] ──> texts "7", NULL, "7"; types 0, 0, 23
 *
 * PostgreSQL reads every value from its text and infers the types that are not said.  Lists and
 * objects go as JSON.
 */
#include "base/buf.h"
#include "servers/postgres/tools.h"

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

static int take_param(struct km_pg_task *task, const struct km_json *v, const char **ret_text,
                      unsigned *ret_type, struct km_err *err)
{
    const struct km_json *inner = km_json_get(v, "value");
    struct km_str name = KM_STR_NONE;

    *ret_type = 0;
    if (km_json_kind(v) == KM_JSON_OBJECT && inner && km_json_count(v) == 2 &&
        km_json_string(km_json_get(v, "type"), &name)) {
        *ret_type = km_pg_type_oid(name);
        if (!*ret_type)
            return km_fail(err, KM_E_INVALID, "params: '%.*s' is no type that is known here",
                           KM_STR_ARG(name));
        v = inner;
    }
    return km_pg_task_text(task->call, v, ret_text, err);
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
