/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_postgres.h - `kanmon mcp postgres`. */
#ifndef KM_APP_CMD_POSTGRES_H
#define KM_APP_CMD_POSTGRES_H

struct km_cli;

int km_cmd_mcp_postgres(struct km_cli *cli);

#endif
