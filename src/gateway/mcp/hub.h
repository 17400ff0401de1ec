/* SPDX-License-Identifier: Apache-2.0 */
/* hub.h - what a worker keeps for its MCP clients: sessions, open streams, views, listeners.
 *
 * One a worker, made and freed with it, used on its loop only; the two counters of requests that
 * are passed between workers are pipe.c's.  It ends in two steps: close (no session, stream
 * or call goes on), then quiet (nothing is under way between workers any more), and only when all
 * of them are quiet their loops may stop.
 */
#ifndef KM_GATEWAY_MCP_HUB_H
#define KM_GATEWAY_MCP_HUB_H

#include "gateway/gateway.h"
#include "mcp/ask.h"
#include "mcp/parks.h"
#include "mcp/session/session.h"

#define KM_MCP_KEEPALIVE_MS 15000 /* a comment on every open stream */

struct km_mcp_hub {
    struct km_worker *w;
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
    size_t doors; /* requests we passed on that are not over */
    bool ended; /* sessions are dropped; no new ones */
    void (*on_quiet)(struct km_worker *w);
    struct km_timer poll; /* while ending */
    /* --- any thread --- */
    _Atomic size_t reached; /* requests others passed to us that are not over */
    _Atomic bool closing;
};

struct km_mcp_hub *km_mcp_hub_new(struct km_worker *w, struct km_err *err);
struct km_mcp_hub *km_mcp_hub_free(struct km_mcp_hub *hub);
/* mcp_sessions as configured at this moment; NULL before there is a configuration. */
const struct km_mcp_session_bounds *km_mcp_bounds(const struct km_mcp_hub *hub);

/* Draining: long-lived streams end, so that their clients come back to the process that follows. */
void km_mcp_hub_drain(struct km_mcp_hub *hub);
/* Ends all; on_quiet once nothing of it is under way.  At once when nothing is. */
void km_mcp_hub_close(struct km_mcp_hub *hub, void (*on_quiet)(struct km_worker *w));

/* Ends a session with all that is under way in it. */
void km_mcp_hub_drop_session(struct km_mcp_hub *hub, struct km_mcp_session *s);

#endif
