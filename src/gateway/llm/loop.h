/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - a request that shows that its model calls one tool again and again with the same
 * arguments: it is answered here, by a text and no further call, so that the loop ends. */
#ifndef KM_GATEWAY_LLM_LOOP_H
#define KM_GATEWAY_LLM_LOOP_H

#include "call/hooks.h"

/* At `prepared`, behind those that put what was said before into the body. */
extern const struct km_call_hook km_loop_hook;

#endif
