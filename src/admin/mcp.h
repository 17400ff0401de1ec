/* SPDX-License-Identifier: Apache-2.0 */
/* mcp.h - routes about the MCP servers behind the gateway: how they are, their logs, by hand. */
#ifndef KM_ADMIN_MCP_H
#define KM_ADMIN_MCP_H

#include "http/server.h"

struct km_admin;
struct km_mcp_upstream;

extern const struct km_route_rows km_mcp_admin_routes;
extern const struct km_route_rows km_mcp_log_routes; /* mcp_log.c */
extern const struct km_route_rows km_mcp_name_routes; /* mcp_names.c */

/* By its name, alias or id; referenced.  NULL with err, which says what was probably meant. */
struct km_mcp_upstream *km_mcp_admin_find(struct km_admin *a, struct km_str name,
                                          struct km_err *err);

#endif
