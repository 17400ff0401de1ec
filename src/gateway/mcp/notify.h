/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - what clients hear without asking: lists that changed, resources that were
 * updated; by the GET stream of a session, or by subscriptions/listen of the stateless era. */
#ifndef KM_GATEWAY_MCP_NOTIFY_H
#define KM_GATEWAY_MCP_NOTIFY_H

#include "gateway/mcp/turn.h"

#define KM_MCP_SUBSCRIPTIONS_MOST 100 /* of a session or of a listen */
#define KM_MCP_LISTENS_MOST 10000 /* of a worker */
#define KM_MCP_ACKNOWLEDGE_MS 10000 /* mcp_sessions.acknowledge without settings */

void km_mcp_notify_init(struct km_mcp_hub *hub);
void km_mcp_notify_watch(struct km_mcp_hub *hub); /* once the desk is there */
void km_mcp_notify_forget(struct km_mcp_session *s); /* it ends */
/* listen.c: every listen is acknowledged, where it was not, gets its result and ends. */
void km_mcp_listens_end(struct km_mcp_hub *hub);

/* Now and then: clients that read too slowly hear of what they missed. */
void km_mcp_notify_tick(struct km_mcp_hub *hub);

void km_mcp_on_subscribe(struct km_mcp_turn *t);
void km_mcp_on_unsubscribe(struct km_mcp_turn *t);
void km_mcp_on_set_level(struct km_mcp_turn *t); /* logs.c */
void km_mcp_logs_forget(struct km_mcp_session *s);
/* The servers are others: who set a level hears those that have come. */
void km_mcp_logs_follow(struct km_mcp_hub *hub);
void km_mcp_on_listen(struct km_mcp_turn *t); /* listen.c */
void km_mcp_on_roots_changed(struct km_mcp_turn *t);
/* Whose resource it is, for this turn; NULL: nobody's. */
const struct km_mcp_member *
km_mcp_resource_owner(struct km_mcp_turn *t, const struct km_mcp_view *view, struct km_str uri);

#endif
