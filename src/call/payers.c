/* SPDX-License-Identifier: Apache-2.0 */
/* payers.c - which accounts a call is of, beside its key (policy/payers.h).
 *
 *     key       its team, its user
 *     caller    its end user (caller.h); x-litellm-tags, headers that the file names, `tags` and
 *               `metadata.tags` of the body
 *
 * What a caller names is only looked up: where there is no such account it stands in the call's row
 * and nothing else happens.  It is asked once a call, when the body is read and nothing is reserved
 * yet; a call whose key is of no account, in a gateway that has none, asks one number.  The budget
 * of the run that it is of (run.h) pays beside them.
 */
#include "call/call.h"
#include "call/run.h"
#include "http/json.h"
#include "policy/gateway_budget.h"
#include "call/caller.h"
#include "http/json.h"
#include "policy/caller_settings.h"

/* The names that its caller gave it. */
struct said {
    struct km_str v[KM_PAYERS_TAGS];
    size_t n;
};

static void add_tag(struct said *said, struct km_str tag)
{
    tag = km_str_trim(tag);
    if (tag.n && tag.n <= KM_ACCOUNT_ID_BYTES && said->n < KM_PAYERS_TAGS)
        said->v[said->n++] = tag;
}

static void add_list(struct said *said, const struct km_json *list)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key, tag;

    if (km_json_kind(list) != KM_JSON_ARRAY)
        return;
    for (km_json_iter(list, &it); km_json_next(&it, &key, &item);)
        if (km_json_string(item, &tag))
            add_tag(said, tag);
}

static void add_said_in_body(struct km_call *call, struct said *said)
{
    const struct km_json *metadata = NULL, *tags = NULL;

    if (call->req.tags.n && km_json_parse(&call->arena, call->req.tags, &tags, NULL) == 0)
        add_list(said, tags);
    if (call->req.metadata.n &&
        km_json_parse(&call->arena, call->req.metadata, &metadata, NULL) == 0)
        add_list(said, km_json_get(metadata, "tags"));
}

static void add_named_header(struct km_call *call, struct km_str name, struct said *said)
{
    const struct km_str value = km_str_trim(km_header_get(&call->request->headers, name));

    if (value.n && name.n + value.n < KM_ACCOUNT_ID_BYTES)
        add_tag(said,
                km_arena_printf(&call->arena, "%.*s: %.*s", KM_STR_ARG(name), KM_STR_ARG(value)));
}

static void add_said_in_head(struct km_call *call, struct said *said)
{
    const struct km_str_list *named = &call->visit->view->snap->caller_tags->headers;
    struct km_str tags, tag;

    if (!call->request)
        return;
    tags = km_header_get(&call->request->headers, KM_STR("x-litellm-tags"));
    while (km_str_split(&tags, ',', &tag))
        add_tag(said, tag);
    for (size_t i = 0; i < named->n; i++)
        add_named_header(call, named->v[i], said);
}

bool km_call_payers_go_on(struct km_call *call, struct km_err *err)
{
    const struct km_payers_ask ask = { .end_user = km_call_end_user(call) };

    return km_payers_grant_use(call->w->gw->accounts, &ask, call->hold.payers, err) == KM_GRANTED;
}

static void free_payers(void *data)
{
    km_payers_free(data);
}

/* What its caller named; the list is in the call's arena. */
static void read_names(struct km_call *call, struct said *said, struct km_payers_ask *ret)
{
    said->n = 0;
    add_said_in_body(call, said);
    add_said_in_head(call, said);
    ret->end_user = km_call_end_user(call);
    ret->tags = (struct km_str_list){ said->v, said->n };
}

/* What its caller named must be allowed it, as its key must. */
KM_MUST_USE static enum km_right grants_named(struct km_call *call, struct km_str model,
                                              struct km_str alias_of, struct km_err *err)
{
    struct km_payers_ask ask = { 0 };
    struct said said;

    read_names(call, &said, &ask);
    return km_payers_grant_model(call->w->gw->accounts, &ask, model, alias_of, err);
}

enum km_right km_call_grants_model(struct km_call *call, struct km_str model,
                                   struct km_str alias_of, struct km_err *err)
{
    const struct km_key *key = call->visit->who.key;

    if (!key)
        return KM_GRANTED;
    if (km_key_grants_model(key, model, alias_of, err) != KM_GRANTED)
        return KM_DENIED;
    return km_accounts_is_empty(call->w->gw->accounts) ? KM_GRANTED
                                                       : grants_named(call, model, alias_of, err);
}

/* Those of the model that it goes to now. */
static int make_payers(struct km_call *call, struct km_payers **ret, struct km_err *err)
{
    const struct km_key *key = call->visit->who.key;
    struct km_payers_ask ask = key ? km_payers_ask_of(key) : (struct km_payers_ask){ 0 };
    struct said said;
    int r;

    ask.model = call->req.model;
    ask.meant = call->match.alias_of;
    ask.group = call->match.group;
    read_names(call, &said, &ask);
    if (key && !ask.user_id.n)
        ask.user_id = km_call_named_user(call);
    ask.user_of_team_key_pays = call->visit->view->snap->keys->user_of_team_key_pays;
    ask.run = km_call_run_purse(call);
    r = km_payers_make(call->w->gw->accounts, &ask, ret, err);
    if (r == 0 && *ret)
        r = km_arena_defer(&call->arena, free_payers, *ret);
    if (r == KM_E_NOMEM && !err->code)
        km_fail(err, r, "out of memory");
    return r;
}

static bool has_payers(const struct km_call *call)
{
    return !km_accounts_is_empty(call->w->gw->accounts) || km_call_run_purse(call);
}

int km_call_find_payers(struct km_call *call, struct km_err *err)
{
    int r = km_call_check_end_user(call, err);

    if (r < 0 || !has_payers(call) || call->hold.payers)
        return r;
    r = make_payers(call, &call->hold.payers, err);
    if (r == 0 && call->visit->who.key && call->req.model.n &&
        grants_named(call, call->req.model, call->match.alias_of, err) != KM_GRANTED)
        return KM_E_MODEL_DENIED;
    return r;
}

int km_call_find_payers_anew(struct km_call *call, struct km_err *err)
{
    call->hold.payers = NULL; /* the arena has it */
    return has_payers(call) ? make_payers(call, &call->hold.payers, err) : 0;
}

int km_call_payers_now(struct km_call *call, struct km_payers **ret, struct km_err *err)
{
    *ret = NULL;
    return has_payers(call) ? make_payers(call, ret, err) : 0;
}

static bool counts(const struct km_payers *p)
{
    for (size_t i = 0; p && i < p->n; i++)
        if (!p->v[i].unasked && km_purse_has_budget(p->v[i].purse))
            return true;
    return false;
}

bool km_call_has_budget(const struct km_call *call)
{
    const struct km_key *key = call->visit->who.key;

    return (key && key->row.max_budget >= 0) || counts(call->hold.payers) ||
           (call->match.filters & KM_FILTER_BUDGET) != 0;
}

const char *km_call_who_has(const struct km_call *call)
{
    const struct km_key *key = call->visit->who.key;

    return (key && key->row.max_budget >= 0) || counts(call->hold.payers)
               ? "this key has"
               : "a deployment of it, or a provider, has";
}

int64_t km_call_left(const struct km_call *call)
{
    const int64_t key = call->visit->who.key ? km_key_left(call->visit->who.key) : INT64_MAX,
                  others = km_payers_left(call->hold.payers),
                  all = km_gateway_budget_left(call->w->gw->budget, km_wall_us()),
                  least = key < others ? key : others;

    return all < least ? all : least;
}
