/* SPDX-License-Identifier: Apache-2.0 */
/* hub.h - what a worker keeps for its MCP clients: sessions, open streams, views, listeners.
 *
 * One a worker, made and freed with it, used on its loop only; the two counters of requests that
 * are passed between workers are pipe.c's.  A module (host/module.h), whose state of the gateway is
 * what the hubs share.  It ends in two steps: no session, stream or call goes on; then nothing is
 * under way between workers any more.
 */
#ifndef KM_GATEWAY_MCP_HUB_H
#define KM_GATEWAY_MCP_HUB_H

#include "host/gateway.h"
#include "host/module.h"
#include "mcp/ask.h"
#include "mcp/parks.h"
#include "mcp/session/session.h"

#define KM_MCP_KEEPALIVE_MS 15000 /* a comment on every open stream */

/* What the hubs of all workers share; the gateway's state of the module. */
struct km_mcp_shared {
    struct km_approvals *approvals; /* of tool calls; locked inside */
    struct km_mcp_memory *memory; /* of results; locked inside */
    struct km_mcp_park_shares *park_shares; /* of parked calls; locked inside */
    uint32_t replica; /* in ids of sessions: this process */
    uint8_t key[32]; /* of requestState: this process's */
};

struct km_mcp_hub {
    struct km_worker *w;
    struct km_mcp_shared *shared;
    struct km_mcp_sessions *sessions;
    struct km_list loose; /* answers under way that belong to no session */
    struct km_list open; /* streams whose head was sent: they are kept alive */
    struct km_list listens; /* subscriptions/listen */
    size_t nlistens;
    struct km_map *views; /* views.c */
    struct km_mcp_counts *counts; /* of tools, in /metrics */
    uint64_t generation; /* of all that views are made from */
    struct km_mcp_watch watch;
    struct km_timer changed; /* list_changed is sent a moment after the first change */
    unsigned changed_lists; /* bit a list */
    bool other_servers; /* some came, went or are configured otherwise */
    struct km_mcp_parks parks; /* calls that wait for a stateless client's answer */
    struct km_timer tick;
    /* Ends a session with all that is under way in it: its own, for those that stand below. */
    void (*drop_session)(struct km_mcp_hub *hub, struct km_mcp_session *s);
    size_t doors; /* requests we passed on that are not over */
    bool ended; /* sessions are dropped; no new ones */
    /* --- any thread --- */
    _Atomic size_t reached; /* requests others passed to us that are not over */
    _Atomic bool closing;
};

extern const struct km_module km_mcp_hub_module;

static inline struct km_mcp_shared *km_mcp_shared_of(const struct km_gateway *gw)
{
    return km_module_state(gw->slots, &km_mcp_hub_module);
}

static inline struct km_mcp_hub *km_mcp_hub_of(const struct km_worker *w)
{
    return km_module_state(w->slots, &km_mcp_hub_module);
}

/* mcp_sessions as configured at this moment; NULL before there is a configuration. */
const struct km_mcp_session_bounds *km_mcp_bounds(const struct km_mcp_hub *hub);

/* Ends a session with all that is under way in it. */
void km_mcp_hub_drop_session(struct km_mcp_hub *hub, struct km_mcp_session *s);

#endif
