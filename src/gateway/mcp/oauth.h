/* SPDX-License-Identifier: Apache-2.0 */
/* oauth.h - routes of logins at MCP servers behind kanmon (oauth.h). */
#ifndef KM_GATEWAY_MCP_OAUTH_H
#define KM_GATEWAY_MCP_OAUTH_H

#include "host/visit.h"
#include "mcp/upstream/upstream.h"

extern const struct km_route_rows km_mcp_oauth_routes;
extern const struct km_route_rows km_mcp_byok_routes; /* byok.c */

/* By name, one that the visitor may use and log in to (or leave a credential for); NULL: none. */
struct km_mcp_upstream *km_mcp_login_server(const struct km_visit *v, struct km_str name);

#endif
