/* SPDX-License-Identifier: Apache-2.0 */
/* own.h - what the gateway asks models for its own ends: health checks, shadows of calls. */
#ifndef KM_GATEWAY_LLM_OWN_H
#define KM_GATEWAY_LLM_OWN_H

#include "host/visit.h"

/* A visit that nobody made, at this worker; in the arena, which holds its view.  NULL: no
 * memory. */
struct km_visit *km_own_visit(struct km_worker *w, struct km_arena *arena);

#endif
