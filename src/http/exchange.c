/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.c - one request and its answer, as the handler sees them; contract in server.h.
 *
 * The body is gathered only when asked for.  With a known length it is one block of exactly
 * that size, filled from the read buffer; a chunked one grows.  The bound on all bodies is
 * charged with what has really arrived (in steps), so that announcing 32 MiB and sending one
 * byte takes nothing away from others.
 *
 * Whether the connection survives is decided when the answer's head is made, because the head
 * says so: not if the client or the server wants it closed, and not if so much of the body is
 * still unread that reading it would cost more than a new connection.
 */
#include <stdlib.h>

#include "base/time.h"
#include "http/conn.h"

#define IN_ARENA 2048 /* bodies up to this are the arena's */
#define BUDGET_STEP (64 * 1024)
#define CHUNKED_MIN 4096
#define MAX_PARTS 64

void km_exchange_begin(struct km_exchange *x)
{
    struct km_http_server *s = x->conn->server;

    x->began_ns = km_mono_ns();
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

uint64_t km_exchange_began_ns(const struct km_exchange *x)
{
    return x->began_ns;
}

void km_exchange_listen(struct km_exchange *x, const struct km_exchange_events *events, void *ctx)
{
    x->events = events;
    x->ctx = ctx;
}

bool km_exchange_gone(const struct km_exchange *x)
{
    return x->gone;
}

uint64_t km_exchange_sent(const struct km_exchange *x)
{
    return x->sent;
}

/* --- the request's body --- */

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

static int too_large(const struct km_exchange *x, struct km_err *err)
{
    return km_fail(err, KM_E_BODY_TOO_LARGE, "the request body is over %zu bytes", x->max);
}

static int make_room(struct km_exchange *x, size_t cap, struct km_err *err)
{
    char *grown;

    if (!x->bytes && cap <= IN_ARENA) {
        x->bytes = km_arena_alloc(&x->arena, cap);
        x->cap = cap;
        return x->bytes ? 0 : km_fail(err, KM_E_NOMEM, "no memory for a request body");
    }
    grown = realloc(x->bytes_owned ? x->bytes : NULL, cap);
    if (!grown)
        return km_fail(err, KM_E_NOMEM, "no memory for a request body of %zu bytes", cap);
    x->bytes = grown;
    x->bytes_owned = true;
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
        if (r == 0) {
            memcpy(x->bytes + x->n, piece.p, piece.n);
            x->n += piece.n;
        }
    }
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
    x->want = KM_WANT_DONE;
    x->conn->broken = true;
    x->conn->deadline_ms = UINT64_MAX;
    x->events->on_body(x->ctx, KM_STR_NONE, err);
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

/* --- the answer --- */

/* Drops body bytes that are already here; true: the rest is worth reading. */
static bool body_is_bearable(struct km_exchange *x)
{
    struct km_conn *c = x->conn;
    bool outside = !c->processing;
    struct km_str piece;
    int r = 0;

    if (x->body.done)
        return true;
    if (outside)
        km_conn_in_begin(c);
    while (r == 0 && !x->body.done && c->in.n > 0)
        r = km_body_next(&x->body, &c->in, &piece, NULL);
    if (outside)
        km_conn_in_end(c);
    if (r < 0)
        c->broken = true;
    return x->body.done || (r == 0 && !x->framing.expect && x->body.kind == KM_BODY_LENGTH &&
                            x->body.left <= KM_SKIP_BYTES);
}

static bool survives(struct km_exchange *x)
{
    struct km_conn *c = x->conn;
    struct km_http_server *s = c->server;

    if (!x->framing.keep_alive || c->broken || c->eof || !body_is_bearable(x) || c->broken)
        return false;
    return !s->draining || (s->pass_on && !c->tls);
}

/* Decides everything the head says. */
static void decide(struct km_exchange *x, int status, uint64_t length, struct km_str head,
                   struct km_answer *a)
{
    uint64_t says = length;
    bool old = x->request.minor == 0;

    km_assert(!x->started);
    x->started = true;
    x->keep = survives(x);
    x->left = length;
    x->no_body = status == 204 || status == 304 || km_str_eq(x->request.method, KM_STR("HEAD"));
    if (length == UINT64_MAX && old) {
        says = KM_LENGTH_NONE;
        x->keep = x->keep && x->no_body;
    }
    x->chunked = says == UINT64_MAX && !x->no_body;
    if (status == 204 || status == 304)
        says = KM_LENGTH_NONE;
    km_answer_head(x->conn->server, a, status, head, says, x->keep, old);
}

/* Ends the exchange; the pointer is dead after. */
static void finish(struct km_exchange *x, bool keep)
{
    struct km_conn *c = x->conn;
    uint64_t rest = keep && !x->body.done ? x->body.left : 0;

    km_exchange_done(x);
    km_conn_next(c, keep, rest);
}

void km_exchange_done(struct km_exchange *x)
{
    struct km_http_server *s = x->conn->server;

    if (x->budget > 0)
        km_body_budget_give(s->args.bodies, x->budget);
    if (x->bytes_owned)
        free(x->bytes);
    km_deferred_cancel(&x->flush);
    km_arena_done(&x->arena);
    km_exchange_give(s, x);
}

void km_exchange_respond(struct km_exchange *x, int status, struct km_str head, struct km_str body)
{
    struct km_answer a;

    if (x->gone) {
        finish(x, false);
        return;
    }
    decide(x, status, body.n, head, &a);
    x->sent = x->no_body ? 0 : body.n;
    km_conn_write(x->conn, (struct km_str[]){ a.parts[0], a.parts[1], a.parts[2], body },
                  x->no_body ? 3 : 4);
    finish(x, x->keep);
}

static void flush_head(void *ctx)
{
    struct km_exchange *x = ctx;

    km_deferred_cancel(&x->flush);
    if (x->pending.n > 0 && !x->gone)
        km_conn_write(x->conn, &x->pending, 1);
    x->pending = KM_STR_NONE;
}

void km_exchange_start(struct km_exchange *x, int status, struct km_str head, uint64_t length)
{
    struct km_answer a;

    if (x->gone)
        return;
    decide(x, status, length, head, &a);
    x->pending = km_arena_cat(&x->arena, a.parts, 3);
    if (!x->pending.p) { /* no memory to wait: it leaves alone */
        km_conn_write(x->conn, a.parts, 3);
        return;
    }
    km_deferred_init(&x->flush, x->conn->server->loop, flush_head, x);
    km_deferred_queue(&x->flush);
}

static size_t hex_line(char *out, size_t v)
{
    static const char digits[] = "0123456789abcdef";
    char text[16];
    size_t n = 0, at = 0;

    do {
        text[n++] = digits[v & 15];
        v >>= 4;
    } while (v > 0);
    while (n > 0)
        out[at++] = text[--n];
    out[at++] = '\r';
    out[at++] = '\n';
    return at;
}

/* Parts gathered until the array is full; few enough leave in one write. */
struct batch {
    struct km_conn *conn;
    struct km_str v[MAX_PARTS];
    size_t n;
};

static void add_part(struct batch *b, struct km_str s)
{
    if (s.n == 0)
        return;
    if (b->n == MAX_PARTS) {
        km_conn_write(b->conn, b->v, b->n);
        b->n = 0;
    }
    b->v[b->n++] = s;
}

static void add_head(struct km_exchange *x, struct batch *b)
{
    if (x->pending.n == 0)
        return;
    add_part(b, x->pending);
    x->pending = KM_STR_NONE;
    km_deferred_cancel(&x->flush);
}

bool km_exchange_write(struct km_exchange *x, const struct km_str *parts, size_t n)
{
    struct batch b;
    char line[20];
    size_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += parts[i].n;
    if (x->gone || x->no_body || total == 0)
        return true;
    km_assert(x->started && (x->left == UINT64_MAX || total <= x->left));
    b.conn = x->conn;
    b.n = 0;
    add_head(x, &b);
    if (x->chunked)
        add_part(&b, km_str(line, hex_line(line, total)));
    for (size_t i = 0; i < n; i++)
        add_part(&b, parts[i]);
    if (x->chunked)
        add_part(&b, KM_STR("\r\n"));
    km_conn_write(b.conn, b.v, b.n);
    x->sent += total;
    if (x->left != UINT64_MAX)
        x->left -= total;
    x->want_drain = x->conn->over;
    return !x->conn->over;
}

void km_exchange_end(struct km_exchange *x)
{
    struct batch b = { .conn = x->conn };

    km_assert(x->started || x->gone);
    if (x->gone) {
        finish(x, false);
        return;
    }
    if (!x->no_body && x->left != UINT64_MAX && x->left > 0) {
        km_exchange_abort(x); /* less than was announced */
        return;
    }
    add_head(x, &b);
    if (x->chunked)
        add_part(&b, KM_STR("0\r\n\r\n"));
    if (b.n > 0)
        km_conn_write(b.conn, b.v, b.n);
    finish(x, x->keep);
}

void km_exchange_abort(struct km_exchange *x)
{
    if (!x->gone) {
        flush_head(x);
        x->conn->reset = x->started && !x->chunked && !x->no_body && x->left == UINT64_MAX;
    }
    finish(x, false);
}
