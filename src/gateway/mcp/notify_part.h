/* SPDX-License-Identifier: Apache-2.0 */
/* notify_part.h - what notify.c, listen.c and subscriptions.c share; private to them.
 *
 *     notify.c           lists that changed
 *     listen.c           subscriptions/listen, from its request to its end
 *       listen, session ── their subscriptions ── subscriptions.c
 */
#ifndef KM_GATEWAY_MCP_NOTIFY_PART_H
#define KM_GATEWAY_MCP_NOTIFY_PART_H

#include "gateway/mcp/job.h"
#include "gateway/mcp/notify.h"

/* One subscriptions/listen. */
struct km_mcp_listen {
    struct km_mcp_job job;
    struct km_list link; /* of hub->listens */
    struct km_mcp_hub *hub;
    struct km_list subscriptions;
    struct km_timer timer; /* until it is acknowledged */
    bool acknowledged; /* nothing else is said before */
    bool uris; /* it asked for resources */
    unsigned lists; /* bit a list it wants to hear of */
    unsigned owed; /* of which it was not told yet: see owe_lists(), or it was busy */
    struct km_str principal; /* behind the id */
    uint8_t key[32]; /* by whose right it listens; all zero: no key's */
    char id[]; /* JSON */
};

/* {"jsonrpc","method","params"}, with a listen's id where there is one. */
void km_mcp_put_note(struct km_buf *b, const char *method, struct km_str members, struct km_str id);
/* A notification with these members of its params; a slow client is left out (see
 * km_mcp_stream_news). */
void km_mcp_tell_listen(struct km_mcp_listen *l, const char *method, struct km_str members);
void km_mcp_tell_session(struct km_mcp_session *s, const char *method, struct km_str members);
/* It is to be told later: it reads too slowly, or is not acknowledged. */
bool km_mcp_listen_busy(const struct km_mcp_listen *l);
/* That the list has changed; owed to one that is busy. */
void km_mcp_listen_list(struct km_mcp_listen *l, enum km_mcp_list list);

/* Into the list of a listen; km_mcp_listen_answered() follows.  false: nobody has that resource, or
 * there are too many. */
bool km_mcp_listen_to(struct km_mcp_turn *t, const struct km_mcp_view *view, struct km_str uri,
                      struct km_list *list, struct km_mcp_listen *listen);
/* A server has said yes to one of its subscriptions, or no, and that one is gone. */
void km_mcp_listen_answered(struct km_mcp_listen *l);
void km_mcp_subscriptions_done(struct km_list *list);
void km_mcp_subscriptions_owed(struct km_list *list); /* tells what could not be told */
/* Of a listen: how many have no answer of their server yet; and lets those go. */
size_t km_mcp_subscriptions_open(const struct km_list *list);
void km_mcp_subscriptions_settle(struct km_list *list);
void km_mcp_subscriptions_put(const struct km_list *list, struct km_buf *out); /* "uri","uri" */

#endif
