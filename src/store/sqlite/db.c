/* SPDX-License-Identifier: Apache-2.0 */
/* db.c - see db.h for the contract.
 *
 * Every connection is opened alike, whoever asks: no mutex (it has one thread), a busy time-out
 * short enough that nothing hangs, and the per-connection switches that Debian's build sets for
 * others: secure_delete would overwrite each finished intent with zeros, page by page, which
 * guards against nothing here (what must be secret is not stored) and doubles the writes.
 * Trusted schema off and defensive on: a damaged or doctored file must not run code of its own.
 */
#include "store/sqlite/db.h"

#include <pthread.h>

#define BUSY_MS 2000

static const int modes[] = {
    [KM_DB_READ] = SQLITE_OPEN_READONLY,
    [KM_DB_WRITE] = SQLITE_OPEN_READWRITE,
    [KM_DB_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXCLUSIVE,
};

/* SQLite's own count of its memory is a lock and two additions an allocation, and nobody asks. */
static void configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int open_with(const char *path, int flags, sqlite3 **ret_db, struct km_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sqlite3 *db = NULL;
    int r;

    pthread_once(&once, configure);
    r = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL);

    if (r != SQLITE_OK) {
        km_fail(err, KM_E_STORE, "cannot open the store '%s': %s", path,
                db ? sqlite3_errmsg(db) : sqlite3_errstr(r));
        sqlite3_close_v2(db);
        return KM_E_STORE;
    }
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_extended_result_codes(db, 1);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    r = km_sqlite_exec(db, "PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY", err);
    if (r < 0) {
        km_sqlite_close(db);
        return r;
    }
    *ret_db = db;
    return 0;
}

int km_sqlite_open(const char *path, enum km_db_mode mode, sqlite3 **ret_db, struct km_err *err)
{
    return open_with(path, modes[mode], ret_db, err);
}

int km_sqlite_open_memory(const char *uri, sqlite3 **ret_db, struct km_err *err)
{
    return open_with(uri, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, ret_db,
                     err);
}

sqlite3 *km_sqlite_close(sqlite3 *db)
{
    sqlite3_close_v2(db);
    return NULL;
}

void km_sqlite_done(sqlite3 **db)
{
    *db = km_sqlite_close(*db);
}

bool km_sqlite_is_damaged(sqlite3 *db)
{
    int code = sqlite3_errcode(db) & 0xff;

    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

int km_sqlite_fail(sqlite3 *db, const char *what, struct km_err *err)
{
    const char *path = sqlite3_db_filename(db, "main");
    int code = sqlite3_extended_errcode(db);
    const char *hint = "";

    if (km_sqlite_is_damaged(db))
        hint = "; the file is damaged or is no store: restore it from a backup";
    else if ((code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE)
        hint = "; make room on the disk";
    km_fail(err, KM_E_STORE, "store '%s': cannot %s: %s%s", path ? path : "?", what,
            sqlite3_errmsg(db), hint);
    if (err && ((code & 0xff) == SQLITE_FULL || (code & 0xff) == SQLITE_IOERR))
        err->retry_after_ms = 1000; /* it may work later, as it is */
    return KM_E_STORE;
}

int km_sqlite_exec(sqlite3 *db, const char *sql, struct km_err *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return km_sqlite_fail(db, "run a statement", err);
    return 0;
}

int km_sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_stmt, struct km_err *err)
{
    sqlite3_stmt *stmt;

    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
        return km_sqlite_fail(db, "prepare a statement", err);
    *ret_stmt = stmt;
    return 0;
}

void km_sqlite_finalize(sqlite3_stmt **stmt)
{
    sqlite3_finalize(*stmt);
    *stmt = NULL;
}

int km_sqlite_run(sqlite3_stmt *stmt, struct km_err *err)
{
    int r = sqlite3_step(stmt);

    if (r != SQLITE_DONE && r != SQLITE_ROW)
        km_sqlite_fail(sqlite3_db_handle(stmt), "write", err);
    sqlite3_reset(stmt);
    return r == SQLITE_DONE || r == SQLITE_ROW ? 0 : KM_E_STORE;
}

int km_sqlite_next(sqlite3_stmt *stmt, bool *ret_row, struct km_err *err)
{
    int r = sqlite3_step(stmt);

    if (r != SQLITE_DONE && r != SQLITE_ROW)
        return km_sqlite_fail(sqlite3_db_handle(stmt), "read", err);
    *ret_row = r == SQLITE_ROW;
    return 0;
}

int km_sqlite_int(sqlite3 *db, const char *sql, int64_t *ret_value, struct km_err *err)
{
    sqlite3_stmt *stmt KM_CLEANUP(km_sqlite_finalize) = NULL;
    bool row = false;
    int r = km_sqlite_prepare(db, sql, &stmt, err);

    if (r == 0)
        r = km_sqlite_next(stmt, &row, err);
    if (r == 0)
        *ret_value = row ? sqlite3_column_int64(stmt, 0) : 0;
    return r;
}

void km_sqlite_bind_text(sqlite3_stmt *stmt, int at, struct km_str s)
{
    sqlite3_bind_text64(stmt, at, s.n ? s.p : "", s.n, SQLITE_STATIC, SQLITE_UTF8);
}

void km_sqlite_bind_text_null(sqlite3_stmt *stmt, int at, struct km_str s)
{
    if (s.n)
        sqlite3_bind_text64(stmt, at, s.p, s.n, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null(stmt, at);
}

void km_sqlite_bind_blob(sqlite3_stmt *stmt, int at, const void *p, size_t n)
{
    sqlite3_bind_blob64(stmt, at, p, n, SQLITE_STATIC);
}

struct km_str km_sqlite_text(sqlite3_stmt *stmt, int column)
{
    const char *p = (const char *)sqlite3_column_text(stmt, column);

    return km_str(p, (size_t)sqlite3_column_bytes(stmt, column));
}

struct km_str km_sqlite_blob(sqlite3_stmt *stmt, int column)
{
    const char *p = sqlite3_column_blob(stmt, column);

    return km_str(p, (size_t)sqlite3_column_bytes(stmt, column));
}
