/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_http.h - MCP's Streamable HTTP for the server core: POST, one message, a JSON answer. */
#ifndef KM_GATEWAY_MCP_HTTP_H
#define KM_GATEWAY_MCP_HTTP_H

#include "gateway/auth.h"
#include "mcp/server.h"

/* The handler of a route whose data is a struct km_mcp_endpoint.  In its tools caller.ctx is the
 * struct km_visit.  GET and DELETE need no row: the router answers 405 with Allow: POST. */
km_route_fn km_mcp_post;

#endif
