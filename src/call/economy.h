/* SPDX-License-Identifier: Apache-2.0 */
/* economy.h - the cheapest that is good enough, for a call (policy/economy.h). */
#ifndef KM_CALL_ECONOMY_H
#define KM_CALL_ECONOMY_H

#include "call/call.h"

/* Its rule names substitutes: call->match is of the group, of these and its own, that has the
 * cheapest deployment within the limits.  Its own where none has one. */
void km_call_choose_substitute(struct km_call *call);
/* Is the gateway's budget past its threshold, and its action `cheaper`? */
bool km_call_seeks_cheaper(const struct km_call *call);
/* call->route.scores: its group's, for the router.  Filters have looked at it. */
int km_call_score_costs(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* What was decided, in a few words: "cheapest of 3, slow=1"; empty: nothing. */
struct km_str km_call_economy(const struct km_call *call);

#endif
