/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the program: a shim when it was re-executed as one, else the command line. */
#include <string.h>

#include "app/cli.h"
#include "app/main.h"
#include "sys/shim.h"
#include "sys/signals.h"

int main(int argc, char **argv)
{
    km_signals_restore();
    if (argc > 1 && strcmp(argv[1], "--shim") == 0)
        return km_shim_main(argc, argv);
    return km_cli_main(km_app_commands, argc, argv);
}
