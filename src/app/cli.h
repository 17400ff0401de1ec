/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h - commands are rows of one table; a file a command (or a family of them).
 *
 * stdout carries data, stderr messages.  Exit codes are the same everywhere (km_exit).
 */
#ifndef KM_APP_CLI_H
#define KM_APP_CLI_H

#include <stdio.h>

#include "base/buf.h"
#include "base/setting.h"
#include "gateway/snapshot.h"

enum km_exit {
    KM_EXIT_OK = 0,
    KM_EXIT_FAILURE = 1,
    KM_EXIT_USAGE = 2,
    KM_EXIT_NOT_RUNNING = 3,
    KM_EXIT_DENIED = 4,
    KM_EXIT_CONFIG = 5,
    KM_EXIT_UNREACHABLE = 6,
    KM_EXIT_FOUND = 7, /* a check found problems */
    KM_EXIT_TIMEOUT = 8,
};

/* An option of a command.  Every option may also come as KANMON_<NAME>, flag first. */
struct km_option {
    const char *name; /* "config": --config; '-' and '_' are the same */
    const char *arg; /* "FILE"; NULL: a switch */
    const char *help;
    char letter; /* short form, or 0 */
};

struct km_cli;

struct km_command {
    const char *name; /* "serve", "key generate" */
    const char *summary; /* one line */
    const char *args; /* positional ones, for the usage line: "[FILE]" */
    const char *examples; /* shown first in the help; lines */
    const struct km_option *options; /* own ones; name NULL ends; may be NULL */
    int (*run)(struct km_cli *cli); /* an exit code */
};

#define KM_CLI_ARGS 64

struct km_cli {
    const struct km_command *command;
    const char *argv0;
    const char *args[KM_CLI_ARGS]; /* positional */
    size_t nargs;
    struct {
        const struct km_option *option;
        const char *value; /* "" for a switch */
    } given[KM_CLI_ARGS];
    size_t ngiven;
    char socket[700]; /* of the gateway, once client.c has found it; empty: not yet */
    bool colour; /* stdout is a terminal and nobody objects */
};

/* The value of an option (flag, else KANMON_<NAME>), or NULL. A switch that is on gives "". */
const char *km_cli_option(const struct km_cli *cli, const char *name);
static inline bool km_cli_flag(const struct km_cli *cli, const char *name)
{
    return km_cli_option(cli, name) != NULL;
}

/* "error: ..." on stderr and the exit code that fits err->code. */
int km_cli_fail(const struct km_cli *cli, const struct km_err *err);
int km_cli_usage(const struct km_cli *cli, const char *fmt, ...) KM_PRINTF(2, 3);

/* Appends a file a command is given; "-": standard input.  KM_E_LIMIT past the limit of out. */
int km_cli_read(const char *path, struct km_buf *out, struct km_err *err) KM_MUST_USE;

/* The program's tables: every settings table, every route, every command. */
extern const struct km_settings_table *const km_app_tables[];
extern const struct km_route_rows *const km_app_routes[];
extern const struct km_mcp_builtin *const km_app_builtins[]; /* kinds; NULL ends */
extern const struct km_command km_app_commands[];

/* --config, KANMON_CONFIG, CONFIG_FILE_PATH, or config.yaml in the folder. */
const char *km_cli_config_file(const struct km_cli *cli);

/* Options that set a setting (--workers, --debug, ...), as flags of the configuration; returns how
 * many.  They live as long as the command line. */
#define KM_CLI_FLAGS 4
struct km_config_flag;
size_t km_cli_config_flags(const struct km_cli *cli, struct km_config_flag flags[KM_CLI_FLAGS]);

struct km_config;
/* Loads; prints every problem to stderr.  0 or an exit code. */
int km_cli_load_config(const struct km_cli *cli, struct km_config **ret_config);
/* state_dir of a loaded configuration: as set, or `.kanmon` beside the file; absolute. */
int km_cli_state_dir(const struct km_config *config, char *out, size_t cap,
                     struct km_err *err) KM_MUST_USE;

#endif
