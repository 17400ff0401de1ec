/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c - one client connection: bytes in, requests out, in order.
 *
 *            head complete            answered, body read
 *     IDLE ──> HEAD ──> BUSY ───────────────────────────────> IDLE
 *                        ├──> SKIP (rest of the body is dropped) ─┘
 *                        └──> CLOSING (the last answer is being taken) ──> lingering
 *
 * km_conn_process() is a loop over the bytes at hand and the only place that moves forward.
 * While it runs, whatever a handler does (answer at once, ask for the body, close) only changes
 * the state the loop looks at next, so that 200 pipelined requests answered at once need no
 * stack.  Bytes at hand lie in the loop's read buffer; what cannot be used yet is kept in
 * `held`: an incomplete head, or up to 16 KiB of later requests while one is answered (read so
 * that the client's departure is seen).  An idle connection holds no buffer and no parser.
 */
#include "http/conn.h"

/* More than can come about: a head just under its largest limit, or the look-ahead, and one
 * more read. */
#define HELD_MAX ((1 << 20) + KM_LOOK_AHEAD + 2 * KM_LOOP_READ_BYTES)
#define LEAD_MAX 8 /* CR and LF allowed before a request line: an empty line or two */

/* --- reading --- */

void km_conn_flow(struct km_conn *c)
{
    bool full;

    if (!c->stream)
        return;
    if (c->state == KM_CONN_CLOSING)
        return;
    if (c->x && c->x->upgraded) {
        if (c->x->paused)
            km_stream_pause(c->stream);
        else
            km_stream_resume(c->stream);
        return;
    }
    full = c->held.n - c->held_at >= KM_LOOK_AHEAD &&
           (c->over || (c->state == KM_CONN_BUSY && c->x && !km_exchange_reads(c->x)));
    if (full || (c->over && c->state != KM_CONN_BUSY))
        km_stream_pause(c->stream);
    else
        km_stream_resume(c->stream);
}

void km_conn_in_begin(struct km_conn *c)
{
    c->in = km_str_skip(km_buf_view(&c->held), c->held_at);
    c->in_held = true;
}

/* Keeps what was not used. */
void km_conn_in_end(struct km_conn *c)
{
    if (c->in.n == 0 || !c->stream) {
        if (c->held.p)
            km_buf_done(&c->held);
        c->held_at = 0;
    } else if (c->in_held) {
        c->held_at = (size_t)(c->in.p - c->held.p);
    } else {
        c->held_at = 0;
        km_buf_bytes(&c->held, c->in.p, c->in.n);
    }
    c->in = KM_STR_NONE;
    c->in_held = false;
}

/* Empty lines before a request line are allowed, few and whole. */
static bool skip_lead(struct km_conn *c)
{
    while (c->in.n > 0 && (c->in.p[0] == '\r' || c->in.p[0] == '\n')) {
        struct km_err err;

        if (c->in.p[0] != "\r\n"[c->lead % 2] || ++c->lead > LEAD_MAX) {
            km_fail(&err, KM_E_INVALID, "the request is malformed: it begins with line ends");
            km_conn_refuse(c, &err, KM_STR_NONE);
            return false;
        }
        c->in = km_str_skip(c->in, 1);
    }
    return c->in.n > 0;
}

/* A form is passed on as it comes where its handler wants it so; the others say no later. */
static uint64_t body_most(const struct km_conn *c, const struct km_request *request)
{
    const struct km_http_settings *set = &c->server->set;
    struct km_str type = km_header_get(&request->headers, KM_STR("content-type"));
    bool form = km_str_istarts(type, KM_STR("multipart/form-data"));

    return (uint64_t)(form && set->upload_bytes > set->body_bytes ? set->upload_bytes
                                                                  : set->body_bytes);
}

static void out_of_memory(struct km_conn *c)
{
    km_conn_drop(c);
}

/* The head lies at the front of c->in. */
static void begin_exchange(struct km_conn *c, size_t used)
{
    struct km_exchange *x = km_exchange_take(c->server);
    struct km_err err;
    int r;

    if (!x) {
        out_of_memory(c);
        return;
    }
    x->conn = c;
    r = km_head_request(c->head, c->in.p, used, &x->arena, &x->request, &x->framing, &err);
    km_body_init(&x->body, &x->framing, km_head_parser(c->head));
    km_server_give_head(c->server, c->head);
    c->head = NULL;
    c->lead = 0;
    if (r == 0 && x->framing.kind == KM_BODY_LENGTH &&
        x->framing.length > body_most(c, &x->request))
        r = km_fail(&err, KM_E_BODY_TOO_LARGE, "the request body is over %llu bytes",
                    (unsigned long long)body_most(c, &x->request));
    if (r < 0) {
        km_conn_refuse(c, &err, x->request.path);
        km_exchange_done(x);
        return;
    }
    c->in = km_str_skip(c->in, used);
    c->x = x;
    c->state = KM_CONN_BUSY;
    c->deadline_ms = UINT64_MAX;
    km_exchange_begin(x);
}

/* true: go on with the loop. */
static bool read_head(struct km_conn *c)
{
    struct km_err err;
    size_t used;
    int r;

    if (c->state == KM_CONN_IDLE) {
        bool begun = c->lead > 0;

        if (!skip_lead(c)) {
            if (c->stream && c->lead > 0 && !begun)
                km_conn_deadline(c, c->server->set.header_ms);
            return false;
        }
        c->head = km_server_take_head(c->server);
        if (!c->head) {
            out_of_memory(c);
            return false;
        }
        km_head_begin(c->head, KM_HEAD_REQUEST, &c->server->limits);
        c->state = KM_CONN_HEAD;
        if (!begun)
            c->deadline_ms = km_loop_now_ms(c->server->loop) + (uint64_t)c->server->set.header_ms;
    }
    r = km_head_feed(c->head, c->in.p, c->in.n, &used, &err);
    if (r == KM_E_AGAIN) {
        km_conn_arm(c);
        return false;
    }
    if (r < 0) {
        km_conn_refuse(c, &err, KM_STR_NONE);
        return false;
    }
    begin_exchange(c, used);
    return true;
}

/* An upgraded connection's, all at once. */
static bool give_bytes(struct km_conn *c)
{
    struct km_exchange *x = c->x;
    struct km_str in = c->in;

    if (x->paused)
        return false;
    c->in = KM_STR_NONE;
    x->events->on_bytes(x->ctx, in.p, in.n);
    return false;
}

static bool read_body(struct km_conn *c)
{
    struct km_exchange *x = c->x;
    size_t before = c->in.n;
    struct km_err err;
    int code;

    km_assert(x);
    if (x->want == KM_WANT_PIECES)
        return km_exchange_give_pieces(x);
    if (x->upgraded)
        return give_bytes(c);
    if (x->want != KM_WANT_BODY)
        return false;
    if (km_exchange_gather(x, &code, &err)) {
        km_exchange_body_done(x);
        return true;
    }
    if (code < 0) {
        km_exchange_body_failed(x, &err);
        return true;
    }
    km_conn_body_deadline(c, false, before);
    return false;
}

static bool skip_body(struct km_conn *c)
{
    size_t n = c->in.n < c->skip ? c->in.n : (size_t)c->skip;

    c->in = km_str_skip(c->in, n);
    c->skip -= n;
    if (c->skip > 0)
        km_conn_body_deadline(c, false, n);
    else
        km_conn_idle(c);
    return c->skip == 0;
}

/* What the state and the bytes at hand allow.  false: nothing more for now. */
static bool advance(struct km_conn *c)
{
    if (!c->stream)
        return false;
    switch (c->state) {
    case KM_CONN_IDLE:
    case KM_CONN_HEAD:
        return c->in.n > 0 && !c->over && read_head(c);
    case KM_CONN_BUSY:
        return (c->in.n > 0 || (c->eof && km_exchange_reads(c->x))) && read_body(c);
    case KM_CONN_SKIP:
        return c->in.n > 0 && skip_body(c);
    case KM_CONN_CLOSING:
        c->in = KM_STR_NONE;
        return false;
    }
    return false;
}

static bool between_requests(const struct km_conn *c)
{
    return c->stream && c->state == KM_CONN_IDLE && c->held.n == 0;
}

void km_conn_process(struct km_conn *c)
{
    c->processing = true;
    while (advance(c))
        ;
    km_conn_in_end(c);
    c->processing = false;
    if (km_buf_failed(&c->held) && c->stream)
        km_conn_drop(c);
    else if (!c->stream)
        km_conn_release(c);
    else if (between_requests(c) && c->eof)
        km_conn_linger(c);
    else if (between_requests(c) && c->server->draining)
        km_conn_drain(c);
    else
        km_conn_flow(c);
}

static void on_later(void *ctx)
{
    struct km_conn *c = ctx;

    km_conn_in_begin(c);
    km_conn_process(c);
}

static void on_read(void *ctx, const char *bytes, size_t n)
{
    struct km_conn *c = ctx;

    if (c->held.n > 0) {
        km_buf_consume(&c->held, c->held_at);
        c->held_at = 0;
        km_buf_bytes(&c->held, bytes, n);
        km_conn_in_begin(c);
    } else {
        c->in = km_str(bytes, n);
        c->in_held = false;
    }
    km_conn_process(c);
}

/* The client will send no more.  In the middle of a request that is an error it can still be
 * told; while an answer is awaited it counts as gone. */
static void on_eof(void *ctx)
{
    struct km_conn *c = ctx;
    struct km_err err;

    c->eof = true;
    km_fail(&err, KM_E_INVALID, "the request ended early");
    if (c->state == KM_CONN_BUSY && c->x->want == KM_WANT_PIECES)
        on_later(c);
    else if (c->state == KM_CONN_BUSY && c->x->want == KM_WANT_BODY)
        km_exchange_body_failed(c->x, &err);
    else if (c->state == KM_CONN_BUSY)
        km_conn_drop(c);
    else if (c->state == KM_CONN_HEAD && !c->over)
        km_conn_refuse(c, &err, KM_STR_NONE);
    else if (c->state != KM_CONN_CLOSING && (c->held.n == 0 || c->state == KM_CONN_SKIP))
        km_conn_linger(c);
}

static void on_closed(void *ctx, const struct km_err *err)
{
    (void)err;
    km_conn_drop(ctx);
}

static void on_drain(void *ctx)
{
    struct km_conn *c = ctx;
    struct km_exchange *x = c->x;

    c->over = false;
    c->write_due_ms = UINT64_MAX;
    if (x && x->want_drain) {
        x->want_drain = false;
        if (x->events && x->events->on_drain)
            x->events->on_drain(x->ctx);
    } else if (c->state == KM_CONN_CLOSING) {
        km_conn_linger(c);
    } else if (!x) {
        on_later(c);
    }
}

static const struct km_stream_events events = {
    .on_read = on_read,
    .on_eof = on_eof,
    .on_closed = on_closed,
    .on_drain = on_drain,
};

void km_conn_open(struct km_conn *c, struct km_stream *stream)
{
    c->stream = stream;
    c->tls = km_stream_is_tls(stream);
    c->state = KM_CONN_IDLE;
    c->deadline_ms = c->write_due_ms = UINT64_MAX;
    km_buf_init(&c->held, HELD_MAX);
    km_timer_init(&c->timer, c->server->loop, km_conn_on_timer, c);
    km_deferred_init(&c->later, c->server->loop, on_later, c);
    km_conn_deadline(c, c->server->set.idle_ms);
    km_stream_own(stream, &events, c);
}

/* --- from one request to the next --- */

void km_conn_next(struct km_conn *c, bool keep, uint64_t rest)
{
    c->x = NULL;
    if (!c->stream) {
        km_conn_release(c);
        return;
    }
    if (!keep || c->broken) {
        km_conn_linger(c);
        return;
    }
    if (rest > 0) {
        c->skip = rest;
        c->state = KM_CONN_SKIP;
        km_conn_body_deadline(c, true, 0);
    } else {
        km_conn_idle(c);
    }
    if (c->processing)
        return;
    if (c->held.n > 0 || c->eof || c->server->draining)
        km_deferred_queue(&c->later);
    else
        km_conn_flow(c);
}

void km_conn_drain(struct km_conn *c)
{
    struct km_http_server *s = c->server;
    int fd;

    if (!between_requests(c) || c->lead > 0)
        return;
    /* TLS cannot be passed on.  Its client may be sending a request this very moment: that one
     * is answered, with Connection: close, and until then only its idle time-out ends it. */
    if (s->pass_on && c->tls && !c->eof) {
        km_conn_flow(c);
        return;
    }
    if (!s->pass_on || c->eof) {
        km_conn_linger(c);
        return;
    }
    if (km_stream_queued(c->stream) > 0)
        return; /* on_drain comes back here */
    fd = km_stream_detach(c->stream);
    if (fd < 0) {
        km_conn_linger(c);
        return;
    }
    km_conn_forget(c);
    s->pass_on(s->drain_ctx, fd);
}
