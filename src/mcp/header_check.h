/* SPDX-License-Identifier: Apache-2.0 */
/* header_check.h - the headers of MCP over HTTP: media types, and those of the stateless era that
 * repeat the message.  They are compared and never believed: the body decides. */
#ifndef KM_MCP_HEADER_CHECK_H
#define KM_MCP_HEADER_CHECK_H

#include "http/message.h"
#include "mcp/jsonrpc.h"

/* application/json, with any parameters. */
bool km_http_is_json(struct km_str content_type);
/* Does one of the listed media types cover this one?  Without an Accept header: yes. */
bool km_http_accepts(const struct km_headers *headers, struct km_str type);

/* Mcp-Method and Mcp-Name (params.name, params.uri or params.taskId, as the method has it) against
 * the message.  NULL: they agree; else what to say. */
const char *km_mcp_header_mismatch(const struct km_headers *headers,
                                   const struct km_rpc_message *msg);

/* Mcp-Param-*: what the tool's inputSchema marks with "x-mcp-header" against the arguments.  schema
 * and args may be NULL. */
const char *km_mcp_param_mismatch(struct km_arena *arena, const struct km_headers *headers,
                                  const struct km_json *schema, const struct km_json *args);

/* Is any Mcp-Param-* there? */
bool km_mcp_has_params(const struct km_headers *headers);

/* Are the marks of a tool's inputSchema as they must be: on properties of a plain type that every
 * call has at the same place, each with a header name of its own?  A client leaves out a tool whose
 * marks are not (2026-07-28, custom headers). */
bool km_mcp_param_marks_valid(const struct km_json *schema);

#endif
