/* SPDX-License-Identifier: Apache-2.0 */
/* key_handover.c - the live part of keys passes from one process to the next (key.h).
 *
 * One line a purse, of a key or an account, that has anything to tell; an account's by the hash of
 * its name:
 *
 *     hash spent reserved reset_us window_ms requests tokens running
 *          reserved_tokens holders output_sixteenths output_count \n
 *
 * spent and reset_us replace what the new process read from the store (the store may lag by one
 * commit, and the window may have turned); the rest is added, since the new process may already
 * have admitted.  The fields of the second row may be missing: a process before ours has none, and
 * ignores them in turn.  Both processes read one monotonic clock, so window_ms needs no shift.
 *
 * What the old process's running calls hold is remembered apart: each of their settlements gives
 * its part back.  If the old process dies first, the store charges those that were sent by what was
 * known of them, and each of these gives its part back too; what remains then was of calls that
 * were admitted and not sent.  Of tokens only the sum is told, and how many hold them: each
 * settlement gives an equal share back, the last one what remains.
 *
 * What is held of calls that a crash ended is in no line: it is a row of the store, where the new
 * process reads it, once.
 */
#include <string.h>

#include "base/encode.h"
#include "policy/account_table.h"
#include "policy/key_table.h"
#include "policy/payers.h"
#include "store/ledger.h"

enum {
    SPENT,
    RESERVED,
    RESET,
    WINDOW,
    REQUESTS,
    TOKENS,
    RUNNING,
    FIELDS_ONCE, /* so many there always were */
    RESERVED_TOKENS = FIELDS_ONCE,
    HOLDERS,
    OUTPUT,
    OUTPUT_COUNT,
    FIELDS
};

static void export_purse(struct km_purse *p, const uint8_t name[32], struct km_buf *out)
{
    struct km_budget b;
    struct km_limit_state s;
    char hash[65];

    pthread_mutex_lock(&p->lock);
    b = p->budget;
    s = p->limit;
    pthread_mutex_unlock(&p->lock);
    if (b.spent == 0 && b.reserved == 0 && s.window_ms == 0 && s.running == 0 && s.holders == 0)
        return;
    km_hex(hash, name, 32);
    km_buf_printf(out, "%s %lld %lld %lld %llu %lld %lld %lld", hash, (long long)b.spent,
                  (long long)b.reserved, (long long)b.reset_us, (unsigned long long)s.window_ms,
                  (long long)s.requests, (long long)s.tokens, (long long)s.running);
    km_buf_printf(out, " %lld %lld %lld %lld\n", (long long)s.reserved, (long long)s.holders,
                  (long long)s.output.sixteenths, (long long)s.output.count);
}

void km_keys_export(struct km_keys *keys, struct km_buf *out)
{
    struct km_str name;
    void *value;

    pthread_rwlock_rdlock(&keys->lock);
    for (size_t it = 0; km_map_next(keys->map, &it, &name, &value);) {
        const struct km_key *k = value;

        export_purse(k->live, k->row.hash, out);
    }
    pthread_rwlock_unlock(&keys->lock);
    if (!keys->accounts)
        return;
    pthread_rwlock_rdlock(&keys->accounts->lock);
    for (size_t it = 0; km_map_next(keys->accounts->purses, &it, &name, &value);) {
        struct km_purse *p = value;

        export_purse(p, p->hash, out);
    }
    pthread_rwlock_unlock(&keys->accounts->lock);
}

static struct km_quantile output_of(int64_t sixteenths, int64_t count)
{
    const int64_t most = KM_QUANTILE_MOST * 16;

    return (struct km_quantile){ sixteenths < most ? sixteenths : most,
                                 count < KM_QUANTILE_COUNT ? (uint32_t)count : KM_QUANTILE_COUNT };
}

static void import_live(struct km_purse *live, const int64_t v[FIELDS])
{
    struct km_limit_state *s = &live->limit;
    uint64_t window_ms = (uint64_t)v[WINDOW];

    pthread_mutex_lock(&live->lock);
    km_budget_set_window(&live->budget, v[RESET], v[SPENT]);
    live->budget.reserved += v[RESERVED];
    live->imported_reserved += v[RESERVED];
    /* Two windows that overlap become one that began with the first. */
    if (window_ms && (s->window_ms == 0 || window_ms < s->window_ms))
        s->window_ms = window_ms;
    s->requests += v[REQUESTS];
    s->tokens += v[TOKENS];
    s->running += v[RUNNING];
    live->imported_running += v[RUNNING];
    s->reserved += v[RESERVED_TOKENS];
    s->holders += v[HOLDERS];
    live->imported_tokens += v[RESERVED_TOKENS];
    live->imported_holders += v[HOLDERS];
    if (s->output.count == 0)
        s->output = output_of(v[OUTPUT], v[OUTPUT_COUNT]);
    pthread_mutex_unlock(&live->lock);
}

static void import_purse(struct km_accounts *t, const uint8_t hash[32], const int64_t v[FIELDS])
{
    struct km_purse *p;

    if (!t)
        return;
    pthread_rwlock_rdlock(&t->lock);
    p = km_map_get(t->purses, km_str((const char *)hash, 32));
    if (p)
        import_live(p, v);
    pthread_rwlock_unlock(&t->lock);
}

static int import_line(struct km_keys *keys, struct km_str line, struct km_err *err)
{
    uint8_t hash[32];
    int64_t v[FIELDS] = { 0 };
    struct km_str field;
    struct km_key *k;

    if (!km_str_split(&line, ' ', &field) || km_unhex(field, hash, 32) < 0)
        return km_fail(err, KM_E_INVALID, "hand-over: a line without a key's hash");
    for (size_t i = 0; i < FIELDS && (i < FIELDS_ONCE || line.n); i++)
        if (!km_str_split(&line, ' ', &field) || km_str_i64(field, &v[i]) < 0 || v[i] < 0)
            return km_fail(err, KM_E_INVALID, "hand-over: field %zu of a key is no number", i + 2);
    k = km_keys_find(keys, hash);
    if (k)
        import_live(k->live, v);
    else
        import_purse(keys->accounts, hash, v);
    km_key_unref(k);
    return 0;
}

int km_keys_import(struct km_keys *keys, struct km_str text, struct km_err *err)
{
    struct km_str line;

    while (km_str_split(&text, '\n', &line)) {
        int r = line.n ? import_line(keys, line, err) : 0;

        if (r < 0)
            return r;
    }
    return 0;
}

/* Under the lock. */
static int64_t share_of(const struct km_purse *live)
{
    return live->imported_holders > 0 ? live->imported_tokens / live->imported_holders : 0;
}

static int64_t token_share(struct km_purse *live)
{
    int64_t share;

    pthread_mutex_lock(&live->lock);
    share = share_of(live);
    pthread_mutex_unlock(&live->lock);
    return share;
}

/* Under the lock. */
static void give_share(struct km_purse *live)
{
    const int64_t share = share_of(live);

    if (live->imported_holders <= 0)
        return;
    live->imported_tokens -= share;
    live->imported_holders--;
    km_limit_give(&live->limit, share);
}

static void count_imported(struct km_purse *live, const struct km_permit *p)
{
    pthread_mutex_lock(&live->lock);
    live->imported_reserved += p->reserved;
    live->imported_running += p->part == KM_PERMIT_WHOLE || p->part == KM_PERMIT_PLACE;
    live->imported_tokens += p->tokens;
    live->imported_holders += p->part == KM_PERMIT_WHOLE || p->part == KM_PERMIT_WITHIN;
    pthread_mutex_unlock(&live->lock);
}

static int take_imported(struct km_key *k, const struct km_admission *a,
                         struct km_headroom *ret_headroom, bool *ret_rolled, struct km_err *err)
{
    struct km_permit permit;
    int r = km_permit_take(k, a, &permit, ret_headroom, ret_rolled, err);

    if (r < 0)
        return r;
    count_imported(k->live, &permit);
    for (size_t i = 0; permit.payers && i < permit.payers->n; i++) {
        permit.tokens = permit.payers->v[i].tokens;
        count_imported(permit.payers->v[i].purse, &permit);
    }
    km_key_unref(permit.key);
    return 0;
}

/* The sum of what a call took so is in its settlement's record, which gives all of it back. */
static int more_imported(struct km_key *k, const struct km_admission *a, bool *ret_rolled,
                         struct km_err *err)
{
    struct km_permit more = { .key = k, .part = KM_PERMIT_MORE, .payers = a->payers };
    bool ignored;
    int r;

    if (a->reserve <= 0)
        return 0;
    r = km_permit_reserve(&more, a, ret_rolled ? ret_rolled : &ignored, err);
    if (r < 0)
        return r;
    count_imported(k->live, &more);
    for (size_t i = 0; more.payers && i < more.payers->n; i++)
        count_imported(more.payers->v[i].purse, &more);
    return 0;
}

/* A key, or who calls without one. */
static struct km_key *find_caller(struct km_keys *keys, const uint8_t hash[32])
{
    struct km_key *nobody = km_keys_nobody(keys);

    return memcmp(hash, nobody->row.hash, sizeof nobody->row.hash) == 0 ? km_key_ref(nobody)
                                                                        : km_keys_find(keys, hash);
}

int km_keys_admit_imported(struct km_keys *keys, const uint8_t hash[32],
                           const struct km_admission *a, struct km_headroom *ret_headroom,
                           bool *ret_rolled, struct km_err *err)
{
    struct km_key *k = find_caller(keys, hash);
    struct km_permit held = { .key = k, .payers = a->payers };
    int r = KM_E_UNSUPPORTED;

    if (!k)
        return km_fail(err, KM_E_UNAUTHENTICATED, "Authentication Error, the key was deleted.");
    switch (a->part) {
    case KM_PERMIT_WHOLE:
    case KM_PERMIT_PLACE:
    case KM_PERMIT_WITHIN:
        r = take_imported(k, a, ret_headroom, ret_rolled, err);
        break;
    case KM_PERMIT_MORE:
        r = more_imported(k, a, ret_rolled, err);
        break;
    case KM_PERMIT_AGAIN:
        held.tokens = token_share(k->live);
        for (size_t i = 0; a->payers && i < a->payers->n; i++)
            a->payers->v[i].tokens = token_share(a->payers->v[i].purse);
        r = km_permit_again(&held, k, a, err);
        break;
    default: /* another process said it */
        km_fail(err, r, "What is asked of this gateway is of a later one.");
    }
    km_key_unref(k);
    return r;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void settle_imported(struct km_purse *live, const struct km_permit *held, int64_t cost,
                            int64_t tokens, uint64_t now_ms)
{
    int64_t reserved;

    pthread_mutex_lock(&live->lock);
    reserved = smaller(held->reserved, live->imported_reserved);
    km_budget_settle(&live->budget, reserved, 0);
    km_budget_charge(&live->budget, cost, km_wall_us());
    live->imported_reserved -= reserved;
    if (held->part != KM_PERMIT_WITHIN && live->imported_running > 0) {
        live->imported_running--;
        km_limit_release(&live->limit);
    }
    if (held->part != KM_PERMIT_PLACE && held->tokens >= 0)
        give_share(live);
    km_limit_use(&live->limit, tokens, held->output_tokens, now_ms);
    pthread_mutex_unlock(&live->lock);
}

void km_keys_settle_imported(struct km_keys *keys, const uint8_t hash[32],
                             const struct km_permit *held, int64_t cost, int64_t tokens,
                             uint64_t now_ms)
{
    struct km_key *k = km_keys_find(keys, hash);

    if (k)
        settle_imported(k->live, held, cost, tokens, now_ms);
    for (size_t i = 0; held->payers && i < held->payers->n; i++) {
        const struct km_share *s = &held->payers->v[i];
        struct km_permit part = *held;

        if (s->paid >= 0)
            part.reserved = s->reserved;
        settle_imported(s->purse, &part, s->paid >= 0 ? s->paid : cost, tokens, now_ms);
    }
    km_key_unref(k);
}

static void charge_imported(struct km_purse *live, int64_t cost, int64_t tokens, uint64_t now_ms)
{
    pthread_mutex_lock(&live->lock);
    km_budget_charge(&live->budget, cost, km_wall_us());
    km_limit_use(&live->limit, tokens, 0, now_ms);
    pthread_mutex_unlock(&live->lock);
}

void km_keys_charge_imported(struct km_keys *keys, const uint8_t hash[32],
                             const struct km_payers *payers, int64_t cost, int64_t tokens,
                             uint64_t now_ms)
{
    struct km_key *k = km_keys_find(keys, hash);

    if (k)
        charge_imported(k->live, cost, tokens, now_ms);
    for (size_t i = 0; payers && i < payers->n; i++)
        charge_imported(payers->v[i].purse, cost, tokens, now_ms);
    km_key_unref(k);
}

/* A secret may just be changing: the store knows of it first. */
static struct km_key *find_payer(struct km_keys *keys, const struct km_payer *payer)
{
    struct km_key *k = km_keys_find(keys, payer->heir);

    return k ? k : km_keys_find(keys, payer->hash);
}

/* No longer than it was made for, whatever became of the clock. */
static uint64_t end_of_hold(const struct km_spend_hold *hold)
{
    int64_t whole_us = hold->until_us - hold->made_us, left_us = hold->until_us - km_wall_us();

    left_us = smaller(left_us, whole_us);
    return km_mono_ms() + (left_us > 0 ? (uint64_t)(left_us + 999) / 1000 : 0);
}

static struct km_payers *payers_of(struct km_keys *keys, struct km_str text)
{
    return keys->accounts ? km_payers_of_text(keys->accounts, text) : NULL;
}

static void hold_in(struct km_purse *p, const struct km_budget_hold *hold)
{
    pthread_mutex_lock(&p->lock);
    km_budget_hold(&p->budget, hold);
    pthread_mutex_unlock(&p->lock);
}

void km_keys_hold(struct km_keys *keys, const struct km_spend_hold *hold)
{
    const struct km_budget_hold kept = { hold->id, hold->amount, end_of_hold(hold) };
    struct km_payers *payers = payers_of(keys, hold->payer.text);
    struct km_key *k = find_payer(keys, &hold->payer);

    if (k)
        hold_in(k->live, &kept);
    for (size_t i = 0; payers && i < payers->n; i++)
        hold_in(payers->v[i].purse, &kept);
    km_payers_free(payers);
    km_key_unref(k);
}

void km_keys_release(struct km_keys *keys, const struct km_spend_hold *hold)
{
    struct km_key *k = find_payer(keys, &hold->payer);

    if (keys->accounts)
        km_accounts_release(keys->accounts, &hold->id);
    if (!k)
        return;
    pthread_mutex_lock(&k->live->lock);
    km_budget_release(&k->live->budget, &hold->id);
    pthread_mutex_unlock(&k->live->lock);
    km_key_unref(k);
}

static void correct_in(struct km_purse *p, const struct km_correction *c)
{
    pthread_mutex_lock(&p->lock);
    km_budget_correct(&p->budget, c->more, c->at_us);
    pthread_mutex_unlock(&p->lock);
}

void km_keys_correct(struct km_keys *keys, const struct km_correction *c)
{
    struct km_payers *payers = payers_of(keys, c->payer.text);
    struct km_key *k = find_payer(keys, &c->payer);

    if (k)
        correct_in(k->live, c);
    for (size_t i = 0; payers && i < payers->n; i++)
        correct_in(payers->v[i].purse, c);
    km_payers_free(payers);
    km_key_unref(k);
}

void km_keys_charge_open(struct km_keys *keys, const struct km_open_charge *c)
{
    const struct km_permit held = {
        .part = c->flags & KM_CALL_WITHIN ? KM_PERMIT_WITHIN : KM_PERMIT_WHOLE,
        .payers = payers_of(keys, c->payer.text),
        .reserved = c->reserved,
    };
    struct km_key *k = find_payer(keys, &c->payer);
    const uint8_t *hash = k ? k->row.hash : c->payer.hash;

    if (c->hold.amount) /* first: at no moment is less kept back than may be due */
        km_keys_hold(keys, &c->hold);
    if (c->flags & KM_CALL_PART)
        km_keys_charge_imported(keys, hash, held.payers, c->cost, c->tokens, km_mono_ms());
    else
        km_keys_settle_imported(keys, hash, &held, c->cost, c->tokens, km_mono_ms());
    km_payers_free(held.payers);
    km_key_unref(k);
}

static void end_import(struct km_purse *live)
{
    pthread_mutex_lock(&live->lock);
    km_budget_settle(&live->budget, live->imported_reserved, 0);
    live->imported_reserved = 0;
    live->limit.running -= smaller(live->imported_running, live->limit.running);
    live->imported_running = 0;
    live->limit.reserved -= smaller(live->imported_tokens, live->limit.reserved);
    live->limit.holders -= smaller(live->imported_holders, live->limit.holders);
    live->imported_tokens = live->imported_holders = 0;
    pthread_mutex_unlock(&live->lock);
}

void km_keys_end_import(struct km_keys *keys)
{
    struct km_str name;
    void *value;

    pthread_rwlock_rdlock(&keys->lock);
    for (size_t it = 0; km_map_next(keys->map, &it, &name, &value);)
        end_import(((struct km_key *)value)->live);
    pthread_rwlock_unlock(&keys->lock);
    if (!keys->accounts)
        return;
    pthread_rwlock_rdlock(&keys->accounts->lock);
    for (size_t it = 0; km_map_next(keys->accounts->purses, &it, &name, &value);)
        end_import(value);
    pthread_rwlock_unlock(&keys->accounts->lock);
}
