/* SPDX-License-Identifier: Apache-2.0 */
/* db.h - the few forms in which the driver speaks to SQLite.
 *
 * A connection belongs to one thread.  Errors become KM_E_STORE with SQLite's own words and the
 * name of the file.  Text is bound without a copy: it must live until the statement is reset.
 */
#ifndef KM_STORE_SQLITE_DB_H
#define KM_STORE_SQLITE_DB_H

#include <sqlite3.h>

#include "store/driver.h"

int km_sqlite_open(const char *path, enum km_db_mode mode, sqlite3 **ret_db,
                   struct km_err *err) KM_MUST_USE;
/* "file:/<name>?vfs=memdb": made when no connection of this process has it. */
int km_sqlite_open_memory(const char *uri, sqlite3 **ret_db, struct km_err *err) KM_MUST_USE;
sqlite3 *km_sqlite_close(sqlite3 *db); /* NULL is fine */
void km_sqlite_done(sqlite3 **db); /* for KM_CLEANUP */

/* KM_E_STORE: "cannot <what>: <SQLite's text> (<file>)". */
int km_sqlite_fail(sqlite3 *db, const char *what, struct km_err *err);

/* Was the last error of this connection that the file is no store, or none any more? */
bool km_sqlite_is_damaged(sqlite3 *db);

int km_sqlite_exec(sqlite3 *db, const char *sql, struct km_err *err) KM_MUST_USE;
int km_sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_stmt,
                      struct km_err *err) KM_MUST_USE;
void km_sqlite_finalize(sqlite3_stmt **stmt); /* for KM_CLEANUP */

/* Steps a statement that returns no row, and resets it. */
int km_sqlite_run(sqlite3_stmt *stmt, struct km_err *err) KM_MUST_USE;
/* Steps to the next row: *ret_row false at the end. */
int km_sqlite_next(sqlite3_stmt *stmt, bool *ret_row, struct km_err *err) KM_MUST_USE;
/* The first column of the first row of a query; 0 when it has none. */
int km_sqlite_int(sqlite3 *db, const char *sql, int64_t *ret_value, struct km_err *err) KM_MUST_USE;

void km_sqlite_bind_text(sqlite3_stmt *stmt, int at, struct km_str s); /* "" when empty */
void km_sqlite_bind_text_null(sqlite3_stmt *stmt, int at, struct km_str s); /* NULL when empty */
void km_sqlite_bind_blob(sqlite3_stmt *stmt, int at, const void *p, size_t n);
/* Valid until the next step, reset or finalize. */
struct km_str km_sqlite_text(sqlite3_stmt *stmt, int column);
struct km_str km_sqlite_blob(sqlite3_stmt *stmt, int column);

#endif
