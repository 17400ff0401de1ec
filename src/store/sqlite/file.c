/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - see file.h.
 *
 * A file is made under a name of its own, with all its tables, and linked to the store's name by
 * who asked (place.c): whole or not at all.  Its pages are told apart from another program's by
 * the number in their head.
 */
#include "store/sqlite/file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "store/place.h"
#include "store/sqlite/db.h"
#include "store/sqlite/migrate.h"

int km_sqlite_build(const char *path, struct km_err *err)
{
    sqlite3 *db KM_CLEANUP(km_sqlite_done) = NULL;
    char pragma[160];
    int r;

    (void)snprintf(pragma, sizeof pragma,
                   "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = DELETE;"
                   "PRAGMA synchronous = FULL; PRAGMA application_id = %d",
                   KM_PLACE_APPLICATION_ID);
    r = km_sqlite_open(path, KM_DB_CREATE, &db, err);
    if (r == 0 && chmod(path, 0600) != 0)
        r = km_fail_errno(err, errno, "cannot protect '%s'", path);
    if (r == 0)
        r = km_sqlite_exec(db, pragma, err);
    if (r == 0)
        r = km_migrate(db, path, err);
    return r;
}

int km_sqlite_look_at(const char *path, bool write, struct km_err *err)
{
    sqlite3 *db KM_CLEANUP(km_sqlite_done) = NULL;
    int64_t id = 0, tables = 0;
    int r = km_sqlite_open(path, write ? KM_DB_WRITE : KM_DB_READ, &db, err);

    if (r == 0)
        r = km_sqlite_int(db, "PRAGMA application_id", &id, err);
    if (r == 0)
        r = km_sqlite_int(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (r == 0 && (id != KM_PLACE_APPLICATION_ID || tables == 0))
        r = km_fail(err, KM_E_STORE,
                    "'%s' is a database of another program, not a kanmon store: name another file "
                    "in kanmon_settings.store",
                    path);
    return r;
}
