/* SPDX-License-Identifier: Apache-2.0 */
/* oauth.h - routes of logins at MCP servers behind kanmon (oauth.h). */
#ifndef KM_GATEWAY_MCP_OAUTH_H
#define KM_GATEWAY_MCP_OAUTH_H

#include "gateway/gateway.h"

extern const struct km_route_rows km_mcp_oauth_routes;

#endif
