/* SPDX-License-Identifier: Apache-2.0 */
/* manage.h - LiteLLM's lists of MCP servers: /v1/mcp/server and /v1/mcp/access_groups.
 *
 * What is configured and how it is, for whoever may use it; see manage.c.  The control of
 * servers by hand is the administrator's (admin/mcp.h).
 */
#ifndef KM_GATEWAY_MCP_MANAGE_H
#define KM_GATEWAY_MCP_MANAGE_H

#include "host/gateway.h"

/* One server as LiteLLM shows it: no secret; address and command for the administrator alone. */
void km_mcp_manage_json(const struct km_mcp_upstream *u, bool admin, struct km_str principal,
                        struct km_buf *out);

extern const struct km_route_rows km_mcp_manage_routes;

#endif
