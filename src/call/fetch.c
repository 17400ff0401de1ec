/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.c - what an attempt brings, on its way from the upstream to its kind.
 *
 *     upstream ── bytes ──> (a kind that reads events takes them apart) ── pieces ──> fetch rows
 *              ──> sink: the kind's on_event or on_body, or the whole that is gathered
 *
 * An answer that is read as a whole comes as its bytes too, and once more with the END, when all of
 * it is here.  Without a row the bytes go to the kind as they come.
 */
#include "call/call.h"

#include "call/hooks.h"

/* A whole body, counted against the bound of all bodies. */
static int gather(struct km_call *call, struct km_str bytes, struct km_err *err)
{
    if (!km_body_budget_take(&call->w->gw->bodies, (int64_t)bytes.n))
        return km_fail(err, KM_E_OVERLOADED, "Too much is being buffered right now; try again.");
    call->at->answer_taken += (int64_t)bytes.n;
    km_buf_bytes(&call->at->answer, bytes.p, bytes.n);
    return km_buf_failed(&call->at->answer)
               ? km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                         "The upstream's answer is over kanmon_settings.response_bytes.")
               : 0;
}

static bool relays(const struct km_call *call)
{
    return call->at->relaying && call->step == KM_STEP_relay;
}

static int take_bytes(struct km_call *call, struct km_str bytes, struct km_err *err)
{
    return relays(call) ? call->kind->on_body(call, bytes.p, bytes.n, err)
                        : gather(call, bytes, err);
}

static int sink(void *ctx, struct km_piece *piece, struct km_err *err)
{
    struct km_call *call = ctx;

    if (piece->what == KM_PIECE_EVENT)
        return call->kind->on_event(call, piece, err);
    return piece->what == KM_PIECE_BYTES ? take_bytes(call, piece->bytes, err) : 0;
}

static const struct km_chain_ops ops = { sink, km_call_on_more };

void km_call_fetch_begin(struct km_call *call)
{
    struct km_err err;

    if (!km_call_has_units(call, KM_UNITS_FETCH))
        return;
    km_chain_init(&call->at->fetch, &call->arena, &ops, call);
    if (km_call_join_units(call, KM_UNITS_FETCH, &call->at->fetch, &err) < 0)
        km_call_refuse(call, &err);
}

static int bytes_through(struct km_call *call, struct km_str bytes, struct km_err *err)
{
    struct km_piece piece = { .what = KM_PIECE_BYTES, .bytes = bytes };

    return km_chain_take(&call->at->fetch, &piece, err);
}

int km_call_fetch_bytes(struct km_call *call, struct km_str bytes, struct km_err *err)
{
    if (relays(call) && (!call->at->fetch.first || call->kind->on_event))
        return call->kind->on_body(call, bytes.p, bytes.n, err);
    return call->at->fetch.first ? bytes_through(call, bytes, err) : gather(call, bytes, err);
}

static int end_through(struct km_call *call, struct km_err *err)
{
    struct km_piece piece = { .what = KM_PIECE_END, .lasts = true };

    if (!call->at->relaying)
        piece.bytes = km_buf_view(&call->at->answer);
    call->at->fetched = true;
    return km_chain_take(&call->at->fetch, &piece, err);
}

int km_call_fetch_end(struct km_call *call, struct km_err *err)
{
    return call->at->fetch.first && !call->at->fetched ? end_through(call, err) : 0;
}
