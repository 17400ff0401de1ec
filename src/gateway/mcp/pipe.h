/* SPDX-License-Identifier: Apache-2.0 */
/* pipe.h - the way of an answer to one request, which may have come in at another worker.
 *
 *     door's loop                      owner's loop
 *     port     <── messages ─────────  km_mcp_pipe_respond / start / write / end
 *     on_gone  ── message ──────────>  events->on_gone
 *
 * A session belongs to one worker; its client's connections end where the kernel puts them.  The
 * door hands the request over and is a pair of hands from then on.  Where door and owner are the
 * same, nothing is copied and no message is sent.
 *
 * Thread: all functions but km_mcp_pipe_new() on the owner's loop.  A pipe ends once, by respond,
 * end or abort; then the pointer is dead.
 */
#ifndef KM_GATEWAY_MCP_PIPE_H
#define KM_GATEWAY_MCP_PIPE_H

#include "host/gateway.h"
#include "host/port.h"
#include "host/gateway.h"

struct km_mcp_hub;
struct km_mcp_pipe;

struct km_mcp_pipe_events {
    /* The client is gone; the pipe must still be ended.  Once, on the owner's loop. */
    void (*on_gone)(void *ctx);
};

/* On the door's loop: takes the port.  NULL: no memory, or the owner is ending; then nothing was
 * taken. */
struct km_mcp_pipe *km_mcp_pipe_new(struct km_port *port, struct km_mcp_hub *door,
                                    struct km_mcp_hub *owner);
void km_mcp_pipe_listen(struct km_mcp_pipe *p, const struct km_mcp_pipe_events *events, void *ctx);
/* A pipe whose door is its owner gets another owner; false: it is ending. */
bool km_mcp_pipe_move(struct km_mcp_pipe *p, struct km_mcp_hub *to);

void km_mcp_pipe_respond(struct km_mcp_pipe *p, int status, struct km_str head, struct km_str body);
void km_mcp_pipe_start(struct km_mcp_pipe *p, int status, struct km_str head); /* chunked */
/* false: the client is slow, more than the high-water mark waits for it (taken all the same). */
bool km_mcp_pipe_write(struct km_mcp_pipe *p, const struct km_str *parts, size_t n);
/* So it was when something was written last, and has not drained since. */
bool km_mcp_pipe_slow(const struct km_mcp_pipe *p);
void km_mcp_pipe_end(struct km_mcp_pipe *p);
void km_mcp_pipe_abort(struct km_mcp_pipe *p);

#endif
