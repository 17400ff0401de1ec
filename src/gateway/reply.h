/* SPDX-License-Identifier: Apache-2.0 */
/* reply.h - answers: error bodies in the caller's dialect, and the header lines of a call. */
#ifndef KM_GATEWAY_REPLY_H
#define KM_GATEWAY_REPLY_H

#include "gateway/auth.h"
#include "llm/dialect.h"

/* Under which names the call's id goes to the client. */
void km_id_lines(const struct km_visit *v, struct km_buf *head);

/* Ends the visit's exchange with an error. */
void km_reply_error(struct km_visit *v, const struct km_err *err);
/* Ends it with JSON. */
void km_reply_json(struct km_visit *v, int status, struct km_str json);
void km_reply_text(struct km_visit *v, int status, struct km_str type, struct km_str text);

#endif
