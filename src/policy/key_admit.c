/* SPDX-License-Identifier: Apache-2.0 */
/* key_admit.c - admission: where a call takes its permit and gives it back (key.h).
 *
 * Everything a key limits is asked and taken under the key's one mutex, so no two workers can
 * both take the last of anything:
 *
 *     budget window turned?  ->  request, tokens, place taken  ->  money taken
 *     holds over?                     ^------ put back --------- refused
 *
 * The windows are a small struct, so undoing them is copying back what stood there before: a
 * refused call burns nothing.  What is taken is what a call begins with; it may take more money
 * while it runs (km_permit_reserve).  Settling is the reverse and cannot fail.
 */
#include "base/encode.h"
#include "policy/key_table.h"

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

static int refuse(const struct km_key *key, enum km_limit_kind kind, const struct km_limits *l,
                  uint64_t reset_ms, const struct km_admission *a, struct km_err *err)
{
    char hash[65], at[KM_TIME_ISO_LEN + 1];
    /* A running call may end at any time, which is waited for if no window runs; a window ends when
     * it ends. */
    uint64_t wait_ms = kind == KM_LIMIT_PARALLEL || reset_ms == 0 ? 1000 : reset_ms;

    km_hex(hash, key->row.hash, 32);
    km_time_iso(a->now_us + (int64_t)wait_ms * 1000, at);
    at[10] = ' '; /* "2026-11-20 07:46:00" of "2026-11-20T07:46:00.123456Z" */
    km_fail(err, KM_E_RATE_LIMITED,
            "Rate limit exceeded for api_key: %s. Limit type: %s. Current limit: %lld, Remaining: "
            "0. Limit resets at: %.19s UTC",
            hash, km_limit_kind_name(kind), (long long)limit_of(kind, l), at);
    if (err)
        err->retry_after_ms = wait_ms ? (int)wait_ms : 1;
    return KM_E_RATE_LIMITED;
}

static int64_t remaining(int64_t limit, int64_t used)
{
    if (limit < 0)
        return -1;
    return used >= limit ? 0 : limit - used;
}

static void tell(struct km_headroom *h, const struct km_limits *l, const struct km_limit_state *s,
                 uint64_t now_ms)
{
    if (!h)
        return;
    h->limit_requests = l->rpm;
    h->limit_tokens = l->tpm;
    h->remaining_requests = remaining(l->rpm, s->requests);
    h->remaining_tokens = remaining(l->tpm, km_limit_tokens(s));
    h->reset_ms = km_limit_reset_ms(s, now_ms);
}

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

int km_permit_take(struct km_key *key, const struct km_admission *a, struct km_permit *ret_permit,
                   struct km_headroom *ret_headroom, bool *ret_rolled, struct km_err *err)
{
    struct km_purse *live = key->live;
    struct km_limits limits = { key->row.rpm, key->row.tpm, key->row.max_parallel };
    struct km_limit_state before;
    enum km_limit_kind kind = KM_LIMIT_NONE;
    int64_t tokens;
    bool rolled;
    int r;

    if (limits.parallel < 0 && a->default_max_parallel > 0)
        limits.parallel = a->default_max_parallel;
    pthread_mutex_lock(&live->lock);
    rolled = km_budget_roll(&live->budget, a->now_us);
    km_budget_drop_holds(&live->budget, a->now_ms);
    before = live->limit;
    kind = take_part(&live->limit, &limits, a, &tokens);
    r = kind == KM_LIMIT_NONE ? km_budget_reserve(&live->budget, a->reserve, a->mode, err)
                              : KM_E_RATE_LIMITED;
    if (a->look && r == 0)
        km_budget_settle(&live->budget, a->reserve > 0 ? a->reserve : 0, 0);
    if (r == KM_E_BUDGET || a->look)
        live->limit = before;
    before = live->limit;
    pthread_mutex_unlock(&live->lock);

    if (ret_rolled)
        *ret_rolled = rolled;
    if (kind != KM_LIMIT_NONE)
        return refuse(key, kind, &limits, km_limit_reset_ms(&before, a->now_ms), a, err);
    if (r < 0)
        return r;
    tell(ret_headroom, &limits, &before, a->now_ms);
    if (a->look)
        return 0;
    ret_permit->key = km_key_ref(key);
    ret_permit->part = a->part;
    ret_permit->reserved = a->reserve > 0 ? a->reserve : 0;
    ret_permit->tokens = tokens;
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

void km_permit_settle(struct km_permit *permit, int64_t cost, int64_t tokens, uint64_t now_ms)
{
    struct km_key *key = permit->key;

    if (!key)
        return;
    permit->key = NULL;
    pthread_mutex_lock(&key->live->lock);
    km_budget_settle(&key->live->budget, permit->reserved, 0);
    km_budget_charge(&key->live->budget, cost, end_of(permit, now_ms));
    if (permit->part != KM_PERMIT_WITHIN)
        km_limit_release(&key->live->limit);
    if (permit->part != KM_PERMIT_PLACE)
        km_limit_give(&key->live->limit, permit->tokens);
    km_limit_use(&key->live->limit, tokens, permit->output_tokens, now_ms);
    pthread_mutex_unlock(&key->live->lock);
    km_key_unref(key);
}

/* --- of a permit that is held for long --- */

int km_permit_again(const struct km_permit *permit, const struct km_key *key,
                    const struct km_admission *a, struct km_err *err)
{
    struct km_limits limits = { key->row.rpm, key->row.tpm, -1 };
    struct km_purse *live = key->live;
    struct km_limit_state after;
    enum km_limit_kind kind;

    if (!permit->key)
        return 0;
    pthread_mutex_lock(&live->lock);
    kind = km_limit_again(&live->limit, &limits, permit->tokens, a->now_ms);
    after = live->limit;
    pthread_mutex_unlock(&live->lock);
    return kind == KM_LIMIT_NONE
               ? 0
               : refuse(key, kind, &limits, km_limit_reset_ms(&after, a->now_ms), a, err);
}

int km_permit_reserve(struct km_permit *permit, const struct km_admission *a, bool *ret_rolled,
                      struct km_err *err)
{
    int64_t more = a->reserve - permit->reserved;
    struct km_purse *live;
    int r = 0;

    *ret_rolled = false;
    if (!permit->key)
        return 0;
    live = permit->key->live;
    pthread_mutex_lock(&live->lock);
    *ret_rolled = km_budget_roll(&live->budget, a->now_us);
    km_budget_drop_holds(&live->budget, a->now_ms);
    if (more > 0 || a->mode == KM_BUDGET_LITELLM)
        r = km_budget_reserve(&live->budget, more, a->mode, err);
    if (r == 0 && more < 0)
        km_budget_settle(&live->budget, -more, 0);
    pthread_mutex_unlock(&live->lock);
    if (r == 0)
        permit->reserved = a->reserve;
    return r;
}

void km_permit_charge(const struct km_permit *permit, int64_t cost, int64_t tokens, uint64_t now_ms)
{
    struct km_purse *live;

    if (!permit->key)
        return;
    live = permit->key->live;
    pthread_mutex_lock(&live->lock);
    km_budget_charge(&live->budget, cost, km_wall_us());
    km_limit_use(&live->limit, tokens, permit->output_tokens, now_ms);
    pthread_mutex_unlock(&live->lock);
}
