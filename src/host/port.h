/* SPDX-License-Identifier: Apache-2.0 */
/* port.h - the other end of a call: who gave its request and gets its answer.
 *
 *     owner ── body, pieces, start, write, end, abort, respond ──> port    an HTTP exchange, a
 *              ask, progress                                               stream of MCP, an inner
 *     owner <── on_body, on_piece, on_writable, on_gone ── port            asker
 *
 * Its owner is a call, or what stands between (an MCP pipe); a call without a port (NULL) answers
 * nobody.  A port is used on its maker's worker only; whoever sits on another thread stands behind
 * a mailbox.  What it keeps of head or parts it copies.  After end, abort or respond it may be
 * gone.
 */
#ifndef KM_HOST_PORT_H
#define KM_HOST_PORT_H

#include "base/err.h"
#include "base/str.h"

struct km_buf;
struct km_port;

/* What a call does when its port says that nobody listens any more. */
enum km_port_gone {
    KM_GONE_CANCEL, /* nobody wants the answer: the call ends */
    KM_GONE_RUN_ON, /* its effect was asked for, and may be collected later */
};

struct km_port_ops {
    const char *name; /* "http" */
    enum km_port_gone gone;
    /* The body of the request, at most `most` bytes, a view that lives as long as the port.
     * KM_E_AGAIN: on_body() follows. */
    int (*body)(struct km_port *port, int64_t most, struct km_str *ret, struct km_err *err);
    /* Instead, as it comes: on_piece() follows.  NULL: it has no body that long. */
    int (*pieces)(struct km_port *port, int64_t most, struct km_err *err);
    void (*pause)(struct km_port *port); /* no piece until resume; from on_piece too */
    void (*resume)(struct km_port *port); /* the next comes later, never from here */
    /* The head of an answer whose body follows by write; head: lines; length: UINT64_MAX where it
     * is not known. */
    void (*start)(struct km_port *port, int status, struct km_str head, uint64_t length);
    /* Takes all of it; false: enough for now, on_writable() follows. */
    bool (*write)(struct km_port *port, const struct km_str *parts, size_t n);
    void (*end)(struct km_port *port); /* the answer is complete */
    void (*abort)(struct km_port *port); /* it is not, and its reader has to notice */
    void (*respond)(struct km_port *port, int status, struct km_str head, struct km_str body);
    /* Lines of its own in the head of a refusal: how to log in.  NULL: none. */
    void (*challenge)(struct km_port *port, const struct km_err *err, struct km_buf *head);
    /* Nothing of what was started has left: it is as if nothing had been. */
    bool (*take_back)(struct km_port *port);
    /* Before the answer, by MCP's methods.  Asks the caller something (elicitation, sampling,
     * roots), whose answer under that id is a request of its own; id, a JSON value, empty: tells it
     * something that it needs.  false: it cannot be reached now.  NULL: it can be asked nothing. */
    bool (*ask)(struct km_port *port, struct km_str id, struct km_str method, struct km_str params);
    /* News: left out while its reader is slow.  NULL: nobody hears them. */
    void (*progress)(struct km_port *port, struct km_str method, struct km_str params);
};

/* What it tells its owner; never from within an operation of its own.  A NULL row: not told. */
struct km_port_events {
    /* The body that was asked for, or why there is none. */
    void (*on_body)(void *ctx, struct km_str body, const struct km_err *err);
    /* A piece of a body that is taken as it comes. */
    void (*on_piece)(void *ctx, struct km_str bytes, bool last, const struct km_err *err);
    void (*on_writable)(void *ctx); /* after a write that said: enough for now */
    /* Nobody listens any more.  It has to be ended (abort) all the same. */
    void (*on_gone)(void *ctx);
};

/* The first member of every port; where it lives is its maker's affair. */
struct km_port {
    const struct km_port_ops *ops;
    const struct km_port_events *events;
    void *ctx; /* of the events */
};

static inline void km_port_listen(struct km_port *port, const struct km_port_events *events,
                                  void *ctx)
{
    port->events = events;
    port->ctx = ctx;
}

#endif
