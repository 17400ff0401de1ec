/* SPDX-License-Identifier: Apache-2.0 */
/* tills.c - see tills.h.
 *
 *     lock all, in the order of their addresses
 *       each: window turned, holds over?  ->  asked, taken
 *                      ^--- all before it put back ---- refused
 *     unlock all
 *
 * The key's purse is asked first, so a key that is spent says so whatever its team has.  Undoing is
 * copying the limits' state back, which is a small struct, and taking the reservation off again: a
 * refused call burns nothing of anybody.  Without accounts the one purse is all there is, and none
 * of the arrays is touched.
 */
#include "policy/tills.h"

#include <stdio.h>

#include "base/encode.h"
#include "policy/runs.h"

void km_tills_init(struct km_tills *t, const struct km_key *key, struct km_payers *payers,
                   const struct km_admission *a)
{
    t->key = key;
    t->payers = payers;
    t->a = a;
    t->rolled = false;
    t->own.more = 0;
    t->own.purse = key->live;
    t->own.limits = (struct km_limits){ key->row.rpm, key->row.tpm, key->row.max_parallel };
    t->own.unasked = false;
    for (size_t i = 0; payers && i < payers->n; i++) {
        t->v[i].purse = payers->v[i].purse;
        t->v[i].unasked = payers->v[i].unasked;
        t->v[i].tokens = payers->v[i].tokens;
        t->v[i].more = 0;
    }
}

/* All purses by address: `own` is asked first, and locked where it belongs. */
static size_t in_order(const struct km_tills *t, struct km_purse *ret[KM_PURSES_MOST + 1])
{
    size_t n = 1;

    ret[0] = t->own.purse;
    for (size_t i = 0; t->payers && i < t->payers->n; i++) {
        size_t at = n++;

        for (; at > 0 && (uintptr_t)ret[at - 1] > (uintptr_t)t->v[i].purse; at--)
            ret[at] = ret[at - 1];
        ret[at] = t->v[i].purse;
    }
    return n;
}

int km_till_reserve(struct km_till *till, int64_t amount, enum km_budget_mode mode,
                    struct km_err *err)
{
    int64_t max = till->purse->budget.max;
    int r;

    if (till->unasked)
        till->purse->budget.max = -1;
    r = km_budget_reserve(&till->purse->budget, amount, mode, err);
    till->purse->budget.max = max;
    if (r == 0)
        till->reserved = amount > 0 ? amount : 0;
    return r;
}

static int ask_one(struct km_tills *t, struct km_till *till, km_till_fn *ask, struct km_err *err)
{
    bool rolled = false;
    int r;

    km_purse_turn(till->purse, t->a->now_ms, t->a->now_us, &rolled);
    if (till == &t->own)
        t->rolled = rolled;
    else
        till->limits = till->purse->limits;
    till->before = till->purse->limit;
    till->kind = KM_LIMIT_NONE;
    till->reserved = 0;
    r = ask(t, till, err);
    if (r < 0 && r != KM_E_RATE_LIMITED)
        till->purse->limit = till->before;
    return r;
}

static void undo(struct km_till *till)
{
    till->purse->limit = till->before;
    km_budget_settle(&till->purse->budget, till->reserved, 0);
}

/* Less is always granted, to all at once. */
static void give(const struct km_till *till)
{
    if (till->more < 0)
        km_budget_settle(&till->purse->budget, -till->more, 0);
}

/* Under all locks. *ret_refused: by whom. */
static int ask_all(struct km_tills *t, size_t n, km_till_fn *ask, struct km_till **ret_refused,
                   struct km_err *err)
{
    size_t i = 0;
    int r = ask_one(t, *ret_refused = &t->own, ask, err);

    for (; r == 0 && i < n; i++)
        r = ask_one(t, *ret_refused = &t->v[i], ask, err);
    if (r < 0 && *ret_refused != &t->own)
        undo(&t->own);
    for (size_t k = 0; r < 0 && k + 1 < i; k++)
        undo(&t->v[k]);
    for (size_t k = 0; r == 0 && t->a->look && k < n; k++)
        undo(&t->v[k]);
    if (r == 0 && t->a->look)
        undo(&t->own);
    if (r == 0)
        give(&t->own);
    for (size_t k = 0; r == 0 && k < n; k++)
        give(&t->v[k]);
    t->own.before = t->own.purse->limit;
    for (size_t k = 0; k < n; k++)
        t->v[k].before = t->v[k].purse->limit;
    return r;
}

/* --- why not --- */

static int64_t limit_of(enum km_limit_kind kind, const struct km_limits *l)
{
    switch (kind) {
    case KM_LIMIT_REQUESTS:
        return l->rpm;
    case KM_LIMIT_TOKENS:
        return l->tpm;
    case KM_LIMIT_PARALLEL:
        return l->parallel;
    case KM_LIMIT_NONE:
        break;
    }
    return -1;
}

#define OWNER 512

/* "api_key: <hash>", "team: t1", "model_per_team: t1:gpt-4o". */
static void name_owner(const struct km_tills *t, const struct km_till *till, char out[OWNER])
{
    const struct km_purse *p = till->purse;
    char hash[65];

    if (till == &t->own || p->kind == KM_ACCOUNT_KEY) {
        km_hex(hash, t->key->row.hash, 32);
        (void)snprintf(out, OWNER, "%s: %s%s%.*s", p->model.n ? "model_per_key" : "api_key", hash,
                       p->model.n ? ":" : "", KM_STR_ARG(p->model));
        return;
    }
    (void)snprintf(out, OWNER, "%s%s: %.*s%s%.*s%s%.*s", p->model.n ? "model_per_" : "",
                   km_account_words[p->kind].kind, KM_STR_ARG(p->of), p->of.n ? ":" : "",
                   KM_STR_ARG(p->id), p->model.n ? ":" : "", KM_STR_ARG(p->model));
}

static int refuse_limit(const struct km_tills *t, const struct km_till *till, struct km_err *err)
{
    const uint64_t reset_ms = km_limit_reset_ms(&till->before, t->a->now_ms);
    char owner[OWNER], at[KM_TIME_ISO_LEN + 1];
    /* A running call may end at any time, which is waited for if no window runs; a window ends when
     * it ends. */
    uint64_t wait_ms = till->kind == KM_LIMIT_PARALLEL || reset_ms == 0 ? 1000 : reset_ms;

    name_owner(t, till, owner);
    km_time_iso(t->a->now_us + (int64_t)wait_ms * 1000, at);
    at[10] = ' '; /* "2026-11-20 07:46:00" of "2026-11-20T07:46:00.123456Z" */
    km_fail(err, KM_E_RATE_LIMITED,
            "Rate limit exceeded for %s. Limit type: %s. Current limit: %lld, Remaining: 0. Limit "
            "resets at: %.19s UTC",
            owner, km_limit_kind_name(till->kind), (long long)limit_of(till->kind, &till->limits),
            at);
    if (err)
        err->retry_after_ms = wait_ms ? (int)wait_ms : 1;
    return KM_E_RATE_LIMITED;
}

/* "Budget has been exceeded! Team=t1 Current cost: ..., Max budget: ...", as LiteLLM names each. */
static void name_spent(const struct km_key *key, const struct km_purse *p, struct km_buf *out)
{
    static const char *const names[KM_ACCOUNT_KINDS] = {
        [KM_ACCOUNT_GATEWAY] = "Gateway",           [KM_ACCOUNT_ORGANIZATION] = "Organization",
        [KM_ACCOUNT_ORG_MEMBER] = "Organization",   [KM_ACCOUNT_TEAM] = "Team",
        [KM_ACCOUNT_MEMBER] = "Team",               [KM_ACCOUNT_USER] = "User",
        [KM_ACCOUNT_END_USER] = "End User",         [KM_ACCOUNT_TAG] = "Tag",
        [KM_ACCOUNT_PROVIDER] = "Provider",         [KM_ACCOUNT_DEPLOYMENT] = "Deployment",
        [KM_ACCOUNT_KEY] = "Virtual Key",
    };
    const char *name = names[p->kind] ? names[p->kind] : "Account";
    char spent[KM_MONEY_LEN], max[KM_MONEY_LEN], hash[65];
    struct km_str id = p->id;

    if (p->kind == KM_ACCOUNT_KEY) { /* nobody has ever seen its id */
        km_hex(hash, key->row.hash, 32);
        id = km_str(hash, 64);
    }

    km_money_text(p->budget.spent, spent);
    km_money_text(p->budget.max, max);
    if (p->kind == KM_ACCOUNT_SESSION)
        km_buf_printf(out,
                      "Session budget exceeded for session %.*s. Current spend: $%s, "
                      "max_budget_per_session: $%s.",
                      KM_STR_ARG(p->id), spent, max);
    else if (p->model.n)
        km_buf_printf(out,
                      "LiteLLM %s: %.*s, exceeded budget for model=%.*s. Current cost: %s, "
                      "Max budget: %s",
                      name, KM_STR_ARG(id), KM_STR_ARG(p->model), spent, max);
    else if (p->window.n)
        km_buf_printf(out, "ExceededBudget: %s=%.*s over %.*s budget. Spend=$%s, Limit=$%s", name,
                      KM_STR_ARG(id), KM_STR_ARG(p->window), spent, max);
    else if (p->of.n)
        km_buf_printf(out,
                      "Budget has been exceeded! User=%.*s in %s=%.*s Current cost: %s, Max "
                      "budget: %s",
                      KM_STR_ARG(id), name, KM_STR_ARG(p->of), spent, max);
    else if (p->kind == KM_ACCOUNT_USER || p->kind == KM_ACCOUNT_END_USER)
        km_buf_printf(out, "ExceededBudget: %s=%.*s over budget. Spend=%s, Budget=%s", name,
                      KM_STR_ARG(id), spent, max);
    else
        km_buf_printf(out, "Budget has been exceeded! %s=%.*s Current cost: %s, Max budget: %s",
                      name, KM_STR_ARG(id), spent, max);
}

/* An account's refusal says whose it is; what budget.c says beyond LiteLLM's words stays. */
static int refuse_budget(const struct km_tills *t, const struct km_till *till, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(2048);
    size_t more;

    if (!err || till == &t->own)
        return KM_E_BUDGET;
    name_spent(t->key, till->purse, &text);
    more = km_str_find(km_str_c(err->text), KM_STR(" - not by what"));
    km_buf_str(&text, km_str_skip(km_str_c(err->text), more));
    km_fail(err, KM_E_BUDGET, "%.*s", KM_STR_ARG(km_buf_view(&text)));
    if (till->purse->kind == KM_ACCOUNT_SESSION)
        err->reason = km_run_budget_reason;
    return KM_E_BUDGET;
}

int km_tills_ask(struct km_tills *t, km_till_fn *ask, struct km_err *err)
{
    const size_t payers = t->payers ? t->payers->n : 0;
    struct km_purse *all[KM_PURSES_MOST + 1];
    struct km_till *refused = NULL;
    const size_t n = in_order(t, all);
    int r;

    for (size_t i = 0; i < n; i++)
        pthread_mutex_lock(&all[i]->lock);
    r = ask_all(t, payers, ask, &refused, err);
    if (r == KM_E_BUDGET)
        (void)refuse_budget(t, refused, err);
    for (size_t i = n; i > 0; i--)
        pthread_mutex_unlock(&all[i - 1]->lock);
    return r == KM_E_RATE_LIMITED ? refuse_limit(t, refused, err) : r;
}

void km_tills_keep_tokens(const struct km_tills *t)
{
    for (size_t i = 0; t->payers && i < t->payers->n; i++)
        t->payers->v[i].tokens = t->v[i].tokens;
}

/* --- what is left --- */

static int64_t remaining(int64_t limit, int64_t used)
{
    if (limit < 0)
        return -1;
    return used >= limit ? 0 : limit - used;
}

static void tell_one(const struct km_till *till, uint64_t now_ms, struct km_headroom *h)
{
    const int64_t requests = remaining(till->limits.rpm, till->before.requests);
    const int64_t tokens = remaining(till->limits.tpm, km_limit_tokens(&till->before));

    if (requests >= 0 && (h->limit_requests < 0 || requests < h->remaining_requests)) {
        h->limit_requests = till->limits.rpm;
        h->remaining_requests = requests;
        h->reset_ms = km_limit_reset_ms(&till->before, now_ms);
    }
    if (tokens >= 0 && (h->limit_tokens < 0 || tokens < h->remaining_tokens)) {
        h->limit_tokens = till->limits.tpm;
        h->remaining_tokens = tokens;
        h->reset_ms = km_limit_reset_ms(&till->before, now_ms);
    }
}

void km_tills_tell(const struct km_tills *t, struct km_headroom *ret)
{
    *ret = (struct km_headroom){ -1, -1, -1, -1, km_limit_reset_ms(&t->own.before, t->a->now_ms) };
    tell_one(&t->own, t->a->now_ms, ret);
    for (size_t i = 0; t->payers && i < t->payers->n; i++)
        tell_one(&t->v[i], t->a->now_ms, ret);
}
