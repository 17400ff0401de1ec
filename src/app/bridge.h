/* SPDX-License-Identifier: Apache-2.0 */
/* bridge.h - an MCP client that speaks lines, and a gateway that speaks Streamable HTTP.
 *
 * Messages of the client go out in their order as POSTs; requests are answered in any order, at
 * the same time, as JSON or as a stream.  The session that initialize began is kept: its id goes
 * with every message, its GET stream brings what the gateway says by itself, and when the gateway
 * does not know it any more (it was restarted) it is begun anew with the client's own words.
 * Requests of the stateless era need none of it.  bridge.c has the drawing.
 *
 * Thread: the loop's.
 */
#ifndef KM_APP_BRIDGE_H
#define KM_APP_BRIDGE_H

#include "http/client.h"

#define KM_BRIDGE_CALLS 1024 /* messages that wait or are under way */
#define KM_BRIDGE_TRIES 5 /* to go on with a broken stream */

#define KM_BRIDGE_CLIENT 16 /* random bytes by which the gateway knows us again */

struct km_bridge;

struct km_bridge_args {
    struct km_loop *loop;
    struct km_http_client *client;
    struct km_origin *origin; /* outlives the bridge */
    struct km_str target; /* "/mcp": outlives it too, as head does */
    struct km_str head; /* lines of every request: who we are */
    void (*on_message)(void *ctx, struct km_str line); /* for the client, without the line's end */
    /* Nobody listens there: starts a gateway, blocking.  Once; NULL: it cannot. */
    int (*start_gateway)(void *ctx, struct km_err *err);
    void (*on_over)(void *ctx); /* after km_bridge_end(): all is answered and said */
    struct km_log *log; /* of what no request can be answered with */
    void *ctx;
};

struct km_bridge *km_bridge_new(const struct km_bridge_args *args); /* NULL: no memory */
struct km_bridge *km_bridge_free(struct km_bridge *b);
/* A message of the client's. */
void km_bridge_take(struct km_bridge *b, struct km_str line);
/* A line that was no message of reasonable size. */
void km_bridge_refuse(struct km_bridge *b, const char *why);
/* The client has said its last.  What is under way is finished, listening is not. */
void km_bridge_end(struct km_bridge *b);

#endif
