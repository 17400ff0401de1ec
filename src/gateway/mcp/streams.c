/* SPDX-License-Identifier: Apache-2.0 */
/* streams.c - GET and DELETE of a session, and the one stream of legacy HTTP+SSE.
 *
 *     GET                   the session's own stream: list_changed, updated; one a session (409)
 *     GET + Last-Event-ID   what its stream said after that event, then the stream itself if its
 *                           answer is still to come
 *     DELETE                the session ends, with all that runs in it
 *     GET /sse              a session of 2024-11-05: `endpoint` says where to post, answers come
 *                           as events here, and the end of this stream ends it
 */
#include <stdio.h>

#include "gateway/mcp/turn.h"
#include "mcp/header_check.h"

static struct km_mcp_stream *stream_of(struct km_mcp_arrival *in, struct km_mcp_session *session,
                                       enum km_mcp_stream_kind kind)
{
    struct km_mcp_stream_args args = {
        .session = session, .pipe = in->pipe, .revision = session->revision, .kind = kind
    };

    in->pipe = NULL;
    return km_mcp_stream_new(in->hub, &args);
}

static struct km_mcp_session *find(struct km_mcp_arrival *in)
{
    struct km_mcp_session *s = km_mcp_in_session(in);

    if (!s)
        km_mcp_refuse(
            in, KM_MCP_HANDSHAKE, in->session_id.n ? 404 : 400, in->session_id.n ? -32001 : -32000,
            in->session_id.n ? "Session not found: it ended or never was. Begin a new one with "
                               "initialize."
                             : "Mcp-Session-Id is missing: initialize gives one.");
    return s;
}

/* --- resuming --- */

static void replay_one(void *ctx, uint32_t number, struct km_str data)
{
    km_mcp_stream_replay(ctx, number, data);
}

/* The answer is still to come: its stream gets the new connection, after what was missed. */
static void take_up(struct km_mcp_arrival *in, struct km_mcp_session *session,
                    struct km_mcp_stream *running, uint32_t number)
{
    struct km_mcp_pipe *pipe = in->pipe;

    in->pipe = NULL;
    km_mcp_stream_resume(running, pipe);
    running->streaming = false;
    km_mcp_stream_open(running);
    km_mcp_event_replay(&session->events, running->number, number, replay_one, running);
}

static void resume(struct km_mcp_arrival *in, struct km_mcp_session *session, struct km_str id)
{
    struct km_mcp_stream *s;
    uint32_t stream, number;

    if (!km_mcp_event_id_parse(id, &stream, &number) || stream > session->streams_made) {
        km_mcp_refuse(in, KM_MCP_HANDSHAKE, 400, -32000,
                      "Last-Event-ID is not one of this session");
        return;
    }
    s = stream ? km_mcp_stream_find(session, stream) : session->get;
    if (s) {
        take_up(in, session, s, number);
        return;
    }
    s = stream_of(in, session, stream ? KM_MCP_STREAM_RESUME : KM_MCP_STREAM_GET);
    if (!s)
        return;
    s->number = stream;
    if (!stream)
        session->get = s;
    km_mcp_stream_open(s);
    km_mcp_event_replay(&session->events, stream, number, replay_one, s);
    if (stream)
        km_mcp_stream_end(s); /* nothing more will come on it */
}

void km_mcp_take_get(struct km_mcp_arrival *in)
{
    struct km_str last = km_header_get(&in->headers, KM_STR("last-event-id"));
    struct km_str version = km_header_get(&in->headers, KM_STR("mcp-protocol-version"));
    struct km_mcp_session *session;
    struct km_mcp_stream *s;

    if (!in->session_id.n ||
        km_str_cmp(version, km_mcp_revision_latest(KM_MCP_STATELESS)->name) >= 0) {
        km_mcp_refuse(
            in, KM_MCP_HANDSHAKE, 405, -32000,
            "Method not allowed: a stream is opened in a session, which initialize begins");
        return;
    }
    if (!km_http_accepts(&in->headers, KM_STR("text/event-stream"))) {
        km_mcp_refuse(in, KM_MCP_HANDSHAKE, 406, -32000, "Accept must list text/event-stream");
        return;
    }
    session = find(in);
    if (!session)
        return;
    if (last.n) {
        resume(in, session, last);
        return;
    }
    if (session->get) {
        km_mcp_refuse(in, KM_MCP_HANDSHAKE, 409, -32000,
                      "Conflict: this session has a stream; one is all it may have");
        return;
    }
    s = stream_of(in, session, KM_MCP_STREAM_GET);
    if (!s)
        return;
    session->get = s;
    km_mcp_stream_open(s);
}

void km_mcp_take_delete(struct km_mcp_arrival *in)
{
    struct km_mcp_session *session;
    struct km_mcp_pipe *pipe;

    if (!in->session_id.n) {
        km_mcp_refuse(in, KM_MCP_HANDSHAKE, 405, -32000,
                      "Method not allowed: DELETE ends a session, and none was named");
        return;
    }
    session = find(in);
    if (!session)
        return;
    km_mcp_hub_drop_session(in->hub, session);
    pipe = in->pipe;
    in->pipe = NULL;
    km_mcp_pipe_respond(pipe, 200, KM_STR_NONE, KM_STR_NONE);
}

/* --- HTTP+SSE of 2024-11-05 --- */

void km_mcp_take_legacy_get(struct km_mcp_arrival *in)
{
    struct km_mcp_session_args args = { .principal = in->principal,
                                        .revision = km_mcp_revision_find(KM_STR("2024-11-05")),
                                        .legacy = true,
                                        .now_ms = km_loop_now_ms(in->hub->w->loop) };
    struct km_mcp_session *session;
    struct km_mcp_stream *s;
    struct km_err err = { 0 };
    char text[160];
    int n;

    km_visit_key(in->visit, args.key);
    if (in->hub->ended || km_mcp_session_new(in->hub->sessions, &args, &session, &err) < 0) {
        km_mcp_refuse(in, KM_MCP_HANDSHAKE, 503, -32000, "no more sessions can be begun now");
        return;
    }
    s = stream_of(in, session, KM_MCP_STREAM_GET);
    if (!s) {
        km_mcp_hub_drop_session(in->hub, session);
        return;
    }
    session->get = s;
    km_mcp_stream_open(s);
    n = snprintf(text, sizeof text, "event: endpoint\ndata: /messages?sessionId=%s\n\n",
                 session->id);
    (void)km_mcp_pipe_write(s->pipe, &(struct km_str){ text, (size_t)n }, 1);
}
