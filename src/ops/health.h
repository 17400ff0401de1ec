/* SPDX-License-Identifier: Apache-2.0 */
/* health.h - is it alive, is it ready, what does it count: the routes probes and scrapers ask. */
#ifndef KM_OPS_HEALTH_H
#define KM_OPS_HEALTH_H

#include "host/snapshot.h"

extern const struct km_route_rows km_health_routes;

#endif
