/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite/driver.h - what the modules of this driver share. */
#ifndef KM_STORE_SQLITE_DRIVER_H
#define KM_STORE_SQLITE_DRIVER_H

#include "store/sqlite/db.h"

sqlite3 *km_sqlite_of(const struct km_db *db);

/* Makes a rowset a table of the connection (batch.c). */
int km_sqlite_show(struct km_db *db, const struct km_rowset *set, const void *from,
                   struct km_err *err) KM_MUST_USE;

/* The fields of a statement: bound to it, and read from its row; false: the row is torn. */
void km_sqlite_bind(sqlite3_stmt *s, struct km_fields fields, const void *in);
bool km_sqlite_take(sqlite3_stmt *s, struct km_fields fields, void *out);

#endif
