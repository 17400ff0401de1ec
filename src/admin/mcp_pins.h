/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_pins.h - definitions of tools that changed, are new or hide something: seen and accepted. */
#ifndef KM_ADMIN_MCP_PINS_H
#define KM_ADMIN_MCP_PINS_H

#include "host/snapshot.h"

/* /kanmon/mcp/pins, /kanmon/mcp/pins/{server} */
extern const struct km_route_rows km_mcp_pin_routes;

#endif
