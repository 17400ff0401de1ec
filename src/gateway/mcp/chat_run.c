/* SPDX-License-Identifier: Apache-2.0 */
/* chat_run.c - the tools a round asked for, run one after the other; see chat.h.
 *
 *     the turn's calls ──> all ours and runnable? ──> tools/call ──> result ──> tools/call ...
 *                               └─ no: the caller's                     └─ the last: a round
 *
 * A tool call is a call within, in the caller's name (within.h).  What it is refused
 * with is a result too: the model is told, and goes on.  A result is at most KM_MCP_CHAT_TEXT long
 * for the model.
 */
#include "gateway/mcp/chat.h"
#include "gateway/mcp/call.h"
#include "gateway/mcp/chat_settings.h"
#include "gateway/mcp/within.h"

static void run_tool(struct km_mcp_chat *c);

static void put_result(struct km_mcp_chat *c, const struct km_mcp_chat_call *call,
                       struct km_str text, bool ok)
{
    struct km_str id = km_buf_view(&call->id), name = km_buf_view(&call->name);
    struct km_str arguments = km_buf_view(&call->arguments);
    struct km_buf *t = &c->turns, *i = &c->items;

    if (!c->responses) {
        km_buf_str(t, KM_STR(",{\"role\":\"tool\",\"tool_call_id\":"));
        km_buf_json(t, id);
        km_buf_str(t, KM_STR(",\"content\":"));
        km_buf_json(t, text);
        km_buf_byte(t, '}');
        km_buf_str(&c->calls_made, KM_STR(",{\"id\":"));
        km_buf_json(&c->calls_made, id);
        km_buf_str(&c->calls_made, KM_STR(",\"type\":\"function\",\"function\":{\"name\":"));
        km_buf_json(&c->calls_made, name);
        km_buf_str(&c->calls_made, KM_STR(",\"arguments\":"));
        km_buf_json(&c->calls_made, arguments);
        km_buf_str(&c->calls_made, KM_STR("}}"));
        km_buf_str(&c->results, KM_STR(",{\"tool_call_id\":"));
        km_buf_json(&c->results, id);
        km_buf_str(&c->results, KM_STR(",\"result\":"));
        km_buf_json(&c->results, text);
        km_buf_str(&c->results, KM_STR(",\"name\":"));
        km_buf_json(&c->results, name);
        km_buf_byte(&c->results, '}');
        return;
    }
    km_buf_str(t, KM_STR(",{\"type\":\"function_call_output\",\"call_id\":"));
    km_buf_json(t, id);
    km_buf_str(t, KM_STR(",\"output\":"));
    km_buf_json(t, text);
    km_buf_byte(t, '}');
    km_buf_printf(i, ",{\"type\":\"mcp_call\",\"id\":\"mcp_%s_%u_%zu\",\"status\":\"%s\",",
                  c->v->id_text, c->round, c->at, ok ? "completed" : "failed");
    km_buf_str(i, KM_STR("\"server_label\":"));
    km_buf_json(i, call->fn->spec->label);
    km_buf_str(i, KM_STR(",\"name\":"));
    km_buf_json(i, name);
    km_buf_str(i, KM_STR(",\"arguments\":"));
    km_buf_json(i, arguments);
    km_buf_str(i,
               ok ? KM_STR(",\"error\":null,\"output\":") : KM_STR(",\"output\":null,\"error\":"));
    km_buf_json(i, text);
    km_buf_byte(i, '}');
}

static void next_tool(struct km_mcp_chat *c)
{
    if (++c->at < c->ncalls)
        run_tool(c);
    else if (km_buf_failed(&c->turns) || km_buf_failed(&c->items) || km_buf_failed(&c->results))
        km_mcp_chat_no_memory(c);
    else
        km_mcp_chat_round(c);
}

static void on_tool_head(void *ctx, int status, struct km_str lines)
{
    struct km_mcp_chat *c = ctx;

    (void)lines;
    c->status = status;
}

static void on_tool_done(void *ctx, const struct km_err *broken)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_CHAT_BYTES);
    struct km_mcp_chat *c = ctx;
    bool ok = false;

    c->question = NULL;
    if (broken)
        km_buf_printf(&text, "Error executing tool: %s", broken->text);
    else
        ok = km_mcp_chat_text(&c->inner, km_buf_view(&c->answer), &text);
    put_result(c, &c->calls[c->at], km_str_sub(km_buf_view(&text), 0, KM_MCP_CHAT_TEXT), ok);
    next_tool(c);
}

static const struct km_answer_events tool_events = { .on_head = on_tool_head,
                                                     .on_bytes = km_mcp_chat_bytes,
                                                     .on_done = on_tool_done };

static void run_tool(struct km_mcp_chat *c)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_CHAT_HEAD);
    const struct km_mcp_chat_call *call = &c->calls[c->at];
    const struct km_mcp_chat_spec *s = call->fn->spec;
    const struct km_json *arguments = NULL;
    struct km_mcp_tool_call tool = {
        .name = km_buf_view(&call->name),
        .arguments = call->arguments.n ? km_buf_view(&call->arguments) : KM_STR("{}"),
    };
    struct km_err err = { 0 };

    km_mcp_chat_reset(c);
    if (km_json_parse(&c->inner, tool.arguments, &arguments, NULL) < 0 ||
        km_json_kind(arguments) != KM_JSON_OBJECT) {
        put_result(c, call, KM_STR("Error executing tool: its arguments are no JSON object"),
                   false);
        next_tool(c);
        return;
    }
    km_buf_str(&head, s->head);
    if (s->reach.servers.n)
        (void)(km_header_put(&head, KM_STR("x-mcp-servers"), s->reach.servers, NULL) == 0);
    if (s->reach.groups.n)
        (void)(km_header_put(&head, KM_STR("x-mcp-access-groups"), s->reach.groups, NULL) == 0);
    tool.head = km_buf_view(&head);
    if (c->call->execution)
        tool.execution = km_mcp_execution_within(c->call, &c->inner);
    if (km_buf_failed(&head))
        km_mcp_chat_no_memory(c);
    else if (km_mcp_call_within(&c->asker, &tool, &tool_events, c, &c->question, &err) < 0)
        km_mcp_chat_fail(c, &err);
}

bool km_mcp_chat_runs(struct km_mcp_chat *c)
{
    const struct km_mcp_chat_settings *s =
        km_config_get(c->v->view->snap->config, &km_mcp_chat_settings_table);
    bool all = c->ncalls > 0 && !c->crowded;

    for (size_t i = 0; i < c->ncalls; i++) {
        c->calls[i].fn = km_mcp_chat_find(c, km_buf_view(&c->calls[i].name));
        all = all && c->calls[i].fn && c->calls[i].fn->auto_run;
    }
    return all && (int64_t)c->round < s->rounds;
}

void km_mcp_chat_run(struct km_mcp_chat *c)
{
    km_buf_str(&c->turns, c->said);
    km_buf_str(&c->items, c->shown);
    c->at = 0;
    run_tool(c);
}
