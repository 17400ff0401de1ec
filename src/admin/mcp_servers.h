/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_servers.h - MCP servers added, changed and removed while the gateway runs. */
#ifndef KM_ADMIN_MCP_SERVERS_H
#define KM_ADMIN_MCP_SERVERS_H

#include "host/snapshot.h"

/* POST, PUT /v1/mcp/server; DELETE /v1/mcp/server/{server} */
extern const struct km_route_rows km_mcp_server_routes;

#endif
