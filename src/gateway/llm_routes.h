/* SPDX-License-Identifier: Apache-2.0 */
/* llm_routes.h - the routes LLM clients know. */
#ifndef KM_GATEWAY_LLM_ROUTES_H
#define KM_GATEWAY_LLM_ROUTES_H

#include "host/snapshot.h"

extern const struct km_route_rows km_llm_routes;
extern const struct km_route_rows km_media_routes; /* media_call.c */
extern const struct km_route_rows km_realtime_routes; /* realtime/call.c */

#endif
