/* SPDX-License-Identifier: Apache-2.0 */
/* migrate.h - brings the tables of a store to what this program knows.
 *
 * Migrations are files `<UTC timestamp>_<area>.sql`, embedded when the program is built, applied
 * in the order of their names, each once, all in one transaction.  They expand: an older program
 * keeps working on what a newer one made, unless the newer one says otherwise by min_reader.
 */
#ifndef KM_STORE_SQLITE_MIGRATE_H
#define KM_STORE_SQLITE_MIGRATE_H

#include "store/driver.h"

struct sqlite3;

struct km_migration {
    const char *name; /* "20261120080000_store" */
    const char *sql; /* begins with "-- min_reader: N" */
};

extern const struct km_migration km_migrations[];
extern const size_t km_migrations_n;

/* path is for messages only.  A store that needs a newer reader is KM_E_STORE, untouched. */
int km_migrate(struct sqlite3 *db, const char *path, struct km_err *err) KM_MUST_USE;

#endif
