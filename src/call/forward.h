/* SPDX-License-Identifier: Apache-2.0 */
/* forward.h - which header fields of a client go along where its request is passed on. */
#ifndef KM_CALL_FORWARD_H
#define KM_CALL_FORWARD_H

#include "host/visit.h"

/* Framing, hops and credentials are ours; everything else may go along. */
bool km_never_forwarded(const struct km_headers *all, struct km_str name);

/* A client's field goes along unless it is ours, its key to us, or set in `own`, lines that the
 * configuration made. */
bool km_may_forward(const struct km_visit *v, const struct km_headers *all, struct km_str own,
                    struct km_str name);

/* The lines have a field of this name. */
bool km_lines_have(struct km_str lines, struct km_str name);

#endif
