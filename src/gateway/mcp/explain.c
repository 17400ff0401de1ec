/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - what would happen to a tool's call (call/dry.h), as a result.
 *
 *     _meta["io.kanmon/execution"].dryRun     always
 *     content                                 the same as text
 *     structuredContent                       the same, unless the tool has an outputSchema
 *
 * Clients hold structuredContent against the tool's outputSchema, and miss it where there is none
 * but in an error: so of a tool that has one a dry run is an error, which has no result to give.
 *
 * No server hears of it, and nobody is asked for approval: only that somebody would be.
 */
#include "call/dry.h"

#include "gateway/mcp/call.h"
#include "gateway/mcp/explain.h"
#include "http/json_out.h"
#include "policy/execution.h"

#define TEXT_BYTES ((size_t)256 * 1024)

static void put_hint(struct km_json_out *o, const char *name, signed char hint)
{
    if (!hint)
        return; /* it says nothing */
    km_out_key(o, name);
    km_out_bool(o, hint > 0);
}

static void put_tool(struct km_json_out *o, const struct km_mcp_work *w)
{
    const struct km_mcp_hints *h = &w->item->hints;

    km_out_member(o, "server", w->member->name);
    km_out_member(o, "tool", w->item->name);
    km_out_key(o, "annotations");
    km_out_open(o, '{');
    put_hint(o, "readOnlyHint", h->read_only);
    put_hint(o, "destructiveHint", h->destructive);
    put_hint(o, "idempotentHint", h->idempotent);
    put_hint(o, "openWorldHint", h->open_world);
    km_out_close(o, '}');
}

static const char *state_of(const struct km_mcp_work *w)
{
    struct km_mcp_status s;

    if (!w->member->upstream)
        return "ready"; /* it is part of kanmon */
    km_mcp_status(w->member->upstream, &s);
    return km_mcp_state_name(s.state);
}

/* The rule, and what it would be refused with. */
static void judge(const struct km_mcp_work *w, enum km_risk risk, enum km_verdict *ret,
                  struct km_err *why)
{
    struct km_approval_policy policy;

    *ret = KM_VERDICT_ALLOW;
    if (!w->member->upstream)
        return;
    policy = km_mcp_rules(w->member->upstream).policy;
    *ret = km_approval_decide(&policy, risk);
    if (*ret == KM_VERDICT_DENY && !why->code)
        km_fail(why, KM_E_FORBIDDEN, "this gateway does not run %.*s tools",
                KM_STR_ARG(km_risk_name(risk)));
}

static void put_members(struct km_json_out *o, struct km_mcp_work *w, struct km_err *why)
{
    enum km_risk risk =
        w->member->upstream ? km_mcp_tool_risk(w->member->upstream, w->item) : KM_RISK_READ_ONLY;
    enum km_verdict verdict;
    char cost[KM_MONEY_LEN];

    judge(w, risk, &verdict, why);
    km_dry_put_head(o, w->call);
    km_dry_put_verdict(o, why);
    put_tool(o, w);
    km_out_member(o, "risk", km_risk_name(risk));
    km_out_key(o, "approval_needed");
    km_out_bool(o, verdict == KM_VERDICT_ASK);
    km_out_member(o, "server_state", km_str_c(state_of(w)));
    km_out_key(o, "cost");
    km_out_open(o, '{');
    km_out_member(o, "currency", KM_STR("USD"));
    km_money_text(w->cost, cost);
    km_out_member_raw(o, "estimated", km_str_c(cost));
    km_out_member_raw(o, "worst_case", km_str_c(cost));
    km_out_close(o, '}');
    km_dry_put_budget(o, w->call, w->cost);
    km_dry_put_standing(o, w->call);
}

static bool has_output_schema(const struct km_mcp_item *tool)
{
    static const struct km_str name = { "outputSchema", 12 };
    struct km_json_span span;

    return km_json_spans(tool->json, &name, 1, &span, NULL, NULL) < 0 ||
           span.type != KM_JSON_ABSENT;
}

int km_mcp_explain(struct km_call *call, struct km_err *why, struct km_buf *out, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_BYTES);
    struct km_json_out o;

    km_json_out_init(&o, &text);
    km_out_open(&o, '{');
    put_members(&o, km_mcp_work_of(call), why);
    km_out_close(&o, '}');
    km_buf_str(out, KM_STR("{\"content\":[{\"type\":\"text\",\"text\":"));
    km_buf_json(out, km_buf_view(&text));
    km_buf_str(out, KM_STR("}],"));
    if (has_output_schema(km_mcp_work_of(call)->item)) {
        km_buf_str(out, KM_STR("\"isError\":true"));
    } else {
        km_buf_str(out, KM_STR("\"structuredContent\":"));
        km_buf_str(out, km_buf_view(&text));
    }
    km_buf_str(out, KM_STR(",\"_meta\":{\"" KM_EXECUTION_META "\":{\"dryRun\":"));
    km_buf_str(out, km_buf_view(&text));
    km_buf_str(out, KM_STR("}}}"));
    return km_buf_failed(out) || km_buf_failed(&text) ? km_fail(err, KM_E_NOMEM, "out of memory")
                                                      : 0;
}
