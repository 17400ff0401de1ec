/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.c - one request as the handler sees it; contract in server.h.  The answer's side is
 * in exchange_answer.c.
 *
 * The body is gathered only when asked for.  With a known length it is one block of exactly
 * that size, filled from the read buffer; a chunked one grows.  The bound on all bodies is
 * charged with what has really arrived (in steps), so that announcing 32 MiB and sending one
 * byte takes nothing away from others.
 */
#include <stdlib.h>

#include "base/time.h"
#include "http/conn.h"

#define IN_ARENA 2048 /* bodies up to this are the arena's */
#define BUDGET_STEP (64 * 1024)
#define OFFER_LEAST (64 * 1024) /* what is left in one read is copied */
#define CHUNKED_MIN 4096

void km_exchange_begin(struct km_exchange *x)
{
    struct km_http_server *s = x->conn->server;

    x->began_ns = km_mono_ns();
    x->more_head = KM_STR_NONE;
    s->args.on_request(s->args.ctx, x);
}

const struct km_request *km_exchange_request(const struct km_exchange *x)
{
    return &x->request;
}

struct km_arena *km_exchange_arena(struct km_exchange *x)
{
    return &x->arena;
}

const union km_addr *km_exchange_peer(const struct km_exchange *x)
{
    return &x->conn->peer;
}

bool km_exchange_secure(const struct km_exchange *x)
{
    return x->conn->tls;
}

void km_exchange_add_head(struct km_exchange *x, struct km_str lines)
{
    x->more_head = lines;
}

uint64_t km_exchange_began_ns(const struct km_exchange *x)
{
    return x->began_ns;
}

void km_exchange_listen(struct km_exchange *x, const struct km_exchange_events *events, void *ctx)
{
    x->events = events;
    x->ctx = ctx;
}

/* --- the request's body --- */

static int too_large(const struct km_exchange *x, struct km_err *err)
{
    return km_fail(err, KM_E_BODY_TOO_LARGE, "the request body is over %zu bytes", x->max);
}

static int charge(struct km_exchange *x, size_t bytes, struct km_err *err)
{
    int64_t more = (int64_t)bytes - x->budget;

    if (more <= 0)
        return 0;
    if (!km_body_budget_take(x->conn->server->args.bodies, more)) {
        int r = km_fail(err, KM_E_OVERLOADED,
                        "too many request bodies are being read; try again shortly");

        if (err)
            err->retry_after_ms = 1000;
        return r;
    }
    x->budget += more;
    return 0;
}

static int make_room(struct km_exchange *x, size_t cap, struct km_err *err)
{
    char *grown;

    if (!x->bytes && cap <= IN_ARENA) {
        x->bytes = km_arena_alloc(&x->arena, cap);
        x->cap = cap;
        return x->bytes ? 0 : km_fail(err, KM_E_NOMEM, "no memory for a request body");
    }
    if (x->block) {
        grown = realloc(x->bytes, cap);
        if (grown)
            x->block = cap;
    } else {
        grown = km_server_take_block(x->conn->server, cap, &x->block);
    }
    if (!grown)
        return km_fail(err, KM_E_NOMEM, "no memory for a request body of %zu bytes", cap);
    x->bytes = grown;
    x->cap = cap;
    return 0;
}

/* Room and charge for n more bytes. */
static int reserve(struct km_exchange *x, size_t n, struct km_err *err)
{
    size_t want = x->n + n;
    int r;

    if (want > x->max)
        return too_large(x, err);
    if (x->body.kind == KM_BODY_CHUNKED && want > x->cap) {
        size_t cap = x->cap > CHUNKED_MIN ? x->cap : CHUNKED_MIN;

        while (cap < want)
            cap *= 2;
        r = make_room(x, cap < x->max ? cap : x->max, err);
        if (r < 0)
            return r;
    }
    if ((int64_t)want <= x->budget)
        return 0;
    want = (want + BUDGET_STEP - 1) / BUDGET_STEP * BUDGET_STEP;
    return charge(x, want < x->cap ? want : x->cap, err);
}

/* What is still to come of a large body is read to its place. */
static void offer_room(struct km_exchange *x, int r)
{
    struct km_stream *stream = x->conn->stream;
    size_t left = r == 0 && x->body.kind == KM_BODY_LENGTH ? x->cap - x->n : 0;

    if (!stream || x->want != KM_WANT_BODY)
        return;
    if (left >= OFFER_LEAST)
        km_stream_offer(stream, x->bytes + x->n, left);
    else
        km_stream_offer(stream, NULL, 0);
}

bool km_exchange_gather(struct km_exchange *x, int *ret_code, struct km_err *err)
{
    struct km_str piece;
    int r = 0;

    while (r == 0 && !x->body.done && x->conn->in.n > 0) {
        r = km_body_next(&x->body, &x->conn->in, &piece, err);
        if (r == 0 && x->body.kind == KM_BODY_CHUNKED && x->body.announced > x->max)
            r = too_large(x, err); /* said before it is sent */
        if (r < 0 || piece.n == 0)
            continue;
        r = reserve(x, piece.n, err);
        if (r == 0 && piece.p != x->bytes + x->n) /* what was offered below was not taken up */
            memcpy(x->bytes + x->n, piece.p, piece.n);
        if (r == 0)
            x->n += piece.n;
    }
    offer_room(x, r);
    *ret_code = r;
    return r == 0 && x->body.done;
}

void km_exchange_body_done(struct km_exchange *x)
{
    x->want = KM_WANT_DONE;
    x->conn->deadline_ms = UINT64_MAX;
    x->events->on_body(x->ctx, km_str(x->bytes, x->n), NULL);
}

void km_exchange_body_failed(struct km_exchange *x, const struct km_err *err)
{
    bool pieces = x->want == KM_WANT_PIECES;

    x->want = KM_WANT_DONE;
    x->conn->broken = true;
    x->conn->deadline_ms = UINT64_MAX;
    if (x->conn->stream)
        km_stream_offer(x->conn->stream, NULL, 0);
    if (pieces)
        x->events->on_piece(x->ctx, KM_STR_NONE, false, err);
    else
        x->events->on_body(x->ctx, KM_STR_NONE, err);
}

/* --- the body as it comes --- */

bool km_exchange_reads(const struct km_exchange *x)
{
    return x->want == KM_WANT_BODY || (x->want == KM_WANT_PIECES && !x->stopped);
}

/* One piece a turn: whoever takes it may stop, answer, or both. */
bool km_exchange_give_pieces(struct km_exchange *x)
{
    struct km_conn *c = x->conn;
    size_t before = c->in.n;
    struct km_str piece = KM_STR_NONE;
    struct km_err err;
    int r = 0;

    if (x->stopped)
        return false;
    if (c->in.n == 0) /* and the client has sent its last byte */
        r = km_fail(&err, KM_E_INVALID, "the request ended early");
    if (r == 0)
        r = km_body_next(&x->body, &c->in, &piece, &err);
    if (r == 0 &&
        (x->body.got > x->max || (x->body.kind == KM_BODY_CHUNKED && x->body.announced > x->max)))
        r = too_large(x, &err);
    if (r < 0) {
        km_exchange_body_failed(x, &err);
        return true;
    }
    km_conn_body_deadline(c, false, before - c->in.n);
    if (x->body.done) {
        x->want = KM_WANT_DONE;
        c->deadline_ms = UINT64_MAX;
    }
    if (piece.n > 0 || x->body.done)
        x->events->on_piece(x->ctx, piece, x->body.done, NULL);
    return true;
}

int km_exchange_pieces(struct km_exchange *x, int64_t max_bytes, struct km_err *err)
{
    struct km_conn *c = x->conn;

    km_assert(x->want == KM_WANT_NOTHING);
    if (x->gone)
        return km_fail(err, KM_E_CLOSED, "the client is gone");
    x->max = (size_t)max_bytes;
    if (x->framing.kind == KM_BODY_NONE)
        return km_fail(err, KM_E_LENGTH_REQUIRED,
                       "the request needs a body: send Content-Length or chunks");
    if (x->framing.kind == KM_BODY_LENGTH && x->framing.length > x->max)
        return too_large(x, err);
    x->want = KM_WANT_PIECES;
    x->stopped = true;
    if (x->framing.expect && x->body.got == 0 && x->body.overhead == 0)
        km_conn_write(c, &KM_STR("HTTP/1.1 100 Continue\r\n\r\n"), 1);
    x->framing.expect = false;
    km_exchange_go_on(x);
    return 0;
}

void km_exchange_stop(struct km_exchange *x)
{
    x->stopped = true;
    if (x->want == KM_WANT_PIECES)
        x->conn->deadline_ms = UINT64_MAX;
    km_conn_flow(x->conn);
}

/* What is held is given at the end of this turn of the loop: never from here. */
void km_exchange_go_on(struct km_exchange *x)
{
    struct km_conn *c = x->conn;

    if (!x->stopped)
        return;
    x->stopped = false;
    if (x->want != KM_WANT_PIECES || x->gone)
        return;
    km_conn_body_deadline(c, true, 0);
    if (c->held.n > 0 || c->eof || c->processing)
        km_deferred_queue(&c->later);
    km_conn_flow(c);
}

static int no_body(struct km_exchange *x, struct km_str *ret_body, struct km_err *err)
{
    struct km_str m = x->request.method;
    bool must = km_str_eq(m, KM_STR("POST")) || km_str_eq(m, KM_STR("PUT")) ||
                km_str_eq(m, KM_STR("PATCH"));

    if (must && !x->framing.has_length)
        return km_fail(err, KM_E_LENGTH_REQUIRED,
                       "the request needs a body: send Content-Length or chunks");
    *ret_body = KM_STR_NONE;
    return 0;
}

/* Takes what has already arrived. */
static bool gather_now(struct km_exchange *x, int *ret_code, struct km_err *err)
{
    struct km_conn *c = x->conn;
    bool outside = !c->processing, done;

    if (outside)
        km_conn_in_begin(c);
    done = km_exchange_gather(x, ret_code, err);
    if (outside) {
        km_conn_in_end(c);
        km_conn_flow(c);
    }
    return done;
}

int km_exchange_body(struct km_exchange *x, int64_t max_bytes, struct km_str *ret_body,
                     struct km_err *err)
{
    struct km_conn *c = x->conn;
    int64_t most = c->server->set.body_bytes;
    int r;

    km_assert(x->want == KM_WANT_NOTHING);
    if (x->framing.kind == KM_BODY_NONE)
        return no_body(x, ret_body, err);
    if (x->gone)
        return km_fail(err, KM_E_CLOSED, "the client is gone");
    x->max = (size_t)(max_bytes < most ? max_bytes : most);
    if (x->framing.kind == KM_BODY_LENGTH) {
        if (x->framing.length > x->max)
            return too_large(x, err);
        r = make_room(x, (size_t)x->framing.length, err);
        if (r < 0)
            return r;
        r = charge(x, x->cap < BUDGET_STEP ? x->cap : BUDGET_STEP, err);
        if (r < 0)
            return r;
    }
    x->want = KM_WANT_BODY;
    if (gather_now(x, &r, err)) {
        x->want = KM_WANT_DONE;
        *ret_body = km_str(x->bytes, x->n);
        return 0;
    }
    if (r < 0) {
        x->want = KM_WANT_DONE;
        c->broken = true;
        return r;
    }
    if (x->framing.expect && x->body.got == 0 && x->body.overhead == 0)
        km_conn_write(c, &KM_STR("HTTP/1.1 100 Continue\r\n\r\n"), 1);
    x->framing.expect = false;
    km_conn_body_deadline(c, true, 0);
    km_conn_flow(c);
    return KM_E_AGAIN;
}

/* --- the end --- */

void km_exchange_done(struct km_exchange *x)
{
    struct km_http_server *s = x->conn->server;

    if (x->budget > 0)
        km_body_budget_give(s->args.bodies, x->budget);
    if (x->conn->stream)
        km_stream_offer(x->conn->stream, NULL, 0);
    if (x->block)
        km_server_give_block(s, x->bytes, x->block);
    km_deferred_cancel(&x->flush);
    if (x->cork)
        km_cork_give(s, x->cork);
    if (x->refusal_status)
        km_buf_done(&x->refusal);
    km_arena_done(&x->arena);
    km_exchange_give(s, x);
}
