/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - what kinds of call share that ask a model: what the caller's request says of it,
 * the request to a deployment, the head of its answer. */
#ifndef KM_CALL_MODEL_H
#define KM_CALL_MODEL_H

#include "call/call.h"

/* The model named by /openai/deployments/{model}/... and /engines/{model}/...; empty: none. */
int km_call_path_model(struct km_call *call, struct km_str *ret, struct km_err *err) KM_MUST_USE;
/* KM_E_MEDIA_TYPE: its body says that it is no JSON. */
int km_call_check_type(const struct km_call *call, struct km_err *err) KM_MUST_USE;
/* What LiteLLM's clients may say in the head; the body's word is the later one and stays. */
void km_call_read_head(struct km_call *call);
/* call->match for call->req.model, where this key may use it. */
int km_call_find_model(struct km_call *call, struct km_err *err) KM_MUST_USE;

/* Tokens the answer is bounded to because of a budget, where the deployment's own are not fewer;
 * -1: not bounded. */
int64_t km_call_bound(const struct km_call *call);
/* Where the upstream has what the caller asks for: below its base path; in the call's arena. */
struct km_str km_call_target(struct km_call *call);
/* call->at->out to the deployment, but for its target. */
void km_call_request(struct km_call *call, const struct km_str *parts, size_t n);
/* Has it refused stream_options, now or once before? */
bool km_call_no_stream_options(const struct km_call *call);
/* The same with the caller's body, edited by span: the upstream speaks what the caller speaks. */
int km_call_pass_on(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* May the caller's anthropic-beta go on as it is?  *ret_json: as a member of the body, where the
 * deployment has betas there. */
bool km_call_betas(struct km_call *call, struct km_str *ret_json);

/* call->at->head and ->coding of a good answer. */
void km_call_answer_head(struct km_call *call, const struct km_response *response);
/* The error of an answer with a coding. */
int km_call_compressed(const struct km_call *call, struct km_err *err) KM_MUST_USE;
/* call->parts is this one; none without memory. */
void km_call_one_part(struct km_call *call, struct km_str body);

#endif
