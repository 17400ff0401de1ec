/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite/batch.c - rows in memory as a table that SQLite can SELECT from (driver.h).
 *
 * An eponymous virtual table: SQLite asks for row after row and column after column, and gets
 * numbers and pointers straight from what the rows are made of.  Nothing is copied on our side;
 * texts and ids are static for as long as the statement runs.
 *
 *     INSERT INTO spend SELECT * FROM spend_rows
 *                                     |  xFilter: first row   xNext: the next   xEof: no row
 *                                     +- xColumn(i): one value of a row
 *
 * One INSERT ... SELECT over it costs half of as many single INSERTs: the statement is set up
 * once and the cursor stays where the last row went.
 */
#include <stdio.h>

#include "store/sqlite/driver.h"

struct source {
    const struct km_rowset *set;
    const void *from;
};

struct table {
    sqlite3_vtab base;
    struct source source;
};

struct cursor {
    sqlite3_vtab_cursor base;
    const void *row;
    size_t at;
};

static int on_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret,
                      char **message)
{
    const struct source *source = aux;
    struct table *t = sqlite3_malloc64(sizeof *t);
    char sql[512];
    int r;

    (void)argc;
    (void)argv;
    (void)message;
    if (!t)
        return SQLITE_NOMEM;
    *t = (struct table){ .source = *source };
    (void)snprintf(sql, sizeof sql, "CREATE TABLE x (%s)", source->set->columns);
    r = sqlite3_declare_vtab(db, sql);
    if (r != SQLITE_OK) {
        sqlite3_free(t);
        return r;
    }
    *ret = &t->base;
    return SQLITE_OK;
}

static int on_disconnect(sqlite3_vtab *t)
{
    sqlite3_free(t);
    return SQLITE_OK;
}

static int on_plan(sqlite3_vtab *t, sqlite3_index_info *info)
{
    (void)t;
    info->estimatedCost = 1000;
    info->estimatedRows = 500;
    return SQLITE_OK;
}

static int on_open(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
    struct cursor *c = sqlite3_malloc64(sizeof *c);

    (void)base;
    if (!c)
        return SQLITE_NOMEM;
    *c = (struct cursor){ .row = NULL };
    *ret = &c->base;
    return SQLITE_OK;
}

static int on_close(sqlite3_vtab_cursor *c)
{
    sqlite3_free(c);
    return SQLITE_OK;
}

static struct cursor *cursor_of(sqlite3_vtab_cursor *c)
{
    return (struct cursor *)(void *)c;
}

static const struct source *source_of(const struct cursor *c)
{
    return &((const struct table *)(const void *)c->base.pVtab)->source;
}

static int go_to(struct cursor *c, size_t at)
{
    c->at = at;
    c->row = source_of(c)->set->row(source_of(c)->from, at);
    return SQLITE_OK;
}

static int on_filter(sqlite3_vtab_cursor *c, int number, const char *text, int argc,
                     sqlite3_value **argv)
{
    (void)number;
    (void)text;
    (void)argc;
    (void)argv;
    return go_to(cursor_of(c), 0);
}

static int on_next(sqlite3_vtab_cursor *c)
{
    return go_to(cursor_of(c), cursor_of(c)->at + 1);
}

static int on_eof(sqlite3_vtab_cursor *c)
{
    return cursor_of(c)->row == NULL;
}

static int on_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct cursor *c = cursor_of(base);
    const struct km_value v = source_of(c)->set->value(c->row, (unsigned)column);

    switch (v.type) {
    case KM_VALUE_I64:
        sqlite3_result_int64(context, v.u.i64);
        break;
    case KM_VALUE_TEXT:
        sqlite3_result_text64(context, v.u.p, v.n, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case KM_VALUE_BLOB:
        sqlite3_result_blob(context, v.u.p, (int)v.n, SQLITE_STATIC);
        break;
    default: /* NULL is what a column is unless told otherwise */
        break;
    }
    return SQLITE_OK;
}

static int on_rowid(sqlite3_vtab_cursor *c, sqlite3_int64 *ret)
{
    *ret = (sqlite3_int64)cursor_of(c)->at;
    return SQLITE_OK;
}

/* No xCreate: the table exists by its name alone and is in no schema. */
static const sqlite3_module module = {
    .xConnect = on_connect,
    .xBestIndex = on_plan,
    .xDisconnect = on_disconnect,
    .xOpen = on_open,
    .xClose = on_close,
    .xFilter = on_filter,
    .xNext = on_next,
    .xEof = on_eof,
    .xColumn = on_column,
    .xRowid = on_rowid,
};

int km_sqlite_show(struct km_db *db, const struct km_rowset *set, const void *from,
                   struct km_err *err)
{
    struct source *source = sqlite3_malloc64(sizeof *source);

    if (!source)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    *source = (struct source){ set, from };
    if (sqlite3_create_module_v2(km_sqlite_of(db), set->name, &module, source, sqlite3_free) !=
        SQLITE_OK)
        return km_sqlite_fail(km_sqlite_of(db), "make a table of records", err);
    return 0;
}
