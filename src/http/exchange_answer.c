/* SPDX-License-Identifier: Apache-2.0 */
/* exchange_answer.c - the answer's way out; contract in server.h.
 *
 * Whether the connection survives is decided when the answer's head is made, because the head
 * says so: not if the client or the server wants it closed, and not if so much of the body is
 * still unread that reading it would cost more than a new connection.
 *
 * A whole answer leaves at once in one gathered write.  The pieces of a stream are corked: what
 * is written in one turn of the loop, the head, a dozen events that came in one packet, the
 * last chunk, is copied into one block and leaves together at the end of the turn.  A write
 * that does not fit leaves at once, behind the block, without being copied.
 */
#include <stdlib.h>

#include "base/veil.h"
#include "http/conn.h"

#define MAX_PARTS 64

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
    /* Without memory for both, the answer's own lines are those that matter. */
    if (x->more_head.n) {
        struct km_str both = km_arena_cat(&x->arena, (struct km_str[]){ head, x->more_head }, 2);

        head = both.p ? both : head;
    }
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

/* --- refusals --- */

/* A redirect is one, too: its body repeats what the upstream was sent as well as any other. */
static bool is_refusal(int status)
{
    return status >= 300 && status != 304;
}

/* A body with the marks, which may be longer than it. */
static struct km_str veiled(struct km_exchange *x, struct km_str body, struct km_buf *out)
{
    if (!km_veil_cut(x->conn->server->args.veil, body, out))
        return body;
    return km_buf_failed(out) ? KM_STR_NONE : km_buf_view(out);
}

/* Its body has to be seen whole before any of it leaves. */
static bool gathers(struct km_exchange *x, int status, struct km_str head)
{
    if (!is_refusal(status) || !x->conn->server->args.veil ||
        km_str_eq(x->request.method, KM_STR("HEAD")))
        return false;
    x->refusal_head = km_arena_str(&x->arena, head);
    if (x->refusal_head.n != head.n)
        return false;
    km_buf_init(&x->refusal, KM_REFUSAL_BYTES);
    x->refusal_status = status;
    return true;
}

static void gather(struct km_exchange *x, const struct km_str *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        km_buf_str(&x->refusal, km_str_sub(parts[i], 0, KM_REFUSAL_BYTES - x->refusal.n));
}

void km_exchange_respond(struct km_exchange *x, int status, struct km_str head, struct km_str body)
{
    struct km_buf cut KM_CLEANUP(km_buf_done) = KM_BUF(KM_REFUSAL_BYTES * 4);
    struct km_answer a;

    if (x->gone) {
        finish(x, false);
        return;
    }
    if (is_refusal(status) && x->conn->server->args.veil)
        body = veiled(x, body, &cut);
    decide(x, status, body.n, head, &a);
    km_conn_write(x->conn, (struct km_str[]){ a.parts[0], a.parts[1], a.parts[2], body },
                  x->no_body ? 3 : 4);
    finish(x, x->keep);
}

/* What is corked leaves. */
static void flush(void *ctx)
{
    struct km_exchange *x = ctx;
    struct km_cork *cork = x->cork;

    km_deferred_cancel(&x->flush);
    x->cork = NULL;
    if (!cork)
        return;
    if (!x->gone)
        km_conn_write(x->conn, &(struct km_str){ cork->data, cork->n }, 1);
    km_cork_give(x->conn->server, cork);
}

/* Room for n bytes that leave at the end of the iteration; NULL: they are too many. */
static char *corked(struct km_exchange *x, size_t n)
{
    struct km_cork *cork = x->cork;

    if (n > KM_CORK_BYTES || (cork && n > KM_CORK_BYTES - cork->n))
        return NULL;
    if (!cork) {
        cork = x->cork = km_cork_take(x->conn->server);
        if (!cork)
            return NULL;
        km_deferred_init(&x->flush, x->conn->server->loop, flush, x);
        km_deferred_queue(&x->flush);
    }
    cork->n += n;
    return cork->data + cork->n - n;
}

static char *put(char *at, struct km_str s)
{
    if (s.n > 0)
        memcpy(at, s.p, s.n);
    return at + s.n;
}

void km_exchange_start(struct km_exchange *x, int status, struct km_str head, uint64_t length)
{
    struct km_answer a;
    char *at;

    if (x->gone || gathers(x, status, head))
        return;
    decide(x, status, length, head, &a);
    at = corked(x, a.parts[0].n + head.n + a.parts[2].n);
    if (at)
        put(put(put(at, a.parts[0]), head), a.parts[2]);
    else
        km_conn_write(x->conn, a.parts, 3);
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

/* Too much to be copied: leaves at once, behind what is corked. */
static void write_through(struct km_exchange *x, struct km_str line, const struct km_str *parts,
                          size_t n, struct km_str end)
{
    struct km_cork *cork = x->cork;
    struct batch b;

    b.conn = x->conn;
    b.n = 0;
    if (cork)
        add_part(&b, km_str(cork->data, cork->n));
    add_part(&b, line);
    for (size_t i = 0; i < n; i++)
        add_part(&b, parts[i]);
    add_part(&b, end);
    km_conn_write(b.conn, b.v, b.n);
    if (!cork)
        return;
    km_deferred_cancel(&x->flush);
    km_cork_give(x->conn->server, cork);
    x->cork = NULL;
}

bool km_exchange_write(struct km_exchange *x, const struct km_str *parts, size_t n)
{
    struct km_str line = KM_STR_NONE, end = KM_STR_NONE;
    char text[20], *at;
    size_t total = 0;

    if (x->refusal_status) {
        gather(x, parts, n);
        return true;
    }
    for (size_t i = 0; i < n; i++)
        total += parts[i].n;
    if (x->gone || x->no_body || total == 0)
        return true;
    km_assert(x->started && (x->left == UINT64_MAX || total <= x->left));
    if (x->chunked) {
        line = km_str(text, hex_line(text, total));
        end = KM_STR("\r\n");
    }
    at = corked(x, line.n + total + end.n);
    if (at) {
        at = put(at, line);
        for (size_t i = 0; i < n; i++)
            at = put(at, parts[i]);
        put(at, end);
    } else {
        write_through(x, line, parts, n, end);
    }
    if (x->left != UINT64_MAX)
        x->left -= total;
    x->want_drain = x->conn->over;
    return !x->conn->over;
}

void km_exchange_upgrade(struct km_exchange *x, struct km_str head)
{
    struct km_conn *c = x->conn;
    const struct km_str parts[] = { KM_STR("HTTP/1.1 101 Switching Protocols\r\n"), head,
                                    KM_STR("\r\n") };

    km_assert(!x->started && x->framing.kind == KM_BODY_NONE);
    x->started = x->upgraded = true;
    x->left = UINT64_MAX;
    if (x->gone)
        return;
    km_conn_write(c, parts, sizeof parts / sizeof parts[0]);
    if (c->held.n > 0)
        km_deferred_queue(&c->later);
}

void km_exchange_pause(struct km_exchange *x)
{
    x->paused = true;
    km_conn_flow(x->conn);
}

void km_exchange_resume(struct km_exchange *x)
{
    struct km_conn *c = x->conn;

    if (!x->paused)
        return;
    x->paused = false;
    if (c->stream && c->held.n > 0)
        km_deferred_queue(&c->later);
    else
        km_conn_flow(c);
}

void km_exchange_end(struct km_exchange *x)
{
    const struct km_str last = KM_STR("0\r\n\r\n");
    char *at;

    km_assert(x->started || x->refusal_status || x->gone);
    if (x->refusal_status && !x->gone) {
        km_exchange_respond(x, x->refusal_status, x->refusal_head, km_buf_view(&x->refusal));
        return;
    }
    if (x->gone) {
        finish(x, false);
        return;
    }
    if (!x->no_body && x->left != UINT64_MAX && x->left > 0) {
        km_exchange_abort(x); /* less than was announced */
        return;
    }
    if (x->chunked) {
        at = corked(x, last.n);
        if (at)
            put(at, last);
        else
            write_through(x, last, NULL, 0, KM_STR_NONE);
    }
    flush(x);
    finish(x, x->keep);
}

bool km_exchange_take_back(struct km_exchange *x)
{
    if (x->gone || x->started || !x->refusal_status)
        return false;
    km_buf_done(&x->refusal);
    x->refusal_status = 0;
    return true;
}

void km_exchange_abort(struct km_exchange *x)
{
    if (!x->gone) {
        flush(x);
        x->conn->reset = x->started && !x->chunked && !x->no_body && x->left == UINT64_MAX;
    }
    finish(x, false);
}
