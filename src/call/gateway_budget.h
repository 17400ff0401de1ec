/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_budget.h - what a call has of the gateway's own budget (policy/gateway_budget.h).
 *
 *     take      before its key's permit: a window that blocks may refuse it
 *     more      with each further reservation
 *     settle    at its end, whatever ended it; of a session with each of its parts, too
 *
 * While another process holds the counters it asks and tells that one (policy/key_handover.c), so
 * nothing is taken or charged here.  A gateway without such a budget pays one comparison.
 */
#ifndef KM_CALL_GATEWAY_BUDGET_H
#define KM_CALL_GATEWAY_BUDGET_H

#include "call/call.h"

/* May what is left of a budget, its key's, an account's or the gateway's, bound it?  Not of a call
 * without a key: nothing more is asked for while it runs. */
bool km_call_is_budgeted(const struct km_call *call);

/* KM_E_BUDGET; again after a refusal is as the first time. */
int km_call_take_gateway(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* Would it? */
int km_call_look_gateway(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* What it holds becomes so much; KM_E_BUDGET: it is as it was. */
int km_call_hold_gateway(struct km_call *call, int64_t reserve, struct km_err *err) KM_MUST_USE;
/* All that it holds is given back. */
void km_call_settle_gateway(struct km_call *call, int64_t cost);
/* A part of it is done. */
void km_call_charge_gateway(const struct km_call *call, int64_t cost);

#endif
