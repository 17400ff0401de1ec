/* SPDX-License-Identifier: Apache-2.0 */
/* mock_answer.c - what the mock upstream says: see mock.h and script.h.
 *
 * An answer is sent at once when it can be.  One that takes time moves in turns: a turn
 * is due when its timer fires or, for a stream paced by acknowledgement, when the
 * datagram with its tag arrives, whichever is first.  The timer of such a stream is only
 * there so that a server that holds an event back slows its stream down and does not
 * stop it; after ten events that nobody acknowledged the stream ends, for some servers
 * keep it when their client has long left.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "mock.h"

enum { EVENTS_A_TURN = 32, ACK_PATIENCE_MS = 1000, ACK_SILENCE_MAX = 10 };

static void answer_done(struct conn *c)
{
    if (c->script.tag)
        mock.by_tag[c->script.tag] = NULL;
    if (c->head_sent)
        mock.open_streams--;
    c->busy = c->head_sent = false;
    mock.finished++;
    wheel_disarm(&mock.wheel, &c->timer);
}

static size_t stream_start(struct conn *c, char *text)
{
    c->head_sent = true;
    mock.streams++;
    mock.open_streams++;
    if (c->script.tag)
        mock.by_tag[c->script.tag] = c;
    return c->speak == SPEAK_OPENAI ? script_stream_head(text) : speak_stream_head(c->speak, text);
}

static bool stream_is_over(const struct conn *c)
{
    if (c->script.ack && c->silent > ACK_SILENCE_MAX)
        return true;
    return c->script.events >= 0 && c->events_sent >= c->script.events;
}

/* One event, or the end. */
static size_t stream_event(struct conn *c, char *text)
{
    if (stream_is_over(c)) {
        answer_done(c);
        return c->speak == SPEAK_OPENAI ? script_stream_end(text, c->id, &c->script)
                                        : speak_stream_end(c->speak, text, c->events_sent);
    }
    c->events_sent++;
    c->silent++;
    mock.events++;
    return c->speak == SPEAK_OPENAI ? script_event(&mock.texts, text, c->id, c->events_sent)
                                    : speak_event(c->speak, text, c->events_sent);
}

/* Sends what is due now, in one write, and arms the timer for what comes later. */
static int stream_turn(struct conn *c)
{
    int turn = c->script.ack || c->script.interval_ms ? 1 : EVENTS_A_TURN;
    uint32_t pause = c->script.ack ? ACK_PATIENCE_MS : c->script.interval_ms;
    char text[(1 + EVENTS_A_TURN) * 2 * SCRIPT_TEXT_MAX];
    size_t n = c->head_sent ? 0 : stream_start(c, text);

    while (turn-- > 0 && c->busy && !c->out_len)
        n += stream_event(c, text + n);
    if (n && conn_send(c, text, n) < 0)
        return -1;
    if (c->busy)
        wheel_arm(&mock.wheel, &c->timer, mock.wheel.now_ms + pause);
    return 0;
}

int mock_answer(struct conn *c)
{
    char text[2 * SCRIPT_TEXT_MAX];
    size_t n;

    if (c->script.stream && !c->script.status)
        return stream_turn(c);
    n = c->script.status           ? script_error(text, c->script.status)
        : c->speak == SPEAK_OPENAI ? script_json(&mock.texts, text, c->id)
                                   : speak_json(c->speak, text);
    answer_done(c);
    return conn_send(c, text, n);
}

static int send_json(struct conn *c, const char *json, size_t len)
{
    char head[160];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     len);

    return conn_send(c, head, (size_t)n) < 0 ? -1 : conn_send(c, json, len);
}

static int send_stats(struct conn *c)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    size_t first = mock.departed > MOCK_DEPARTURES ? mock.departed - MOCK_DEPARTURES : 0;
    int rc;

    if (!out)
        return -1;
    fprintf(out,
            "{\"requests\":%" PRIu64 ",\"bad_requests\":%" PRIu64 ",\"streams\":%" PRIu64
            ",\"finished\":%" PRIu64 ",\"aborted\":%" PRIu64 ",\"events\":%" PRIu64
            ",\"accepted\":%" PRIu64 ",\"connections\":%" PRIu64 ",\"open_streams\":%" PRIu64
            ",\"prompt_tokens_each\":%d,\"completion_tokens_each\":%d,\"departures\":[",
            mock.requests, mock.bad_requests, mock.streams, mock.finished, mock.aborted,
            mock.events, mock.accepted, mock.connections, mock.open_streams, SCRIPT_PROMPT_TOKENS,
            SCRIPT_COMPLETION_TOKENS);
    for (size_t i = first; i < mock.departed; i++) {
        const struct departure *d = &mock.departures[i % MOCK_DEPARTURES];

        fprintf(out, "%s[%u,%" PRIu64 "]", i > first ? "," : "", d->tag, d->at_ns);
    }
    fputs("]}", out);
    fclose(out);
    rc = send_json(c, text, len);
    free(text);
    return rc;
}

static int send_reset(struct conn *c)
{
    mock.requests = mock.streams = mock.finished = mock.aborted = mock.events = 0;
    mock.bad_requests = mock.accepted = 0;
    mock.departed = 0;
    return send_json(c, "{}", 2);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strcspn(text, "?");
    size_t m = strlen(end);

    return n >= m && memcmp(text + n - m, end, m) == 0;
}

int mock_on_request(struct conn *c)
{
    static const char models[] =
        "{\"object\":\"list\",\"data\":[{\"id\":\"gpt-4o\",\"object\":\"model\","
        "\"created\":1700000000,\"owned_by\":\"mock\"}]}";
    const char *target = c->wire.target;
    bool stream = false;
    int speak = speak_of(target, &stream);

    if (!strcmp(target, "/__stats"))
        return send_stats(c);
    if (!strcmp(target, "/__reset"))
        return send_reset(c);
    if (ends_with(target, "/models"))
        return send_json(c, models, sizeof models - 1);
    if (speak < 0 || strcmp(c->wire.method, "POST") != 0) {
        mock.bad_requests++;
        return -1;
    }
    mock.requests++;
    c->id = ++mock.next_id;
    c->events_sent = 0;
    c->silent = 0;
    c->busy = true;
    c->speak = (enum speak)speak;
    script_read(&c->script, c->body, c->body_len);
    c->script.stream = c->script.stream || stream;
    if (!c->script.delay_ms)
        return mock_answer(c);
    wheel_arm(&mock.wheel, &c->timer, clock_ms() + c->script.delay_ms);
    return 0;
}

int mock_on_ack(struct conn *c)
{
    c->silent = 0;
    return mock_answer(c);
}
