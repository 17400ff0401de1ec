/* SPDX-License-Identifier: Apache-2.0 */
/* execution.h - what a caller says of how its request is carried out, on a call: for its kind. */
#ifndef KM_CALL_EXECUTION_H
#define KM_CALL_EXECUTION_H

#include "base/err.h"
#include "base/str.h"

struct km_buf;
struct km_call;
struct km_execution;

/* call->execution, of the head of a request and of call->req.execution; NULL where they say
 * nothing.  Before the model is looked for.  Again is fine. */
int km_call_read_execution(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* For a kind that reads it elsewhere: takes it over, in the call's arena. */
int km_call_set_execution(struct km_call *call, struct km_execution *x,
                          struct km_err *err) KM_MUST_USE;
/* For a body that is no API's of ours: if it is a JSON object with the member, that is
 * call->req.execution, and call->body is without it. */
int km_call_cut_execution(struct km_call *call, struct km_err *err) KM_MUST_USE;
bool km_call_is_dry(const struct km_call *call); /* it is only tried: dry.h */
/* Milliseconds that the whole call may take, where `ms` are configured; 0: no such bound is. */
int64_t km_call_bound_time(const struct km_call *call, int64_t ms);
/* Says in the head of its answer what was not done as it was asked for. */
void km_call_execution_line(const struct km_call *call, struct km_buf *head);

#endif
