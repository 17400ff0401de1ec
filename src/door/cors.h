/* SPDX-License-Identifier: Apache-2.0 */
/* cors.h - what browsers ask before pages of another origin may call: preflights and headers. */
#ifndef KM_DOOR_CORS_H
#define KM_DOOR_CORS_H

#include "host/visit.h"

/* true: the request was a preflight of an origin that may, and is answered. */
bool km_cors_preflight(struct km_visit *v);
/* Has the answer to come say that the page may read it, where it may. */
void km_cors_allow(struct km_visit *v);

#endif
