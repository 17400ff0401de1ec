/* SPDX-License-Identifier: Apache-2.0 */
/* payers.c - see payers.h for the contract.
 *
 *     key: organisation, team, user        caller: end user, tags
 *          |      |     \___ member             |        |
 *          v      v      v                      v        v
 *        [ purse, further windows, the model's ] of each, in this order
 *
 * An account's purse for a model is taken where it names the model as the caller does, or without
 * the provider before it (the first that fits, so a call counts once); where it names what the
 * caller's name stands for, or the group that serves it: by an alias, a deployment's id or another
 * group that leads there nobody gets round it; and where its pattern fits.  A user's own budget
 * refuses nothing of a key that has a team, as LiteLLM has it, unless the configuration says
 * otherwise: it is charged in any case.
 */
#include "policy/payers.h"

#include <stdlib.h>

#include "policy/account_table.h"
#include "policy/payers_inside.h"
#include "store/payers.h"

/* While they are looked for; under the table's lock. */
struct finding {
    const struct km_accounts *t;
    const struct km_payers_ask *ask;
    struct km_share v[KM_PURSES_MOST];
    size_t n;
    int r;
    struct km_err *err;
};

static int refuse_blocked(const struct km_account_row *row, struct km_err *err)
{
    return row->kind == KM_ACCOUNT_TEAM
               ? km_fail(err, KM_E_UNAUTHENTICATED,
                         "Team=%.*s is blocked. Update via `/team/unblock` if you're an admin.",
                         KM_STR_ARG(row->id))
               : km_fail(err, KM_E_UNAUTHENTICATED, "Authentication Error, the %s %.*s is blocked.",
                         km_account_words[row->kind].kind, KM_STR_ARG(row->id));
}

static void add(struct finding *f, struct km_purse *p, bool unasked)
{
    const bool group = p->model.n > 0;

    if (f->n == KM_PURSES_MOST) {
        f->r = km_fail(f->err, KM_E_INVALID,
                       "the accounts of this call (its key's, its end user, its tags) have more "
                       "than %d budgets and limits together",
                       KM_PURSES_MOST);
        return;
    }
    f->v[f->n++] = (struct km_share){ .purse = km_purse_ref(p),
                                      .unasked = unasked,
                                      .of = group ? KM_SHARE_GROUP : KM_SHARE_CALL,
                                      .on = group,
                                      .paid = -1 };
}

/* The purse that is for this model; NULL: none. */
static struct km_purse *purse_of_model(const struct km_account *a, struct km_str model)
{
    for (size_t i = 1; i < a->npurses; i++)
        if (a->purses[i]->model.n && km_str_eq(a->purses[i]->model, model))
            return a->purses[i];
    return NULL;
}

static void add_once(struct finding *f, struct km_purse *p, bool unasked)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->v[i].purse == p)
            return;
    if (p && f->r == 0)
        add(f, p, unasked);
}

static void add_models(struct finding *f, const struct km_account *a, bool unasked)
{
    const struct km_str names[] = { f->ask->model, f->ask->meant, f->ask->group };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct km_purse *p = names[i].n ? purse_of_model(a, names[i]) : NULL;

        if (names[i].n && !p)
            p = purse_of_model(a, km_str_skip(names[i], km_str_chr(names[i], '/') + 1));
        add_once(f, p, unasked);
        for (size_t k = 1; k < a->npurses; k++)
            if (km_str_chr(a->purses[k]->model, '*') < a->purses[k]->model.n &&
                km_model_name_fits(a->purses[k]->model, names[i]))
                add_once(f, a->purses[k], unasked);
    }
}

static void add_account(struct finding *f, enum km_account_kind kind, struct km_str id,
                        struct km_str of, bool unasked)
{
    const struct km_account *a = f->r == 0 && id.n ? km_accounts_at(f->t, kind, id, of) : NULL;

    if (!a)
        return;
    if (a->row.blocked) {
        f->r = refuse_blocked(&a->row, f->err);
        return;
    }
    for (size_t i = 0; f->r == 0 && i < a->npurses; i++)
        if (!a->purses[i]->model.n)
            add(f, a->purses[i], unasked);
    if (a->npurses > 1)
        add_models(f, a, unasked);
}

/* The key's, else its team's. */
static struct km_str organization_of(const struct km_accounts *t, const struct km_payers_ask *ask)
{
    const struct km_account *team =
        ask->team_id.n ? km_accounts_at(t, KM_ACCOUNT_TEAM, ask->team_id, KM_STR_NONE) : NULL;

    return ask->organization_id.n || !team ? ask->organization_id : team->row.organization_id;
}

static void add_all(struct finding *f)
{
    const struct km_payers_ask *ask = f->ask;
    const struct km_str organization = organization_of(f->t, ask);

    add_account(f, KM_ACCOUNT_KEY, ask->key, KM_STR_NONE, false);
    add_account(f, KM_ACCOUNT_GATEWAY, KM_STR("gateway"), KM_STR_NONE, false);
    add_account(f, KM_ACCOUNT_ORGANIZATION, organization, KM_STR_NONE, false);
    if (organization.n)
        add_account(f, KM_ACCOUNT_ORG_MEMBER, ask->user_id, organization, false);
    add_account(f, KM_ACCOUNT_TEAM, ask->team_id, KM_STR_NONE, false);
    if (ask->team_id.n)
        add_account(f, KM_ACCOUNT_MEMBER, ask->user_id, ask->team_id, false);
    add_account(f, KM_ACCOUNT_USER, ask->user_id, KM_STR_NONE,
                ask->team_id.n && !ask->user_of_team_key_pays);
    add_account(f, KM_ACCOUNT_END_USER, ask->end_user, KM_STR_NONE, false);
    for (size_t i = 0; i < ask->tags.n; i++) {
        bool again = false;

        for (size_t k = 0; k < i && !again; k++)
            again = km_str_eq(ask->tags.v[k], ask->tags.v[i]);
        if (!again)
            add_account(f, KM_ACCOUNT_TAG, ask->tags.v[i], KM_STR_NONE, false);
    }
}

static void unref_all(struct km_share *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        km_purse_unref(v[i].purse);
}

struct km_payers *km_payers_free(struct km_payers *p)
{
    if (p)
        unref_all(p->v, p->n);
    free(p);
    return NULL;
}

/* What this process alone knows of: it is gone with it. */
static void add_run(struct finding *f, struct km_purse *purse)
{
    const size_t n = f->n;

    add(f, purse, false);
    if (f->n > n)
        f->v[n].unwritten = true;
}

int km_payers_make(struct km_accounts *t, const struct km_payers_ask *ask, struct km_payers **ret,
                   struct km_err *err)
{
    struct finding f = { .t = t, .ask = ask, .err = err };

    *ret = NULL;
    if (!km_accounts_is_empty(t)) {
        pthread_rwlock_rdlock(&t->lock);
        add_all(&f);
        pthread_rwlock_unlock(&t->lock);
    }
    if (f.r == 0 && ask->run)
        add_run(&f, ask->run);
    if (f.r == 0 && f.n)
        f.r = km_payers_of(f.v, f.n, ret, err);
    if (f.r < 0)
        unref_all(f.v, f.n);
    return f.r;
}

int64_t km_payers_left(const struct km_payers *p)
{
    int64_t least = INT64_MAX;

    for (size_t i = 0; p && i < p->n; i++) {
        const int64_t left = p->v[i].unasked ? INT64_MAX : km_purse_left(p->v[i].purse);

        if (left < least)
            least = left;
    }
    return least;
}

/* --- who is blocked --- */

KM_MUST_USE static enum km_right grant_use(const struct km_accounts *t, enum km_account_kind kind,
                                           struct km_str id, struct km_str of, struct km_err *err)
{
    const struct km_account *a = id.n ? km_accounts_at(t, kind, id, of) : NULL;

    if (!a || !a->row.blocked)
        return KM_GRANTED;
    (void)refuse_blocked(&a->row, err);
    return KM_DENIED;
}

KM_MUST_USE static enum km_right grant_use_all(const struct km_accounts *t,
                                               const struct km_payers_ask *ask, struct km_err *err)
{
    const struct km_str organization = organization_of(t, ask);
    enum km_right right = grant_use(t, KM_ACCOUNT_ORGANIZATION, organization, KM_STR_NONE, err);

    if (right == KM_GRANTED && organization.n)
        right = grant_use(t, KM_ACCOUNT_ORG_MEMBER, ask->user_id, organization, err);
    if (right == KM_GRANTED)
        right = grant_use(t, KM_ACCOUNT_TEAM, ask->team_id, KM_STR_NONE, err);
    if (right == KM_GRANTED && ask->team_id.n)
        right = grant_use(t, KM_ACCOUNT_MEMBER, ask->user_id, ask->team_id, err);
    if (right == KM_GRANTED)
        right = grant_use(t, KM_ACCOUNT_USER, ask->user_id, KM_STR_NONE, err);
    if (right == KM_GRANTED)
        right = grant_use(t, KM_ACCOUNT_END_USER, ask->end_user, KM_STR_NONE, err);
    return right;
}

enum km_right km_payers_grant_use(struct km_accounts *t, const struct km_payers_ask *ask,
                                  const struct km_payers *payers, struct km_err *err)
{
    enum km_right right;

    if (!t || atomic_load_explicit(&t->blocked, memory_order_relaxed) == 0)
        return KM_GRANTED;
    pthread_rwlock_rdlock(&t->lock);
    right = grant_use_all(t, ask, err);
    for (size_t i = 0; payers && right == KM_GRANTED && i < payers->n; i++) {
        const struct km_purse *p = payers->v[i].purse;

        right = grant_use(t, p->kind, p->id, p->of, err);
    }
    pthread_rwlock_unlock(&t->lock);
    return right;
}

/* --- models --- */

static bool allows(const struct km_account_row *row, struct km_str model, struct km_str alias_of)
{
    const struct km_str_list *list = &row->models;

    for (size_t i = 0; i < list->n; i++)
        if (km_str_eq(list->v[i], KM_STR("all-proxy-models")) ||
            km_str_eq(list->v[i], KM_STR("all-team-models")) ||
            km_model_name_fits(list->v[i], model) || km_model_name_fits(list->v[i], alias_of))
            return true;
    return list->n == 0;
}

KM_MUST_USE static enum km_right grant(const struct km_accounts *t, enum km_account_kind kind,
                                       struct km_str id, struct km_str of, struct km_str model,
                                       struct km_str alias_of, struct km_err *err)
{
    const struct km_account *a = id.n ? km_accounts_at(t, kind, id, of) : NULL;
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    const char *word = kind == KM_ACCOUNT_ORGANIZATION ? "org" : km_account_words[kind].kind;

    if (!a || allows(&a->limits, model, alias_of))
        return KM_GRANTED;
    for (size_t i = 0; i < a->limits.models.n; i++)
        km_buf_printf(&text, "%s'%.*s'", i ? ", " : "", KM_STR_ARG(a->limits.models.v[i]));
    km_fail_param(err, KM_E_MODEL_DENIED, "model",
                  "%s not allowed to access model. This %s can only access models=[%.*s]. Tried to "
                  "access %.*s",
                  word, word, KM_STR_ARG(km_buf_view(&text)), KM_STR_ARG(model));
    if (err && kind == KM_ACCOUNT_TEAM)
        err->type = "team_model_access_denied";
    if (err && kind == KM_ACCOUNT_USER)
        err->type = "user_model_access_denied";
    if (err && kind == KM_ACCOUNT_ORGANIZATION)
        err->type = "org_model_access_denied";
    return KM_DENIED;
}

enum km_right km_payers_grant_model(struct km_accounts *t, const struct km_payers_ask *ask,
                                    struct km_str model, struct km_str alias_of, struct km_err *err)
{
    struct km_str organization;
    enum km_right right;

    if (km_accounts_is_empty(t))
        return KM_GRANTED;
    pthread_rwlock_rdlock(&t->lock);
    organization = organization_of(t, ask);
    right = grant(t, KM_ACCOUNT_KEY, ask->key, KM_STR_NONE, model, alias_of, err);
    if (right == KM_GRANTED)
        right = grant(t, KM_ACCOUNT_TEAM, ask->team_id, KM_STR_NONE, model, alias_of, err);
    if (right == KM_GRANTED && ask->team_id.n)
        right = grant(t, KM_ACCOUNT_MEMBER, ask->user_id, ask->team_id, model, alias_of, err);
    if (right == KM_GRANTED && !ask->team_id.n)
        right = grant(t, KM_ACCOUNT_USER, ask->user_id, KM_STR_NONE, model, alias_of, err);
    if (right == KM_GRANTED)
        right = grant(t, KM_ACCOUNT_ORGANIZATION, organization, KM_STR_NONE, model, alias_of, err);
    for (size_t i = 0; right == KM_GRANTED && i < ask->tags.n; i++)
        right = grant(t, KM_ACCOUNT_TAG, ask->tags.v[i], KM_STR_NONE, model, alias_of, err);
    if (right == KM_GRANTED)
        right = grant(t, KM_ACCOUNT_END_USER, ask->end_user, KM_STR_NONE, model, alias_of, err);
    pthread_rwlock_unlock(&t->lock);
    return right;
}
