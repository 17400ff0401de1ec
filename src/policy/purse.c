/* SPDX-License-Identifier: Apache-2.0 */
/* purse.c - see purse.h for the contract.
 *
 *     name:  kind US id US of US window US model        US: the byte 0x1f, which no id has
 *
 * The name says nothing of how long a window is: a budget that gets another length keeps its purse,
 * and with it the calls that run.
 */
#include "policy/purse.h"

#include <stdlib.h>

#include "base/crypto.h"

#define SEPARATOR '\x1f'

size_t km_purse_name(const struct km_purse_words *w, char out[KM_PURSE_NAME])
{
    const struct km_str parts[] = { w->id, w->of, w->window, w->model };
    size_t n = 0;

    if (w->kind >= 10)
        out[n++] = (char)('0' + w->kind / 10);
    out[n++] = (char)('0' + w->kind % 10);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].n >= KM_PURSE_NAME - n)
            return 0;
        out[n++] = SEPARATOR;
        if (parts[i].n)
            memcpy(out + n, parts[i].p, parts[i].n);
        n += parts[i].n;
    }
    return n;
}

static struct km_purse *purse_new(size_t texts)
{
    struct km_purse *p = calloc(1, sizeof *p + texts);

    if (!p)
        return NULL;
    atomic_init(&p->refs, 1);
    if (pthread_mutex_init(&p->lock, NULL) != 0) {
        free(p);
        return NULL;
    }
    atomic_init(&p->moved, false);
    p->budget.max = p->soft = -1;
    p->limits = (struct km_limits){ -1, -1, -1 };
    return p;
}

struct km_purse *km_purse_new(const uint8_t hash[32], int64_t spent)
{
    struct km_purse *p = purse_new(0);

    if (!p)
        return NULL;
    p->budget.spent = spent;
    memcpy(p->hash, hash, sizeof p->hash);
    return p;
}

/* Where a part of the name lies; all of it is behind the purse. */
static struct km_str part_of(struct km_str *rest)
{
    struct km_str part = KM_STR_NONE;

    (void)km_str_split(rest, SEPARATOR, &part);
    return part;
}

bool km_purse_name_read(struct km_str name, struct km_purse_words *ret)
{
    uint64_t kind;

    if (km_str_u64(part_of(&name), &kind) < 0 || kind >= KM_ACCOUNT_KINDS)
        return false;
    ret->kind = (enum km_account_kind)kind;
    ret->id = part_of(&name);
    ret->of = part_of(&name);
    ret->window = part_of(&name);
    ret->model = part_of(&name);
    return true;
}

struct km_purse *km_purse_new_named(const struct km_purse_words *w)
{
    char name[KM_PURSE_NAME];
    size_t n = km_purse_name(w, name);
    struct km_purse *p;
    struct km_str rest;

    if (n == 0 || !(p = purse_new(n)))
        return NULL;
    memcpy(p + 1, name, n);
    p->name = km_str((const char *)(p + 1), n);
    km_sha256(p->name, p->hash);
    p->kind = w->kind;
    rest = p->name;
    (void)part_of(&rest);
    p->id = part_of(&rest);
    p->of = part_of(&rest);
    p->window = part_of(&rest);
    p->model = part_of(&rest);
    return p;
}

struct km_purse *km_purse_ref(struct km_purse *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

struct km_purse *km_purse_unref(struct km_purse *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    pthread_mutex_destroy(&p->lock);
    km_budget_done(&p->budget);
    free(p);
    return NULL;
}

void km_purse_turn(struct km_purse *p, uint64_t now_ms, int64_t now_us, bool *ret_rolled)
{
    *ret_rolled = km_budget_roll(&p->budget, now_us);
    if (*ret_rolled)
        p->soft_told = false;
    km_budget_drop_holds(&p->budget, now_ms);
    if (p->raised_until_us && now_us >= p->raised_until_us) {
        p->budget.max -= p->raised;
        p->raised_until_us = p->raised = 0;
    }
}

void km_purse_charge(struct km_purse *p, int64_t cost, int64_t at_us)
{
    km_budget_charge(&p->budget, cost, at_us);
    if (p->soft < 0 || p->soft_told || p->budget.spent < p->soft || cost <= 0)
        return;
    p->soft_told = p->soft_due = true;
    if (p->soft_passed)
        atomic_fetch_add_explicit(p->soft_passed, 1, memory_order_release);
}

void km_purse_know_soft(struct km_purse *p)
{
    p->soft_told = p->soft >= 0 && p->budget.spent >= p->soft;
}

struct km_paying km_purse_paying(struct km_purse *p)
{
    struct km_paying paying = { .name = p->name };

    pthread_mutex_lock(&p->lock);
    paying.length_s = p->budget.duration_s;
    paying.end_us = p->budget.duration_s ? p->budget.reset_us : 0;
    pthread_mutex_unlock(&p->lock);
    return paying;
}

int64_t km_purse_spend(struct km_purse *p)
{
    int64_t spent;

    pthread_mutex_lock(&p->lock);
    /* The window ended and nobody has called since: it is told as the next call will find it. */
    spent = km_budget_spent_at(&p->budget, km_wall_us());
    pthread_mutex_unlock(&p->lock);
    return spent;
}

int64_t km_purse_reserved(struct km_purse *p)
{
    int64_t reserved;

    pthread_mutex_lock(&p->lock);
    reserved = p->budget.reserved;
    pthread_mutex_unlock(&p->lock);
    return reserved;
}

int64_t km_purse_held(struct km_purse *p)
{
    int64_t held;

    pthread_mutex_lock(&p->lock);
    km_budget_drop_holds(&p->budget, km_mono_ms());
    held = p->budget.held;
    pthread_mutex_unlock(&p->lock);
    return held;
}

int64_t km_purse_left(struct km_purse *p)
{
    struct km_budget *b = &p->budget;
    int64_t left;

    pthread_mutex_lock(&p->lock);
    if (b->nholds)
        km_budget_drop_holds(b, km_mono_ms());
    left = km_budget_left_at(b, km_wall_us());
    if (p->raised_until_us && left != INT64_MAX && km_wall_us() >= p->raised_until_us)
        left = left > p->raised ? left - p->raised : 0;
    pthread_mutex_unlock(&p->lock);
    return left;
}

bool km_purse_has_budget(struct km_purse *p)
{
    bool has;

    pthread_mutex_lock(&p->lock);
    has = p->budget.max >= 0;
    pthread_mutex_unlock(&p->lock);
    return has;
}

int64_t km_purse_window_end(struct km_purse *p)
{
    int64_t end_us;

    pthread_mutex_lock(&p->lock);
    end_us = p->budget.duration_s ? p->budget.reset_us : 0;
    pthread_mutex_unlock(&p->lock);
    return end_us;
}
