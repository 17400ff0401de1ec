/* SPDX-License-Identifier: Apache-2.0 */
/* purse.h - what a key or an account has left: one budget, one set of limits, one mutex.
 *
 * A key has a purse.  An account (account.h) has one, and one more for each further window of its
 * budget and for each model that it limits.  A call pays from all that concern it at once:
 *
 *     km_key ──> its purse            sum of running calls, window, spend, reservations, holds
 *     km_payers ──> purse of the team, of the team in a day, of the team for gpt-4o, of the user
 *
 * A purse of an account is found by its name, which is the same in every process and in the store:
 * its spend is known by it.  Purses are counted: who pays from one may hold it longer than its
 * account is there.
 */
#ifndef KM_POLICY_PURSE_H
#define KM_POLICY_PURSE_H

#include <pthread.h>
#include <stdatomic.h>

#include "policy/budget.h"
#include "policy/limit.h"
#include "store/accounts.h"
#include "store/payers.h"

#define KM_PURSES_MOST 32 /* that one call pays from, beside its key's */

/* Everything but refs, moved and what is said to stay is guarded by lock, which is held for a few
 * dozen instructions; several are taken in the order of their addresses. */
struct km_purse {
    _Atomic int refs;
    pthread_mutex_t lock;
    struct km_budget budget;
    struct km_limit_state limit;
    struct km_limits limits; /* of an account's; a key's are in its row */
    int64_t soft; /* nano-USD: an event is told once it is spent; -1 none */
    bool soft_told; /* of the current window: it was passed */
    bool soft_due; /* and nobody was told yet */
    _Atomic unsigned *soft_passed; /* of the table, which counts them; NULL: nobody asks */
    int64_t raised_until_us; /* wall: budget.max has `raised` in it until then; 0: it has not */
    int64_t raised;
    bool stored_otherwise; /* at start: the store has other windows of it */
    int64_t imported_reserved; /* part of budget.reserved: calls of the process before us */
    int64_t imported_running; /* part of limit.running */
    int64_t imported_tokens, imported_holders; /* part of limit.reserved and limit.holders */
    uint8_t hash[32]; /* of the key that has it now: a regenerated one's is the new one; of an
                         account's, of its name, and it stays */
    _Atomic bool moved; /* a key was regenerated: not all versions' rows say that hash any more */
    /* These stay.  Of a key's purse all are empty. */
    enum km_account_kind kind;
    struct km_str name; /* km_purse_name() */
    struct km_str id, of; /* of the account */
    struct km_str model; /* what it is for alone; empty: all */
    struct km_str window; /* "24h": of a further window; empty: its first */
};

#define KM_PURSE_NAME 1024 /* bytes of a name at most */
struct km_purse_words {
    enum km_account_kind kind;
    struct km_str id, of, model, window;
};
/* What such a purse is called: how many bytes.  0: they are too many. */
size_t km_purse_name(const struct km_purse_words *w, char out[KM_PURSE_NAME]);
/* The same backwards: views of it.  False: it is no such name. */
bool km_purse_name_read(struct km_str name, struct km_purse_words *ret);

/* A key's, spent so much; and an account's.  NULL: no memory. */
struct km_purse *km_purse_new(const uint8_t hash[32], int64_t spent);
struct km_purse *km_purse_new_named(const struct km_purse_words *w);
struct km_purse *km_purse_ref(struct km_purse *p); /* any thread */
struct km_purse *km_purse_unref(struct km_purse *p); /* NULL is fine */

/* Under its lock, before anything is asked of it: its window is that of now, holds and a raise that
 * are over are none. */
void km_purse_turn(struct km_purse *p, uint64_t now_ms, int64_t now_us, bool *ret_rolled);

/* Under its lock: spent, at that moment. */
void km_purse_charge(struct km_purse *p, int64_t cost, int64_t at_us);
/* Under its lock, at start: what is spent already was told before. */
void km_purse_know_soft(struct km_purse *p);

/* As the ledger is told of it. */
struct km_paying km_purse_paying(struct km_purse *p);

int64_t km_purse_spend(struct km_purse *p); /* nano-USD, of the window that is now */
int64_t km_purse_reserved(struct km_purse *p);
int64_t km_purse_held(struct km_purse *p);
bool km_purse_has_budget(struct km_purse *p);
int64_t km_purse_left(struct km_purse *p); /* INT64_MAX without a budget */
int64_t km_purse_window_end(struct km_purse *p); /* 0: it has none */

#endif
