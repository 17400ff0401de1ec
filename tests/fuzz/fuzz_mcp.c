/* SPDX-License-Identifier: Apache-2.0 */
/* MCP messages through the whole server core.
 *
 * The first byte chooses the version header, the rest is the message.  Properties: there is
 * exactly one answer; it is one line of valid JSON with the id as it was sent, or nothing for
 * what needs no answer; every tools/call that got that far leaves one record; a tool that needs
 * approval never runs.
 */
#include "fuzz.h"

#include "mcp/server/server.h"

#define TEXT(s)                                                                                    \
    {                                                                                              \
        "" s "", sizeof(s) - 1                                                                     \
    }

struct seen {
    int replies, records;
    struct km_arena *arena;
    struct km_str body;
};

static int run_echo(struct km_mcp_call *call, struct km_err *err)
{
    struct km_str text;

    if (!km_json_string(km_json_get(call->args, "text"), &text))
        return km_fail(err, KM_E_INVALID, "nothing to say");
    km_mcp_call_text(call, text, false);
    return 0;
}

static int run_never(struct km_mcp_call *call, struct km_err *err)
{
    (void)call;
    (void)err;
    abort();
}

static const struct km_mcp_tool tools[] = {
    { .name = TEXT("echo"),
      .description = TEXT("Says it again."),
      .input = TEXT("{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"},"
                    "\"list\":{\"type\":\"array\",\"items\":{\"type\":[\"integer\",\"object\"],"
                    "\"properties\":{\"k\":{\"enum\":[1,\"a\",null]}},\"required\":[\"k\"]}}},"
                    "\"required\":[\"text\"],\"additionalProperties\":false}"),
      .run = run_echo },
    { .name = TEXT("drop"),
      .description = TEXT("Drops it."),
      .input = TEXT("{\"type\":\"object\"}"),
      .hints = { .destructive = 1 },
      .run = run_never },
};
static const struct km_mcp_server server = {
    .name = TEXT("box"), .version = TEXT("1"), .tools = tools, .ntools = 2
};
static const struct km_mcp_server *const servers[] = { &server };
static const struct km_mcp_endpoint endpoint = {
    .name = TEXT("box"), .version = TEXT("1"), .servers = servers, .nservers = 1, .prefixed = true
};
static const struct km_str headers[] = { TEXT(""), TEXT("2025-03-26"), TEXT("2025-11-25"),
                                         TEXT("2026-07-28"), TEXT("2031-01-01") };

static void on_audit(struct km_mcp_call *call, const struct km_audit *record)
{
    struct seen *s = call->caller.ctx;
    const struct km_json *detail;

    s->records++;
    must(km_json_parse(s->arena, record->detail, &detail, NULL) == 0);
}

static void on_reply(struct km_mcp_call *call, int http, struct km_str body)
{
    struct seen *s = call->caller.ctx;

    s->replies++;
    must((http == 202) == (body.n == 0));
    s->body = km_arena_str(s->arena, body);
}

static const struct km_mcp_host host = { .audit = on_audit, .reply = on_reply };

static void check_answer(const struct seen *s, struct km_str id)
{
    const struct km_str names[] = { KM_STR("id"), KM_STR("result"), KM_STR("error") };
    const struct km_json *root;
    struct km_json_span spans[3];

    must(s->replies == 1);
    if (!s->body.n)
        return;
    must(km_str_chr(s->body, '\n') == s->body.n);
    must(km_json_parse(s->arena, s->body, &root, NULL) == 0);
    must(km_json_spans(s->body, names, 3, spans, NULL, NULL) == 0);
    must((spans[1].type == KM_JSON_ABSENT) != (spans[2].type == KM_JSON_ABSENT));
    if (id.n)
        must(km_str_eq(km_json_value(s->body, &spans[0]), id));
}

static void handle(struct km_arena *arena, struct km_approvals *approvals, struct km_str header,
                   struct km_str text)
{
    struct seen s = { .arena = arena };
    enum km_rpc_fault fault;
    struct km_err err = { 0 };
    /* In the arena: it ends with it, and the arena's clean-up reaches into it. */
    struct km_mcp_call *call = km_arena_zalloc(arena, sizeof *call);

    must(call != NULL);
    *call = (struct km_mcp_call){
        .arena = arena,
        .host = &host,
        .endpoint = &endpoint,
        .caller = { .who = KM_STR("me"), .principal = KM_STR("me"), .ctx = &s },
        .approvals = approvals,
        .policy = &km_approval_default,
        .revision = km_mcp_revision_latest(KM_MCP_HANDSHAKE),
    };

    if (km_rpc_parse(arena, text, &call->msg, &fault, &err) < 0 ||
        km_mcp_revision_select(&call->msg, true, header, &call->revision, &fault, &err) < 0)
        km_mcp_fault(call, fault, err.text);
    else
        km_mcp_handle(call);
    must(s.records <= 1 && s.records + s.replies == 1);
    if (s.records)
        km_mcp_audited(call, NULL);
    check_answer(&s, call->msg.id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct km_approvals *approvals = km_approvals_new(4);
    struct km_arena arena;

    if (size < 1 || size > 1 << 16 || !approvals) {
        km_approvals_free(approvals);
        return 0;
    }
    km_arena_init(&arena, (size_t)16 << 20, NULL);
    handle(&arena, approvals, headers[data[0] % (sizeof headers / sizeof headers[0])],
           km_str((const char *)data + 1, size - 1));
    km_arena_done(&arena);
    km_approvals_free(approvals);
    return 0;
}
