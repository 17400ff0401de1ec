/* SPDX-License-Identifier: Apache-2.0 */
/* own.c - see own.h.
 *
 *     file ── YAML ── JSON ── each tool's SQL judged ── a row like those of our own
 *                          ├─ each prompt ── a row, too
 *                          └─ resources: looked up when they are asked for
 *
 * A tool's parameters become its inputSchema and, in their order, $1, $2, ...  Its hints follow
 * from what the guard says of its SQL: what only reads is said to.
 */
#include "servers/postgres/own.h"

#include <stdlib.h>

#include "config/tree.h"
#include "config/yaml.h"
#include "http/json_out.h"
#include "servers/postgres/process.h"
#include "servers/postgres/prompts.h"
#include "servers/postgres/tools.h"
#include "sys/read_file.h"

#define ARENA_BYTES ((size_t)16 * 1024 * 1024)
#define SCHEMA_BYTES ((size_t)64 * 1024)
#define PARAMETERS 32

struct km_pg_own {
    struct km_arena arena;
    const struct km_json *root;
    struct km_pg_processors *processors;
};

/* --- the file --- */

static int parse(struct km_pg_own *own, const char *path, struct km_str text, struct km_err *err)
{
    static const struct km_yaml_limits limits = { KM_PG_OWN_BYTES, 50000, 32 };
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(4 * KM_PG_OWN_BYTES);
    struct km_diags *diags = km_diags_new();
    const struct km_node *root;
    int r = diags ? km_yaml_parse(&own->arena, km_str_c(path), text, &limits, diags, &root, err)
                  : km_fail(err, KM_E_NOMEM, "out of memory");

    km_diags_free(diags);
    if (r < 0)
        return r;
    km_node_json(root, &json);
    return km_json_parse(&own->arena, km_buf_view(&json), &own->root, err);
}

/* --- lists --- */

const struct km_json *km_pg_own_list(const struct km_pg_own *own, const char *name)
{
    return own ? km_json_get(own->root, name) : NULL;
}

const struct km_json *km_pg_own_find(const struct km_pg_own *own, const char *list,
                                     struct km_str name)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, s;

    for (km_json_iter(km_pg_own_list(own, list), &it); km_json_next(&it, &unused, &item);)
        if (km_json_string(km_json_get(item, "name"), &s) && km_str_eq(s, name))
            return item;
    return NULL;
}

/* --- tools --- */

static int run(struct km_mcp_call *call, struct km_err *err)
{
    const struct km_json *tool =
        km_pg_own_find(km_pg_server_of(call)->own, "tools", call->tool->name);
    struct km_pg_task *task = km_pg_task_new(call, err);
    const char **values = km_arena_zalloc(call->arena, PARAMETERS * sizeof *values);
    unsigned *types = km_arena_zalloc(call->arena, PARAMETERS * sizeof *types);
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, name, type;
    unsigned n = 0;

    if (!task || !values || !types)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    (void)km_json_string(km_json_get(tool, "sql"), &task->request.sql);
    for (km_json_iter(km_json_get(tool, "parameters"), &it);
         n < PARAMETERS && km_json_next(&it, &unused, &item); n++) {
        const struct km_json *value;

        (void)km_json_string(km_json_get(item, "name"), &name);
        value = km_json_get(call->args, km_arena_cstr(call->arena, name));
        if (!value)
            value = km_json_get(item, "default");
        if (value && km_pg_task_text(call, value, &values[n], err) < 0)
            return KM_E_INVALID;
        if (km_json_string(km_json_get(item, "pg_type"), &type))
            types[n] = km_pg_type_oid(type);
    }
    task->request.values = values;
    task->request.types = types;
    task->request.nparams = n;
    return km_pg_task_paged(task, err);
}

static bool known_type(struct km_str type)
{
    return km_str_eq(type, KM_STR("string")) || km_str_eq(type, KM_STR("integer")) ||
           km_str_eq(type, KM_STR("number")) || km_str_eq(type, KM_STR("boolean")) ||
           km_str_eq(type, KM_STR("array")) || km_str_eq(type, KM_STR("object"));
}

static int put_parameter(struct km_json_out *o, const struct km_json *p, struct km_err *err)
{
    static const char *const taken[] = { "cursor", "max_rows", "max_bytes", "timeout_ms" };
    struct km_str name = KM_STR_NONE, type = KM_STR("string"), text;

    (void)km_json_string(km_json_get(p, "name"), &name);
    (void)km_json_string(km_json_get(p, "type"), &type);
    for (size_t i = 0; i < 4; i++)
        if (!name.n || km_str_eq(name, km_str_c(taken[i])))
            return km_fail(err, KM_E_CONFIG, "a parameter needs a name, and not '%s'", taken[i]);
    if (!known_type(type))
        return km_fail(err, KM_E_CONFIG,
                       "parameter %.*s: type is string, integer, number, "
                       "boolean, array or object",
                       KM_STR_ARG(name));
    if (km_json_string(km_json_get(p, "pg_type"), &text) && !km_pg_type_oid(text))
        return km_fail(err, KM_E_CONFIG, "parameter %.*s: '%.*s' is no pg_type that is known here",
                       KM_STR_ARG(name), KM_STR_ARG(text));
    km_out_key_str(o, name);
    km_out_open(o, '{');
    km_out_member(o, "type", type);
    if (km_json_string(km_json_get(p, "description"), &text))
        km_out_member(o, "description", text);
    if (km_json_get(p, "enum")) {
        km_out_key(o, "enum");
        km_out_value(o, km_json_get(p, "enum"));
    }
    km_out_close(o, '}');
    return 0;
}

/* The parameters as inputSchema; those without a default are required. */
static int put_schema(const struct km_json *parameters, struct km_buf *b, struct km_err *err)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, name = KM_STR_NONE;
    struct km_json_out o;
    bool optional;

    if (km_json_count(parameters) > PARAMETERS)
        return km_fail(err, KM_E_CONFIG, "at most %d parameters", PARAMETERS);
    km_json_out_init(&o, b);
    km_out_open(&o, '{');
    km_out_member(&o, "type", KM_STR("object"));
    km_out_key(&o, "additionalProperties");
    km_out_bool(&o, false);
    km_out_key(&o, "properties");
    km_out_open(&o, '{');
    for (km_json_iter(parameters, &it); km_json_next(&it, &unused, &item);)
        if (put_parameter(&o, item, err) < 0)
            return KM_E_CONFIG;
    km_out_member_raw(&o, "max_rows", KM_STR("{\"type\":\"integer\",\"minimum\":1}"));
    km_out_member_raw(&o, "cursor", KM_STR("{\"type\":\"string\"}"));
    km_out_close(&o, '}');
    km_out_key(&o, "required");
    km_out_open(&o, '[');
    for (km_json_iter(parameters, &it); km_json_next(&it, &unused, &item);) {
        optional = km_json_get(item, "default") != NULL;
        if (!optional && km_json_string(km_json_get(item, "name"), &name))
            km_out_str(&o, name);
    }
    km_out_close(&o, ']');
    km_out_close(&o, '}');
    return km_buf_failed(b) ? km_fail(err, KM_E_CONFIG, "too many parameters") : 0;
}

/* Does the guard take it, and does it write? */
static int judge(struct km_pg_server *s, const struct km_json *definition, bool *ret_writes,
                 struct km_err *err)
{
    struct km_pg_verdict v = { 0 };
    struct km_str sql = KM_STR_NONE;
    struct km_arena arena;
    int r;

    (void)km_json_string(km_json_get(definition, "sql"), &sql);
    km_arena_init(&arena, 2 * KM_PG_TREE_BYTES, NULL);
    r = km_pg_db_judge(s->db, &arena, sql, &v, err);
    if (r == 0 && !v.allowed)
        r = km_fail(err, KM_E_CONFIG, "its sql is refused: %.*s", KM_STR_ARG(v.message));
    if (r == 0 && v.params > km_json_count(km_json_get(definition, "parameters")))
        r = km_fail(err, KM_E_CONFIG, "its sql has $%u, but there are fewer parameters", v.params);
    *ret_writes = v.writes;
    km_arena_done(&arena);
    return r;
}

static int add_tool(struct km_pg_server *s, struct km_arena *arena, const struct km_json *d,
                    struct km_err *err)
{
    struct km_buf schema KM_CLEANUP(km_buf_done) = KM_BUF(SCHEMA_BYTES);
    struct km_mcp_tool *t = &s->tools[s->mcp.ntools];
    bool writes = false;

    if (s->mcp.ntools == KM_PG_TOOLS)
        return km_fail(err, KM_E_CONFIG, "too many tools");
    *t = (struct km_mcp_tool){ .output = KM_STR(KM_PG_ROWS_SCHEMA), .run = run };
    (void)km_json_string(km_json_get(d, "name"), &t->name);
    (void)km_json_string(km_json_get(d, "description"), &t->description);
    (void)km_json_string(km_json_get(d, "title"), &t->title);
    for (size_t i = 0; i < t->name.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-",
                    t->name.p[i]))
            return km_fail(err, KM_E_CONFIG, "a name has letters, digits, _ and - only");
    for (size_t i = 0; i < s->mcp.ntools; i++)
        if (km_str_eq(s->tools[i].name, t->name))
            return km_fail(err, KM_E_CONFIG, "there is a tool of that name");
    if (!t->name.n || t->name.n > 48 || !t->description.n)
        return km_fail(err, KM_E_CONFIG, "a tool needs a name of at most 48 and a description");
    if (judge(s, d, &writes, err) < 0 || put_schema(km_json_get(d, "parameters"), &schema, err) < 0)
        return KM_E_CONFIG;
    t->input = km_arena_str(arena, km_buf_view(&schema));
    km_pg_set_hints(t, writes ? KM_PG_DESTROYS : KM_PG_LOOKS, km_pg_db_args_of(s->db)->mode);
    s->mcp.ntools++;
    return 0;
}

static int add_all(struct km_pg_server *s, struct km_pg_own *own, struct km_err *err)
{
    static const char *const lists[] = { "tools", "resources", "prompts" };
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, name;
    struct km_err why = { 0 };
    bool writes;
    int r = 0;

    for (size_t i = 0; i < 3; i++)
        for (km_json_iter(km_json_get(own->root, lists[i]), &it);
             km_json_next(&it, &unused, &item);) {
            name = KM_STR("(no name)");
            (void)km_json_string(km_json_get(item, "name"), &name);
            if (i == 0)
                r = add_tool(s, &own->arena, item, &why);
            else
                r = i == 1 ? judge(s, item, &writes, &why)
                           : km_pg_prompts_add_own(s, &own->arena, item, &why);
            if (r < 0)
                return km_fail(err, KM_E_CONFIG, "definitions: %s: %.*s: %s", lists[i],
                               KM_STR_ARG(name), why.text);
        }
    return 0;
}

static int known_keys(const struct km_json *root, struct km_err *err)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    for (km_json_iter(root, &it); km_json_next(&it, &key, &item);)
        if (!km_str_eq(key, KM_STR("tools")) && !km_str_eq(key, KM_STR("resources")) &&
            !km_str_eq(key, KM_STR("prompts")) && !km_str_eq(key, KM_STR("processors")))
            return km_fail(err, KM_E_CONFIG,
                           "definitions: unknown key '%.*s'; there are tools, resources, prompts "
                           "and processors",
                           KM_STR_ARG(key));
    return 0;
}

int km_pg_own_load(struct km_pg_server *s, const char *path, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_PG_OWN_BYTES);
    struct km_pg_own *own = calloc(1, sizeof *own);
    int r;

    if (!own)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_arena_init(&own->arena, ARENA_BYTES, NULL);
    s->own = own;
    r = km_file_read(path, KM_FILE_REGULAR, &text, err);
    if (r < 0)
        r = km_fail(err, KM_E_CONFIG, "definitions: '%s' cannot be read: %s", path, err->text);
    if (r == 0)
        r = parse(own, path, km_buf_view(&text), err);
    if (r == 0)
        r = known_keys(own->root, err);
    if (r == 0)
        r = add_all(s, own, err);
    if (r == 0)
        r = km_pg_processors_new(km_json_get(own->root, "processors"), &own->processors, err);
    s->processors = own->processors;
    return r;
}

struct km_pg_own *km_pg_own_free(struct km_pg_own *own)
{
    if (!own)
        return NULL;
    km_pg_processors_free(own->processors);
    km_arena_done(&own->arena);
    free(own);
    return NULL;
}
