/* SPDX-License-Identifier: Apache-2.0 */
/* rest_call.c - LiteLLM's way to tools without MCP: /mcp-rest/tools/call.
 *
 *     POST tools/call              {"server_id"?, "name", "arguments"}: the tool's result
 *
 * With a server_id (or its name or alias) or without one, it takes the server's own names and those
 * with its alias in front (rest.c).  A call is a tools/call within (within.h): it passes all that a
 * call of an MCP client passes, and what it is refused with is said as LiteLLM says it,
 * {"detail": {"error", "message"}}, with the HTTP status of the one error table.
 */
#include "gateway/mcp/http.h"

#include "door/reply.h"
#include "gateway/mcp/within.h"
#include "mcp/jsonrpc.h"
#include "policy/execution.h"

#define CALL_BYTES (8 * KM_RPC_BYTES)
#define ANSWER_BYTES (3 * KM_RPC_BYTES)

struct rest_call {
    struct km_arena arena; /* holds it */
    struct km_visit *v;
    struct km_asker asker;
    struct km_question *question;
    struct km_buf answer;
    int status;
    int retry_after_ms; /* as the answer's head has it; 0: not at all */
};

static void call_free(struct rest_call *c)
{
    struct km_arena arena = c->arena;

    km_question_cancel(c->question);
    km_buf_done(&c->answer);
    km_arena_done(&arena);
}

/* Says no as why has it: status, when to try again, and whether that makes sense. */
static void refuse_as(struct km_visit *v, const struct km_err *why, struct km_str error,
                      struct km_str message)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(1024);

    km_buf_str(&b, KM_STR("{\"detail\":{\"error\":"));
    km_buf_json(&b, error);
    km_buf_str(&b, KM_STR(",\"message\":"));
    km_buf_json(&b, message);
    km_buf_str(&b, KM_STR("}}"));
    km_error_head(why, &head);
    km_exchange_respond(v->x, km_err_http(why), km_buf_view(&head), km_buf_view(&b));
}

static void refuse(struct km_visit *v, int status, const char *error, struct km_str message)
{
    refuse_as(v, &(struct km_err){ .http = status }, km_str_c(error), message);
}

static bool is_budget(struct km_str type)
{
    return km_str_eq(type, km_str_c(km_err_openai_type(&(struct km_err){ .code = KM_E_BUDGET })));
}

/* LiteLLM's word for a status; where it has none, or a status means more than one thing, the type
 * of the error is the word. */
static struct km_str word_of(int status, struct km_str type)
{
    static const struct {
        int status;
        const char *word;
    } words[] = {
        { 400, "invalid_request" },
        { 403, "forbidden" },
        { 429, "rate_limited" },
        { 500, "internal_server_error" },
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (words[i].status == status && !is_budget(type))
            return km_str_c(words[i].word);
    if (type.n)
        return type;
    return status < 500 ? KM_STR("invalid_request") : KM_STR("internal_server_error");
}

/* A JSON-RPC error, as a status and a word.  Where kanmon itself said no, the status came with the
 * answer; a server's own error, and what stands in the message alone, came with 200. */
static void reply_fault(struct rest_call *c, const struct km_json *error)
{
    struct km_err why = { .http = c->status, .retry_after_ms = c->retry_after_ms };
    struct km_str text = KM_STR("the call failed"), type = KM_STR_NONE;
    const struct km_json *data = km_json_get(error, "data");
    int64_t code = 0, wait_ms;

    (void)km_json_string(km_json_get(error, "message"), &text);
    (void)km_json_i64(km_json_get(error, "code"), &code);
    if (c->status == 200) {
        why.http = code == -32602 ? 400 : 500;
    } else {
        (void)km_json_string(km_json_get(data, "type"), &type);
        if (km_json_i64(km_json_get(data, "retry_after_ms"), &wait_ms))
            why.retry_after_ms = (int)wait_ms;
        why.final = is_budget(type); /* waiting brings none */
    }
    if (c->status == 200 && km_str_starts(text, KM_STR("Unknown tool")))
        refuse(c->v, 404, "tool_not_found", text);
    else if (c->status == 404 && !type.n)
        refuse(c->v, 404, "server_not_found", KM_STR("There is no such MCP server for this key."));
    else
        refuse_as(c->v, &why, word_of(why.http, type), text);
}

static void on_call_head(void *ctx, int status, struct km_str lines)
{
    struct rest_call *c = ctx;
    struct km_str name, value;
    uint64_t s;

    c->status = status;
    while (km_header_next(&lines, &name, &value))
        if (km_str_ieq(name, KM_STR("retry-after")) && km_str_u64(value, &s) == 0 && s <= 86400)
            c->retry_after_ms = (int)s * 1000;
}

static void on_call_bytes(void *ctx, struct km_str bytes)
{
    struct rest_call *c = ctx;

    km_buf_str(&c->answer, bytes);
}

static void on_call_done(void *ctx, const struct km_err *broken)
{
    static const struct km_str names[] = { { "result", 6 }, { "error", 5 } };
    struct rest_call *c = ctx;
    struct km_str text = km_buf_view(&c->answer);
    const struct km_json *error = NULL;
    struct km_json_span spans[2];

    c->question = NULL;
    if (broken)
        refuse(c->v, 500, "internal_server_error", km_str_c(broken->text));
    else if (!text.n && !km_buf_failed(&c->answer)) /* there was no room to take it */
        refuse_as(c->v, &(struct km_err){ .http = 503, .retry_after_ms = c->retry_after_ms },
                  KM_STR("overloaded_error"), KM_STR("out of memory"));
    else if (km_buf_failed(&c->answer) || km_json_spans(text, names, 2, spans, NULL, NULL) < 0)
        refuse(c->v, 500, "internal_server_error", KM_STR("the answer is too large"));
    else if (spans[0].type != KM_JSON_ABSENT)
        km_reply_json(c->v, 200, km_json_value(text, &spans[0]));
    else if (km_json_parse_answer(&c->arena, km_json_value(text, &spans[1]), &error, NULL) == 0)
        reply_fault(c, error);
    else
        km_reply_json(c->v, c->status, text); /* an error of the door: key, limits */
    call_free(c);
}

static const struct km_answer_events call_events = { .on_head = on_call_head,
                                                     .on_bytes = on_call_bytes,
                                                     .on_done = on_call_done };

static void send_call(struct rest_call *c, struct km_str body)
{
    struct km_mcp_tool_call tool = { .choice = true };
    const struct km_json *root = NULL, *arguments;
    struct km_err err = { 0 };

    if (km_json_parse(&c->arena, body, &root, &err) < 0 ||
        !km_json_string(km_json_get(root, "name"), &tool.name) || !tool.name.n) {
        refuse(c->v, 400, "invalid_request",
               err.code ? km_str_c(err.text) : KM_STR("name is missing: which tool is called"));
        call_free(c);
        return;
    }
    (void)km_json_string(km_json_get(root, "server_id"), &tool.server);
    arguments = km_json_get(root, "arguments");
    tool.arguments = km_json_kind(arguments) == KM_JSON_OBJECT
                         ? km_json_compact(arguments, &c->arena)
                         : KM_STR("{}");
    if (km_json_get(root, KM_EXECUTION_BODY))
        tool.execution = km_json_compact(km_json_get(root, KM_EXECUTION_BODY), &c->arena);
    c->asker = (struct km_asker){ .visit = c->v, .headers = km_exchange_request(c->v->x)->headers };
    if (km_mcp_call_within(&c->asker, &tool, &call_events, c, &c->question, &err) == 0)
        return;
    if (err.code == KM_E_NOMEM)
        refuse(c->v, 503, "internal_server_error", KM_STR("out of memory"));
    else
        km_reply_error(c->v, &err);
    call_free(c);
}

static void on_body(void *ctx, struct km_str body, const struct km_err *err)
{
    struct rest_call *c = ctx;
    struct km_visit *v = c->v;

    if (!err) {
        send_call(c, body);
        return;
    }
    call_free(c);
    km_reply_error(v, err);
}

static void on_gone(void *ctx)
{
    struct rest_call *c = ctx;
    struct km_exchange *x = c->v->x;

    call_free(c);
    km_exchange_abort(x);
}

void km_mcp_rest_call(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    static const struct km_exchange_events events = { .on_body = on_body, .on_gone = on_gone };
    struct km_visit *v = visit;
    struct km_err err = { 0 };
    struct km_str body = KM_STR_NONE;
    struct km_arena arena;
    struct rest_call *c;
    int r;

    (void)match;
    km_arena_init(&arena, CALL_BYTES, NULL);
    c = km_arena_zalloc(&arena, sizeof *c);
    if (!c) {
        km_arena_done(&arena);
        km_fail(&err, KM_E_NOMEM, "out of memory");
        km_reply_error(v, &err);
        return;
    }
    c->arena = arena;
    c->v = v;
    km_buf_init(&c->answer, ANSWER_BYTES);
    km_exchange_listen(x, &events, c);
    r = km_exchange_body(x, KM_RPC_BYTES, &body, &err);
    if (r == KM_E_AGAIN)
        return;
    if (r < 0) {
        call_free(c);
        km_reply_error(v, &err);
        return;
    }
    send_call(c, body);
}
