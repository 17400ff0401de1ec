/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h - the answer to one POST (or a GET): a JSON body or a stream of events.
 *
 * A POST with one request is answered with JSON when its answer is all there is to say, and with
 * a stream as soon as something comes before it, or when it takes long.  In a session each event
 * is kept (event_store.h): when the client's connection breaks, the answer goes on into the
 * store, and a GET with Last-Event-ID takes the stream up again.  Without a session, or in the
 * stateless era, losing the client cancels what it asked for.
 *
 *     waiting ── respond ──────────────> over          (JSON)
 *        └── something to say before ──> streaming ── last answer ──> over
 *
 * Thread: the hub's loop.  A stream of a POST is freed after its last answer.
 */
#ifndef KM_GATEWAY_MCP_STREAM_H
#define KM_GATEWAY_MCP_STREAM_H

#include "gateway/mcp/hub.h"
#include "gateway/mcp/pipe.h"

#define KM_MCP_STREAM_LATE_MS 2000 /* without an answer: a stream is begun, so that it is seen */
#define KM_MCP_RETRY_MS 1000 /* after which a client that lost its stream asks for it */

enum km_mcp_stream_kind {
    KM_MCP_STREAM_POST,
    KM_MCP_STREAM_GET, /* of a session: what belongs to no request */
    KM_MCP_STREAM_RESUME, /* a GET that only replays */
    KM_MCP_STREAM_LISTEN, /* subscriptions/listen */
};

struct km_mcp_stream {
    struct km_list link; /* of its session, or of hub->loose */
    struct km_list open; /* of hub->open */
    struct km_mcp_hub *hub;
    struct km_mcp_session *session; /* NULL: none */
    struct km_mcp_pipe *pipe; /* NULL: the client is gone, or was answered with 202 */
    const struct km_mcp_revision *revision;
    enum km_mcp_stream_kind kind;
    uint32_t number; /* in the ids of its events */
    unsigned pending; /* requests not answered yet */
    bool streaming; /* the head was sent */
    bool batch; /* the JSON answer is an array */
    bool no_events; /* the client takes JSON only */
    bool plain; /* who asks is no client of MCP: a failure has its own HTTP status */
    bool resumable; /* its events have ids */
    bool cancelling; /* its calls are being cancelled */
    int http; /* of the answer */
    struct km_buf held; /* a batch's answers so far */
    struct km_str head; /* header lines of its own; malloc()ed */
    struct km_list calls; /* struct km_mcp_job */
    struct km_timer late;
};

struct km_mcp_stream_args {
    struct km_mcp_session *session;
    struct km_mcp_pipe *pipe; /* taken */
    const struct km_mcp_revision *revision;
    enum km_mcp_stream_kind kind;
    unsigned pending;
    bool batch, no_events, plain;
};

/* NULL: no memory; the pipe was answered. */
struct km_mcp_stream *km_mcp_stream_new(struct km_mcp_hub *hub,
                                        const struct km_mcp_stream_args *args);
/* Header lines for the answer ("Mcp-Session-Id: ..."); before anything is sent. */
void km_mcp_stream_head(struct km_mcp_stream *s, struct km_str lines);

/* A notification or a question for the client; begins the stream.  false: the client takes no
 * stream, or cannot be reached now and will not see it. */
bool km_mcp_stream_say(struct km_mcp_stream *s, struct km_str message);
/* The same for what is only news (progress, log, list_changed): it is left out, with true, while
 * the client reads too slowly.  What is left out is not kept for a later GET either. */
bool km_mcp_stream_news(struct km_mcp_stream *s, struct km_str message);
/* Would news be left out now? */
bool km_mcp_stream_slow(const struct km_mcp_stream *s);
/* Answers one request; message empty: there is nothing to say (it was cancelled, or 202).  After
 * the last one the stream is gone. */
void km_mcp_stream_answer(struct km_mcp_stream *s, int http, struct km_str message);
/* The HTTP status with which an error is answered that a client of MCP would get with `http`. */
static inline int km_mcp_stream_status(const struct km_mcp_stream *s, const struct km_err *err,
                                       int http)
{
    return s->plain ? km_err_http(err) : http;
}
/* Nobody will answer: as answer, for all that is pending.  The stream is gone. */
void km_mcp_stream_end(struct km_mcp_stream *s);
/* A GET takes up a stream whose client was lost: later events go to its pipe. */
void km_mcp_stream_resume(struct km_mcp_stream *s, struct km_mcp_pipe *pipe);
/* The head and first event now; for GET and listen. */
void km_mcp_stream_open(struct km_mcp_stream *s);
/* An event that was kept, sent again. */
void km_mcp_stream_replay(struct km_mcp_stream *s, uint32_t number, struct km_str message);
/* A comment, when it is open. */
void km_mcp_stream_ping(struct km_mcp_stream *s);
/* The stream of a session with that number; NULL: over or unknown. */
struct km_mcp_stream *km_mcp_stream_find(struct km_mcp_session *s, uint32_t number);

#endif
