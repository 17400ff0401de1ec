/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_mcp.c - the gateway's MCP endpoint for clients that start a process, and for people.
 *
 *     client ── a line of JSON ──> kanmon mcp stdio ── POST /mcp ──> the gateway
 *            <── a line of JSON ──                  <── JSON ──────
 *
 * The bridge knows as much of MCP as HTTP asks for: the headers that repeat the message, and the
 * revision that initialize agreed on.  Everything else passes as it is.  What the gateway does
 * not answer with JSON-RPC (it is down, the key is refused) becomes a JSON-RPC error, so that the
 * client can show it.  Messages go one after the other, in the order they came.
 *
 * stdout carries messages and nothing else.  A line over 10 MiB is refused and passed over.
 */
#include "app/cmd_mcp.h"

#include <errno.h>
#include <unistd.h>

#include "app/client.h"
#include "base/encode.h"
#include "http/message.h"
#include "mcp/revision.h"

#define LINE_BYTES ((size_t)10 * 1024 * 1024)
#define READ_BYTES 65536
#define ACCEPT "Accept: application/json, text/event-stream\r\n"

struct bridge {
    struct km_cli *cli;
    char target[128];
    struct km_buf in; /* what was read and is no line yet */
    size_t looked; /* bytes of it without a line's end */
    bool skipping; /* the rest of a line that was too long */
    struct km_buf revision; /* what initialize agreed on; empty: nothing yet */
};

static int find_target(struct km_cli *cli, char *out, size_t cap)
{
    const char *server = km_cli_option(cli, "server");
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(cap - 1);

    km_buf_str(&b, KM_STR("/mcp"));
    if (server && *server) {
        km_buf_byte(&b, '/');
        km_url_encode(&b, km_str_c(server));
    }
    if (km_buf_failed(&b))
        return km_cli_usage(cli, "--server: the name is too long");
    snprintf(out, cap, "%s", km_buf_cstr(&b));
    return 0;
}

static void put_line(struct km_str line)
{
    fwrite(line.p, 1, line.n, stdout);
    putchar('\n');
    fflush(stdout);
}

/* An error of the bridge's own; a notification gets none. */
static void say(const struct km_rpc_message *m, enum km_rpc_fault fault, const char *text)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(LINE_BYTES + 4096);

    if (m->kind != KM_RPC_REQUEST) {
        fprintf(stderr, "kanmon mcp stdio: %s\n", text);
        return;
    }
    km_rpc_error(&b, KM_MCP_HANDSHAKE, fault, m->id, km_str_c(text), KM_STR_NONE);
    put_line(km_buf_view(&b));
}

/* --- the headers of a message --- */

/* A header holds printable ASCII without blanks at its ends; all else goes as base64. */
static bool is_plain(struct km_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~')
            return false;
    return s.n && s.p[0] != ' ' && s.p[s.n - 1] != ' ' && !km_str_starts(s, KM_STR("=?base64?"));
}

static int put_name(struct km_buf *head, struct km_str name, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(LINE_BYTES * 2);

    if (is_plain(name)) {
        km_buf_str(&b, name);
    } else {
        km_buf_str(&b, KM_STR("=?base64?"));
        km_buf_base64(&b, name);
        km_buf_str(&b, KM_STR("?="));
    }
    return km_header_put(head, KM_STR("Mcp-Name"), km_buf_view(&b), err);
}

static int put_head(const struct bridge *b, const struct km_rpc_message *m, struct km_buf *head,
                    struct km_err *err)
{
    const struct km_json *meta = km_json_get(m->params, "_meta");
    struct km_str version = km_buf_view(&b->revision), name;
    bool stateless = km_json_string(km_json_get(meta, KM_MCP_META_VERSION), &version);
    int r = 0;

    km_buf_str(head, KM_STR(ACCEPT));
    if (version.n)
        r = km_header_put(head, KM_STR("MCP-Protocol-Version"), version, err);
    if (r == 0 && stateless)
        r = km_header_put(head, KM_STR("Mcp-Method"), m->method, err);
    if (r == 0 && stateless &&
        (km_json_string(km_json_get(m->params, "name"), &name) ||
         km_json_string(km_json_get(m->params, "uri"), &name)))
        r = put_name(head, name, err);
    return r;
}

/* --- one message --- */

static void keep_revision(struct bridge *b, const struct km_rpc_message *m,
                          const struct km_json *answer)
{
    struct km_str version;

    if (!km_str_eq(m->method, KM_STR("initialize")) ||
        !km_json_string(km_json_get(km_json_get(answer, "result"), "protocolVersion"), &version))
        return;
    km_buf_reset(&b->revision);
    km_buf_str(&b->revision, version);
}

static void pass_answer(struct bridge *b, const struct km_rpc_message *m, const struct km_answer *a)
{
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(a->body.n * 2 + 4096);
    struct km_str body = km_buf_view(&a->body), message = KM_STR_NONE;
    char text[600];

    if (km_json_get(a->json, "jsonrpc")) {
        keep_revision(b, m, a->json);
        if (km_str_chr(body, '\n') < body.n)
            km_json_write(a->json, &line); /* one line, whatever came */
        put_line(line.n ? km_buf_view(&line) : body);
        return;
    }
    if (a->status >= 200 && a->status < 300 && m->kind != KM_RPC_REQUEST)
        return;
    (void)km_json_string(km_json_get(km_json_get(a->json, "error"), "message"), &message);
    snprintf(text, sizeof text, "the gateway answered %d: %.*s", a->status, KM_STR_ARG(message));
    say(m, KM_RPC_INTERNAL, text);
}

static void pass(struct bridge *b, struct km_str line)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(32 * 1024);
    enum km_rpc_fault fault = KM_RPC_INTERNAL;
    struct km_rpc_message m;
    struct km_err err = { 0 };
    struct km_answer a;
    int r;

    km_answer_init(&a);
    r = km_rpc_parse(&a.arena, line, &m, &fault, &err);
    if (r < 0)
        m.kind = KM_RPC_REQUEST; /* it is answered, without an id if need be */
    if (r == 0) {
        fault = KM_RPC_INTERNAL;
        r = put_head(b, &m, &head, &err);
    }
    if (r == 0)
        r = km_cli_send(b->cli, "POST", b->target, km_buf_view(&head), line, &a, &err);
    if (r < 0)
        say(&m, fault, err.text);
    else
        pass_answer(b, &m, &a);
    km_answer_done(&a);
}

/* --- lines --- */

static void refuse_line(void)
{
    const struct km_rpc_message nobody = { .kind = KM_RPC_REQUEST };

    say(&nobody, KM_RPC_TOO_LARGE, "a line may have 10 MiB");
}

static void take_line(struct bridge *b, struct km_str line)
{
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    if (b->skipping)
        b->skipping = false; /* the end of what was refused */
    else if (line.n > LINE_BYTES)
        refuse_line();
    else if (km_str_trim(line).n)
        pass(b, line);
}

/* Passes on every whole line that is there. */
static void take_lines(struct bridge *b)
{
    size_t end;

    while ((end = b->looked + km_str_chr(km_str_skip(km_buf_view(&b->in), b->looked), '\n')) <
           b->in.n) {
        take_line(b, km_str_sub(km_buf_view(&b->in), 0, end));
        km_buf_consume(&b->in, end + 1);
        b->looked = 0;
    }
    b->looked = b->in.n;
    if (b->in.n > LINE_BYTES && !b->skipping) {
        refuse_line();
        b->skipping = true;
    }
    if (b->skipping) {
        km_buf_reset(&b->in);
        b->looked = 0;
    }
}

int km_cmd_mcp_stdio(struct km_cli *cli)
{
    struct bridge b = { .cli = cli,
                        .in = KM_BUF(LINE_BYTES + 2 * READ_BYTES),
                        .revision = KM_BUF(256) };
    ssize_t n = find_target(cli, b.target, sizeof b.target);

    if (n != 0)
        return (int)n;
    do {
        char *room = km_buf_reserve(&b.in, READ_BYTES);

        n = room ? read(STDIN_FILENO, room, READ_BYTES) : 0;
        if (n > 0) {
            b.in.n += (size_t)n;
            take_lines(&b);
        }
    } while ((n > 0 && !ferror(stdout)) || (n < 0 && errno == EINTR));
    km_buf_done(&b.in);
    km_buf_done(&b.revision);
    return n < 0 || ferror(stdout) ? KM_EXIT_FAILURE : KM_EXIT_OK;
}

/* --- tools --- */

static void print_tool(const struct km_json *tool)
{
    const struct km_json *hints = km_json_get(tool, "annotations");
    struct km_str name = KM_STR_NONE, description = KM_STR_NONE;
    bool read_only = false, destructive = false;

    (void)km_json_string(km_json_get(tool, "name"), &name);
    (void)km_json_string(km_json_get(tool, "description"), &description);
    (void)km_json_bool(km_json_get(hints, "readOnlyHint"), &read_only);
    (void)km_json_bool(km_json_get(hints, "destructiveHint"), &destructive);
    printf("%-32.*s %-11s  %.*s\n", KM_STR_ARG(name),
           read_only     ? "read-only"
           : destructive ? "destructive"
                         : "",
           KM_STR_ARG(km_str_sub(description, 0, km_str_chr(description, '\n'))));
}

static int print_tools(const struct km_cli *cli, const struct km_answer *a)
{
    const struct km_json *result = km_json_get(a->json, "result"), *tool;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(a->body.n * 2 + 4096);
    struct km_str message = KM_STR_NONE;
    struct km_err err = { 0 };
    struct km_json_iter it;

    if (!result) {
        (void)km_json_string(km_json_get(km_json_get(a->json, "error"), "message"), &message);
        km_fail(&err,
                a->status == 401   ? KM_E_UNAUTHENTICATED
                : a->status == 404 ? KM_E_NOT_FOUND
                                   : KM_E_INVALID,
                "the gateway answered %d: %.*s", a->status, KM_STR_ARG(message));
        return km_cli_fail(cli, &err);
    }
    if (km_cli_flag(cli, "json")) {
        km_json_write(result, &out);
        put_line(km_buf_view(&out));
        return KM_EXIT_OK;
    }
    for (km_json_iter(km_json_get(result, "tools"), &it); km_json_next(&it, &message, &tool);)
        print_tool(tool);
    return KM_EXIT_OK;
}

int km_cmd_mcp_tools(struct km_cli *cli)
{
    struct km_answer a;
    struct km_err err = { 0 };
    char target[128];
    int r = find_target(cli, target, sizeof target);

    if (r != 0)
        return r;
    km_answer_init(&a);
    r = km_cli_send(cli, "POST", target, KM_STR(ACCEPT "MCP-Protocol-Version: 2025-11-25\r\n"),
                    KM_STR("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"), &a, &err);
    r = r < 0 ? km_cli_fail(cli, &err) : print_tools(cli, &a);
    km_answer_done(&a);
    return r;
}
