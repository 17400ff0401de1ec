/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - what a call has in common with those it belongs to: its session, its key. */
#ifndef KM_CALL_SESSION_H
#define KM_CALL_SESSION_H

#include "call/call.h"

/* As its caller names it; empty: it is of none. */
struct km_str km_call_session(struct km_call *call);
/* As header fields name it, for a call that has none of its own. */
struct km_str km_session_in_head(const struct km_headers *h);
/* For policy/sticky.h: by its session, which counts within its key alone; 0: it is of none. */
uint64_t km_call_sticky_session(struct km_call *call);
/* By its key; 0: it has none. */
uint64_t km_call_sticky_key(const struct km_call *call);
/* By what its model group goes by (llm/affinity.h): the session, else the prompt, else the key;
 * 0: by none of them. */
uint64_t km_call_sticky(struct km_call *call);

#endif
