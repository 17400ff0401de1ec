/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - a tool that is called again and again with the same arguments (call/run.h).
 *
 *     tools/call ── judge: too many like it? ── approval ── login: counted ──> its server
 *                       └── yes: a result with isError that says so, for the model to read
 *
 * A call counts when it goes to its server: one that a person has yet to approve, or that is tried
 * again because its server failed, is one call.  Arguments that were asked for meanwhile
 * (input_required) make it no other.
 */
#include "call/run.h"
#include "gateway/mcp/call.h"

#include <stdio.h>

static const struct km_json *arguments_of(struct km_mcp_work *w)
{
    const struct km_json *params = NULL;

    if (km_json_parse(&w->call->arena, w->params, &params, NULL) < 0)
        return NULL;
    return km_json_get(params, "arguments");
}

/* A retry that brings what its server asked for, or says that it waited. */
static bool goes_on(const struct km_mcp_work *w)
{
    static const struct km_str names[] = { { "requestState", 12 }, { "inputResponses", 14 } };
    struct km_json_span s[2];

    return km_json_spans(w->params, names, 2, s, NULL, NULL) == 0 &&
           (s[0].type != KM_JSON_ABSENT || s[1].type != KM_JSON_ABSENT);
}

bool km_mcp_may_go_round(struct km_mcp_work *w, bool count)
{
    if (!w->tool || !w->item || w->in_run || km_call_same_calls(w->call) < 0 || goes_on(w))
        return true;
    if (!km_call_tool_in_run(w->call, w->shown, arguments_of(w), count))
        return false;
    w->in_run = count;
    return true;
}

int km_mcp_end_loop(struct km_mcp_work *w)
{
    char text[KM_RUN_LOOP_TEXT];

    km_call_loop_text(w->call, w->shown, text);
    km_mcp_work_text(w, "repeated", text);
    w->call->answered = true;
    return KM_MCP_FLOW_done;
}
