/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h - commands are rows of one table; a file a command (or a family of them).
 *
 * stdout carries data, stderr messages.  Exit codes are the same everywhere (km_exit).
 */
#ifndef KM_APP_CLI_H
#define KM_APP_CLI_H

#include <limits.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/setting.h"
#include "host/listening.h"
#include "host/snapshot.h"

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

/* An option of a command.  Every option may also come as KANMON_<NAME>, flag first: options.c. */
struct km_option {
    const char *name; /* "config": --config; '-' and '_' are the same */
    const char *arg; /* "FILE", "PORT": what it takes, and is judged by; NULL: a switch */
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
    const struct km_command *commands; /* all there are; name NULL ends */
    const struct km_command *command; /* the one that runs */
    const char *argv0;
    const char *args[KM_CLI_ARGS]; /* positional */
    size_t nargs;
    struct {
        const struct km_option *option;
        const char *value; /* "" for a switch */
        bool variable; /* it came by KANMON_<NAME> */
    } given[KM_CLI_ARGS];
    size_t ngiven;
    char state_dir[PATH_MAX]; /* --state-dir, absolute; empty: not given */
    char socket[PATH_MAX]; /* of the gateway, once client.c has found it; empty: not yet */
    long supervisor; /* its supervisor's process, found with it; 0: none */
    unsigned wait_ms; /* for its answer; 0: as long as usual */
    bool colour; /* stdout is a terminal and nobody objects */
};

/* The value of an option (flag, else KANMON_<NAME>), or NULL. A switch that is on gives "". */
const char *km_cli_option(const struct km_cli *cli, const char *name);
/* The same of flags alone. */
const char *km_cli_flag_value(const struct km_cli *cli, const char *name);
static inline bool km_cli_flag(const struct km_cli *cli, const char *name)
{
    return km_cli_option(cli, name) != NULL;
}

/* options.c.  Each is 0 or the exit code of what was said on stderr. */
#define KM_OPTION_VARIABLE 64
/* A value against what the row takes; `from` ("--port", "KANMON_PORT") is named. */
int km_option_judge(const struct km_cli *cli, const struct km_option *o, const char *value,
                    const char *from) KM_MUST_USE;
int km_option_give(struct km_cli *cli, const struct km_option *o, const char *value,
                   bool variable) KM_MUST_USE;
/* The variables of these options, where no flag was given. */
int km_options_take_variables(struct km_cli *cli, const struct km_option *options) KM_MUST_USE;

/* "error: ..." on stderr (with --json an object) and the exit code that fits. */
int km_cli_fail(const struct km_cli *cli, const struct km_err *err);
int km_cli_usage(const struct km_cli *cli, const char *fmt, ...) KM_PRINTF(2, 3);

/* Appends a file a command is given; "-": standard input.  KM_E_LIMIT past the limit of out. */
int km_cli_read(const char *path, struct km_buf *out, struct km_err *err) KM_MUST_USE;

/* The program's tables: every settings table, every route, every command. */
extern const struct km_settings_table *const km_app_tables[];
extern const struct km_route_rows *const km_app_routes[];
extern const struct km_authenticator *const km_app_authenticators[];
extern const struct km_call_hooks km_app_hooks;
extern const struct km_module *const km_app_modules[];
extern const struct km_mcp_builtin *const km_app_builtins[]; /* kinds; NULL ends */
extern const struct km_command km_app_commands[];

/* --config, KANMON_CONFIG, CONFIG_FILE_PATH, or config.yaml in the folder. */
const char *km_cli_config_file(const struct km_cli *cli);

/* Did anybody say which (else it is the usual name)? */
bool km_cli_config_named(const struct km_cli *cli);
/* The same as an absolute path, also of a file that is gone.  Links of its folder are resolved,
 * the file's own is not: what it points to changes where a configuration is mounted. */
void km_cli_config_path(const struct km_cli *cli, char out[PATH_MAX]);

/* Options that set a setting (--workers, --debug, ...), as flags of the configuration; returns how
 * many.  They live as long as the command line. */
#define KM_CLI_FLAGS 5
struct km_config_flag;
size_t km_cli_config_flags(const struct km_cli *cli, struct km_config_flag flags[KM_CLI_FLAGS]);

struct km_config;
struct km_diags;
/* --host and --port. */
struct km_listen_flags km_cli_listen_flags(const struct km_cli *cli);

/* Loads; prints every problem to stderr.  0 or an exit code. */
int km_cli_load_config(const struct km_cli *cli, struct km_config **ret_config);
/* The same, and judges whether a gateway could run with it (host/judge.h).  A file that can be
 * used is passed over in silence by `quiet`: who starts next says its warnings. */
int km_cli_judge_config(const struct km_cli *cli, bool quiet, struct km_config **ret_config);
/* The same of a file, for who prints the problems in another way.  What is made of it
 * (ret_snapshot, may be NULL) is the caller's. */
int km_cli_judge_file(const struct km_cli *cli, const char *file, struct km_diags *diags,
                      struct km_config **ret_config, struct km_snapshot **ret_snapshot,
                      struct km_err *err) KM_MUST_USE;

#endif
