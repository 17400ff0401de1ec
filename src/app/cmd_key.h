/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_key.h - `kanmon key ...`, `kanmon prices import`, `kanmon reload`, `kanmon status`. */
#ifndef KM_APP_CMD_KEY_H
#define KM_APP_CMD_KEY_H

struct km_cli;

int km_cmd_key_generate(struct km_cli *cli);
int km_cmd_key_update(struct km_cli *cli);
int km_cmd_key_list(struct km_cli *cli);
int km_cmd_key_info(struct km_cli *cli);
int km_cmd_key_delete(struct km_cli *cli);
int km_cmd_key_block(struct km_cli *cli);
int km_cmd_key_unblock(struct km_cli *cli);
int km_cmd_prices_import(struct km_cli *cli);
int km_cmd_reload(struct km_cli *cli);
int km_cmd_status(struct km_cli *cli);

#endif
