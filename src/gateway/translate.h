/* SPDX-License-Identifier: Apache-2.0 */
/* translate.h - an attempt whose upstream speaks another protocol than the caller. */
#ifndef KM_GATEWAY_TRANSLATE_H
#define KM_GATEWAY_TRANSLATE_H

#include "gateway/call.h"

/* Fills call->out from the caller's body, by way of the canonical chat; makes call->tr. */
int km_translate_attempt(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* A good head came: a stream is relayed as it comes, anything else gathered. */
void km_translate_head(struct km_call *call, const struct km_response *response);
int km_translate_feed(struct km_call *call, const char *bytes, size_t n,
                      struct km_err *err) KM_MUST_USE;
/* The upstream ended as its transport should. */
int km_translate_complete(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* The last bytes of a stream that is complete, or that broke (call->err says why). */
void km_translate_end(struct km_call *call, struct km_buf *out);
void km_translate_cut(struct km_call *call, struct km_buf *out);
/* What was used so far; false: nothing of an answer was understood. */
bool km_translate_usage(const struct km_call *call, struct km_usage *ret);

/* The attempt is over: gives back what it held; its memory is the call's.  NULL. */
struct km_translation *km_translation_free(struct km_translation *tr);

/* What lives until the upstream has taken the request. */
struct km_arena *km_translation_arena(struct km_translation *tr);

/* --- llm_call.c --- */

/* Most output tokens to ask the deployment for, because of a budget; -1: as the caller said. */
int64_t km_call_bound(const struct km_call *call);
/* call->out to the deployment, but for its target. */
void km_call_request(struct km_call *call, const struct km_str *parts, size_t n);

#endif
