/* SPDX-License-Identifier: Apache-2.0 */
/* targets.c - see targets.h for the contract.
 *
 * Asked when somebody looks.  LiteLLM's gauge is of providers alone, and of what is spent: what
 * calls under way have reserved is not taken off there.  Ours beside it is of deployments.
 */
#include "ops/targets.h"

#include <stdlib.h>

#include "ops/breakers.h"
#include "policy/account.h"

static void put(const char *name, const char *of, struct km_account *acc, struct km_buf *out)
{
    char left[KM_MONEY_LEN];
    int64_t nanousd = acc->row.max_budget - km_account_spend(acc);

    km_buf_printf(out, "%s{", name);
    km_label_write(of, acc->row.id, out);
    km_money_text(nanousd < 0 ? -nanousd : nanousd, left);
    km_buf_printf(out, "} %s%s\n", nanousd < 0 ? "-" : "", left);
}

static void put_all(struct km_accounts *accounts, enum km_account_kind kind, const char *name,
                    const char *of, struct km_buf *out)
{
    const struct km_accounts_which which = { .kind = kind };
    size_t n;
    struct km_account **all = km_accounts_all(accounts, &which, &n);

    if (n)
        km_buf_printf(out, "# HELP %s USD that are left of the budget.\n# TYPE %s gauge\n", name,
                      name);
    for (size_t i = 0; i < n; i++) {
        put(name, of, all[i], out);
        km_account_unref(all[i]);
    }
    free(all);
}

void km_targets_metrics(struct km_accounts *accounts, struct km_buf *out)
{
    put_all(accounts, KM_ACCOUNT_PROVIDER, "litellm_provider_remaining_budget_metric",
            "api_provider", out);
    put_all(accounts, KM_ACCOUNT_DEPLOYMENT, "kanmon_deployment_remaining_budget_usd", "model_id",
            out);
}
