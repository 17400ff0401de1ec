/* SPDX-License-Identifier: Apache-2.0 */
/* soft.c - see soft.h.
 *
 *     settled: purse->soft_due, accounts->soft_passed + 1        by any worker
 *     looked:  soft_passed to 0, each purse with soft_due told   by the first that looks
 *
 * A purse knows neither its key nor what callers call it, and crossings are rare: so the one who
 * tells walks all keys and accounts, and nobody keeps a list.
 */
#include "policy/soft.h"

#include "policy/account_table.h"
#include "policy/key_table.h"

struct telling {
    km_soft_fn *fn;
    void *ctx;
};

static void tell(const struct telling *t, struct km_purse *p, struct km_soft_passed *passed)
{
    bool due;

    pthread_mutex_lock(&p->lock);
    due = p->soft_due;
    p->soft_due = false;
    passed->spent = p->budget.spent;
    passed->soft = p->soft;
    pthread_mutex_unlock(&p->lock);
    if (due)
        t->fn(t->ctx, passed);
}

/* What a key's budget says (key_limits.h) is told as the key's. */
static void tell_key(const struct telling *t, struct km_accounts *accounts, const struct km_key *k)
{
    struct km_soft_passed passed = { .kind = "key", .name = k->alias_label };
    struct km_account *a = NULL;

    tell(t, k->live, &passed);
    if (k->payer.n)
        a = km_accounts_find(accounts, KM_ACCOUNT_KEY, k->payer, KM_STR_NONE);
    if (a)
        tell(t, a->purses[0], &passed);
    km_account_unref(a);
}

static void tell_accounts(const struct telling *t, struct km_accounts *accounts)
{
    struct km_str name;
    void *value;

    pthread_rwlock_rdlock(&accounts->lock);
    for (size_t it = 0; km_map_next(accounts->map, &it, &name, &value);) {
        const struct km_account *a = value;
        struct km_soft_passed passed = { .kind = km_account_words[a->row.kind].kind,
                                         .name = a->row.id,
                                         .of = a->row.of };

        if (a->row.kind != KM_ACCOUNT_KEY)
            tell(t, a->purses[0], &passed);
    }
    pthread_rwlock_unlock(&accounts->lock);
}

void km_keys_tell_soft(struct km_keys *keys, km_soft_fn *fn, void *ctx)
{
    const struct telling t = { fn, ctx };
    struct km_accounts *accounts = keys->accounts;
    struct km_str name;
    void *value;

    if (!accounts || atomic_load_explicit(&accounts->soft_passed, memory_order_relaxed) == 0 ||
        atomic_exchange_explicit(&accounts->soft_passed, 0, memory_order_acq_rel) == 0)
        return;
    pthread_rwlock_rdlock(&keys->lock);
    for (size_t it = 0; km_map_next(keys->map, &it, &name, &value);)
        tell_key(&t, accounts, value);
    pthread_rwlock_unlock(&keys->lock);
    tell_accounts(&t, accounts);
}
