/* SPDX-License-Identifier: Apache-2.0 */
/* migrate.c - see migrate.h for the contract.
 *
 * Two tables of the store's own book-keeping, made before anything else:
 *
 *     meta        name, value          'min_reader': the oldest program that may open it
 *     migrations  name, applied_us     what has been applied
 *
 * min_reader is asked first and nothing is written when it is too new: a program that was
 * rolled back must not "repair" what it does not understand.  Everything else happens in one
 * transaction, so a start that dies half-way leaves the store as it was.
 */
#include "store/sqlite/migrate.h"

#include "base/time.h"
#include "store/sqlite/db.h"

static const char bookkeeping[] =
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_us INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "INSERT INTO meta VALUES ('min_reader', 1) ON CONFLICT DO NOTHING";

static int check_reader(sqlite3 *db, const char *path, struct km_err *err)
{
    int64_t made = 0, least = 0;
    int r = km_sqlite_int(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'meta'", &made, err);

    if (r == 0 && made)
        r = km_sqlite_int(db, "SELECT value FROM meta WHERE name = 'min_reader'", &least, err);
    if (r == 0 && least > KM_STORE_READER)
        r = km_fail(err, KM_E_STORE,
                    "store '%s' was made by a newer kanmon: it needs reader %lld, this program is "
                    "reader %d; start the newer program, or restore a backup from before it",
                    path, (long long)least, KM_STORE_READER);
    return r;
}

static int min_reader_of(const struct km_migration *m, int64_t *ret, struct km_err *err)
{
    struct km_str line = km_str_c(m->sql);

    line = km_str_sub(line, 0, km_str_chr(line, '\n'));
    if (!km_str_starts(line, KM_STR("-- min_reader: ")) ||
        km_str_i64(km_str_skip(line, 15), ret) < 0)
        return km_fail(err, KM_E_INTERNAL, "migration '%s' does not name its min_reader", m->name);
    return 0;
}

static int is_applied(sqlite3 *db, const struct km_migration *m, bool *ret, struct km_err *err)
{
    sqlite3_stmt *stmt KM_CLEANUP(km_sqlite_finalize) = NULL;
    int r = km_sqlite_prepare(db, "SELECT 1 FROM migrations WHERE name = ?1", &stmt, err);

    if (r < 0)
        return r;
    km_sqlite_bind_text(stmt, 1, km_str_c(m->name));
    return km_sqlite_next(stmt, ret, err);
}

static int note(sqlite3 *db, const struct km_migration *m, int64_t min_reader, struct km_err *err)
{
    sqlite3_stmt *stmt KM_CLEANUP(km_sqlite_finalize) = NULL;
    sqlite3_stmt *meta KM_CLEANUP(km_sqlite_finalize) = NULL;
    int r = km_sqlite_prepare(db, "INSERT INTO migrations VALUES (?1, ?2)", &stmt, err);

    if (r == 0) {
        km_sqlite_bind_text(stmt, 1, km_str_c(m->name));
        sqlite3_bind_int64(stmt, 2, km_wall_us());
        r = km_sqlite_run(stmt, err);
    }
    if (r == 0)
        r = km_sqlite_prepare(
            db, "UPDATE meta SET value = max(value, ?1) WHERE name = 'min_reader'", &meta, err);
    if (r == 0) {
        sqlite3_bind_int64(meta, 1, min_reader);
        r = km_sqlite_run(meta, err);
    }
    return r;
}

static int apply_all(sqlite3 *db, struct km_err *err)
{
    int r = km_sqlite_exec(db, bookkeeping, err);

    for (size_t i = 0; r == 0 && i < km_migrations_n; i++) {
        const struct km_migration *m = &km_migrations[i];
        int64_t min_reader = 0;
        bool applied = false;

        r = min_reader_of(m, &min_reader, err);
        if (r == 0)
            r = is_applied(db, m, &applied, err);
        if (r < 0 || applied)
            continue;
        r = km_sqlite_exec(db, m->sql, err);
        if (r == 0)
            r = note(db, m, min_reader, err);
    }
    return r;
}

int km_migrate(sqlite3 *db, const char *path, struct km_err *err)
{
    int r = check_reader(db, path, err);

    if (r == 0)
        r = km_sqlite_exec(db, "BEGIN IMMEDIATE", err);
    if (r < 0)
        return r;
    r = apply_all(db, err);
    if (r == 0)
        r = km_sqlite_exec(db, "COMMIT", err);
    if (r < 0)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}
