/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_mcp_setup.c - to and from the files of MCP clients: `kanmon mcp import`, `mcp config`.
 *
 * `import` reads what a client was configured with and prints what our file says instead; `config`
 * prints what a client's file says to reach this gateway.  Both only print: the files are other
 * people's.  stdout is what goes into a file, stderr what a person has to know.  No key is ever
 * printed: each client has words of its own for a variable, and those are used.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/cmd_mcp.h"
#include "mcp/import.h"

#define OUTPUT_BYTES ((size_t)64 * 1024 * 1024)
#define PATH_BYTES 4096

/* --- import --- */

int km_cmd_mcp_import(struct km_cli *cli)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_IMPORT_BYTES);
    struct km_buf yaml KM_CLEANUP(km_buf_done) = KM_BUF(OUTPUT_BYTES);
    struct km_buf notes KM_CLEANUP(km_buf_done) = KM_BUF(OUTPUT_BYTES);
    struct km_err err = { 0 };
    int r;

    if (cli->nargs != 1)
        return km_cli_usage(cli, "name the file to read, or - for standard input");
    r = km_cli_read(cli->args[0], &text, &err);
    if (r == 0)
        r = km_mcp_import(text.p ? text.p : (char[]){ 0 }, text.n, &yaml, &notes, &err);
    if (r < 0)
        return km_cli_fail(cli, &err);
    fwrite(yaml.p, 1, yaml.n, stdout);
    if (notes.n)
        fwrite(notes.p, 1, notes.n, stderr);
    return KM_EXIT_OK;
}

/* --- config --- */

struct setup {
    const char *url; /* the gateway's endpoint; NULL: start `kanmon mcp stdio` */
    const char *program, *config, *server; /* absolute paths; server NULL: all */
};

/* ["mcp","stdio","--config",...] of a JSON or TOML file. */
static void put_args(struct km_buf *b, const struct setup *s)
{
    km_buf_str(b, KM_STR("[\"mcp\", \"stdio\", \"--config\", "));
    km_buf_json(b, km_str_c(s->config));
    if (s->server) {
        km_buf_str(b, KM_STR(", \"--server\", "));
        km_buf_json(b, km_str_c(s->server));
    }
    km_buf_byte(b, ']');
}

static void put_json(struct km_buf *b, const struct setup *s, const char *map, const char *key,
                     const char *type)
{
    km_buf_printf(b, "{\n  \"%s\": {\n    \"kanmon\": {\n", map);
    if (type)
        km_buf_printf(b, "      \"type\": \"%s\",\n", type);
    if (s->url) {
        km_buf_str(b, KM_STR("      \"url\": "));
        km_buf_json(b, km_str_c(s->url));
        km_buf_printf(b, ",\n      \"headers\": {\"Authorization\": \"Bearer %s\"}\n", key);
    } else {
        km_buf_str(b, KM_STR("      \"command\": "));
        km_buf_json(b, km_str_c(s->program));
        km_buf_str(b, KM_STR(",\n      \"args\": "));
        put_args(b, s);
        km_buf_byte(b, '\n');
    }
    km_buf_str(b, KM_STR("    }\n  }"));
}

/* A word of a shell. */
static void put_word(struct km_buf *b, const char *word)
{
    km_buf_byte(b, '\'');
    for (; *word; word++)
        if (*word == '\'')
            km_buf_str(b, KM_STR("'\\''"));
        else
            km_buf_byte(b, *word);
    km_buf_byte(b, '\'');
}

static void claude_code(struct km_buf *b, const struct setup *s)
{
    if (s->url) {
        km_buf_str(b, KM_STR("claude mcp add --transport http kanmon "));
        put_word(b, s->url);
        km_buf_str(b, KM_STR(" --header \"Authorization: Bearer $KANMON_KEY\"\n"));
        return;
    }
    km_buf_str(b, KM_STR("claude mcp add kanmon -- "));
    put_word(b, s->program);
    km_buf_str(b, KM_STR(" mcp stdio --config "));
    put_word(b, s->config);
    if (s->server) {
        km_buf_str(b, KM_STR(" --server "));
        put_word(b, s->server);
    }
    km_buf_byte(b, '\n');
}

static void claude_desktop(struct km_buf *b, const struct setup *s)
{
    put_json(b, s, "mcpServers", "${KANMON_KEY}", NULL);
    km_buf_str(b, KM_STR("\n}\n"));
}

static void vscode(struct km_buf *b, const struct setup *s)
{
    put_json(b, s, "servers", "${input:kanmon-key}", s->url ? "http" : "stdio");
    if (s->url)
        km_buf_str(b, KM_STR(",\n  \"inputs\": [{\"type\": \"promptString\", "
                             "\"id\": \"kanmon-key\", \"description\": \"kanmon key\", "
                             "\"password\": true}]"));
    km_buf_str(b, KM_STR("\n}\n"));
}

static void cursor(struct km_buf *b, const struct setup *s)
{
    put_json(b, s, "mcpServers", "${env:KANMON_KEY}", NULL);
    km_buf_str(b, KM_STR("\n}\n"));
}

static void codex(struct km_buf *b, const struct setup *s)
{
    km_buf_str(b, KM_STR("[mcp_servers.kanmon]\n"));
    if (s->url) {
        km_buf_str(b, KM_STR("url = "));
        km_buf_json(b, km_str_c(s->url));
        km_buf_str(b, KM_STR("\nbearer_token_env_var = \"KANMON_KEY\"\n"));
    } else {
        km_buf_str(b, KM_STR("command = "));
        km_buf_json(b, km_str_c(s->program));
        km_buf_str(b, KM_STR("\nargs = "));
        put_args(b, s);
        km_buf_byte(b, '\n');
    }
    /* Not as the default: Codex then refuses to start while the gateway is down. */
    km_buf_str(b, KM_STR("# required = true  # `codex exec` does not wait for it otherwise\n"));
}

static const struct client {
    const char *name;
    void (*put)(struct km_buf *b, const struct setup *s);
    const char *where;
    bool urls; /* its file can name one */
} clients[] = {
    { "claude-code", claude_code, "run it in a shell", true },
    { "claude-desktop", claude_desktop,
      "claude_desktop_config.json (Settings, Developer, Edit Config)", false },
    { "vscode", vscode, ".vscode/mcp.json, or the user's (MCP: Open User Configuration)", true },
    { "codex", codex, "~/.codex/config.toml", true },
    { "cursor", cursor, "~/.cursor/mcp.json", true },
};

static const struct client *find_client(const char *name)
{
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++)
        if (strcmp(clients[i].name, name) == 0)
            return &clients[i];
    return NULL;
}

/* "http://host:4000" becomes its /mcp, or /mcp/{server}. */
static int find_endpoint(struct km_cli *cli, char *out, size_t cap)
{
    const char *url = km_cli_option(cli, "url");
    char target[KM_MCP_TARGET_BYTES];
    size_t n = strlen(url);
    int r = km_mcp_target(cli, target);

    while (n && url[n - 1] == '/')
        n--;
    if (r == 0 && (size_t)snprintf(out, cap, "%.*s%s", (int)n, url, target) >= cap)
        r = km_cli_usage(cli, "--url: too long");
    return r;
}

int km_cmd_mcp_config(struct km_cli *cli)
{
    const char *url = km_cli_option(cli, "url"), *server = km_cli_option(cli, "server");
    const struct client *client = cli->nargs == 1 ? find_client(cli->args[0]) : NULL;
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 * 1024);
    char endpoint[2048], program[PATH_BYTES] = "kanmon";
    char *config = NULL;
    struct setup s = { .server = server && *server ? server : NULL, .program = program };
    ssize_t n;

    if (!client)
        return km_cli_usage(cli, "name one of claude-code, claude-desktop, vscode, codex, cursor");
    if (url && *url) {
        if (!client->urls)
            return km_cli_usage(cli, "%s starts a process: leave --url out", client->name);
        if (find_endpoint(cli, endpoint, sizeof endpoint) != 0)
            return KM_EXIT_USAGE;
        s.url = endpoint;
    } else {
        n = readlink("/proc/self/exe", program, sizeof program - 1);
        if (n > 0)
            program[n] = 0;
        config = realpath(km_cli_config_file(cli), NULL);
        if (!config)
            return km_cli_usage(cli,
                                "there is no '%s': name the gateway's file with --config, "
                                "or its address with --url",
                                km_cli_config_file(cli));
        s.config = config;
    }
    client->put(&b, &s);
    free(config);
    fwrite(b.p, 1, b.n, stdout);
    if (!km_cli_flag(cli, "quiet"))
        fprintf(stderr, "This goes to: %s%s\n", client->where,
                s.url ? "\nThe key (kanmon key generate) is read from KANMON_KEY, or asked for."
                      : "");
    return KM_EXIT_OK;
}
