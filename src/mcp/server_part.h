/* SPDX-License-Identifier: Apache-2.0 */
/* server_part.h - private to mcp/: what server.c and server_call.c share. */
#ifndef KM_MCP_SERVER_PART_H
#define KM_MCP_SERVER_PART_H

#include "mcp/server.h"

/* Ends the call with a result that is ready-made JSON. */
void km_mcp_reply_result(struct km_mcp_call *call, struct km_str result);
/* ,"_meta":{serverInfo} where the era has it; and the comma before it. */
void km_mcp_put_meta(const struct km_mcp_call *call, struct km_buf *out);
/* {"name","title","version"} */
void km_mcp_put_identity(const struct km_mcp_call *call, struct km_buf *out);

/* What the revision knows of a tool, and nothing it does not. */
void km_mcp_put_tool(const struct km_mcp_revision *revision, struct km_str name,
                     const struct km_mcp_tool *tool, struct km_buf *out);

/* "kanmon-list_models", or "list_models" where names are bare. */
struct km_str km_mcp_wire_name(const struct km_mcp_call *call, const struct km_mcp_server *server,
                               const struct km_mcp_tool *tool);
bool km_mcp_visible(const struct km_mcp_call *call, const struct km_mcp_tool *tool);

/* The method tools/call. */
void km_mcp_tools_call(struct km_mcp_call *call);

#endif
