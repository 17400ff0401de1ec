/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_servers.h - MCP servers added, changed and removed while the gateway runs. */
#ifndef KM_ADMIN_MCP_SERVERS_H
#define KM_ADMIN_MCP_SERVERS_H

#include "base/setting.h"
#include "host/snapshot.h"

struct km_mcp_server_settings { /* kanmon_settings */
    bool add_commands; /* mcp_add_commands: they may name programs and variables of ours */
};

extern const struct km_settings_table km_mcp_server_settings_table;
/* POST, PUT /v1/mcp/server; DELETE /v1/mcp/server/{server} */
extern const struct km_route_rows km_mcp_server_routes;

#endif
