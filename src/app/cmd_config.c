/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_config.c - asking about the configuration without running it.
 *
 * `check` judges the file as the start, a restart and a reload do (host/judge.h), and prints
 * every problem at once.
 */
#include "app/cmd_config.h"

#include "app/cli.h"
#include "config/config.h"

#define OUTPUT_BYTES (16 * 1024 * 1024)

static void print(const struct km_buf *b)
{
    fwrite(b->p ? b->p : "", 1, b->n, stdout);
}

int km_cmd_config_check(struct km_cli *cli)
{
    const char *file = cli->nargs ? cli->args[0] : km_cli_config_file(cli);
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(OUTPUT_BYTES);
    struct km_diags *diags = km_diags_new();
    struct km_config *config = NULL;
    struct km_err err = { 0 };
    size_t errors, warnings;
    int r;

    if (!diags)
        return KM_EXIT_FAILURE;
    r = km_cli_judge_file(cli, file, diags, &config, NULL, &err);
    if (r < 0 && km_diags_count(diags, KM_DIAG_ERROR) == 0)
        km_diag_add(diags, KM_DIAG_ERROR, "E0100", NULL, NULL, "%s", err.text);
    errors = km_diags_count(diags, KM_DIAG_ERROR);
    warnings = km_diags_count(diags, KM_DIAG_WARNING);
    if (km_cli_flag(cli, "json"))
        km_diags_json(diags, &out);
    else
        km_diags_text(diags, cli->colour, &out);
    print(&out);
    km_diags_free(diags);
    km_config_unref(config);
    if (!km_cli_flag(cli, "json"))
        fprintf(stderr, "%s: %s, %zu error%s, %zu warning%s\n", file, r < 0 ? "invalid" : "valid",
                errors, errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
    return r < 0 ? KM_EXIT_CONFIG : KM_EXIT_OK;
}

int km_cmd_config_show(struct km_cli *cli)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(OUTPUT_BYTES);
    struct km_config *config = NULL;
    int code = km_cli_load_config(cli, &config);

    if (code != 0)
        return code;
    km_config_show(config, km_cli_flag(cli, "json"), &out);
    km_config_unref(config);
    print(&out);
    return KM_EXIT_OK;
}

int km_cmd_config_schema(struct km_cli *cli)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(OUTPUT_BYTES);

    (void)cli;
    km_config_schema(km_app_tables, &out);
    print(&out);
    return KM_EXIT_OK;
}

int km_cmd_config_docs(struct km_cli *cli)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(OUTPUT_BYTES);

    (void)cli;
    km_config_docs(km_app_tables, &out);
    print(&out);
    return KM_EXIT_OK;
}
