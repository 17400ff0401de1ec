/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - what every command that needs the configuration does with it.
 *
 * It is read in one way, whoever asks: problems go to standard error as `config check` prints
 * them, and what keeps it from loading ends in the exit code for an invalid configuration.
 * Commands that only look for the gateway that runs do not load it: find.c.
 */
#include "app/cli.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "host/judge.h"

bool km_cli_config_named(const struct km_cli *cli)
{
    const char *by_option = km_cli_option(cli, "config"), *litellms = getenv("CONFIG_FILE_PATH");

    return (by_option && *by_option) || (litellms && *litellms);
}

const char *km_cli_config_file(const struct km_cli *cli)
{
    const char *file = km_cli_option(cli, "config");

    if (!file || !*file)
        file = getenv("CONFIG_FILE_PATH"); /* LiteLLM's */
    return file && *file ? file : "config.yaml";
}

void km_cli_config_path(const struct km_cli *cli, char out[PATH_MAX])
{
    const char *file = km_cli_config_file(cli), *slash = strrchr(file, '/');
    char folder[PATH_MAX], real[PATH_MAX];
    int n;

    snprintf(folder, sizeof folder, "%.*s",
             slash == file ? 1
             : slash       ? (int)(slash - file)
                           : 1,
             slash ? file : ".");
    if (!realpath(folder, real))
        snprintf(real, sizeof real, "%s", folder);
    n = snprintf(out, PATH_MAX, "%s%s%s", real, strcmp(real, "/") == 0 ? "" : "/",
                 slash ? slash + 1 : file);
    if (n >= PATH_MAX) /* then nothing opens it either */
        snprintf(out, PATH_MAX, "%s", file);
}

size_t km_cli_config_flags(const struct km_cli *cli, struct km_config_flag flags[KM_CLI_FLAGS])
{
    static const struct {
        const char *option, *path, *value; /* value NULL: the option's own */
    } rows[] = {
        { "workers", "kanmon_settings.workers", NULL },
        { "num_workers", "kanmon_settings.workers", NULL },
        { "debug", "kanmon_settings.log_level", "debug" },
        { "detailed_debug", "kanmon_settings.log_level", "debug" },
    };
    size_t n = 0;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *given = km_cli_option(cli, rows[i].option);

        if (given)
            flags[n++] = (struct km_config_flag){ rows[i].path, rows[i].option,
                                                  rows[i].value ? rows[i].value : given };
    }
    if (cli->state_dir[0])
        flags[n++] =
            (struct km_config_flag){ "kanmon_settings.state_dir", "state-dir", cli->state_dir };
    return n;
}

/* Variables are the configuration's to read: .env files have some, too. */
struct km_listen_flags km_cli_listen_flags(const struct km_cli *cli)
{
    return (struct km_listen_flags){ .host = km_cli_flag_value(cli, "host"),
                                     .port = km_cli_flag_value(cli, "port") };
}

static int load(const struct km_cli *cli, const char *file, struct km_diags *diags,
                struct km_config **ret_config, struct km_err *err)
{
    struct km_config_flag flags[KM_CLI_FLAGS];
    const struct km_config_args args = { .file = file,
                                         .tables = km_app_tables,
                                         .flags = flags,
                                         .nflags = km_cli_config_flags(cli, flags) };

    return km_config_load(&args, diags, ret_config, err);
}

int km_cli_judge_file(const struct km_cli *cli, const char *file, struct km_diags *diags,
                      struct km_config **ret_config, struct km_snapshot **ret_snapshot,
                      struct km_err *err)
{
    struct km_judge_args args = { .snapshot = { .routes = km_app_routes,
                                                .builtins = km_app_builtins,
                                                .modules = km_app_modules,
                                                .version = 1 },
                                  .listen = km_cli_listen_flags(cli) };
    struct km_config *config = NULL;
    int r = load(cli, file, diags, &config, err);

    args.snapshot.config = config;
    if (r == 0)
        r = km_gateway_judge(&args, diags, ret_snapshot, err);
    if (r == 0)
        *ret_config = config;
    else
        km_config_unref(config);
    return r;
}

static int say(const struct km_cli *cli, struct km_diags *diags, int r, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(4 * 1024 * 1024);

    km_diags_text(diags, isatty(STDERR_FILENO) && !getenv("NO_COLOR"), &text);
    fwrite(text.p ? text.p : "", 1, text.n, stderr);
    km_diags_free(diags);
    if (r == 0)
        return 0;
    if (r == KM_E_NOT_FOUND)
        err->code = KM_E_CONFIG;
    return km_cli_fail(cli, err);
}

int km_cli_load_config(const struct km_cli *cli, struct km_config **ret_config)
{
    struct km_diags *diags = km_diags_new();
    struct km_err err = { 0 };
    int r;

    if (!diags)
        return KM_EXIT_FAILURE;
    r = load(cli, km_cli_config_file(cli), diags, ret_config, &err);
    return say(cli, diags, r, &err);
}

int km_cli_judge_config(const struct km_cli *cli, bool quiet, struct km_config **ret_config)
{
    struct km_diags *diags = km_diags_new();
    struct km_err err = { 0 };
    int r;

    if (!diags)
        return KM_EXIT_FAILURE;
    r = km_cli_judge_file(cli, km_cli_config_file(cli), diags, ret_config, NULL, &err);
    if (r < 0 || !quiet)
        return say(cli, diags, r, &err);
    km_diags_free(diags);
    return 0;
}
