/* SPDX-License-Identifier: Apache-2.0 */
/* notify_part.h - what notify.c and subscriptions.c share; private to them.
 *
 *     notify.c           lists that changed, and listens
 *       listen, session ── their subscriptions ── subscriptions.c
 */
#ifndef KM_GATEWAY_MCP_NOTIFY_PART_H
#define KM_GATEWAY_MCP_NOTIFY_PART_H

#include "gateway/mcp/notify.h"

struct km_mcp_listen; /* one subscriptions/listen */

/* A notification with these members of its params; a slow client is left out (see
 * km_mcp_stream_news). */
void km_mcp_tell_listen(struct km_mcp_listen *l, const char *method, struct km_str members);
void km_mcp_tell_session(struct km_mcp_session *s, const char *method, struct km_str members);
const struct km_mcp_stream *km_mcp_listen_stream(const struct km_mcp_listen *l);

/* Into the list of a listen.  false: nobody has that resource, or there are too many. */
bool km_mcp_listen_to(struct km_mcp_turn *t, const struct km_mcp_view *view, struct km_str uri,
                      struct km_list *list, struct km_mcp_listen *listen);
void km_mcp_subscriptions_done(struct km_list *list);
void km_mcp_subscriptions_owed(struct km_list *list); /* tells what could not be told */

#endif
