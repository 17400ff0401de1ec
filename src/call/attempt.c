/* SPDX-License-Identifier: Apache-2.0 */
/* attempt.c - the attempts of a call: one after the other, or several side by side.
 *
 *     next      A ── over ──> B                 retry, fallback
 *     beside    A ──┬── a good head ──> relay   hedge: whoever has the first good head serves the
 *               B ──┘   the other: cancelled    call; one that fails before leaves it to the others
 *
 * The steps and the kinds know one attempt, call->at.  Of several it is the one that an event is
 * about: its callbacks look at it first (km_attempt_look), which puts back where it stands in the
 * table of steps.  Nothing of an answer is read before its head, so no byte of a loser ever goes
 * anywhere.  At most one is being made at a time: a wait that says no more than "go on" is its.
 *
 * Each has its own reservation and its own bill (money.h): one that is over is billed before the
 * next begins, one beside it when it is overtaken, and the call's row is their sum.
 */
#include "call/call.h"

#include "call/flight.h"
#include "call/place.h"

bool km_attempt_is_out(const struct km_attempt *at)
{
    return at->up || (at->taker && km_taker_is_out(at->taker));
}

static void cancel(struct km_attempt *at)
{
    if (at->taker) {
        at->sent = km_taker_sent(at->taker);
        km_taker_leave(at->taker);
        return;
    }
    at->sent = km_http_taken(at->up);
    km_http_cancel(at->up);
    at->up = NULL;
}

void km_call_abandon_one(struct km_call *call)
{
    struct km_attempt *at = call->at;

    at->money.waits = false;
    at->moves = false;
    if (at->turn)
        km_call_leave_place(at);
    if (at->auth_waits)
        at->d->auth->ops->cancel(at->d->auth, &at->auth_wait);
    at->auth_waits = false;
    if (call->kind->abandon)
        call->kind->abandon(call);
    if (at->fetch.first)
        km_chain_done(&at->fetch);
    if (!km_attempt_is_out(at))
        return;
    call->upstream_ns += km_mono_ns() - at->began_ns;
    cancel(at);
}

void km_call_forget_answer(struct km_call *call)
{
    km_body_budget_give(&call->w->gw->bodies, call->at->answer_taken);
    call->at->answer_taken = 0;
    km_buf_reset(&call->at->answer);
    km_chain_done(&call->at->fetch);
    call->at->fetched = false;
    call->at->status = 0;
    call->at->sent = call->at->ready = false;
    call->at->began_ns = 0;
    call->at->taker = NULL; /* its next request is its own */
    call->at->opens = NULL;
}

void km_attempt_release(struct km_call *call)
{
    struct km_attempt *at = call->at;

    if (at->turn)
        km_call_leave_place(at);
    if (call->kind->forget)
        call->kind->forget(call);
    if (at->fetch.first)
        km_chain_done(&at->fetch);
    at->request_arena = NULL;
    at->sse = km_sse_free(at->sse);
    at->framer = km_framer_free(at->framer);
    km_body_budget_give(&call->w->gw->bodies, at->answer_taken);
    at->answer_taken = 0;
    km_buf_done(&at->answer);
}

static struct km_attempt *attempt_new(struct km_call *call, struct km_err *err)
{
    struct km_attempt *at = km_arena_zalloc(&call->arena, sizeof *at);

    if (!at) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    at->call = call;
    at->answer.max = call->at->answer.max;
    return at;
}

/* The call goes on with it. */
static void take_up(struct km_call *call, struct km_attempt *at)
{
    at->before = call->newest;
    call->newest = call->at = at;
    km_call_go(call, KM_STEP_route);
}

int km_attempt_next(struct km_call *call, bool same, struct km_err *err)
{
    struct km_attempt *next = attempt_new(call, err), *at = call->at;

    if (!next)
        return err->code;
    km_call_bill(call);
    km_attempt_release(call);
    if (same) {
        next->candidate = at->candidate;
        next->d = at->d;
        next->resigned = at->resigned;
    }
    next->same = same;
    take_up(call, next);
    call->failed = false;
    call->err = (struct km_err){ 0 };
    return 0;
}

/* --- side by side --- */

static void put_beside(struct km_call *call)
{
    call->at->step = call->step;
    call->at->next = call->beside;
    call->beside = call->at;
}

static void look_at_next(struct km_call *call)
{
    call->at = call->beside;
    call->beside = call->at->next;
    km_call_go(call, call->at->step);
}

void km_attempt_look(struct km_attempt *at)
{
    struct km_call *call = at->call;
    struct km_attempt **p = &call->beside;

    if (call->at == at)
        return;
    while (*p != at)
        p = &(*p)->next;
    *p = at->next;
    put_beside(call);
    call->at = at;
    km_call_go(call, at->step);
}

/* The one that is being made: it has no request out yet. */
static struct km_attempt *in_making(const struct km_call *call)
{
    struct km_attempt *at = call->at;

    if (!km_attempt_is_out(at))
        return at;
    at = call->beside;
    while (at && km_attempt_is_out(at))
        at = at->next;
    return at;
}

void km_attempt_look_at_waiting(struct km_call *call)
{
    struct km_attempt *at = in_making(call);

    if (at)
        km_attempt_look(at);
}

/* The others end, whatever they were at; an upstream that has such a request may bill it. */
static void end_others(struct km_call *call)
{
    struct km_attempt *at = call->at;
    enum km_step_id step = call->step;
    uint64_t upstream_ns = call->upstream_ns;

    while (call->beside) {
        look_at_next(call);
        km_call_abandon_one(call);
        km_call_bill(call);
        km_call_report(call, KM_OUTCOME_OVERTAKEN);
        if (call->at->candidate)
            km_route_unpick(&call->route, call->at->candidate);
        km_attempt_release(call);
    }
    call->upstream_ns = upstream_ns; /* theirs went by beside that of the one that is heard */
    call->at = at;
    km_call_go(call, step);
}

void km_attempt_wins(struct km_call *call)
{
    km_assert(!call->streaming);
    end_others(call);
    km_call_targets_of(call, call->at);
}

void km_attempt_drop(struct km_call *call)
{
    km_call_bill(call);
    km_attempt_release(call);
    call->failed = false;
    call->err = (struct km_err){ 0 };
    look_at_next(call);
}

void km_call_abandon(struct km_call *call)
{
    km_call_abandon_one(call);
    if (call->beside)
        end_others(call);
}

static bool may_have_another(const struct km_call *call)
{
    return call->step == KM_STEP_send && !call->kind->placed && !call->held && !call->covering &&
           !call->streaming && !in_making(call) && call->route.ntried < call->match.n &&
           !call->at->status && !(call->kind->is_spent && call->kind->is_spent(call));
}

static void begin_beside(struct km_call *call, struct km_attempt *at)
{
    put_beside(call);
    take_up(call, at);
    km_call_resume(call, 0);
}

static void on_covered(void *ctx, const struct km_err *err)
{
    struct km_attempt *at = ctx;
    struct km_call *call = at->call;

    call->covering = false;
    if (!err && may_have_another(call))
        begin_beside(call, at);
}

int km_attempt_beside(struct km_call *call, struct km_err *err)
{
    struct km_attempt *at;
    int r;

    if (!may_have_another(call))
        return km_fail(err, KM_E_CLOSED, "There is no request out that another could overtake.");
    at = attempt_new(call, err);
    if (!at)
        return err->code;
    r = km_broker_top_up(call, km_call_need(call), on_covered, at, err);
    if (r == 0)
        begin_beside(call, at);
    else if (r == KM_E_AGAIN)
        call->covering = true;
    return r == KM_E_AGAIN ? 0 : r;
}
