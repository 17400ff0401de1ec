/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - the one way out: every byte that a call has for its client leaves here.
 *
 *     kind, reply.c ── pieces ──> deliver: (a kind's own units) (deliver rows) (the dialect)
 *                                 (shown rows) ──> sink ── batch ──> port
 *
 * Whoever wants to see what is said (a guard, a cache, a count) is a unit in that chain (hooks.h)
 * and stands nowhere else.  Without one the pieces go to the port as they are.  What has passed in
 * one read of the upstream leaves in one write.
 *
 * Back-pressure stands here once: a client that takes no more, or a unit that waits, pauses the
 * upstream until it does.
 */
#include "call/call.h"

#include "call/flight.h"
#include "call/hooks.h"

#define BATCH_MOST ((size_t)256 * 1024 * 1024)

/* --- the flow --- */

static bool stands(const struct km_call *call)
{
    return km_chain_waits(&call->deliver) || km_chain_waits(&call->at->fetch);
}

/* Nothing more is to come yet. */
static bool is_held_up(const struct km_call *call)
{
    return call->full || stands(call) || call->at->money.starved;
}

/* The same of an answer that several take. */
static void let_taker_flow(struct km_call *call)
{
    if (is_held_up(call))
        km_taker_pause(call->at->taker);
    else
        km_taker_resume(call->at->taker);
}

void km_call_let_flow(struct km_call *call)
{
    if (call->at->taker)
        let_taker_flow(call);
    if (!call->at->up)
        return;
    if (is_held_up(call))
        km_http_pause(call->at->up);
    else
        km_http_resume(call->at->up);
}

static bool put_out(struct km_call *call, const struct km_str *parts, size_t n)
{
    bool room = call->port->ops->write(call->port, parts, n);

    if (!room) {
        call->full = true;
        km_call_let_flow(call);
    }
    return room;
}

/* No unit stands in the way of what is said, and none has refused it. */
static bool is_clear(const struct km_call *call)
{
    return !call->deliver.first && !call->unsaid;
}

void km_call_refuse(struct km_call *call, const struct km_err *err)
{
    struct km_err *kept = km_arena_alloc(&call->arena, sizeof *kept);
    static const struct km_err no_memory = { .code = KM_E_NOMEM, .text = "out of memory" };

    if (kept)
        *kept = *err;
    if (!call->unsaid)
        call->unsaid = kept ? kept : &no_memory;
}

/* --- the chain --- */

static void start_port(struct km_call *call, const struct km_piece *head)
{
    call->started = true;
    call->port->ops->start(call->port, head->status, head->bytes, head->length);
}

static void start_kept(struct km_call *call)
{
    if (!call->started && call->head)
        start_port(call, call->head);
}

/* Where the client has heard of the failure a broken connection would only hide its words. */
static void end_port(struct km_call *call, const struct km_piece *piece)
{
    const struct km_str left[] = { km_buf_view(&call->batch), piece->bytes };

    start_kept(call);
    if (left[0].n)
        (void)put_out(call, left, 2);
    else if (left[1].n)
        (void)put_out(call, &left[1], 1);
    km_buf_reset(&call->batch);
    call->ended = true;
    if (piece->what == KM_PIECE_END || piece->told)
        call->port->ops->end(call->port);
    else
        call->port->ops->abort(call->port);
}

/* It leaves with what follows: until then a refusal is an answer of its own. */
static int keep_head(struct km_call *call, const struct km_piece *piece, struct km_err *err)
{
    struct km_piece *head = km_arena_alloc(&call->arena, sizeof *head);

    if (head) {
        *head = *piece;
        head->bytes = km_arena_str(&call->arena, piece->bytes);
    }
    call->head = head;
    return head && head->bytes.n == piece->bytes.n ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static int sink(void *ctx, struct km_piece *piece, struct km_err *err)
{
    struct km_call *call = ctx;

    if (piece->what == KM_PIECE_HEAD)
        return keep_head(call, piece, err);
    if (piece->what == KM_PIECE_END || piece->what == KM_PIECE_ERROR) {
        end_port(call, piece);
        return 0;
    }
    if (!call->batch.max)
        km_buf_init(&call->batch, BATCH_MOST);
    km_buf_str(&call->batch, piece->bytes);
    return km_buf_failed(&call->batch) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}

/* The end's own bytes. */
static void say_end(struct km_call *call, struct km_piece *piece)
{
    struct km_buf *out = &call->w->scratch;

    km_buf_reset(out);
    piece->told = (call->kind->last ? call->kind->last : km_call_last)(call, out);
    piece->bytes = km_buf_view(out);
}

/* Events of which only the delta is known get their bytes here, and a stream's end its own. */
static int say(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    struct km_call *call = link->state;
    struct km_buf *out = &call->w->scratch;
    int r;

    if (piece->what == KM_PIECE_END || piece->what == KM_PIECE_ERROR) {
        if (!call->nparts)
            say_end(call, piece);
        return KM_UNIT_PASS;
    }
    if (!piece->delta || piece->bytes.n)
        return KM_UNIT_PASS;
    km_buf_reset(out);
    r = call->kind->encode
            ? call->kind->encode(call, piece->delta, out, err)
            : km_fail(err, KM_E_UNSUPPORTED, "A %s has no words for a delta.", call->kind->name);
    if (r == 0 && km_buf_failed(out))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    if (r < 0)
        return r;
    piece->bytes = km_buf_view(out);
    return piece->bytes.n ? KM_UNIT_PASS : KM_UNIT_HOLD;
}

static const struct km_unit dialect = { .name = "dialect", .take = say };

static const struct km_chain_ops ops = { sink, km_call_on_more };

struct km_chain *km_call_deliver(struct km_call *call)
{
    if (!call->deliver.ops)
        km_chain_init(&call->deliver, &call->arena, &ops, call);
    return &call->deliver;
}

bool km_call_stands(struct km_call *call)
{
    return call->stands = stands(call);
}

/* A kind's own units are there already. */
static int join(struct km_call *call, struct km_err *err)
{
    struct km_chain *chain = km_call_deliver(call);
    struct km_link **own = chain->end;
    int r = call->kind->outer /* what it says has been said by the calls within */
                ? 0
                : km_call_join_units(call, KM_UNITS_DELIVER, chain, err);

    call->says = r == 0 && chain->end != own;
    if (call->says && !km_chain_put(chain, &dialect, call))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    return r == 0 ? km_call_join_units(call, KM_UNITS_SHOWN, chain, err) : r;
}

static void join_all(struct km_call *call)
{
    struct km_err err;

    if (join(call, &err) < 0)
        km_call_refuse(call, &err);
}

void km_call_join(struct km_call *call)
{
    if (call->joined)
        return;
    call->joined = true;
    if (km_call_has_units(call, KM_UNITS_DELIVER) || km_call_has_units(call, KM_UNITS_SHOWN))
        join_all(call);
}

static void take(struct km_call *call, struct km_piece *piece)
{
    struct km_err err;

    if (!call->unsaid && km_chain_take(&call->deliver, piece, &err) < 0)
        km_call_refuse(call, &err);
}

/* --- what is said --- */

void km_call_start_answer(struct km_call *call, int status, struct km_str head, uint64_t length)
{
    struct km_piece piece;

    call->streaming = true;
    km_call_join(call);
    piece = (struct km_piece){
        .what = KM_PIECE_HEAD, .status = status, .bytes = head, .length = length
    };
    if (is_clear(call))
        start_port(call, &piece);
    else
        take(call, &piece);
    if (call->unsaid)
        call->streaming = call->started;
}

/* What was refused leaves with its end, or not at all. */
bool km_call_flush(struct km_call *call)
{
    struct km_str out = km_buf_view(&call->batch);
    bool room = true;

    if (out.n && !call->unsaid) {
        start_kept(call);
        room = put_out(call, &out, 1);
        km_buf_reset(&call->batch);
    }
    return room;
}

/* lasting: the bytes of the parts live as long as the call, and its end follows: they leave with
 * it. */
static bool write_parts(struct km_call *call, const struct km_str *parts, size_t n, bool lasting)
{
    if (is_clear(call))
        return put_out(call, parts, n);
    for (size_t i = 0; i < n; i++)
        take(call,
             &(struct km_piece){ .what = KM_PIECE_BYTES, .bytes = parts[i], .lasts = lasting });
    return lasting || km_call_flush(call);
}

bool km_call_write(struct km_call *call, const struct km_str *parts, size_t n)
{
    return write_parts(call, parts, n, false);
}

void km_call_write_one(struct km_call *call, struct km_str part)
{
    if (part.n)
        (void)write_parts(call, &part, 1, false);
}

/* Units have it in one piece. */
void km_call_write_whole(struct km_call *call)
{
    struct km_str whole;
    struct km_err err;

    if (call->nparts < 2 || is_clear(call)) {
        (void)write_parts(call, call->parts, call->nparts, true);
        return;
    }
    whole = km_arena_cat(&call->arena, call->parts, call->nparts);
    if (!whole.n && km_arena_overflowed(&call->arena)) {
        km_fail(&err, KM_E_NOMEM, "out of memory");
        km_call_refuse(call, &err);
    }
    (void)write_parts(call, &whole, 1, true);
}

void km_call_event(struct km_call *call, struct km_piece *event)
{
    (void)km_call_deliver(call); /* with no unit it is the sink's */
    take(call, event);
}

void km_call_respond(struct km_call *call, int status, struct km_str head, struct km_str body)
{
    if (!call->failed)
        km_call_join(call);
    if (call->failed || is_clear(call)) {
        call->ended = true;
        call->port->ops->respond(call->port, status, head, body);
        return;
    }
    km_call_start_answer(call, status, head, body.n);
    if (call->unsaid) {
        km_call_reply_refused(call);
        return;
    }
    (void)write_parts(call, &body, 1, true);
    km_call_end_answer(call);
}

/* What was to be the end of an answer is not: its reader has to notice. */
static void end_refused(struct km_call *call, struct km_piece *piece)
{
    call->cut = true;
    call->err = *call->unsaid;
    piece->what = KM_PIECE_ERROR;
    piece->bytes = KM_STR_NONE;
    if (!call->nparts)
        say_end(call, piece);
}

static void end_with(struct km_call *call, struct km_piece *piece)
{
    if (call->deliver.first && !call->unsaid)
        take(call, piece);
    if (call->unsaid && (!call->started || km_call_take_back(call))) {
        km_call_reply_refused(call);
        return;
    }
    if (call->unsaid && piece->what == KM_PIECE_END)
        end_refused(call, piece);
    if (!call->deliver.first || call->unsaid)
        end_port(call, piece);
}

void km_call_end_answer(struct km_call *call)
{
    if (!call->deliver.first) {
        call->port->ops->end(call->port);
        return;
    }
    if (!call->unsaid)
        take(call, &(struct km_piece){ .what = KM_PIECE_END });
    if (call->unsaid)
        km_call_reply_refused(call);
}

void km_call_end_stream(struct km_call *call)
{
    struct km_piece piece = { .what = call->cut ? KM_PIECE_ERROR : KM_PIECE_END,
                              .err = call->cut ? &call->err : NULL };

    if (!call->says || call->unsaid)
        say_end(call, &piece);
    end_with(call, &piece);
}

void km_call_end_refused(struct km_call *call)
{
    struct km_piece piece = { .what = KM_PIECE_END };

    end_refused(call, &piece);
    end_port(call, &piece);
}

void km_call_break_answer(struct km_call *call)
{
    call->ended = true;
    call->port->ops->abort(call->port);
}

bool km_call_take_back(struct km_call *call)
{
    if (call->deliver.first && !call->started) { /* a unit has it */
        km_chain_done(&call->deliver);
        return true;
    }
    if (!call->port->ops->take_back(call->port))
        return false;
    call->started = false;
    return true;
}
