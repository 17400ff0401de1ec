/* SPDX-License-Identifier: Apache-2.0 */
/* openapi_part.h - private to link/openapi*.c: the link, and what a call of a tool does. */
#ifndef KM_MCP_LINK_OPENAPI_PART_H
#define KM_MCP_LINK_OPENAPI_PART_H

#include "mcp/link/link.h"
#include "mcp/openapi/source.h"
#include "mcp/server/peer.h"

struct km_link_openapi {
    struct km_link base;
    struct km_loop *loop;
    struct km_mailbox *mailbox;
    struct km_http_client *client;
    struct km_mcp_upstream *upstream;
    struct km_auth *auth; /* of who opened it; referenced; NULL: none */
    struct km_log *log;
    struct km_buf own_head; /* header lines of this asker */
    struct km_openapi *doc; /* NULL: not there yet */
    struct km_mcp_server server; /* its tools are doc's */
    struct km_mcp_peer *peer;
    struct km_openapi_load *load; /* NULL: none is under way */
    struct km_timer again; /* to look at the document */
    bool said; /* that it could not be read again */
    struct km_deferred introduced;
    struct km_link_end end;
};

/* openapi_call.c: as the server's (server.h). */
void km_link_openapi_cancel(struct km_mcp_call *call);
void km_link_openapi_drop(struct km_mcp_call *call);

#endif
