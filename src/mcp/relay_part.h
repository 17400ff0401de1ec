/* SPDX-License-Identifier: Apache-2.0 */
/* relay_part.h - what relay.c and relay_ask.c share; private to them.
 *
 *     relay_ask.c       the near end's calls: each becomes a message to the far end
 *     relay_message.c   the messages
 *     relay.c           what either end does with one
 */
#ifndef KM_MCP_RELAY_PART_H
#define KM_MCP_RELAY_PART_H

#include "mcp/relay.h"

enum km_relay_what {
    KM_RELAY_START,
    KM_RELAY_ANSWER,
    KM_RELAY_NOTE,
    KM_RELAY_CANCEL,
    KM_RELAY_FORGET,
    KM_RELAY_SUBSCRIBE,
    KM_RELAY_UNSUBSCRIBE,
    KM_RELAY_TELL,
    /* to the near end */
    KM_RELAY_NOTICE,
    KM_RELAY_QUESTION,
    KM_RELAY_WITHDRAWN,
    KM_RELAY_DONE,
    KM_RELAY_SUBSCRIBED,
    KM_RELAY_UPDATED,
};

struct km_relay {
    _Atomic unsigned refs;
    struct km_mcp_upstreams *ups;
    size_t near, far; /* desks */
    km_msg_fn *run; /* what is done with its messages: relay.c */
    struct km_arena arena; /* read only once START is sent */
    struct km_mcp_upstream *upstream;
    struct km_mcp_asker asker;
    bool nobody; /* asker is NULL */
    bool own, can_ask;
    struct km_str method, params, uri;
    uint64_t timeout_ms;
    struct km_mcp_times times;
    /* near */
    struct km_list link; /* of the desk */
    const struct km_mcp_ask_events *events; /* NULL: gone */
    km_mcp_updated_fn *updated; /* NULL: gone */
    km_mcp_subscribed_fn *subscribed; /* NULL: gone, or called */
    void *ctx;
    /* far */
    struct km_job *job;
    struct km_mcp_subscription *subscription;
};

struct km_relay_message {
    struct km_msg msg;
    struct km_relay *relay;
    enum km_relay_what what;
    uint64_t number;
    bool flag, unproved, sent, unasked;
    int http;
    enum km_mcp_answer_kind kind;
    const struct km_mcp_revision *revision;
    struct km_err err;
    struct km_str a, b; /* in bytes */
    char bytes[];
};

void km_relay_unref(struct km_relay *r);
/* With a reference to r of its own; never NULL. */
struct km_relay_message *km_relay_message(struct km_relay *r, enum km_relay_what what,
                                          struct km_str a, struct km_str b);
/* To the end it is for.  false: that desk is gone, and so is the message. */
bool km_relay_post(struct km_relay_message *m);
bool km_relay_send(struct km_relay *r, enum km_relay_what what, struct km_str a, struct km_str b);
/* The asker will not be called any more. */
void km_relay_leave(struct km_relay *r);

#endif
