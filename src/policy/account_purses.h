/* SPDX-License-Identifier: Apache-2.0 */
/* account_purses.h - which purses an account's limits make; account.c's and key.c's own. */
#ifndef KM_POLICY_ACCOUNT_PURSES_H
#define KM_POLICY_ACCOUNT_PURSES_H

#include "policy/purse.h"

#define KM_ACCOUNT_PURSES 128 /* of one account: its own, windows, models */

/* What one purse is to be. */
struct km_purse_plan {
    struct km_purse_words words;
    int64_t max, soft; /* nano-USD; -1 none */
    int64_t raised, raised_until_us;
    int64_t length_s, end_us; /* of its windows; 0: one for ever */
    struct km_limits limits;
};

/* Plans by the limits of a row; texts are the row's or the arena's.  The first is the account's
 * own.  strict: of a row that somebody writes now.  KM_E_INVALID names the member that does not
 * read, KM_E_LIMIT: too many. */
int km_account_plans(const struct km_account_row *row, bool strict, struct km_arena *arena,
                     struct km_purse_plan plans[KM_ACCOUNT_PURSES], size_t *ret_n,
                     struct km_err *err) KM_MUST_USE;

/* Under its lock: what may be spent of it, what is told, and what raises it for a while. */
void km_purse_allow(struct km_purse *p, const struct km_purse_plan *plan);
/* Makes a purse what the plan says; what was spent and runs stays. */
void km_purse_follow(struct km_purse *p, const struct km_purse_plan *plan);

#endif
