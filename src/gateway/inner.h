/* SPDX-License-Identifier: Apache-2.0 */
/* inner.h - a request of the gateway to itself, on behalf of somebody who asked it something.
 *
 *     visit ── a chat with MCP tools ──> inner: POST /v1/chat/completions    a round
 *                                    └─> inner: POST /mcp  (tools/call)      a tool
 *
 * What is made of several requests is not trusted more than each of them: an inner request is an
 * ordinary one, with the credentials and headers of the visitor and from the same address, over a
 * pair of sockets instead of the network.  Key, limits, approval, books, audit log and access log
 * hold for it without knowing of it.
 *
 * Thread: the visit's worker.
 */
#ifndef KM_GATEWAY_INNER_H
#define KM_GATEWAY_INNER_H

#include "host/visit.h"
#include "http/client.h"

struct km_inner_request {
    struct km_str target; /* path and query; POST */
    struct km_str head; /* more header lines; a field of the visitor's that is in it is left out */
    struct km_str body;
    bool mcp; /* the visitor's own choice of MCP servers goes along (x-mcp-...) */
};

/* All texts of the request are copied into the arena, which lives until the call is over; the
 * visit has its exchange.  NULL: out of memory.  Events as of km_http_send(). */
struct km_http_call *km_inner_send(const struct km_visit *v, struct km_arena *arena,
                                   const struct km_inner_request *request,
                                   const struct km_http_events *events, void *ctx);

#endif
