/* SPDX-License-Identifier: Apache-2.0 */
/* rescue.c - see rescue.h.
 *
 * What SQLite's backup reads goes through the connection, so it finds the pages wherever they are:
 * in a file without a name, in its log.  Of a file that was cut they are nowhere: then the copy
 * does not pass its check, and none is kept.
 */
#include "store/sqlite/rescue.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/aside.h"
#include "store/sqlite/db.h"

static int copy(sqlite3 *from, sqlite3 *to, struct km_err *err)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    int r;

    if (!b)
        return km_sqlite_fail(to, "begin a copy", err);
    do
        r = sqlite3_backup_step(b, 4096);
    while (r == SQLITE_OK);
    if (sqlite3_backup_finish(b) != SQLITE_OK || r != SQLITE_DONE)
        return km_sqlite_fail(to, "write a copy", err);
    return 0;
}

static int check(sqlite3 *db, struct km_err *err)
{
    sqlite3_stmt *s KM_CLEANUP(km_sqlite_finalize) = NULL;
    bool row = false;
    int r = km_sqlite_prepare(db, "PRAGMA quick_check", &s, err);

    if (r == 0)
        r = km_sqlite_next(s, &row, err);
    if (r == 0 && !(row && km_str_eq(km_sqlite_text(s, 0), KM_STR("ok"))))
        r = km_fail(err, KM_E_STORE, "its pages cannot be read any more");
    return r;
}

int km_rescue(sqlite3 *db, const struct km_place *place, char *ret_file, struct km_err *err)
{
    sqlite3 *to KM_CLEANUP(km_sqlite_done) = NULL;
    char fresh[KM_PLACE_PATH];
    int r;

    (void)snprintf(fresh, sizeof fresh, "%.*s.rescuing", KM_PLACE_PATH - 16, place->path);
    (void)unlink(fresh);
    r = km_sqlite_open(fresh, KM_DB_CREATE, &to, err);
    if (r < 0)
        return r;
    if (chmod(fresh, 0600) != 0)
        r = km_fail_errno(err, errno, "cannot protect '%s'", fresh);
    if (r == 0)
        r = copy(db, to, err);
    if (r == 0)
        r = check(to, err);
    to = km_sqlite_close(to);
    if (r == 0)
        r = km_aside(fresh, place->path, "rescued", ret_file, err);
    if (r < 0)
        (void)unlink(fresh);
    return r;
}
