/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h - what the gateway remembers of results: whose the URIs in them are, and those that
 * were too large to send.
 *
 * A URI or task that no list names belongs to the server whose result last named it to the same
 * principal.  A result that was cut can be read whole, by the same principal, under a URI of
 * kanmon's own, for an hour, or until it is the oldest and room is needed; one principal has at
 * most a quarter of the room, so that it cannot push out what others keep.
 *
 * Shared by all workers, locked inside: a stateless client's next request may come anywhere.
 */
#ifndef KM_MCP_MEMORY_H
#define KM_MCP_MEMORY_H

#include "base/arena.h"
#include "base/buf.h"

#define KM_MCP_MENTIONS_MOST ((size_t)50000) /* then all are forgotten */
#define KM_MCP_SPOOL_BYTES ((size_t)128 * 1024 * 1024) /* of all kept results */
#define KM_MCP_SPOOL_OF_PRINCIPAL (KM_MCP_SPOOL_BYTES / 4)
#define KM_MCP_SPOOL_MS ((uint64_t)60 * 60 * 1000)
#define KM_MCP_SPOOL_URI "kanmon://results/" /* and 32 hexadecimal digits */

struct km_mcp_memory;

struct km_mcp_memory *km_mcp_memory_new(void); /* NULL: no memory */
struct km_mcp_memory *km_mcp_memory_free(struct km_mcp_memory *m);

/* Learns from a result: members `uri` and `taskId`, at any depth. */
void km_mcp_memory_learn(struct km_mcp_memory *m, struct km_str principal, struct km_str server,
                         struct km_str result);
/* The name of the server, in the arena; empty: nobody named it. */
struct km_str km_mcp_memory_owner(struct km_mcp_memory *m, struct km_arena *arena,
                                  struct km_str principal, struct km_str uri);

struct km_mcp_task {
    struct km_str id, server;
};

/* The tasks that results have named to this principal: at most n, those whose ids come next after
 * `after` in the order of their bytes; in the arena.  Returns how many.  It walks all mentions. */
size_t km_mcp_memory_tasks(struct km_mcp_memory *m, struct km_arena *arena, struct km_str principal,
                           struct km_str after, struct km_mcp_task *v, size_t n);

/* Keeps it; its URI, in the arena.  Empty: it cannot be kept.  now_ms: monotonic. */
struct km_str km_mcp_memory_keep(struct km_mcp_memory *m, struct km_arena *arena,
                                 struct km_str principal, struct km_str result, uint64_t now_ms);
/* Appends it; false: unknown, forgotten, or another principal's. */
bool km_mcp_memory_read(struct km_mcp_memory *m, struct km_str principal, struct km_str uri,
                        uint64_t now_ms, struct km_buf *out);

#endif
