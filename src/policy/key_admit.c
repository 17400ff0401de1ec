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

static int reserve_one(struct km_tills *t, struct km_till *till, struct km_err *err)
{
    if (till->more > 0 || t->a->mode == KM_BUDGET_LITELLM)
        return km_till_reserve(till, till->more, t->a->mode, err);
    return 0;
}

/* The share of a purse; NULL: it is the key's. */
static struct km_share *share_of(const struct km_tills *t, const struct km_till *till)
{
    return till == &t->own ? NULL : &t->payers->v[till - t->v];
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
    for (size_t i = 0; a->payers && a->payers->parts && i < a->payers->n; i++)
        a->payers->v[i].reserved = ret_permit->reserved;
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

/* What one purse is told when its call is over. */
struct ending {
    int64_t reserved, held_tokens; /* given back */
    int64_t cost, tokens; /* used */
    uint64_t now_ms;
};

static void settle_one(struct km_purse *p, const struct km_permit *permit, const struct ending *end)
{
    pthread_mutex_lock(&p->lock);
    km_budget_settle(&p->budget, end->reserved, 0);
    km_budget_charge(&p->budget, end->cost, end_of(permit, end->now_ms));
    if (permit->part != KM_PERMIT_WITHIN)
        km_limit_release(&p->limit);
    if (permit->part != KM_PERMIT_PLACE)
        km_limit_give(&p->limit, end->held_tokens);
    km_limit_use(&p->limit, end->tokens, permit->output_tokens, end->now_ms);
    pthread_mutex_unlock(&p->lock);
}

static void settle_share(const struct km_share *s, const struct km_permit *permit,
                         const struct ending *whole)
{
    struct ending end = *whole;

    end.held_tokens = s->tokens;
    if (s->of != KM_SHARE_CALL)
        end.reserved = s->reserved;
    if (s->of != KM_SHARE_CALL && s->paid >= 0) {
        end.cost = s->paid;
        end.tokens = s->on ? whole->tokens : 0;
    }
    settle_one(s->purse, permit, &end);
}

void km_permit_settle(struct km_permit *permit, int64_t cost, int64_t tokens, uint64_t now_ms)
{
    struct km_key *key = permit->key;
    const struct km_payers *payers = permit->payers;
    const struct ending whole = { permit->reserved, permit->tokens, cost, tokens, now_ms };

    if (!key)
        return;
    permit->key = NULL;
    permit->payers = NULL;
    settle_one(key->live, permit, &whole);
    for (size_t i = 0; payers && i < payers->n; i++)
        settle_share(&payers->v[i], permit, &whole);
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

/* What it reserves more where the call reserves so much more. */
static int64_t more_of(const struct km_share *s, int64_t more)
{
    if (s->of == KM_SHARE_CALL)
        return more;
    if (!s->on)
        return 0;
    return more < -s->reserved ? -s->reserved : more;
}

int km_permit_reserve(struct km_permit *permit, const struct km_admission *a, bool *ret_rolled,
                      struct km_err *err)
{
    const int64_t more = a->reserve - permit->reserved;
    struct km_tills t;
    int r;

    *ret_rolled = false;
    if (!permit->key)
        return 0;
    km_tills_init(&t, permit->key, permit->payers, a);
    t.own.more = more;
    for (size_t i = 0; permit->payers && i < permit->payers->n; i++)
        t.v[i].more = more_of(&permit->payers->v[i], more);
    r = km_tills_ask(&t, reserve_one, err);
    *ret_rolled = t.rolled;
    if (r < 0)
        return r;
    permit->reserved = a->reserve;
    for (size_t i = 0; permit->payers && i < permit->payers->n; i++)
        permit->payers->v[i].reserved += t.v[i].more;
    return 0;
}

/* --- who pays moves --- */

/* One that was not among those that paid is asked as at admission. */
static int move_one(struct km_tills *t, struct km_till *till, struct km_err *err)
{
    const struct km_share *s = share_of(t, till);

    if (s && s->fresh)
        till->kind = take_part(&till->purse->limit, &till->limits, t->a, &till->tokens);
    if (till->kind != KM_LIMIT_NONE)
        return KM_E_RATE_LIMITED;
    return till->more > 0 || (s && s->fresh) ? km_till_reserve(till, till->more, t->a->mode, err)
                                             : 0;
}

static const struct km_share *share_in(const struct km_payers *p, const struct km_purse *purse)
{
    for (size_t i = 0; p && i < p->n; i++)
        if (p->v[i].purse == purse)
            return &p->v[i];
    return NULL;
}

/* What it has now, of what its share is to have. */
static int64_t has_reserved(const struct km_permit *permit, const struct km_share *s)
{
    return s->of == KM_SHARE_CALL ? permit->reserved : s->reserved;
}

/* Those that are not among `to` were not spent from. */
static void let_go(const struct km_permit *permit, const struct km_payers *to, uint64_t now_ms)
{
    const struct km_payers *from = permit->payers;

    for (size_t i = 0; from && i < from->n; i++) {
        const struct km_share *s = &from->v[i];
        const struct ending none = { has_reserved(permit, s), s->tokens, 0, 0, now_ms };

        if (!share_in(to, s->purse))
            settle_one(s->purse, permit, &none);
    }
}

int km_permit_move(struct km_permit *permit, const struct km_admission *a, struct km_err *err)
{
    struct km_tills t;
    int r;

    if (!permit->key)
        return 0;
    km_tills_init(&t, permit->key, a->payers, a);
    t.own.more = a->reserve - permit->reserved;
    for (size_t i = 0; a->payers && i < a->payers->n; i++) {
        struct km_share *s = &a->payers->v[i];
        const struct km_share *before = share_in(permit->payers, s->purse);

        s->fresh = !before;
        t.v[i].more = (s->of == KM_SHARE_CALL ? a->reserve : s->reserved) -
                      (before ? has_reserved(permit, before) : 0);
    }
    r = km_tills_ask(&t, move_one, err);
    if (r < 0)
        return r;
    km_tills_keep_tokens(&t);
    let_go(permit, a->payers, a->now_ms);
    permit->payers = a->payers;
    permit->reserved = a->reserve;
    return 0;
}

static void charge_one(struct km_purse *p, const struct km_permit *permit, int64_t cost,
                       int64_t tokens, uint64_t now_ms)
{
    pthread_mutex_lock(&p->lock);
    km_budget_charge(&p->budget, cost, km_wall_us());
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
