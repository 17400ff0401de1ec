/* SPDX-License-Identifier: Apache-2.0 */
/* part.h - private to mcp/: what server.c and call.c share. */
#ifndef KM_MCP_SERVER_PART_H
#define KM_MCP_SERVER_PART_H

#include "mcp/server/server.h"

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
/* Ends it with a result that is ready-made JSON, or with a protocol error, and with its record
 * where it is a tool's; data as in km_rpc_error. */
void km_mcp_end_raw(struct km_mcp_call *call, const char *outcome, struct km_str result);
void km_mcp_end_fault(struct km_mcp_call *call, enum km_rpc_fault fault, const char *outcome,
                      const char *text, struct km_str data);

/* rows.c: the methods of resources and prompts; false when no server there has such rows, or the
 * method is another one. */
bool km_mcp_rows(struct km_mcp_call *call);
/* ,"resources":{...},"prompts":{...}: what the rows of the endpoint's servers come to. */
void km_mcp_put_row_capabilities(const struct km_mcp_call *call, struct km_buf *out);

/* ask.c: takes what a stateless client brings from the round before, then runs fn.  It may be run
 * again: see km_mcp_call_ask(). */
void km_mcp_run(struct km_mcp_call *call, km_mcp_tool_fn *fn);
/* The tool or the row has failed with a text. */
void km_mcp_run_failed(struct km_mcp_call *call, const struct km_err *err);

#endif
