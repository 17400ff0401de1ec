/* SPDX-License-Identifier: Apache-2.0 */
/* mcp.h - routes about the MCP servers behind the gateway: how they are, their logs, by hand. */
#ifndef KM_ADMIN_MCP_H
#define KM_ADMIN_MCP_H

#include "host/snapshot.h"

extern const struct km_route_rows km_mcp_admin_routes;

#endif
