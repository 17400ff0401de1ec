/* SPDX-License-Identifier: Apache-2.0 */
/* calls.h - how the calls of a server's clients go, all workers together: whether it gets any now,
 * and how many may be repetitions.
 *
 *     5 failures in a row ──> open for 30 s ──> one call tests it ──> as before
 *                                                     └─ by steps, where others can take the rest
 *
 * Thread: any.
 */
#ifndef KM_MCP_UPSTREAM_CALLS_H
#define KM_MCP_UPSTREAM_CALLS_H

#include "mcp/upstream/upstream.h"
#include "policy/breaker.h"

struct km_mcp_calls_rule {
    const struct km_breaker_settings *breaker; /* as of deployments */
    bool others; /* another server may be asked instead */
};

/* How a call ended, for its breaker. */
enum km_mcp_call_end {
    KM_MCP_CALL_SAYS_NOTHING, /* cancelled, the caller's fault, full, or never asked */
    KM_MCP_CALL_WELL, /* it was answered, by whatever result or error */
    KM_MCP_CALL_BAD,
};

/* 0: it may be sent, and km_mcp_calls_report() follows.  KM_E_OVERLOADED: it is left alone; err has
 * when that may be over.  luck: anything, for its part of the load. */
int km_mcp_calls_enter(struct km_mcp_upstream *u, const struct km_mcp_calls_rule *rule,
                       uint64_t now_ms, uint64_t luck, struct km_err *err) KM_MUST_USE;
/* failure: of BAD.  true: its state is another one now. */
bool km_mcp_calls_report(struct km_mcp_upstream *u, const struct km_mcp_calls_rule *rule,
                         enum km_mcp_call_end end, enum km_failure failure, uint64_t now_ms);
enum km_breaker_state km_mcp_calls_state(const struct km_mcp_upstream *u, uint64_t now_ms);

/* How long a server that worked before, and could not be reached, rests yet, in ms; -1: for longer
 * than most_ms, or it never worked, or its calls wait for that themselves (stdio). */
int64_t km_mcp_calls_wait(const struct km_mcp_upstream *u, uint64_t most_ms, uint64_t now_ms);
/* May one more be a repetition?  true: it counts as one from now on. */
bool km_mcp_calls_may_repeat(struct km_mcp_upstream *u, uint64_t now_ms);

#endif
