/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - what every command that needs the configuration does with it.
 *
 * It is read in one way, whoever asks: problems go to standard error as `config check` prints
 * them, and what keeps it from loading ends in the exit code for an invalid configuration.
 * The state folder follows from it: relative to the file's own folder, so that a command finds
 * the same gateway wherever it is called from.
 */
#include "app/cli.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "gateway/settings.h"

size_t km_cli_config_flags(const struct km_cli *cli, struct km_config_flag flags[KM_CLI_FLAGS])
{
    static const struct {
        const char *option, *path, *value; /* value NULL: the option's own */
    } rows[KM_CLI_FLAGS] = {
        { "workers", "kanmon_settings.workers", NULL },
        { "num_workers", "kanmon_settings.workers", NULL },
        { "debug", "kanmon_settings.log_level", "debug" },
        { "detailed_debug", "kanmon_settings.log_level", "debug" },
    };
    size_t n = 0;

    for (size_t i = 0; i < KM_CLI_FLAGS; i++) {
        const char *given = km_cli_option(cli, rows[i].option);

        if (given)
            flags[n++] = (struct km_config_flag){ rows[i].path, rows[i].option,
                                                  rows[i].value ? rows[i].value : given };
    }
    return n;
}

int km_cli_load_config(const struct km_cli *cli, struct km_config **ret_config)
{
    struct km_config_flag flags[KM_CLI_FLAGS];
    struct km_config_args args = { .file = km_cli_config_file(cli),
                                   .tables = km_app_tables,
                                   .flags = flags,
                                   .nflags = km_cli_config_flags(cli, flags) };
    struct km_diags *diags = km_diags_new();
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(4 * 1024 * 1024);
    struct km_err err = { 0 };
    int r;

    if (!diags)
        return KM_EXIT_FAILURE;
    r = km_config_load(&args, diags, ret_config, &err);
    km_diags_text(diags, isatty(STDERR_FILENO) && !getenv("NO_COLOR"), &text);
    fwrite(text.p ? text.p : "", 1, text.n, stderr);
    km_diags_free(diags);
    if (r == 0)
        return 0;
    fprintf(stderr, "error: %s\n", err.text);
    return r == KM_E_NOT_FOUND || r == KM_E_CONFIG ? KM_EXIT_CONFIG : KM_EXIT_FAILURE;
}

/* The folder of the configuration file, absolute. */
static int folder_of(const struct km_config *config, char *out, struct km_err *err)
{
    char path[PATH_MAX];
    struct km_str file = km_config_file(config);
    char *slash;

    snprintf(path, sizeof path, "%.*s", KM_STR_ARG(file));
    if (!realpath(path, out))
        return km_fail(err, KM_E_SYSTEM, "'%s' cannot be resolved", path);
    slash = strrchr(out, '/');
    if (slash)
        *slash = 0;
    return 0;
}

int km_cli_state_dir(const struct km_config *config, char *out, size_t cap, struct km_err *err)
{
    const struct km_gateway_settings *s = km_config_get(config, &km_gateway_settings_table);
    char folder[PATH_MAX];
    int r = folder_of(config, folder, err), n;

    if (r < 0)
        return r;
    if (!s->state_dir.n)
        n = snprintf(out, cap, "%s/.kanmon", folder);
    else if (s->state_dir.p[0] == '/')
        n = snprintf(out, cap, "%.*s", KM_STR_ARG(s->state_dir));
    else
        n = snprintf(out, cap, "%s/%.*s", folder, KM_STR_ARG(s->state_dir));
    return n < 0 || (size_t)n >= cap ? km_fail(err, KM_E_CONFIG, "state_dir is too long") : 0;
}
