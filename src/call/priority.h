/* SPDX-License-Identifier: Apache-2.0 */
/* priority.h - a call's class in the lines it may have to wait in (policy/queue.h).
 *
 *     km_call_set_priority()             else header x-kanmon-priority
 *       else the body's `priority`       else the key's `priority`, else the configured default
 *     and never above the key's `priority_ceiling`
 *
 * Found when it is first asked for, which is when the call waits: a call that never does pays
 * nothing.  Loop thread of the call's worker.
 */
#ifndef KM_CALL_PRIORITY_H
#define KM_CALL_PRIORITY_H

#include "policy/queue.h"

struct km_call;
struct km_shares;

/* It was asked for in a place of its own (an execution object, MCP's _meta).  Before the call
 * waits; it is lowered to what its key may have, and that is no error. */
void km_call_set_priority(struct km_call *call, enum km_priority asked);
/* Never UNSAID. */
enum km_priority km_call_priority(struct km_call *call);
/* Which of the reserved shares is its key's, by its `priority`; s->n: none of them. */
unsigned km_call_share(const struct km_call *call, const struct km_shares *s);

#endif
