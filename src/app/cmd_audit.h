/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_audit.h - `kanmon audit ...`. */
#ifndef KM_APP_CMD_AUDIT_H
#define KM_APP_CMD_AUDIT_H

struct km_cli;

int km_cmd_audit_list(struct km_cli *cli);
int km_cmd_audit_show(struct km_cli *cli);
int km_cmd_audit_verify(struct km_cli *cli);

#endif
