/* SPDX-License-Identifier: Apache-2.0 */
/* http_part.h - private to http*.c: one HTTP exchange of a link, and the link. */
#ifndef KM_MCP_LINK_HTTP_PART_H
#define KM_MCP_LINK_HTTP_PART_H

#include "http/sse.h"
#include "mcp/link/link.h"

#define KM_LINK_ERROR_BYTES ((size_t)64 * 1024) /* of a refusal that is looked at */
#define KM_LINK_HEAD_BYTES ((size_t)64 * 1024)
#define KM_LINK_ID_BYTES 1024 /* of a session id, of an event id */

struct km_link_http {
    struct km_link base;
    struct km_loop *loop;
    struct km_mailbox *mailbox;
    struct km_http_client *client;
    struct km_mcp_upstream *upstream;
    struct km_auth *auth; /* of what comes next; referenced */
    struct km_buf own_head; /* header lines of this asker */
    struct km_buf session; /* Mcp-Session-Id; empty: none */
    const struct km_mcp_revision *revision; /* NULL: not agreed */
    struct km_list posts; /* of struct km_link_post */
    struct km_deferred up;
};

enum km_link_body { KM_LINK_NOTHING, KM_LINK_JSON, KM_LINK_EVENTS, KM_LINK_REFUSAL };

/* One exchange: a message and its answer, or the standing stream (get, id 0). */
struct km_link_post {
    struct km_arena arena; /* it lies in it: a block that waits with the loop */
    struct km_list link;
    struct km_link_http *of;
    struct km_auth *auth; /* of this one; referenced; NULL: none */
    uint64_t id; /* of the request; 0: none */
    bool get; /* asks for a stream: the standing one, or the rest of a request's */
    bool standing;
    bool opens; /* initialize: its answer brings the session */
    bool introduces; /* notifications/initialized */
    bool in_event; /* the remote is being told something: nothing may be freed */
    bool settled, dropped; /* answered; not wanted */
    bool waits; /* for header lines */
    bool unproved; /* there are none: err says why */
    bool sent; /* some of it may have reached the server */
    bool streamed; /* a standing stream that has been one */
    bool failed; /* err says why: told from the loop */
    struct km_err err;
    unsigned tries; /* of authentication */
    unsigned silent; /* resumptions since the last event */
    struct km_buf head, more_head, text, answer, challenge;
    struct km_buf last_event;
    int64_t retry_ms;
    struct km_str part;
    struct km_http_request request;
    struct km_http_call *call; /* NULL: between two tries */
    struct km_auth_wait wait;
    struct km_timer timer;
    int status;
    enum km_link_body body;
    struct km_sse *sse;
};

/* http.c */
void km_link_post_begin(struct km_link_post *p);
void km_link_post_free(struct km_link_post *p);
/* Tells the remote, if there is a request, and frees. */
void km_link_post_fail(struct km_link_post *p, const struct km_err *err, bool maybe_executed);

/* http_answer.c */
extern const struct km_http_events km_link_post_events;

#endif
