/* SPDX-License-Identifier: Apache-2.0 */
/* main.h - what main() calls. */
#ifndef KM_APP_MAIN_H
#define KM_APP_MAIN_H

struct km_command;

/* Reads the command line and runs its command, one of these (name NULL ends).  Returns the exit
 * code. */
int km_cli_main(const struct km_command *commands, int argc, char **argv);

#endif
