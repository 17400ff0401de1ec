/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_budget.c - see gateway_budget.h for the contract.
 *
 * What a call holds is what its key's budget would: km_broker_reserved().  A call without a key is
 * asked as any other.
 */
#include "call/gateway_budget.h"

#include "policy/gateway_budget.h"

/* Its counters are those of this process. */
static inline bool counts_here(const struct km_call *call)
{
    return call->w->gw->budget && !call->w->frozen;
}

static enum km_budget_mode mode_of(const struct km_call *call)
{
    return (enum km_budget_mode)call->visit->view->snap->keys->budget_mode;
}

bool km_call_is_budgeted(const struct km_call *call)
{
    return km_call_has_budget(call) ||
           (call->visit->who.key && km_gateway_budget_blocks(call->w->gw->budget));
}

int km_call_hold_gateway(struct km_call *call, int64_t reserve, struct km_err *err)
{
    const int64_t more = reserve - call->hold.gateway;
    int r = 0;

    if (!counts_here(call) || !km_gateway_budget_blocks(call->w->gw->budget))
        return 0;
    if (more > 0 || mode_of(call) == KM_BUDGET_LITELLM)
        r = km_gateway_budget_take(call->w->gw->budget, more, mode_of(call), km_wall_us(), err);
    else
        km_gateway_budget_settle(call->w->gw->budget, -more, 0, 0);
    if (r == 0)
        call->hold.gateway = reserve;
    return r;
}

int km_call_take_gateway(struct km_call *call, struct km_err *err)
{
    if (call->kind->outer || call->kind->own)
        return 0;
    return km_call_hold_gateway(call, km_broker_reserved(call), err);
}

int km_call_look_gateway(struct km_call *call, struct km_err *err)
{
    int r = km_call_take_gateway(call, err);

    if (r == 0)
        km_call_settle_gateway(call, 0);
    return r;
}

/* By the clock of the call's start, as the ledger's row has it. */
static int64_t end_of(const struct km_call *call)
{
    return call->total_ns ? call->start_us + (int64_t)(call->total_ns / 1000) : km_wall_us();
}

void km_call_settle_gateway(struct km_call *call, int64_t cost)
{
    const int64_t reserved = call->hold.gateway;

    if (!counts_here(call))
        return;
    call->hold.gateway = 0;
    km_gateway_budget_settle(call->w->gw->budget, reserved, cost, end_of(call));
}

void km_call_charge_gateway(const struct km_call *call, int64_t cost)
{
    if (counts_here(call))
        km_gateway_budget_settle(call->w->gw->budget, 0, cost, end_of(call));
}
