/* SPDX-License-Identifier: Apache-2.0 */
/* batch.h - many ledger records, or sums, as a table that one statement takes all of. */
#ifndef KM_STORE_BATCH_H
#define KM_STORE_BATCH_H

#include "store/driver.h"
#include "store/open_state.h"
#include "store/sums.h"

#define KM_BATCH_ROWS 4096

struct km_batch_row {
    const struct km_record *rec; /* the caller's; valid until the batch is cleared */
    int64_t key, route;
    int64_t window_us, length_s, end_us; /* of the key, for the sums (dict.h) */
    uint8_t state_n, state[KM_OPEN_STATE_BYTES]; /* of an open call */
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

/* The columns of `spend`, `open_calls` and `daily` in their order, and ids alone; of a struct
 * km_batch each, but the days' of a struct km_sums that is sorted. */
extern const struct km_rowset km_spend_rows, km_open_rows, km_gone_rows, km_daily_rows;

/* What the ledger writes of an upstream's numbers: clamped, so that no sum ever overflows. */
int64_t km_batch_cost(int64_t v);
int64_t km_batch_tokens(int64_t v);

#endif
