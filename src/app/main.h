/* SPDX-License-Identifier: Apache-2.0 */
/* main.h - what main() calls. */
#ifndef KM_APP_MAIN_H
#define KM_APP_MAIN_H

/* Reads the command line and runs its command.  Returns the exit code. */
int km_cli_main(int argc, char **argv);

#endif
