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

#include "call/hooks.h"
#include "llm/api/priced.h"
#include "policy/pace.h"

#define OUTPUT_LEAST 16 /* a budget that leaves less than this is spent */

/* Of one that was not configured for this model: by its name. */
static struct km_price price_by_name(const struct km_call *call, const struct km_deployment *d,
                                     bool lent)
{
    const struct km_prices *prices = call->visit->view->snap->prices;
    struct km_price price = KM_PRICE_NONE;
    struct km_str name = call->req.model;
    struct km_call *c = (struct km_call *)call; /* a star is filled in the call's own arena */

    if (!lent)
        name = km_llm_upstream_model(d, call->match.star, &c->arena);
    if (!km_prices_find(prices, d->provider_name, name, &price))
        price = (struct km_price)KM_PRICE_NONE;
    return lent ? price : km_price_merge(price, d->price);
}

const struct km_price *km_call_price(const struct km_call *call, const struct km_deployment *d,
                                     struct km_price *room)
{
    bool lent = call->kind->is_lent && call->kind->is_lent(call);

    if (!lent && km_str_chr(d->upstream_model, '*') == d->upstream_model.n)
        return &d->price;
    *room = price_by_name(call, d, lent);
    return room;
}

/* The most that it costs there, with what it may use beside its tokens. */
static struct km_price_worst worst_at(const struct km_call *call, const struct km_deployment *d,
                                      const struct km_price *price)
{
    struct km_llm_priced room;
    const struct km_llm_priced *p = km_llm_priced_at(&call->req, d, &room);
    struct km_usage u = { .prompt_tokens = call->reserve_input };

    km_llm_priced_usage(p, &u);
    if (p->opens_input)
        u.prompt_tokens = 0; /* nobody knows how much it will be */
    return km_price_worst(price, &u);
}

struct km_price_worst km_call_worst_price(const struct km_call *call, bool *ret_known)
{
    struct km_price_worst worst = { -1, -1, -1 };
    struct km_price room;

    *ret_known = call->match.n > 0;
    for (size_t i = 0; i < call->match.n; i++) {
        const struct km_deployment *d = call->match.v[i].deployment;
        const struct km_price *p = km_call_price(call, d, &room);
        const struct km_price_worst w = worst_at(call, d, p);

        if (p->input < 0 && p->output < 0 && p->request < 0)
            *ret_known = false;
        km_price_worst_of(&worst, &w);
    }
    return worst;
}

/* Tokens that go in, as the one of those that may serve it has them that has the most. */
static int64_t input_of(struct km_call *call)
{
    int64_t most = 0;

    call->req.size = km_text_measure(call->body);
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

int km_call_unpriced(struct km_call *call, struct km_err *err)
{
    const struct km_key *key = call->visit->who.key;

    if (!key || key->row.max_budget < 0 || call->visit->view->snap->keys->allow_unpriced)
        return 0;
    return km_fail_param(err, KM_E_UNPRICED, "model",
                         "No price is known for model '%.*s', and this key has a budget. Set "
                         "input_cost_per_token and output_cost_per_token, run `kanmon prices "
                         "import`, or set kanmon_settings.allow_unpriced.",
                         KM_STR_ARG(km_str_sub(call->req.model, 0, 100)));
}

static int not_priced(const struct km_call *call, struct km_str what, const char *remedy,
                      struct km_err *err)
{
    return km_fail_param(err, KM_E_UNPRICED, "model",
                         "No price is known of %.*s for model '%.*s', and this key has a budget. "
                         "%s",
                         KM_STR_ARG(what), KM_STR_ARG(km_str_sub(call->req.model, 0, 100)), remedy);
}

/* What this deployment is asked for beside tokens, and has no price of. */
static int judge_priced_at(const struct km_call *call, const struct km_deployment *d,
                           struct km_err *err)
{
    static const char *const names[KM_HOSTED_KINDS] = { "`web_search`", "`code_interpreter`",
                                                        "`file_search`" };
    static const char set[] =
        "Leave it out, or set its price in litellm_params, run `kanmon prices "
        "import`, or set kanmon_settings.allow_unpriced.";
    struct km_llm_priced own;
    const struct km_llm_priced *p = km_llm_priced_at(&call->req, d, &own);
    const struct km_price *price;
    struct km_price room;

    if (p->unpriced.n)
        return not_priced(call, p->unpriced, p->remedy, err);
    if (!p->service && !p->fast && !p->in_us && !p->hosts)
        return 0;
    price = km_call_price(call, d, &room);
    if (!km_price_has_service(price, p->service))
        return not_priced(call, KM_STR("the `service_tier` asked for"), set, err);
    if (p->fast && !km_price_has_fast(price))
        return not_priced(call, KM_STR("`speed: fast`"), set, err);
    if (p->in_us && !km_price_has_us(price))
        return not_priced(call, KM_STR("`inference_geo: us`"), set, err);
    for (unsigned i = 0; i < KM_HOSTED_KINDS; i++)
        if (p->hosted[i] > 0 && !km_price_has_hosted(price, (enum km_hosted)i))
            return not_priced(call, km_str_c(names[i]), set, err);
    return 0;
}

/* A budget is not spent by what has no price: that is refused by name. */
static int judge_priced(const struct km_call *call, struct km_err *err)
{
    const struct km_key *key = call->visit->who.key;
    int r = 0;

    if (!key || key->row.max_budget < 0 || call->visit->view->snap->keys->allow_unpriced)
        return 0;
    for (size_t i = 0; r == 0 && i < call->match.n; i++)
        r = judge_priced_at(call, call->match.v[i].deployment, err);
    return r;
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
    const struct km_key *key = call->visit->who.key;

    return key && key->row.max_budget >= 0 &&
           call->visit->view->snap->keys->budget_mode == KM_BUDGET_RESERVE;
}

/* The output of an answer is bounded by what is left only where that does not cover it: then by
 * what is.  Else its caller's bound, or none, is what is sent.  A body that is no API's of ours may
 * have its bound in several places, of which none but the caller knows which counts: that bound is
 * not lowered, and the call is refused. */
static int64_t bound_by_left(struct km_call *call, int64_t output)
{
    int64_t fits = fitting_output(call, output, km_key_left(call->visit->who.key));

    if (fits < 0 || fits >= output)
        return output;
    call->bound_tokens = fits;
    return fits;
}

/* Is so much output, of all answers together, within what is left? */
static bool covers(const struct km_call *call, int64_t output)
{
    return km_price_worst_cost(&call->worst, call->reserve_input, output) <=
           km_key_left(call->visit->who.key);
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
    r = known ? judge_priced(call, err) : km_call_unpriced(call, err);
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

enum km_next km_step_admit(struct km_call *call)
{
    int r;

    if (call->prepared) /* the broker has answered */
        return call->refused ? refused(call, call->err.code) : admitted(call);
    r = call->kind->take ? call->kind->take(call, &call->err) : km_call_take_body(call);
    if (r == KM_E_AGAIN)
        return KM_WAIT;
    if (r == 0)
        r = call->kind->prepare(call, &call->err);
    if (r == 0)
        r = prepared_hooks(call, &call->err);
    if (r == KM_E_AGAIN)
        return KM_WAIT;
    call->answered = r == KM_HOOK_ANSWERED;
    r = r > 0 ? 0 : r;
    if (r == 0 && call->kind->reserve)
        r = call->kind->reserve(call, &call->err);
    else if (r == 0 && (call->api || call->priced))
        r = reserve_llm(call, &call->err);
    if (r < 0)
        return refused(call, r);
    call->each = call->reserve;
    call->prepared = true;
    r = km_broker_take(call, on_permit, call, &call->err);
    call->held = r == KM_E_AGAIN;
    if (r == KM_E_AGAIN)
        return KM_WAIT;
    return r < 0 ? refused(call, r) : admitted(call);
}
