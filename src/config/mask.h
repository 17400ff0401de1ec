/* SPDX-License-Identifier: Apache-2.0 */
/* mask.h - which part of a line may be shown, and which names stand before secrets. */
#ifndef KM_CONFIG_MASK_H
#define KM_CONFIG_MASK_H

#include "base/str.h"

#define KM_MASK "********"

/* Whether a setting of this name usually holds a secret: api_key, aws_session_token ... */
bool km_mask_name(struct km_str name);

/* The byte of `line` (one line, no end) from which nothing may be shown, or line.n.  `open` is
 * set when the secret may go on in the lines below (a block or an unclosed quote). */
size_t km_mask_from(struct km_str line, bool *ret_open);

#endif
