/* SPDX-License-Identifier: Apache-2.0 */
/* made.h - what a provider makes in passing, by an answer, and keeps for the next call. */
#ifndef KM_GATEWAY_MADE_H
#define KM_GATEWAY_MADE_H

#include "call/call.h"

/* Containers and files of a whole answer (Responses, Messages) that is passed on are the calling
 * key's from now on.  Does not wait; whoever asks the store after it finds them.  Loop thread. */
void km_made_keep(struct km_call *call, struct km_str answer);
/* The same of one event of a stream of Messages, before the client has it. */
void km_made_keep_event(struct km_call *call, const struct km_sse_event *event);

#endif
