/* SPDX-License-Identifier: Apache-2.0 */
/* control.h - routes that operate the gateway itself: reload, status, events, prices. */
#ifndef KM_ADMIN_CONTROL_H
#define KM_ADMIN_CONTROL_H

#include "host/snapshot.h"

extern const struct km_route_rows km_control_routes;

#endif
