/* SPDX-License-Identifier: Apache-2.0 */
/* own_routes.c - see own_routes.h for the contract.
 *
 *     name asked for ──> the key's alias ──> model
 *     a group failed ──> the key's list, in place of the configured ones (fallback.c)
 *     no money left  ──> the key's budget_fallbacks, else the configured ones: admitted anew as a
 *                        call of the next, at its price
 *
 * Whatever is led to must be a model that the key may use; a key's alias is one that its maker has
 * given it, and counts as the model that it names, or as the name itself.
 */
#include "call/own_routes.h"

#include "policy/key_routes.h"
#include "policy/payers.h"

/* What its key says; false: nothing.  Few keys do, and few calls of theirs ask twice. */
static bool read_routes(struct km_call *call, struct km_key_routes *ret)
{
    const struct km_key *key = call->visit->who.key;

    if (!key || !key->routes)
        return false;
    km_key_routes_read(&key->row, &call->arena, ret);
    return true;
}

/* Its team and its user must be allowed the model that is meant: who makes a key for himself gives
 * it its aliases, and their lists are no less theirs for it. */
KM_MUST_USE static enum km_right grants_target(const struct km_call *call, struct km_str to,
                                               struct km_str alias_of, struct km_err *err)
{
    const struct km_key *key = call->visit->who.key;
    const struct km_payers_ask ask = km_payers_ask_of(key);

    return key->accounts ? km_payers_grant_model(key->accounts, &ask, to, alias_of, err)
                         : KM_GRANTED;
}

int km_call_own_alias(struct km_call *call, struct km_err *err)
{
    struct km_model_match match;
    struct km_key_routes r;
    struct km_str to;

    if (!read_routes(call, &r))
        return 0;
    to = km_key_routes_alias(&r, call->req.model);
    if (to.n) {
        if (km_models_find(call->visit->view->snap->models, to, &match, err) < 0)
            return KM_E_INVALID;
        if (grants_target(call, to, match.alias_of, err) != KM_GRANTED)
            return KM_E_MODEL_DENIED;
        call->match = match;
        call->match.alias_of = to;
    }
    if (call->req.num_retries < 0)
        call->req.num_retries = km_key_routes_retries(&r);
    if (km_key_routes_tags(&r))
        call->match.filters |= (unsigned)KM_FILTER_TAGS;
    return 0;
}

bool km_call_own_followers(struct km_call *call, enum km_failure failure,
                           struct km_fallback_list *ret)
{
    const char *name = failure == KM_FAILURE_CONTEXT_WINDOW   ? "context_window_fallbacks"
                       : failure == KM_FAILURE_CONTENT_POLICY ? "content_policy_fallbacks"
                                                              : "fallbacks";
    struct km_str_list list;
    struct km_key_routes r;
    bool has;

    if (!read_routes(call, &r))
        return false;
    has = km_key_routes_follow(&r, name, call->req.model, call->match.group, &call->arena, &list) ||
          km_key_routes_follow(&r, "fallbacks", call->req.model, call->match.group, &call->arena,
                               &list);
    *ret = (struct km_fallback_list){ .v = list.v, .n = list.n };
    return has;
}

struct km_fallback_list km_call_own_budget(struct km_call *call)
{
    const struct km_fallbacks *configured = km_models_fallbacks(call->visit->view->snap->models);
    struct km_str_list own = { .n = 0 };
    struct km_key_routes r;

    if (read_routes(call, &r))
        own = km_key_routes_budget(&r, call->req.model, call->match.group, &call->arena);
    return own.n ? (struct km_fallback_list){ .v = own.v, .n = own.n }
                 : km_fallbacks_of_budget(configured, call->req.model, call->match.group);
}
