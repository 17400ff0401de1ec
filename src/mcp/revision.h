/* SPDX-License-Identifier: Apache-2.0 */
/* revision.h - the protocol revisions we speak, and which one a message is in. */
#ifndef KM_MCP_REVISION_H
#define KM_MCP_REVISION_H

#include "mcp/jsonrpc.h"

/* kanmon's own: by it a client of the stateless era says that it is one process whose requests come
 * from standard input.  The line is made by `kanmon mcp stdio`; at most so many bytes count. */
#define KM_MCP_CLIENT_HEADER "X-Kanmon-Client"
#define KM_MCP_CLIENT_BYTES 64

#define KM_MCP_META_VERSION "io.modelcontextprotocol/protocolVersion"
#define KM_MCP_META_CAPABILITIES "io.modelcontextprotocol/clientCapabilities"
#define KM_MCP_META_SERVER "io.modelcontextprotocol/serverInfo"

struct km_mcp_revision {
    struct km_str name; /* "2025-11-25" */
    enum km_mcp_era era;
    bool annotations; /* tools say what they may do */
    bool structured; /* title, outputSchema, structuredContent */
    bool errors_in_result; /* bad arguments are a tool's answer, not a protocol error */
};

/* Exact name, or NULL. */
const struct km_mcp_revision *km_mcp_revision_find(struct km_str name);
/* What initialize answers: the one asked for, or our latest with a handshake. */
const struct km_mcp_revision *km_mcp_revision_negotiate(struct km_str asked);
/* The newest of an era. */
const struct km_mcp_revision *km_mcp_revision_latest(enum km_mcp_era era);

/* Which revision a message is in, by its _meta and, over HTTP, by MCP-Protocol-Version (header;
 * empty: none).  On failure *ret_fault says how to answer, and *ret_revision (always set) in
 * which era. */
int km_mcp_revision_select(const struct km_rpc_message *msg, bool http, struct km_str header,
                           const struct km_mcp_revision **ret_revision,
                           enum km_rpc_fault *ret_fault, struct km_err *err) KM_MUST_USE;

#define KM_MCP_LEVELS 8
/* Of log messages: 1 debug .. 8 emergency; 0: none of them.  And back; empty for 0. */
unsigned km_mcp_level(struct km_str name);
struct km_str km_mcp_level_name(unsigned level);

/* {"supported":[...],"requested":"..."}: the data of UNSUPPORTED_VERSION in the stateless era.
 * Requested is what the message says, else its header (empty: none): at most 64 bytes of it, '?' in
 * place of what is no ASCII that can be seen. */
void km_mcp_put_versions(const struct km_rpc_message *msg, struct km_str header,
                         struct km_buf *out);

#endif
