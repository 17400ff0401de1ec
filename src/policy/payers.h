/* SPDX-License-Identifier: Apache-2.0 */
/* payers.h - who pays for a call beside its key: the purses of its accounts, all or none.
 *
 * What the key fixes (its team, user, organisation) and what the caller names (an end user, tags)
 * both add purses; none takes the place of another.  A name that no account has adds none.  Made
 * once a call, by its worker; a call that is of no account has none (NULL) and costs nothing.
 */
#ifndef KM_POLICY_PAYERS_H
#define KM_POLICY_PAYERS_H

#include "policy/account.h"
#include "policy/key.h"

#define KM_PAYERS_TAGS 16 /* that a call may name of those that are accounts */

/* One purse that pays. */
struct km_share {
    struct km_purse *purse; /* referenced */
    int64_t tokens; /* of its limit of tokens a minute, as long as a permit holds them */
    bool unasked; /* it is charged, but its budget refuses nothing */
    bool unwritten; /* the ledger is not told of it: it is in no text */
};

struct km_payers {
    size_t n;
    struct km_str text; /* as the ledger has it: store/payers.h */
    struct km_share v[];
};

struct km_payers_ask {
    struct km_str organization_id, team_id, user_id; /* of the key */
    struct km_str end_user; /* of the caller, as the next */
    struct km_str_list tags;
    struct km_str model; /* as requested */
    /* What that stands for, and the group that serves it: their limits count, too. */
    struct km_str meant, group;
    bool user_of_team_key_pays; /* LiteLLM's apply_user_budget_to_team_keys */
    struct km_purse *run; /* of the run that the call is of (runs.h); NULL: it has none */
};

/* *ret NULL: none.  KM_E_UNAUTHENTICATED: one of them is blocked; KM_E_INVALID: too many. */
int km_payers_make(struct km_accounts *t, const struct km_payers_ask *ask, struct km_payers **ret,
                   struct km_err *err) KM_MUST_USE;
struct km_payers *
km_payers_free(struct km_payers *p); /* NULL is fine; nothing of a permit is held */

/* Are all purses of the other among its own?  Either may be NULL. */
bool km_payers_hold(const struct km_payers *p, const struct km_payers *more);
/* *ret: those of p (NULL: none) in their order, and behind them those of `more` that are not among
 * them. */
int km_payers_join(const struct km_payers *p, const struct km_payers *more, struct km_payers **ret,
                   struct km_err *err) KM_MUST_USE;

/* May all of them use the model?  As km_key_grants_model(). */
enum km_right km_payers_grant_model(struct km_accounts *t, const struct km_payers_ask *ask,
                                    struct km_str model, struct km_str alias_of,
                                    struct km_err *err) KM_MUST_USE;

/* Is nobody blocked of those that the key fixes, of the end user that is named, and of those that
 * pay for a call (NULL: it is none)?  Denied: KM_E_UNAUTHENTICATED says who is.  One look at a
 * number where nobody is at all. */
enum km_right km_payers_grant_use(struct km_accounts *t, const struct km_payers_ask *ask,
                                  const struct km_payers *payers, struct km_err *err) KM_MUST_USE;

/* The purses of a text of the ledger's that are there; the same object, for what another process or
 * a crash left.  NULL: none. */
struct km_payers *km_payers_of_text(struct km_accounts *t, struct km_str text);

/* What the tightest of them has left; INT64_MAX: no budget. */
int64_t km_payers_left(const struct km_payers *p);

#endif
