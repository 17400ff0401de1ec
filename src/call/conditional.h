/* SPDX-License-Identifier: Apache-2.0 */
/* conditional.h - a call goes to another model group than the one it asks for, by rule. */
#ifndef KM_CALL_CONDITIONAL_H
#define KM_CALL_CONDITIONAL_H

#include "call/call.h"

/* call->match is of where the rules of the configuration lead a call that may have the model it
 * asks for; call->rule says which.  It stays where no rule holds, or its key may not use the
 * target.  The same verdict each time it is asked of a call. */
void km_call_take_rule(struct km_call *call);

#endif
