/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_mcp_approve.c - `kanmon mcp approve`: calls that wait for a person, and tools that are not as
 * they were.
 *
 * Who decides is shown what is decided: of a call its arguments, who asks, since when and until
 * when; of a tool that changed both definitions, of a new one its own.  --show decides nothing.
 */
#include "app/cmd_mcp.h"

#include "app/client.h"
#include "app/say.h"
#include "app/text_diff.h"
#include "http/message.h"
#include "mcp/safety/approval.h"
#include "mcp/safety/scan.h"

#define TARGET_BYTES 1024
#define BOTH_BYTES ((size_t)64 << 20)

/* "team-a (ann), key:1f2e...": the key as people call it, whose it is, and who it is to kanmon. */
static void put_who(struct km_buf *b, const struct km_json *one)
{
    struct km_str alias = km_answer_text(one, "key_alias"), user = km_answer_text(one, "user_id");
    struct km_str subject = km_answer_text(one, "subject");

    if (alias.n)
        km_scan_line(b, alias);
    if (user.n) {
        km_buf_str(b, alias.n ? KM_STR(" (user ") : KM_STR("user "));
        km_scan_line(b, user);
        km_buf_str(b, alias.n ? KM_STR(")") : KM_STR_NONE);
    }
    if (alias.n || user.n)
        km_buf_str(b, KM_STR(", "));
    km_scan_line(b, subject.n ? subject : km_str_sub(km_answer_text(one, "principal"), 0, 16));
}

/* One call that waits, and below it who asks and what it would be given. */
static void print_waiting(const struct km_json *one)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4 * KM_APPROVAL_JSON_BYTES);
    uint64_t cut = 0;

    km_buf_printf(&b, "%-24.*s %-9.*s ", KM_STR_ARG(km_answer_text(one, "id")),
                  KM_STR_ARG(km_answer_text(one, "state")));
    km_scan_line(&b, km_answer_text(one, "tool"));
    km_buf_str(&b, KM_STR("\n    server     "));
    km_scan_line(&b, km_answer_text(one, "server"));
    km_buf_printf(&b, ", risk %.*s\n    asked by   ", KM_STR_ARG(km_answer_text(one, "risk")));
    put_who(&b, one);
    km_buf_printf(&b, "\n    asked at   %.*s, open until %.*s (UTC)",
                  KM_STR_ARG(km_str_sub(km_answer_text(one, "asked_at"), 0, 19)),
                  KM_STR_ARG(km_str_sub(km_answer_text(one, "expires_at"), 11, 8)));
    if (km_json_get(one, "arguments")) {
        km_buf_str(&b, KM_STR("\n    arguments  "));
        km_args_show(km_json_get(one, "arguments"), 2 * KM_ARGS_SHOWN_BYTES, "\n      ", &b);
    }
    if (km_str_u64(km_answer_text(one, "arguments_cut"), &cut) == 0 && cut)
        km_buf_printf(&b, "\n    %llu of these values are cut", (unsigned long long)cut);
    printf("%.*s\n", KM_STR_ARG(km_buf_view(&b)));
}

static int show_waiting(const struct km_cli *cli, struct km_answer *a)
{
    const struct km_json *json = a->json;
    const struct km_json *list = km_json_get(json, "approvals"), *one;
    struct km_json_iter it;
    struct km_str key;

    (void)cli;
    if (km_json_count(list) == 0)
        fputs("No call waits for an approval\n", stderr);
    for (km_json_iter(list, &it); km_json_next(&it, &key, &one);)
        print_waiting(one);
    return KM_EXIT_OK;
}

static int show_answer(const struct km_cli *cli, struct km_answer *a)
{
    const struct km_json *json = a->json;
    if (!km_cli_flag(cli, "quiet"))
        printf("%.*s: %.*s; the same call of the same caller may be sent again\n",
               KM_STR_ARG(km_answer_text(json, "id")), KM_STR_ARG(km_answer_text(json, "state")));
    return KM_EXIT_OK;
}

/* An id is hexadecimal digits; anything else names a server. */
static bool is_id(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("0123456789abcdef", s.p[i]))
            return false;
    return s.n == KM_APPROVAL_ID_LEN;
}

/* A tool that changed as what it was and is; any other as it is. */
static void print_pin(const struct km_json *t, struct km_arena *arena)
{
    const struct km_json *now = km_json_get(t, "definition");
    const struct km_json *before = km_json_get(t, "definition_before");
    bool changed = km_str_eq(km_answer_text(t, "state"), KM_STR("changed"));

    km_mcp_print_alert(stdout, t, arena);
    if (km_json_kind(now) != KM_JSON_OBJECT)
        puts("      (it is not offered any more, and what it said was not kept)");
    else if (changed && km_json_kind(before) != KM_JSON_OBJECT)
        puts("      (what it said before was not kept; it says now:)");
    km_show_definition(stdout, changed && km_json_kind(before) == KM_JSON_OBJECT ? before : NULL,
                       now);
    if (km_json_kind(km_json_get(t, "definition_cut")) == KM_JSON_TRUE)
        fputs("      (it is too long to be shown whole: what is not shown may have changed, too;\n"
              "      `kanmon mcp tools SERVER --json` has all of it where it is not withheld)\n",
              stdout);
}

static int show_pins(const struct km_cli *cli, struct km_answer *a)
{
    const struct km_json *t;
    struct km_json_iter it;
    struct km_str key;

    (void)cli;
    for (km_json_iter(km_json_get(a->json, "tools"), &it); km_json_next(&it, &key, &t);)
        print_pin(t, &a->arena);
    return KM_EXIT_OK;
}

static int show_accepted(const struct km_cli *cli, struct km_answer *a)
{
    const struct km_json *json = a->json;
    const struct km_json *tool;
    struct km_json_iter it;
    struct km_str key, name;

    for (km_json_iter(km_json_get(json, "accepted"), &it);
         !km_cli_flag(cli, "quiet") && km_json_next(&it, &key, &tool);)
        if (km_json_string(tool, &name))
            km_say(stdout, "%.*s: accepted as it is", KM_STR_ARG(name));
    return KM_EXIT_OK;
}

/* `kanmon mcp approve SERVER [TOOL]`: definitions of tools. */
static int accept_tools(struct km_cli *cli)
{
    struct km_buf target KM_CLEANUP(km_buf_done) = KM_BUF(TARGET_BYTES);
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF((size_t)16 * 1024);
    const char *hash = km_cli_option(cli, "hash");

    if (cli->nargs > 2)
        return km_cli_usage(cli, "name a server and at most one of its tools");
    km_buf_str(&target, KM_STR("/kanmon/mcp/pins/"));
    km_url_encode(&target, km_str_c(cli->args[0]));
    km_buf_str(&body, KM_STR("{\"tool\":"));
    km_buf_json(&body, cli->nargs == 2 ? km_str_c(cli->args[1]) : KM_STR_NONE);
    km_buf_str(&body, KM_STR(",\"hash\":"));
    km_buf_json(&body, hash ? km_str_c(hash) : KM_STR_NONE);
    km_buf_byte(&body, '}');
    return km_cli_show(cli, "POST", km_buf_cstr(&target), km_buf_view(&body), show_accepted);
}

/* Both lists as one document. */
static int print_what_waits(struct km_cli *cli)
{
    static const struct {
        const char *target;
        struct km_str name;
    } lists[] = { { "/kanmon/approvals", { "approvals", 9 } },
                  { "/kanmon/mcp/pins", { "tools", 5 } } };
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(BOTH_BYTES);
    int code = KM_EXIT_OK;

    for (size_t i = 0; i < sizeof lists / sizeof *lists && code == KM_EXIT_OK; i++) {
        struct km_json_span span;
        struct km_answer a;
        struct km_err err = { 0 };

        km_answer_init(&a);
        if (km_cli_call(cli, "GET", lists[i].target, KM_STR_NONE, &a, &err) < 0 ||
            km_json_spans(km_buf_view(&a.body), &lists[i].name, 1, &span, NULL, &err) < 0) {
            code = km_cli_fail(cli, &err);
        } else {
            /* Its own bytes: what the gateway escaped stays escaped. */
            km_buf_printf(&b, "%s\"%.*s\":", i ? "," : "{", KM_STR_ARG(lists[i].name));
            km_buf_str(&b, km_json_value(km_buf_view(&a.body), &span));
        }
        km_answer_done(&a);
    }
    if (code == KM_EXIT_OK) {
        km_say_json_part(km_buf_view(&b));
        puts("}");
    }
    return code;
}

static int list_what_waits(struct km_cli *cli)
{
    int r;

    if (km_cli_flag(cli, "json"))
        return print_what_waits(cli);
    r = km_cli_show(cli, "GET", "/kanmon/approvals", KM_STR_NONE, show_waiting);

    return r == KM_EXIT_OK ? km_cli_show(cli, "GET", "/kanmon/mcp/pins", KM_STR_NONE, show_pins)
                           : r;
}

static int show_one(const struct km_cli *cli, struct km_answer *a)
{
    (void)cli;
    print_waiting(a->json);
    return KM_EXIT_OK;
}

/* `kanmon mcp approve ID --show`, or SERVER --show: nothing is decided. */
static int show_what_waits(struct km_cli *cli)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(TARGET_BYTES);
    bool id = cli->nargs == 1 && is_id(km_str_c(cli->args[0]));

    if (cli->nargs != 1)
        return km_cli_usage(cli, "name one call or one server to show");
    km_buf_str(&b, id ? KM_STR("/kanmon/approvals/") : KM_STR("/kanmon/mcp/pins/"));
    km_url_encode(&b, km_str_c(cli->args[0]));
    return km_cli_show(cli, "GET", km_buf_cstr(&b), KM_STR_NONE, id ? show_one : show_pins);
}

int km_cmd_mcp_approve(struct km_cli *cli)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(TARGET_BYTES);
    bool refuse = km_cli_flag(cli, "refuse");

    if (cli->nargs == 0 && !refuse)
        return list_what_waits(cli);
    if (km_cli_flag(cli, "show"))
        return show_what_waits(cli);
    if (cli->nargs && !refuse && !is_id(km_str_c(cli->args[0])))
        return accept_tools(cli);
    if (cli->nargs != 1)
        return km_cli_usage(cli, "name the approval; `kanmon mcp approve` lists what waits");
    km_buf_str(&b, KM_STR("/kanmon/approvals/"));
    km_url_encode(&b, km_str_c(cli->args[0]));
    return km_cli_show(cli, "POST", km_buf_cstr(&b),
                       refuse ? KM_STR("{\"approve\":false}") : KM_STR("{\"approve\":true}"),
                       show_answer);
}
