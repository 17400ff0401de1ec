/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - see check.h for the contract.
 *
 * Every table has SQLite's own quick check, one a slice, but the ledger: it has a row for each call
 * ever made, and a check of it would keep one transaction open for minutes, in which the
 * write-ahead log grows.  It is read in the order of its key instead, some thousand rows a slice,
 * every column of them: a page that is none ends that as well.
 */
#include "store/sqlite/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/sqlite/db.h"

#define ROWS 20000 /* of the ledger a slice: some milliseconds */
#define NAME_BYTES 64

struct km_check {
    char *path;
    sqlite3 *db;
    char table[NAME_BYTES]; /* checked last; "": none yet */
    uint8_t after[16]; /* row of the ledger read last */
    bool reading; /* the ledger, from `after` on */
};

struct km_check *km_check_new(const char *path)
{
    struct km_check *c = calloc(1, sizeof *c + strlen(path) + 1);

    if (!c)
        return NULL;
    c->path = (char *)(c + 1);
    memcpy(c->path, path, strlen(path) + 1);
    return c;
}

struct km_check *km_check_free(struct km_check *c)
{
    if (!c)
        return NULL;
    km_sqlite_close(c->db);
    free(c);
    return NULL;
}

static int next_table(struct km_check *c, bool *ret_done, struct km_err *err)
{
    sqlite3_stmt *s KM_CLEANUP(km_sqlite_finalize) = NULL;
    bool row = false;
    int r = km_sqlite_prepare(c->db,
                              "SELECT name FROM sqlite_schema WHERE type = 'table' AND name > ?1"
                              " ORDER BY name LIMIT 1",
                              &s, err);

    if (r < 0)
        return r;
    km_sqlite_bind_text(s, 1, km_str_c(c->table));
    r = km_sqlite_next(s, &row, err);
    *ret_done = !row;
    if (r == 0 && row)
        (void)snprintf(c->table, sizeof c->table, "%s", (const char *)sqlite3_column_text(s, 0));
    return r;
}

static int check_table(struct km_check *c, bool *ret_damaged, struct km_err *err)
{
    sqlite3_stmt *s KM_CLEANUP(km_sqlite_finalize) = NULL;
    char sql[2 * NAME_BYTES];
    bool row = false;
    int r;

    (void)sqlite3_snprintf(sizeof sql, sql, "PRAGMA quick_check(%Q)", c->table);
    r = km_sqlite_prepare(c->db, sql, &s, err);
    if (r == 0)
        r = km_sqlite_next(s, &row, err);
    if (r < 0 || (row && km_str_eq(km_sqlite_text(s, 0), KM_STR("ok"))))
        return r;
    *ret_damaged = true;
    return km_fail(err, KM_E_STORE, "table '%s' of '%.200s': %.*s", c->table, c->path,
                   KM_STR_ARG(km_str_sub(row ? km_sqlite_text(s, 0) : KM_STR_NONE, 0, 200)));
}

static int read_rows(struct km_check *c, struct km_err *err)
{
    sqlite3_stmt *s KM_CLEANUP(km_sqlite_finalize) = NULL;
    bool row = false;
    int r = km_sqlite_prepare(c->db,
                              "SELECT max(id), sum(start_us + cost + flags),"
                              " sum(length(user) + length(metadata) + length(client_ip)), count(*)"
                              " FROM (SELECT * FROM spend WHERE id > ?1 ORDER BY id LIMIT ?2)",
                              &s, err);

    if (r < 0)
        return r;
    km_sqlite_bind_blob(s, 1, c->after, sizeof c->after);
    sqlite3_bind_int64(s, 2, ROWS);
    r = km_sqlite_next(s, &row, err);
    c->reading = r == 0 && sqlite3_column_int64(s, 3) == ROWS;
    if (c->reading && km_sqlite_blob(s, 0).n == sizeof c->after)
        memcpy(c->after, km_sqlite_blob(s, 0).p, sizeof c->after);
    return r;
}

int km_check_step(struct km_check *c, bool *ret_done, bool *ret_damaged, struct km_err *err)
{
    int r = c->db ? 0 : km_sqlite_open(c->path, KM_DB_READ, &c->db, err);

    *ret_done = *ret_damaged = false;
    if (r == 0 && !c->reading)
        r = next_table(c, ret_done, err);
    if (r == 0 && !*ret_done) {
        c->reading = strcmp(c->table, "spend") == 0;
        r = c->reading ? read_rows(c, err) : check_table(c, ret_damaged, err);
    }
    if (r < 0 && c->db && km_sqlite_is_damaged(c->db))
        *ret_damaged = true;
    return r;
}

bool km_check_is_long_enough(const char *path, uint64_t bytes)
{
    sqlite3 *db KM_CLEANUP(km_sqlite_done) = NULL;
    int64_t pages = 0, size = 0;

    if (km_sqlite_open(path, KM_DB_READ, &db, NULL) < 0 ||
        km_sqlite_int(db, "PRAGMA page_count", &pages, NULL) < 0 ||
        km_sqlite_int(db, "PRAGMA page_size", &size, NULL) < 0)
        return false;
    return pages > 0 && (uint64_t)pages * (uint64_t)size <= bytes;
}
