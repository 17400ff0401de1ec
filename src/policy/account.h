/* SPDX-License-Identifier: Apache-2.0 */
/* account.h - organisations, teams, users, members, end users and tags in memory.
 *
 * As a key, an account is an immutable, counted version of its row, and purses (purse.h) that all
 * its versions share: an update forgets no spend.  What a row does not limit its budget does
 * (budget_id): a change of a budget makes new versions of all that use it.
 *
 * The table is shared by all workers; finding takes a read lock.
 */
#ifndef KM_POLICY_ACCOUNT_H
#define KM_POLICY_ACCOUNT_H

#include "policy/purse.h"
#include "store/payers.h"

struct km_account {
    struct km_account_row row; /* as stored */
    /* The same with the limits of its budget where it has none of its own. */
    struct km_account_row limits;
    struct km_purse **purses; /* the first is the account's own, others of windows and models */
    size_t npurses;
    bool declared; /* by the configuration: nothing else changes it */
};

struct km_account *km_account_ref(struct km_account *a); /* any thread */
struct km_account *km_account_unref(struct km_account *a); /* NULL is fine */

struct km_accounts;
struct km_accounts *km_accounts_new(size_t max_accounts);
struct km_accounts *km_accounts_free(struct km_accounts *t);

/* Is nobody there who could pay?  One look at a number.  NULL: nobody is. */
bool km_accounts_is_empty(const struct km_accounts *t);
/* A reference, or NULL.  `of` is empty but for members. */
struct km_account *km_accounts_find(struct km_accounts *t, enum km_account_kind kind,
                                    struct km_str id, struct km_str of);
/* Inserts or replaces; KM_E_LIMIT when full, KM_E_INVALID for limits that do not read (`param` says
 * which). */
int km_accounts_put(struct km_accounts *t, const struct km_account_row *row,
                    struct km_err *err) KM_MUST_USE;
/* Who is told of each purse that is made, or may have other windows: by who puts, under the lock.
 * Of what is there already those are told at once whose windows the store has otherwise. */
typedef void km_accounts_define_fn(void *ctx, const struct km_paying *purses, size_t n);
void km_accounts_tell(struct km_accounts *t, km_accounts_define_fn *fn, void *ctx);
/* At start, before anybody is told: what the store knows of a window (km_store_purses()). */
void km_accounts_add_window(struct km_accounts *t, const struct km_paying *purse, int64_t end_us,
                            int64_t spend);
/* At start: is every budget there that somebody's limits are said to be?  KM_E_CONFIG. */
int km_accounts_check_budgets(struct km_accounts *t, struct km_err *err) KM_MUST_USE;
/* Is there room for so many more?  Asked before they are stored; KM_E_LIMIT. */
int km_accounts_make_room(struct km_accounts *t, size_t more, struct km_err *err) KM_MUST_USE;
/* Would put take it?  Asked before it is stored. */
int km_accounts_check(const struct km_account_row *row, struct km_err *err) KM_MUST_USE;
/* false: there is none.  Members go along as km_store_account_delete() says. */
bool km_accounts_del(struct km_accounts *t, enum km_account_kind kind, struct km_str id,
                     struct km_str of);
/* The hold of this call ends, wherever it is. */
void km_accounts_release(struct km_accounts *t, const struct km_uuid *id);
/* Another number whenever an account came, changed or went. */
uint64_t km_accounts_generation(struct km_accounts *t);

/* Which of them: of one kind (KM_ACCOUNT_NONE: of any), with this id, of this, of this organisation
 * (empty: any). */
struct km_accounts_which {
    enum km_account_kind kind;
    struct km_str id, of, organization_id, budget_id;
};
/* References, in an array the caller frees (free()) after unref'ing each, by kind, id and `of`;
 * NULL+0 if none. */
struct km_account **km_accounts_all(struct km_accounts *t, const struct km_accounts_which *which,
                                    size_t *ret_n);

static inline int64_t km_account_spend(const struct km_account *a) /* nano-USD, current window */
{
    return km_purse_spend(a->purses[0]);
}

static inline int64_t km_account_reserved(const struct km_account *a)
{
    return km_purse_reserved(a->purses[0]);
}

static inline int64_t km_account_held(const struct km_account *a)
{
    return km_purse_held(a->purses[0]);
}

/* When its current window ends; 0: it has none. */
static inline int64_t km_account_window_end(const struct km_account *a)
{
    return km_purse_window_end(a->purses[0]);
}

#endif
