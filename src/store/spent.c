/* SPDX-License-Identifier: Apache-2.0 */
/* spent.c - what all calls together cost since a moment (store.h: km_store_spent).
 *
 *     begin ........ midnight ─────────── today ──>
 *       rows of `spend`      sums of `daily`
 *
 * A day's sums are of calls that began in it.  So the calls around the beginning, up to the next
 * midnight, are read one by one, and those that began up to two hours before and ended behind it
 * are found among them; all days behind are a few sums.  Where the moment is a midnight, as of days
 * and months, nothing but those two hours is read of the hot table.
 */
#include <string.h>

#include "store/inside.h"

#include "store/ahead.h"
#include "store/statements.h"

#define DAY_US (86400 * (int64_t)1000000)
#define REACH_US (2 * 3600 * (int64_t)1000000) /* no call is looked for that began earlier */
#define SLACK_US (60 * (int64_t)1000000) /* between an id and its call's start */

struct range {
    uint8_t low[16], high[16]; /* of ids: they begin with their time */
    int64_t begin_us, until_us; /* ended at that moment or later, began before */
    int64_t day; /* since 1970 */
};

enum { ROWS, DAYS };

#define RANGE(member) KM_FIELD(struct range, member)

static const struct km_statement rows[] = {
    [ROWS] = { "spent.rows",
               { "SELECT coalesce(sum(cost), 0) FROM spend WHERE id >= ?1 AND id < ?2"
                 " AND start_us < ?4 AND start_us + coalesce(duration_us, 0) >= ?3" },
               .in = KM_FIELDS(RANGE(low), RANGE(high), RANGE(begin_us), RANGE(until_us)),
               .out = KM_NUMBER },
    [DAYS] = { "spent.days",
               { "SELECT coalesce(sum(cost), 0) FROM daily WHERE day >= ?1" },
               .in = KM_FIELDS(RANGE(day)),
               .out = KM_NUMBER },
};
const struct km_statements km_spent_statements = KM_STATEMENTS(rows);

static int number(struct km_store *store, const struct km_statement *s, const struct range *range,
                  int64_t *ret, struct km_err *err)
{
    struct km_db *db KM_CLEANUP(km_db_done) = NULL;
    struct km_ready *list KM_CLEANUP(km_ready_done) = NULL;
    enum km_row got = KM_ROW_END;
    int r = km_ahead_ask_for(store, s, range, &db, &list, err);

    *ret = 0;
    return r == 0 ? km_ready_next(list, ret, &got, err) : r;
}

/* The least id of that millisecond. */
static void id_at(int64_t wall_us, uint8_t ret[16])
{
    const uint64_t ms = wall_us > 0 ? (uint64_t)wall_us / 1000 : 0;

    memset(ret, 0, 16);
    for (int i = 0; i < 6; i++)
        ret[i] = (uint8_t)(ms >> (40 - 8 * i));
}

int km_store_spent(struct km_store *store, int64_t begin_us, int64_t *ret_spent, struct km_err *err)
{
    struct range range = { .begin_us = begin_us };
    int64_t days, some = 0;
    int r;

    if (begin_us > 0) {
        range.day = (begin_us + DAY_US - 1) / DAY_US;
        range.until_us = range.day * DAY_US;
        id_at(begin_us - REACH_US - SLACK_US, range.low);
        id_at(range.until_us + SLACK_US, range.high);
    }
    r = number(store, &rows[DAYS], &range, &days, err);
    if (r == 0 && begin_us > 0)
        r = number(store, &rows[ROWS], &range, &some, err);
    if (r == 0)
        *ret_spent = days + some;
    return r;
}
