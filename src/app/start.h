/* SPDX-License-Identifier: Apache-2.0 */
/* start.h - `kanmon start`, `stop`, `restart`. */
#ifndef KM_APP_START_H
#define KM_APP_START_H

struct km_cli;

int km_cmd_start(struct km_cli *cli);
int km_cmd_stop(struct km_cli *cli);
int km_cmd_restart(struct km_cli *cli);

#endif
