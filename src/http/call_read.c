/* SPDX-License-Identifier: Apache-2.0 */
/* call_read.c - the response's way in.
 *
 * As on the server's side there is one loop over the bytes at hand; the caller is told piece by
 * piece and may pause or cancel in each callback, which changes what the loop sees next and
 * nothing else.  Paused, the stream is paused too; what was already read is held (at most one
 * read) and delivered first when it goes on, before any news of the connection's end.
 *
 * 1xx responses are skipped, 16 at most.  101 breaks the protocol where it was not asked for;
 * where it was, what follows is a body that ends when the peer closes.
 */
#include "http/call.h"

#define MAX_INTERIM 16

static int broken(struct km_err *err, const char *what)
{
    return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "%s", what);
}

static void give_head(struct km_http_call *call)
{
    struct km_http_client *c = call->client;

    if (c->spare_head)
        km_head_free(call->head);
    else
        c->spare_head = call->head;
    call->head = NULL;
}

static bool take_head(struct km_http_call *call)
{
    struct km_http_client *c = call->client;

    call->head = c->spare_head ? c->spare_head : km_head_new(c->limits.fields);
    c->spare_head = NULL;
    if (call->head)
        km_head_begin(call->head, KM_HEAD_RESPONSE, &c->limits);
    return call->head != NULL;
}

/* A whole head lies at the front of call->in. */
static int judge_head(struct km_http_call *call, size_t used, struct km_err *err)
{
    int r = km_head_response(call->head, call->in.p, used, &call->arena, call->request.method,
                             &call->response, &call->framing, err);

    km_body_init(&call->body, &call->framing, km_head_parser(call->head));
    give_head(call);
    call->in = km_str_skip(call->in, used);
    if (r < 0)
        return r;
    if (call->response.status == 101 && !call->request.upgrade)
        return broken(err, "the upstream switches protocols without having been asked");
    if (call->response.status == 101) {
        call->upgraded = true;
        call->framing = (struct km_framing){ .kind = KM_BODY_CLOSE };
        km_body_init(&call->body, &call->framing, NULL);
    } else if (call->response.status < 200) {
        km_arena_done(&call->arena);
        return ++call->interim > MAX_INTERIM ? broken(err, "too many interim responses") : 0;
    }
    call->state = KM_HTTP_CALL_BODY;
    call->head_seen = true;
    km_http_call_heard(call);
    call->events->on_head(call->ctx, &call->response);
    if (!call->broken && !call->failed) /* a stream may run for long: its head is read */
        km_arena_done(&call->arena);
    return 0;
}

/* 0: the loop goes on; KM_E_AGAIN: more bytes are needed. */
static int read_head(struct km_http_call *call, struct km_err *err)
{
    size_t used;
    int r;

    if (!call->head && !take_head(call))
        return km_fail(err, KM_E_NOMEM, "no memory for a response head");
    r = km_head_feed(call->head, call->in.p, call->in.n, &used, err);
    return r < 0 ? r : judge_head(call, used, err);
}

static int read_body(struct km_http_call *call, struct km_err *err)
{
    struct km_str piece;
    int r = km_body_next(&call->body, &call->in, &piece, err);

    if (r < 0) {
        err->code = KM_E_UPSTREAM_PROTOCOL;
        return r;
    }
    if (piece.n > 0)
        call->events->on_body(call->ctx, piece.p, piece.n);
    return 0;
}

/* The response has ended and the connection is whole. */
static void end_well(struct km_http_call *call)
{
    bool reuse = call->framing.keep_alive && call->framing.kind != KM_BODY_CLOSE && call->sent &&
                 call->in.n == 0 && !call->eof && !call->broken;

    km_http_call_drop_stream(call, reuse);
    km_http_call_done(call, NULL, false);
}

static void ended_early(struct km_http_call *call)
{
    struct km_err err;

    if (call->framing.kind == KM_BODY_LENGTH)
        km_fail(&err, KM_E_UPSTREAM_PROTOCOL,
                "the upstream closed after %llu of %llu bytes of its response",
                (unsigned long long)call->body.got, (unsigned long long)call->framing.length);
    else
        km_fail(&err, KM_E_UPSTREAM_PROTOCOL,
                "the upstream closed in the middle of its response, after %llu bytes",
                (unsigned long long)call->body.got);
    km_http_call_drop_stream(call, false);
    km_http_call_done(call, &err, false);
}

/* Nothing more will come, and all that came was delivered. */
static void at_end(struct km_http_call *call)
{
    struct km_err err;

    if (call->broken && call->state == KM_HTTP_CALL_BODY) {
        struct km_err copy = *call->broken;

        copy.code = KM_E_UPSTREAM_PROTOCOL;
        km_http_call_drop_stream(call, false);
        km_http_call_done(call, &copy, false);
    } else if (call->broken) {
        km_http_call_lost(call, call->broken);
    } else if (call->state == KM_HTTP_CALL_BODY && call->framing.kind == KM_BODY_CLOSE) {
        end_well(call);
    } else if (call->state == KM_HTTP_CALL_BODY) {
        ended_early(call);
    } else {
        if (call->answered)
            broken(&err, "the upstream closed in the middle of a response head");
        else
            km_fail(&err, KM_E_UPSTREAM_CONNECT, "the upstream closed without an answer");
        km_http_call_lost(call, &err);
    }
}

/* What the state and the bytes at hand allow. false: nothing more for now. */
static bool advance(struct km_http_call *call, int *ret_code, struct km_err *err)
{
    *ret_code = 0;
    if (call->cancelled)
        return false;
    if (call->state == KM_HTTP_CALL_HEAD && call->in.n > 0)
        *ret_code = read_head(call, err);
    else if (call->state == KM_HTTP_CALL_BODY && !call->paused && !call->body.done &&
             call->in.n > 0)
        *ret_code = read_body(call, err);
    else
        return false;
    return *ret_code == 0;
}

/* Keeps what could not be used: an incomplete head, or what came before a pause. */
static int keep_rest(struct km_http_call *call, bool from_held, struct km_err *err)
{
    if (call->in.n == 0) {
        if (call->held.p)
            km_buf_done(&call->held);
    } else if (from_held) {
        km_buf_consume(&call->held, call->held.n - call->in.n);
    } else {
        km_buf_bytes(&call->held, call->in.p, call->in.n);
        if (km_buf_failed(&call->held))
            return km_fail(err, KM_E_NOMEM, "no memory for a response");
    }
    call->in = KM_STR_NONE;
    return 0;
}

static void fail_call(struct km_http_call *call, const struct km_err *err)
{
    km_http_call_drop_stream(call, false);
    km_http_call_done(call, err, false);
}

static void process(struct km_http_call *call, bool from_held)
{
    struct km_err err;
    int code;

    call->processing = true;
    while (advance(call, &code, &err))
        ;
    call->processing = false;
    if (call->cancelled) {
        km_http_call_release(call);
    } else if (code < 0 && code != KM_E_AGAIN) {
        fail_call(call, &err);
    } else if (call->state == KM_HTTP_CALL_BODY && call->body.done && !call->paused) {
        end_well(call);
    } else if (keep_rest(call, from_held, &err) < 0) {
        fail_call(call, &err);
    } else if ((call->eof || call->broken) && !call->paused) {
        at_end(call);
    }
}

void km_http_call_process(struct km_http_call *call)
{
    call->in = km_buf_view(&call->held);
    process(call, true);
}

static void on_read(void *ctx, const char *bytes, size_t n)
{
    struct km_http_call *call = ctx;
    bool held = call->held.n > 0;

    call->answered = true;
    if (call->state == KM_HTTP_CALL_BODY)
        km_http_call_heard(call);
    if (held)
        km_buf_bytes(&call->held, bytes, n);
    if (held && km_buf_failed(&call->held)) {
        struct km_err err;

        km_fail(&err, KM_E_NOMEM, "no memory for a response");
        fail_call(call, &err);
        return;
    }
    call->in = held ? km_buf_view(&call->held) : km_str(bytes, n);
    process(call, held);
}

static void on_eof(void *ctx)
{
    struct km_http_call *call = ctx;

    call->eof = true;
    if (!call->paused)
        at_end(call);
}

static void on_closed(void *ctx, const struct km_err *err)
{
    struct km_http_call *call = ctx;

    call->broken = km_arena_alloc(&call->arena, sizeof *err);
    if (call->broken)
        *call->broken = *err;
    if (!call->broken)
        fail_call(call, err);
    else if (!call->paused)
        at_end(call);
}

static void on_drain(void *ctx)
{
    struct km_http_call *call = ctx;

    km_http_call_send(call);
    if (!call->want_drain)
        return;
    call->want_drain = false;
    if (call->events->on_drain)
        call->events->on_drain(call->ctx);
}

const struct km_stream_events km_http_call_events = {
    .on_read = on_read,
    .on_eof = on_eof,
    .on_closed = on_closed,
    .on_drain = on_drain,
};
