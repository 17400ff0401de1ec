/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - see process.h.
 *
 * A processor is one of
 *
 *     relation: public.orders           wherever the statement reads it, it reads instead
 *       instead: reporting.orders         this relation
 *       columns: [id, total, email]       with these columns only
 *       mask: {email: "***"}              and this text for the value
 *       where: {tenant: {env: TENANT}}    of these rows: column = value, of the file or a variable
 *     plugin: {file: x.so, config: ...}
 *
 * The place of a relation's name is known from PostgreSQL's own grammar; there the text becomes
 *
 *     (SELECT "id", "total", '***'::text AS "email" FROM "public"."orders" WHERE "tenant" = 'a')
 *
 * with the name it had as its alias.  Values are quoted as literals here, since they come from the
 * operator.  What cannot be replaced for sure is refused: a statement that changes the relation, a
 * name with U&, ONLY.  A name without a schema counts as the relation whatever the path is.  Views
 * and functions that read the table are the database owner's: grant the role none that tell more.
 */
#include "servers/postgres/process.h"

#include <dlfcn.h>
#include <pg_query/pg_query.pb-c.h>
#include <stdlib.h>

#include "base/buf.h"
#include "servers/postgres/page.h"
#include "servers/postgres/plugin.h"

#define PLUGINS 8
#define PLACES 200 /* of relations in one statement */
#define DEPTH 4000
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
    bool narrows; /* some processor is about a relation */
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
    memcpy(path, file.p, file.n);
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
    p->narrows = true;
    return 0;
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
    return 0;
}

struct km_pg_processors *km_pg_processors_free(struct km_pg_processors *p)
{
    for (size_t i = 0; p && i < p->nplugins; i++)
        if (p->plugins[i].api->close && p->plugins[i].state)
            p->plugins[i].api->close(p->plugins[i].state);
    free(p);
    return NULL;
}

/* --- where relations stand --- */

struct place {
    size_t at, n; /* of the name in the text */
    const struct km_json *by; /* the processor */
    struct km_str alias; /* what it was called, where it had no alias; empty: it has one */
};

struct search {
    const struct km_pg_processors *p;
    struct km_str sql;
    struct place v[PLACES];
    size_t n;
    unsigned depth;
    const char *refused; /* why; NULL: nothing is wrong */
};

static const struct km_json *processor_of(const struct km_pg_processors *p, struct km_str schema,
                                          struct km_str name)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, relation;

    for (km_json_iter(p->list, &it); km_json_next(&it, &unused, &item);) {
        size_t dot;

        if (!km_json_string(km_json_get(item, "relation"), &relation))
            continue;
        dot = km_str_chr(relation, '.');
        if (km_str_eq(km_str_skip(relation, dot + 1), name) &&
            (!schema.n || km_str_eq(km_str_sub(relation, 0, dot), schema)))
            return item;
    }
    return NULL;
}

static bool letter(char c)
{
    unsigned char u = (unsigned char)c;

    return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') || u == '_' ||
           u == '$' || u >= 0x80;
}

/* How long the name at the front is: words, plain or quoted, with dots between and no blanks.
 * 0: not for sure. */
static size_t name_length(struct km_str s)
{
    size_t i = 0;

    for (;;) {
        size_t from = i;

        if (i < s.n && s.p[i] == '"') {
            for (i++; i < s.n && (s.p[i] != '"' || (i + 1 < s.n && s.p[i + 1] == '"')); i++)
                i += s.p[i] == '"';
            if (i++ >= s.n)
                return 0;
        } else {
            while (i < s.n && letter(s.p[i]))
                i++;
        }
        if (i == from || (i < s.n && s.p[i] == '&'))
            return 0;
        if (i == s.n || s.p[i] != '.')
            break;
        i++;
    }
    /* a dot, a comment or U& after blanks could make it longer than it looks */
    for (size_t k = i; k < s.n; k++)
        if (!strchr(" \t\r\n\f\v", s.p[k]))
            return s.p[k] == '.' || s.p[k] == '*' ||
                           (s.p[k] == '-' && k + 1 < s.n && s.p[k + 1] == '-') ||
                           (s.p[k] == '/' && k + 1 < s.n && s.p[k + 1] == '*')
                       ? 0
                       : i;
    return i;
}

static void see_relation(struct search *s, const PgQuery__RangeVar *r)
{
    const struct km_json *by = processor_of(s->p, km_str_c(r->schemaname), km_str_c(r->relname));
    size_t at = r->location > 0 ? (size_t)r->location : 0;
    struct place *place = &s->v[s->n];

    if (km_str_starts(km_str_c(r->relname), KM_STR("pg_stats"))) {
        s->refused = "pg_stats tells values of all tables";
        return;
    }
    if (!by)
        return;
    place->n = r->location >= 0 ? name_length(km_str_skip(s->sql, at)) : 0;
    if (s->n == PLACES || !place->n || !r->inh || (r->catalogname && r->catalogname[0])) {
        s->refused = "write its name plainly, without ONLY, a database, U& or comments beside it";
        return;
    }
    place->at = at;
    place->by = by;
    place->alias = r->alias ? KM_STR_NONE : km_str_c(r->relname);
    s->n++;
}

static void walk(struct search *s, const ProtobufCMessage *m);

static void walk_field(struct search *s, const ProtobufCMessage *m,
                       const ProtobufCFieldDescriptor *f)
{
    const char *base = (const char *)m;
    const ProtobufCMessage *const *items;

    if (f->type != PROTOBUF_C_TYPE_MESSAGE)
        return;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        items = *(const ProtobufCMessage *const *const *)(const void *)(base + f->offset);
        for (size_t i = 0; i < *(const size_t *)(const void *)(base + f->quantifier_offset); i++)
            walk(s, items[i]);
    } else if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
               *(const int *)(const void *)(base + f->quantifier_offset) == (int)f->id) {
        walk(s, *(const ProtobufCMessage *const *)(const void *)(base + f->offset));
    }
}

static bool is(const ProtobufCMessage *m, const char *name)
{
    return strcmp(m->descriptor->name + sizeof "pg_query." - 1, name) == 0;
}

static void walk(struct search *s, const ProtobufCMessage *m)
{
    if (!m || s->depth > DEPTH)
        return;
    s->depth++;
    if (is(m, "RangeVar"))
        see_relation(s, (const PgQuery__RangeVar *)(const void *)m);
    for (unsigned i = 0; i < m->descriptor->n_fields; i++)
        walk_field(s, m, &m->descriptor->fields[i]);
    s->depth--;
}

/* Only what reads can be narrowed. */
static bool reads(const PgQuery__Node *stmt)
{
    while (stmt && stmt->node_case == PG_QUERY__NODE__NODE_EXPLAIN_STMT)
        stmt = stmt->explain_stmt->query;
    return stmt && stmt->node_case == PG_QUERY__NODE__NODE_SELECT_STMT;
}

/* --- putting the narrower relation there --- */

static void put_literal(struct km_buf *b, struct km_str s)
{
    km_buf_str(b, KM_STR("'"));
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'')
            km_buf_byte(b, '\'');
        km_buf_byte(b, s.p[i]);
    }
    km_buf_str(b, KM_STR("'"));
}

static void put_columns(struct km_buf *b, const struct km_json *by)
{
    const struct km_json *mask = km_json_get(by, "mask"), *item, *value;
    struct km_json_iter it, masks;
    struct km_str unused, name, key, text;
    size_t n = 0;

    for (km_json_iter(km_json_get(by, "columns"), &it); km_json_next(&it, &unused, &item);) {
        const struct km_json *masked = NULL;

        if (!km_json_string(item, &name))
            continue;
        for (km_json_iter(mask, &masks); km_json_next(&masks, &key, &value);)
            if (km_str_eq(key, name))
                masked = value;
        km_buf_str(b, n++ ? KM_STR(", ") : KM_STR(""));
        if (masked && km_json_string(masked, &text))
            put_literal(b, text);
        else if (masked)
            km_buf_str(b, KM_STR("NULL"));
        km_buf_str(b, masked ? KM_STR("::text AS ") : KM_STR(""));
        km_pg_quote(b, name);
    }
    km_buf_str(b, n ? KM_STR("") : KM_STR("*"));
}

/* NULL: the variable is not set, so there is no row for it. */
static bool value_of(const struct km_json *v, struct km_str *ret)
{
    char name[128] = "";
    struct km_str variable;

    if (km_json_string(v, ret) || km_json_number(v, ret))
        return true;
    if (!km_json_string(km_json_get(v, "env"), &variable) || variable.n >= sizeof name)
        return false;
    memcpy(name, variable.p, variable.n);
    *ret = km_str_c(getenv(name));
    return ret->p != NULL;
}

static void put_narrow(struct km_buf *b, const struct place *place)
{
    const struct km_json *value;
    struct km_json_iter it;
    struct km_str relation = KM_STR_NONE, key, text;
    const char *before = " WHERE ";
    size_t dot;

    if (!km_json_string(km_json_get(place->by, "instead"), &relation))
        (void)km_json_string(km_json_get(place->by, "relation"), &relation);
    dot = km_str_chr(relation, '.');
    km_buf_str(b, KM_STR("(SELECT "));
    put_columns(b, place->by);
    km_buf_str(b, KM_STR(" FROM "));
    km_pg_quote(b, km_str_sub(relation, 0, dot));
    km_buf_byte(b, '.');
    km_pg_quote(b, km_str_skip(relation, dot + 1));
    for (km_json_iter(km_json_get(place->by, "where"), &it); km_json_next(&it, &key, &value);) {
        km_buf_str(b, km_str_c(before));
        before = " AND ";
        if (!value_of(value, &text)) {
            km_buf_str(b, KM_STR("false"));
            continue;
        }
        km_pg_quote(b, key);
        km_buf_str(b, KM_STR(" = "));
        put_literal(b, text);
    }
    km_buf_byte(b, ')');
    if (place->alias.n) {
        km_buf_str(b, KM_STR(" AS "));
        km_pg_quote(b, place->alias);
    }
}

static int narrow(const struct km_pg_processors *p, const struct km_pg_parser *parser,
                  struct km_arena *arena, struct km_str *sql, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_PG_SQL_BYTES);
    struct search *s = km_arena_zalloc(arena, sizeof *s);
    PgQuery__ParseResult *tree;
    size_t at, done = 0;

    if (!s)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (km_pg_parse(parser, arena, *sql, &tree, &at, NULL) < 0 || tree->n_stmts != 1)
        return 0; /* the guard says what is wrong with it */
    s->p = p;
    s->sql = *sql;
    walk(s, &tree->stmts[0]->base);
    if (s->refused || (s->n && !reads(tree->stmts[0]->stmt)))
        return km_fail(err, KM_E_FORBIDDEN, "a relation of this statement is narrowed: %s",
                       s->refused ? s->refused : "it can only be read");
    while (s->n) { /* by place: the tree's order is another */
        struct place *next = NULL;

        for (size_t i = 0; i < s->n; i++)
            if (s->v[i].at >= done && (!next || s->v[i].at < next->at))
                next = &s->v[i];
        if (!next)
            break;
        km_buf_str(&b, km_str_sub(*sql, done, next->at - done));
        put_narrow(&b, next);
        done = next->at + next->n;
    }
    if (!done)
        return 0;
    km_buf_str(&b, km_str_skip(*sql, done));
    *sql = km_arena_str(arena, km_buf_view(&b));
    return sql->p && !km_buf_failed(&b) ? 0
                                        : km_fail(err, KM_E_LIMIT,
                                                  "the statement is too "
                                                  "large");
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
                            struct km_arena *arena, struct km_str *sql, struct km_err *err)
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
    return p && p->narrows ? narrow(p, parser, arena, sql, err) : 0;
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
