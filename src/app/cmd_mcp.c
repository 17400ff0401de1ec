/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_mcp.c - what MCP clients would be offered, for people: `kanmon mcp tools`, `resources`,
 * `prompts`, `call`.
 *
 * It is asked for as a client of the stateless era asks, so that no session is begun: by JSON-RPC
 * at /mcp, or at /mcp/{server} with --server.  The answer is JSON, or a stream whose last event is
 * the answer; what comes before goes to standard error.  A list is asked for page by page.
 */
#include "app/cmd_mcp.h"

#include "app/client.h"
#include "app/say.h"
#include "base/encode.h"
#include "http/message.h"
#include "http/sse.h"
#include "mcp/revision.h"

#define REVISION "2026-07-28"
#define PARAMS_BYTES ((size_t)1024 * 1024)
#define EVENT_BYTES ((size_t)16 * 1024 * 1024)
#define PAGES_MOST 1000
#define CALL_MS 600000
#define LISTS_ARGS "[SERVER]" /* of the commands that list (commands.c) */

int km_mcp_target(struct km_cli *cli, char out[KM_MCP_TARGET_BYTES])
{
    const char *server = km_cli_option(cli, "server");
    const bool word = cli->nargs && strcmp(cli->command->args, LISTS_ARGS) == 0;
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_TARGET_BYTES - 1);

    if (word)
        server = cli->args[0];
    km_buf_str(&b, KM_STR("/mcp"));
    if (server && *server) {
        km_buf_byte(&b, '/');
        km_url_encode(&b, km_str_c(server));
    }
    if (km_buf_failed(&b))
        return km_cli_usage(cli, "--server: the name is too long");
    snprintf(out, KM_MCP_TARGET_BYTES, "%s", km_buf_cstr(&b));
    return 0;
}

/* A header holds printable ASCII without blanks at its ends; all else goes as base64. */
static bool is_plain(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~')
            return false;
    return s.n && s.p[0] != ' ' && s.p[s.n - 1] != ' ' && !km_str_starts(s, KM_STR("=?base64?"));
}

int km_mcp_header_name(struct km_buf *head, struct km_str name, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)32 * 1024);

    if (is_plain(name)) {
        km_buf_str(&b, name);
    } else {
        km_buf_str(&b, KM_STR("=?base64?"));
        km_buf_base64(&b, name);
        km_buf_str(&b, KM_STR("?="));
    }
    return km_header_put(head, KM_STR("Mcp-Name"), km_buf_view(&b), err);
}

/* --- one request --- */

struct ask {
    struct km_cli *cli;
    struct km_answer a;
    const struct km_json *result; /* in a's arena */
};

/* The response among the events of a stream; the rest is said as it comes. */
static int on_event(void *ctx, const struct km_sse_event *e)
{
    struct ask *k = ctx;
    const struct km_json *message;
    struct km_str text = km_arena_str(&k->a.arena, e->data);

    if (!text.n || km_json_parse(&k->a.arena, text, &message, NULL) < 0)
        return 0;
    if (km_json_get(message, "id"))
        k->a.json = message;
    else if (!km_cli_flag(k->cli, "quiet"))
        km_say(stderr, "%.*s",
               KM_STR_ARG(km_json_compact(km_json_get(message, "params"), &k->a.arena)));
    return 0;
}

static int read_stream(struct ask *k, struct km_err *err)
{
    struct km_sse *sse = km_sse_new(EVENT_BYTES, on_event, k);
    struct km_str body = km_buf_view(&k->a.body);
    int r = sse ? km_sse_feed(sse, body.p, body.n, err) : km_fail(err, KM_E_NOMEM, "out of memory");

    km_sse_free(sse);
    return r;
}

/* An error of JSON-RPC or of HTTP. */
static int judge(struct ask *k, struct km_err *err)
{
    const struct km_json *error = km_json_get(k->a.json, "error");
    struct km_str message = km_answer_text(error, "message");
    int code = k->a.status == 401   ? KM_E_UNAUTHENTICATED
               : k->a.status == 403 ? KM_E_FORBIDDEN
               : k->a.status == 404 ? KM_E_NOT_FOUND
                                    : KM_E_INVALID;

    k->result = km_json_get(k->a.json, "result");
    if (k->result)
        return 0;
    if (!message.n)
        (void)km_json_string(error, &message);
    message = km_str_sub(message, 0, 400);
    return message.n ? km_fail(err, code, "%.*s", KM_STR_ARG(message))
                     : km_fail(err, code, "the gateway answered %d", k->a.status);
}

/* members: of params, without braces, may be empty; name: Mcp-Name, or NULL. */
static int ask(struct ask *k, const char *method, struct km_str members, const char *name,
               struct km_err *err)
{
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF(PARAMS_BYTES + 4096);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF((size_t)8 * 1024);
    char target[KM_MCP_TARGET_BYTES];
    int r = km_mcp_target(k->cli, target) == 0 ? 0 : KM_E_INVALID;

    km_buf_printf(&body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{", method);
    km_buf_str(&body, members);
    km_buf_printf(&body,
                  "%s\"_meta\":{\"" KM_MCP_META_VERSION "\":\"" REVISION
                  "\",\"" KM_MCP_META_CAPABILITIES "\":{},\"progressToken\":1}}}",
                  members.n ? "," : "");
    km_buf_printf(&head,
                  "Accept: application/json, text/event-stream\r\n"
                  "MCP-Protocol-Version: " REVISION "\r\nMcp-Method: %s\r\n",
                  method);
    if (r == 0 && name)
        r = km_mcp_header_name(&head, km_str_c(name), err);
    if (r == 0)
        r = km_cli_ask(k->cli, "POST", target, km_buf_view(&head), km_buf_view(&body), CALL_MS,
                       &k->a, err);
    if (r == 0 && !k->a.json)
        r = read_stream(k, err);
    return r == 0 ? judge(k, err) : r;
}

/* --- lists --- */

static void print_tool(const struct km_json *tool)
{
    const struct km_json *hints = km_json_get(tool, "annotations");
    struct km_str description = km_answer_text(tool, "description");
    bool read_only = false, destructive = false;

    (void)km_json_bool(km_json_get(hints, "readOnlyHint"), &read_only);
    (void)km_json_bool(km_json_get(hints, "destructiveHint"), &destructive);
    km_say(stdout, "%-32.*s %-11s  %.*s", KM_STR_ARG(km_answer_text(tool, "name")),
           read_only     ? "read-only"
           : destructive ? "destructive"
                         : "",
           KM_STR_ARG(km_str_sub(description, 0, km_str_chr(description, '\n'))));
}

static void print_resource(const struct km_json *r)
{
    struct km_str uri = km_answer_text(r, "uri");

    km_say(stdout, "%-48.*s %-18.*s  %.*s",
           KM_STR_ARG(uri.n ? uri : km_answer_text(r, "uriTemplate")),
           KM_STR_ARG(km_answer_text(r, "mimeType")), KM_STR_ARG(km_answer_text(r, "name")));
}

static void print_prompt(const struct km_json *p)
{
    struct km_str description = km_answer_text(p, "description");

    km_say(stdout, "%-32.*s  %.*s", KM_STR_ARG(km_answer_text(p, "name")),
           KM_STR_ARG(km_str_sub(description, 0, km_str_chr(description, '\n'))));
}

struct list {
    const char *method, *member;
    void (*print)(const struct km_json *item);
};

/* One page; with --json its items go to `all`. */
static struct km_str take_page(struct ask *k, const struct list *l, struct km_buf *all)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;

    for (km_json_iter(km_json_get(k->result, l->member), &it); km_json_next(&it, &key, &item);) {
        if (!km_cli_flag(k->cli, "json")) {
            l->print(item);
            continue;
        }
        if (all->n)
            km_buf_byte(all, ',');
        km_json_write(item, all);
    }
    return km_answer_text(k->result, "nextCursor");
}

static int list_all(struct km_cli *cli, const struct list *l, struct km_buf *all,
                    struct km_err *err)
{
    struct km_buf members KM_CLEANUP(km_buf_done) = KM_BUF(PARAMS_BYTES);
    struct km_str cursor = KM_STR_NONE;
    int r = 0, pages = 0;

    do {
        struct ask k = { .cli = cli };

        km_answer_init(&k.a);
        r = ask(&k, l->method, km_buf_view(&members), NULL, err);
        if (r == 0)
            cursor = take_page(&k, l, all);
        km_buf_reset(&members);
        if (r == 0 && cursor.n) {
            km_buf_str(&members, KM_STR("\"cursor\":"));
            km_buf_json(&members, cursor);
        }
        km_answer_done(&k.a);
    } while (r == 0 && members.n && ++pages < PAGES_MOST);
    return r;
}

static void print_list(bool first, const char *member, struct km_str items)
{
    printf("%c\"%s\":[", first ? '{' : ',', member);
    km_say_json_part(items);
    putchar(']');
}

static int run_lists(struct km_cli *cli, const struct list *lists, size_t n)
{
    struct km_err err = { 0 };
    int r = 0;

    if (cli->nargs + (km_cli_option(cli, "server") != NULL) > 1)
        return km_cli_usage(cli, "name one server");
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct km_buf all KM_CLEANUP(km_buf_done) = KM_BUF((size_t)128 * 1024 * 1024);

        r = list_all(cli, &lists[i], &all, &err);
        if (r == 0 && km_cli_flag(cli, "json"))
            print_list(i == 0, lists[i].member, km_buf_view(&all));
    }
    if (r < 0)
        return km_cli_fail(cli, &err);
    if (km_cli_flag(cli, "json"))
        puts("}");
    return KM_EXIT_OK;
}

/* For the administrator: which tools are withheld, or not as they were.  A key may not ask. */
static void print_alerts(struct km_cli *cli)
{
    struct km_err err = { 0 };
    struct km_answer a;
    size_t n;

    km_answer_init(&a);
    if (km_cli_call(cli, "GET", "/kanmon/mcp/pins", KM_STR_NONE, &a, &err) == 0) {
        n = km_json_count(km_json_get(a.json, "tools"));
        if (n)
            fprintf(stderr,
                    "%zu tools are new, changed or hide something: `kanmon mcp approve` shows "
                    "them\n",
                    n);
    }
    km_answer_done(&a);
}

int km_cmd_mcp_tools(struct km_cli *cli)
{
    static const struct list lists[] = { { "tools/list", "tools", print_tool } };
    int r = run_lists(cli, lists, 1);

    if (r == KM_EXIT_OK && !km_cli_flag(cli, "quiet"))
        print_alerts(cli);
    return r;
}

int km_cmd_mcp_resources(struct km_cli *cli)
{
    static const struct list lists[] = {
        { "resources/list", "resources", print_resource },
        { "resources/templates/list", "resourceTemplates", print_resource },
    };

    return run_lists(cli, lists, 2);
}

int km_cmd_mcp_prompts(struct km_cli *cli)
{
    static const struct list lists[] = { { "prompts/list", "prompts", print_prompt } };

    return run_lists(cli, lists, 1);
}

/* --- call --- */

/* key=value: a value that is JSON is taken as such, all else is text. */
static int put_argument(struct km_cli *cli, struct km_buf *b, const char *word, struct km_arena *a)
{
    struct km_str key = km_str_c(word), value;
    const struct km_json *json;
    size_t equals = km_str_chr(key, '=');

    if (equals == key.n || equals == 0)
        return km_cli_usage(cli, "'%s' is not name=value", word);
    value = km_str_skip(key, equals + 1);
    if (b->p[b->n - 1] != '{')
        km_buf_byte(b, ',');
    km_buf_json(b, km_str_sub(key, 0, equals));
    km_buf_byte(b, ':');
    if (value.n && km_json_parse(a, value, &json, NULL) == 0)
        km_buf_str(b, value);
    else
        km_buf_json(b, value);
    return 0;
}

static int put_call(struct km_cli *cli, struct km_buf *b, struct km_arena *a)
{
    const char *all = km_cli_option(cli, "arguments");
    const struct km_json *json;
    int r = 0;

    km_buf_str(b, KM_STR("\"name\":"));
    km_buf_json(b, km_str_c(cli->args[0]));
    km_buf_str(b, KM_STR(",\"arguments\":"));
    if (all) {
        if (km_json_parse(a, km_str_c(all), &json, NULL) < 0 ||
            km_json_kind(json) != KM_JSON_OBJECT || cli->nargs > 1)
            return km_cli_usage(cli, "--arguments is one JSON object, instead of name=value");
        km_buf_str(b, km_str_c(all));
        return 0;
    }
    km_buf_byte(b, '{');
    for (size_t i = 1; r == 0 && i < cli->nargs; i++)
        r = put_argument(cli, b, cli->args[i], a);
    km_buf_byte(b, '}');
    return r;
}

static int print_result(struct ask *k)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF((size_t)256 * 1024 * 1024);
    bool failed = km_json_kind(km_json_get(k->result, "isError")) == KM_JSON_TRUE;
    const struct km_json *part;
    struct km_json_iter it;
    struct km_str key, text;

    if (km_cli_flag(k->cli, "json")) {
        km_json_write(k->result, &out);
        km_say_json(km_buf_view(&out));
        return failed ? KM_EXIT_FAILURE : KM_EXIT_OK;
    }
    if (km_str_eq(km_answer_text(k->result, "resultType"), KM_STR("input_required"))) {
        fputs("error: the tool asks its user something; call it from an MCP client\n", stderr);
        return KM_EXIT_FAILURE;
    }
    for (km_json_iter(km_json_get(k->result, "content"), &it); km_json_next(&it, &key, &part);) {
        if (!km_json_string(km_json_get(part, "text"), &text))
            text = km_json_compact(part, &k->a.arena);
        fprintf(failed ? stderr : stdout, "%s%.*s\n", failed ? "error: " : "", KM_STR_ARG(text));
    }
    return failed ? KM_EXIT_FAILURE : KM_EXIT_OK;
}

int km_cmd_mcp_call(struct km_cli *cli)
{
    struct km_buf members KM_CLEANUP(km_buf_done) = KM_BUF(PARAMS_BYTES);
    struct ask k = { .cli = cli };
    struct km_err err = { 0 };
    int code;

    if (cli->nargs == 0)
        return km_cli_usage(cli, "name the tool; `kanmon mcp tools` lists them");
    km_answer_init(&k.a);
    code = put_call(cli, &members, &k.a.arena);
    if (code == 0) {
        code = ask(&k, "tools/call", km_buf_view(&members), cli->args[0], &err);
        code = code < 0 ? km_cli_fail(cli, &err) : print_result(&k);
    }
    km_answer_done(&k.a);
    return code;
}
