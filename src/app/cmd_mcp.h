/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_mcp.h - `kanmon mcp stdio`, `kanmon mcp tools`. */
#ifndef KM_APP_CMD_MCP_H
#define KM_APP_CMD_MCP_H

struct km_cli;

int km_cmd_mcp_stdio(struct km_cli *cli);
int km_cmd_mcp_tools(struct km_cli *cli);

#endif
