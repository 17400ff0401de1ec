/* SPDX-License-Identifier: Apache-2.0 */
/* answers.h - answers that callers go on from by id: kept, found again, forgotten. */
#ifndef KM_KEPT_ANSWERS_H
#define KM_KEPT_ANSWERS_H

#include "call/call.h"
#include "call/hooks.h"

/* At `prepared`: a call that names an earlier answer gets a body with what was said before. */
extern const struct km_call_hook km_answers_hook;

/* Items of the body's `input` that came with the earlier answer; 0: none did. */
size_t km_answers_said_before(const struct km_call *call);

/* Of an answer as the client gets it: kept before it does, and may go on from it; unless the caller
 * does not want it, or it failed. */
extern const struct km_call_unit km_answers_unit;

/* GET and DELETE of an answer; the route's parameter is its id. */
void km_answers_get(void *visit, struct km_exchange *x, const struct km_route_match *match);
void km_answers_delete(void *visit, struct km_exchange *x, const struct km_route_match *match);

#endif
