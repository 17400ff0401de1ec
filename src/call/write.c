/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - the one way out: every byte that a call has for its client leaves here.
 *
 * Whoever wants to see what is said (a guard, a cache, a count) stands here and nowhere else, and
 * back-pressure stands here once: a client that takes no more pauses the upstream until it does.
 */
#include "call/call.h"

#include "call/veil.h"

void km_call_start_answer(struct km_call *call, int status, struct km_str head, uint64_t length)
{
    call->streaming = true;
    call->port->ops->start(call->port, status, head, length);
}

bool km_call_write(struct km_call *call, const struct km_str *parts, size_t n)
{
    bool room = call->port->ops->write(call->port, parts, n);

    if (!room && call->at->up)
        km_http_pause(call->at->up);
    return room;
}

void km_call_write_one(struct km_call *call, struct km_str part)
{
    if (part.n)
        (void)km_call_write(call, &part, 1);
}

void km_call_relay(struct km_call *call, struct km_str part)
{
    if (call->gate)
        part = km_veil_gate_feed(call->gate, call->w->gw->veil, part, false);
    km_call_write_one(call, part);
}

void km_call_respond(struct km_call *call, int status, struct km_str head, struct km_str body)
{
    call->port->ops->respond(call->port, status, head, body);
}

void km_call_end_answer(struct km_call *call)
{
    call->port->ops->end(call->port);
}

void km_call_break_answer(struct km_call *call)
{
    call->port->ops->abort(call->port);
}

bool km_call_take_back(struct km_call *call)
{
    return call->port->ops->take_back(call->port);
}
