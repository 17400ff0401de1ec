/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_mcp_servers.c - the MCP servers behind the gateway, by hand: `kanmon mcp list`, `status`,
 * `start`, `stop`, `restart`, `login`.
 *
 * Each is a request to the admin API and a way to print the answer; --json prints it as it is.
 * `kanmon restart NAME` is the same command.
 */
#include "app/cmd_mcp.h"

#include <unistd.h>

#include "app/say.h"
#include "app/watch.h"
#include "base/time.h"
#include "http/message.h"
#include "mcp/safety/scan.h"

#define ROW_BYTES ((size_t)64 * 1024)
#define TARGET_BYTES 1024
#define WATCH_BYTES ((size_t)8 * 1024 * 1024)

static int usage(struct km_cli *cli)
{
    return km_cli_usage(cli, "name one server; `kanmon mcp list` shows them");
}

/* "/kanmon/mcp/servers/{name}{rest}" */
static int server_target(struct km_cli *cli, const char *rest, char out[TARGET_BYTES])
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(TARGET_BYTES - 1);

    if (cli->nargs != 1)
        return usage(cli);
    km_buf_str(&b, KM_STR("/kanmon/mcp/servers/"));
    km_url_encode(&b, km_str_c(cli->args[0]));
    km_buf_str(&b, km_str_c(rest));
    if (km_buf_failed(&b))
        return km_cli_usage(cli, "the name is too long");
    snprintf(out, TARGET_BYTES, "%s", km_buf_cstr(&b));
    return 0;
}

/* --- list, status --- */

/* Of a list; "?": it is unknown. */
static struct km_str count_of(const struct km_json *s, const char *list)
{
    struct km_str n = km_answer_text(s, list);

    return n.n ? n : KM_STR("?");
}

static void print_row(const struct km_json *s)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(ROW_BYTES);
    struct km_str why = km_answer_text(s, "why");
    size_t alerts = km_json_count(km_json_get(s, "alerts"));
    size_t flagged = km_json_count(km_json_get(s, "flagged"));
    struct km_str refused = km_answer_text(s, "refused");
    bool more = why.n || alerts;

    km_buf_printf(&b, "%-20.*s %-20.*s %-6.*s %-11.*s %5.*s %9.*s %7.*s  %.*s",
                  KM_STR_ARG(km_answer_text(s, "name")), KM_STR_ARG(km_answer_text(s, "prefix")),
                  KM_STR_ARG(km_answer_text(s, "transport")),
                  KM_STR_ARG(km_answer_text(s, "state")), KM_STR_ARG(count_of(s, "tools")),
                  KM_STR_ARG(count_of(s, "resources")), KM_STR_ARG(count_of(s, "prompts")),
                  KM_STR_ARG(why));
    if (alerts)
        km_buf_printf(&b, "%s%zu tools to look at: kanmon mcp approve", why.n ? "; " : "", alerts);
    if (flagged)
        km_buf_printf(&b, "%s%zu other texts to look at: kanmon mcp status %.*s", more ? "; " : "",
                      flagged, KM_STR_ARG(km_answer_text(s, "name")));
    if (refused.n && !km_str_eq(refused, KM_STR("0")))
        km_buf_printf(&b, "%s%.*s withheld, as no client would take them: kanmon mcp status %.*s",
                      more || flagged ? "; " : "", KM_STR_ARG(refused),
                      KM_STR_ARG(km_answer_text(s, "name")));
    km_say(stdout, "%.*s", KM_STR_ARG(km_buf_view(&b)));
}

void km_mcp_print_alert(FILE *to, const struct km_json *t, struct km_arena *arena)
{
    const struct km_json *flags = km_json_get(t, "flags");
    struct km_str kind = km_answer_text(t, "kind"),
                  hash = km_str_sub(km_answer_text(t, "hash"), 0, 12);
    struct km_buf name KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 * 1024);

    km_scan_line(&name, km_answer_text(t, kind.n ? "name" : "tool"));
    fprintf(to, "  %.*s: %.*s '%.*s' is %.*s", KM_STR_ARG(km_answer_text(t, "server")),
            KM_STR_ARG(kind.n ? kind : KM_STR("tool")), KM_STR_ARG(km_buf_view(&name)),
            KM_STR_ARG(km_answer_text(t, "state")));
    if (km_json_count(flags))
        fprintf(to, " %.*s", KM_STR_ARG(km_json_compact(flags, arena)));
    fprintf(to, ", since %.*s%s%.*s\n", KM_STR_ARG(km_str_sub(km_answer_text(t, "since"), 0, 19)),
            hash.n ? ", " : "", KM_STR_ARG(hash));
}

static void print_alerts(FILE *to, const struct km_json *list)
{
    const struct km_json *t;
    struct km_json_iter it;
    struct km_arena arena;
    struct km_str key;

    km_arena_init(&arena, (size_t)1024 * 1024, NULL);
    for (km_json_iter(list, &it); km_json_next(&it, &key, &t);)
        km_mcp_print_alert(to, t, &arena);
    km_arena_done(&arena);
}

static int show_list(const struct km_cli *cli, struct km_answer *a)
{
    const struct km_json *json = a->json;
    const struct km_json *servers = km_json_get(json, "servers"), *server;
    struct km_json_iter it;
    struct km_str key;

    if (km_json_count(servers) == 0) {
        fprintf(stderr,
                "No MCP servers are configured: mcp_servers in %s, or see "
                "`kanmon mcp import --help`\n",
                km_cli_config_file(cli));
        return KM_EXIT_OK;
    }
    printf("%-20s %-20s %-6s %-11s %5s %9s %7s  %s\n", "NAME", "PREFIX", "BY", "STATE", "TOOLS",
           "RESOURCES", "PROMPTS", "WHY");
    for (km_json_iter(servers, &it); km_json_next(&it, &key, &server);)
        print_row(server);
    return KM_EXIT_OK;
}

/* --- list --watch --- */

/* What of a row tells that it is another one: all but how long it is so. */
static void put_row_key(struct km_buf *b, const struct km_json *s)
{
    static const char *const names[] = { "name", "state", "why", "tools", "resources", "prompts",
                                         "refused" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        km_buf_str(b, km_answer_text(s, names[i]));
        km_buf_byte(b, '\x1f');
    }
    km_buf_printf(b, "%zu\x1f%zu\n", km_json_count(km_json_get(s, "alerts")),
                  km_json_count(km_json_get(s, "flagged")));
}

static void print_changed(const struct km_cli *cli, const struct km_json *s)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)8 * 1024 * 1024);
    char now[KM_TIME_ISO_LEN + 1];

    if (km_cli_flag(cli, "json")) {
        km_json_write(s, &b);
        km_say_json(km_buf_view(&b));
        return;
    }
    km_time_iso(km_wall_us(), now);
    printf("%.19sZ ", now);
    print_row(s);
}

/* A line for each server that is not as it was in `seen`, which is renewed. */
static void print_changes(const struct km_cli *cli, const struct km_json *servers,
                          struct km_buf *seen)
{
    struct km_buf now KM_CLEANUP(km_buf_done) = KM_BUF(WATCH_BYTES);
    const struct km_json *s;
    struct km_json_iter it;
    struct km_str key;

    for (km_json_iter(servers, &it); km_json_next(&it, &key, &s);) {
        size_t from = now.n;

        put_row_key(&now, s);
        if (km_str_find(km_buf_view(seen), km_str_skip(km_buf_view(&now), from)) == seen->n)
            print_changed(cli, s);
    }
    km_buf_reset(seen);
    km_buf_str(seen, km_buf_view(&now));
}

/* On a terminal the table is drawn again; anywhere else lines are added. */
static int watch_list(struct km_cli *cli)
{
    struct km_buf seen KM_CLEANUP(km_buf_done) = KM_BUF(WATCH_BYTES);
    const bool draws = isatty(STDOUT_FILENO) && !km_cli_flag(cli, "json");
    struct km_watch w;
    struct km_err err = { 0 };
    bool first = true;
    int r;

    km_watch_begin(&w, cli);
    do {
        struct km_answer a;

        km_answer_init(&a);
        r = km_watch_ask(&w, "/kanmon/mcp/servers", &a, &err);
        if (r == 0 && draws) {
            fputs("\x1b[H\x1b[2J", stdout);
            (void)show_list(cli, &a);
        } else if (r == 0) {
            print_changes(cli, km_json_get(a.json, "servers"), &seen);
        }
        km_answer_done(&a);
        if (r < 0 && (r != KM_E_AGAIN || first))
            return km_cli_fail(cli, &err);
        first = false;
    } while (km_watch_wait(&w));
    return KM_EXIT_OK;
}

int km_cmd_mcp_list(struct km_cli *cli)
{
    if (km_cli_flag(cli, "watch"))
        return watch_list(cli);
    return km_cli_show(cli, "GET", "/kanmon/mcp/servers", KM_STR_NONE, show_list);
}

/* Whether its clients' capabilities are of any use there (asks_clients). */
static void print_declared(const struct km_json *d)
{
    bool differ = false;

    (void)km_json_bool(km_json_get(d, "lists_differ"), &differ);
    printf("  %-10s %.*s calls of clients that can be asked, %.*s questions, lists %s\n",
           "declared", KM_STR_ARG(km_answer_text(d, "calls")),
           KM_STR_ARG(km_answer_text(d, "questions")), differ ? "of their own" : "as for all");
}

static void print_refusals(const struct km_json *list)
{
    const struct km_json *one;
    struct km_json_iter it;
    struct km_str key;

    for (km_json_iter(list, &it); km_json_next(&it, &key, &one);) {
        struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 * 1024);

        km_scan_line(&text, km_answer_text(one, "name"));
        km_buf_str(&text, KM_STR(": "));
        km_scan_line(&text, km_answer_text(one, "why"));
        printf("  withheld of %.*s: %.*s\n", KM_STR_ARG(km_answer_text(one, "list")),
               KM_STR_ARG(km_buf_view(&text)));
    }
}

static int show_server(const struct km_cli *cli, struct km_answer *a)
{
    const struct km_json *s = a->json;
    static const char *const names[] = {
        "name",      "alias",     "prefix",    "server_id", "transport", "url",      "spec_path",
        "command",   "builtin",   "state",     "why",       "since",    "last_ok",
        "revision",  "tools",     "resources", "templates", "prompts",  "sessions",
        "asks",      "restarts",  "breaker",   "sandbox",   "pin",       "left_out", "notes",
        "mended",    "refused",
    };

    (void)cli;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct km_str value = km_answer_text(s, names[i]);

        if (value.n)
            km_say(stdout, "  %-10s %.*s", names[i], KM_STR_ARG(value));
    }
    print_declared(km_json_get(s, "declared"));
    print_alerts(stdout, km_json_get(s, "alerts"));
    print_alerts(stdout, km_json_get(s, "flagged"));
    print_refusals(km_json_get(s, "refusals"));
    return KM_EXIT_OK;
}

int km_cmd_mcp_status(struct km_cli *cli)
{
    char target[TARGET_BYTES];
    int r;

    if (cli->nargs == 0)
        return km_cmd_mcp_list(cli);
    r = server_target(cli, "", target);
    return r != 0 ? r : km_cli_show(cli, "GET", target, KM_STR_NONE, show_server);
}

/* --- start, stop, restart --- */

static int show_state(const struct km_cli *cli, struct km_answer *a)
{
    struct km_str state = km_answer_text(a->json, "state"), why = km_answer_text(a->json, "why");
    bool ill = km_str_eq(state, KM_STR("down")) || km_str_eq(state, KM_STR("degraded"));

    if (km_cli_flag(cli, "quiet"))
        return KM_EXIT_OK;
    if (!ill)
        why = KM_STR_NONE;
    km_say(stdout, "%.*s: %.*s%s%.*s%s", KM_STR_ARG(km_answer_text(a->json, "name")),
           KM_STR_ARG(state), why.n ? " (" : "", KM_STR_ARG(why), why.n ? ")" : "");
    return KM_EXIT_OK;
}

static int act(struct km_cli *cli, const char *action)
{
    char target[TARGET_BYTES];
    int r = server_target(cli, action, target);

    return r != 0 ? r : km_cli_show(cli, "POST", target, KM_STR_NONE, show_state);
}

int km_cmd_mcp_start(struct km_cli *cli)
{
    return act(cli, "/start");
}

int km_cmd_mcp_stop(struct km_cli *cli)
{
    return act(cli, "/stop");
}

int km_cmd_mcp_restart(struct km_cli *cli)
{
    return act(cli, "/restart");
}

/* --- login --- */

static int show_login(const struct km_cli *cli, struct km_answer *a)
{
    const struct km_json *json = a->json;
    if (!km_cli_flag(cli, "quiet"))
        fputs("Open this in a browser within ten minutes:\n", stderr);
    km_say(stdout, "%.*s", KM_STR_ARG(km_answer_text(json, "url")));
    return KM_EXIT_OK;
}

int km_cmd_mcp_login(struct km_cli *cli)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(TARGET_BYTES - 1);

    if (cli->nargs != 1)
        return usage(cli);
    km_buf_str(&b, KM_STR("/v1/mcp/server/"));
    km_url_encode(&b, km_str_c(cli->args[0]));
    km_buf_str(&b, KM_STR("/login"));
    if (km_buf_failed(&b))
        return km_cli_usage(cli, "the name is too long");
    return km_cli_show(cli, "POST", km_buf_cstr(&b), KM_STR("{}"), show_login);
}
