/* SPDX-License-Identifier: Apache-2.0 */
/* http_answer.c - Streamable HTTP: what comes back (http.c).
 *
 *     202                      nothing to say
 *     200 application/json     one message: the answer
 *     200 text/event-stream    messages, one an event, until the answer has come
 *     anything else            a refusal: its beginning is kept for the remote to judge
 *
 * A stream that ends before the answer is taken up again, where its events have ids: GET with
 * Last-Event-ID, after the pause the server asked for.  That asks for no execution, so it is safe;
 * a stream without ids is lost, and nobody knows whether the call was executed.
 *
 * The standing stream carries what belongs to no request.  A server that has none says 405 (or
 * something like it) once and is never asked again.
 */
#include "base/backoff.h"
#include "mcp/link/http_part.h"

#define RETRY_MS 1000 /* before a stream is taken up again, where the server says nothing */
#define RETRY_MOST_MS 30000
#define SILENT_MOST 4 /* resumptions without an event between them */
#define AUTH_TRIES 2

/* Tells the remote.  false: the exchange is gone. */
static bool tell(struct km_link_post *p, struct km_str text)
{
    struct km_link_http *h = p->of;

    if (p->dropped)
        return true;
    p->in_event = true;
    h->base.events->on_message(h->base.ctx, p->id, text);
    p->in_event = false;
    return true;
}

static int on_event(void *ctx, const struct km_sse_event *event)
{
    struct km_link_post *p = ctx;

    if (event->retry_ms >= 0)
        p->retry_ms = event->retry_ms < RETRY_MOST_MS ? event->retry_ms : RETRY_MOST_MS;
    if (event->id.n) {
        km_buf_reset(&p->last_event);
        km_buf_str(&p->last_event, event->id);
        if (km_buf_failed(&p->last_event))
            km_buf_reset(&p->last_event); /* longer than we keep: it cannot be resumed */
        p->silent = 0;
    }
    if (event->has_data && event->data.n &&
        (!event->type.n || km_str_eq(event->type, KM_STR("message"))))
        tell(p, event->data);
    return p->dropped ? KM_E_CANCELED : 0;
}

static void take_session(struct km_link_post *p, const struct km_response *response)
{
    struct km_link_http *h = p->of;
    struct km_str id = km_header_get(&response->headers, KM_STR("Mcp-Session-Id"));

    km_buf_reset(&h->session);
    for (size_t i = 0; i < id.n; i++)
        if ((unsigned char)id.p[i] < 0x21 || (unsigned char)id.p[i] > 0x7e)
            return;
    km_buf_str(&h->session, id);
    if (km_buf_failed(&h->session))
        km_buf_reset(&h->session);
}

static bool is_type(const struct km_response *response, struct km_str type)
{
    struct km_str value = km_header_get(&response->headers, KM_STR("Content-Type"));

    return km_str_istarts(value, type) &&
           (value.n == type.n || value.p[type.n] == ';' || value.p[type.n] == ' ');
}

static void on_head(void *ctx, const struct km_response *response)
{
    struct km_link_post *p = ctx;

    p->sent = true;
    p->status = response->status;
    p->body = KM_LINK_REFUSAL;
    if (response->status == 202 || response->status == 204)
        p->body = KM_LINK_NOTHING;
    else if (response->status == 200 && is_type(response, KM_STR("text/event-stream")))
        p->body = KM_LINK_EVENTS;
    else if (response->status == 200 && !p->get && is_type(response, KM_STR("application/json")))
        p->body = KM_LINK_JSON;
    else if (response->status == 200 && !p->id)
        p->body = KM_LINK_NOTHING; /* of a notification: whatever it says */
    if (p->opens && response->status == 200)
        take_session(p, response);
    if (p->body == KM_LINK_EVENTS) {
        p->sse = km_sse_new(KM_MCP_MESSAGE_BYTES, on_event, p);
        p->streamed = true;
    }
    km_buf_reset(&p->challenge);
    km_buf_str(&p->challenge, km_header_get(&response->headers, KM_STR("WWW-Authenticate")));
    if (response->status >= 400 && p->auth && p->tries < AUTH_TRIES &&
        (response->status == 401 || response->status == 403) &&
        p->auth->ops->refused(p->auth, &p->wait, response->status, &response->headers, KM_STR_NONE))
        p->tries += AUTH_TRIES; /* asked again when the rest has come */
    if (p->introduces && response->status < 300)
        p->of->base.events->on_introduced(p->of->base.ctx);
}

static void too_large(struct km_link_post *p)
{
    struct km_err err;

    km_fail(&err, KM_E_LIMIT, "a message of '%.*s' is over %zu bytes",
            KM_STR_ARG(p->of->upstream->name), KM_MCP_MESSAGE_BYTES);
    km_link_post_fail(p, &err, true);
}

static void on_body(void *ctx, const char *bytes, size_t n)
{
    struct km_link_post *p = ctx;
    KM_ERR_NONE(err);
    int r;

    switch (p->body) {
    case KM_LINK_NOTHING:
        break;
    case KM_LINK_REFUSAL:
        km_buf_bytes(&p->answer, bytes,
                     n < KM_LINK_ERROR_BYTES - p->answer.n ? n : KM_LINK_ERROR_BYTES - p->answer.n);
        break;
    case KM_LINK_JSON:
        km_buf_bytes(&p->answer, bytes, n);
        if (km_buf_failed(&p->answer))
            too_large(p);
        break;
    case KM_LINK_EVENTS:
        r = p->sse ? km_sse_feed(p->sse, bytes, n, &err) : KM_E_NOMEM;
        if (p->dropped)
            km_link_post_free(p);
        else if (r < 0)
            too_large(p);
        else if (p->settled && !km_timer_running(&p->timer))
            km_timer_start(&p->timer, 1000); /* then it is closed from here */
        break;
    }
}

/* The stream ended without the answer, or without being asked to. */
static void resume(struct km_link_post *p, const struct km_err *why)
{
    uint64_t pause = p->retry_ms >= 0 ? (uint64_t)p->retry_ms : RETRY_MS;
    struct km_err err;

    if (!p->standing && (!p->last_event.n || p->silent >= SILENT_MOST)) {
        km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "'%.*s' ended the stream without an answer%s%s",
                KM_STR_ARG(p->of->upstream->name), why ? ": " : "", why ? why->text : "");
        km_link_post_fail(p, &err, true);
        return;
    }
    if (p->standing)
        pause = km_backoff(pause ? pause : 1, RETRY_MOST_MS, p->silent);
    p->silent++;
    p->get = true;
    km_timer_start(&p->timer, pause < RETRY_MOST_MS ? pause : RETRY_MOST_MS);
}

static void on_refusal(struct km_link_post *p)
{
    struct km_err err;

    if (p->tries >= AUTH_TRIES && p->tries < 2 * AUTH_TRIES) {
        p->tries = 2 * AUTH_TRIES;
        km_link_post_begin(p);
        return;
    }
    if (p->standing) { /* no stream here, or none any more: the next request will find out */
        km_link_post_free(p);
        return;
    }
    km_fail(&err, p->status == 401 ? KM_E_UNAUTHENTICATED : KM_E_UPSTREAM_STATUS,
            "'%.*s' answered with HTTP %d", KM_STR_ARG(p->of->upstream->name), p->status);
    err.http = p->status;
    km_link_post_fail(p, &err, p->status >= 500);
}

static void on_whole(struct km_link_post *p)
{
    struct km_err err;

    if (p->id)
        tell(p, km_buf_view(&p->answer));
    if (p->id && !p->settled && !p->dropped) {
        km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "'%.*s' answered another request than it was asked",
                KM_STR_ARG(p->of->upstream->name));
        km_link_post_fail(p, &err, true);
        return;
    }
    km_link_post_free(p);
}

static void on_done(void *ctx, const struct km_http_result *result)
{
    struct km_link_post *p = ctx;

    p->call = NULL;
    if (p->settled || p->dropped)
        km_link_post_free(p);
    else if (result->err && p->body != KM_LINK_EVENTS && !p->get)
        km_link_post_fail(p, result->err, result->bytes_sent);
    else if (result->err && p->get && !result->head_seen)
        resume(p, result->err);
    else if (p->body == KM_LINK_EVENTS)
        resume(p, result->err);
    else if (p->body == KM_LINK_REFUSAL)
        on_refusal(p);
    else if (p->body == KM_LINK_JSON)
        on_whole(p);
    else if (p->id)
        on_refusal(p); /* 202 for a request: there will be no answer */
    else
        km_link_post_free(p);
}

const struct km_http_events km_link_post_events = {
    .on_head = on_head, .on_body = on_body, .on_done = on_done
};
