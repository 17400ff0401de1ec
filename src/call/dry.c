/* SPDX-License-Identifier: Apache-2.0 */
/* dry.c - a call that is only tried: what would happen to it, said instead of done (dry.h).
 *
 *     auth ──> read ──> prepared hooks ──> price ──> limits and budget, asked and not taken
 *                                                         └──> route, explained ──> the answer
 *
 * Nothing is called, reserved, counted or written but one line of the log.  What cannot be read, or
 * is not for its key, is refused as ever: there is nothing to tell of it.  What would be refused
 * later is a verdict of the answer, with the error that the call would have got.  It tells what the
 * key may use, and of deployments no ids, which only whoever runs the gateway knows.
 *
 * The shape is docs/dry-run.schema.json; it is the same whatever API was asked.
 */
#include "call/dry.h"

#include "call/call.h"
#include "call/priority.h"
#include "call/which.h"
#include "http/json_out.h"
#include "policy/execution.h"
#include "policy/pace.h"

/* --- members --- */

static void put_usd(struct km_json_out *o, const char *name, int64_t nanousd)
{
    char text[KM_MONEY_LEN];

    km_money_text(nanousd, text);
    km_out_member_raw(o, name, km_str_c(text));
}

static void put_null(struct km_json_out *o, const char *name)
{
    km_out_key(o, name);
    km_out_null(o);
}

static void put_i64_or_null(struct km_json_out *o, const char *name, int64_t v)
{
    if (v >= 0)
        km_out_member_i64(o, name, v);
    else
        put_null(o, name);
}

void km_dry_put_verdict(struct km_json_out *o, const struct km_err *why)
{
    km_out_key(o, "verdict");
    km_out_open(o, '{');
    km_out_key(o, "allowed");
    km_out_bool(o, why->code == 0);
    if (why->code) {
        km_out_key(o, "error");
        km_out_open(o, '{');
        km_out_member_i64(o, "status", km_err_http(why));
        km_out_member(o, "type", km_str_c(km_err_openai_type(why)));
        km_out_member(o, "code", km_str_c(km_err_name(why->code)));
        if (why->param)
            km_out_member(o, "param", km_str_c(why->param));
        km_out_member(o, "message", km_str_c(why->text));
        if (why->retry_after_ms > 0)
            km_out_member_i64(o, "retry_after_ms", why->retry_after_ms);
        km_out_close(o, '}');
    }
    km_out_close(o, '}');
}

void km_dry_put_head(struct km_json_out *o, struct km_call *call)
{
    struct km_ledger_entry e = { 0 };
    const struct km_key *key = call->visit->who.key;

    km_out_member(o, "object", KM_STR("kanmon.dry_run"));
    km_out_member(o, "id", km_str(call->visit->id_text, KM_UUID_LEN));
    km_out_member(o, "key", key ? key->alias_label : km_str_c(call->visit->who.who));
    km_call_name(call, NULL, &e);
    km_out_member(o, "call_type", e.call_type);
}

void km_dry_put_budget(struct km_json_out *o, const struct km_call *call, int64_t worst)
{
    struct km_key *key = call->visit->who.key;
    int64_t left;

    km_out_key(o, "budget");
    if (!key || key->row.max_budget < 0) {
        km_out_null(o);
        return;
    }
    left = km_key_left(key);
    km_out_open(o, '{');
    put_usd(o, "max", key->row.max_budget);
    put_usd(o, "spent", km_key_spend(key));
    put_usd(o, "left", left > 0 ? left : 0);
    if (worst >= 0)
        put_usd(o, "left_after", left > worst ? left - worst : 0);
    else
        put_null(o, "left_after");
    km_out_close(o, '}');
}

/* What is said of it that is not there yet. */
void km_dry_put_standing(struct km_json_out *o, struct km_call *call)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    km_out_key(o, "cache");
    km_out_open(o, '{');
    km_out_key(o, "active");
    km_out_bool(o, false);
    km_out_close(o, '}');
    km_out_key(o, "queue");
    km_out_open(o, '{');
    km_out_member(o, "priority", km_priority_name(km_call_priority(call)));
    km_out_close(o, '}');
    if (!km_execution_differs(call->execution))
        return;
    km_buf_byte(&b, '{');
    km_execution_put(call->execution, true, &b);
    km_buf_byte(&b, '}');
    km_out_member_raw(o, "adjusted", km_buf_view(&b));
}

/* --- of a model --- */

/* Whoever runs the gateway asks: no key, or the master's. */
static bool is_operator(const struct km_call *call)
{
    return !call->visit->who.key || call->visit->who.key->master;
}

static void put_deployment(struct km_json_out *o, const struct km_call *call,
                           const struct km_route_word *w)
{
    const struct km_deployment *d = w->candidate->deployment;

    km_out_open(o, '{');
    if (is_operator(call))
        km_out_member(o, "id", d->id);
    km_out_member(o, "provider", d->provider_name);
    km_out_member(o, "model", d->model);
    km_out_member(o, "place", km_str_c(km_route_place_word(w->place)));
    if (w->place == KM_ROUTE_LEFT_OUT)
        km_out_member(o, "reason", km_str_c(km_left_out_word(w->why)));
    if (d->unavailable.n)
        km_out_member(o, "unavailable", d->unavailable);
    if (w->place == KM_ROUTE_MAY) {
        char share[KM_MONEY_LEN];

        km_money_text((int64_t)w->permille * 1000000, share);
        km_out_member_raw(o, "share", km_str_c(share));
    }
    km_out_close(o, '}');
}

static bool may_follow(struct km_call *call, struct km_str model)
{
    struct km_model_match match;

    return km_models_find(call->visit->view->snap->models, model, &match, NULL) == 0 &&
           km_call_grants_model(call, model, match.alias_of, NULL) == KM_GRANTED;
}

static void put_route(struct km_json_out *o, struct km_call *call,
                      const struct km_call_route *route)
{
    km_out_member(o, "model", route->asked);
    km_out_member(o, "model_group", route->group);
    km_out_key(o, "route");
    km_out_open(o, '[');
    for (size_t i = 0; i < route->nwords; i++)
        put_deployment(o, call, &route->words[i]);
    km_out_close(o, ']');
    km_out_key(o, "fallbacks");
    km_out_open(o, '[');
    for (size_t i = 0; i < route->followers.n; i++)
        if (may_follow(call, route->followers.v[i]))
            km_out_str(o, route->followers.v[i]);
    km_out_close(o, ']');
}

/* The likeliest of those that may be picked; NULL: none may. */
static const struct km_deployment *likeliest(const struct km_call_route *route)
{
    const struct km_route_word *best = NULL;

    for (size_t i = 0; i < route->nwords; i++)
        if (route->words[i].place == KM_ROUTE_MAY &&
            (!best || route->words[i].permille > best->permille))
            best = &route->words[i];
    return best ? best->candidate->deployment : NULL;
}

static int64_t expected_output(const struct km_call *call, const struct km_deployment *d)
{
    int64_t mostly = km_call_writes(call) ? km_pace_median_output(d->pace) : 0;

    if (mostly <= 0)
        mostly = call->most_output;
    return call->most_output >= 0 && mostly > call->most_output ? call->most_output : mostly;
}

/* -1: no price is known. */
static int64_t estimated_cost(struct km_call *call, const struct km_deployment *d)
{
    struct km_usage usage = { .known = true };
    struct km_price room;
    int64_t cost = -1;

    if (!d || call->kind->reserve)
        return call->kind->reserve ? call->each : -1;
    usage.prompt_tokens = km_pace_input(d->pace, &call->req.size);
    usage.completion_tokens = expected_output(call, d);
    return km_price_cost(km_call_price(call, d, &room), &usage, &cost) ? cost : -1;
}

static int64_t worst_cost(const struct km_call *call, bool priced)
{
    if (!priced)
        return -1;
    return call->slices && call->most_output >= 0
               ? km_price_worst_cost(&call->worst, call->reserve_input, call->most_output)
               : call->each;
}

static void put_cost(struct km_json_out *o, int64_t estimated, int64_t worst)
{
    km_out_key(o, "cost");
    km_out_open(o, '{');
    km_out_member(o, "currency", KM_STR("USD"));
    if (estimated >= 0)
        put_usd(o, "estimated", estimated);
    else
        put_null(o, "estimated");
    if (worst >= 0)
        put_usd(o, "worst_case", worst);
    else
        put_null(o, "worst_case");
    km_out_close(o, '}');
}

static void put_tokens(struct km_json_out *o, const struct km_call *call)
{
    km_out_key(o, "tokens");
    km_out_open(o, '{');
    km_out_member_i64(o, "input_estimated", call->input_tokens);
    put_i64_or_null(o, "output_bound", call->most_output);
    km_out_close(o, '}');
}

/* Is there a deployment that could be asked at all? */
static void judge_route(const struct km_call *call, const struct km_call_route *route,
                        struct km_err *why)
{
    const struct km_deployment *d = likeliest(route);
    bool open = d != NULL;

    if (why->code)
        return;
    if (route->none.code) {
        *why = route->none;
        return;
    }
    for (size_t i = 0; !open && i < route->nwords; i++) /* rather than none at all */
        open = route->words[i].place == KM_ROUTE_OPEN || route->words[i].place == KM_ROUTE_RESTS;
    if (d && d->unavailable.n)
        km_fail(why, KM_E_NOT_IMPLEMENTED, "Model '%.*s' cannot be called: %.*s.",
                KM_STR_ARG(km_str_sub(call->req.model, 0, 100)), KM_STR_ARG(d->unavailable));
    else if (!open && !route->followers.n)
        km_fail(why, KM_E_NO_DEPLOYMENT, "No deployment of model '%.*s' is available.",
                KM_STR_ARG(km_str_sub(call->req.model, 0, 100)));
}

int km_call_explain(struct km_call *call, struct km_err *why, struct km_buf *out,
                    struct km_err *err)
{
    const bool priced = why->code != KM_E_UNPRICED && (call->worst.input || call->worst.output ||
                                                       call->each || call->kind->reserve);
    struct km_call_route route;
    struct km_json_out o;
    int64_t worst = worst_cost(call, priced);
    int r = km_call_explain_route(call, &route, err);

    if (r < 0)
        return r;
    judge_route(call, &route, why);
    km_json_out_init(&o, out);
    km_out_open(&o, '{');
    km_dry_put_head(&o, call);
    km_dry_put_verdict(&o, why);
    put_route(&o, call, &route);
    put_tokens(&o, call);
    put_cost(&o, priced ? estimated_cost(call, likeliest(&route)) : -1, worst);
    km_dry_put_budget(&o, call, worst);
    km_dry_put_standing(&o, call);
    km_out_close(&o, '}');
    return km_buf_failed(out) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}
