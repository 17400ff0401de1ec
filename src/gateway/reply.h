/* SPDX-License-Identifier: Apache-2.0 */
/* reply.h - answers: error bodies in the caller's dialect, and the header lines of a call. */
#ifndef KM_GATEWAY_REPLY_H
#define KM_GATEWAY_REPLY_H

#include "gateway/auth.h"
#include "llm/api.h"

/* {"error":{"message","type","param","code"}}; code is the status as a string, LiteLLM's way. */
void km_error_json(const struct km_err *err, struct km_buf *out);

/* An event of a stream that says it broke. */
void km_error_event(enum km_dialect dialect, const struct km_err *err, struct km_buf *out);

/* Ends the visit's exchange with an error. */
void km_reply_error(struct km_visit *v, const struct km_err *err);
/* Ends it with JSON. */
void km_reply_json(struct km_visit *v, int status, struct km_str json);
void km_reply_text(struct km_visit *v, int status, struct km_str type, struct km_str text);

/* Retry-After and Content-Type of an error answer. */
void km_error_head(const struct km_err *err, struct km_buf *head);

#endif
