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

#include "call/hooks.h"
#include "policy/key_routes.h"

static const char routes_tag, elsewhere_tag; /* the call's notes */

/* What its key says, read once; NULL: nothing. */
static const struct km_key_routes *routes_of(struct km_call *call)
{
    const struct km_key *key = call->visit->who.key;
    struct km_key_routes *r;

    if (!key || !key->routes)
        return NULL;
    r = km_call_note(call, &routes_tag);
    if (r)
        return r;
    r = km_call_make_note(call, &routes_tag, sizeof *r);
    if (r)
        km_key_routes_read(&key->row, &call->arena, r);
    return r;
}

int km_call_own_alias(struct km_call *call, struct km_err *err)
{
    const struct km_key_routes *r = routes_of(call);
    struct km_str to = r ? km_key_routes_alias(r, call->req.model) : KM_STR_NONE;
    struct km_model_match match;
    int e;

    if (!r)
        return 0;
    if (to.n) {
        e = km_models_find(call->visit->view->snap->models, to, &match, err);
        if (e < 0)
            return e;
        call->match = match;
        call->match.alias_of = to;
    }
    if (call->req.num_retries < 0)
        call->req.num_retries = km_key_routes_retries(r);
    if (km_key_routes_tags(r))
        call->match.filters |= (unsigned)KM_FILTER_TAGS;
    return 0;
}

bool km_call_own_followers(struct km_call *call, enum km_failure failure,
                           struct km_fallback_list *ret)
{
    const struct km_key_routes *r = routes_of(call);
    const char *name = failure == KM_FAILURE_CONTEXT_WINDOW   ? "context_window_fallbacks"
                       : failure == KM_FAILURE_CONTENT_POLICY ? "content_policy_fallbacks"
                                                              : "fallbacks";
    struct km_str_list list;
    bool has;

    if (!r)
        return false;
    has = km_key_routes_follow(r, name, call->req.model, call->match.group, &call->arena, &list) ||
          km_key_routes_follow(r, "fallbacks", call->req.model, call->match.group, &call->arena,
                               &list);
    *ret = (struct km_fallback_list){ .v = list.v, .n = list.n };
    return has;
}

/* --- no money left --- */

struct elsewhere {
    struct km_fallback_list list;
    size_t next;
};

static struct elsewhere *elsewhere_of(struct km_call *call)
{
    const struct km_fallbacks *configured = km_models_fallbacks(call->visit->view->snap->models);
    const struct km_key_routes *r = routes_of(call);
    struct elsewhere *e = km_call_note(call, &elsewhere_tag);
    struct km_str_list own = { .n = 0 };

    if (e)
        return e;
    e = km_call_make_note(call, &elsewhere_tag, sizeof *e);
    if (!e)
        return NULL;
    if (r)
        own = km_key_routes_budget(r, call->req.model, call->match.group, &call->arena);
    e->list = own.n ? (struct km_fallback_list){ .v = own.v, .n = own.n }
                    : km_fallbacks_of_budget(configured, call->req.model, call->match.group);
    return e;
}

static bool may_go(struct km_call *call, struct km_str model, struct km_model_match *ret)
{
    struct km_key *key = call->visit->who.key;

    return km_models_find(call->visit->view->snap->models, model, ret, NULL) == 0 &&
           !km_str_eq(ret->group, call->match.group) &&
           (!key || km_key_grants_model(key, model, ret->alias_of, NULL) == KM_GRANTED);
}

bool km_call_spend_elsewhere(struct km_call *call)
{
    struct km_err ignored = { 0 };
    struct km_model_match match;
    struct elsewhere *e;

    if (!call->kind->falls_back || !call->match.n || call->req.no_fallbacks ||
        call->req.names & KM_NAMES_FILES)
        return false;
    e = elsewhere_of(call);
    while (e && e->next < e->list.n) {
        const struct km_str model = e->list.v[e->next++];

        if (!may_go(call, model, &match))
            continue;
        if (!call->asked_model.n)
            call->asked_model = call->req.model;
        call->req.model = model;
        call->match = match;
        if (km_call_judge_again(call, &ignored) == 0)
            return true;
    }
    return false;
}
