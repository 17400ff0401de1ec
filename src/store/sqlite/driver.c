/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite/driver.c - see sqlite/sqlite.h.
 *
 *     [ struct km_db | sqlite3 | BEGIN, COMMIT | pages in the log ]      a connection
 *     [ struct km_ready | sqlite3_stmt ]                                 a statement on it
 *
 * The memory driver is the same but for where its pages lie: SQLite's "memdb" shares them between
 * the connections of one process by name.
 */
#include "store/sqlite/driver.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/place.h"
#include "store/sqlite/check.h"
#include "store/sqlite/file.h"
#include "store/sqlite/lookout.h"
#include "store/sqlite/migrate.h"
#include "store/sqlite/rescue.h"
#include "store/sqlite/sqlite.h"

struct connection {
    struct km_db base; /* first: the store's pointer is ours */
    sqlite3 *db;
    sqlite3_stmt *begin, *commit; /* made ready when first asked for */
    int log_pages; /* since the last checkpoint */
};

struct ready {
    struct km_ready base; /* first: the store's pointer is ours */
    sqlite3_stmt *s;
};

static struct connection *connection_of(const struct km_db *db)
{
    return (struct connection *)(uintptr_t)db;
}

static struct ready *ready_of(struct km_ready *r)
{
    return (struct ready *)(void *)r;
}

sqlite3 *km_sqlite_of(const struct km_db *db)
{
    return connection_of(db)->db;
}

/* --- connections --- */

/* Takes the connection: it is closed again where there is no memory for ours. */
static int new_connection(const struct km_driver *driver, sqlite3 *db, struct km_db **ret_db,
                          struct km_err *err)
{
    struct connection *c = calloc(1, sizeof *c);

    if (!c) {
        km_sqlite_close(db);
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    }
    c->base.driver = driver;
    c->db = db;
    *ret_db = &c->base;
    return 0;
}

static int on_open(const char *where, enum km_db_mode mode, struct km_db **ret_db,
                   struct km_err *err)
{
    sqlite3 *db = NULL;
    int r = km_sqlite_open(where, mode, &db, err);

    return r == 0 ? new_connection(&km_sqlite_driver, db, ret_db, err) : r;
}

static int on_open_memory(const char *where, enum km_db_mode mode, struct km_db **ret_db,
                          struct km_err *err)
{
    char uri[KM_PLACE_PATH + 32];
    sqlite3 *db = NULL;
    int r;

    (void)mode; /* a name that is asked for is there */
    (void)snprintf(uri, sizeof uri, "file:/%s?vfs=memdb", where);
    r = km_sqlite_open_memory(uri, &db, err);
    return r == 0 ? new_connection(&km_sqlite_memory_driver, db, ret_db, err) : r;
}

static void on_close(struct km_db *db)
{
    struct connection *c = connection_of(db);

    km_sqlite_finalize(&c->begin);
    km_sqlite_finalize(&c->commit);
    km_sqlite_close(c->db);
    free(c);
}

static int on_wal(void *ctx, sqlite3 *db, const char *name, int pages)
{
    struct connection *c = ctx;

    (void)db;
    (void)name;
    c->log_pages = pages;
    return SQLITE_OK;
}

/* Checkpoints are asked for: left to SQLite they would come inside a commit that somebody waits
 * for, and each costs two syncs. */
static int on_to_writer(struct km_db *db, bool strict, struct km_err *err)
{
    struct connection *c = connection_of(db);
    int r = km_sqlite_exec(c->db,
                           strict ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"
                                  : "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
                           err);

    if (r == 0)
        r = km_sqlite_exec(c->db,
                           "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864;"
                           "PRAGMA cache_size = -1024",
                           err);
    if (r == 0)
        sqlite3_wal_hook(c->db, on_wal, c);
    c->log_pages = 1; /* what a process before left in the log */
    return r;
}

static int on_migrate(struct km_db *db, const char *where, struct km_err *err)
{
    return km_migrate(km_sqlite_of(db), where, err);
}

/* --- transactions --- */

static int run_kept(struct connection *c, sqlite3_stmt **s, const char *sql, struct km_err *err)
{
    int r = *s ? 0 : km_sqlite_prepare(c->db, sql, s, err);

    return r == 0 ? km_sqlite_run(*s, err) : r;
}

static int on_begin(struct km_db *db, struct km_err *err)
{
    struct connection *c = connection_of(db);

    return run_kept(c, &c->begin, "BEGIN IMMEDIATE", err);
}

static int on_commit(struct km_db *db, struct km_err *err)
{
    struct connection *c = connection_of(db);

    return run_kept(c, &c->commit, "COMMIT", err);
}

static bool on_is_begun(const struct km_db *db)
{
    return !sqlite3_get_autocommit(km_sqlite_of(db));
}

static void on_rollback(struct km_db *db)
{
    if (on_is_begun(db))
        sqlite3_exec(km_sqlite_of(db), "ROLLBACK", NULL, NULL, NULL);
}

/* A write-ahead log is written at the commit, or when SQLite's cache is full: with cache_spill off
 * nothing of it touches the disk. */
static int on_rehearse(struct km_db *db, struct km_err *err)
{
    return km_sqlite_exec(km_sqlite_of(db), "PRAGMA cache_spill = OFF; BEGIN IMMEDIATE", err);
}

static void on_trouble(struct km_db *db, struct km_db_trouble *ret)
{
    ret->damaged = km_sqlite_is_damaged(km_sqlite_of(db));
    (void)snprintf(ret->words, sizeof ret->words, "%s",
                   sqlite3_errstr(sqlite3_extended_errcode(km_sqlite_of(db))));
}

/* --- statements --- */

static int on_ready(struct km_db *db, const struct km_statement *s, struct km_ready **ret_ready,
                    struct km_err *err)
{
    struct ready *ready = calloc(1, sizeof *ready);
    int r;

    if (!ready)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    r = km_sqlite_prepare(km_sqlite_of(db), s->sql[KM_SQL_SQLITE], &ready->s, err);
    if (r < 0) {
        free(ready);
        return r;
    }
    ready->base.db = db;
    ready->base.statement = s;
    *ret_ready = &ready->base;
    return 0;
}

static void on_free(struct km_ready *r)
{
    km_sqlite_finalize(&ready_of(r)->s);
    free(ready_of(r));
}

static int on_run(struct km_ready *r, const void *in, int64_t *ret_changes, struct km_err *err)
{
    int result;

    km_sqlite_bind(ready_of(r)->s, r->statement->in, in);
    result = km_sqlite_run(ready_of(r)->s, err);
    if (result == 0 && ret_changes)
        *ret_changes = sqlite3_changes(km_sqlite_of(r->db));
    return result;
}

static void on_ask(struct km_ready *r, const void *in)
{
    km_sqlite_bind(ready_of(r)->s, r->statement->in, in);
}

static int on_next(struct km_ready *r, void *out, enum km_row *ret_row, struct km_err *err)
{
    bool row = false;
    int result = km_sqlite_next(ready_of(r)->s, &row, err);

    *ret_row = KM_ROW_END;
    if (result == 0 && row)
        *ret_row = km_sqlite_take(ready_of(r)->s, r->statement->out, out) ? KM_ROW : KM_ROW_TORN;
    return result;
}

static void on_rest(struct km_ready *r)
{
    sqlite3_reset(ready_of(r)->s);
}

/* --- the tables, for a person --- */

static int add_table(sqlite3 *db, struct km_str name, int64_t bytes, struct km_buf *out,
                     struct km_err *err)
{
    char sql[256];
    int64_t rows = 0;
    int r;

    /* The name is the store's own; quoted all the same. */
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%.*s\"", KM_STR_ARG(name));
    r = km_sqlite_int(db, sql, &rows, err);
    km_buf_str(out, KM_STR("{\"name\":"));
    km_buf_json(out, name);
    km_buf_printf(out, ",\"rows\":%lld,\"bytes\":%lld}", (long long)rows, (long long)bytes);
    return r;
}

/* Bytes are whole pages, indices counted with their table. */
static int on_tables(struct km_db *db, struct km_buf *out, struct km_err *err)
{
    sqlite3_stmt *s KM_CLEANUP(km_sqlite_finalize) = NULL;
    bool row = false, first = true;
    int r = km_sqlite_prepare(km_sqlite_of(db),
                              "SELECT t.name, (SELECT coalesce(sum(d.pgsize), 0) FROM dbstat d"
                              " JOIN sqlite_schema x ON x.name = d.name WHERE x.tbl_name = t.name"
                              " AND d.aggregate = 1)"
                              " FROM sqlite_schema t WHERE t.type = 'table' ORDER BY t.name",
                              &s, err);

    while (r == 0 && (r = km_sqlite_next(s, &row, err)) == 0 && row) {
        if (!first)
            km_buf_byte(out, ',');
        first = false;
        r = add_table(km_sqlite_of(db), km_sqlite_text(s, 0), sqlite3_column_int64(s, 1), out, err);
    }
    return r;
}

static const char *last_migration(void)
{
    return km_migrations[km_migrations_n - 1].name;
}

/* --- the file --- */

static int on_rescue(struct km_db *db, const struct km_place *place, char *ret_file,
                     struct km_err *err)
{
    return km_rescue(km_sqlite_of(db), place, ret_file, err);
}

static int on_log_pages(const struct km_db *db)
{
    return connection_of(db)->log_pages;
}

static void on_checkpoint(struct km_db *db)
{
    int in_log = 0, moved = 0;

    sqlite3_wal_checkpoint_v2(km_sqlite_of(db), NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
    /* A reader may need the rest for a while. */
    connection_of(db)->log_pages = in_log > moved ? in_log - moved : 0;
}

static int on_sync(struct km_db *db, struct km_err *err)
{
    if (sqlite3_wal_checkpoint_v2(km_sqlite_of(db), NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) !=
        SQLITE_OK)
        return km_sqlite_fail(km_sqlite_of(db), "sync", err);
    return 0;
}

static void on_leave(struct km_db *db)
{
    sqlite3_db_config(km_sqlite_of(db), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

static const struct km_driver_file in_file = {
    .build = km_sqlite_build,
    .look_at = km_sqlite_look_at,
    .rescue = on_rescue,
    .log_pages = on_log_pages,
    .checkpoint = on_checkpoint,
    .sync = on_sync,
    .leave = on_leave,
    .lookout_new = km_lookout_new,
    .lookout_free = km_lookout_free,
    .look = km_lookout_look,
    .was_written = km_lookout_was_written,
    .rest = km_lookout_rest,
    .check_new = km_check_new,
    .check_free = km_check_free,
    .check_step = km_check_step,
};

/* clang-format off */
#define COMMON                                                                                     \
    .dialect = KM_SQL_SQLITE, .close = on_close, .to_writer = on_to_writer,                    \
    .migrate = on_migrate, .begin = on_begin, .commit = on_commit, .rollback = on_rollback,        \
    .is_begun = on_is_begun, .rehearse = on_rehearse, .trouble = on_trouble, .ready = on_ready,    \
    .free = on_free, .run = on_run, .ask = on_ask, .next = on_next, .rest = on_rest,               \
    .show = km_sqlite_show, .tables = on_tables, .last_migration = last_migration
/* clang-format on */

const struct km_driver km_sqlite_driver = {
    .scheme = "sqlite", .file = &in_file, .open = on_open, COMMON
};

const struct km_driver km_sqlite_memory_driver = {
    .scheme = "memory", .passing = true, .open = on_open_memory, COMMON
};
