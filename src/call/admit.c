/* SPDX-License-Identifier: Apache-2.0 */
/* admit.c - admission: the body, what it asks for, the permit.
 *
 * Up to here a call has cost nobody anything; the last line of this step is the first that has
 * to be settled.  What it may cost is reserved, so that calls at once cannot spend the same money
 * twice.  What is reserved and what is sent as the bound are two things:
 *
 *     input      its estimate, a quarter more, and 256 tokens
 *     output     a stream: a slice, and more while it comes (money.c); else the caller's bound, or
 *                the longest answer that is known, or unknown_max_output_tokens
 *     price      the dearest of the deployments that may serve it
 *
 *     what is left covers it        nothing is sent that the caller did not say
 *     it covers 16 tokens or more   what it covers is sent as the bound, and a header says so
 *     it does not                   refused
 */
#include "call/call.h"

#include "call/execution.h"
#include "call/gateway_budget.h"
#include "call/hooks.h"
#include "call/resume.h"
#include "call/run.h"
#include "policy/pace.h"

#define DRY_BYTES ((size_t)1 << 20)
#define OUTPUT_LEAST 16 /* a budget that leaves less than this is spent */

/* What was said of the answer goes in as well, where it goes on elsewhere. */
static void add_told(struct km_call *call)
{
    const struct km_text_size told = km_text_measure(km_told_text(&call->resume->told));

    km_text_add(&call->req.size, &told);
}

/* Tokens that go in, as the one of those that may serve it has them that has the most. */
static int64_t input_of(struct km_call *call)
{
    int64_t most = 0;

    call->req.size = km_text_measure(call->body);
    if (call->resume)
        add_told(call);
    for (size_t i = 0; i < call->match.n; i++) {
        const struct km_deployment *d = call->match.v[i].deployment;
        int64_t n = km_pace_input(d->pace, &call->req.size);

        if (n > most)
            most = n;
    }
    call->input_tokens = most;
    return km_pace_reserve(most);
}

/* The longest output of those that may serve a call that bounds it nowhere; in passing, how
 * many answers a deployment asks for where the caller did not say. */
static int64_t longest_output(struct km_call *call)
{
    bool asks = call->req.choices_said;
    struct km_price room;
    int64_t most = 0;

    for (size_t i = 0; i < call->match.n; i++) {
        const struct km_deployment *d = call->match.v[i].deployment;
        int64_t output = d->default_output >= 0 && !call->kind->verbatim
                             ? d->default_output
                             : km_deployment_max_output(d, km_call_price(call, d, &room));

        if (output < 0)
            output = call->visit->view->snap->keys->unknown_max_output;

        if (output > most)
            most = output;
        if (!asks && !call->kind->verbatim && d->default_choices > call->req.choices)
            call->req.choices = d->default_choices;
    }
    return most;
}

/* The output that fits what is left of the budget; -1: not even a minimum. */
static int64_t fitting_output(const struct km_call *call, int64_t most, int64_t left)
{
    const struct km_price_worst *w = &call->worst;
    int64_t room = left - km_price_worst_cost(w, call->reserve_input, 0);
    int64_t answers = km_llm_answers(&call->req), fits;

    if (room < 0)
        return -1;
    if (w->output <= 0)
        return most;
    fits = room > INT64_MAX / 1000 ? most : room * 1000 / w->output / answers;
    if (fits >= most)
        return most;
    return fits >= OUTPUT_LEAST ? fits : -1;
}

/* The output's bound that the caller chose, where it reaches every deployment that may serve the
 * call; else -1. */
static int64_t chosen_output(const struct km_call *call)
{
    for (size_t i = 0; i < call->match.n; i++) {
        const struct km_deployment *d = call->match.v[i].deployment;

        if (d->drops_bound)
            return -1;
    }
    return call->req.max_tokens;
}

/* Is no bound sent to one of those that may serve it?  What a model is known to write at most is a
 * word of some table, and may be old. */
static bool is_unbound(const struct km_call *call)
{
    if (call->said_output >= 0)
        return false;
    for (size_t i = 0; i < call->match.n; i++) {
        const struct km_deployment *d = call->match.v[i].deployment;

        if (call->kind->verbatim || d->default_output < 0)
            return true;
    }
    return false;
}

/* --- what is reserved, and what is sent as the bound: two things --- */

/* Its calls are bounded by what is left of its budget, if they are. */
static bool has_budget(const struct km_call *call)
{
    return km_call_is_budgeted(call) &&
           call->visit->view->snap->keys->budget_mode == KM_BUDGET_RESERVE;
}

/* The output of an answer is bounded by what is left only where that does not cover it: then by
 * what is.  Else its caller's bound, or none, is what is sent.  A body that is no API's of ours may
 * have its bound in several places, of which none but the caller knows which counts: that bound is
 * not lowered, and the call is refused. */
static int64_t bound_by_left(struct km_call *call, int64_t output)
{
    int64_t fits = fitting_output(call, output, km_call_left(call));

    if (fits < 0 || fits >= output)
        return output;
    call->bound_tokens = fits;
    return fits;
}

/* Is so much output, of all answers together, within what is left? */
static bool covers(const struct km_call *call, int64_t output)
{
    return km_price_worst_cost(&call->worst, call->reserve_input, output) <= km_call_left(call);
}

/* What to reserve; may bound the output.  A stream that begins with a slice is bounded by nothing:
 * what is left by and by it is asked for. */
static int reserve_llm(struct km_call *call, struct km_err *err)
{
    int64_t longest = km_call_writes(call) ? longest_output(call) : 0;
    bool known, budget = has_budget(call);
    int64_t output, slice;
    int r;

    call->reserve_input = input_of(call);
    call->worst = km_call_worst_price(call, &known);
    r = known ? km_call_judge_priced(call, err) : km_call_unpriced(call, err);
    if (r < 0)
        return r;
    call->said_output = chosen_output(call);
    output = call->said_output >= 0 ? call->said_output : longest;
    call->most_output = output * km_llm_answers(&call->req);
    call->unbound = is_unbound(call);
    slice = call->most_output < KM_CALL_SLICE ? call->most_output : KM_CALL_SLICE;
    call->slices = budget && call->req.stream && call->kind->cut_short &&
                   (call->unbound || call->most_output > slice) && covers(call, slice);
    if (budget && !call->slices && km_call_writes(call) && !call->bounded &&
        (call->req.api || call->said_output < 0))
        call->most_output = bound_by_left(call, output) * km_llm_answers(&call->req);
    call->reserve_output = call->slices ? slice : call->most_output;
    call->reserve = km_price_worst_cost(&call->worst, call->reserve_input, call->reserve_output);
    return 0;
}

int km_call_price_anew(struct km_call *call, struct km_err *err)
{
    const int64_t reserved = call->reserve;
    int r;

    if (!call->api && !call->priced)
        return 0;
    call->bound_tokens = -1;
    call->maximum_named = false;
    r = call->kind->reserve ? call->kind->reserve(call, err) : reserve_llm(call, err);
    call->each = call->reserve;
    call->reserve = reserved;
    return r;
}

static enum km_next refused(struct km_call *call, int code)
{
    call->failed = true;
    if (call->err.code != code && call->err.code == 0)
        km_fail(&call->err, code, "%s", km_err_meaning(code));
    return km_call_go(call, call->admitted ? KM_STEP_account : KM_STEP_finish);
}

/* The permit is there: from here the call must be settled. */
static enum km_next admitted(struct km_call *call)
{
    call->admitted = true;
    return km_call_go(call, KM_STEP_guard);
}

static void on_permit(void *ctx, const struct km_err *err)
{
    struct km_call *call = ctx;

    call->held = false;
    call->refused = err != NULL;
    if (err)
        call->err = *err;
    km_call_resume(call, 0);
}

static int prepared_hooks(struct km_call *call, struct km_err *err)
{
    int r = km_call_run_hooks(call, KM_HOOK_PREPARED, err);

    if (r == KM_E_AGAIN)
        km_call_time_runs(call);
    return r;
}

static int reserve(struct km_call *call, struct km_err *err)
{
    if (call->kind->reserve)
        return call->kind->reserve(call, err);
    return call->api || call->priced ? reserve_llm(call, err) : 0;
}

/* As what it is a call of now; 0: it has its permit. */
static int take_permit(struct km_call *call)
{
    int r = reserve(call, &call->err);

    if (r < 0)
        return r;
    call->each = call->reserve;
    call->prepared = true;
    r = km_call_take_gateway(call, &call->err);
    if (r < 0)
        return r;
    r = km_broker_take(call, on_permit, call, &call->err);
    if (r < 0 && r != KM_E_AGAIN)
        km_call_settle_gateway(call, 0);
    call->held = r == KM_E_AGAIN;
    return r;
}

/* There is not enough money for it: another model may be asked, which costs less. */
static enum km_next permitted(struct km_call *call, int r)
{
    if (r == KM_E_BUDGET && call->err.reason == km_run_budget_reason)
        km_call_count_run_refused(call, KM_RUN_REFUSED_BUDGET);
    while (r == KM_E_BUDGET && km_call_spend_elsewhere(call)) {
        call->err = (struct km_err){ 0 };
        call->refused = false;
        call->bound_tokens = -1;
        r = take_permit(call);
    }
    if (r == KM_E_AGAIN)
        return KM_WAIT;
    return r < 0 ? refused(call, r) : admitted(call);
}

/* Nothing is taken: what would happen is the answer.  r: what it came to so far. */
static int try_dry(struct km_call *call, int r, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(DRY_BYTES);
    struct km_err why = { 0 };

    if (r < 0)
        why = call->err;
    else if (km_call_look_gateway(call, &why) == 0)
        (void)(km_broker_look(call, &why) == 0);
    km_err_clear(err);
    if (call->kind->explain(call, &why, &out, err) < 0)
        return err->code;
    call->parts = km_arena_alloc(&call->arena, sizeof *call->parts);
    if (call->parts)
        call->parts[0] = km_arena_str(&call->arena, km_buf_view(&out));
    call->nparts = call->parts && call->parts[0].n;
    call->joined = true; /* it is no answer of an upstream: no unit looks at it */
    call->dry = call->nparts;
    return call->dry ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static enum km_next dry(struct km_call *call, int r)
{
    call->each = call->reserve;
    r = try_dry(call, r, &call->err);
    return r < 0 ? refused(call, r) : km_call_go(call, KM_STEP_finish);
}

enum km_next km_step_admit(struct km_call *call)
{
    bool read;
    int r;

    if (call->prepared) /* the broker has answered */
        return permitted(call, call->refused ? call->err.code : 0);
    r = call->kind->take ? call->kind->take(call, &call->err) : km_call_take_body(call);
    if (r == KM_E_AGAIN)
        return KM_WAIT;
    if (r == 0)
        r = call->kind->prepare(call, &call->err);
    read = r == 0;
    if (read)
        r = km_call_enter_run(call, &call->err);
    if (r == 0)
        r = km_call_find_payers(call, &call->err);
    if (r == 0)
        r = prepared_hooks(call, &call->err);
    if (r == KM_E_AGAIN)
        return KM_WAIT;
    call->answered = r == KM_HOOK_ANSWERED;
    if (r >= 0)
        r = km_call_count_in_run(call, &call->err);
    if (read && km_call_is_dry(call))
        return dry(call, r < 0 ? r : reserve(call, &call->err));
    return r < 0 ? refused(call, r) : permitted(call, take_permit(call));
}
