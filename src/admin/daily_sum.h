/* SPDX-License-Identifier: Apache-2.0 */
/* daily_sum.h - private to admin/: rows of the roll-up (store/daily.h) added up as LiteLLM shows a
 * daily activity: SpendAnalyticsPaginatedResponse. */
#ifndef KM_ADMIN_DAILY_SUM_H
#define KM_ADMIN_DAILY_SUM_H

#include "policy/account.h"
#include "store/daily.h"

/* What is looked at.  Copied. */
struct km_daily_scope {
    enum km_account_kind kind; /* whose activity */
    const struct km_str *ids; /* of these accounts; n 0: of all */
    size_t nids;
    const struct km_str *others; /* and not of these */
    size_t nothers;
    bool own; /* only what the keys of `user` did, and the key with this hash */
    struct km_str user; /* empty: none */
    uint8_t key_hash[32];
    struct km_str model; /* or model group; empty: any */
    size_t page, page_size; /* of days, the last first; from 1 */
};

struct km_daily_sum;
/* NULL: no memory.  accounts outlives it. */
struct km_daily_sum *km_daily_sum_new(const struct km_daily_scope *scope,
                                      struct km_accounts *accounts);
struct km_daily_sum *km_daily_sum_free(struct km_daily_sum *s);
int km_daily_sum_row(void *sum, const struct km_daily_row *row, struct km_buf *out,
                     struct km_err *err) KM_MUST_USE;
int km_daily_sum_end(void *sum, struct km_buf *out, struct km_err *err) KM_MUST_USE;

#endif
