/* SPDX-License-Identifier: Apache-2.0 */
/* reply.h - answers: error bodies in the caller's dialect, and the header lines of a call. */
#ifndef KM_GATEWAY_REPLY_H
#define KM_GATEWAY_REPLY_H

#include "gateway/auth.h"

/* Whose errors a path's callers understand, before anything else is known of the request. */
enum km_dialect km_dialect_of(struct km_str path);

/* An error as a body.  id: of the call, or empty.
 *     OpenAI     {"error":{"message","type","param","code"}}; code is the reason, or the status
 *                as a string, LiteLLM's way
 *     Anthropic  {"type":"error","error":{"type","message"},"request_id"}
 *     Google     {"error":{"code","message","status"}} */
void km_error_json(enum km_dialect dialect, const struct km_err *err, struct km_str id,
                   struct km_buf *out);
/* An event of a stream that says it broke. */
void km_error_event(enum km_dialect dialect, const struct km_err *err, struct km_str id,
                    struct km_buf *out);
/* Content-Type, Retry-After and the like of an error answer. */
void km_error_head(const struct km_err *err, struct km_buf *head);
/* Under which names the call's id goes to the client. */
void km_id_lines(const struct km_visit *v, struct km_buf *head);

/* Ends the visit's exchange with an error. */
void km_reply_error(struct km_visit *v, const struct km_err *err);
/* Ends it with JSON. */
void km_reply_json(struct km_visit *v, int status, struct km_str json);
void km_reply_text(struct km_visit *v, int status, struct km_str type, struct km_str text);

#endif
