/* SPDX-License-Identifier: Apache-2.0 */
/* counts.h - what /metrics says of calls of tools: by server and tool, how they ended, how long
 * they took and what they cost.
 *
 * Names are those that catalogues have, never what a caller wrote.  The first so many tools of a
 * process are told apart, whatever servers they come from; the rest are `other`.
 *
 * One a worker; its loop's thread.
 */
#ifndef KM_GATEWAY_MCP_COUNTS_H
#define KM_GATEWAY_MCP_COUNTS_H

#include "base/metric.h"

#define KM_MCP_COUNTED_TOOLS 500 /* told apart; the rest are `other` */

struct km_mcp_counts;

/* worker: whose cells it counts in.  NULL: no memory. */
struct km_mcp_counts *km_mcp_counts_new(struct km_metrics *metrics, size_t worker);
struct km_mcp_counts *km_mcp_counts_free(struct km_mcp_counts *counts);

/* A call of a tool is over.  outcome: the audit log's word, in static storage. */
struct km_mcp_count {
    struct km_str server, tool;
    const char *outcome;
    int64_t us; /* from the request to the answer; negative: it was not admitted */
    int64_t cost; /* nano-USD */
};

/* One is sent to its server once more; failure: why, or "denied". */
void km_mcp_count_repeat(struct km_mcp_counts *counts, struct km_str server, const char *failure);
/* Its breaker has opened, or closed again. */
void km_mcp_count_fuse(struct km_mcp_counts *counts, struct km_str server, bool open);
void km_mcp_count_call(struct km_mcp_counts *counts, const struct km_mcp_count *call);

#endif
