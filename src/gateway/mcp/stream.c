/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - see stream.h for the contract.
 *
 * A message is one line of an event: white space between tokens may hold line ends, which would
 * cut the event, so they become spaces (inside strings JSON has none).
 *
 * A legacy session (HTTP+SSE) has one stream for everything: answers of its POSTs are said on its
 * GET, and the POST itself got 202 long ago.
 *
 * A client that reads slowly is not waited for: past the connection's high-water mark what is
 * only news (progress, log) is not sent to it; answers and questions always are.
 */
#include "gateway/mcp/stream.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/mcp/job.h"

#define BATCH_BYTES ((size_t)64 * 1024 * 1024) /* all answers of one batch */

static const struct km_mcp_pipe_events pipe_events;

static void on_late(void *ctx)
{
    km_mcp_stream_open(ctx);
}

struct km_mcp_stream *km_mcp_stream_new(struct km_mcp_hub *hub,
                                        const struct km_mcp_stream_args *args)
{
    struct km_mcp_stream *s = malloc(sizeof *s);

    if (!s) {
        if (args->pipe)
            km_mcp_pipe_respond(args->pipe, 503, KM_STR("Retry-After: 1\r\n"), KM_STR_NONE);
        return NULL;
    }
    *s = (struct km_mcp_stream){ .hub = hub,
                                 .session = args->session,
                                 .pipe = args->pipe,
                                 .revision = args->revision,
                                 .kind = args->kind,
                                 .pending = args->pending,
                                 .batch = args->batch,
                                 .no_events = args->no_events,
                                 .plain = args->plain,
                                 .http = 200,
                                 .held = KM_BUF(BATCH_BYTES) };
    km_list_init(&s->open);
    km_list_init(&s->calls);
    if (s->session) {
        s->number = s->kind == KM_MCP_STREAM_GET ? 0 : ++s->session->streams_made;
        s->resumable = !s->session->legacy;
        km_list_push(&s->session->streams, &s->link);
    } else {
        km_list_push(&hub->loose, &s->link);
    }
    km_timer_init(&s->late, hub->w->loop, on_late, s);
    if (s->pipe)
        km_mcp_pipe_listen(s->pipe, &pipe_events, s);
    return s;
}

void km_mcp_stream_head(struct km_mcp_stream *s, struct km_str lines)
{
    char *p = malloc(lines.n ? lines.n : 1);

    if (!p)
        return;
    memcpy(p, lines.p, lines.n);
    free((char *)(uintptr_t)s->head.p);
    s->head = km_str(p, lines.n);
}

static void stream_free(struct km_mcp_stream *s)
{
    if (s->session && s->session->get == s)
        s->session->get = NULL;
    km_timer_stop(&s->late);
    km_list_remove(&s->link);
    km_list_remove(&s->open);
    km_buf_done(&s->held);
    free((char *)(uintptr_t)s->head.p);
    free(s);
}

/* --- events --- */

static bool one_line(struct km_str m)
{
    return !m.n || (!memchr(m.p, '\n', m.n) && !memchr(m.p, '\r', m.n));
}

/* number 0: an event without an id. */
static bool write_event(struct km_mcp_stream *s, uint32_t number, struct km_str message)
{
    char id[KM_MCP_EVENT_ID_LEN + 1];
    struct km_buf flat KM_CLEANUP(km_buf_done) = KM_BUF(2 * KM_RPC_BYTES);
    struct km_str parts[6];
    size_t n = 0;

    if (!one_line(message)) {
        km_buf_str(&flat, message);
        for (size_t i = 0; i < flat.n; i++)
            if (flat.p[i] == '\n' || flat.p[i] == '\r')
                flat.p[i] = ' ';
        if (km_buf_failed(&flat))
            return true;
        message = km_buf_view(&flat);
    }
    if (number) {
        km_mcp_event_id(s->number, number, id);
        parts[n++] = KM_STR("id: ");
        parts[n++] = km_str_c(id);
        parts[n++] = KM_STR("\n");
    }
    parts[n++] = KM_STR("event: message\ndata: ");
    parts[n++] = message;
    parts[n++] = KM_STR("\n\n");
    return km_mcp_pipe_write(s->pipe, parts, n);
}

/* The client learns an id before anything can get lost; clients before 2025-11-25 take the empty
 * event for a broken one. */
static void prime(struct km_mcp_stream *s)
{
    char id[KM_MCP_EVENT_ID_LEN + 1], text[96];
    int n;

    if (!s->resumable || !s->revision->errors_in_result)
        return;
    km_mcp_event_id(s->number, km_mcp_event_skip(&s->session->events), id);
    n = snprintf(text, sizeof text, "id: %s\nretry: %d\ndata: \n\n", id, KM_MCP_RETRY_MS);
    (void)km_mcp_pipe_write(s->pipe, &(struct km_str){ text, (size_t)n }, 1);
}

void km_mcp_stream_open(struct km_mcp_stream *s)
{
    struct km_buf *head = &s->hub->w->scratch;
    struct km_str rest;

    if (s->streaming || s->no_events || !s->pipe)
        return;
    km_timer_stop(&s->late);
    s->streaming = true;
    km_list_remove(&s->open); /* one that goes on elsewhere is there already */
    km_list_push(&s->hub->open, &s->open);
    km_buf_reset(head);
    km_buf_str(head, KM_STR("Content-Type: text/event-stream\r\nCache-Control: no-cache, "
                            "no-transform\r\nX-Accel-Buffering: no\r\n"));
    km_buf_str(head, s->head);
    km_mcp_pipe_start(s->pipe, 200, km_buf_view(head));
    prime(s);
    rest = km_buf_view(&s->held); /* a batch's answers so far: "a,b,c" is kept as lines */
    while (rest.n) {
        struct km_str line;

        if (km_str_split(&rest, '\n', &line) && line.n)
            (void)write_event(
                s, s->resumable ? km_mcp_event_put(&s->session->events, s->number, line) : 0, line);
    }
    km_buf_done(&s->held);
}

/* One message on the open stream, or into the store for a client that is to come back. */
static bool put_event(struct km_mcp_stream *s, struct km_str message)
{
    uint32_t number = 0;

    if (s->resumable)
        number = km_mcp_event_put(&s->session->events, s->number, message);
    if (!s->pipe)
        return s->resumable;
    (void)write_event(s, number, message);
    return true;
}

static bool say_legacy(struct km_mcp_stream *s, struct km_str message)
{
    struct km_mcp_stream *get = s->session->get;

    return get && get != s && get->pipe && (write_event(get, 0, message), true);
}

bool km_mcp_stream_say(struct km_mcp_stream *s, struct km_str message)
{
    if (s->session && s->session->legacy && s->kind == KM_MCP_STREAM_POST)
        return say_legacy(s, message);
    if (s->no_events)
        return false;
    km_mcp_stream_open(s);
    return put_event(s, message);
}

bool km_mcp_stream_slow(const struct km_mcp_stream *s)
{
    const struct km_mcp_stream *to = s;

    if (s->session && s->session->legacy && s->kind == KM_MCP_STREAM_POST)
        to = s->session->get;
    return to && to->pipe && km_mcp_pipe_slow(to->pipe);
}

bool km_mcp_stream_news(struct km_mcp_stream *s, struct km_str message)
{
    return km_mcp_stream_slow(s) || km_mcp_stream_say(s, message);
}

void km_mcp_stream_ping(struct km_mcp_stream *s)
{
    struct km_str comment = KM_STR(": \n\n");

    if (s->pipe && s->streaming && !km_mcp_stream_slow(s))
        (void)km_mcp_pipe_write(s->pipe, &comment, 1);
}

void km_mcp_stream_replay(struct km_mcp_stream *s, uint32_t number, struct km_str message)
{
    (void)write_event(s, number, message);
}

/* --- the end --- */

/* Lines become the items of an array (its first bracket is the caller's). */
static void respond_held(struct km_mcp_stream *s)
{
    struct km_buf *b = &s->held;

    for (size_t i = 0; i < b->n; i++)
        if (b->p[i] == '\n')
            b->p[i] = i + 1 == b->n ? ']' : ',';
}

static struct km_str json_head(struct km_mcp_stream *s)
{
    struct km_buf *head = &s->hub->w->scratch;

    km_buf_reset(head);
    km_buf_str(head, KM_STR("Content-Type: application/json\r\n"));
    km_buf_str(head, s->head);
    return km_buf_view(head);
}

static void finish_pipe(struct km_mcp_stream *s, struct km_str message)
{
    struct km_mcp_pipe *pipe = s->pipe;

    s->pipe = NULL;
    if (s->streaming)
        km_mcp_pipe_end(pipe);
    else if (message.n)
        km_mcp_pipe_respond(pipe, s->http, json_head(s), message);
    else
        km_mcp_pipe_respond(pipe, 202, s->head, KM_STR_NONE);
}

/* Everything was answered. */
static void over(struct km_mcp_stream *s, struct km_str message)
{
    if (s->batch && !s->streaming && km_buf_failed(&s->held)) {
        struct km_buf all KM_CLEANUP(km_buf_done) = KM_BUF(1024);

        km_rpc_error(&all, s->revision->era, KM_RPC_INTERNAL, KM_STR_NONE,
                     KM_STR("the answers of this batch are too large to be given together"),
                     KM_STR_NONE);
        if (s->pipe)
            finish_pipe(s, km_buf_view(&all));
    } else if (s->batch && !s->streaming && s->held.n) {
        struct km_buf all KM_CLEANUP(km_buf_done) = KM_BUF(BATCH_BYTES + 16);

        respond_held(s);
        km_buf_byte(&all, '[');
        km_buf_str(&all, km_buf_view(&s->held));
        s->http = 200;
        if (s->pipe)
            finish_pipe(s, km_buf_view(&all));
    } else if (s->pipe) {
        finish_pipe(s, message);
    }
    stream_free(s);
}

/* Into `held`, a line each. */
static void hold(struct km_mcp_stream *s, struct km_str message)
{
    size_t from = s->held.n;

    km_buf_str(&s->held, message);
    for (size_t i = from; i < s->held.n; i++)
        if (s->held.p[i] == '\n' || s->held.p[i] == '\r')
            s->held.p[i] = ' ';
    km_buf_byte(&s->held, '\n');
}

void km_mcp_stream_answer(struct km_mcp_stream *s, int http, struct km_str message)
{
    km_assert(s->pending > 0);
    s->pending--;
    if (message.n && s->session && s->session->legacy)
        (void)say_legacy(s, message);
    else if (message.n && (s->streaming || (!s->pipe && s->resumable)))
        (void)put_event(s, message);
    else if (message.n && s->batch)
        hold(s, message);
    else
        s->http = http;
    if (s->pending == 0)
        over(s, s->streaming ? KM_STR_NONE : message);
}

void km_mcp_stream_end(struct km_mcp_stream *s)
{
    s->cancelling = true;
    km_mcp_jobs_cancel(s, KM_STR("the session ended"));
    if (s->pipe) {
        struct km_mcp_pipe *pipe = s->pipe;

        s->pipe = NULL;
        if (s->streaming)
            km_mcp_pipe_end(pipe);
        else
            km_mcp_pipe_respond(pipe, 404, KM_STR_NONE, KM_STR_NONE);
    }
    stream_free(s);
}

static void on_gone(void *ctx)
{
    struct km_mcp_stream *s = ctx;
    struct km_mcp_pipe *pipe = s->pipe;
    bool stays =
        s->kind == KM_MCP_STREAM_POST && s->session && !s->session->legacy && s->pending > 0;

    s->pipe = NULL;
    km_list_remove(&s->open);
    km_timer_stop(&s->late);
    km_mcp_pipe_abort(pipe);
    if (stays)
        return; /* the handshake era: the call runs on */
    s->cancelling = true;
    if (s->kind == KM_MCP_STREAM_GET && s->session->legacy) {
        s->hub->drop_session(s->hub, s->session);
        return;
    }
    km_mcp_jobs_cancel(s, KM_STR("the client went away"));
    stream_free(s);
}

static const struct km_mcp_pipe_events pipe_events = { on_gone };

void km_mcp_stream_resume(struct km_mcp_stream *s, struct km_mcp_pipe *pipe)
{
    if (s->pipe) { /* its old connection is dead and nobody has noticed, or there are two clients */
        struct km_mcp_pipe *old = s->pipe;

        s->pipe = NULL;
        km_mcp_pipe_abort(old);
    }
    s->pipe = pipe;
    km_mcp_pipe_listen(pipe, &pipe_events, s);
    if (!s->streaming)
        return;
    km_list_remove(&s->open);
    km_list_push(&s->hub->open, &s->open);
}

struct km_mcp_stream *km_mcp_stream_find(struct km_mcp_session *s, uint32_t number)
{
    KM_LIST_EACH(it, &s->streams)
    {
        struct km_mcp_stream *stream = KM_CONTAINER(it, struct km_mcp_stream, link);

        if (stream->number == number && stream->kind == KM_MCP_STREAM_POST)
            return stream;
    }
    return NULL;
}
