/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_routes.h - where MCP clients connect: /mcp for all servers, /mcp/{server} for one. */
#ifndef KM_SERVERS_MCP_ROUTES_H
#define KM_SERVERS_MCP_ROUTES_H

#include "host/snapshot.h"

extern const struct km_route_rows km_mcp_routes;

#endif
