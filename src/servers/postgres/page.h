/* SPDX-License-Identifier: Apache-2.0 */
/* page.h - private to the server: continuing a result that was cut.
 *
 * A cursor says what of a statement was given already.  Where the statement is ordered by columns
 * it also gives, the next page begins at their last values, which an index finds and which rows
 * that were added or taken away meanwhile do not move.  Otherwise rows are counted.
 */
#ifndef KM_SERVERS_POSTGRES_PAGE_H
#define KM_SERVERS_POSTGRES_PAGE_H

#include "base/arena.h"
#include "http/json.h"
#include "servers/postgres/parse.h"

#define KM_PG_PAGE_KEYS 8 /* columns of an ORDER BY; with more, rows are counted */

/* One column of the ORDER BY. */
struct km_pg_page_key {
    struct km_str name; /* as the result calls it */
    unsigned place; /* the column of the result, when it is said as a number: from 1; 0: by name */
    bool descending;
};

struct km_pg_page {
    struct km_str sql; /* the statement without its semicolon; empty: it has no pages */
    struct km_pg_page_key keys[KM_PG_PAGE_KEYS];
    size_t nkeys; /* 0: rows are counted */
};

/* What a statement's pages could be: no error, at worst none.  Names are views of the tree. */
void km_pg_page_find(const struct km_pg_parser *parser, struct km_arena *arena, struct km_str sql,
                     struct km_pg_page *ret);

/* The cursor after a page: columns and rows as the result has them, before: the cursor the page
 * itself came by, as km_pg_page_open() gave it (NULL: the first page).  Empty: out of memory. */
struct km_str km_pg_page_cursor(const struct km_pg_page *page, const struct km_json *columns,
                                const struct km_json *rows, const struct km_json *before,
                                struct km_str digest, struct km_arena *arena);

/* The cursor's content; KM_E_INVALID where it is none, or another statement's. */
int km_pg_page_open(struct km_str cursor, struct km_str digest, struct km_arena *arena,
                    const struct km_json **ret, struct km_err *err) KM_MUST_USE;

/* The statement for the page after it.  nparams: values the statement has already; ret_values gets
 * what comes behind them, at most KM_PG_PAGE_KEYS.  ret_prefix: characters before the text. */
int km_pg_page_sql(const struct km_pg_page *page, const struct km_json *cursor, unsigned nparams,
                   struct km_arena *arena, struct km_str *ret_sql, const char **ret_values,
                   unsigned *ret_nvalues, size_t *ret_prefix, struct km_err *err) KM_MUST_USE;

/* "name", with its quotes doubled: an identifier whatever it holds. */
void km_pg_quote(struct km_buf *out, struct km_str name);

#endif
