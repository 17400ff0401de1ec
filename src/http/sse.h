/* SPDX-License-Identifier: Apache-2.0 */
/* sse.h - incremental reader of text/event-stream (WHATWG HTML, 9.2.6), and a writer.
 *
 * Feed it bytes as they arrive, cut anywhere; it calls back once per complete event.  It knows
 * nothing of sockets, LLMs or JSON.  LF, CRLF and CR end lines; a BOM is skipped; colon-less
 * fields and comments are understood.
 *
 * An event that lies whole in the bytes fed is not copied.
 *
 * Lifetime: views given to on_event die when it returns.
 * Limits: an event larger than max_event is KM_E_LIMIT, never an allocation beyond it.
 * Thread: none of its own; use one reader from one loop.
 */
#ifndef KM_HTTP_SSE_H
#define KM_HTTP_SSE_H

#include "base/buf.h"

struct km_sse;

struct km_sse_event {
    struct km_str type; /* "event:" field; empty: message */
    struct km_str data; /* data lines joined with '\n'; has_data tells "" from none */
    struct km_str id;
    int64_t retry_ms; /* -1: none */
    bool has_data;
    struct km_str raw; /* its exact source bytes, comments and the empty line included */
};

/* A negative return stops feeding and is handed back by km_sse_feed().  Also called, with
 * has_data false, for blocks that are comments or fields only (a relay passes raw on).
 * Do not free the reader from inside. */
typedef int km_sse_event_fn(void *ctx, const struct km_sse_event *event);

/* NULL when out of memory.  No buffer is held while nothing is unfinished. */
struct km_sse *km_sse_new(size_t max_event, km_sse_event_fn *on_event, void *ctx);
struct km_sse *km_sse_free(struct km_sse *sse);

/* Takes all len bytes, or fails with KM_E_LIMIT or the callback's code.
 * After a failure the reader can only be looked at and freed. */
int km_sse_feed(struct km_sse *sse, const char *bytes, size_t len, struct km_err *err) KM_MUST_USE;

/* Bytes of an unfinished event are waiting (the stream was cut in its middle). */
bool km_sse_unfinished(const struct km_sse *sse);
/* Bytes of the event under way, or of the one it failed on if that came in pieces. */
struct km_str km_sse_held(const struct km_sse *sse);

/* The data is one line and lies in raw: what is around it can be kept. */
static inline bool km_sse_data_in_raw(const struct km_sse_event *event)
{
    const uintptr_t raw = (uintptr_t)event->raw.p, data = (uintptr_t)event->data.p;

    return data >= raw && data - raw <= event->raw.n &&
           event->data.n <= event->raw.n - (data - raw);
}

/* "event: type\n" (type empty: left out), then "data: " lines of data, then the empty line. */
void km_sse_write(struct km_buf *out, struct km_str type, struct km_str data);

#endif
