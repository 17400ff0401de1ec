/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - the HTTP side of MCP: routes of both Streamable HTTP eras and of legacy HTTP+SSE. */
#ifndef KM_GATEWAY_MCP_HTTP_H
#define KM_GATEWAY_MCP_HTTP_H

#include "host/visit.h"
#include "mcp/server/server.h"

/* The data of each route is the struct km_mcp_endpoint with the servers that are part of kanmon.
 * In their tools caller.ctx is a struct km_visit whose exchange may be gone. */
km_route_fn km_mcp_post, km_mcp_get, km_mcp_delete;
km_route_fn km_mcp_rest_list,
    km_mcp_rest_call; /* LiteLLM's /mcp-rest/tools (rest.c, rest_call.c) */
km_route_fn km_mcp_sse, km_mcp_messages; /* 2024-11-05: GET, and POST of the address it names */

#endif
