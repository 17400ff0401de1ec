/* SPDX-License-Identifier: Apache-2.0 */
/* pipe.c - see pipe.h for the contract.
 *
 * A pipe is one block with a half for each loop.  The door frees it, after the owner's last
 * message; but when the door has told the owner that the client is gone, that message may still
 * be under way to the owner, and then the owner sends one more ("free") when it has read it.
 * Mailboxes keep the order of a sender, so nothing follows that.  A worker does not stop before
 * the pipes it has a half of are gone (hub.h), so a message always finds its reader.
 *
 *     door:   port ... on_gone ──> told = true ── (last message: free now unless told and not seen)
 *     owner:  ended, seen                   ── (reads "gone" after its end: sends "free")
 *
 * What the owner writes is copied once, into the message.  The client's slowness comes back as a
 * flag that the door sets: the owner looks at it when it writes next.
 */
#include "gateway/mcp/pipe.h"

#include <stdlib.h>

#include "gateway/mcp/hub.h"

enum op { OP_RESPOND, OP_START, OP_WRITE, OP_END, OP_ABORT, OP_FREE };

struct km_mcp_pipe {
    struct km_mcp_hub *door, *owner;
    /* --- door's loop --- */
    struct km_port *port; /* NULL: the client went, and it was ended */
    struct km_msg gone_msg;
    bool told; /* gone_msg was posted */
    /* --- owner's loop --- */
    const struct km_mcp_pipe_events *events;
    void *ctx;
    bool gone, ended;
    /* --- both --- */
    _Atomic bool slow;
};

struct op_msg {
    struct km_msg msg;
    struct km_mcp_pipe *p;
    enum op op;
    int status;
    bool seen; /* the owner has read that the client is gone */
    struct km_str head, body;
    char bytes[];
};

static bool near(const struct km_mcp_pipe *p)
{
    return p->door == p->owner;
}

/* --- the door --- */

static void on_gone_told(struct km_msg *msg, void *owner);

static void on_port_gone(void *ctx)
{
    struct km_mcp_pipe *p = ctx;

    if (near(p)) {
        p->gone = true;
        if (p->events)
            p->events->on_gone(p->ctx);
        return;
    }
    p->port->ops->abort(p->port);
    p->port = NULL;
    p->told = true;
    p->gone_msg.run = on_gone_told;
    km_mailbox_post(p->owner->w->mailbox, &p->gone_msg);
}

static void on_writable(void *ctx)
{
    struct km_mcp_pipe *p = ctx;

    p->slow = false;
}

static const struct km_port_events port_events = { .on_writable = on_writable,
                                                   .on_gone = on_port_gone };

/* A request is about to be passed on; false: the owner is ending. */
static bool reach(struct km_mcp_hub *door, struct km_mcp_hub *owner)
{
    owner->reached++;
    if (owner->closing) { /* it looks at `reached` after it has set this */
        owner->reached--;
        return false;
    }
    door->doors++;
    return true;
}

/* That request is over.  On the door's loop both. */
static void leave(struct km_mcp_hub *door, struct km_mcp_hub *owner)
{
    door->doors--;
    owner->reached--;
}

struct km_mcp_pipe *km_mcp_pipe_new(struct km_port *port, struct km_mcp_hub *door,
                                    struct km_mcp_hub *owner)
{
    struct km_mcp_pipe *p;

    if (door != owner && !reach(door, owner))
        return NULL;
    p = malloc(sizeof *p);
    if (!p) {
        if (door != owner)
            leave(door, owner);
        return NULL;
    }
    *p = (struct km_mcp_pipe){ .port = port, .door = door, .owner = owner };
    km_port_listen(port, &port_events, p);
    return p;
}

static void perform(struct km_mcp_pipe *p, const struct op_msg *m)
{
    const struct km_port_ops *ops = p->port->ops;

    if (m->op == OP_RESPOND)
        ops->respond(p->port, m->status, m->head, m->body);
    else if (m->op == OP_START)
        ops->start(p->port, m->status, m->head, UINT64_MAX);
    else if (m->op == OP_WRITE)
        p->slow = !ops->write(p->port, &m->body, 1);
    else if (m->op == OP_END)
        ops->end(p->port);
    else if (m->op == OP_ABORT)
        ops->abort(p->port);
}

static void run_op(struct km_msg *msg, void *owner)
{
    struct op_msg *m = (struct op_msg *)msg;
    struct km_mcp_pipe *p = m->p;
    bool last = m->op != OP_START && m->op != OP_WRITE;

    (void)owner;
    if (p->port)
        perform(p, m);
    if (last && (m->op == OP_FREE || !p->told || m->seen)) {
        leave(p->door, p->owner);
        free(p);
    } else if (last) {
        p->port = NULL;
    }
    free(m);
}

bool km_mcp_pipe_move(struct km_mcp_pipe *p, struct km_mcp_hub *to)
{
    if (p->door == to || !near(p) || !reach(p->door, to))
        return false;
    p->owner = to;
    return true;
}

/* --- the owner --- */

void km_mcp_pipe_listen(struct km_mcp_pipe *p, const struct km_mcp_pipe_events *events, void *ctx)
{
    p->events = events;
    p->ctx = ctx;
}

static void post(struct km_mcp_pipe *p, enum op op, int status, struct km_str head,
                 const struct km_str *parts, size_t nparts)
{
    struct op_msg *m;
    size_t n = 0;
    char *at;

    for (size_t i = 0; i < nparts; i++)
        n += parts[i].n;
    m = malloc(sizeof *m + head.n + n);
    if (!m)
        abort(); /* the client's end cannot be reached without it */
    *m = (struct op_msg){ .msg.run = run_op, .p = p, .op = op, .status = status, .seen = p->gone };
    m->head.p = at = m->bytes;
    m->head.n = head.n;
    if (head.n)
        memcpy(at, head.p, head.n);
    at += head.n;
    m->body.p = at;
    m->body.n = n;
    for (size_t i = 0; i < nparts; i++) {
        if (parts[i].n)
            memcpy(at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    km_mailbox_post(p->door->w->mailbox, &m->msg);
}

static void on_gone_told(struct km_msg *msg, void *owner)
{
    struct km_mcp_pipe *p = KM_CONTAINER(msg, struct km_mcp_pipe, gone_msg);

    (void)owner;
    p->gone = true;
    if (p->ended)
        post(p, OP_FREE, 0, KM_STR_NONE, NULL, 0);
    else if (p->events)
        p->events->on_gone(p->ctx);
}

static void last(struct km_mcp_pipe *p, enum op op)
{
    if (near(p)) {
        struct km_port *port = p->port;

        free(p);
        if (op == OP_END)
            port->ops->end(port);
        else
            port->ops->abort(port);
        return;
    }
    p->ended = true;
    post(p, op, 0, KM_STR_NONE, NULL, 0);
}

void km_mcp_pipe_respond(struct km_mcp_pipe *p, int status, struct km_str head, struct km_str body)
{
    if (near(p)) {
        struct km_port *port = p->port;

        free(p);
        port->ops->respond(port, status, head, body);
        return;
    }
    p->ended = true;
    post(p, OP_RESPOND, status, head, &body, 1);
}

void km_mcp_pipe_start(struct km_mcp_pipe *p, int status, struct km_str head)
{
    if (near(p))
        p->port->ops->start(p->port, status, head, UINT64_MAX);
    else
        post(p, OP_START, status, head, NULL, 0);
}

bool km_mcp_pipe_write(struct km_mcp_pipe *p, const struct km_str *parts, size_t n)
{
    if (p->gone)
        return true;
    if (near(p)) {
        p->slow = !p->port->ops->write(p->port, parts, n);
        return !p->slow;
    }
    post(p, OP_WRITE, 0, KM_STR_NONE, parts, n);
    return !p->slow;
}

void km_mcp_pipe_end(struct km_mcp_pipe *p)
{
    last(p, OP_END);
}

void km_mcp_pipe_abort(struct km_mcp_pipe *p)
{
    last(p, OP_ABORT);
}

bool km_mcp_pipe_slow(const struct km_mcp_pipe *p)
{
    return p->slow;
}
