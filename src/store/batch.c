/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c - see batch.h for the contract.
 *
 * An eponymous virtual table: SQLite asks for row after row and column after column, and gets
 * numbers and pointers straight from the records.  Nothing is copied on our side; texts and
 * ids are static for as long as the statement runs.
 *
 *     INSERT INTO spend SELECT * FROM spend_rows
 *                                     |  xFilter: first row   xNext: the next   xEof: i == n
 *                                     +- xColumn(i): one field of a record
 *
 * Numbers are clamped here, on their way in: an upstream may report any, and a sum that
 * overflows would turn into a float, which the STRICT tables refuse, for ever.
 */
#include "store/batch.h"

#include <stdlib.h>

#define MOST_COST ((int64_t)1 << 53) /* of one call: nine million USD */
#define MOST_TOKENS ((int64_t)1 << 40)

struct table {
    sqlite3_vtab base;
    struct km_batch_source source;
};

struct cursor {
    sqlite3_vtab_cursor base;
    const void *row;
    size_t at;
};

void km_batch_done(struct km_batch *b)
{
    free(b->v);
    *b = (struct km_batch){ 0 };
}

int km_batch_add(struct km_batch *b, const struct km_batch_row *row, struct km_err *err)
{
    if (b->n == KM_BATCH_ROWS)
        return km_fail(err, KM_E_LIMIT, "store: the batch is full");
    if (b->n == b->cap) {
        size_t cap = b->cap ? 2 * b->cap : 64;
        struct km_batch_row *grown = realloc(b->v, cap * sizeof *grown);

        if (!grown)
            return km_fail(err, KM_E_NOMEM, "store: out of memory");
        b->v = grown;
        b->cap = cap;
    }
    b->v[b->n++] = *row;
    return 0;
}

static int64_t clamp(int64_t v, int64_t most)
{
    if (v < 0)
        return 0;
    return v > most ? most : v;
}

int64_t km_batch_cost(int64_t v)
{
    return clamp(v, MOST_COST);
}

int64_t km_batch_tokens(int64_t v)
{
    return clamp(v, MOST_TOKENS);
}

/* --- columns --- */

static void text_or_null(sqlite3_context *c, const struct km_record *rec,
                         enum km_record_string string)
{
    struct km_str s;

    if (rec->len[string] == 0)
        return; /* NULL is what a column is unless told otherwise */
    s = km_record_text(rec, string);
    sqlite3_result_text64(c, s.p, s.n, SQLITE_STATIC, SQLITE_UTF8);
}

/* Microseconds from the start; NULL when it never happened. */
static void after(sqlite3_context *c, int64_t start_us, int64_t us)
{
    if (us != 0)
        sqlite3_result_int64(c, us > start_us ? us - start_us : 0);
}

static void spend_column(sqlite3_context *c, const void *from, int column)
{
    const struct km_batch_row *row = from;
    const struct km_record *rec = row->rec;

    switch (column) {
    case 0:
        sqlite3_result_blob(c, rec->id.b, sizeof rec->id.b, SQLITE_STATIC);
        break;
    case 1:
        sqlite3_result_int64(c, row->key);
        break;
    case 2:
        sqlite3_result_int64(c, row->route);
        break;
    case 3:
        sqlite3_result_int64(c, rec->start_us);
        break;
    case 4:
        after(c, rec->start_us, rec->first_us);
        break;
    case 5:
        after(c, rec->start_us, rec->end_us);
        break;
    case 6:
        sqlite3_result_int64(c, km_batch_tokens(rec->prompt_tokens));
        break;
    case 7:
        sqlite3_result_int64(c, km_batch_tokens(rec->completion_tokens));
        break;
    case 8:
        sqlite3_result_int64(c, km_batch_tokens(rec->cached_tokens));
        break;
    case 9:
        sqlite3_result_int64(c, km_batch_cost(rec->cost));
        break;
    case 10:
        sqlite3_result_int64(c, rec->status);
        break;
    case 11:
        sqlite3_result_int64(c, rec->flags);
        break;
    case 12:
        text_or_null(c, rec, KM_RECORD_USER);
        break;
    case 13:
        text_or_null(c, rec, KM_RECORD_METADATA);
        break;
    default:
        text_or_null(c, rec, KM_RECORD_CLIENT_IP);
        break;
    }
}

static void intent_column(sqlite3_context *c, const void *from, int column)
{
    const struct km_batch_row *row = from;
    const struct km_record *rec = row->rec;

    switch (column) {
    case 4:
        sqlite3_result_int64(c, km_batch_cost(rec->reserved));
        break;
    case 5:
        sqlite3_result_int64(c, rec->flags);
        break;
    case 6:
        text_or_null(c, rec, KM_RECORD_USER);
        break;
    case 7:
        text_or_null(c, rec, KM_RECORD_METADATA);
        break;
    case 8:
        text_or_null(c, rec, KM_RECORD_CLIENT_IP);
        break;
    default:
        spend_column(c, row, column); /* id, key, route, start_us */
        break;
    }
}

static void sum_column(sqlite3_context *c, const void *from, int column)
{
    const struct km_sum *sum = from;
    const int64_t v[] = { sum->day,
                          sum->key,
                          sum->route,
                          sum->calls,
                          sum->failed,
                          sum->prompt_tokens,
                          sum->completion_tokens,
                          sum->cached_tokens,
                          sum->cost };

    sqlite3_result_int64(c, v[column]);
}

static const void *batch_row(const void *from, size_t i)
{
    const struct km_batch *b = from;

    return i < b->n ? &b->v[i] : NULL;
}

static const void *sum_row(const void *from, size_t i)
{
    const struct km_sums *s = from;

    return i < s->nsorted ? s->sorted[i] : NULL;
}

/* --- the virtual table --- */

static int on_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret,
                      char **message)
{
    const struct km_batch_source *source = aux;
    struct table *t = sqlite3_malloc64(sizeof *t);
    int r;

    (void)argc;
    (void)argv;
    (void)message;
    if (!t)
        return SQLITE_NOMEM;
    *t = (struct table){ .source = *source };
    r = sqlite3_declare_vtab(db, source->declaration);
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

static const struct km_batch_source *source_of(const struct cursor *c)
{
    return &((const struct table *)(const void *)c->base.pVtab)->source;
}

static int go_to(struct cursor *c, size_t at)
{
    c->at = at;
    c->row = source_of(c)->row(source_of(c)->from, at);
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

    source_of(c)->column(context, c->row, column);
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

int km_batch_table(sqlite3 *db, const char *name, const struct km_batch_source *from,
                   struct km_err *err)
{
    struct km_batch_source *source = sqlite3_malloc64(sizeof *source);

    if (!source)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    *source = *from;
    if (sqlite3_create_module_v2(db, name, &module, source, sqlite3_free) != SQLITE_OK)
        return km_db_fail(db, "make a table of records", err);
    return 0;
}

int km_batch_tables(sqlite3 *db, const struct km_batch *spend, const struct km_batch *intents,
                    const struct km_sums *sums, struct km_err *err)
{
    const struct {
        const char *name;
        struct km_batch_source source;
    } tables[] = {
        { "spend_rows",
          { spend, batch_row, spend_column,
            "CREATE TABLE x (id, key, route, start_us, first_us, duration_us, prompt_tokens,"
            " completion_tokens, cached_tokens, cost, status, flags, user, metadata, "
            "client_ip)" } },
        { "intent_rows",
          { intents, batch_row, intent_column,
            "CREATE TABLE x (id, key, route, start_us, reserved, flags, user, metadata,"
            " client_ip)" } },
        { "daily_rows",
          { sums, sum_row, sum_column,
            "CREATE TABLE x (day, key, route, calls, failed, prompt_tokens, completion_tokens,"
            " cached_tokens, cost)" } },
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof tables / sizeof tables[0]; i++)
        r = km_batch_table(db, tables[i].name, &tables[i].source, err);
    return r;
}
