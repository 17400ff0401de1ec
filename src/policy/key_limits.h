/* SPDX-License-Identifier: Apache-2.0 */
/* key_limits.h - the limits of a key that are not its own purse's.
 *
 *     max_budget, rpm_limit, tpm_limit, max_parallel_requests    the key's purse
 *     budget_limits, model_max_budget, model_rpm_limit,
 *     model_tpm_limit, what its budget_id says                   purses of an account of its own
 *
 * So a window, a limit of a model or a shared budget is to a key what it is to a team, by one
 * machinery (account_purses.c), and a call pays from it as from any other account's.  The account
 * is in memory alone, made of the key's row, and is named by limits_id, which stays when the secret
 * changes: its purses, and what the store knows of them, do too.
 */
#ifndef KM_POLICY_KEY_LIMITS_H
#define KM_POLICY_KEY_LIMITS_H

#include "store/accounts.h"

/* Has the key such limits? */
bool km_key_has_account(const struct km_key_row *row);
/* The account that has them; views of the row. */
struct km_account_row km_key_account(const struct km_key_row *row);
/* What the key says itself its own purse has, and it is not asked twice: taken out of `limits`,
 * which are those of the account (own) with its budget's. */
void km_key_account_leave(struct km_account_row *limits, const struct km_account_row *own);
/* Would the limits read?  Asked before the row is stored; `param` says which does not. */
int km_key_limits_check(const struct km_key_row *row, struct km_err *err) KM_MUST_USE;

#endif
