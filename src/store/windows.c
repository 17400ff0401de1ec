/* SPDX-License-Identifier: Apache-2.0 */
/* windows.c - see windows.h.
 *
 * Turning is three statements: the current sum goes to its row, the row of the other window comes
 * into the key, the earliest rows over the bound go.  What a commit brings for a window that is not
 * current (apply.c) is added to its row, so it makes no difference which of the two comes first.
 */
#include "store/windows.h"

#include "base/time.h"
#include "store/statements.h"

/* What statements are about, and what they read. */
struct window {
    uint8_t hash[32];
    int64_t end_us, now_us, spend, length_s, kept;
};

enum { KEEP, TAKE, TAKEN, FORGET, END, CLEAR };

#define FIELD(member) KM_FIELD(struct window, member)

static const struct km_statement rows[] = {
    [KEEP] = { "windows.keep",
               { "INSERT INTO budget_windows (hash, end_us, spend) SELECT hash, budget_reset_us,"
                 " spend FROM keys WHERE hash = ?1 AND spend > 0 AND budget_reset_us <> ?2"
                 " AND budget_duration_s > 0"
                 " ON CONFLICT DO UPDATE SET spend = min(spend, 1 << 61) + excluded.spend" },
               .in = KM_FIELDS(FIELD(hash), FIELD(end_us)) },
    [TAKE] = { "windows.take",
               { "UPDATE keys SET spend = iif(budget_reset_us = ?2, spend, 0)"
                 " + coalesce((SELECT spend FROM budget_windows w WHERE w.hash = ?1"
                 " AND w.end_us = ?2), 0), budget_reset_us = ?2, window_us = ?3 WHERE hash = ?1" },
               .in = KM_FIELDS(FIELD(hash), FIELD(end_us), FIELD(now_us)) },
    [TAKEN] = { "windows.taken",
                { "DELETE FROM budget_windows WHERE hash = ?1 AND end_us = ?2" },
                .in = KM_FIELDS(FIELD(hash), FIELD(end_us)) },
    [FORGET] = { "windows.forget",
                 { "DELETE FROM budget_windows WHERE hash = ?1 AND end_us NOT IN (SELECT end_us"
                   " FROM budget_windows WHERE hash = ?1 ORDER BY end_us DESC LIMIT ?2)" },
                 .in = KM_FIELDS(FIELD(hash), FIELD(kept)) },
    [END] = { "windows.end",
              { "SELECT budget_duration_s, budget_reset_us FROM keys WHERE hash = ?1" },
              .in = KM_FIELDS(FIELD(hash)),
              .out = KM_FIELDS(FIELD(length_s), FIELD(end_us)) },
    [CLEAR] = { "windows.clear",
                { "DELETE FROM budget_windows WHERE hash = ?1" },
                .in = KM_FIELDS(FIELD(hash)) },
};
const struct km_statements km_windows_statements = KM_STATEMENTS(rows);

enum km_window_place km_windows_place(const struct km_window_now *now, int64_t at_us, bool ended,
                                      int64_t *ret_end_us)
{
    if (now->length_s <= 0 || now->end_us <= 0)
        return !ended || at_us >= now->window_us ? KM_WINDOW_CURRENT : KM_WINDOW_NONE;
    if (at_us < now->end_us && at_us >= km_time_budget_begin(now->end_us, now->length_s))
        return KM_WINDOW_CURRENT;
    *ret_end_us = km_time_budget_end(at_us, now->length_s, now->end_us);
    return KM_WINDOW_OTHER;
}

int km_windows_clear(struct km_db *db, const uint8_t hash[32], struct km_err *err)
{
    struct window w = { .spend = 0 };

    memcpy(w.hash, hash, sizeof w.hash);
    return km_db_run(db, &rows[CLEAR], &w, NULL, err);
}

int km_windows_turn(struct km_db *db, const uint8_t hash[32], int64_t end_us, int64_t now_us,
                    struct km_err *err)
{
    struct window w = { .end_us = end_us, .now_us = now_us, .kept = KM_WINDOWS_KEPT };
    int64_t changed = 0;
    int r;

    memcpy(w.hash, hash, sizeof w.hash);
    r = km_db_run(db, &rows[KEEP], &w, NULL, err);
    if (r == 0)
        r = km_db_run(db, &rows[TAKE], &w, &changed, err);
    if (r == 0 && changed == 0)
        return km_fail(err, KM_E_NOT_FOUND, "this key does not exist");
    if (r == 0)
        r = km_db_run(db, &rows[TAKEN], &w, NULL, err);
    return r == 0 ? km_db_run(db, &rows[FORGET], &w, NULL, err) : r;
}

int km_windows_keep(struct km_db *db, const uint8_t hash[32], const struct km_key_row *row,
                    int64_t *ret_end_us, struct km_err *err)
{
    struct window w = { .spend = 0 };
    enum km_row got = KM_ROW_END;
    int r;

    *ret_end_us = row->budget_reset_us;
    memcpy(w.hash, hash, sizeof w.hash);
    r = km_db_first(db, &rows[END], &w, &w, &got, err);
    if (r < 0 || !got)
        return r;
    if (w.length_s == row->budget_duration_s && (w.end_us > 0) == (row->budget_reset_us > 0) &&
        km_time_budget_same(w.length_s, w.end_us, row->budget_reset_us)) {
        *ret_end_us = w.end_us;
        return 0;
    }
    return km_db_run(db, &rows[CLEAR], &w, NULL, err);
}
