/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_doctor.h - `kanmon doctor`: is anything wrong with this gateway and its machine? */
#ifndef KM_APP_CMD_DOCTOR_H
#define KM_APP_CMD_DOCTOR_H

struct km_cli;

/* 0: nothing is wrong; KM_EXIT_FOUND: something is. */
int km_cmd_doctor(struct km_cli *cli);

#endif
