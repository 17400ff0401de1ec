/* SPDX-License-Identifier: Apache-2.0 */
/* peer_part.h - private to mcp/server: what peer.c and listen.c share. */
#ifndef KM_MCP_SERVER_PEER_PART_H
#define KM_MCP_SERVER_PEER_PART_H

#include "mcp/server/peer.h"

struct km_mcp_peer {
    struct km_mcp_peer_args args;
    const struct km_mcp_server *servers[1];
    struct km_mcp_endpoint endpoint;
    const struct km_mcp_revision *revision; /* agreed on; NULL: there was no handshake */
    struct km_arena hello; /* of the handshake */
    struct km_str said; /* in it: what the client can, as it was said last */
    const struct km_json *capabilities; /* in it */
    unsigned char log_level; /* as set; 1: all */
    struct km_list calls, uris;
    size_t ncalls, nuris;
    uint64_t count;
    bool ended; /* the client is gone */
    bool keeps; /* the server has resources/subscribe of its own */
};

struct km_mcp_peer_call {
    struct km_list link;
    struct km_mcp_peer *peer;
    uint64_t number; /* 0: nobody wants the answer (any more) */
    struct km_arena arena; /* holds this too */
    struct km_mcp_call core;
    struct km_deferred begin, recorded, answered;
    struct km_buf answer;
    const struct km_json *listens; /* to what; NULL: it is no listening request */
};

/* listen.c */
void km_mcp_peer_subscribe(struct km_mcp_peer_call *c, bool on);
void km_mcp_peer_listen(struct km_mcp_peer_call *c);
void km_mcp_peer_stop_listening(struct km_mcp_peer_call *c);
void km_mcp_peer_forget_uris(struct km_mcp_peer *p);

#endif
