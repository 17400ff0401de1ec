/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_mcp.c - the gateway's MCP servers for people: `kanmon mcp tools`.
 *
 * What a client would be told is asked for as a client asks: by JSON-RPC at /mcp, or at
 * /mcp/{server} with --server.  What only the administrator may know or do is asked of the admin
 * API.  Both come over the control socket, or over --url with a key.
 */
#include "app/cmd_mcp.h"

#include "app/client.h"
#include "base/encode.h"
#include "http/message.h"
#include "mcp/revision.h"

#define ACCEPT "Accept: application/json, text/event-stream\r\n"

int km_mcp_target(struct km_cli *cli, char out[KM_MCP_TARGET_BYTES])
{
    const char *server = km_cli_option(cli, "server");
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_TARGET_BYTES - 1);

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
        fwrite(out.p, 1, out.n, stdout);
        putchar('\n');
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
    char target[KM_MCP_TARGET_BYTES];
    int r = km_mcp_target(cli, target);

    if (r != 0)
        return r;
    km_answer_init(&a);
    r = km_cli_send(cli, "POST", target, KM_STR(ACCEPT "MCP-Protocol-Version: 2025-11-25\r\n"),
                    KM_STR("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"), &a, &err);
    r = r < 0 ? km_cli_fail(cli, &err) : print_tools(cli, &a);
    km_answer_done(&a);
    return r;
}
