/* SPDX-License-Identifier: Apache-2.0 */
/* intake.c - what its port gives of a call's request, on its way to the call's kind.
 *
 *     port ── body ────> request rows ──> sink: call->body ──> prepare
 *          ── pieces ──> request rows ──> sink: in line ── one a turn ──> kind->on_piece
 *
 * A request's pieces are BYTES* (END | ERROR): its line and head are call->request, for whoever
 * joins.  One without a body has no pieces, and nobody joins.  A body that is taken whole comes as
 * one piece, which lasts; what comes out is the call's body, without a copy where it is what went
 * in, or a part of it.  Without a row the port's word is the kind's: call->intake stays NULL.
 *
 * Back-pressure stands here: the port is paused while a unit waits, while something is in line, and
 * while the kind takes no more.  A kind's on_piece may end the call, so it is called from a turn of
 * its own and never from within the chain.
 *
 * An outer call has no units: what it asks goes through them in the calls within, where what they
 * did to the request can be undone in its answer.  One that turns out to be outer when it was read
 * (km_call_become) went through them as what it seemed to be; of that the verdict counts, and it
 * works with what its client gave (km_call_given).
 */
#include "call/call.h"

#include <stdlib.h>
#include <string.h>

#include "call/hooks.h"

#define SLICE ((size_t)64 * 1024) /* of what is in line, given at once */

/* What has passed, until the kind takes it. */
struct passed {
    struct passed *next;
    struct km_str bytes;
    size_t n; /* of own */
    char own[]; /* the bytes, unless they last */
};

struct km_intake {
    struct km_call *call;
    struct km_chain chain;
    int64_t most, came_out; /* bytes */
    uint64_t length; /* that must come out; UINT64_MAX: not known */
    bool pieces; /* the kind takes it as it comes */
    bool closed; /* nothing more is given in */
    bool ended; /* its end, or what stands for one, has come out */
    bool broken; /* that was an error: why */
    bool told; /* the kind has had it */
    bool over; /* nobody wants any of it any more */
    struct km_err why;
    int64_t charged; /* of the budget of bodies */

    /* whole */
    struct km_str given, part; /* part: what has come out is this of given */
    struct km_buf made; /* it is this */

    /* in pieces */
    struct passed *line, **line_end;
    size_t line_bytes;
    bool stopped; /* the kind takes none for now */
    struct km_deferred turn;
};

static int charge(struct km_intake *in, size_t bytes, struct km_err *err)
{
    if (!km_body_budget_take(&in->call->w->gw->bodies, (int64_t)bytes))
        return km_fail(err, KM_E_OVERLOADED, "Too much is being buffered right now; try again.");
    in->charged += (int64_t)bytes;
    return 0;
}

static void give_back(struct km_intake *in, size_t bytes)
{
    km_body_budget_give(&in->call->w->gw->bodies, (int64_t)bytes);
    in->charged -= (int64_t)bytes;
}

/* --- what comes out of a whole --- */

static bool is_part(struct km_str whole, struct km_str s)
{
    return (uintptr_t)s.p >= (uintptr_t)whole.p && s.n <= whole.n &&
           (uintptr_t)s.p - (uintptr_t)whole.p <= whole.n - s.n;
}

static int add(struct km_intake *in, struct km_str bytes, struct km_err *err)
{
    int r = charge(in, bytes.n, err);

    km_buf_str(&in->made, bytes);
    if (r == 0 && km_buf_failed(&in->made))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    return r;
}

static int gather(struct km_intake *in, struct km_str bytes, struct km_err *err)
{
    struct km_str part = in->part;
    int r = 0;

    if (!part.n && !in->made.n && is_part(in->given, bytes)) {
        in->part = bytes;
        return 0;
    }
    in->part = KM_STR_NONE;
    if (part.n)
        r = add(in, part, err);
    return r == 0 ? add(in, bytes, err) : r;
}

/* --- what comes out of one in pieces --- */

/* The first leaves the line; it is the caller's to free. */
static struct passed *leave_line(struct km_intake *in)
{
    struct passed *p = in->line;

    in->line = p->next;
    if (!in->line)
        in->line_end = &in->line;
    in->line_bytes -= p->n;
    give_back(in, p->n);
    return p;
}

static void empty_line(struct km_intake *in)
{
    while (in->line)
        free(leave_line(in));
}

static void next_turn(struct km_intake *in)
{
    if ((in->line || (in->ended && !in->told)) && !in->stopped && !in->over)
        km_deferred_queue(&in->turn);
}

static int stand_in_line(struct km_intake *in, struct km_str bytes, bool lasts, struct km_err *err)
{
    size_t n = lasts ? 0 : bytes.n;
    struct passed *p;

    if (n > KM_CHAIN_LINE_BYTES - in->line_bytes)
        return km_fail(err, KM_E_OVERLOADED, "More of the request came than can wait.");
    if (charge(in, n, err) < 0)
        return err->code;
    p = malloc(sizeof *p + n);
    if (!p) {
        give_back(in, n);
        return km_fail(err, KM_E_NOMEM, "out of memory");
    }
    *p = (struct passed){ .bytes = bytes, .n = n };
    if (n)
        p->bytes.p = memcpy(p->own, bytes.p, n);
    *in->line_end = p;
    in->line_end = &p->next;
    in->line_bytes += n;
    return 0;
}

static void end_in_line(struct km_intake *in, const struct km_err *why)
{
    in->ended = true;
    in->broken = why != NULL;
    if (why)
        in->why = *why;
}

/* The kind hears of it when it takes the next piece, and of nothing that stood before it. */
static void break_off(struct km_intake *in, const struct km_err *why)
{
    km_chain_done(&in->chain); /* units that wait may not call back */
    empty_line(in);
    in->closed = true;
    end_in_line(in, why);
    next_turn(in);
}

/* --- the chain --- */

static int take_bytes(struct km_intake *in, const struct km_piece *piece, struct km_err *err)
{
    if ((uint64_t)piece->bytes.n > (uint64_t)(in->most - in->came_out))
        return km_fail(err, KM_E_BODY_TOO_LARGE,
                       "What was made of the request's body is over %lld bytes.",
                       (long long)in->most);
    in->came_out += (int64_t)piece->bytes.n;
    return in->pieces ? stand_in_line(in, piece->bytes, piece->lasts, err)
                      : gather(in, piece->bytes, err);
}

/* Its upstream may have been told how long it is. */
static int check_length(const struct km_intake *in, bool whole, struct km_err *err)
{
    const uint64_t n = (uint64_t)in->came_out;

    if (n < in->length ? !whole || in->length == UINT64_MAX : n == in->length)
        return 0;
    return km_fail(err, KM_E_INTERNAL, "The request's length was to stay what it is.");
}

static int sink(void *ctx, struct km_piece *piece, struct km_err *err)
{
    struct km_intake *in = ctx;
    int r = piece->bytes.n ? take_bytes(in, piece, err) : 0;

    if (r == 0 && piece->what != KM_PIECE_ERROR)
        r = check_length(in, piece->what == KM_PIECE_END, err);
    if (r == 0 && (piece->what == KM_PIECE_END || piece->what == KM_PIECE_ERROR))
        end_in_line(in, piece->err);
    next_turn(in);
    return r;
}

/* A unit that waits has the time of a call; once it is routed, that of this one runs. */
static void watch(struct km_call *call, bool waits)
{
    if (call->step != KM_STEP_admit)
        return;
    if (!waits)
        km_timer_stop(&call->deadline);
    else if (!km_timer_running(&call->deadline))
        km_timer_start(&call->deadline, km_call_time_left(call));
}

/* The client goes on, or pauses where it must. */
static void let_flow(struct km_intake *in)
{
    struct km_port *port = in->call->port;
    bool waits = km_chain_waits(&in->chain);

    watch(in->call, waits);
    if (in->stopped || in->line || in->closed || in->over || waits)
        port->ops->pause(port);
    else
        port->ops->resume(port);
}

static int is_lost(const struct km_intake *in, struct km_err *err)
{
    if (in->ended || !in->closed || km_chain_waits(&in->chain))
        return 0;
    return km_fail(err, KM_E_INTERNAL, "The request's end was held back.");
}

static void on_more_pieces(struct km_intake *in, const struct km_err *err)
{
    KM_ERR_NONE(lost);

    if (!err && is_lost(in, &lost) < 0)
        err = &lost;
    let_flow(in);
    if (err)
        break_off(in, err);
}

static void on_more(void *ctx, const struct km_err *err)
{
    struct km_intake *in = ctx;

    if (in->pieces) {
        on_more_pieces(in, err);
        return;
    }
    watch(in->call, false);
    if (err)
        km_call_fail(in->call, err);
    else
        km_call_resume(in->call, 0);
}

static const struct km_chain_ops ops = { sink, on_more };

/* With the call's arena. */
static void release(void *intake)
{
    struct km_intake *in = intake;

    km_call_end_intake(in->call);
    km_buf_done(&in->made);
    give_back(in, (size_t)in->charged);
}

static void on_turn(void *ctx);

static int begin(struct km_call *call, int64_t most, struct km_str given, struct km_err *err)
{
    struct km_intake *in = km_arena_zalloc(&call->arena, sizeof *in);

    if (!in)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *in = (struct km_intake){ .call = call, .most = most, .length = UINT64_MAX, .given = given };
    in->line_end = &in->line;
    km_buf_init(&in->made, (size_t)most + 1);
    km_deferred_init(&in->turn, call->w->loop, on_turn, in);
    km_chain_init(&in->chain, &call->arena, &ops, in);
    call->intake = in;
    if (km_arena_defer(&call->arena, release, in) < 0) {
        call->intake = NULL;
        return km_fail(err, KM_E_NOMEM, "out of memory");
    }
    return km_call_join_units(call, KM_UNITS_REQUEST, &in->chain, err);
}

static bool has_units(const struct km_call *call)
{
    return km_call_has_units(call, KM_UNITS_REQUEST) && !call->kind->outer;
}

/* --- a body that is taken whole --- */

static int give_whole(struct km_intake *in, struct km_err *err)
{
    struct km_piece body = { .what = KM_PIECE_BYTES, .bytes = in->given, .lasts = true },
                    end = { .what = KM_PIECE_END };
    int r = km_chain_take(&in->chain, &body, err);

    if (r == 0)
        r = km_chain_take(&in->chain, &end, err);
    in->closed = true;
    return r;
}

static int begin_whole(struct km_call *call, struct km_err *err)
{
    int r = begin(call, call->visit->view->snap->http->body_bytes, call->body, err);

    return r < 0 ? r : give_whole(call->intake, err);
}

/* It was given: 0 when it has passed. */
static int pass_whole(struct km_call *call, struct km_err *err)
{
    struct km_intake *in = call->intake;
    int r = in ? 0 : begin_whole(call, err);

    in = call->intake;
    if (r == 0)
        r = is_lost(in, err);
    if (r < 0 || in->over)
        return r;
    if (!in->ended) {
        watch(call, true);
        return KM_E_AGAIN;
    }
    call->body = in->part.n ? in->part : km_buf_view(&in->made);
    km_call_end_intake(call); /* only once: a hook may make the body another */
    return 0;
}

int km_call_take_body(struct km_call *call)
{
    int r = 0;

    if (!call->have_body) {
        if (!call->kind->needs_body)
            return 0;
        r = call->port->ops->body(call->port, call->visit->view->snap->http->body_bytes,
                                  &call->body, &call->err);
        call->have_body = r == 0;
    }
    if (r < 0 || !(call->intake || (call->body.n && has_units(call))))
        return r;
    return pass_whole(call, &call->err);
}

struct km_str km_call_given(const struct km_call *call)
{
    return call->intake && !call->intake->pieces ? call->intake->given : call->body;
}

/* --- a body in pieces --- */

/* As its client said it, where no unit may change it. */
static uint64_t length_of(const struct km_intake *in)
{
    const struct km_link *link = in->chain.first;

    while (link && link->keeps_length)
        link = link->next;
    return link ? UINT64_MAX : in->call->request->content_length;
}

static int begin_pieces(struct km_call *call, int64_t most, struct km_err *err)
{
    int r = begin(call, most, KM_STR_NONE, err);

    if (r < 0)
        return r;
    call->intake->pieces = true;
    call->intake->length = length_of(call->intake);
    if (!call->intake->chain.first)
        call->intake = NULL;
    return 0;
}

int km_call_take_pieces(struct km_call *call, int64_t most, struct km_err *err)
{
    int r = 0;

    if (!call->port->ops->pieces)
        return km_fail(err, KM_E_UNSUPPORTED, "A body in pieces cannot be asked for within.");
    if (has_units(call))
        r = begin_pieces(call, most, err);
    return r == 0 ? call->port->ops->pieces(call->port, most, err) : r;
}

uint64_t km_call_body_length(const struct km_call *call)
{
    return call->intake ? call->intake->length : call->request->content_length;
}

void km_call_stop_pieces(struct km_call *call)
{
    if (call->intake)
        call->intake->stopped = true;
    call->port->ops->pause(call->port);
}

void km_call_more_pieces(struct km_call *call)
{
    struct km_intake *in = call->intake;

    if (!in) {
        call->port->ops->resume(call->port);
        return;
    }
    in->stopped = false;
    next_turn(in);
    let_flow(in);
}

/* A unit that has its end, or says that nothing more counts, needs nothing more. */
static int give_in(struct km_intake *in, struct km_str bytes, bool last, const struct km_err *why,
                   struct km_err *err)
{
    struct km_piece piece = { .what = why ? KM_PIECE_ERROR : KM_PIECE_BYTES,
                              .bytes = bytes,
                              .err = why },
                    end = { .what = KM_PIECE_END };
    int r = bytes.n || why ? km_chain_take(&in->chain, &piece, err) : 0;

    in->closed = why || last || in->chain.over;
    if (r == 0 && in->closed && !why)
        r = km_chain_take(&in->chain, &end, err);
    return r == 0 ? is_lost(in, err) : r;
}

void km_call_on_piece(struct km_call *call, struct km_str bytes, bool last,
                      const struct km_err *err)
{
    struct km_intake *in = call->intake;
    struct km_err why;
    int r = 0;

    if (!in) {
        call->kind->on_piece(call, bytes, last, err);
        return;
    }
    if (!in->closed && !in->over)
        r = give_in(in, bytes, last, err, &why);
    let_flow(in);
    if (r < 0)
        break_off(in, &why);
}

static struct km_str next_slice(struct km_intake *in, struct passed **ret_done)
{
    struct passed *p = in->line;
    struct km_str slice;

    if (!p)
        return KM_STR_NONE;
    slice = km_str_sub(p->bytes, 0, SLICE);
    p->bytes = km_str_skip(p->bytes, slice.n);
    if (!p->bytes.n)
        *ret_done = leave_line(in);
    return slice;
}

/* The kind is told last: the call may be over when it returns. */
static void on_turn(void *ctx)
{
    struct km_intake *in = ctx;
    struct passed *done = NULL;
    struct km_str slice;
    bool last;

    if (in->stopped || in->over || (!in->line && (!in->ended || in->told)))
        return;
    if (!in->line && in->broken) {
        struct km_err why = in->why;

        in->told = true;
        in->call->kind->on_piece(in->call, KM_STR_NONE, false, &why);
        return;
    }
    slice = next_slice(in, &done);
    last = !in->line && in->ended && !in->broken;
    in->told = last;
    next_turn(in);
    let_flow(in);
    in->call->kind->on_piece(in->call, slice, last, NULL);
    free(done);
}

/* --- the end --- */

void km_call_end_intake(struct km_call *call)
{
    struct km_intake *in = call->intake;

    if (!in || in->over)
        return;
    in->over = true;
    km_chain_done(&in->chain);
    km_deferred_cancel(&in->turn);
    empty_line(in);
}
