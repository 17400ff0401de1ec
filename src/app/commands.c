/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c - the table of commands.
 *
 * A new command is a row here and a file beside it.  A row holds all that is known of it: its
 * words, what it does in one line, its options and its function; help, the check of options
 * and the reference are made of rows and nothing else.  The order is that of the help text:
 * what one needs first stands first.
 */
#include "app/cli.h"

#include "app/client.h"
#include "app/cmd_account.h"
#include "app/cmd_audit.h"
#include "app/cmd_config.h"
#include "app/cmd_doctor.h"
#include "app/cmd_key.h"
#include "app/cmd_key_mcp.h"
#include "app/cmd_mcp.h"
#include "app/cmd_postgres.h"
#include "app/cmd_spend.h"
#include "app/serve.h"
#include "app/start.h"

static int version(struct km_cli *cli)
{
    if (km_cli_flag(cli, "json"))
        puts("{\"name\":\"kanmon\",\"version\":\"" KM_VERSION "\"}");
    else
        puts("kanmon " KM_VERSION);
    return KM_EXIT_OK;
}

#define LISTEN_OPTIONS                                                                             \
    { "host", "ADDRESS", "listen here instead of what the file says", 0 },                         \
        { "port", "PORT", "listen on this port instead", 'p' },                                    \
        { "workers", "N|auto", "worker threads", 0 },                                              \
        { "num_workers", "N|auto", "the same, LiteLLM's name", 0 },                                \
        { "debug", NULL, "log at level debug", 0 },                                                \
    {                                                                                              \
        "detailed_debug", NULL, "the same, LiteLLM's name", 0                                      \
    }

#define NEW_STORE_OPTION                                                                           \
    {                                                                                              \
        "new-store", NULL, "go on with the store that is there, or an empty one, whatever store "  \
                           "this state folder had",                                                \
            0                                                                                      \
    }

static const struct km_option serve_options[] = {
    LISTEN_OPTIONS,
    NEW_STORE_OPTION,
    { "take-over", NULL, "replace the gateway of the same state folder, if one runs", 0 },
    { 0 },
};

static const struct km_option start_options[] = { LISTEN_OPTIONS, NEW_STORE_OPTION, { 0 } };

/* As it would be started. */
static const struct km_option check_options[] = { LISTEN_OPTIONS, { 0 } };

static const struct km_option client_options[] = { KM_CLIENT_OPTIONS, { 0 } };

static const struct km_option doctor_options[] = {
    { "strict", NULL, "a warning counts as a problem for the exit code", 0 },
    { "no-network", NULL, "open no connection to any upstream", 0 },
    { 0 },
};

static const struct km_option delete_options[] = {
    KM_CLIENT_OPTIONS,
    { "yes", NULL, "do it without asking", 'y' },
    { 0 },
};

static const struct km_option generate_options[] = {
    { "alias", "NAME", "a name for people", 0 },
    { "models", "A,B", "models the key may use (default: all)", 0 },
    { "hosted-tools", "A,B|none", "tools a provider may run for it (default: all)", 0 },
    { "max-budget", "USD", "most it may spend", 0 },
    { "budget-duration", "TIME", "the budget begins anew after 1d, 30d, 1mo, ...", 0 },
    { "duration", "TIME", "the key expires after", 0 },
    { "rpm", "N", "requests a minute", 0 },
    { "tpm", "N", "tokens a minute", 0 },
    { "max-parallel", "N", "calls at the same time", 0 },
    { "user", "ID", "whose it is", 0 },
    KM_KEY_MCP_OPTIONS,
    KM_CLIENT_OPTIONS,
    { 0 },
};

static const struct km_option release_options[] = {
    KM_CLIENT_OPTIONS,
    { "all", NULL, "everything that is held", 0 },
    { "key", "KEY", "what is held of a key: its hash or alias", 0 },
    { 0 },
};

static const struct km_option correct_options[] = {
    KM_CLIENT_OPTIONS,
    { "cost", "USD", "what the call cost", 0 },
    { "reason", "TEXT", "why, for the audit log", 0 },
    { 0 },
};

static const struct km_option audit_options[] = {
    { "since", "WHEN", "not before: 1h or 7d (ago), 2026-01-31, or 2026-01-31T09:30:00Z", 0 },
    { "until", "WHEN", "before this time", 0 },
    { "key", "KEY", "who did it: a key's alias or hash, master, local:0", 0 },
    { "user", "ID", "whose key it was, who a token said, or for whom it was done", 0 },
    { "action", "NAME", "mcp.call, key.delete ...; mcp: all of these", 0 },
    { "server", "NAME", "of one MCP server", 0 },
    { "tool", "NAME", "of one tool, without its server's prefix", 0 },
    { "outcome", "WORD", "ok, denied, tool_error, approval_required ...", 0 },
    { "limit", "N", "so many at most (default: 50)", 0 },
    { "before", "ID", "those below this number: the page after", 0 },
    KM_CLIENT_OPTIONS,
    { 0 },
};

#define SERVER_OPTION                                                                              \
    {                                                                                              \
        "server", "NAME", "one server instead of all", 0                                           \
    }

/* No --key-stdin: standard input is the client's. */
static const struct km_option mcp_stdio_options[] = { KM_URL_OPTION, SERVER_OPTION, { 0 } };

/* Those with a row of kanmon_settings.pg set it; the others of its rows are variables. */
static const struct km_option mcp_postgres_options[] = {
    { "dsn", "URL", "the database (better: DATABASE_URL, which no list of processes shows)", 0 },
    { "password-file", "FILE", "a file with the role's password", 0 },
    { "listen", "HOST:PORT", "serve over HTTP, not on standard input and output", 0 },
    { "mode", "MODE", "read-only (default), dml, ddl or admin", 0 },
    { "max-rows", "N", "most rows of a result (1000)", 0 },
    { "max-bytes", "BYTES", "most of its JSON (1MiB)", 0 },
    { "max-affected", "N", "most rows a statement may change (1000)", 0 },
    { "max-cost", "N", "most the planner may expect of a statement (0: any)", 0 },
    { "statement-timeout", "TIME", "most time a statement may take (30s)", 0 },
    { "lock-timeout", "TIME", "most time it may wait for a lock (5s)", 0 },
    { "pool-max", "N", "most connections (8)", 0 },
    { "pool-min", "N", "connections kept ready (0)", 0 },
    { "pooler", "KIND", "transaction: behind a pooler that lends sessions so", 0 },
    { "allow-functions", "NAMES", "more functions that may be called: schema.name,...", 0 },
    { "definitions", "FILE", "tools, resources, prompts and processors of your own", 0 },
    { "check-sql", "SQL", "judge this statement (\"-\": from standard input) and end", 0 },
    { 0 },
};

static const struct km_option mcp_tools_options[] = { KM_CLIENT_OPTIONS, SERVER_OPTION, { 0 } };

static const struct km_option mcp_call_options[] = {
    { "arguments", "JSON", "all arguments as one object", 0 },
    KM_CLIENT_OPTIONS,
    SERVER_OPTION,
    { 0 },
};

static const struct km_option mcp_list_options[] = {
    { "watch", NULL, "again and again, once a second, until SIGINT", 'w' },
    KM_CLIENT_OPTIONS,
    { 0 },
};

static const struct km_option mcp_logs_options[] = {
    { "bytes", "N", "how much of its end (default: 16384; with --since or --grep 1048576)", 0 },
    { "follow", NULL, "go on with what comes, looked at once a second, until SIGINT", 'f' },
    { "since", "WHEN", "lines not before: 1h or 7d (ago), 2026-01-31, 2026-01-31T09:30:00Z", 0 },
    { "grep", "REGEX", "lines that match this extended regular expression", 0 },
    KM_CLIENT_OPTIONS,
    { 0 },
};

static const struct km_option mcp_approve_options[] = {
    { "refuse", NULL, "let it not run", 0 },
    { "show", NULL, "decide nothing: show this call, or the tools of this server", 0 },
    { "hash", "HEX", "a tool's definition, as the list shows it; else what is offered now", 0 },
    KM_CLIENT_OPTIONS,
    { 0 },
};

/* `kanmon restart SERVER`: an MCP server's. */
static int restart(struct km_cli *cli)
{
    return cli->nargs ? km_cmd_mcp_restart(cli) : km_cmd_restart(cli);
}

static int start(struct km_cli *cli)
{
    return cli->nargs ? km_cmd_mcp_start(cli) : km_cmd_start(cli);
}

static int stop(struct km_cli *cli)
{
    return cli->nargs ? km_cmd_mcp_stop(cli) : km_cmd_stop(cli);
}

static const struct km_option mcp_config_options[] = { KM_URL_OPTION, SERVER_OPTION, { 0 } };

const struct km_command km_app_commands[] = {
    { "serve", "Run the gateway in the foreground", NULL,
      "  kanmon serve --config config.yaml\n"
      "  kanmon --config config.yaml --port 4000      as LiteLLM is called\n",
      serve_options, km_cmd_serve },
    { "start", "Run the gateway in the background, and keep it running", "[SERVER]",
      "  kanmon start --config config.yaml\n"
      "  kanmon start --config config.yaml --port 4100\n"
      "  kanmon start context7-mcp               one MCP server behind it\n",
      start_options, start },
    { "stop", "Let running calls end, then stop the gateway", "[SERVER]",
      "  kanmon stop --config config.yaml\n"
      "  kanmon stop context7-mcp                one MCP server behind it\n",
      NULL, stop },
    { "restart", "Replace the running gateway without losing a connection", "[SERVER]",
      "  kanmon restart --config config.yaml     a new binary, new settings\n"
      "  kanmon restart aws-docs-mcp             one MCP server behind it\n",
      NULL, restart },
    { "doctor", "Look for everything that is wrong here: settings, files, upstreams, MCP servers",
      NULL,
      "  kanmon doctor --config config.yaml\n"
      "  kanmon doctor --json --strict            exit code 7 for warnings, too\n",
      doctor_options, km_cmd_doctor },
    { "config check", "Say everything that is wrong with a configuration", "[FILE]",
      "  kanmon config check config.yaml\n"
      "  kanmon config check --json | jq .\n",
      check_options, km_cmd_config_check },
    { "config show", "Print the settings in effect and where each comes from", NULL,
      "  kanmon config show --config config.yaml\n", NULL, km_cmd_config_show },
    { "config schema", "Print the JSON Schema of the configuration", NULL,
      "  kanmon config schema > kanmon.schema.json\n", NULL, km_cmd_config_schema },
    { "config docs", "Print the reference of all settings as Markdown", NULL,
      "  kanmon config docs > docs/configuration.md\n", NULL, km_cmd_config_docs },
    { "status", "Say what the running gateway is doing", NULL, "  kanmon status --json\n",
      client_options, km_cmd_status },
    { "reload", "Read the configuration anew, without losing a call", NULL,
      "  kanmon reload --config config.yaml\n", client_options, km_cmd_reload },
    { "key generate", "Make a virtual key", NULL,
      "  kanmon key generate --alias team-a --max-budget 10 --budget-duration 30d\n"
      "  kanmon key generate --models gpt-4o,claude --rpm 60\n"
      "  kanmon key generate --alias intern --hosted-tools none\n"
      "  kanmon key generate --alias bot --mcp-servers docs --mcp-tools git:log,git:show\n",
      generate_options, km_cmd_key_generate },
    { "key update", "Change a key: what is not said stays", "KEY",
      "  kanmon key update team-a --max-budget 20\n"
      "  kanmon key update team-a --mcp-servers docs,git --mcp-params git:log:path\n",
      generate_options, km_cmd_key_update },
    { "key list", "List virtual keys", NULL, "  kanmon key list --json\n", client_options,
      km_cmd_key_list },
    { "key info", "Show a key's limits and spend", "KEY",
      "  kanmon key info team-a                  by alias\n"
      "  kanmon key info 1a2b...                 by hash\n"
      "  kanmon key info - <file                 by the key itself\n",
      client_options, km_cmd_key_info },
    { "key block", "Refuse a key until it is unblocked", "KEY", NULL, client_options,
      km_cmd_key_block },
    { "key unblock", "Accept a blocked key again", "KEY", NULL, client_options,
      km_cmd_key_unblock },
    { "key delete", "Delete a key", "KEY", "  kanmon key delete --yes team-a\n", delete_options,
      km_cmd_key_delete },
    KM_ACCOUNT_COMMANDS("team", "teams", "ops --max-budget 100 --budget-duration 30d",
                        client_options, delete_options),
    KM_ACCOUNT_BLOCK_COMMANDS("team", "teams", client_options),
    KM_ACCOUNT_COMMANDS("user", "users", "ada --email ada@example.com --role internal_user",
                        client_options, delete_options),
    KM_ACCOUNT_COMMANDS("customer", "customers", "c-1 --max-budget 5", client_options,
                        delete_options),
    KM_ACCOUNT_BLOCK_COMMANDS("customer", "customers", client_options),
    KM_ACCOUNT_COMMANDS("organization", "organizations", "acme --max-budget 1000",
                        client_options, delete_options),
    KM_ACCOUNT_COMMANDS("budget", "budgets", "small --max-budget 5 --budget-duration 30d",
                        client_options, delete_options),
    KM_ACCOUNT_COMMANDS("tag", "tags", "batch --max-budget 20", client_options, delete_options),
    { "spend holds", "List what is held of calls that ended with the gateway before this one", NULL,
      "  kanmon spend holds\n"
      "  kanmon spend holds --json | jq .amount\n",
      client_options, km_cmd_spend_holds },
    { "spend release", "Give a key back what is held of a call", "[ID]",
      "  kanmon spend release 019a5f3e-7c1d-7b10-9f3a-5d1c2b3a4f5e\n"
      "  kanmon spend release --key team-a       by alias or hash\n"
      "  kanmon spend release --all\n",
      release_options, km_cmd_spend_release },
    { "spend correct", "Set what a call cost, in its row and in all sums", "ID",
      "  kanmon spend correct 019a5f3e-7c1d-7b10-9f3a-5d1c2b3a4f5e --cost 0.42 \\\n"
      "      --reason 'as the vendor bills it'\n",
      correct_options, km_cmd_spend_correct },
    { "audit list", "List who did what: calls of tools, changes of keys, servers, approvals", NULL,
      "  kanmon audit list --since 1h\n"
      "  kanmon audit list --server github --outcome denied\n"
      "  kanmon audit list --key team-a --since 2026-01-01 --until 2026-02-01 --json\n",
      audit_options, km_cmd_audit_list },
    { "audit show", "Show one record of the audit trail", "ID", "  kanmon audit show 4711\n",
      client_options, km_cmd_audit_show },
    { "audit verify", "Check that no record of the audit trail was changed or taken out", NULL,
      NULL, client_options, km_cmd_audit_verify },
    { "prices import", "Import model prices (LiteLLM's JSON, or genai-prices data)", "FILE",
      "  kanmon prices import model_prices_and_context_window.json\n", client_options,
      km_cmd_prices_import },
    { "mcp stdio", "Be an MCP server on standard input and output: the gateway's tools", NULL,
      "  claude mcp add kanmon -- kanmon mcp stdio --config config.yaml\n"
      "  KANMON_KEY=sk-... kanmon mcp stdio --url http://gateway:4000 --server kanmon\n",
      mcp_stdio_options, km_cmd_mcp_stdio },
    { "mcp tools", "List the MCP tools the gateway offers, or one server does", "[SERVER]",
      "  kanmon mcp tools\n"
      "  kanmon mcp tools github --json\n",
      mcp_tools_options, km_cmd_mcp_tools },
    { "mcp resources", "List the MCP resources and their templates", "[SERVER]", NULL,
      mcp_tools_options, km_cmd_mcp_resources },
    { "mcp prompts", "List the MCP prompts", "[SERVER]", NULL, mcp_tools_options,
      km_cmd_mcp_prompts },
    { "mcp call", "Call an MCP tool", "TOOL [NAME=VALUE...]",
      "  kanmon mcp call kanmon-list_models contains=gpt limit=5\n"
      "  kanmon mcp call docs-search --arguments '{\"query\": \"timers\"}' --json\n",
      mcp_call_options, km_cmd_mcp_call },
    { "mcp list", "List the MCP servers behind the gateway and how they are", NULL,
      "  kanmon mcp list --json\n"
      "  kanmon mcp list --watch\n",
      mcp_list_options, km_cmd_mcp_list },
    { "mcp status", "Show one MCP server, or all", "[SERVER]", NULL, client_options,
      km_cmd_mcp_status },
    { "mcp start", "Start an MCP server that was stopped", "SERVER", NULL, client_options,
      km_cmd_mcp_start },
    { "mcp stop", "Stop an MCP server until it is started again", "SERVER", NULL, client_options,
      km_cmd_mcp_stop },
    { "mcp restart", "End an MCP server's process or sessions and begin anew", "SERVER",
      "  kanmon restart aws-docs-mcp     the same\n", client_options, km_cmd_mcp_restart },
    { "mcp logs", "Show what MCP servers wrote to their standard error", "[SERVER...]",
      "  kanmon mcp logs context7-mcp --follow\n"
      "  kanmon mcp logs --since 1h --grep 'error|denied'     all servers, in order of time\n"
      "  kanmon logs context7-mcp        the same\n",
      mcp_logs_options, km_cmd_mcp_logs },
    { "mcp login", "Log in to an MCP server that asks for OAuth: prints the address to open",
      "SERVER",
      "  kanmon mcp login github\n"
      "  KANMON_KEY=sk-... kanmon mcp login github --url http://gateway:4000    for that key\n",
      client_options, km_cmd_mcp_login },
    { "logs", "The same as mcp logs", "[SERVER...]", NULL, mcp_logs_options, km_cmd_mcp_logs },
    { "mcp approve", "Let a waiting tool call run, or accept tools that are new or changed",
      "[ID | SERVER [TOOL]]",
      "  kanmon mcp approve                     what waits\n"
      "  kanmon mcp approve github              all its tools, as they are now\n"
      "  kanmon mcp approve github list_issues --hash 3fa0c1\n"
      "  kanmon mcp approve 5f0c2a... --show    what this call would do\n"
      "  kanmon mcp approve 5f0c2a... --refuse\n",
      mcp_approve_options, km_cmd_mcp_approve },
    { "mcp config", "Print what an MCP client's file says to reach this gateway", "CLIENT",
      "  kanmon mcp config claude-code --config config.yaml | sh\n"
      "  kanmon mcp config vscode --url http://127.0.0.1:4000 > .vscode/mcp.json\n"
      "  clients: claude-code, claude-desktop, vscode, codex, cursor\n",
      mcp_config_options, km_cmd_mcp_config },
    { "mcp import", "Print the servers of an MCP client's file as mcp_servers of ours", "FILE",
      "  kanmon mcp import ~/.config/Claude/claude_desktop_config.json >> config.yaml\n"
      "  kanmon mcp import .vscode/mcp.json\n",
      NULL, km_cmd_mcp_import },
    { "mcp postgres", "Be an MCP server for a PostgreSQL database, read-only by default", NULL,
      "  DATABASE_URL=postgresql://me@localhost/shop kanmon mcp postgres\n"
      "  kanmon mcp postgres --dsn service=shop --listen 127.0.0.1:4010\n"
      "  kanmon mcp postgres --check-sql 'SELECT pg_sleep(1)'\n"
      "  kanmon mcp postgres --mode dml --check-sql - <statement.sql\n",
      mcp_postgres_options, km_cmd_mcp_postgres },
    { "version", "Print the version", NULL, NULL, NULL, version },
    { 0 },
};
