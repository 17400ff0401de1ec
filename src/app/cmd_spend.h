/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_spend.h - `kanmon spend ...`. */
#ifndef KM_APP_CMD_SPEND_H
#define KM_APP_CMD_SPEND_H

struct km_cli;

int km_cmd_spend_holds(struct km_cli *cli);
int km_cmd_spend_release(struct km_cli *cli);
int km_cmd_spend_correct(struct km_cli *cli);

#endif
