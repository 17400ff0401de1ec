/* SPDX-License-Identifier: Apache-2.0 */
/* http_port.c - an HTTP exchange as the port of a call: see port.h.
 *
 *     exchange ── on_body, on_drain, on_gone, on_piece ──> owner
 *     exchange <── start, write, end, abort, respond ───── owner
 *
 * Nothing is decided here: what HTTP has for a thing is called by its name.  The port lives in the
 * exchange's arena, and the exchange ends only when the port's owner says so.
 */
#include "door/http_port.h"

#include "door/auth.h"

struct http_port {
    struct km_port port;
    struct km_visit *v;
};

static struct km_exchange *exchange_of(struct km_port *port)
{
    return KM_CONTAINER(port, struct http_port, port)->v->x;
}

static int take_body(struct km_port *port, int64_t most, struct km_str *ret, struct km_err *err)
{
    return km_exchange_body(exchange_of(port), most, ret, err);
}

static int take_pieces(struct km_port *port, int64_t most, struct km_err *err)
{
    return km_exchange_pieces(exchange_of(port), most, err);
}

static void pause_pieces(struct km_port *port)
{
    km_exchange_stop(exchange_of(port));
}

static void resume_pieces(struct km_port *port)
{
    km_exchange_go_on(exchange_of(port));
}

static void start_answer(struct km_port *port, int status, struct km_str head, uint64_t length)
{
    km_exchange_start(exchange_of(port), status, head, length);
}

static bool write_parts(struct km_port *port, const struct km_str *parts, size_t n)
{
    return km_exchange_write(exchange_of(port), parts, n);
}

static void end_answer(struct km_port *port)
{
    km_exchange_end(exchange_of(port));
}

static void abort_answer(struct km_port *port)
{
    km_exchange_abort(exchange_of(port));
}

static void respond_whole(struct km_port *port, int status, struct km_str head, struct km_str body)
{
    km_exchange_respond(exchange_of(port), status, head, body);
}

static void put_challenge(struct km_port *port, const struct km_err *err, struct km_buf *head)
{
    if (err->code == KM_E_UNAUTHENTICATED)
        km_auth_challenge(KM_CONTAINER(port, struct http_port, port)->v, err, head);
}

static bool take_back_answer(struct km_port *port)
{
    return km_exchange_take_back(exchange_of(port));
}

static const struct km_port_ops ops = {
    .name = "http",
    .gone = KM_GONE_CANCEL,
    .body = take_body,
    .pieces = take_pieces,
    .pause = pause_pieces,
    .resume = resume_pieces,
    .start = start_answer,
    .write = write_parts,
    .end = end_answer,
    .abort = abort_answer,
    .respond = respond_whole,
    .challenge = put_challenge,
    .take_back = take_back_answer,
};

/* --- what the exchange says --- */

static void on_body(void *ctx, struct km_str body, const struct km_err *err)
{
    struct km_port *port = ctx;

    port->events->on_body(port->ctx, body, err);
}

static void on_drain(void *ctx)
{
    struct km_port *port = ctx;

    if (port->events->on_writable)
        port->events->on_writable(port->ctx);
}

static void on_gone(void *ctx)
{
    struct km_port *port = ctx;

    port->events->on_gone(port->ctx);
}

static void on_piece(void *ctx, struct km_str bytes, bool last, const struct km_err *err)
{
    struct km_port *port = ctx;

    port->events->on_piece(port->ctx, bytes, last, err);
}

static const struct km_exchange_events events = {
    .on_body = on_body,
    .on_drain = on_drain,
    .on_gone = on_gone,
    .on_piece = on_piece,
};

/* Until it has an owner. */
static void on_nobody_gone(void *ctx)
{
    struct km_port *port = ctx;

    port->ops->abort(port);
}

static const struct km_port_events nobody = { .on_gone = on_nobody_gone };

struct km_port *km_http_port(struct km_visit *v)
{
    struct http_port *port = km_arena_alloc(km_exchange_arena(v->x), sizeof *port);

    if (!port)
        return NULL;
    *port = (struct http_port){ .port = { .ops = &ops }, .v = v };
    km_port_listen(&port->port, &nobody, &port->port);
    km_exchange_listen(v->x, &events, &port->port);
    return &port->port;
}
