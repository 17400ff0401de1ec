/* SPDX-License-Identifier: Apache-2.0 */
/* throttle.h - calls are held back while the gateway's budget is nearly spent (cost_budget_action:
 * throttle). */
#ifndef KM_CALL_THROTTLE_H
#define KM_CALL_THROTTLE_H

#include "base/err.h"

struct km_call;

/* Of a gateway with a budget, when the call is admitted and before its hooks at `guarded`.  0: it
 * goes on; KM_E_AGAIN: it waits, and km_call_resume() follows. */
int km_call_throttle(struct km_call *call, struct km_err *err) KM_MUST_USE;

#endif
