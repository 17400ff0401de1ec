/* SPDX-License-Identifier: Apache-2.0 */
/* fallback.c - a model group has failed: another one is asked in its place.
 *
 *     no more attempts in the group
 *         -> who follows it?     the caller's own list, else the configured ones (llm/fallback.h)
 *         -> may the key use it, and who else pays; was it not asked yet, is as much left?
 *         -> its deployments take the place of those before, and the attempts begin again
 *
 * Who follows a follower that fails comes before its siblings.  A group is asked once, and no more
 * groups than max_fallbacks.  The request is written again from what the caller sent, for another
 * provider may speak another protocol.  What the attempts before have cost stays in the call's row.
 *
 * A body that names what a provider keeps (a file) goes to no others; one that names further models
 * is judged again for those that may get it now (hooks.h).
 *
 * While another group may follow, a deployment that is left alone is passed over.  Where none of
 * those may have the call (its key may not use them, or cannot pay them) or all are left alone as
 * well, the first group is asked all the same, as one that nobody follows.
 */
#include "call/call.h"

#include "call/hooks.h"
#include "call/metrics.h"
#include "call/model.h"
#include "call/own_routes.h"
#include "http/json.h"
#include "policy/execution.h"

#define PENDING_MOST 64 /* followers that wait for their turn */

static const char tag, elsewhere_tag; /* the call's notes */

/* --- the caller's own --- */

struct own {
    struct km_call *call;
    const char *name; /* of the member */
    struct km_str v[KM_FALLBACKS_MOST];
    size_t n;
};

static int own_fail(const struct own *o, struct km_err *err)
{
    return km_fail_param(err, KM_E_INVALID, o->name,
                         "'%s' is a list of at most %d models: [\"name\", ...].", o->name,
                         KM_FALLBACKS_MOST);
}

/* One that the key may use, like the one it asks for. */
static int add_name(struct own *o, struct km_str model, struct km_err *err)
{
    struct km_model_match match;
    int r;

    if (o->n == KM_FALLBACKS_MOST)
        return own_fail(o, err);
    r = km_models_find(o->call->visit->view->snap->models, model, &match, err);
    if (km_call_grants_model(o->call, model, r == 0 ? match.alias_of : KM_STR_NONE, err) !=
        KM_GRANTED)
        return KM_E_MODEL_DENIED;
    o->v[o->n++] = model;
    return r;
}

static int add_own(struct own *o, const struct km_json *name, struct km_err *err)
{
    struct km_str model;

    return km_json_string(name, &model) ? add_name(o, model, err) : own_fail(o, err);
}

/* {"model": name}, or {group: [names]} as the configuration has it. */
static int add_own_object(struct own *o, const struct km_json *item, struct km_err *err)
{
    const struct km_str asked = o->call->req.model;
    const struct km_json *value, *name;
    struct km_json_iter it, names;
    struct km_str key, none;
    int r = 0;

    km_json_iter(item, &it);
    if (km_json_count(item) != 1 || !km_json_next(&it, &key, &value))
        return own_fail(o, err);
    if (km_json_kind(value) != KM_JSON_ARRAY)
        return km_str_eq(key, KM_STR("model")) ? add_own(o, value, err) : own_fail(o, err);
    km_json_iter(value, &names);
    while (r == 0 && km_json_next(&names, &none, &name))
        if (km_str_eq(key, asked) || km_str_eq(key, KM_STR("*")))
            r = add_own(o, name, err);
    return r;
}

/* The model group of a provider that the key may use: one that has the same model there, else the
 * first. */
static struct km_str group_at(struct km_call *call, struct km_str provider)
{
    const struct km_models *models = call->visit->view->snap->models;
    const struct km_deployment *asked = call->match.n ? call->match.v[0].deployment : NULL;
    struct km_str found = KM_STR_NONE;

    for (size_t i = 0; i < km_models_count(models); i++) {
        const struct km_deployment *d = km_models_at(models, i);

        if (!km_str_ieq(d->provider_name, provider) || km_deployment_has_star(d) ||
            km_str_eq(d->group, call->match.group) ||
            km_call_grants_model(call, d->group, KM_STR_NONE, NULL) != KM_GRANTED)
            continue;
        if (asked && km_str_eq(d->upstream_model, asked->upstream_model))
            return d->group;
        if (!found.n)
            found = d->group;
    }
    return found;
}

/* fallbackProvider: a model's name, else a provider's. */
static int add_provider(struct own *o, struct km_str name, struct km_err *err)
{
    struct km_str group = KM_STR_NONE;
    struct km_model_match match;

    if (km_models_find(o->call->visit->view->snap->models, name, &match, NULL) < 0)
        group = group_at(o->call, name);
    return add_name(o, group.n ? group : name, err);
}

static int read_list(struct own *o, struct km_str json, struct km_err *err)
{
    const struct km_json *root, *item;
    struct km_json_iter it;
    struct km_str none;
    int r;

    if (!json.n)
        return 0;
    r = km_json_parse(&o->call->arena, json, &root, err);
    if (r < 0)
        return r;
    if (km_json_kind(root) != KM_JSON_ARRAY)
        return own_fail(o, err);
    km_json_iter(root, &it);
    while (r == 0 && km_json_next(&it, &none, &item))
        r = km_json_kind(item) == KM_JSON_OBJECT ? add_own_object(o, item, err)
                                                 : add_own(o, item, err);
    return r;
}

/* provider: who comes first; or empty. */
static int read_own(struct km_call *call, const char *name, struct km_str json,
                    struct km_str provider, struct km_fallback_list *ret, struct km_err *err)
{
    struct own o = { .call = call, .name = name };
    struct km_str *v;
    int r = provider.n ? add_provider(&o, provider, err) : 0;

    if (r == 0)
        r = read_list(&o, json, err);
    if (r < 0 || (!o.n && !json.n))
        return r;
    v = km_arena_alloc(&call->arena, (o.n + 1) * sizeof *v);
    if (!v)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    memcpy(v, o.v, o.n * sizeof *v);
    *ret = (struct km_fallback_list){ .v = v, .n = o.n };
    return 0;
}

int km_call_read_fallbacks(struct km_call *call, struct km_err *err)
{
    const struct km_llm_request *req = &call->req;
    struct km_own_fallbacks *own = &call->own_fallbacks;
    struct km_str provider = KM_STR_NONE;
    int r;

    if (km_execution_says(call->execution, KM_EXECUTION_FALLBACK) && call->kind->falls_back)
        provider = call->execution->fallback;
    r = read_own(call, "fallbacks", req->fallbacks, provider, &own->any, err);
    if (r == 0)
        r = read_own(call, "context_window_fallbacks", req->context_fallbacks, KM_STR_NONE,
                     &own->context, err);
    return r < 0 ? r
                 : read_own(call, "content_policy_fallbacks", req->policy_fallbacks, KM_STR_NONE,
                            &own->policy, err);
}

/* --- the groups that follow --- */

/* What switching to another group changes, to be undone where the key has not as much left. */
struct place {
    struct km_str model, asked_model;
    struct km_model_match match;
};

struct fallbacks {
    struct km_str pending[PENDING_MOST]; /* the last is the next */
    size_t npending;
    struct km_str asked[KM_FALLBACKS_MOST + 1]; /* groups, the first included */
    size_t nasked;
    struct place home, before; /* of the first, and of who was before this one */
    struct km_err first; /* what the first of them said that was wrong with the request; or none */
    struct km_err last;  /* what one that was asked said last; or none */
};

/* Is there anybody to be asked, by any list?  Where the caller has `fallbacks` of its own no other
 * list counts than the caller's. */
static bool has_followers(const struct km_call *call)
{
    const struct km_own_fallbacks *own = &call->own_fallbacks;
    const struct km_key *key = call->visit->who.key;

    return own->any.n || own->context.n || own->policy.n || call->followers ||
           (!own->any.v && (call->match.falls_back || (key && key->routes)));
}

bool km_call_may_fall_back(const struct km_call *call)
{
    return has_followers(call) && call->kind->falls_back && !call->req.no_fallbacks &&
           !(call->req.names & KM_NAMES_FILES);
}

/* The caller's own list counts in the place of the configured ones. */
struct km_fallback_list km_call_followers(struct km_call *call, enum km_failure failure)
{
    const struct km_fallbacks *configured = km_models_fallbacks(call->visit->view->snap->models);
    const struct km_own_fallbacks *own = &call->own_fallbacks;
    struct km_fallback_list by_key;
    const struct km_fallback_list *said = failure == KM_FAILURE_CONTEXT_WINDOW   ? &own->context
                                          : failure == KM_FAILURE_CONTENT_POLICY ? &own->policy
                                                                                 : &own->any;

    if (!said->v)
        said = &own->any;
    if (said->v) /* also one that names nobody */
        return call->fallbacks ? (struct km_fallback_list){ 0 } : *said;
    if (km_call_own_followers(call, failure, &by_key))
        return by_key;
    return km_fallbacks_find(configured, failure, call->req.model, call->match.group);
}

static void push_followers(struct fallbacks *f, struct km_fallback_list followers)
{
    for (size_t i = followers.n; i-- > 0 && f->npending < PENDING_MOST;)
        f->pending[f->npending++] = followers.v[i];
}

static bool was_asked(const struct fallbacks *f, struct km_str group)
{
    for (size_t i = 0; i < f->nasked; i++)
        if (km_str_eq(f->asked[i], group))
            return true;
    return false;
}

static struct place place_of(const struct km_call *call)
{
    return (struct place){ call->req.model, call->asked_model, call->match };
}

static void take_place(struct km_call *call, const struct place *p)
{
    call->req.model = p->model;
    call->asked_model = p->asked_model;
    call->match = p->match;
    call->route = (struct km_route_state){ .rng = call->route.rng };
}

/* Is there such a model, and may the call use it? */
static bool find_usable(struct km_call *call, struct km_str model, struct km_model_match *ret)
{
    return km_models_find(call->visit->view->snap->models, model, ret, NULL) == 0 &&
           km_call_grants_model(call, model, ret->alias_of, NULL) == KM_GRANTED;
}

/* Is it one that this call may go to? */
static bool find_place(struct km_call *call, const struct fallbacks *f, struct km_str model,
                       struct place *ret)
{
    ret->model = model;
    ret->asked_model = call->asked_model.n ? call->asked_model : call->req.model;
    return find_usable(call, model, &ret->match) && !was_asked(f, ret->match.group);
}

/* A call's whole time is what one bounds; else a group has the time that its attempts need. */
static void give_time(struct km_call *call)
{
    if (call->req.timeout_ms <= 0 && !km_execution_says(call->execution, KM_EXECUTION_TIMEOUT) &&
        call->visit->view->snap->routing->timeout_ms <= 0) {
        km_timer_stop(&call->deadline);
        km_call_time_runs(call);
    }
}

static struct fallbacks *begin(struct km_call *call)
{
    struct fallbacks *f = km_call_note(call, &tag);

    if (f)
        return f;
    f = km_call_make_note(call, &tag, sizeof *f);
    if (f) {
        f->asked[f->nasked++] = call->match.group;
        f->home = place_of(call);
    }
    return f;
}

/* The next one that may serve it, at the price it would cost there. */
static bool go_to_next(struct km_call *call, struct fallbacks *f)
{
    struct km_err ignored = { 0 };
    struct place next;

    f->before = place_of(call);
    while (f->npending) {
        if (!find_place(call, f, f->pending[--f->npending], &next))
            continue;
        take_place(call, &next);
        if (km_call_price_anew(call, &ignored) == 0 && km_call_judge_again(call, &ignored) == 0 &&
            km_call_move_group(call, &ignored) == 0) {
            f->asked[f->nasked++] = next.match.group;
            call->followers = (unsigned)f->npending;
            call->fallbacks++;
            give_time(call);
            return true;
        }
        take_place(call, &f->before);
    }
    call->followers = 0;
    return false;
}

/* Nobody was asked, for all are left alone, and none is left that it may go to: its attempts begin
 * again in the first group, whatever state that is in.  Once. */
static bool ask_anyway(struct km_call *call, const struct fallbacks *f)
{
    struct km_err ignored = { 0 };

    if (f->last.code || call->err.code != KM_E_NO_DEPLOYMENT)
        return false;
    km_call_bill(call);
    take_place(call, &f->home);
    call->req.no_fallbacks = true; /* nobody follows it any more */
    call->fallbacks = 0;
    return km_call_price_anew(call, &ignored) == 0 && km_call_judge_again(call, &ignored) == 0 &&
           km_call_move_group(call, &ignored) == 0;
}

bool km_call_fall_back(struct km_call *call)
{
    struct fallbacks *f;

    if (!km_call_may_fall_back(call))
        return false;
    f = begin(call);
    if (!f)
        return false;
    if (call->fallbacks >= km_fallbacks_most(km_models_fallbacks(call->visit->view->snap->models)))
        return ask_anyway(call, f);
    if (call->fallbacks == 0)
        f->first = call->err;
    if (call->err.code != KM_E_NO_DEPLOYMENT && !km_call_is_target_spent(call))
        f->last = call->err;
    push_followers(f, km_call_followers(call, km_call_failure(call)));
    km_call_bill(call); /* at the price of the group that it was of */
    if (call->fallbacks)
        km_count_fallback(call, false);
    return go_to_next(call, f) || ask_anyway(call, f);
}

bool km_call_fall_further(struct km_call *call)
{
    struct fallbacks *f = km_call_note(call, &tag);

    if (!f || !call->fallbacks || call->route.attempts)
        return false;
    take_place(call, &f->before);
    call->fallbacks--;
    return go_to_next(call, f) || ask_anyway(call, f);
}
void km_call_first_word(struct km_call *call, bool passing)
{
    const struct fallbacks *f = km_call_note(call, &tag);

    if (f && f->last.code &&
        (call->err.code == KM_E_NO_DEPLOYMENT ||
         km_call_is_target_spent(call))) /* of a follower: no word of it */
        call->err = f->last;

    if (!passing && f && f->first.code == KM_E_UPSTREAM_STATUS && km_err_http(&f->first) < 500 &&
        km_err_http(&f->first) != 429)
        call->err = f->first;
}

/* --- no money left --- */

struct elsewhere {
    struct km_fallback_list list;
    size_t next;
};

static struct elsewhere *elsewhere_of(struct km_call *call)
{
    struct elsewhere *e = km_call_note(call, &elsewhere_tag);

    if (e)
        return e;
    e = km_call_make_note(call, &elsewhere_tag, sizeof *e);
    if (e)
        e->list = km_call_own_budget(call);
    return e;
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

        if (!find_usable(call, model, &match) || km_str_eq(match.group, call->match.group))
            continue;
        if (!call->asked_model.n)
            call->asked_model = call->req.model;
        call->req.model = model;
        call->match = match;
        if (km_call_find_payers_anew(call, &ignored) == 0 &&
            km_call_judge_again(call, &ignored) == 0)
            return true;
    }
    return false;
}
