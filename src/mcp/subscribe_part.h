/* SPDX-License-Identifier: Apache-2.0 */
/* subscribe_part.h - what subscribe.c and listen.c share; private to them.
 *
 *     subscribe.c   subscriptions, and servers with a handshake
 *     listen.c      stateless servers: one subscriptions/listen for all of a remote
 */
#ifndef KM_MCP_SUBSCRIBE_PART_H
#define KM_MCP_SUBSCRIBE_PART_H

#include "mcp/asker.h"
#include "mcp/relay.h"

struct km_mcp_subscription {
    struct km_list link; /* of the desk */
    struct km_mcp_desk *desk;
    struct km_mcp_upstream *upstream; /* NULL: it is not configured any more */
    uint8_t key[KM_MCP_KEY];
    struct km_arena arena;
    struct km_mcp_asker asker;
    struct km_str uri;
    km_mcp_updated_fn *updated;
    km_mcp_subscribed_fn *subscribed; /* NULL: was called, or nobody waits for it */
    void *ctx;
    struct km_relay *relay; /* the server is at home elsewhere; NULL: here */
    struct km_job *asking; /* its resources/subscribe, under way */
    struct km_timer timer; /* what is told without a word of the server, or for want of one */
    struct km_err err; /* with it; code 0: it is agreed */
    bool relayed; /* its near end follows a reload */
    bool agreed; /* the server has said yes */
    bool listed; /* a stateless server's open listen names its uri */
};

bool km_subscription_at(const struct km_mcp_subscription *s, const struct km_mcp_upstream *u,
                        const uint8_t key[KM_MCP_KEY]);
/* To whoever waits for it, once; s may be gone after. */
void km_subscription_tell(struct km_mcp_subscription *s, const struct km_mcp_answer *answer);

/* listen.c: the remote is ready; it listens where somebody is to hear of changes by it. */
void km_listening_begin(struct km_remote *p);
/* A listen in place of the one that is open, with all uris that are wanted now. */
void km_listening_again(struct km_remote *p);

#endif
