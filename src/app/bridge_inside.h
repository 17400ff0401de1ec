/* SPDX-License-Identifier: Apache-2.0 */
/* bridge_inside.h - for bridge.c and bridge_call.c only. */
#ifndef KM_APP_BRIDGE_INSIDE_H
#define KM_APP_BRIDGE_INSIDE_H

#include "app/bridge.h"
#include "app/input.h"
#include "http/sse.h"
#include "mcp/revision.h"
#include "sys/loop.h"

enum km_bridge_kind {
    KM_BRIDGE_MESSAGE, /* of the client's */
    KM_BRIDGE_HELLO, /* initialize once more, for a new session; the client does not see it */
    KM_BRIDGE_READY, /* notifications/initialized after it */
    KM_BRIDGE_STREAM, /* GET */
    KM_BRIDGE_BYE, /* DELETE */
};

struct km_bridge_call {
    struct km_list link; /* of calls, or of queue while it waits */
    struct km_bridge *b;
    enum km_bridge_kind kind;
    struct km_arena arena; /* of the message that was read */
    struct km_buf line; /* the message */
    struct km_rpc_message m;
    bool stateless;
    unsigned generation; /* of the session it was sent in */
    bool again; /* it was sent once more, in a new session */

    struct km_http_call *http; /* NULL: waits */
    struct km_buf head;
    struct km_str body; /* what is sent: line, or nothing */
    int status;
    struct km_sse *sse; /* NULL: the answer is no stream */
    struct km_buf answer; /* where it is none */
    bool resumed; /* it goes on by GET */
    bool answered; /* the client has its response */
    struct km_buf last_event; /* id, to go on from */
    int64_t retry_ms;
    unsigned tries;
    struct km_timer timer; /* until it is sent again */
};

struct km_bridge {
    struct km_bridge_args args;
    struct km_list calls; /* under way, or waiting for their timer */
    struct km_list queue; /* not sent yet */
    size_t ncalls; /* in both */
    struct km_bridge_call *gate; /* until it is answered nothing else is sent */
    struct km_bridge_call *stream;
    struct km_buf hello, ready; /* the client's initialize, and notifications/initialized */
    struct km_buf revision, session; /* what initialize agreed on */
    char client[2 * KM_BRIDGE_CLIENT + 1]; /* our word for ourselves, of the stateless era */
    unsigned generation; /* of the session */
    bool get_refused; /* the gateway has no GET stream */
    bool spoke; /* somebody answered */
    bool started, start_failed; /* a gateway of our own */
    bool ended, over, bye;
    struct km_deferred later; /* over */
};

/* --- bridge_call.c --- */
struct km_bridge_call *km_bridge_call_new(struct km_bridge *b, enum km_bridge_kind kind,
                                          struct km_str line);
struct km_bridge_call *km_bridge_call_free(struct km_bridge_call *c); /* cancels; NULL is fine */
void km_bridge_call_send(struct km_bridge_call *c);
static inline bool km_bridge_is(const struct km_bridge_call *c, const char *method)
{
    return km_str_eq(c->m.method, km_str_c(method));
}

/* --- bridge.c --- */
/* The exchange is over: with an error, or with c->status and what was read. */
void km_bridge_call_over(struct km_bridge_call *c, const struct km_err *err);
/* A message for the client that is not c's response. */
void km_bridge_put(struct km_bridge *b, struct km_str message);

#endif
