/* SPDX-License-Identifier: Apache-2.0 */
/* price.c - what a call is paid by: the prices of the deployments that may serve it.
 *
 *     at one deployment     its own price, or by the model's name where it serves any
 *     of all that may       the dearest of each part, which is what is reserved
 *     for a budgeted key    all that is asked for must have a price: named where it has none
 */
#include "call/call.h"

#include "llm/api/priced.h"

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

/* A name is looked up in tables, and a call asks for its price at each of its steps. */
struct km_named_price {
    const struct km_deployment *d;
    struct km_str model, star; /* as the call has them: where they are, too */
    bool lent;
    struct km_price price;
};

static bool is_same(struct km_str a, struct km_str b)
{
    return a.p == b.p && a.n == b.n;
}

static bool is_kept(const struct km_call *call, const struct km_deployment *d, bool lent)
{
    const struct km_named_price *kept = call->named_price;

    return kept && kept->d == d && kept->lent == lent && is_same(kept->model, call->req.model) &&
           is_same(kept->star, call->match.star);
}

static bool keep(const struct km_call *call, const struct km_deployment *d, bool lent)
{
    struct km_call *c = (struct km_call *)call; /* what it keeps of itself changes nothing of it */

    if (!c->named_price)
        c->named_price = km_arena_alloc(&c->arena, sizeof *c->named_price);
    if (!c->named_price)
        return false;
    *c->named_price = (struct km_named_price){ d, call->req.model, call->match.star, lent,
                                               price_by_name(call, d, lent) };
    return true;
}

const struct km_price *km_call_price(const struct km_call *call, const struct km_deployment *d,
                                     struct km_price *room)
{
    bool lent = call->kind->is_lent && call->kind->is_lent(call);

    if (!lent && !km_deployment_has_star(d))
        return &d->price;
    if (!is_kept(call, d, lent) && !keep(call, d, lent)) { /* no memory: it costs another look */
        *room = price_by_name(call, d, lent);
        return room;
    }
    return &call->named_price->price;
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

int km_call_unpriced(struct km_call *call, struct km_err *err)
{
    if (!km_call_has_budget(call) || call->visit->view->snap->keys->allow_unpriced)
        return 0;
    return km_fail_param(err, KM_E_UNPRICED, "model",
                         "No price is known for model '%.*s', and %s a budget. Set "
                         "input_cost_per_token and output_cost_per_token, run `kanmon prices "
                         "import`, or set kanmon_settings.allow_unpriced.",
                         KM_STR_ARG(km_str_sub(call->req.model, 0, 100)), km_call_who_has(call));
}

static int not_priced(const struct km_call *call, struct km_str what, const char *remedy,
                      struct km_err *err)
{
    return km_fail_param(err, KM_E_UNPRICED, "model",
                         "No price is known of %.*s for model '%.*s', and %s a budget. %s",
                         KM_STR_ARG(what), KM_STR_ARG(km_str_sub(call->req.model, 0, 100)),
                         km_call_who_has(call), remedy);
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
int km_call_judge_priced(const struct km_call *call, struct km_err *err)
{
    int r = 0;

    if (!km_call_has_budget(call) || call->visit->view->snap->keys->allow_unpriced)
        return 0;
    for (size_t i = 0; r == 0 && i < call->match.n; i++)
        r = judge_priced_at(call, call->match.v[i].deployment, err);
    return r;
}
