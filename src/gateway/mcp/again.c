/* SPDX-License-Identifier: Apache-2.0 */
/* again.c - a call that failed is sent to its server once more: whether, and when.
 *
 *     what its server did ── policy/repeat.h: may it be repeated at all?
 *                            policy/retry.h: does it get another attempt, and after what wait?
 *
 * The same verdicts, waits and bounds hold as for calls of models (call/retry.c).  What is beside
 * them: a tool's call may have done something, so what was sent is repeated only where that does no
 * harm.  What was not sent is tried again where the server worked before and its rest is short; on
 * stdio the session waits for that itself (mcp/remote/hold.c).
 *
 * A call whose client was asked something meanwhile is not repeated: it would be asked once more.
 * Where no more attempts are made, another server may be asked (follow.c).
 */
#include "base/time.h"
#include "gateway/mcp/call.h"
#include "gateway/mcp/counts.h"
#include "llm/codec.h"
#include "mcp/upstream/calls.h"
#include "policy/repeat.h"

#define REST_MOST_MS 2000 /* a server that rests for longer is not waited for */

bool km_mcp_may_repeat(const struct km_mcp_work *w)
{
    const struct km_mcp_entry *e = w->member->upstream ? w->member->upstream->entry : NULL;
    const struct km_mcp_tool_settings *own =
        e && w->tool && w->item ? km_mcp_tool_said(e, w->item->name) : NULL;
    struct km_repeat_facts facts = { .of_server = KM_REPEAT_NEVER, .sent = w->sent };

    if (e && w->tool && w->item) {
        facts.of_server = e->retry;
        facts.of_tool = own ? own->retry : KM_REPEAT_UNSAID;
        facts.trusted = e->trusted;
        facts.read_only = w->item->hints.read_only;
        facts.destructive = w->item->hints.destructive;
        facts.idempotent = w->item->hints.idempotent;
    }
    return km_repeat_may(&facts);
}

unsigned km_mcp_repeats_most(const struct km_mcp_work *w)
{
    const int64_t own = w->member->upstream ? w->member->upstream->entry->num_retries : 0;

    return own >= 0 ? (unsigned)own : w->call->retries;
}

/* Could another attempt at the same server do better? */
static bool is_passing(const struct km_mcp_work *w)
{
    const struct km_call *call = w->call;

    if (!km_mcp_may_repeat(w) || call->err.code == KM_E_OVERLOADED)
        return false;
    if (call->err.code == KM_E_UPSTREAM_STATUS)
        return km_again_of(call->at->status) == KM_AGAIN_SAME;
    if (km_call_failure(call) != KM_FAILURE_CONNECTION)
        return false;
    return w->sent || km_mcp_calls_wait(w->member->upstream, REST_MOST_MS,
                                        km_loop_now_ms(w->hub->w->loop)) >= 0;
}

/* How long its server wants to be left alone, or rests. */
static int64_t asked_ms(const struct km_mcp_work *w)
{
    const int64_t rest =
        km_mcp_calls_wait(w->member->upstream, UINT64_MAX, km_loop_now_ms(w->hub->w->loop));

    return rest > w->call->err.retry_after_ms ? rest : w->call->err.retry_after_ms;
}

static bool is_settled(const struct km_mcp_work *w)
{
    return !w->member->upstream || !w->failed_there || w->park.on || w->rounds ||
           w->questions_made || !w->tool;
}

/* The flow begins anew: at the same server behind what was decided of the call before. */
static void make_ready(struct km_mcp_work *w, enum km_mcp_flow_step from)
{
    km_call_bill(w->call); /* what it cost hangs on what is forgotten here */
    w->flow.to = (int)from;
    w->failed_there = w->sent = false;
    w->answered = NULL;
    w->call->first_us = 0;
}

/* Another server is asked, where it may do better and the call does no harm there. */
static enum km_call_retry ask_next(struct km_mcp_work *w)
{
    const struct km_err *err = &w->call->err;

    if (!km_mcp_may_repeat(w) || w->call->timed_out ||
        (err->code == KM_E_UPSTREAM_STATUS && km_again_of(w->call->at->status) == KM_AGAIN_NO) ||
        !km_mcp_follow(w))
        return KM_CALL_RETRY_NO;
    km_mcp_count_repeat(w->hub->counts, w->instead_of, "fallback");
    make_ready(w, KM_MCP_FLOW_judge);
    return KM_CALL_RETRY_NOW;
}

enum km_call_retry km_mcp_again(struct km_call *call)
{
    struct km_mcp_work *w = km_mcp_work_of(call);
    const uint64_t now = km_loop_now_ms(call->w->loop), until = km_call_deadline_ms(call);
    struct km_retry_facts facts = {
        .failure = km_call_failure(call),
        .done = w->repeats,
        .most = km_mcp_repeats_most(w),
        .least_ms = call->visit->view->snap->routing->retry_after_ms,
        .left_ms = until > now ? until - now : 0,
    };
    uint64_t wait_ms = 0;

    if (is_settled(w))
        return KM_CALL_RETRY_NO;
    if (!is_passing(w))
        return ask_next(w);
    facts.passing = true;
    facts.instead = w->following < w->nfollowers;
    facts.asked_ms = asked_ms(w);
    km_call_seed(call);
    if (km_retry_judge(&facts, &call->route.rng, &wait_ms) != KM_RETRY_LATER)
        return ask_next(w);
    if (!km_mcp_calls_may_repeat(w->member->upstream, now)) {
        km_mcp_count_repeat(w->hub->counts, w->member->name, "denied");
        return ask_next(w);
    }
    km_mcp_count_repeat(w->hub->counts, w->member->name, km_failure_word(facts.failure));
    make_ready(w, KM_MCP_FLOW_ask);
    w->repeats++;
    return km_call_pause(call, wait_ms);
}
