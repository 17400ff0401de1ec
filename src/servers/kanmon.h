/* SPDX-License-Identifier: Apache-2.0 */
/* kanmon.h - the built-in MCP server `kanmon`: what a model may ask about its own gateway. */
#ifndef KM_SERVERS_KANMON_H
#define KM_SERVERS_KANMON_H

#include "mcp/server/server.h"

extern const struct km_mcp_server km_mcp_server_kanmon;

#endif
