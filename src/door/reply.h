/* SPDX-License-Identifier: Apache-2.0 */
/* reply.h - whole answers to a visit: an error in its caller's dialect, JSON, text. */
#ifndef KM_DOOR_REPLY_H
#define KM_DOOR_REPLY_H

#include "host/visit.h"

/* Ends the visit's exchange with an error. */
void km_reply_error(struct km_visit *v, const struct km_err *err);
/* Ends it with JSON. */
void km_reply_json(struct km_visit *v, int status, struct km_str json);
void km_reply_text(struct km_visit *v, int status, struct km_str type, struct km_str text);

#endif
