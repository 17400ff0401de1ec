/* SPDX-License-Identifier: Apache-2.0 */
/* key_limits.c - see key_limits.h.
 *
 *     km_key_row -> km_account_row of the kind KM_ACCOUNT_KEY -> km_accounts_put()
 *
 * The row of the account has the key's own numbers too, so that its budget's (account.c) do not
 * stand in for them; they are taken out again before purses are made, since the key's purse has
 * them.  A key that needs no account has none, and its calls look for none.
 */
#include "policy/key_limits.h"

#include "policy/account.h"

/* "{}" and "[]" limit nothing. */
static bool says(struct km_str json)
{
    return json.n > 2;
}

bool km_key_has_account(const struct km_key_row *row)
{
    return row->budget_id.n || says(row->budget_limits) || says(row->model_max_budget) ||
           says(row->model_rpm_limit) || says(row->model_tpm_limit);
}

struct km_account_row km_key_account(const struct km_key_row *row)
{
    return (struct km_account_row){ .kind = KM_ACCOUNT_KEY,
                                    .id = row->limits_id,
                                    .budget_id = row->budget_id,
                                    .max_budget = row->max_budget,
                                    .soft_budget = row->soft_budget,
                                    .budget_duration_s = row->budget_duration_s,
                                    .budget_duration = row->budget_duration,
                                    .budget_reset_us = row->budget_reset_us,
                                    .budget_limits = row->budget_limits,
                                    .model_max_budget = row->model_max_budget,
                                    .model_rpm_limit = row->model_rpm_limit,
                                    .model_tpm_limit = row->model_tpm_limit,
                                    .temp_budget_increase = row->temp_budget_increase,
                                    .temp_budget_expiry_us = row->temp_budget_expiry_us,
                                    .rpm = row->rpm,
                                    .tpm = row->tpm,
                                    .max_parallel = row->max_parallel,
                                    .created_us = row->created_us };
}

static void leave(int64_t *limit, int64_t own)
{
    if (own >= 0)
        *limit = -1;
}

void km_key_account_leave(struct km_account_row *limits, const struct km_account_row *own)
{
    leave(&limits->max_budget, own->max_budget);
    leave(&limits->soft_budget, own->soft_budget);
    leave(&limits->rpm, own->rpm);
    leave(&limits->tpm, own->tpm);
    leave(&limits->max_parallel, own->max_parallel);
}

int km_key_limits_check(const struct km_key_row *row, struct km_err *err)
{
    struct km_account_row account = km_key_account(row);

    if (!account.id.n)
        account.id = KM_STR("new");
    return km_key_has_account(row) ? km_accounts_check(&account, err) : 0;
}
