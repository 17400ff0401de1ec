/* SPDX-License-Identifier: Apache-2.0 */
/* account_table.h - the table of accounts as its own modules see it. */
#ifndef KM_POLICY_ACCOUNT_TABLE_H
#define KM_POLICY_ACCOUNT_TABLE_H

#include "base/map.h"
#include "policy/account.h"

struct km_accounts {
    pthread_rwlock_t lock; /* guards both maps; an entry holds one reference */
    struct km_map *map; /* name of its own purse (there) to struct km_account */
    struct km_map *purses; /* hash (32 bytes, there) to struct km_purse */
    _Atomic uint64_t generation; /* counts changes */
    bool declaring; /* at start: what is put is the configuration's */
    km_accounts_define_fn *define; /* NULL: nobody is told */
    void *define_ctx;
    _Atomic size_t paying; /* how many callers may be of: neither budgets nor targets */
    _Atomic size_t blocked; /* how many are: none, and nobody looks */
    _Atomic size_t of_kind[KM_ACCOUNT_KINDS]; /* how many there are: none, and nobody looks */
};

/* Under the lock: as km_accounts_find(), no reference taken. */
struct km_account *km_accounts_at(const struct km_accounts *t, enum km_account_kind kind,
                                  struct km_str id, struct km_str of);
/* The same of a purse, by its name; NULL: nobody has it. */
struct km_purse *km_accounts_purse(const struct km_accounts *t, struct km_str name);

#endif
