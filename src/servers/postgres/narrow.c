/* SPDX-License-Identifier: Apache-2.0 */
/* narrow.c - see narrow.h.
 *
 * The place of a relation's name is known from PostgreSQL's own grammar; there a subselect takes
 * its place in the text (narrow_text.c), with the name it had as its alias.
 *
 * What cannot be replaced for sure is refused: a statement that changes the relation, a name with
 * U&, ONLY.  A name without a schema counts as the relation whatever the path is, but where a WITH
 * names something else so (tree.c knows its scopes).  What reads the relation under another name,
 * views and partitions, is found in the catalogue (resolve.c).
 */
#include "servers/postgres/narrow.h"

#include <stdlib.h>

#include "base/buf.h"
#include "http/json_out.h"
#include "servers/postgres/page.h"
#include "servers/postgres/tree.h"

#define PLACES 200 /* of relations in one statement */
#define NAMES_BYTES ((size_t)256 * 1024)

/* --- where relations stand --- */

struct place {
    size_t at, n; /* of the name in the text, with TABLE before it */
    bool table; /* TABLE t, which is SELECT * FROM t */
    const struct km_json *by; /* the processor */
    struct km_str alias; /* what it was called, where it had no alias; empty: it has one */
};

struct search {
    const struct km_json *list;
    struct km_str sql;
    struct place v[PLACES];
    size_t n;
    const char *refused; /* why; NULL: nothing is wrong */
};

static bool names(const struct km_json *by, const char *member, struct km_str schema,
                  struct km_str name)
{
    struct km_str relation;
    size_t dot;

    if (!km_json_string(km_json_get(by, member), &relation))
        return false;
    dot = km_str_chr(relation, '.');
    return km_str_eq(km_str_skip(relation, dot + 1), name) &&
           (!schema.n || km_str_eq(km_str_sub(relation, 0, dot), schema));
}

/* What stands instead is narrowed itself where the processor narrows further. */
static const struct km_json *processor_of(const struct km_json *list, struct km_str schema,
                                          struct km_str name)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused;

    for (km_json_iter(list, &it); km_json_next(&it, &unused, &item);)
        if (names(item, "relation", schema, name) ||
            ((km_json_get(item, "columns") || km_json_get(item, "where")) &&
             names(item, "instead", schema, name)))
            return item;
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

static bool blank(char c)
{
    return strchr(" \t\r\n\f\v", c) && c;
}

/* Where the TABLE begins that stands before it, with blanks between; `at`: none does. */
static size_t table_before(struct km_str sql, size_t at)
{
    static const struct km_str word = { "table", 5 };
    size_t end = at;

    while (end && blank(sql.p[end - 1]))
        end--;
    if (end == at || end < word.n || !km_str_istarts(km_str_skip(sql, end - word.n), word))
        return at;
    end -= word.n;
    return end && (letter(sql.p[end - 1]) || sql.p[end - 1] == '"') ? at : end;
}

/* What is left between the two can only be a comment. */
static bool after_comment(struct km_str sql, size_t at)
{
    while (at && blank(sql.p[at - 1]))
        at--;
    return at && sql.p[at - 1] == '/';
}

static bool is_shadowed(const struct km_pg_scope *scope, const PgQuery__RangeVar *r)
{
    if (r->schemaname && r->schemaname[0])
        return false;
    while (scope && !km_str_eq(scope->name, km_str_c(r->relname)))
        scope = scope->up;
    return scope != NULL;
}

static void see_relation(struct search *s, const struct km_pg_scope *scope,
                         const PgQuery__RangeVar *r)
{
    const struct km_json *by = processor_of(s->list, km_str_c(r->schemaname), km_str_c(r->relname));
    size_t at = r->location > 0 ? (size_t)r->location : 0;
    struct place *place = &s->v[s->n];

    if (km_str_starts(km_str_c(r->relname), KM_STR("pg_stats"))) {
        s->refused = "pg_stats tells values of all tables";
        return;
    }
    if (!by || is_shadowed(scope, r))
        return;
    place->n = r->location >= 0 ? name_length(km_str_skip(s->sql, at)) : 0;
    if (s->n == PLACES || !place->n || !r->inh || (r->catalogname && r->catalogname[0]) ||
        after_comment(s->sql, at)) {
        s->refused = "write its name plainly, without ONLY, a database, U& or comments beside it";
        return;
    }
    place->at = table_before(s->sql, at);
    place->table = place->at < at;
    place->n += at - place->at;
    place->by = by;
    place->alias = r->alias ? KM_STR_NONE : km_str_c(r->relname);
    s->n++;
}

/* schema.table.column has no such table any more: what stands there is called `table` alone. */
static void see_column(struct search *s, const PgQuery__ColumnRef *c)
{
    struct km_str names[3] = { KM_STR_NONE, KM_STR_NONE, KM_STR_NONE };

    for (size_t i = 0; c->n_fields >= 3 && i < c->n_fields - 1 && i < 3; i++)
        if (c->fields[i]->node_case == PG_QUERY__NODE__NODE_STRING)
            names[i] = km_str_c(c->fields[i]->string->sval);
    if ((names[1].n && processor_of(s->list, names[0], names[1])) ||
        (names[2].n && processor_of(s->list, names[1], names[2])))
        s->refused = "write table.column, without the schema before it";
}

/* What is changed is no name of WITH, whatever is called so. */
static void see_target(struct search *s, const PgQuery__RangeVar *r)
{
    if (r && processor_of(s->list, km_str_c(r->schemaname), km_str_c(r->relname)))
        s->refused = "it can only be read";
}

static void see_sample(struct search *s, const PgQuery__RangeTableSample *t)
{
    const PgQuery__Node *n = t->relation;

    if (n && n->node_case == PG_QUERY__NODE__NODE_RANGE_VAR &&
        processor_of(s->list, km_str_c(n->range_var->schemaname), km_str_c(n->range_var->relname)))
        s->refused = "leave out TABLESAMPLE, which takes of all rows of a table";
}

/* DROP names what it takes away as lists of words. */
static void see_dropped(struct search *s, const PgQuery__DropStmt *d)
{
    for (size_t i = 0; i < d->n_objects; i++) {
        const PgQuery__Node *o = d->objects[i];
        const PgQuery__List *words;
        size_t n;

        if (o->node_case != PG_QUERY__NODE__NODE_LIST || !o->list->n_items)
            continue;
        words = o->list;
        n = words->n_items;
        if (words->items[n - 1]->node_case == PG_QUERY__NODE__NODE_STRING &&
            processor_of(s->list, KM_STR_NONE, km_str_c(words->items[n - 1]->string->sval)))
            s->refused = "it can only be read";
    }
}

static void see(void *ctx, const struct km_pg_scope *scope, const struct km_pg_type *type,
                const ProtobufCMessage *message)
{
    const char *name = type->name;
    const void *m = message;

    if (strcmp(name, "RangeVar") == 0)
        see_relation(ctx, scope, m);
    else if (strcmp(name, "ColumnRef") == 0)
        see_column(ctx, m);
    else if (strcmp(name, "RangeTableSample") == 0)
        see_sample(ctx, m);
    else if (strcmp(name, "DropStmt") == 0)
        see_dropped(ctx, m);
    else if (strcmp(name, "InsertStmt") == 0)
        see_target(ctx, ((const PgQuery__InsertStmt *)m)->relation);
    else if (strcmp(name, "UpdateStmt") == 0)
        see_target(ctx, ((const PgQuery__UpdateStmt *)m)->relation);
    else if (strcmp(name, "DeleteStmt") == 0)
        see_target(ctx, ((const PgQuery__DeleteStmt *)m)->relation);
    else if (strcmp(name, "MergeStmt") == 0)
        see_target(ctx, ((const PgQuery__MergeStmt *)m)->relation);
}

/* Only what reads can be narrowed. */
static bool reads(const PgQuery__Node *stmt)
{
    while (stmt && stmt->node_case == PG_QUERY__NODE__NODE_EXPLAIN_STMT)
        stmt = stmt->explain_stmt->query;
    return stmt && stmt->node_case == PG_QUERY__NODE__NODE_SELECT_STMT;
}

/* --- putting the narrower relation there --- */

/* The next one in the text: the tree's order is another. */
static const struct place *next_place(const struct search *s, size_t done)
{
    const struct place *next = NULL;

    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].at >= done && (!next || s->v[i].at < next->at))
            next = &s->v[i];
    return next;
}

int km_pg_narrow(const struct km_json *list, const struct km_json *values,
                 const struct km_pg_parser *parser, struct km_arena *arena, struct km_str *sql,
                 struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_PG_SQL_BYTES);
    struct search *s = km_arena_zalloc(arena, sizeof *s);
    const struct place *place;
    PgQuery__ParseResult *tree;
    size_t at, done = 0;

    if (!s)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (km_pg_parse(parser, arena, *sql, &tree, &at, NULL) < 0 || tree->n_stmts != 1)
        return 0; /* the guard says what is wrong with it */
    s->list = list;
    s->sql = *sql;
    km_pg_tree_walk_scoped(km_pg_parser_types(parser), arena, &tree->stmts[0]->base, see, s);
    if (s->refused || (s->n && !reads(tree->stmts[0]->stmt)))
        return km_fail(err, KM_E_FORBIDDEN, "a relation of this statement is narrowed: %s",
                       s->refused ? s->refused : "it can only be read");
    while ((place = next_place(s, done))) {
        km_buf_str(&b, km_str_sub(*sql, done, place->at - done));
        if (place->table)
            km_buf_str(&b, KM_STR("SELECT * FROM "));
        if (km_pg_narrow_put(&b, place->by, place->alias, values, err) < 0)
            return KM_E_FORBIDDEN;
        done = place->at + place->n;
    }
    if (!done)
        return 0;
    km_buf_str(&b, km_str_skip(*sql, done));
    *sql = km_arena_str(arena, km_buf_view(&b));
    return sql->p && !km_buf_failed(&b) ? 0
                                        : km_fail(err, KM_E_LIMIT, "the statement is too large");
}

/* --- what is narrowed, for queries of the catalogue --- */

/* instead: empty where nothing stands instead of it. */
static void put_name(struct km_json_out *o, const char *kind, struct km_str relation,
                     const struct km_json *columns, struct km_str instead)
{
    struct km_buf quoted KM_CLEANUP(km_buf_done) = KM_BUF(1000);
    size_t dot = km_str_chr(relation, '.');

    km_out_open(o, '{');
    km_out_member(o, "k", km_str_c(kind));
    km_out_member(o, "s", km_str_sub(relation, 0, dot));
    km_out_member(o, "n", km_str_skip(relation, dot + 1));
    if (columns) {
        km_out_key(o, "c");
        km_out_value(o, columns);
    } else if (instead.n) {
        dot = km_str_chr(instead, '.');
        km_pg_quote(&quoted, km_str_sub(instead, 0, dot));
        km_buf_byte(&quoted, '.');
        km_pg_quote(&quoted, km_str_skip(instead, dot + 1));
        km_out_member(o, "v", km_buf_view(&quoted));
    }
    km_out_close(o, '}');
}

char *km_pg_narrow_names(const struct km_json *list, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(NAMES_BYTES);
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str unused, relation, instead;
    struct km_json_out o;
    char *text;

    km_json_out_init(&o, &b);
    km_out_open(&o, '[');
    for (km_json_iter(list, &it); km_json_next(&it, &unused, &item);) {
        const struct km_json *columns = km_json_get(item, "columns");

        instead = KM_STR_NONE;
        (void)km_json_string(km_json_get(item, "instead"), &instead);
        if (km_json_string(km_json_get(item, "relation"), &relation))
            put_name(&o, "narrow", relation, columns, instead);
        if (instead.n) {
            put_name(&o, "shown", instead, NULL, KM_STR_NONE);
            if (columns || km_json_get(item, "where"))
                put_name(&o, "narrow", instead, columns, KM_STR_NONE);
        }
    }
    km_out_close(&o, ']');
    text = km_buf_failed(&b) ? NULL : strndup(b.p, b.n);
    if (!text)
        km_fail(err, KM_E_CONFIG, "processors: too many relations");
    return text;
}
