/* SPDX-License-Identifier: Apache-2.0 */
/* postgres_serve.c - see postgres_serve.h.
 *
 *     --max-rows 5  ──┐
 *     KANMON_PG_...  ─┼─> kanmon_settings.pg ──┬─> standard input and output (postgres_stdio.c)
 *     file, default ──┘                        └─> --listen: a gateway with this one server
 *
 * The settings are the configuration's own (config.h), so a flag here is the variable of its row,
 * set in this process alone.  A configuration file is read when one is named; without one there is
 * none, since whoever starts this is often not in a folder of anybody's choice.
 *
 * The address: --dsn, KANMON_PG_DSN, the file, DATABASE_URL, and then what libpq knows itself
 * (PGHOST, PGUSER, PGPASSWORD, PGSERVICE ...).  An address in an argument is overwritten, so that
 * a list of processes does not show its password for long.
 */
#include "app/postgres_serve.h"

#include <ctype.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "app/cli.h"
#include "app/postgres_stdio.h"
#include "app/serve.h"
#include "config/config.h"

#define PATH_BYTES 1024

/* The row an option sets; NULL: it is no setting. */
static const struct km_setting *row_of(const char *option)
{
    for (const struct km_setting *row = km_pg_own_table.rows; row->name; row++) {
        size_t i = 0;

        while (row->name[i] &&
               (row->name[i] == option[i] || (row->name[i] == '_' && option[i] == '-')))
            i++;
        if (!row->name[i] && !option[i])
            return row;
    }
    return NULL;
}

static int take_flags(struct km_cli *cli)
{
    for (size_t i = 0; i < cli->ngiven; i++) {
        const struct km_setting *row = row_of(cli->given[i].option->name);
        char *value = (char *)(uintptr_t)cli->given[i].value; /* of argv, which is ours */
        char name[64] = "KANMON_PG_";
        size_t at = strlen(name);

        if (!row || cli->given[i].variable)
            continue;
        for (size_t k = 0; row->name[k] && at < sizeof name - 1; k++)
            name[at++] = (char)toupper((unsigned char)row->name[k]);
        name[at] = '\0';
        if (setenv(name, value, 1) != 0)
            return KM_EXIT_FAILURE;
        if (row->type == KM_SET_SECRET)
            memset(value, '*', strlen(value));
    }
    return 0;
}

/* Where the settings say no address: other tools' variables. */
static const char *usual_dsn(void)
{
    static const char *const names[] = { "PGHOST", "PGHOSTADDR", "PGDATABASE", "PGSERVICE", NULL };
    const char *url = getenv("DATABASE_URL");

    if (url && *url)
        return url;
    for (size_t i = 0; names[i]; i++)
        if (getenv(names[i]))
            return "postgresql://"; /* all of it is libpq's to find */
    return NULL;
}

/* The settings; the configuration holds them. */
static int load(struct km_cli *cli, struct km_config **ret_config,
                const struct km_pg_settings **ret_settings)
{
    int code = km_cli_load_config(cli, ret_config);
    const char *usual;

    if (code != 0)
        return code;
    *ret_settings = km_config_get(*ret_config, &km_pg_own_table);
    if ((*ret_settings)->dsn.n)
        return 0;
    usual = usual_dsn();
    if (!usual)
        return km_cli_usage(cli, "say which database: --dsn postgresql://user@host/name, or "
                                 "DATABASE_URL; or ask about a statement: --check-sql");
    if (setenv("KANMON_PG_DSN", usual, 1) != 0)
        return KM_EXIT_FAILURE;
    *ret_config = km_config_unref(*ret_config);
    return load(cli, ret_config, ret_settings);
}

/* --- over HTTP --- */

/* A gateway without a file keeps its state in a folder of the user's, one for each address. */
static int make_state_dir(const struct km_cli *cli, const char *listen)
{
    const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char path[PATH_BYTES];
    int n;

    if (cli->state_dir[0] || getenv("KANMON_STATE_DIR"))
        return 0;
    if (base && *base)
        n = snprintf(path, sizeof path, "%s", base);
    else
        n = snprintf(path, sizeof path, "%s/.local/state", home ? home : "/tmp");
    n += snprintf(path + n, sizeof path - (size_t)n, "/kanmon-pg-%s", listen);
    if (n >= (int)sizeof path)
        return -1;
    for (char *at = path + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(path, 0700); /* whether it is there is seen when the last one is made */
        *at = '/';
    }
    return setenv("KANMON_STATE_DIR", path, 0);
}

/* "host:port", "[::1]:port", ":port", "port" */
static int take_listen(struct km_cli *cli, const char *listen)
{
    struct km_str text = km_str_c(listen);
    size_t colon = km_str_rchr(text, ':');
    struct km_str host = colon == text.n ? KM_STR_NONE : km_str_sub(text, 0, colon);
    struct km_str port = colon == text.n ? text : km_str_skip(text, colon + 1);
    char name[256];
    uint64_t number;

    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = km_str_sub(host, 1, host.n - 2);
    if (km_str_u64(port, &number) < 0 || number > 65535 || host.n >= sizeof name)
        return km_cli_usage(cli, "--listen: host:port, not '%s'", listen);
    snprintf(name, sizeof name, "%.*s", KM_STR_ARG(host.n ? host : KM_STR("127.0.0.1")));
    return setenv("KANMON_HOST", name, 1) || setenv("KANMON_PORT", port.p, 1) ? KM_EXIT_FAILURE : 0;
}

static int serve_http(struct km_cli *cli, const char *listen, bool own_file)
{
    int code = take_listen(cli, listen);

    if (code != 0)
        return code;
    if (!own_file && make_state_dir(cli, listen) != 0)
        return km_cli_usage(cli, "no folder for its state: set KANMON_STATE_DIR");
    if (setenv("KANMON_MCP_SERVERS", "{postgres: {builtin: postgres}}", 1) != 0)
        return KM_EXIT_FAILURE;
    return km_cmd_serve(cli);
}

int km_postgres_serve(struct km_cli *cli)
{
    const char *listen = km_cli_option(cli, "listen");
    static const struct km_option file = { "config", "FILE", "", 0 };
    bool own_file = km_cli_option(cli, "config") != NULL;
    const struct km_pg_settings *settings;
    struct km_config *config = NULL;
    struct km_err err = { 0 };
    int code = take_flags(cli), r;

    if (code == 0 && !own_file)
        code = km_option_give(cli, &file, KM_CONFIG_NO_FILE, true);
    if (code == 0)
        code = load(cli, &config, &settings);
    if (code == 0 && listen) {
        code = serve_http(cli, listen, own_file);
    } else if (code == 0) {
        r = km_pg_settings_check(settings, &err);
        if (r == 0)
            r = km_postgres_stdio(settings, &err);
        code = r < 0 ? km_cli_fail(cli, &err) : KM_EXIT_OK;
    }
    km_config_unref(config);
    return code;
}
