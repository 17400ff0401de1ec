/* SPDX-License-Identifier: Apache-2.0 */
/* serve.h - the command `serve`. */
#ifndef KM_APP_SERVE_H
#define KM_APP_SERVE_H

struct km_cli;

int km_cmd_serve(struct km_cli *cli);

#endif
