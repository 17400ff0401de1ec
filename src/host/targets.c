/* SPDX-License-Identifier: Apache-2.0 */
/* targets.c - see targets.h for the contract.
 *
 * Providers and deployments are known to the configuration alone: their accounts are in no row of
 * the store, but what they spent is, under their purses' names, as that of any account.  So it is
 * there again after a restart, goes over with a hand-over, and is one sum for all workers.  A
 * budget that a reload brings begins with nothing spent.
 *
 * A tag with a budget is an account like any other, so one that the store has keeps what else it
 * says.
 */
#include "host/targets.h"

#include <stdlib.h>

#include "host/gateway.h"
#include "llm/budgets.h"
#include "llm/model.h"
#include "policy/account.h"

static struct km_account_row row_of(const struct km_said_budget *b)
{
    struct km_account_row row = km_account_row_none(b->kind, b->id, KM_STR_NONE);

    row.max_budget = b->max;
    row.budget_duration = b->duration;
    row.budget_duration_s = b->duration_s;
    return row;
}

static int put(struct km_gateway *gw, const struct km_said_budget *b, struct km_err *err)
{
    struct km_account *was = km_accounts_find(gw->accounts, b->kind, b->id, KM_STR_NONE);
    struct km_account_row row = row_of(b);
    int r;

    if (was && b->kind == KM_ACCOUNT_TAG) {
        row = was->row;
        row.max_budget = b->max;
        row.budget_duration = b->duration;
        row.budget_duration_s = b->duration_s;
        row.budget_reset_us = 0;
    }
    r = km_accounts_put(gw->accounts, &row, err);
    km_account_unref(was);
    return r;
}

static bool is_said(const struct km_models *models, const struct km_account *a)
{
    size_t n;
    const struct km_said_budget *v = km_models_budgets(models, &n);

    for (size_t i = 0; i < n; i++)
        if (v[i].kind == a->row.kind && km_str_eq(v[i].id, a->row.id))
            return true;
    return false;
}

static void drop_others(struct km_gateway *gw, const struct km_models *models,
                        enum km_account_kind kind)
{
    const struct km_accounts_which which = { .kind = kind };
    size_t n;
    struct km_account **all = km_accounts_all(gw->accounts, &which, &n);

    for (size_t i = 0; i < n; i++) {
        if (!is_said(models, all[i]))
            (void)km_accounts_del(gw->accounts, kind, all[i]->row.id, KM_STR_NONE);
        km_account_unref(all[i]);
    }
    free(all);
}

int km_targets_declare(struct km_gateway *gw, const struct km_models *models, bool start,
                       struct km_err *err)
{
    size_t n;
    const struct km_said_budget *v = km_models_budgets(models, &n);
    int r = 0;

    drop_others(gw, models, KM_ACCOUNT_PROVIDER);
    drop_others(gw, models, KM_ACCOUNT_DEPLOYMENT);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (start || v[i].kind != KM_ACCOUNT_TAG)
            r = put(gw, &v[i], err);
    return r;
}
