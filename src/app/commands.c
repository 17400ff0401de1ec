/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c - the table of commands.  A new one is a row here and a file beside it. */
#include "app/cli.h"

#include "app/cmd_config.h"
#include "app/serve.h"

static int version(struct km_cli *cli)
{
    if (km_cli_flag(cli, "json"))
        puts("{\"name\":\"kanmon\",\"version\":\"" KM_VERSION "\"}");
    else
        puts("kanmon " KM_VERSION);
    return KM_EXIT_OK;
}

static const struct km_option serve_options[] = {
    { "host", "ADDRESS", "listen here instead of what the file says", 0 },
    { "port", "PORT", "listen on this port instead", 'p' },
    { 0 },
};

const struct km_command km_app_commands[] = {
    { "serve", "Run the gateway in the foreground", NULL,
      "  kanmon serve --config config.yaml\n"
      "  kanmon --config config.yaml --port 4000      as LiteLLM is called\n",
      serve_options, km_cmd_serve },
    { "config check", "Say everything that is wrong with a configuration", "[FILE]",
      "  kanmon config check config.yaml\n"
      "  kanmon config check --json | jq .\n",
      NULL, km_cmd_config_check },
    { "config show", "Print the settings in effect and where each comes from", NULL,
      "  kanmon config show --config config.yaml\n", NULL, km_cmd_config_show },
    { "config schema", "Print the JSON Schema of the configuration", NULL,
      "  kanmon config schema > kanmon.schema.json\n", NULL, km_cmd_config_schema },
    { "config docs", "Print the reference of all settings as Markdown", NULL,
      "  kanmon config docs > docs/configuration.md\n", NULL, km_cmd_config_docs },
    { "version", "Print the version", NULL, NULL, NULL, version },
    { 0 },
};
