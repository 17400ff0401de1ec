/* SPDX-License-Identifier: Apache-2.0 */
/* economy.c - see economy.h for the contract.
 *
 *     rule's substitutes ──> groups that the key may use ──> filters ──> scores ──> the cheapest's
 *     group of the call  ──> filters ──> scores ──> router
 *
 * What a call will write is not known: its caller's bound, or a guess that is the same for all, for
 * they are but compared.  Its cost is settled by what it really used.
 */
#include "call/economy.h"

#include "call/which.h"
#include "policy/economy.h"
#include "policy/gateway_budget.h"

#define OUTPUT_GUESS 500 /* tokens of an answer that nobody bounds */

static const struct km_economy_settings *settings_of(const struct km_call *call)
{
    return km_config_get(call->visit->view->snap->config, &km_economy_settings_table);
}

static bool is_near(const struct km_call *call, const struct km_economy_settings *s)
{
    struct km_key *key = call->visit->who.key;

    if (call->w->gw->budget && km_gateway_budget_is_near(call->w->gw->budget, km_wall_us()))
        return true;
    return key && key->row.max_budget >= 0 &&
           km_economy_near(s, km_key_spend(key), key->row.max_budget);
}

bool km_call_seeks_cheaper(const struct km_call *call)
{
    const struct km_gateway_budget *b = call->w->gw->budget;

    return b && km_gateway_budget_action(b) == KM_GATEWAY_CHEAPER &&
           km_gateway_budget_is_near(b, km_wall_us());
}

static struct km_economy_ask ask_of(const struct km_call *call)
{
    const struct km_economy_settings *s = settings_of(call);

    return (struct km_economy_ask){
        .limits = s,
        .tokens_in = call->input_tokens,
        .tokens_out = call->req.max_tokens >= 0 && call->req.max_tokens < OUTPUT_GUESS
                          ? call->req.max_tokens
                          : OUTPUT_GUESS,
        .stream = call->req.stream,
        .near = is_near(call, s),
        .now_ms = km_loop_now_ms(call->w->loop),
    };
}

static uint64_t score_of(const struct km_call *call, const struct km_economy_ask *ask,
                         const struct km_candidate *c, enum km_economy_reason *ret_why)
{
    const struct km_deployment *d = c->deployment;
    struct km_price room;
    const struct km_price *price = km_call_price(call, d, &room);
    const struct km_economy_facts f = { .load = c->facts.load,
                                        .input = price->input,
                                        .output = price->output };

    return km_economy_score(ask, &f, ret_why);
}

/* --- within a group --- */

static struct km_str decision(struct km_call *call, const struct km_economy_ask *ask,
                              const size_t n[KM_ECONOMY_REASONS])
{
    struct km_str text = km_arena_printf(&call->arena, "cheapest of %zu", n[KM_ECONOMY_GOOD]);

    for (int why = KM_ECONOMY_GOOD + 1; why < KM_ECONOMY_REASONS; why++)
        if (n[why])
            text = km_arena_printf(&call->arena, "%.*s, %s=%zu", KM_STR_ARG(text),
                                   km_economy_word((enum km_economy_reason)why), n[why]);
    return ask->near ? km_arena_printf(&call->arena, "%.*s, near_budget", KM_STR_ARG(text)) : text;
}

int km_call_score_costs(struct km_call *call, struct km_err *err)
{
    const struct km_economy_ask ask = ask_of(call);
    size_t n[KM_ECONOMY_REASONS] = { 0 };
    uint64_t *scores = km_arena_alloc(&call->arena, (call->match.n + 1) * sizeof *scores);

    if (!scores)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; i < call->match.n; i++) {
        enum km_economy_reason why;

        scores[i] = score_of(call, &ask, &call->match.v[i], &why);
        n[why] += !call->route.left_out[i];
    }
    call->route.scores = scores;
    call->economy = decision(call, &ask, n);
    return 0;
}

struct km_str km_call_economy(const struct km_call *call)
{
    return call->route.scores ? call->economy : KM_STR_NONE;
}

/* --- among groups --- */

/* The lowest score of those that may serve it; UINT64_MAX: none may. */
static uint64_t best_of(struct km_call *call, const struct km_economy_ask *ask,
                        const struct km_model_match *match)
{
    const struct km_model_match before = call->match;
    uint8_t *left_out = km_arena_zalloc(&call->arena, match->n + 1);
    struct km_filter_ask filter;
    struct km_err ignored;
    uint64_t best = UINT64_MAX;

    call->match = *match;
    if (left_out && km_call_filter_ask(call, &filter, &ignored) == 0 &&
        km_filters_run(&filter, match->v, match->n, left_out))
        for (size_t i = 0; i < match->n; i++) {
            const struct km_candidate *c = &match->v[i];
            enum km_economy_reason why;
            uint64_t score;

            if (left_out[i] || km_breaker_state(c->breaker, ask->now_ms) == KM_BREAKER_OPEN ||
                km_breaker_rests(c->breaker, ask->now_ms))
                continue;
            score = score_of(call, ask, c, &why);
            best = score < best ? score : best;
        }
    call->match = before;
    return best;
}

static bool may_substitute(struct km_call *call, struct km_str model, struct km_model_match *ret)
{
    return km_models_find(call->visit->view->snap->models, model, ret, NULL) == 0 &&
           km_call_grants_model(call, model, ret->alias_of, NULL) == KM_GRANTED;
}

void km_call_choose_substitute(struct km_call *call)
{
    const struct km_str_list *list = &call->rule->substitutes;
    struct km_model_match match, found = call->match;
    struct km_economy_ask ask;
    uint64_t best, score;

    if (!list->n || !call->match.n || !(settings_of(call)->on || km_call_seeks_cheaper(call)))
        return;
    call->req.size = km_text_measure(call->body);
    call->input_tokens = km_pace_input(NULL, &call->req.size);
    ask = ask_of(call);
    best = best_of(call, &ask, &call->match);
    for (size_t i = 0; i < list->n; i++) {
        if (!may_substitute(call, list->v[i], &match))
            continue;
        score = best_of(call, &ask, &match);
        if (!km_economy_good(score) || score >= best)
            continue;
        best = score;
        found = match;
    }
    call->match = found;
}
