/* SPDX-License-Identifier: Apache-2.0 */
/* builtin.h - a server that is part of kanmon, as a catalogue like every other server's. */
#ifndef KM_MCP_BUILTIN_H
#define KM_MCP_BUILTIN_H

#include "mcp/server.h"
#include "mcp/upstream.h"

/* A reference; NULL: no memory.  admin: with the tools that are the administrator's. */
struct km_mcp_catalogue *km_mcp_builtin_catalogue(const struct km_mcp_server *server, bool admin);

#endif
