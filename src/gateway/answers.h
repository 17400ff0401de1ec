/* SPDX-License-Identifier: Apache-2.0 */
/* answers.h - answers that callers go on from by id: kept, found again, forgotten. */
#ifndef KM_GATEWAY_ANSWERS_H
#define KM_GATEWAY_ANSWERS_H

#include "call/call.h"
#include "call/hooks.h"

/* At `prepared`: a call that names an earlier answer gets a body with what was said before. */
extern const struct km_call_hook km_answers_hook;

/* Items of the body's `input` that came with the earlier answer; 0: none did. */
size_t km_answers_said_before(const struct km_call *call);

/* Keeps an answer, unless the caller does not want it or it failed.  response: its object. */
void km_answers_keep(struct km_call *call, struct km_str response);
/* The same, from the last events of a stream. */
void km_answers_keep_events(struct km_call *call, struct km_str events);

/* GET and DELETE of an answer; the route's parameter is its id. */
void km_answers_get(void *visit, struct km_exchange *x, const struct km_route_match *match);
void km_answers_delete(void *visit, struct km_exchange *x, const struct km_route_match *match);

#endif
