/* SPDX-License-Identifier: Apache-2.0 */
/* fuse.c - the breaker of a call's server: asked before it is sent, told how it ended.
 *
 *     begin_ask ──> enter ── may it go? ──> ask ──> note how it ended ──> report
 *                     └── refused: as a failure of which nothing was sent (again.c)
 *
 * What counts against a server: that it cannot be reached, breaks off, answers with nonsense, is
 * too slow, or has a 5xx.  What it says of its own accord is an answer: a tool's isError, and any
 * error of JSON-RPC.  429, a caller's log-in, a cancellation say nothing.
 */
#include "call/hooks.h"
#include "gateway/mcp/call.h"
#include "gateway/mcp/counts.h"
#include "mcp/upstream/calls.h"

static struct km_mcp_calls_rule rule_of(const struct km_mcp_work *w)
{
    return (struct km_mcp_calls_rule){ .breaker = w->call->visit->view->snap->breaker,
                                       .others = w->following < w->nfollowers };
}

int km_mcp_fuse_enter(struct km_mcp_work *w, struct km_err *err)
{
    const struct km_mcp_calls_rule rule = rule_of(w);
    int r;

    if (w->entered || !w->member->upstream)
        return 0;
    km_call_seed(w->call);
    r = km_mcp_calls_enter(w->member->upstream, &rule, km_loop_now_ms(w->hub->w->loop),
                           w->call->route.rng >> 32, err);
    w->entered = r == 0;
    w->failed_there = r < 0;
    w->sent = false;
    return r;
}

static enum km_mcp_call_end end_of_status(int status)
{
    return status >= 500 || status == 408 ? KM_MCP_CALL_BAD : KM_MCP_CALL_SAYS_NOTHING;
}

enum km_mcp_call_end km_mcp_fuse_end(const struct km_mcp_answer *a)
{
    if (a->kind != KM_MCP_FAILED)
        return a->http && (a->http == 429 || end_of_status(a->http) == KM_MCP_CALL_BAD)
                   ? end_of_status(a->http)
                   : KM_MCP_CALL_WELL;
    if (a->unproved || a->unasked)
        return KM_MCP_CALL_SAYS_NOTHING;
    switch (a->err->code) {
    case KM_E_UPSTREAM_CONNECT:
    case KM_E_UPSTREAM_TIMEOUT:
    case KM_E_UPSTREAM_PROTOCOL:
    case KM_E_CLOSED:
    case KM_E_SYSTEM:
        return KM_MCP_CALL_BAD;
    case KM_E_UPSTREAM_STATUS:
        return end_of_status(a->err->http);
    default:
        return KM_MCP_CALL_SAYS_NOTHING;
    }
}

static void announce(struct km_mcp_work *w, uint64_t now_ms)
{
    const struct km_mcp_upstream *u = w->member->upstream;
    const bool open = km_mcp_calls_state(u, now_ms) != KM_BREAKER_CLOSED;
    const enum km_log_level level = open ? KM_LOG_WARN : KM_LOG_INFO;
    const char *word = open ? "is left alone: its calls failed in a row" : "takes calls again";
    struct km_gateway *gw = w->hub->w->gw;

    km_mcp_count_fuse(w->hub->counts, u->name, open);
    km_log_msg(gw->log, level, "mcp.breaker", "%.*s %s", KM_STR_ARG(u->name), word);
    if (gw->events)
        km_event_add(gw->events, level, "mcp.breaker", "%.*s %s", KM_STR_ARG(u->name), word);
}

void km_mcp_fuse_report(struct km_mcp_work *w, enum km_mcp_call_end end, const struct km_err *why)
{
    const struct km_mcp_calls_rule rule = rule_of(w);
    const uint64_t now = km_loop_now_ms(w->hub->w->loop);
    enum km_failure failure = KM_FAILURE_OTHER;

    if (!w->entered)
        return;
    w->entered = false;
    if (why && why->code == KM_E_UPSTREAM_STATUS)
        failure = km_failure_of_status(why->http);
    else if (why)
        failure = why->code == KM_E_UPSTREAM_TIMEOUT ? KM_FAILURE_TIMEOUT : KM_FAILURE_CONNECTION;
    if (km_mcp_calls_report(w->member->upstream, &rule, end, failure, now))
        announce(w, now);
}
