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
 *
 * Deadlines are stored, not armed: the one timer fires at or before the earliest and looks.
 * A busy keep-alive connection so moves its idle time-out with each request for nothing.
 *
 * After a framing error there is no telling where the next request begins: the answer is sent,
 * then FIN, and what still arrives is read and dropped for a moment, because closing with
 * unread bytes would reset the connection and destroy the answer.
 */
#include "http/conn.h"

#include <stdio.h>

/* More than can come about: a head just under its largest limit, or the look-ahead, and one
 * more read. */
#define HELD_MAX ((1 << 20) + KM_LOOK_AHEAD + 2 * KM_LOOP_READ_BYTES)
#define LEAD_MAX 8 /* CR and LF allowed before a request line: an empty line or two */

/* --- deadlines --- */

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void km_conn_arm(struct km_conn *c)
{
    uint64_t due = min_u64(c->deadline_ms, c->write_due_ms);
    uint64_t now;

    if (due == UINT64_MAX || (km_timer_running(&c->timer) && c->timer.due_ms <= due))
        return;
    now = km_loop_now_ms(c->server->loop);
    km_timer_start(&c->timer, due > now ? due - now : 0);
}

static void deadline_in(struct km_conn *c, int64_t ms)
{
    c->deadline_ms = km_loop_now_ms(c->server->loop) + (uint64_t)ms;
    km_conn_arm(c);
}

static void go_idle(struct km_conn *c)
{
    c->state = KM_CONN_IDLE;
    deadline_in(c, c->server->set.idle_ms);
}

/* A bucket of header_ms that n bytes refill by n / rate seconds. */
void km_conn_body_deadline(struct km_conn *c, bool begin, size_t n)
{
    const struct km_http_settings *set = &c->server->set;
    uint64_t now = km_loop_now_ms(c->server->loop);
    uint64_t most = now + (uint64_t)(set->body_min_rate ? set->header_ms : set->idle_ms);

    if (begin || set->body_min_rate == 0)
        c->deadline_ms = most;
    else
        c->deadline_ms =
            min_u64(c->deadline_ms + (uint64_t)n * 1000 / (uint64_t)set->body_min_rate, most);
    km_conn_arm(c);
}

static void time_out(struct km_conn *c)
{
    struct km_err err;

    switch (c->state) {
    case KM_CONN_HEAD:
        km_fail(&err, KM_E_REQUEST_TIMEOUT, "the request header did not arrive in time");
        km_conn_refuse(c, &err, KM_STR_NONE);
        break;
    case KM_CONN_BUSY:
        if (c->x->want != KM_WANT_BODY)
            break;
        c->deadline_ms = UINT64_MAX;
        km_fail(&err, KM_E_REQUEST_TIMEOUT, "the request body arrived too slowly");
        km_exchange_body_failed(c->x, &err);
        break;
    case KM_CONN_IDLE:
        if (km_stream_queued(c->stream) > 0)
            go_idle(c); /* still taking its last answer: not idle yet */
        else
            km_conn_linger(c);
        break;
    case KM_CONN_SKIP:
        km_conn_linger(c);
        break;
    case KM_CONN_CLOSING:
        break;
    }
}

/* true: the client took something since we last looked. */
static bool write_progress(struct km_conn *c)
{
    uint64_t taken = c->out_total - km_stream_queued(c->stream);
    bool progress = taken > c->out_taken;

    c->out_taken = taken;
    return progress;
}

static void on_timer(void *ctx)
{
    struct km_conn *c = ctx;
    uint64_t now = km_loop_now_ms(c->server->loop);

    if (c->stream && now >= c->write_due_ms) {
        if (!write_progress(c)) {
            km_conn_drop(c);
            return;
        }
        c->write_due_ms = now + (uint64_t)c->server->set.write_ms;
    }
    if (c->stream && now >= c->deadline_ms)
        time_out(c); /* the connection may be gone after this */
    else
        km_conn_arm(c);
}

/* --- ends --- */

static void release(struct km_conn *c)
{
    if (c->x || c->processing)
        return;
    km_timer_stop(&c->timer);
    km_deferred_cancel(&c->later);
    km_buf_done(&c->held);
    if (c->head)
        km_server_give_head(c->server, c->head);
    c->head = NULL;
    km_conn_give(c);
}

void km_conn_gone(struct km_conn *c)
{
    struct km_exchange *x = c->x;

    if (!x || x->gone_told)
        return;
    x->gone = x->gone_told = true;
    if (x->events && x->events->on_gone)
        x->events->on_gone(x->ctx);
}

/* The stream is already given away. */
static void closed(struct km_conn *c)
{
    bool outside = !c->processing;

    c->stream = NULL;
    c->in = KM_STR_NONE;
    c->deadline_ms = c->write_due_ms = UINT64_MAX;
    c->processing = true; /* so that whoever on_gone ends does not release below us */
    km_conn_gone(c);
    if (outside) {
        c->processing = false;
        release(c);
    }
}

void km_conn_drop(struct km_conn *c)
{
    km_stream_free(c->stream);
    closed(c);
}

/* Lingering is bounded by time; what still waits for the client is bounded by its progress
 * (write_due_ms), so that comes first. */
void km_conn_linger(struct km_conn *c)
{
    km_assert(!c->x);
    if (km_stream_queued(c->stream) > 0) {
        c->state = KM_CONN_CLOSING;
        c->deadline_ms = UINT64_MAX;
        c->in = KM_STR_NONE;
        if (c->held.p)
            km_buf_done(&c->held);
        c->held_at = 0;
        km_stream_resume(c->stream);
        return;
    }
    if (c->reset)
        km_stream_reset(c->stream);
    else
        km_stream_linger(c->stream, KM_LINGER_MS);
    closed(c);
}

/* --- writing --- */

void km_conn_write(struct km_conn *c, const struct km_str *parts, size_t n)
{
    size_t queued;

    for (size_t i = 0; i < n; i++)
        c->out_total += parts[i].n;
    km_stream_write(c->stream, parts, n, &queued);
    if (queued == 0)
        return;
    c->over = queued > (size_t)c->server->set.stream_high_water;
    if (c->write_due_ms == UINT64_MAX) {
        c->out_taken = c->out_total - queued;
        c->write_due_ms = km_loop_now_ms(c->server->loop) + (uint64_t)c->server->set.write_ms;
        km_conn_arm(c);
    }
}

void km_conn_refuse(struct km_conn *c, const struct km_err *err, struct km_str path)
{
    struct km_http_server *s = c->server;
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);
    struct km_answer a;
    char head[96];
    int status = km_err_http(err), n;

    s->args.on_error(s->args.ctx, err, path, &body);
    n = snprintf(head, sizeof head, "Content-Type: application/json\r\n");
    if (err->retry_after_ms > 0)
        n += snprintf(head + n, sizeof head - (size_t)n, "Retry-After: %d\r\n",
                      (err->retry_after_ms + 999) / 1000);
    km_answer_head(s, &a, status, km_str(head, (size_t)n), body.n, false, false);
    km_conn_write(c, (struct km_str[]){ a.parts[0], a.parts[1], a.parts[2], km_buf_view(&body) },
                  4);
    if (s->args.on_count)
        s->args.on_count(s->args.ctx, status);
    km_conn_linger(c);
}

/* --- reading --- */

void km_conn_flow(struct km_conn *c)
{
    bool full;

    if (!c->stream)
        return;
    if (c->state == KM_CONN_CLOSING)
        return;
    full = c->held.n - c->held_at >= KM_LOOK_AHEAD &&
           (c->over || (c->state == KM_CONN_BUSY && c->x && c->x->want != KM_WANT_BODY));
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
        x->framing.length > (uint64_t)c->server->set.body_bytes)
        r = km_fail(&err, KM_E_BODY_TOO_LARGE, "the request body is over %lld bytes",
                    (long long)c->server->set.body_bytes);
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
                deadline_in(c, c->server->set.header_ms);
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

static bool read_body(struct km_conn *c)
{
    struct km_exchange *x = c->x;
    size_t before = c->in.n;
    struct km_err err;
    int code;

    km_assert(x);
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
        go_idle(c);
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
        return c->in.n > 0 && read_body(c);
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
        release(c);
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
    if (c->state == KM_CONN_BUSY && c->x->want == KM_WANT_BODY)
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
    km_timer_init(&c->timer, c->server->loop, on_timer, c);
    km_deferred_init(&c->later, c->server->loop, on_later, c);
    deadline_in(c, c->server->set.idle_ms);
    km_stream_own(stream, &events, c);
}

/* --- from one request to the next --- */

void km_conn_next(struct km_conn *c, bool keep, uint64_t rest)
{
    c->x = NULL;
    if (!c->stream) {
        release(c);
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
        go_idle(c);
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
    if (!s->pass_on || c->tls || c->eof) {
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
    closed(c);
    s->pass_on(s->drain_ctx, fd);
}
