/* SPDX-License-Identifier: Apache-2.0 */
/* within.h - tools/call in somebody's name, without a client of MCP: what call/ask.h is for
 * models.
 *
 * It passes all that a message of a client passes that has no session and takes JSON alone; the
 * answer is the JSON-RPC message.  Where kanmon itself refuses, its HTTP status is the refusal's
 * own (base/err.h), which a client of MCP would see in the message alone.
 */
#ifndef KM_GATEWAY_MCP_WITHIN_H
#define KM_GATEWAY_MCP_WITHIN_H

#include "call/ask.h"

struct km_mcp_tool_call {
    struct km_str name; /* as the client would say it */
    struct km_str arguments; /* a JSON object */
    struct km_str server; /* its name, alias or id, as in /mcp/{server}; empty: all it may use */
    struct km_str execution; /* how it is to be carried out (policy/execution.h); empty: not said */
    struct km_str head; /* header lines for it: x-mcp-servers, credentials of servers ... */
    bool choice; /* the asker's own x-mcp-... choose among servers, too */
};

/* As km_ask_call(). */
int km_mcp_call_within(struct km_asker *a, const struct km_mcp_tool_call *tool,
                       const struct km_answer_events *events, void *ctx, struct km_question **ret,
                       struct km_err *err) KM_MUST_USE;

#endif
