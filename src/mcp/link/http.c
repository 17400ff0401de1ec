/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - Streamable HTTP, both eras: what is sent (link.h).
 *
 *     a message    POST, answered by JSON or by a stream of events  (http_answer.c)
 *     handshake    Mcp-Session-Id from the answer to initialize on every request; a standing
 *                  stream by GET once the handshake is over; DELETE at the end
 *     stateless    nothing is kept: each POST says all, and closing its stream cancels it
 *
 * An exchange (struct km_link_post) owns its bytes, since the client may have to send them again.
 * Its header lines are made anew for every try: a signature counts for one moment.
 */
#include <stdlib.h>

#include "base/crypto.h"
#include "base/time.h"
#include "mcp/asker.h"
#include "mcp/link/http_part.h"
#include "mcp/oauth/oauth.h"

#define HEAD_MOSTLY 512 /* bytes of a head: the most need no more */
#define FIXED_HEAD                                                                                 \
    "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
#define STREAM_HEAD "Accept: text/event-stream\r\n"
#define FAREWELL_MS 2000

static struct km_link_http *of(struct km_link *l)
{
    return (struct km_link_http *)(void *)l;
}

/* --- one exchange --- */

static void on_time(void *ctx)
{
    struct km_link_post *p = ctx;

    if (p->failed)
        km_link_post_fail(p, &p->err, false);
    else if (p->settled)
        km_link_post_free(p); /* answered long ago, and the stream does not end */
    else
        km_link_post_begin(p);
}

static void on_auth_ready(void *ctx, const struct km_err *err)
{
    struct km_link_post *p = ctx;

    p->waits = false;
    p->unproved = err != NULL;
    if (err)
        km_link_post_fail(p, err, false);
    else
        km_link_post_begin(p);
}

static struct km_link_post *post_new(struct km_link_http *h)
{
    struct km_arena arena;
    struct km_link_post *p;

    km_arena_init(&arena, KM_ARENA_BLOCK, km_loop_arenas(h->loop));
    p = km_arena_zalloc(&arena, sizeof *p);
    if (!p)
        return NULL;
    p->arena = arena;
    p->of = h;
    p->auth = km_mcp_auth_ref(h->auth);
    p->retry_ms = -1;
    km_buf_init(&p->head, KM_LINK_HEAD_BYTES);
    km_buf_init(&p->more_head, KM_LINK_HEAD_BYTES);
    km_buf_init(&p->text, KM_MCP_MESSAGE_BYTES);
    km_buf_init(&p->answer, KM_MCP_MESSAGE_BYTES);
    km_buf_init(&p->challenge, 4096);
    km_buf_init(&p->last_event, KM_LINK_ID_BYTES);
    km_timer_init(&p->timer, h->loop, on_time, p);
    p->wait.ready = on_auth_ready;
    p->wait.ctx = p;
    km_list_push(&h->posts, &p->link);
    return p;
}

void km_link_post_free(struct km_link_post *p)
{
    struct km_arena arena = p->arena;

    km_timer_stop(&p->timer);
    if (p->call)
        km_http_cancel(p->call);
    if (p->waits)
        p->auth->ops->cancel(p->auth, &p->wait);
    km_list_remove(&p->link);
    km_mcp_auth_unref(p->auth);
    km_sse_free(p->sse);
    if (p->head.p)
        km_wipe(p->head.p, p->head.n);
    km_buf_done(&p->head);
    km_buf_done(&p->more_head);
    km_buf_done(&p->text);
    km_buf_done(&p->answer);
    km_buf_done(&p->challenge);
    km_buf_done(&p->last_event);
    km_arena_done(&arena);
}

/* 404, as it is written; older servers say 400 and name the session. */
static bool lost_session(const struct km_link_post *p)
{
    struct km_str body = km_buf_view(&p->answer);

    return p->body == KM_LINK_REFUSAL &&
           (p->status == 404 ||
            (p->status == 400 && (km_str_find(body, KM_STR("ession ID")) < body.n ||
                                  km_str_find(body, KM_STR("ession id")) < body.n ||
                                  km_str_find(body, KM_STR("ession not found")) < body.n)));
}

void km_link_post_fail(struct km_link_post *p, const struct km_err *err, bool maybe_executed)
{
    struct km_link_http *h = p->of;
    struct km_link_failure failure = {
        .err = err,
        .maybe_executed = maybe_executed,
        .status = p->body == KM_LINK_REFUSAL ? p->status : 0,
        .body = p->body == KM_LINK_REFUSAL ? km_buf_view(&p->answer) : KM_STR_NONE,
        .challenge = km_buf_view(&p->challenge),
    };

    failure.credentials = p->unproved || failure.status == 401 || failure.status == 403;
    failure.session_gone = h->session.n && !p->opens && lost_session(p);
    if (p->id && !p->settled && !p->dropped) {
        p->in_event = true;
        h->base.events->on_failed(h->base.ctx, p->id, &failure);
    }
    if (p->introduces)
        h->base.events->on_introduced(h->base.ctx);
    km_link_post_free(p);
}

static void put_fixed(struct km_link_post *p)
{
    const struct km_link_http *h = p->of;

    (void)!km_buf_reserve(&p->head, HEAD_MOSTLY);
    km_buf_str(&p->head, p->get ? KM_STR(STREAM_HEAD) : KM_STR(FIXED_HEAD));
    if (h->revision) {
        km_buf_str(&p->head, KM_STR("MCP-Protocol-Version: "));
        km_buf_str(&p->head, h->revision->name);
        km_buf_str(&p->head, KM_STR("\r\n"));
    }
    if (h->session.n) {
        km_buf_str(&p->head, KM_STR("Mcp-Session-Id: "));
        km_buf_str(&p->head, km_buf_view(&h->session));
        km_buf_str(&p->head, KM_STR("\r\n"));
    }
    if (p->get && p->last_event.n) {
        km_buf_str(&p->head, KM_STR("Last-Event-ID: "));
        km_buf_str(&p->head, km_buf_view(&p->last_event));
        km_buf_str(&p->head, KM_STR("\r\n"));
    }
    km_asker_lines(h->upstream, km_buf_view(&h->own_head), &p->head);
    km_buf_str(&p->head, km_buf_view(&p->more_head));
}

static int put_auth(struct km_link_post *p, struct km_err *err)
{
    struct km_link_http *h = p->of;
    struct km_auth_args args = { .loop = h->loop,
                                 .client = h->client,
                                 .mailbox = h->mailbox,
                                 .method = p->request.method,
                                 .host = h->upstream->origin->host_header,
                                 .target = h->upstream->target,
                                 .body = &p->part,
                                 .nbody = p->get ? 0 : 1,
                                 .now_us = km_wall_us() };

    return p->auth->ops->head(p->auth, &args, &p->wait, &p->head, err);
}

void km_link_post_begin(struct km_link_post *p)
{
    struct km_link_http *h = p->of;
    int r;

    km_timer_stop(&p->timer);
    km_buf_reset(&p->head);
    km_buf_reset(&p->answer);
    p->body = KM_LINK_NOTHING;
    p->status = 0;
    p->sse = km_sse_free(p->sse);
    p->part = km_buf_view(&p->text);
    p->request = (struct km_http_request){
        .origin = h->upstream->origin,
        .method = p->get ? KM_STR("GET") : KM_STR("POST"),
        .target = h->upstream->target,
        .body = &p->part,
        .nbody = p->get ? 0 : 1,
        .has_body = !p->get,
    };
    put_fixed(p);
    r = p->auth ? put_auth(p, &p->err) : 0;
    p->waits = r == KM_E_AGAIN;
    if (p->waits)
        return;
    p->unproved = r < 0;
    p->request.head = km_buf_view(&p->head);
    if (r == 0 &&
        (km_buf_failed(&p->head) || km_buf_failed(&p->text) || km_buf_failed(&p->more_head)))
        r = km_fail(&p->err, KM_E_LIMIT, "the message is over %zu bytes", KM_MCP_MESSAGE_BYTES);
    p->call = r == 0 ? km_http_send(h->client, &p->request, &km_link_post_events, p) : NULL;
    if (r == 0 && !p->call)
        km_fail(&p->err, KM_E_NOMEM, "out of memory");
    p->failed = !p->call;
    if (p->failed)
        km_timer_start(&p->timer, 0); /* the remote hears of it from the loop */
}

/* --- the link --- */

static void on_up(void *ctx)
{
    struct km_link_http *h = ctx;

    h->base.events->on_up(h->base.ctx);
}

static void http_open(struct km_link *l)
{
    km_deferred_queue(&of(l)->up);
}

static void http_send(struct km_link *l, const struct km_link_request *q)
{
    struct km_link_http *h = of(l);
    struct km_link_post *p;

    if (q->auth && h->auth && q->auth != h->auth) {
        km_mcp_auth_unref(h->auth);
        h->auth = km_mcp_auth_ref(q->auth);
    }
    p = post_new(h);
    if (!p)
        return; /* its time-out will tell */
    p->id = q->id;
    p->opens = km_str_eq(q->method, KM_STR("initialize"));
    p->introduces = km_str_eq(q->method, KM_STR("notifications/initialized"));
    km_buf_str(&p->more_head, q->head);
    km_buf_move(&p->text, q->text);
    if (p->opens)
        km_buf_reset(&h->session);
    km_link_post_begin(p);
}

static void http_settle(struct km_link *l, uint64_t id, bool answered)
{
    KM_LIST_EACH(it, &of(l)->posts)
    {
        struct km_link_post *p = KM_CONTAINER(it, struct km_link_post, link);

        if (p->id != id || !id)
            continue;
        p->settled = answered;
        p->dropped = !answered;
        if (p->in_event)
            return;
        if (answered)
            km_timer_start(&p->timer, 1000);
        else
            km_link_post_free(p);
        return;
    }
}

static void http_agreed(struct km_link *l, const struct km_mcp_revision *revision)
{
    struct km_link_http *h = of(l);
    struct km_link_post *p;

    h->revision = revision;
    if (!revision || revision->era != KM_MCP_HANDSHAKE)
        return;
    p = post_new(h);
    if (!p)
        return;
    p->get = p->standing = true;
    km_link_post_begin(p);
}

static bool http_speaking(const struct km_link *l)
{
    const struct km_link_http *h = (const struct km_link_http *)(const void *)l;

    for (const struct km_list *it = h->posts.next; it != &h->posts; it = it->next) {
        const struct km_link_post *p = KM_CONTAINER(it, struct km_link_post, link);

        if (!p->id && !p->get)
            return true;
    }
    return false;
}

/* Says goodbye to a session; outlives its link, for nobody waits for it. */
struct farewell {
    struct km_buf head;
    struct km_http_request request;
    struct km_deferred end; /* the loop ends: the client and its calls are gone */
    struct km_origin *origin;
    struct km_mcp_upstream *upstream;
};

static void farewell_free(void *ctx)
{
    struct farewell *f = ctx;

    km_deferred_cancel(&f->end);
    km_mcp_upstream_unref(f->upstream);
    km_buf_done(&f->head);
    free(f);
}

static void on_farewell_head(void *ctx, const struct km_response *response)
{
    (void)ctx;
    (void)response;
}

static void on_farewell_body(void *ctx, const char *bytes, size_t n)
{
    (void)ctx;
    (void)bytes;
    (void)n;
}

static void on_farewell_done(void *ctx, const struct km_http_result *result)
{
    (void)result;
    farewell_free(ctx);
}

static void say_farewell(struct km_link_http *h)
{
    static const struct km_http_events events = { .on_head = on_farewell_head,
                                                  .on_body = on_farewell_body,
                                                  .on_done = on_farewell_done };
    struct farewell *f = h->session.n && h->revision && !h->auth ? calloc(1, sizeof *f) : NULL;

    if (!f)
        return;
    km_buf_init(&f->head, KM_LINK_HEAD_BYTES);
    km_buf_printf(&f->head, "Mcp-Session-Id: %.*s\r\nMCP-Protocol-Version: %.*s\r\n",
                  KM_STR_ARG(km_buf_view(&h->session)), KM_STR_ARG(h->revision->name));
    km_asker_lines(h->upstream, km_buf_view(&h->own_head), &f->head);
    f->upstream = km_mcp_upstream_ref(h->upstream);
    km_deferred_init(&f->end, h->loop, farewell_free, f);
    f->request = (struct km_http_request){ .origin = h->upstream->origin,
                                           .method = KM_STR("DELETE"),
                                           .target = h->upstream->target,
                                           .head = km_buf_view(&f->head),
                                           .first_byte_ms = FAREWELL_MS,
                                           .between_ms = FAREWELL_MS };
    if (km_buf_failed(&f->head) || !km_http_send(h->client, &f->request, &events, f))
        farewell_free(f);
    else
        km_deferred_at_free(&f->end);
}

static struct km_link *http_free(struct km_link *l)
{
    struct km_link_http *h = of(l);
    struct km_list *node;

    while ((node = km_list_pop(&h->posts)) != NULL)
        km_link_post_free(KM_CONTAINER(node, struct km_link_post, link));
    say_farewell(h);
    km_deferred_cancel(&h->up);
    km_mcp_auth_unref(h->auth);
    km_mcp_upstream_unref(h->upstream);
    if (h->own_head.p)
        km_wipe(h->own_head.p, h->own_head.n);
    km_buf_done(&h->own_head);
    km_buf_done(&h->session);
    free(h);
    return NULL;
}

struct km_link *km_link_http_new(const struct km_link_args *args, struct km_err *err)
{
    static const struct km_link_ops ops = { .open = http_open,
                                            .send = http_send,
                                            .settle = http_settle,
                                            .agreed = http_agreed,
                                            .speaking = http_speaking,
                                            .free = http_free };
    struct km_link_http *h = calloc(1, sizeof *h);

    if (!h) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    h->base = (struct km_link){ .ops = &ops, .events = args->events, .ctx = args->ctx };
    h->loop = args->loop;
    h->mailbox = args->mailbox;
    h->client = args->client;
    h->upstream = km_mcp_upstream_ref(args->upstream);
    km_list_init(&h->posts);
    km_buf_init(&h->own_head, KM_LINK_HEAD_BYTES);
    km_buf_init(&h->session, KM_LINK_ID_BYTES);
    km_deferred_init(&h->up, h->loop, on_up, h);
    if (km_asker_head(args->upstream, args->asker, &h->own_head, err) < 0)
        return http_free(&h->base);
    if (!km_asker_proven(args->upstream, km_buf_view(&h->own_head)))
        h->auth = km_mcp_auth_ref(args->auth);
    return &h->base;
}
