/* SPDX-License-Identifier: Apache-2.0 */
/* windows.c - see windows.h.
 *
 * Turning is three statements: the current sum goes to its row, the row of the other window comes
 * into the key, the earliest rows over the bound go.  What a commit brings for a window that is not
 * current (apply.c) is added to its row, so it makes no difference which of the two comes first.
 */
#include "store/windows.h"

#include "base/time.h"
#include "store/ahead.h"
#include "store/inside.h"

static int run(sqlite3 *db, const char *sql, const uint8_t hash[32], int64_t a, int64_t b,
               struct km_err *err)
{
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    int n, r = km_db_prepare(db, sql, &s, err);

    if (r < 0)
        return r;
    n = sqlite3_bind_parameter_count(s);
    km_db_bind_blob(s, 1, hash, 32);
    if (n > 1)
        sqlite3_bind_int64(s, 2, a);
    if (n > 2)
        sqlite3_bind_int64(s, 3, b);
    return km_db_run(s, err);
}

int km_windows_turn(sqlite3 *db, const uint8_t hash[32], int64_t end_us, int64_t now_us,
                    struct km_err *err)
{
    static const char keep[] =
        "INSERT INTO budget_windows (hash, end_us, spend) SELECT hash, budget_reset_us, spend"
        " FROM keys WHERE hash = ?1 AND spend > 0 AND budget_reset_us <> ?2"
        " AND budget_duration_s > 0"
        " ON CONFLICT DO UPDATE SET spend = min(spend, 1 << 61) + excluded.spend";
    static const char take[] =
        "UPDATE keys SET spend = iif(budget_reset_us = ?2, spend, 0) + coalesce((SELECT spend FROM"
        " budget_windows w WHERE w.hash = ?1 AND w.end_us = ?2), 0), budget_reset_us = ?2,"
        " window_us = ?3 WHERE hash = ?1";
    static const char taken[] = "DELETE FROM budget_windows WHERE hash = ?1 AND end_us = ?2";
    static const char forget[] =
        "DELETE FROM budget_windows WHERE hash = ?1 AND end_us NOT IN (SELECT end_us FROM"
        " budget_windows WHERE hash = ?1 ORDER BY end_us DESC LIMIT ?2)";
    int r = run(db, keep, hash, end_us, 0, err);

    if (r == 0)
        r = run(db, take, hash, end_us, now_us, err);
    if (r == 0 && sqlite3_changes(db) == 0)
        return km_fail(err, KM_E_NOT_FOUND, "this key does not exist");
    if (r == 0)
        r = run(db, taken, hash, end_us, 0, err);
    return r == 0 ? run(db, forget, hash, KM_WINDOWS_KEPT, 0, err) : r;
}

int km_windows_keep(sqlite3 *db, const uint8_t hash[32], const struct km_key_row *row,
                    int64_t *ret_end_us, struct km_err *err)
{
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    int64_t length, end_us;
    bool found = false;
    int r = km_db_prepare(db, "SELECT budget_duration_s, budget_reset_us FROM keys WHERE hash = ?1",
                          &s, err);

    *ret_end_us = row->budget_reset_us;
    if (r < 0)
        return r;
    km_db_bind_blob(s, 1, hash, 32);
    r = km_db_next(s, &found, err);
    if (r < 0 || !found)
        return r;
    length = sqlite3_column_int64(s, 0);
    end_us = sqlite3_column_int64(s, 1);
    if (length == row->budget_duration_s && (end_us > 0) == (row->budget_reset_us > 0) &&
        km_time_budget_same(length, end_us, row->budget_reset_us)) {
        *ret_end_us = end_us;
        return 0;
    }
    return run(db, "DELETE FROM budget_windows WHERE hash = ?1", hash, 0, 0, err);
}

int km_store_windows(struct km_store *store, km_window_fn *each, void *ctx, struct km_err *err)
{
    sqlite3 *db KM_CLEANUP(km_db_done) = NULL;
    sqlite3_stmt *s KM_CLEANUP(km_db_finalize) = NULL;
    bool row = false;
    int r = km_ahead_query(store, "SELECT hash, end_us, spend FROM budget_windows", &db, &s, err);

    while (r == 0 && (r = km_db_next(s, &row, err)) == 0 && row)
        if (km_db_blob(s, 0).n == 32)
            each(ctx, (const uint8_t *)km_db_blob(s, 0).p, sqlite3_column_int64(s, 1),
                 sqlite3_column_int64(s, 2));
    return r;
}
