/* SPDX-License-Identifier: Apache-2.0 */
/* key_handover.c - the live part of keys passes from one process to the next (key.h).
 *
 * One line a key that has anything to tell:
 *
 *     hash spent reserved reset_us window_ms requests tokens running \n
 *
 * spent and reset_us replace what the new process read from the store (the store may lag by one
 * commit, and the window may have turned); the rest is added, since the new process may already
 * have admitted.  Both processes read one monotonic clock, so window_ms needs no shift.
 *
 * What the old process's running calls hold is remembered apart: each of their settlements gives
 * its part back.  If the old process dies first, the store charges those that were sent by what was
 * known of them, and each of these gives its part back too; what remains then was of calls that
 * were admitted and not sent.
 *
 * What is held of calls that a crash ended is in no line: it is a row of the store, where the new
 * process reads it, once.
 */
#include <string.h>

#include "base/encode.h"
#include "policy/key_table.h"
#include "store/ledger.h"

#define FIELDS 7

void km_keys_export(struct km_keys *keys, struct km_buf *out)
{
    struct km_str name;
    void *value;

    pthread_rwlock_rdlock(&keys->lock);
    for (size_t it = 0; km_map_next(keys->map, &it, &name, &value);) {
        const struct km_key *k = value;
        struct km_budget b;
        struct km_limit_state s;
        char hash[65];

        pthread_mutex_lock(&k->live->lock);
        b = k->live->budget;
        s = k->live->limit;
        pthread_mutex_unlock(&k->live->lock);
        if (b.spent == 0 && b.reserved == 0 && s.window_ms == 0 && s.running == 0)
            continue;
        km_hex(hash, k->row.hash, 32);
        km_buf_printf(out, "%s %lld %lld %lld %llu %lld %lld %lld\n", hash, (long long)b.spent,
                      (long long)b.reserved, (long long)b.reset_us, (unsigned long long)s.window_ms,
                      (long long)s.requests, (long long)s.tokens, (long long)s.running);
    }
    pthread_rwlock_unlock(&keys->lock);
}

static void import_live(struct km_key_live *live, const int64_t v[FIELDS])
{
    struct km_limit_state *s = &live->limit;
    uint64_t window_ms = (uint64_t)v[3];

    pthread_mutex_lock(&live->lock);
    km_budget_set_window(&live->budget, v[2], v[0]);
    live->budget.reserved += v[1];
    live->imported_reserved += v[1];
    /* Two windows that overlap become one that began with the first. */
    if (window_ms && (s->window_ms == 0 || window_ms < s->window_ms))
        s->window_ms = window_ms;
    s->requests += v[4];
    s->tokens += v[5];
    s->running += v[6];
    live->imported_running += v[6];
    pthread_mutex_unlock(&live->lock);
}

static int import_line(struct km_keys *keys, struct km_str line, struct km_err *err)
{
    uint8_t hash[32];
    int64_t v[FIELDS];
    struct km_str field;
    struct km_key *k;

    if (!km_str_split(&line, ' ', &field) || km_unhex(field, hash, 32) < 0)
        return km_fail(err, KM_E_INVALID, "hand-over: a line without a key's hash");
    for (size_t i = 0; i < FIELDS; i++)
        if (!km_str_split(&line, ' ', &field) || km_str_i64(field, &v[i]) < 0 || v[i] < 0)
            return km_fail(err, KM_E_INVALID, "hand-over: field %zu of a key is no number", i + 2);
    k = km_keys_find(keys, hash);
    if (k)
        import_live(k->live, v);
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

static void count_imported(struct km_key_live *live, int64_t reserved, int64_t running)
{
    pthread_mutex_lock(&live->lock);
    live->imported_reserved += reserved;
    live->imported_running += running;
    pthread_mutex_unlock(&live->lock);
}

static int take_imported(struct km_key *k, const struct km_admission *a,
                         struct km_headroom *ret_headroom, bool *ret_rolled, struct km_err *err)
{
    struct km_permit permit;
    int r = km_permit_take(k, a, &permit, ret_headroom, ret_rolled, err);

    if (r < 0)
        return r;
    count_imported(k->live, permit.reserved, a->part != KM_PERMIT_WITHIN);
    km_key_unref(permit.key);
    return 0;
}

/* The sum of what a call took so is in its settlement's record, which gives all of it back. */
static int more_imported(struct km_key *k, const struct km_admission *a, bool *ret_rolled,
                         struct km_err *err)
{
    struct km_permit more = { .key = k };
    bool ignored;
    int r;

    if (a->reserve <= 0)
        return 0;
    r = km_permit_reserve(&more, a, ret_rolled ? ret_rolled : &ignored, err);
    if (r == 0)
        count_imported(k->live, more.reserved, 0);
    return r;
}

int km_keys_admit_imported(struct km_keys *keys, const uint8_t hash[32],
                           const struct km_admission *a, struct km_headroom *ret_headroom,
                           bool *ret_rolled, struct km_err *err)
{
    struct km_key *k = km_keys_find(keys, hash);
    const struct km_permit held = { .key = k };
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

void km_keys_settle_imported(struct km_keys *keys, const uint8_t hash[32],
                             const struct km_permit *held, int64_t cost, int64_t tokens,
                             uint64_t now_ms)
{
    struct km_key *k = km_keys_find(keys, hash);
    struct km_key_live *live;
    int64_t reserved;

    if (!k)
        return;
    live = k->live;
    pthread_mutex_lock(&live->lock);
    reserved = smaller(held->reserved, live->imported_reserved);
    km_budget_settle(&live->budget, reserved, 0);
    km_budget_charge(&live->budget, cost, km_wall_us());
    live->imported_reserved -= reserved;
    if (held->part == KM_PERMIT_WITHIN) {
        km_limit_use(&live->limit, tokens, now_ms);
    } else if (live->imported_running > 0) {
        live->imported_running--;
        km_limit_release(&live->limit, tokens, now_ms);
    }
    pthread_mutex_unlock(&live->lock);
    km_key_unref(k);
}

void km_keys_charge_imported(struct km_keys *keys, const uint8_t hash[32], int64_t cost,
                             int64_t tokens, uint64_t now_ms)
{
    struct km_key *k = km_keys_find(keys, hash);

    if (!k)
        return;
    pthread_mutex_lock(&k->live->lock);
    km_budget_charge(&k->live->budget, cost, km_wall_us());
    km_limit_use(&k->live->limit, tokens, now_ms);
    pthread_mutex_unlock(&k->live->lock);
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

void km_keys_hold(struct km_keys *keys, const struct km_spend_hold *hold)
{
    const struct km_budget_hold kept = { hold->id, hold->amount, end_of_hold(hold) };
    struct km_key *k = find_payer(keys, &hold->payer);

    if (!k)
        return;
    pthread_mutex_lock(&k->live->lock);
    km_budget_hold(&k->live->budget, &kept);
    pthread_mutex_unlock(&k->live->lock);
    km_key_unref(k);
}

void km_keys_release(struct km_keys *keys, const struct km_spend_hold *hold)
{
    struct km_key *k = find_payer(keys, &hold->payer);

    if (!k)
        return;
    pthread_mutex_lock(&k->live->lock);
    km_budget_release(&k->live->budget, &hold->id);
    pthread_mutex_unlock(&k->live->lock);
    km_key_unref(k);
}

void km_keys_correct(struct km_keys *keys, const struct km_correction *c)
{
    struct km_key *k = find_payer(keys, &c->payer);

    if (!k)
        return;
    pthread_mutex_lock(&k->live->lock);
    km_budget_correct(&k->live->budget, c->more, c->at_us);
    pthread_mutex_unlock(&k->live->lock);
    km_key_unref(k);
}

void km_keys_charge_open(struct km_keys *keys, const struct km_open_charge *c)
{
    const struct km_permit held = {
        .part = c->flags & KM_CALL_WITHIN ? KM_PERMIT_WITHIN : KM_PERMIT_WHOLE,
        .reserved = c->reserved,
    };
    struct km_key *k = find_payer(keys, &c->payer);

    if (!k)
        return;
    if (c->hold.amount) /* first: at no moment is less kept back than may be due */
        km_keys_hold(keys, &c->hold);
    if (c->flags & KM_CALL_PART)
        km_keys_charge_imported(keys, k->row.hash, c->cost, c->tokens, km_mono_ms());
    else
        km_keys_settle_imported(keys, k->row.hash, &held, c->cost, c->tokens, km_mono_ms());
    km_key_unref(k);
}

void km_keys_end_import(struct km_keys *keys)
{
    struct km_str name;
    void *value;

    pthread_rwlock_rdlock(&keys->lock);
    for (size_t it = 0; km_map_next(keys->map, &it, &name, &value);) {
        struct km_key_live *live = ((struct km_key *)value)->live;

        pthread_mutex_lock(&live->lock);
        km_budget_settle(&live->budget, live->imported_reserved, 0);
        live->imported_reserved = 0;
        live->limit.running -= smaller(live->imported_running, live->limit.running);
        live->imported_running = 0;
        pthread_mutex_unlock(&live->lock);
    }
    pthread_rwlock_unlock(&keys->lock);
}
