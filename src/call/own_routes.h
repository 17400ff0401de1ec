/* SPDX-License-Identifier: Apache-2.0 */
/* own_routes.h - where a key's own words lead its calls (policy/key_routes.h). */
#ifndef KM_CALL_OWN_ROUTES_H
#define KM_CALL_OWN_ROUTES_H

#include "call/call.h"

/* Its key means another model by the name it asks for: call->match, whose alias_of is that; and
 * what else its key says of a call.  KM_E_INVALID: the alias leads nowhere;
 * KM_E_MODEL_DENIED: its team or user may not use the model. */
int km_call_own_alias(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* Who follows, by its key's list for such a failure; false: its key has none. */
bool km_call_own_followers(struct km_call *call, enum km_failure failure,
                           struct km_fallback_list *ret);
/* Who is asked when the budget does not have what the call may cost: its key's list, else the
 * configured one. */
struct km_fallback_list km_call_own_budget(struct km_call *call);

#endif
