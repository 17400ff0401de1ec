/* SPDX-License-Identifier: Apache-2.0 */
/* explain.h - a tool's call that is only tried. */
#ifndef KM_GATEWAY_MCP_EXPLAIN_H
#define KM_GATEWAY_MCP_EXPLAIN_H

#include "call/call.h"

/* The row `explain` of the kind: of tools/call alone. */
int km_mcp_explain(struct km_call *call, struct km_err *why, struct km_buf *out,
                   struct km_err *err) KM_MUST_USE;

#endif
