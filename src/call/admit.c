/* SPDX-License-Identifier: Apache-2.0 */
/* admit.c - admission: the body, what it asks for, the permit, the intent.
 *
 * Up to here a call has cost nobody anything; the last line of this step is the first that has
 * to be settled.  The worst case is reserved, so that no interleaving of calls can spend more
 * than a budget: input bound x price + output bound x price.  Where the caller did not bound the
 * output, the largest bound that fits what is left is sent upstream and said so in a header.
 */
#include "call/call.h"

#include "call/hooks.h"

/* Tokens reserved where neither caller nor model bounds the output: what today's models write at
 * most.  It is never sent as a bound; only what is left of a budget is. */
#define OUTPUT_UNKNOWN 131072
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

struct km_price km_call_price(const struct km_call *call, const struct km_deployment *d)
{
    bool lent = call->kind->is_lent && call->kind->is_lent(call);

    if (lent || km_str_chr(d->upstream_model, '*') < d->upstream_model.n)
        return price_by_name(call, d, lent);
    return d->price;
}

struct km_price km_call_worst_price(const struct km_call *call, bool *ret_known)
{
    struct km_price worst = KM_PRICE_NONE;

    *ret_known = call->match.n > 0;
    for (size_t i = 0; i < call->match.n; i++) {
        const struct km_price priced = km_call_price(call, call->match.v[i].deployment);
        const struct km_price *p = &priced;

        if (p->input < 0 && p->output < 0 && p->request < 0)
            *ret_known = false;
        const struct km_price_worst w = km_price_worst(p, &(struct km_usage){ 0 });

        if (w.input > worst.input)
            worst.input = w.input;
        if (w.output > worst.output)
            worst.output = w.output;
        if (w.request > worst.request)
            worst.request = w.request;
        if (p->max_output_tokens > worst.max_output_tokens)
            worst.max_output_tokens = p->max_output_tokens;
    }
    return worst;
}

static int64_t worst_cost(const struct km_call *call, const struct km_price *p, int64_t output)
{
    struct km_usage u = { .prompt_tokens = km_llm_prompt_upper(&call->req),
                          .completion_tokens = output * km_llm_answers(&call->req) };
    int64_t cost = 0;

    return km_price_cost(p, &u, &cost) ? cost : 0;
}

/* The longest output of those that may serve a call that bounds it nowhere; in passing, how
 * many answers a deployment asks for where the caller did not say. */
static int64_t longest_output(struct km_call *call)
{
    bool asks = call->req.choices_said;
    int64_t most = 0;

    for (size_t i = 0; i < call->match.n; i++) {
        const struct km_deployment *d = call->match.v[i].deployment;
        struct km_price price = km_call_price(call, d);
        int64_t output = d->default_output >= 0 && !call->kind->verbatim ? d->default_output
                         : price.max_output_tokens > 0                   ? price.max_output_tokens
                                                                         : OUTPUT_UNKNOWN;

        if (output > most)
            most = output;
        if (!asks && !call->kind->verbatim && d->default_choices > call->req.choices)
            call->req.choices = d->default_choices;
    }
    return most;
}

/* The output that fits what is left of the budget; -1: not even a minimum. */
static int64_t fitting_output(const struct km_call *call, const struct km_price *p, int64_t most,
                              int64_t left)
{
    int64_t input = worst_cost(call, p, 0);
    int64_t one = p->output * km_llm_answers(&call->req); /* pico-USD a token of each */
    int64_t room = left - input;
    int64_t fits;

    if (room < 0)
        return -1;
    if (one <= 0)
        return most;
    fits = room > INT64_MAX / 1000 ? most : room * 1000 / one;
    if (fits >= most)
        return most;
    return fits >= OUTPUT_LEAST ? fits : -1;
}

/* Does a model write the answer?  A body that is no API's of ours says nothing of that. */
static bool writes(const struct km_call *call)
{
    return !call->req.api || (call->req.api->wire & KM_WIRES_WRITE);
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

/* What to reserve; may bound the output. */
static int reserve_llm(struct km_call *call, struct km_err *err)
{
    struct km_key *key = call->visit->who.key;
    const struct km_key_settings *s = call->visit->view->snap->keys;
    int64_t said = chosen_output(call);
    bool known, chosen = said >= 0 || !writes(call) || call->bounded;
    struct km_price p = km_call_worst_price(call, &known);
    int64_t longest = writes(call) ? longest_output(call) : 0;
    int64_t output = said >= 0 ? said : longest;
    int r;

    if (!known && (r = km_call_unpriced(call, err)) < 0)
        return r;
    if (key && key->row.max_budget >= 0 && !chosen && s->budget_mode == KM_BUDGET_RESERVE) {
        int64_t fits = fitting_output(call, &p, output, km_key_left(key));

        if (fits >= 0 && fits < output)
            call->bound_tokens = output = fits;
    }
    call->reserve = worst_cost(call, &p, output);
    call->reserve_input = km_llm_prompt_upper(&call->req);
    call->reserve_output = output * km_llm_answers(&call->req);
    return 0;
}

static void on_intent(void *ctx, const struct km_err *err)
{
    struct km_call *call = ctx;
    struct km_err why;

    call->held = false;
    if (!err) {
        km_call_resume(call, 0);
        return;
    }
    why = *err; /* a store that does not take it now may do so soon */
    if (why.retry_after_ms == 0)
        why.retry_after_ms = 1000;
    km_call_fail(call, &why);
}

static int write_intent(struct km_call *call, bool *ret_wait, struct km_err *err)
{
    struct km_ledger_entry e = { .start_us = call->start_us,
                                 .reserved = call->kind->session ? 0 : call->reserve };

    km_call_name(call, NULL, &e);
    return km_ledger_intent(call->w->ledger, &e, on_intent, call, ret_wait, err);
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
    bool wait = false;
    int r;

    call->admitted = true;
    if (call->kind->outer)
        return km_call_go(call, KM_STEP_guard);
    r = write_intent(call, &wait, &call->err);
    if (r < 0)
        return refused(call, r);
    call->intent = true;
    call->held = wait;
    km_call_go(call, KM_STEP_guard);
    return wait ? KM_WAIT : KM_MORE;
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
    call->prepared = true;
    r = km_broker_take(call, on_permit, call, &call->err);
    call->held = r == KM_E_AGAIN;
    if (r == KM_E_AGAIN)
        return KM_WAIT;
    return r < 0 ? refused(call, r) : admitted(call);
}
