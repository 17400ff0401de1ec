/* SPDX-License-Identifier: Apache-2.0 */
/* sse.c - HTTP with SSE, the transport of 2024-11-05 (link.h).
 *
 *     GET url      one stream for all: first `event: endpoint` with where to post, then messages
 *     POST there   202, and the answer comes on the stream
 *
 * The endpoint must be of the url's own origin: a server that could name another would have our
 * credentials sent there.  When the stream ends the session is over.
 *
 * A 401 or 403 that another token may help is asked once more with that, the stream and each post
 * alike: what was refused so was not executed.
 */
#include <stdlib.h>

#include "base/time.h"
#include "http/sse.h"
#include "mcp/asker.h"
#include "mcp/link/link.h"
#include "mcp/oauth/oauth.h"

#define HEAD_BYTES ((size_t)64 * 1024)
#define ENDPOINT_BYTES 8192

struct link_sse {
    struct km_link base;
    struct km_loop *loop;
    struct km_mailbox *mailbox;
    struct km_http_client *client;
    struct km_mcp_upstream *upstream;
    struct km_auth *auth; /* of the stream; referenced */
    struct km_auth *newest; /* of messages that are nobody's in particular; referenced */
    struct km_buf own_head;
    struct km_buf head; /* of the stream */
    struct km_buf endpoint; /* path and query; empty: not known */
    struct km_http_request request;
    struct km_http_call *call; /* the stream */
    struct km_auth_wait wait;
    bool waits;
    bool again, was_again; /* the stream is asked for once more; it was */
    struct km_sse *sse;
    int status;
    bool is_up;
    struct km_link_end end;
    struct km_list posts;
};

/* One message on its way. */
struct post {
    struct km_list link;
    struct link_sse *of;
    struct km_auth *auth; /* referenced; NULL: none */
    uint64_t id;
    bool introduces; /* notifications/initialized */
    struct km_buf head, text;
    struct km_str part;
    struct km_http_request request;
    struct km_http_call *call;
    struct km_auth_wait wait;
    bool waits;
    bool again, was_again; /* as of the stream */
    bool unproved; /* there is no proof of who asks: err says why */
    int status;
    struct km_timer retry;
    struct km_err err;
};

static struct link_sse *of(struct km_link *l)
{
    return (struct link_sse *)(void *)l;
}

/* The server wants another proof, and there may be one. */
static bool asks_again(struct km_auth *auth, const struct km_auth_wait *wait,
                       const struct km_response *response)
{
    return auth && (response->status == 401 || response->status == 403) &&
           auth->ops->refused(auth, wait, response->status, &response->headers, KM_STR_NONE);
}

/* --- the stream --- */

/* "/messages?sessionId=abc", or the same with our own scheme and host in front. */
static bool take_endpoint(struct link_sse *s, struct km_str data)
{
    const struct km_origin *o = s->upstream->origin;
    struct km_str path = data;
    struct km_url url;

    if (km_str_istarts(data, KM_STR("http"))) {
        if (km_url_parse(data, &url, NULL) < 0 || url.https != (o->tls != NULL) ||
            url.port != o->port || !km_str_ieq(url.host, o->host) || url.userinfo.n)
            return false;
        path = url.path;
    }
    if (path.n && path.p[0] != '/') { /* relative to the url's folder */
        struct km_str base = s->upstream->target;

        base.n = km_str_chr(base, '?') < base.n ? km_str_chr(base, '?') : base.n;
        km_buf_str(&s->endpoint, km_str_sub(base, 0, km_str_rchr(base, '/') + 1));
    }
    if (km_str_starts(path, KM_STR("//")))
        return false;
    for (size_t i = 0; i < path.n; i++)
        if ((unsigned char)path.p[i] <= 0x20 || (unsigned char)path.p[i] >= 0x7f)
            return false;
    km_buf_str(&s->endpoint, path);
    return s->endpoint.n > 0 && !km_buf_failed(&s->endpoint);
}

static int on_event(void *ctx, const struct km_sse_event *event)
{
    struct link_sse *s = ctx;
    struct km_err err;

    if (!event->has_data || s->end.is_down)
        return 0;
    if (km_str_eq(event->type, KM_STR("endpoint"))) {
        if (s->is_up)
            return 0;
        if (take_endpoint(s, event->data)) {
            s->is_up = true;
            s->base.events->on_up(s->base.ctx);
            return 0;
        }
        km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "'%.*s' wants messages posted to another server",
                KM_STR_ARG(s->upstream->name));
        km_link_end(&s->end, &err);
        return 0;
    }
    if (event->data.n && (!event->type.n || km_str_eq(event->type, KM_STR("message"))))
        s->base.events->on_message(s->base.ctx, 0, event->data);
    return 0;
}

static void on_head(void *ctx, const struct km_response *response)
{
    struct link_sse *s = ctx;

    s->status = response->status;
    s->again = !s->was_again && asks_again(s->auth, &s->wait, response);
    if (response->status == 200)
        s->sse = km_sse_new(KM_MCP_MESSAGE_BYTES, on_event, s);
}

static void on_body(void *ctx, const char *bytes, size_t n)
{
    struct link_sse *s = ctx;
    struct km_err err = { 0 };

    if (!s->sse || s->end.is_down || km_sse_feed(s->sse, bytes, n, &err) == 0)
        return;
    km_fail(&err, KM_E_LIMIT, "a message of '%.*s' is over %zu bytes",
            KM_STR_ARG(s->upstream->name), KM_MCP_MESSAGE_BYTES);
    km_link_end(&s->end, &err);
}

static void begin(struct link_sse *s);

static void on_done(void *ctx, const struct km_http_result *result)
{
    struct link_sse *s = ctx;
    struct km_err err;

    s->call = NULL;
    s->base.unproved = s->status == 401 || s->status == 403;
    if (s->again && !s->end.is_down) {
        s->again = false;
        s->was_again = true;
        begin(s);
        return;
    }
    if (result->err && !result->head_seen)
        km_fail(&err, result->err->code, "%s", result->err->text);
    else if (s->status != 200)
        km_fail(&err, s->status == 401 ? KM_E_UNAUTHENTICATED : KM_E_UPSTREAM_STATUS,
                "'%.*s' answered GET with HTTP %d: it is no server of HTTP with SSE",
                KM_STR_ARG(s->upstream->name), s->status);
    else
        km_fail(&err, KM_E_UPSTREAM_CONNECT, "'%.*s' ended the session",
                KM_STR_ARG(s->upstream->name));
    err.http = s->status == 200 ? 0 : s->status;
    km_link_end(&s->end, &err);
}

static int put_auth(struct link_sse *s, struct km_auth *auth, struct km_http_request *q,
                    struct km_auth_wait *wait, struct km_buf *head, struct km_err *err)
{
    struct km_auth_args args = { .loop = s->loop,
                                 .client = s->client,
                                 .mailbox = s->mailbox,
                                 .method = q->method,
                                 .host = s->upstream->origin->host_header,
                                 .target = q->target,
                                 .body = q->body,
                                 .nbody = q->nbody,
                                 .now_us = km_wall_us() };

    return auth ? auth->ops->head(auth, &args, wait, head, err) : 0;
}

static void begin(struct link_sse *s)
{
    static const struct km_http_events events = { .on_head = on_head,
                                                  .on_body = on_body,
                                                  .on_done = on_done };
    struct km_err err = { 0 };
    int r;

    s->request = (struct km_http_request){ .origin = s->upstream->origin,
                                           .method = KM_STR("GET"),
                                           .target = s->upstream->target };
    km_buf_reset(&s->head);
    km_buf_str(&s->head, KM_STR("Accept: text/event-stream\r\n"));
    km_asker_lines(s->upstream, km_buf_view(&s->own_head), &s->head);
    r = put_auth(s, s->auth, &s->request, &s->wait, &s->head, &err);
    s->waits = r == KM_E_AGAIN;
    s->base.unproved = r < 0 && !s->waits;
    if (s->waits)
        return;
    s->request.head = km_buf_view(&s->head);
    if (r == 0)
        s->call = km_http_send(s->client, &s->request, &events, s);
    if (r == 0 && !s->call)
        km_fail(&err, KM_E_NOMEM, "out of memory");
    if (!s->call)
        km_link_end(&s->end, &err);
}

static void on_auth_ready(void *ctx, const struct km_err *err)
{
    struct link_sse *s = ctx;

    s->waits = false;
    s->base.unproved = err != NULL;
    if (err)
        km_link_end(&s->end, err);
    else
        begin(s);
}

/* --- messages to it --- */

static void post_free(struct post *p)
{
    if (p->call)
        km_http_cancel(p->call);
    if (p->waits)
        p->auth->ops->cancel(p->auth, &p->wait);
    km_mcp_auth_unref(p->auth);
    km_timer_stop(&p->retry);
    km_list_remove(&p->link);
    km_buf_done(&p->head);
    km_buf_done(&p->text);
    free(p);
}

/* The server has taken or refused it. */
static void post_over(struct post *p)
{
    const struct km_link *l = &p->of->base;
    const bool introduces = p->introduces;

    post_free(p);
    if (introduces)
        l->events->on_introduced(l->ctx);
}

static void post_failed(struct post *p, const struct km_err *err, bool maybe_executed)
{
    struct link_sse *s = p->of;
    struct km_link_failure f = { .err = err,
                                 .maybe_executed = maybe_executed,
                                 .status = p->status,
                                 .session_gone = p->status == 404,
                                 .credentials =
                                     p->unproved || p->status == 401 || p->status == 403 };
    uint64_t id = p->id;

    post_over(p);
    if (id)
        s->base.events->on_failed(s->base.ctx, id, &f);
}

static void on_post_head(void *ctx, const struct km_response *response)
{
    struct post *p = ctx;

    p->status = response->status;
    p->again = !p->was_again && asks_again(p->auth, &p->wait, response);
}

static void on_post_body(void *ctx, const char *bytes, size_t n)
{
    (void)ctx;
    (void)bytes;
    (void)n;
}

static void post_begin(struct post *p);

static void on_post_done(void *ctx, const struct km_http_result *result)
{
    struct post *p = ctx;
    struct km_err err;

    p->call = NULL;
    if (p->again) {
        p->again = false;
        p->was_again = true;
        post_begin(p);
    } else if (result->err) {
        const struct km_err why = *result->err;

        post_failed(p, &why, result->bytes_sent);
    } else if (p->status >= 300) {
        km_fail(&err, p->status == 401 ? KM_E_UNAUTHENTICATED : KM_E_UPSTREAM_STATUS,
                "'%.*s' answered with HTTP %d", KM_STR_ARG(p->of->upstream->name), p->status);
        err.http = p->status;
        post_failed(p, &err, p->status >= 500);
    } else {
        post_over(p);
    }
}

static void on_post_auth(void *ctx, const struct km_err *err)
{
    struct post *p = ctx;

    p->waits = false;
    p->unproved = err != NULL;
    if (err) {
        const struct km_err why = *err;

        post_failed(p, &why, false);
    } else {
        post_begin(p);
    }
}

static void on_post_failed(void *ctx)
{
    struct post *p = ctx;
    const struct km_err why = p->err;

    post_failed(p, &why, false);
}

static void post_begin(struct post *p)
{
    static const struct km_http_events events = { .on_head = on_post_head,
                                                  .on_body = on_post_body,
                                                  .on_done = on_post_done };
    struct link_sse *s = p->of;
    int r;

    p->part = km_buf_view(&p->text);
    p->request = (struct km_http_request){ .origin = s->upstream->origin,
                                           .method = KM_STR("POST"),
                                           .target = km_buf_view(&s->endpoint),
                                           .body = &p->part,
                                           .nbody = 1,
                                           .has_body = true };
    km_buf_reset(&p->head);
    km_buf_str(&p->head, KM_STR("Content-Type: application/json\r\n"));
    km_asker_lines(s->upstream, km_buf_view(&s->own_head), &p->head);
    r = put_auth(s, p->auth, &p->request, &p->wait, &p->head, &p->err);
    p->waits = r == KM_E_AGAIN;
    p->unproved = r < 0 && !p->waits;
    if (p->waits)
        return;
    p->request.head = km_buf_view(&p->head);
    if (r == 0 && km_buf_failed(&p->text))
        r = km_fail(&p->err, KM_E_LIMIT, "the message is over %zu bytes", KM_MCP_MESSAGE_BYTES);
    p->call = r == 0 ? km_http_send(s->client, &p->request, &events, p) : NULL;
    if (r == 0 && !p->call)
        km_fail(&p->err, KM_E_NOMEM, "out of memory");
    if (!p->call)
        km_timer_start(&p->retry, 0); /* told from the loop */
}

static void sse_send(struct km_link *l, const struct km_link_request *q)
{
    struct link_sse *s = of(l);
    struct post *p = s->end.is_down ? NULL : calloc(1, sizeof *p);

    if (!p)
        return; /* its end is about to be told, or its time-out will be */
    if (q->auth && s->newest && q->auth != s->newest) {
        km_mcp_auth_unref(s->newest);
        s->newest = km_mcp_auth_ref(q->auth);
    }
    p->of = s;
    p->auth = km_mcp_auth_ref(s->newest);
    p->id = q->id;
    p->introduces = km_str_eq(q->method, KM_STR("notifications/initialized"));
    km_buf_init(&p->head, HEAD_BYTES);
    km_buf_init(&p->text, KM_MCP_MESSAGE_BYTES);
    km_buf_move(&p->text, q->text);
    km_timer_init(&p->retry, s->loop, on_post_failed, p);
    p->wait.ready = on_post_auth;
    p->wait.ctx = p;
    km_list_push(&s->posts, &p->link);
    post_begin(p);
}

/* --- the link --- */

static void sse_open(struct km_link *l)
{
    begin(of(l));
}

static bool sse_speaking(const struct km_link *l)
{
    const struct link_sse *s = (const struct link_sse *)(const void *)l;

    for (const struct km_list *it = s->posts.next; it != &s->posts; it = it->next)
        if (!KM_CONTAINER(it, struct post, link)->id)
            return true;
    return false;
}

static struct km_link *sse_free(struct km_link *l)
{
    struct link_sse *s = of(l);
    struct km_list *node;

    while ((node = km_list_pop(&s->posts)) != NULL)
        post_free(KM_CONTAINER(node, struct post, link));
    if (s->call)
        km_http_cancel(s->call);
    if (s->waits)
        s->auth->ops->cancel(s->auth, &s->wait);
    km_mcp_auth_unref(s->auth);
    km_mcp_auth_unref(s->newest);
    km_link_end_cancel(&s->end);
    km_sse_free(s->sse);
    km_buf_done(&s->own_head);
    km_buf_done(&s->head);
    km_buf_done(&s->endpoint);
    km_mcp_upstream_unref(s->upstream);
    free(s);
    return NULL;
}

struct km_link *km_link_sse_new(const struct km_link_args *args, struct km_err *err)
{
    static const struct km_link_ops ops = {
        .open = sse_open, .send = sse_send, .speaking = sse_speaking, .free = sse_free
    };
    struct link_sse *s = calloc(1, sizeof *s);

    if (!s) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    s->base = (struct km_link){ .ops = &ops, .events = args->events, .ctx = args->ctx };
    s->loop = args->loop;
    s->mailbox = args->mailbox;
    s->client = args->client;
    s->upstream = km_mcp_upstream_ref(args->upstream);
    s->wait.ready = on_auth_ready;
    s->wait.ctx = s;
    km_list_init(&s->posts);
    km_buf_init(&s->own_head, HEAD_BYTES);
    km_buf_init(&s->head, HEAD_BYTES);
    km_buf_init(&s->endpoint, ENDPOINT_BYTES);
    km_link_end_init(&s->end, &s->base, s->loop);
    if (km_asker_head(args->upstream, args->asker, &s->own_head, err) < 0)
        return sse_free(&s->base);
    if (!km_asker_proven(args->upstream, km_buf_view(&s->own_head))) {
        s->auth = km_mcp_auth_ref(args->auth);
        s->newest = km_mcp_auth_ref(args->auth);
    }
    return &s->base;
}
