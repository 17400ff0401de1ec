/* SPDX-License-Identifier: Apache-2.0 */
/* forward.h - which header fields go along where a message is passed on: the table of http/fields
 * and what one message, one caller and one configuration say besides. */
#ifndef KM_CALL_FORWARD_H
#define KM_CALL_FORWARD_H

#include "host/visit.h"
#include "http/fields.h"

/* A client's field goes along that way, unless its Connection names it, it is the caller's key to
 * us, or it is set in `own`, lines that the configuration made. */
bool km_may_forward(const struct km_visit *v, const struct km_headers *all, struct km_str own,
                    struct km_str name, enum km_way way);

/* An upstream's field goes to the client by its own name. */
bool km_may_answer(const struct km_headers *all, struct km_str name);

/* The lines have a field of this name. */
bool km_lines_have(struct km_str lines, struct km_str name);

#endif
