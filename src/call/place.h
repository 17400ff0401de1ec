/* SPDX-License-Identifier: Apache-2.0 */
/* place.h - an attempt's place at what it asks: had at once, or waited for in line (policy/gate.h).
 *
 *     no limit, nothing heard of one    a comparison, and no place
 *     else                              taken before anything is made for the attempt,
 *                                       given back when it is over
 *
 * Loop thread of the call's worker.
 */
#ifndef KM_CALL_PLACE_H
#define KM_CALL_PLACE_H

#include "call/call.h"
#include "policy/gate.h"

extern const struct km_module km_places_module; /* of the worker */

struct km_place_args {
    struct km_gate *gate;
    const struct km_gate_rules *rules; /* of the call's configuration */
    int64_t tokens; /* it may need, by estimate */
    /* The wait of the attempt is over, and it is to be asked again; from a callback of the loop. */
    void (*resume)(struct km_attempt *at);
};

/* A place for the attempt that is being made.  0: it has one; again is harmless.  KM_E_AGAIN:
 * args->resume follows.  KM_E_RATE_LIMITED, with retry_after_ms: the line is full, or it has waited
 * as long as it may; one beside others (a hedge) never waits. */
int km_call_take_place(struct km_call *call, const struct km_place_args *args,
                       struct km_err *err) KM_MUST_USE;
/* The attempt is over, or goes on without: its place is another's, or it stands in line no more.
 * Again is harmless. */
void km_call_leave_place(struct km_attempt *at);

/* What a deployment says of its limits in the head of an answer. */
void km_call_hear_quota(struct km_call *call, const struct km_headers *h);
/* The attempt was answered well, or with 429. */
void km_call_report_quota(struct km_call *call, enum km_outcome outcome);

#endif
