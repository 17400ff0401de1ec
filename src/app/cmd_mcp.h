/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_mcp.h - `kanmon mcp ...`: a file a family of commands. */
#ifndef KM_APP_CMD_MCP_H
#define KM_APP_CMD_MCP_H

#include <stdio.h>

#include "http/json.h"

struct km_cli;

/* cmd_mcp_stdio.c */
int km_cmd_mcp_stdio(struct km_cli *cli);

/* cmd_mcp_setup.c */
int km_cmd_mcp_import(struct km_cli *cli);
int km_cmd_mcp_config(struct km_cli *cli);

/* cmd_mcp_servers.c */
int km_cmd_mcp_list(struct km_cli *cli);
int km_cmd_mcp_status(struct km_cli *cli);
int km_cmd_mcp_start(struct km_cli *cli);
int km_cmd_mcp_stop(struct km_cli *cli);
int km_cmd_mcp_restart(struct km_cli *cli);
int km_cmd_mcp_login(struct km_cli *cli);
/* One tool that is not as it was: "github: tool 'list_issues' is changed ["hidden_characters"]"; or
 * something else that is flagged. */
void km_mcp_print_alert(FILE *to, const struct km_json *t, struct km_arena *arena);

/* cmd_mcp_logs.c */
int km_cmd_mcp_logs(struct km_cli *cli);

/* cmd_mcp_approve.c */
int km_cmd_mcp_approve(struct km_cli *cli);

/* cmd_mcp.c */
int km_cmd_mcp_tools(struct km_cli *cli);
int km_cmd_mcp_resources(struct km_cli *cli);
int km_cmd_mcp_prompts(struct km_cli *cli);
int km_cmd_mcp_call(struct km_cli *cli);

#define KM_MCP_TARGET_BYTES 256
/* "/mcp", or "/mcp/NAME" with --server.  0 or an exit code. */
int km_mcp_target(struct km_cli *cli, char out[KM_MCP_TARGET_BYTES]);
/* Mcp-Name, encoded where a header cannot hold it. */
int km_mcp_header_name(struct km_buf *head, struct km_str name, struct km_err *err) KM_MUST_USE;

#endif
