/* SPDX-License-Identifier: Apache-2.0 */
/* spent.c - which deployments have no budget left for a call, or whose providers have none.
 *
 *     group ──> those whose budgets have less left than an attempt begins with: left out
 *     picked ──> its budgets are asked (move.c) ──> refused meanwhile: left out, the next one
 *     none left ──> the groups that follow (fallback.c), else KM_E_BUDGET
 *
 * What is left changes by the call, so whoever looks may be wrong a moment later; whoever is asked
 * is not.  A group where no deployment has a budget has no such filter, and nothing is looked at.
 */
#include "call/call.h"

bool km_call_reserves(const struct km_call *call)
{
    return call->visit->view->snap->keys->budget_mode == KM_BUDGET_RESERVE && !call->kind->own;
}

size_t km_call_targets(const struct km_call *call, const struct km_deployment *d,
                       struct km_purse *ret[KM_PAYERS_TARGETS])
{
    return d && d->has_budget
               ? km_payers_targets(call->w->gw->accounts, d->provider_name, d->budget_id, ret)
               : 0;
}

/* Does one of its budgets have less left than an attempt begins with? */
static bool is_spent(const struct km_call *call, const struct km_deployment *d)
{
    struct km_purse *v[KM_PAYERS_TARGETS];
    const size_t n = km_call_targets(call, d, v);
    const int64_t need = km_call_reserves(call) && call->each > 0 ? call->each : 1;
    bool spent = false;

    for (size_t i = 0; i < n; i++) {
        spent = spent || km_purse_left(v[i]) < need;
        km_purse_unref(v[i]);
    }
    return spent;
}

size_t km_call_leave_out_spent(const struct km_call *call, uint8_t *why)
{
    size_t left = 0;

    for (size_t i = 0; i < call->match.n; i++) {
        if (!why[i] && is_spent(call, call->match.v[i].deployment))
            why[i] = KM_LEFT_BUDGET;
        left += !why[i];
    }
    return left;
}

int km_call_all_spent(const struct km_call *call, struct km_err *err)
{
    return km_fail(err, KM_E_BUDGET,
                   "No deployments available - crossed budget: every deployment of model '%.*s' "
                   "that could serve this call, or its provider, has spent its budget "
                   "(max_budget, router_settings.provider_budget_config). Raise it, or wait until "
                   "its window ends.",
                   KM_STR_ARG(km_str_sub(call->req.model, 0, 100)));
}

bool km_call_pass_over(struct km_call *call)
{
    struct km_attempt *at = call->at;
    const size_t i = (size_t)(at->candidate - call->match.v);
    uint8_t *why = (uint8_t *)(uintptr_t)call->route.left_out; /* which.c made it of this call */

    if (!at->candidate || i >= call->match.n || !why)
        return false;
    why[i] = KM_LEFT_BUDGET;
    km_route_unpick(&call->route, at->candidate);
    at->candidate = NULL;
    at->d = NULL;
    for (size_t k = 0; k < KM_PAYERS_TARGETS; k++)
        at->pays[k] = NULL;
    return true;
}

bool km_call_has_spent_target(const struct km_call *call)
{
    for (size_t i = 0; call->route.left_out && i < call->match.n; i++)
        if (call->route.left_out[i] == KM_LEFT_BUDGET)
            return true;
    return false;
}

bool km_call_is_target_spent(const struct km_call *call)
{
    return call->err.code == KM_E_BUDGET && call->match.filters & KM_FILTER_BUDGET &&
           !call->at->money.number;
}
