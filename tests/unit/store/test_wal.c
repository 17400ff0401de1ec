/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>

#include "store/sqlite/wal.h"
#include "support.h"

/* A database with a log that nobody moves, and a reader of it. */
struct log {
    char dir[64], path[96], wal[112];
    sqlite3 *writer, *reader;
    struct km_wal seen;
    int n;
};

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static void add(struct log *t, int n)
{
    while (n--)
        run(t->writer, "INSERT INTO t VALUES (randomblob(3000))");
}

static void log_init(struct log *t)
{
    memset(t, 0, sizeof *t);
    (void)snprintf(t->dir, sizeof t->dir, "/tmp/kanmon-test-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    (void)snprintf(t->path, sizeof t->path, "%s/a.db", t->dir);
    (void)snprintf(t->wal, sizeof t->wal, "%s/a.db-wal", t->dir);
    assert_int_equal(sqlite3_open(t->path, &t->writer), SQLITE_OK);
    run(t->writer, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a)");
    assert_int_equal(sqlite3_open(t->path, &t->reader), SQLITE_OK);
    run(t->reader, "SELECT * FROM t");
    add(t, 10);
}

static void log_done(struct log *t)
{
    char name[128];

    sqlite3_db_config(t->writer, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(t->reader);
    sqlite3_close(t->writer);
    (void)unlink(t->path);
    (void)unlink(t->wal);
    (void)snprintf(name, sizeof name, "%s-shm", t->path);
    (void)unlink(name);
    assert_int_equal(rmdir(t->dir), 0);
}

static bool is_broken(struct log *t)
{
    return km_wal_is_broken(&t->seen, t->reader, t->wal);
}

static off_t size_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

/* Whatever SQLite itself does with its log is no harm. */
static void a_log_in_use_is_whole(void **state)
{
    static const char *const modes[] = { "PASSIVE", "FULL", "RESTART", "TRUNCATE" };
    struct log t;

    (void)state;
    log_init(&t);
    for (int i = 0; i < 60; i++) {
        char sql[64];

        assert_false(is_broken(&t));
        add(&t, i % 7);
        assert_false(is_broken(&t));
        (void)snprintf(sql, sizeof sql, "PRAGMA wal_checkpoint(%s)", modes[i % 4]);
        run(t.writer, i % 3 ? "SELECT 1" : sql);
        run(t.writer, "BEGIN; DELETE FROM t; INSERT INTO t VALUES (zeroblob(300000))");
        assert_false(is_broken(&t));
        run(t.writer, i % 5 ? "ROLLBACK" : "COMMIT");
        if (i % 4 == 1)
            memset(&t.seen, 0, sizeof t.seen);
    }
    log_done(&t);
}

/* At each length, at once and after SQLite went on, little or much. */
static void a_cut_is_seen(void **state)
{
    static const int more[] = { 0, 1, 30 };

    (void)state;
    for (int part = 0; part < 8; part++)
        for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
            for (int between = 0; between < 2; between++) {
                struct log t;

                log_init(&t);
                assert_false(is_broken(&t));
                add(&t, between); /* which nobody has looked at yet */
                assert_int_equal(truncate(t.wal, size_of(t.wal) * part / 8), 0);
                add(&t, more[i]);
                assert_true(is_broken(&t));
                log_done(&t);
            }
}

static void what_is_written_over_it_is_seen(void **state)
{
    struct log t;
    off_t at;
    char was;
    int fd;

    (void)state;
    log_init(&t);
    assert_false(is_broken(&t));
    fd = open(t.wal, O_RDWR | O_CLOEXEC);
    at = size_of(t.wal) - 100;
    assert_int_equal(pread(fd, &was, 1, at), 1);
    was = (char)~was; /* it is random: one in 256 is what would be written */
    assert_int_equal(pwrite(fd, &was, 1, at), 1);
    assert_true(is_broken(&t));
    (void)close(fd);
    log_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_in_use_is_whole),
        cmocka_unit_test(a_cut_is_seen),
        cmocka_unit_test(what_is_written_over_it_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
