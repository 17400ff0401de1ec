/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - see server.h for the contract.
 *
 * A method is a row: its name, the eras that have it, and what it does.  A row's era decides
 * before anything else: `initialize` in a stateless message is unknown, as is `server/discover`
 * after a handshake.  Notifications and responses need no answer; a stateless client may not
 * send responses at all.
 *
 * Lists are made anew each time: they are short, depend on who asks, and are never paged, so any
 * cursor is one we did not give.
 */
#include "mcp/server/server.h"

#include <stdio.h>

#include "mcp/server/part.h"

#define ANSWER_BYTES (2 * KM_MCP_RESULT_BYTES + (1 << 20))
#define DISCOVER_TTL_MS 3600000
#define PASSING_TTL_MS 5000
#define LIST_TTL_MS 300000
#define MEMBERS_TTL_MS 60000

static void end(struct km_mcp_call *call, int http, struct km_str body)
{
    km_assert(!call->ended);
    call->ended = true;
    call->host->reply(call, http, body);
}

static void fault_with(struct km_mcp_call *call, enum km_rpc_fault fault, const char *message,
                       struct km_str data)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_rpc_error(&b, call->revision->era, fault, call->msg.id, km_str_c(message), data);
    end(call, km_rpc_http(fault, call->revision->era), km_buf_view(&b));
}

void km_mcp_fault(struct km_mcp_call *call, enum km_rpc_fault fault, const char *message)
{
    struct km_buf data KM_CLEANUP(km_buf_done) = KM_BUF(32 * 1024);

    if (fault == KM_RPC_UNSUPPORTED_VERSION && call->revision->era == KM_MCP_STATELESS)
        km_mcp_put_versions(&call->msg, KM_STR_NONE, &data);
    km_buf_str(&data, call->fault_data);
    fault_with(call, fault, message, km_buf_failed(&data) ? KM_STR_NONE : km_buf_view(&data));
}

void km_mcp_reply_result(struct km_mcp_call *call, struct km_str result)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);

    km_rpc_result(&b, call->msg.id, result);
    if (km_buf_failed(&b))
        km_mcp_fault(call, KM_RPC_INTERNAL, "the answer is too large");
    else
        end(call, 200, km_buf_view(&b));
}

void km_mcp_put_identity(const struct km_mcp_call *call, struct km_buf *out)
{
    km_buf_str(out, KM_STR("{\"name\":"));
    km_buf_json(out, call->endpoint->name);
    if (call->endpoint->title.n && call->revision->structured) {
        km_buf_str(out, KM_STR(",\"title\":"));
        km_buf_json(out, call->endpoint->title);
    }
    km_buf_str(out, KM_STR(",\"version\":"));
    km_buf_json(out, call->endpoint->version);
    km_buf_byte(out, '}');
}

void km_mcp_put_meta(const struct km_mcp_call *call, struct km_buf *out)
{
    if (call->revision->era != KM_MCP_STATELESS)
        return;
    km_buf_str(out, KM_STR(",\"_meta\":{\"" KM_MCP_META_SERVER "\":"));
    km_mcp_put_identity(call, out);
    km_buf_byte(out, '}');
}

/* Each server's own words; under its name where there are several. */
static void put_instructions(const struct km_mcp_call *call, struct km_buf *out)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    for (size_t i = 0; i < call->endpoint->nservers; i++) {
        const struct km_mcp_server *s = call->endpoint->servers[i];

        if (!s->instructions.n)
            continue;
        if (b.n)
            km_buf_str(&b, KM_STR("\n\n"));
        if (call->endpoint->prefixed)
            km_buf_printf(&b, "%.*s: ", KM_STR_ARG(s->name));
        km_buf_str(&b, s->instructions);
    }
    if (!b.n)
        return;
    km_buf_str(out, KM_STR(",\"instructions\":"));
    km_buf_json(out, km_buf_view(&b));
}

/* --- methods --- */

static void put_capabilities(const struct km_mcp_call *call, struct km_buf *out)
{
    bool changes = false;

    for (size_t i = 0; i < call->endpoint->nservers; i++)
        changes = changes || call->endpoint->servers[i]->changes;
    km_buf_str(out, KM_STR(",\"capabilities\":{\"tools\":{"));
    km_buf_str(out, changes ? KM_STR("\"listChanged\":true}") : KM_STR("}"));
    km_mcp_put_row_capabilities(call, out);
    for (size_t i = 0; i < call->endpoint->nservers; i++)
        if (call->endpoint->servers[i]->capabilities.n) {
            km_buf_byte(out, ',');
            km_buf_str(out, call->endpoint->servers[i]->capabilities);
            break; /* of one server: two could not share their names */
        }
    km_buf_byte(out, '}');
}

/* Runs then() when the instructions are up to date. */
static void prepared(struct km_mcp_call *call, void (*then)(struct km_mcp_call *call))
{
    for (size_t i = 0; i < call->endpoint->nservers; i++) {
        call->server = call->endpoint->servers[i];
        if (call->server->prepare && call->server->prepare(call, then) == 0)
            return;
    }
    then(call);
}

static void initialize(struct km_mcp_call *call)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(128 * 1024);
    struct km_str asked;

    if (!km_json_string(km_json_get(call->msg.params, "protocolVersion"), &asked)) {
        km_mcp_fault(call, KM_RPC_INVALID_PARAMS, "initialize needs params.protocolVersion");
        return;
    }
    call->revision = km_mcp_revision_negotiate(asked);
    km_buf_str(&b, KM_STR("{\"protocolVersion\":"));
    km_buf_json(&b, call->revision->name);
    put_capabilities(call, &b);
    km_buf_str(&b, KM_STR(",\"serverInfo\":"));
    km_mcp_put_identity(call, &b);
    put_instructions(call, &b);
    km_buf_byte(&b, '}');
    km_mcp_reply_result(call, km_buf_view(&b));
}

static void on_initialize(struct km_mcp_call *call)
{
    prepared(call, initialize);
}

static void discover(struct km_mcp_call *call)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(128 * 1024);
    bool passing = false;

    for (size_t i = 0; i < call->endpoint->nservers; i++)
        passing = passing || call->endpoint->servers[i]->passing;
    km_buf_str(&b, KM_STR("{\"resultType\":\"complete\",\"supportedVersions\":["));
    km_buf_json(&b, km_mcp_revision_latest(KM_MCP_STATELESS)->name);
    km_buf_byte(&b, ']');
    put_capabilities(call, &b);
    put_instructions(call, &b);
    km_buf_printf(&b, ",\"ttlMs\":%d,\"cacheScope\":\"public\"",
                  passing ? PASSING_TTL_MS : DISCOVER_TTL_MS);
    km_mcp_put_meta(call, &b);
    km_buf_byte(&b, '}');
    km_mcp_reply_result(call, km_buf_view(&b));
}

static void on_discover(struct km_mcp_call *call)
{
    prepared(call, discover);
}

void km_mcp_call_members(struct km_mcp_call *call, struct km_str members)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);

    km_buf_byte(&b, '{');
    if (call->revision->era == KM_MCP_STATELESS)
        km_buf_printf(&b, "\"resultType\":\"complete\",\"ttlMs\":%d,\"cacheScope\":\"private\"%s",
                      MEMBERS_TTL_MS, members.n ? "," : "");
    km_buf_str(&b, members);
    km_mcp_put_meta(call, &b);
    km_buf_byte(&b, '}');
    km_mcp_reply_result(call, km_buf_view(&b));
}

static bool run_own(struct km_mcp_call *call)
{
    struct km_err err = { 0 };

    for (size_t i = 0; i < call->endpoint->nservers; i++) {
        const struct km_mcp_server *s = call->endpoint->servers[i];

        for (size_t k = 0; k < s->nmethods; k++) {
            if (!km_str_eq(s->methods[k].name, call->msg.method))
                continue;
            call->server = s;
            if (s->methods[k].run(call, &err) < 0)
                km_mcp_fault(call, KM_RPC_INVALID_PARAMS, err.text);
            return true;
        }
    }
    return false;
}

static void on_ping(struct km_mcp_call *call)
{
    km_mcp_reply_result(call, KM_STR("{}"));
}

bool km_mcp_visible(const struct km_mcp_call *call, const struct km_mcp_tool *tool)
{
    return !tool->admin || call->caller.admin;
}

struct km_str km_mcp_wire_name(const struct km_mcp_call *call, const struct km_mcp_server *server,
                               const struct km_mcp_tool *tool)
{
    return call->endpoint->prefixed
               ? km_arena_printf(call->arena, "%.*s-%.*s", KM_STR_ARG(server->name),
                                 KM_STR_ARG(tool->name))
               : tool->name;
}

static void put_hint(struct km_buf *out, const char *name, signed char value, bool *first)
{
    if (!value)
        return;
    km_buf_printf(out, "%s\"%s\":%s", *first ? "" : ",", name, value > 0 ? "true" : "false");
    *first = false;
}

static void put_hints(const struct km_mcp_hints *h, struct km_buf *out)
{
    bool first = true;

    km_buf_str(out, KM_STR(",\"annotations\":{"));
    put_hint(out, "readOnlyHint", h->read_only, &first);
    put_hint(out, "destructiveHint", h->destructive, &first);
    put_hint(out, "idempotentHint", h->idempotent, &first);
    put_hint(out, "openWorldHint", h->open_world, &first);
    km_buf_byte(out, '}');
}

void km_mcp_put_tool(const struct km_mcp_revision *revision, struct km_str name,
                     const struct km_mcp_tool *tool, struct km_buf *out)
{
    km_buf_str(out, KM_STR("{\"name\":"));
    km_buf_json(out, name);
    if (revision->structured && tool->title.n) {
        km_buf_str(out, KM_STR(",\"title\":"));
        km_buf_json(out, tool->title);
    }
    km_buf_str(out, KM_STR(",\"description\":"));
    km_buf_json(out, tool->description);
    km_buf_str(out, KM_STR(",\"inputSchema\":"));
    km_buf_str(out, tool->input);
    if (revision->structured && tool->output.n) {
        km_buf_str(out, KM_STR(",\"outputSchema\":"));
        km_buf_str(out, tool->output);
    }
    if (revision->annotations)
        put_hints(&tool->hints, out);
    km_buf_byte(out, '}');
}

static void on_tools_list(struct km_mcp_call *call)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    size_t shown = 0;

    if (km_json_get(call->msg.params, "cursor")) {
        km_mcp_fault(call, KM_RPC_INVALID_PARAMS, "unknown cursor: the list has one page");
        return;
    }
    km_buf_byte(&b, '{');
    if (call->revision->era == KM_MCP_STATELESS)
        km_buf_printf(&b, "\"resultType\":\"complete\",\"ttlMs\":%d,\"cacheScope\":\"private\",",
                      LIST_TTL_MS);
    km_buf_str(&b, KM_STR("\"tools\":["));
    for (size_t i = 0; i < call->endpoint->nservers; i++) {
        const struct km_mcp_server *s = call->endpoint->servers[i];

        for (size_t k = 0; k < s->ntools; k++)
            if (km_mcp_visible(call, &s->tools[k])) {
                if (shown++)
                    km_buf_byte(&b, ',');
                km_mcp_put_tool(call->revision, km_mcp_wire_name(call, s, &s->tools[k]),
                                &s->tools[k], &b);
            }
    }
    km_buf_byte(&b, ']');
    km_mcp_put_meta(call, &b);
    km_buf_byte(&b, '}');
    km_mcp_reply_result(call, km_buf_view(&b));
}

static const struct {
    struct km_str name;
    bool eras[2];
    void (*run)(struct km_mcp_call *call);
} methods[] = {
    { { "initialize", 10 }, { true, false }, on_initialize },
    { { "ping", 4 }, { true, false }, on_ping },
    { { "server/discover", 15 }, { false, true }, on_discover },
    { { "tools/list", 10 }, { true, true }, on_tools_list },
    { { "tools/call", 10 }, { true, true }, km_mcp_tools_call },
};

void km_mcp_handle(struct km_mcp_call *call)
{
    char text[160];

    if (call->msg.kind == KM_RPC_RESPONSE && call->revision->era == KM_MCP_STATELESS) {
        km_mcp_fault(call, KM_RPC_INVALID_REQUEST, "Invalid Request: a client sends no responses");
        return;
    }
    if (call->msg.kind != KM_RPC_REQUEST) {
        end(call, 202, KM_STR_NONE);
        return;
    }
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (methods[i].eras[call->revision->era] && km_str_eq(methods[i].name, call->msg.method)) {
            methods[i].run(call);
            return;
        }
    if (run_own(call) || km_mcp_rows(call))
        return;
    snprintf(text, sizeof text, "Method not found: %.*s",
             KM_STR_ARG(km_str_sub(call->msg.method, 0, 100)));
    km_mcp_fault(call, KM_RPC_METHOD_NOT_FOUND, text);
}
