/* SPDX-License-Identifier: Apache-2.0 */
/* daily.h - what was spent, by day, key and route: the roll-up, row by row.
 *
 *     loop --ask--> writer's queue (what was settled before is in it) --> a reader thread
 *                                                       each(row) ... each(row), end --> JSON
 *
 * The caller adds the rows up as it likes, on the reader's thread: it sees them once, in order, and
 * nothing but one day's sums need be in memory.
 */
#ifndef KM_STORE_DAILY_H
#define KM_STORE_DAILY_H

#include "store/store.h"

/* Valid while it is shown. */
struct km_daily_row {
    int64_t day; /* since 1970-01-01, UTC */
    struct km_str hash; /* of the key, 32 bytes */
    struct km_str call_type, model, group, deployment, provider;
    struct km_str payers; /* who paid beside the key: km_paying_next() */
    int64_t key_exists; /* then these are what it is now */
    struct km_str key_alias, key_user, key_team;
    int64_t calls, failed;
    int64_t prompt, completion, cached; /* tokens */
    int64_t cost; /* nano-USD */
};

/* A row, those of a day one after the other, the last day first; and behind the last row.  On a
 * reader thread; what they write is the answer.  An error ends the reading and is the answer. */
typedef int km_daily_row_fn(void *ctx, const struct km_daily_row *row, struct km_buf *out,
                            struct km_err *err);
typedef int km_daily_end_fn(void *ctx, struct km_buf *out, struct km_err *err);

struct km_daily_ask {
    int64_t from_day, to_day; /* both included */
    bool by_key;
    uint8_t key_hash[32];
    km_daily_row_fn *each;
    km_daily_end_fn *end;
    void *ctx; /* of these; lives until fn has been called */
};
void km_store_daily(struct km_store *store, struct km_mailbox *reply,
                    const struct km_daily_ask *ask, km_store_json_fn *fn, void *ctx);

#endif
