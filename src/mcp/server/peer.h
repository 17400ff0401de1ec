/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - a client on a line of its own, in front of one server: what it said and may hear.
 *
 *     text ── km_mcp_peer_take ── a call ── km_mcp_handle ──> its answer ┐
 *                │                  └── progress, log, questions ────────┼──> put
 *                └── a response: of which call's question?               │
 *     km_mcp_peer_tell: a list or a resource changed ── who wants it? ───┘
 *
 * The line is standard input and output, or a call within this process (link/builtin.c).  What a
 * server with a handshake keeps of its client is kept here: capabilities, the level of its log,
 * what it subscribed to; and what a stateless client listens to.
 *
 * put is never called from inside a call of this file.  Thread: the loop.
 */
#ifndef KM_MCP_SERVER_PEER_H
#define KM_MCP_SERVER_PEER_H

#include "mcp/server/server.h"
#include "sys/loop.h"

#define KM_MCP_PEER_URIS 256 /* subscribed to, and as many listening requests */

struct km_mcp_peer;

struct km_mcp_peer_args {
    struct km_loop *loop;
    struct km_mcp_server *server; /* outlives it */
    size_t calls_most; /* under way; more are refused */
    /* A message to the client.  about: the number its request was taken with; 0: it belongs to
     * none.  text dies with the callback. */
    void (*put)(void *ctx, uint64_t about, struct km_str text);
    /* In place of the answer to that request: see km_mcp_call's unproved.  NULL: it is answered. */
    void (*unproved)(void *ctx, uint64_t about, const struct km_err *why);
    void (*audit)(void *ctx, const struct km_audit *record); /* NULL: the layer above records */
    /* As km_mcp_call_note(), of the request with that number; NULL: nobody wants to know. */
    void (*noted)(void *ctx, uint64_t about, struct km_str members);
    void (*idle)(void *ctx); /* nothing is under way any more; NULL: nobody wants to know */
    void *ctx;
};

/* NULL: out of memory. */
struct km_mcp_peer *km_mcp_peer_new(const struct km_mcp_peer_args *args);
/* Nothing is put any more. */
struct km_mcp_peer *km_mcp_peer_free(struct km_mcp_peer *p);

/* A message of the client. */
struct km_mcp_peer_message {
    struct km_str text; /* copied */
    uint64_t number; /* of a request: what about and drop know it by; 0: they are counted */
    struct km_str principal, values; /* as of km_mcp_caller; copied */
    struct km_auth *auth; /* the same; referenced */
};

void km_mcp_peer_take(struct km_mcp_peer *p, const struct km_mcp_peer_message *message);
/* Nobody wants the answer to that request any more. */
void km_mcp_peer_drop(struct km_mcp_peer *p, uint64_t number);
void km_mcp_peer_drop_all(struct km_mcp_peer *p); /* nor to any other */
/* A notification of the server: to a client that shook hands, and to who listens.
 * notifications/resources/updated goes to those only who asked for its uri. */
void km_mcp_peer_tell(struct km_mcp_peer *p, struct km_str method, struct km_str params);
/* The client is gone: what waits for it ends. */
void km_mcp_peer_end(struct km_mcp_peer *p);
bool km_mcp_peer_is_idle(const struct km_mcp_peer *p);

#endif
