/* SPDX-License-Identifier: Apache-2.0 */
/* key_admit.c - admission: where a call takes its permit and gives it back (key.h).
 *
 * Everything a purse limits is asked and taken under its one mutex, so no two workers can both take
 * the last of anything.  The key's, and those of its accounts, if any, are held together (tills.c):
 *
 *     budget window turned?  ->  request, tokens, place taken  ->  money taken
 *     holds over?                     ^------ put back --------- refused
 *
 * The windows are a small struct, so undoing them is copying back what stood there before: a
 * refused call burns nothing.  What is taken is what a call begins with; it may take more money
 * while it runs (km_permit_reserve).  Settling is the reverse and cannot fail.
 */
#include "policy/tills.h"

int64_t km_key_spend(struct km_key *k)
{
    return km_purse_spend(k->live);
}

int64_t km_key_reserved(struct km_key *k)
{
    return km_purse_reserved(k->live);
}

int64_t km_key_held(struct km_key *k)
{
    return km_purse_held(k->live);
}

int64_t km_key_left(struct km_key *k)
{
    return km_purse_left(k->live);
}

int64_t km_key_window_end(struct km_key *k)
{
    int64_t end_us;

    pthread_mutex_lock(&k->live->lock);
    end_us = k->live->budget.reset_us;
    pthread_mutex_unlock(&k->live->lock);
    return end_us;
}

/* --- what is asked of each purse --- */

static enum km_limit_kind take_part(struct km_limit_state *s, const struct km_limits *l,
                                    const struct km_admission *a, int64_t *ret_tokens)
{
    const struct km_limit_need need = km_limit_need(s, a->input_tokens, a->output_bound);

    *ret_tokens = km_limit_need_sum(&need);
    switch (a->part) {
    case KM_PERMIT_PLACE:
        *ret_tokens = 0;
        return km_limit_place(s, l);
    case KM_PERMIT_WITHIN:
        return km_limit_within(s, l, &need, a->now_ms);
    case KM_PERMIT_MORE: /* asked for otherwise */
    case KM_PERMIT_AGAIN:
    case KM_PERMIT_WHOLE:
        break;
    }
    return km_limit_take(s, l, &need, a->now_ms);
}

static int take_one(struct km_tills *t, struct km_till *till, struct km_err *err)
{
    till->kind = take_part(&till->purse->limit, &till->limits, t->a, &till->tokens);
    if (till->kind != KM_LIMIT_NONE)
        return KM_E_RATE_LIMITED;
    return km_till_reserve(till, t->a->reserve, t->a->mode, err);
}

static int again_one(struct km_tills *t, struct km_till *till, struct km_err *err)
{
    (void)err;
    till->kind = km_limit_again(&till->purse->limit, &till->limits, till->tokens, t->a->now_ms);
    return till->kind == KM_LIMIT_NONE ? 0 : KM_E_RATE_LIMITED;
}

/* t->more: what is to be reserved besides. */
static int reserve_one(struct km_tills *t, struct km_till *till, struct km_err *err)
{
    if (t->more > 0 || t->a->mode == KM_BUDGET_LITELLM)
        return km_till_reserve(till, t->more, t->a->mode, err);
    return 0;
}

/* --- permits --- */

int km_permit_take(struct km_key *key, const struct km_admission *a, struct km_permit *ret_permit,
                   struct km_headroom *ret_headroom, bool *ret_rolled, struct km_err *err)
{
    struct km_tills t;
    int r;

    km_tills_init(&t, key, a->payers, a);
    if (t.own.limits.parallel < 0 && a->default_max_parallel > 0)
        t.own.limits.parallel = a->default_max_parallel;
    r = km_tills_ask(&t, take_one, err);
    if (ret_rolled)
        *ret_rolled = t.rolled;
    if (r < 0)
        return r;
    if (ret_headroom)
        km_tills_tell(&t, ret_headroom);
    if (a->look)
        return 0;
    km_tills_keep_tokens(&t);
    ret_permit->key = km_key_ref(key);
    ret_permit->part = a->part;
    ret_permit->reserved = a->reserve > 0 ? a->reserve : 0;
    ret_permit->payers = a->payers;
    ret_permit->tokens = t.own.tokens;
    ret_permit->output_tokens = 0;
    ret_permit->start_us = a->now_us;
    ret_permit->start_ms = a->now_ms;
    return 0;
}

/* What was spent belongs to the window in which the call ended, by the wall clock of its start: a
 * clock that was set meanwhile does not move it, as it does not move the ledger's row. */
static int64_t end_of(const struct km_permit *permit, uint64_t now_ms)
{
    return now_ms > permit->start_ms
               ? permit->start_us + (int64_t)(now_ms - permit->start_ms) * 1000
               : permit->start_us;
}

static void settle_one(struct km_purse *p, const struct km_permit *permit, int64_t held_tokens,
                       int64_t cost, int64_t tokens, uint64_t now_ms)
{
    pthread_mutex_lock(&p->lock);
    km_budget_settle(&p->budget, permit->reserved, 0);
    km_purse_charge(p, cost, end_of(permit, now_ms));
    if (permit->part != KM_PERMIT_WITHIN)
        km_limit_release(&p->limit);
    if (permit->part != KM_PERMIT_PLACE)
        km_limit_give(&p->limit, held_tokens);
    km_limit_use(&p->limit, tokens, permit->output_tokens, now_ms);
    pthread_mutex_unlock(&p->lock);
}

void km_permit_settle(struct km_permit *permit, int64_t cost, int64_t tokens, uint64_t now_ms)
{
    struct km_key *key = permit->key;
    const struct km_payers *payers = permit->payers;

    if (!key)
        return;
    permit->key = NULL;
    permit->payers = NULL;
    settle_one(key->live, permit, permit->tokens, cost, tokens, now_ms);
    for (size_t i = 0; payers && i < payers->n; i++)
        settle_one(payers->v[i].purse, permit, payers->v[i].tokens, cost, tokens, now_ms);
    km_key_unref(key);
}

/* --- of a permit that is held for long --- */

int km_permit_again(const struct km_permit *permit, const struct km_key *key,
                    const struct km_admission *a, struct km_err *err)
{
    struct km_tills t;

    if (!permit->key)
        return 0;
    km_tills_init(&t, key, permit->payers, a);
    t.own.limits.parallel = -1;
    t.own.tokens = permit->tokens;
    return km_tills_ask(&t, again_one, err);
}

int km_permit_reserve(struct km_permit *permit, const struct km_admission *a, bool *ret_rolled,
                      struct km_err *err)
{
    struct km_tills t;
    int r;

    *ret_rolled = false;
    if (!permit->key)
        return 0;
    km_tills_init(&t, permit->key, permit->payers, a);
    t.more = a->reserve - permit->reserved;
    r = km_tills_ask(&t, reserve_one, err);
    *ret_rolled = t.rolled;
    if (r < 0)
        return r;
    permit->reserved = a->reserve;
    return 0;
}

/* t->payers are all of them: those that paid before are not asked again. */
static int widen_one(struct km_tills *t, struct km_till *till, struct km_err *err)
{
    if (till == &t->own || (size_t)(till - t->v) < t->paying)
        return 0;
    return take_one(t, till, err);
}

int km_permit_widen(struct km_permit *permit, const struct km_admission *a, struct km_err *err)
{
    struct km_tills t;
    int r;

    if (!permit->key)
        return 0;
    km_tills_init(&t, permit->key, a->payers, a);
    t.paying = permit->payers ? permit->payers->n : 0;
    r = km_tills_ask(&t, widen_one, err);
    if (r < 0)
        return r;
    km_tills_keep_tokens(&t);
    permit->payers = a->payers;
    return 0;
}

static void charge_one(struct km_purse *p, const struct km_permit *permit, int64_t cost,
                       int64_t tokens, uint64_t now_ms)
{
    pthread_mutex_lock(&p->lock);
    km_purse_charge(p, cost, km_wall_us());
    km_limit_use(&p->limit, tokens, permit->output_tokens, now_ms);
    pthread_mutex_unlock(&p->lock);
}

void km_permit_charge(const struct km_permit *permit, int64_t cost, int64_t tokens, uint64_t now_ms)
{
    if (!permit->key)
        return;
    charge_one(permit->key->live, permit, cost, tokens, now_ms);
    for (size_t i = 0; permit->payers && i < permit->payers->n; i++)
        charge_one(permit->payers->v[i].purse, permit, cost, tokens, now_ms);
}
