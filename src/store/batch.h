/* SPDX-License-Identifier: Apache-2.0 */
/* batch.h - many ledger records, or sums, as a table that SQLite can SELECT from.
 *
 * One INSERT ... SELECT over it costs half of as many single INSERTs: the statement is set up
 * once and the cursor stays where the last row went.
 */
#ifndef KM_STORE_BATCH_H
#define KM_STORE_BATCH_H

#include "store/db.h"
#include "store/record.h"
#include "store/sums.h"

#define KM_BATCH_ROWS 4096

struct km_batch_row {
    const struct km_record *rec; /* the caller's; valid until the batch is cleared */
    int64_t key, route;
    int64_t window_us, length_s, end_us; /* of the key, for the sums (dict.h) */
};

struct km_batch {
    struct km_batch_row *v;
    size_t n, cap;
};

void km_batch_done(struct km_batch *b);
static inline void km_batch_clear(struct km_batch *b)
{
    b->n = 0;
}

/* At most KM_BATCH_ROWS; one more is KM_E_LIMIT, for the caller to empty it first. */
int km_batch_add(struct km_batch *b, const struct km_batch_row *row,
                 struct km_err *err) KM_MUST_USE;

/* Makes the tables `spend_rows`, `intent_rows` and `daily_rows` of this connection, with the
 * columns of `spend`, `intents` and `daily` in their order.  What they show must outlive the
 * connection. */
int km_batch_tables(sqlite3 *db, const struct km_batch *spend, const struct km_batch *intents,
                    const struct km_sums *sums, struct km_err *err) KM_MUST_USE;

/* A table of this connection that has no rows of its own: what it shows are the rows of `from`,
 * which must outlive the connection. */
struct km_batch_source {
    const void *from;
    const void *(*row)(const void *from, size_t i); /* NULL: there are no more */
    void (*column)(sqlite3_context *c, const void *row, int column);
    const char *declaration; /* CREATE TABLE x (...) */
};
int km_batch_table(sqlite3 *db, const char *name, const struct km_batch_source *from,
                   struct km_err *err) KM_MUST_USE;

/* What the ledger writes of an upstream's numbers: clamped, so that no sum ever overflows. */
int64_t km_batch_cost(int64_t v);
int64_t km_batch_tokens(int64_t v);

#endif
