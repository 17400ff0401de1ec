/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - see process.h; relations stand in narrow.c.
 *
 * A processor is one of
 *
 *     relation: public.orders           wherever the statement reads it, it reads instead
 *       instead: reporting.orders         this relation
 *       columns: [id, total, email]       with these columns only
 *       mask: {email: "***"}              and this text for the value
 *       where: {tenant: {key: tenant}}    of these rows: column = value, of the file, of a variable
 *                                         ({env: TENANT}) or of the caller's key
 *     plugin: {file: x.so, config: ...}
 */
#include "servers/postgres/process.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "servers/postgres/narrow.h"
#include "servers/postgres/plugin.h"

#define PLUGINS 8
#define ERROR_BYTES 256

struct plugin {
    void *handle;
    const struct km_pg_plugin *api;
    void *state;
};

struct km_pg_processors {
    const struct km_json *list;
    struct plugin plugins[PLUGINS];
    size_t nplugins;
    char *names; /* of what is narrowed, as narrow.h says; NULL: nothing is */
};

/* --- reading the list --- */

static int open_plugin(struct km_pg_processors *p, const struct km_json *d, struct km_err *err)
{
    struct plugin *plugin = &p->plugins[p->nplugins];
    const struct km_pg_plugin *(*entry)(void) = NULL;
    struct km_str file = KM_STR_NONE, config = KM_STR_NONE;
    char path[4096] = "", error[ERROR_BYTES] = "", text[4096] = "";
    void *symbol;

    (void)km_json_string(km_json_get(d, "file"), &file);
    (void)km_json_string(km_json_get(d, "config"), &config);
    if (p->nplugins == PLUGINS || file.n >= sizeof path || config.n >= sizeof text)
        return km_fail(err, KM_E_CONFIG, "processors: too many plug-ins, or too long a word");
    memcpy(path, file.p ? file.p : "", file.n);
    memcpy(text, config.p ? config.p : "", config.n);
    plugin->handle = path[0] == '/' ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    symbol = plugin->handle ? dlsym(plugin->handle, "km_pg_plugin") : NULL;
    if (!symbol)
        return km_fail(err, KM_E_CONFIG, "processors: '%s' is no plug-in: %s", path,
                       path[0] == '/' ? "it cannot be loaded" : "its path must be absolute");
    memcpy(&entry, &symbol, sizeof entry);
    plugin->api = entry();
    if (!plugin->api || plugin->api->abi != KM_PG_PLUGIN_ABI || !plugin->api->open)
        return km_fail(err, KM_E_CONFIG, "processors: '%s' was made for another kanmon", path);
    p->nplugins++;
    plugin->state = plugin->api->open(text, error, sizeof error);
    return plugin->state ? 0 : km_fail(err, KM_E_CONFIG, "processors: '%s': %.200s", path, error);
}

static bool among(struct km_str key, const char *const *words)
{
    for (; *words; words++)
        if (km_str_eq(key, km_str_c(*words)))
            return true;
    return false;
}

/* A value that is neither said nor found somewhere would leave no condition. */
static int check_where(const struct km_json *where, struct km_err *err)
{
    const struct km_json *v;
    struct km_json_iter it;
    struct km_str key, text;

    if (where && !km_json_count(where))
        return km_fail(err, KM_E_CONFIG, "processors: where has no column");
    for (km_json_iter(where, &it); km_json_next(&it, &key, &v);)
        if (!km_json_string(v, &text) && !km_json_number(v, &text) &&
            (km_json_count(v) != 1 || (!km_json_string(km_json_get(v, "env"), &text) &&
                                       !km_json_string(km_json_get(v, "key"), &text))))
            return km_fail(err, KM_E_CONFIG,
                           "processors: where: %.*s is a value, {env: NAME} or {key: name}",
                           KM_STR_ARG(key));
    return 0;
}

static int check(struct km_pg_processors *p, const struct km_json *d, struct km_err *err)
{
    static const char *const words[] = { "relation", "instead", "columns", "mask",
                                         "where",    "plugin",  NULL };
    const struct km_json *unused;
    struct km_json_iter it;
    struct km_str key, relation;

    for (km_json_iter(d, &it); km_json_next(&it, &key, &unused);)
        if (!among(key, words))
            return km_fail(err, KM_E_CONFIG, "processors: unknown key '%.*s'", KM_STR_ARG(key));
    if (km_json_get(d, "plugin"))
        return open_plugin(p, km_json_get(d, "plugin"), err);
    if (!km_json_string(km_json_get(d, "relation"), &relation) ||
        km_str_chr(relation, '.') == relation.n)
        return km_fail(err, KM_E_CONFIG, "processors: relation is `schema.name`");
    if (km_json_get(d, "mask") && !km_json_count(km_json_get(d, "columns")))
        return km_fail(err, KM_E_CONFIG, "processors: mask needs columns: all there shall be");
    return check_where(km_json_get(d, "where"), err);
}

int km_pg_processors_new(const struct km_json *list, struct km_pg_processors **ret,
                         struct km_err *err)
{
    struct km_pg_processors *p;
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused;

    *ret = NULL;
    if (!km_json_count(list))
        return 0;
    p = calloc(1, sizeof *p);
    if (!p)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *ret = p;
    p->list = list;
    for (km_json_iter(list, &it); km_json_next(&it, &unused, &item);)
        if (check(p, item, err) < 0)
            return KM_E_CONFIG;
    if (km_json_count(list) > p->nplugins)
        p->names = km_pg_narrow_names(list, err);
    return p->names || km_json_count(list) == p->nplugins ? 0 : KM_E_CONFIG;
}

struct km_pg_processors *km_pg_processors_free(struct km_pg_processors *p)
{
    for (size_t i = 0; p && i < p->nplugins; i++)
        if (p->plugins[i].api->close && p->plugins[i].state)
            p->plugins[i].api->close(p->plugins[i].state);
    if (p)
        free(p->names);
    free(p);
    return NULL;
}

struct km_str km_pg_processors_names(const struct km_pg_processors *p)
{
    return p && p->names ? km_str_c(p->names) : KM_STR("[]");
}

/* --- the chain --- */

static int failed(struct km_err *err, const struct plugin *plugin, const char *error)
{
    return km_fail(err, KM_E_FORBIDDEN, "%.60s: %.200s", plugin->api->name, error);
}

/* What a plug-in gave takes the place of *text. */
static int taken(struct km_arena *arena, char *given, struct km_str *text, struct km_err *err)
{
    if (!given)
        return 0;
    *text = km_arena_str(arena, km_str_c(given));
    free(given);
    return text->p ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

int km_pg_process_statement(const struct km_pg_processors *p, const struct km_pg_parser *parser,
                            const struct km_json *values, struct km_arena *arena,
                            struct km_str *sql, struct km_err *err)
{
    char error[ERROR_BYTES] = "";

    for (size_t i = 0; p && i < p->nplugins; i++) {
        const struct plugin *plugin = &p->plugins[i];
        char *given = NULL;

        if (plugin->api->validate &&
            plugin->api->validate(plugin->state, sql->p, sql->n, error, sizeof error))
            return failed(err, plugin, error);
        if (plugin->api->rewrite &&
            plugin->api->rewrite(plugin->state, sql->p, sql->n, &given, error, sizeof error))
            return failed(err, plugin, error);
        if (taken(arena, given, sql, err) < 0)
            return KM_E_NOMEM;
    }
    /* Last, so that no plug-in brings back what is narrowed. */
    return p && p->names ? km_pg_narrow(p->list, values, parser, arena, sql, err) : 0;
}

int km_pg_process_result(const struct km_pg_processors *p, struct km_arena *arena,
                         struct km_str *json, struct km_err *err)
{
    char error[ERROR_BYTES] = "";
    const struct km_json *tree;

    for (size_t i = 0; p && i < p->nplugins; i++) {
        const struct plugin *plugin = &p->plugins[i];
        char *given = NULL;

        if (!plugin->api->format)
            continue;
        if (plugin->api->format(plugin->state, json->p, json->n, &given, error, sizeof error))
            return failed(err, plugin, error);
        if (!given)
            continue;
        if (taken(arena, given, json, err) < 0)
            return KM_E_NOMEM;
        if (km_json_parse(arena, *json, &tree, NULL) < 0 || km_json_kind(tree) != KM_JSON_OBJECT)
            return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "%.60s: its result is no JSON object",
                           plugin->api->name);
    }
    return 0;
}
