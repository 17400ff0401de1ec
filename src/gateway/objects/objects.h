/* SPDX-License-Identifier: Apache-2.0 */
/* objects.h - files and batches: OpenAI's endpoints for what a caller keeps at an upstream. */
#ifndef KM_GATEWAY_OBJECTS_H
#define KM_GATEWAY_OBJECTS_H

#include "host/snapshot.h"

extern const struct km_route_rows km_object_routes;

#endif
