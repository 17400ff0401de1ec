/* SPDX-License-Identifier: Apache-2.0 */
/* framing.h - how an upstream cuts its stream into events: SSE, JSON lines, AWS's frames.
 *
 * One reader for all: feed it bytes, cut anywhere; it calls back once an event.
 */
#ifndef KM_LLM_FRAMING_H
#define KM_LLM_FRAMING_H

#include "http/sse.h"

enum km_framing {
    KM_FRAMING_SSE,
    KM_FRAMING_LINES, /* a JSON text a line (application/x-ndjson) */
    KM_FRAMING_AWS, /* application/vnd.amazon.eventstream */
};

struct km_frame_event {
    struct km_str type; /* SSE's `event`, AWS's :event-type */
    struct km_str data; /* the payload */
    struct km_str exception; /* AWS: this is no event but an exception or error of that name */
    const struct km_sse_event *sse; /* SSE: all of it; else NULL */
};

/* A negative return stops feeding and is handed back.  Views die when it returns. */
typedef int km_frame_event_fn(void *ctx, const struct km_frame_event *e, struct km_err *err);

struct km_framer;

/* NULL when out of memory.  max_event bounds one event's bytes. */
struct km_framer *km_framer_new(enum km_framing framing, size_t max_event,
                                km_frame_event_fn *on_event, void *ctx);
struct km_framer *km_framer_free(struct km_framer *f);
int km_framer_feed(struct km_framer *f, const char *bytes, size_t n,
                   struct km_err *err) KM_MUST_USE;
/* Bytes of an unfinished event are waiting. */
bool km_framer_unfinished(const struct km_framer *f);
/* After feeding `fed` has failed: the stream's bytes from the event on that it failed on, `early`
 * those gathered (views into the framer), `late` the rest of them.  Where the event begins does not
 * depend on how the stream was cut. */
void km_framer_unread(const struct km_framer *f, struct km_str fed, struct km_str *early,
                      struct km_str *late);
/* The type of an answer that holds such a stream. */
bool km_framing_is(enum km_framing framing, struct km_str content_type);

#endif
