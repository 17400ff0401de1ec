/* SPDX-License-Identifier: Apache-2.0 */
/* event_store.h - the last messages a session sent, so that a client that lost its stream can ask
 * for what it missed (Last-Event-ID).
 *
 * An event's id is "{stream}-{number}" in hexadecimal: numbers count through the session, the
 * stream says which answer it belongs to, and only that stream's events are replayed.  Bounded by
 * count and bytes: the oldest go first.  Empty, it costs four words.
 *
 * Thread: the session's loop.
 */
#ifndef KM_MCP_EVENT_STORE_H
#define KM_MCP_EVENT_STORE_H

#include "base/buf.h"

#define KM_MCP_EVENTS_MOST 512 /* of a session, where nothing else is set */
#define KM_MCP_EVENT_BYTES ((size_t)4 * 1024 * 1024) /* of a session's events together */
#define KM_MCP_EVENT_ID_LEN 25

struct km_mcp_event;

struct km_mcp_event_store {
    struct km_mcp_event *first, *last;
    uint32_t most; /* 0: KM_MCP_EVENTS_MOST */
    size_t most_bytes; /* 0: KM_MCP_EVENT_BYTES */
    size_t bytes;
    uint32_t n;
    uint32_t next; /* number of the next event */
};

/* Keeps a copy; returns its number.  Over the bounds, or without memory, older ones go (and this
 * one is not kept when it alone is over them): the number is used up all the same. */
uint32_t km_mcp_event_put(struct km_mcp_event_store *s, uint32_t stream, struct km_str data);
/* Uses up a number for an event without content (the priming event). */
uint32_t km_mcp_event_skip(struct km_mcp_event_store *s);
void km_mcp_event_store_done(struct km_mcp_event_store *s);

void km_mcp_event_id(uint32_t stream, uint32_t number, char ret[KM_MCP_EVENT_ID_LEN + 1]);
/* false: no id of ours. */
bool km_mcp_event_id_parse(struct km_str id, uint32_t *ret_stream, uint32_t *ret_number);

/* Calls fn for each kept event of the stream after `number`, oldest first. */
typedef void km_mcp_event_fn(void *ctx, uint32_t number, struct km_str data);
void km_mcp_event_replay(const struct km_mcp_event_store *s, uint32_t stream, uint32_t number,
                         km_mcp_event_fn *fn, void *ctx);

#endif
