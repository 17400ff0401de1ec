/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_config.h - `kanmon config check|show|schema|docs`. */
#ifndef KM_APP_CMD_CONFIG_H
#define KM_APP_CMD_CONFIG_H

struct km_cli;

int km_cmd_config_check(struct km_cli *cli);
int km_cmd_config_show(struct km_cli *cli);
int km_cmd_config_schema(struct km_cli *cli);
int km_cmd_config_docs(struct km_cli *cli);

#endif
