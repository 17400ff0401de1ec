/* SPDX-License-Identifier: Apache-2.0 */
/* payers.h - who pays for a call beside its key: the purses of its accounts, all or none.
 *
 * What the key fixes (its team, user, organisation) and what the caller names (an end user, tags)
 * both add purses; none takes the place of another.  A name that no account has adds none.  Made
 * once a call, by its worker; a call that is of no account has none (NULL) and costs nothing.
 *
 * Who pays moves with the call (payers_move.c): the budgets of the provider and the deployment that
 * an attempt goes to pay for that attempt alone, an account's budget for a model for the attempts
 * in its group, and all others for the whole call.
 */
#ifndef KM_POLICY_PAYERS_H
#define KM_POLICY_PAYERS_H

#include "policy/account.h"
#include "policy/key.h"

#define KM_PAYERS_TAGS 16 /* that a call may name of those that are accounts */

/* What of a call a purse pays for. */
enum km_share_of {
    KM_SHARE_CALL, /* all of it, wherever it goes */
    KM_SHARE_GROUP, /* the attempts in one model group */
    KM_SHARE_TARGET, /* those at one deployment, or at deployments of one provider */
};

/* One purse that pays. */
struct km_share {
    struct km_purse *purse; /* referenced */
    int64_t tokens; /* of its limit of tokens a minute, as long as a permit holds them */
    bool unasked; /* it is charged, but its budget refuses nothing */
    bool fresh; /* while a permit moves: it did not pay before */
    bool unwritten; /* the ledger is not told of it: it is in no text */
    enum km_share_of of;
    /* Of GROUP and TARGET. */
    bool on; /* it pays for the attempt under way: what that reserves more, it does */
    int64_t reserved; /* nano-USD that it has reserved; before a move: is to have */
    int64_t before; /* of GROUP: what the call had cost when it came */
    int64_t paid; /* nano-USD: what it pays in the end, set by who settles; -1: all of it */
};

struct km_payers {
    size_t n;
    struct km_str text; /* as the ledger has it: store/payers.h */
    bool parts; /* one pays for a part of the call alone: of GROUP, TARGET */
    struct km_share v[];
};

struct km_payers_ask {
    struct km_str key, organization_id, team_id, user_id; /* of the key: km_payers_ask_of() */
    struct km_str end_user; /* of the caller, as the next */
    struct km_str_list tags;
    struct km_str model; /* as requested */
    /* What that stands for, and the group that serves it: their limits count, too. */
    struct km_str meant, group;
    bool user_of_team_key_pays; /* LiteLLM's apply_user_budget_to_team_keys */
    struct km_purse *run; /* of the run that the call is of (runs.h); NULL: it has none */
};

/* Whom the key fixes; who asks adds the rest. */
static inline struct km_payers_ask km_payers_ask_of(const struct km_key *k)
{
    return (struct km_payers_ask){ .key = k->payer,
                                   .organization_id = k->row.organization_id,
                                   .team_id = k->row.team_id,
                                   .user_id = k->row.user_id };
}

/* *ret NULL: none.  KM_E_UNAUTHENTICATED: one of them is blocked; KM_E_INVALID: too many. */
int km_payers_make(struct km_accounts *t, const struct km_payers_ask *ask, struct km_payers **ret,
                   struct km_err *err) KM_MUST_USE;
struct km_payers *
km_payers_free(struct km_payers *p); /* NULL is fine; nothing of a permit is held */

/* --- payers_move.c: they are others from now on --- */

#define KM_PAYERS_TARGETS 2 /* purses of one target: its provider's, its deployment's */

/* The budgets of a provider and of a deployment, those that there are: how many.  ret[] are
 * referenced. */
size_t km_payers_targets(struct km_accounts *t, struct km_str provider, struct km_str deployment,
                         struct km_purse *ret[KM_PAYERS_TARGETS]);

/* A copy that shares are added to and taken from; its text is made by km_payers_drawn(). */
struct km_payers_draft {
    struct km_share v[KM_PURSES_MOST];
    size_t n;
};
/* p NULL: empty.  Its purses are referenced by who drew it. */
void km_payers_draft(struct km_payers_draft *d, const struct km_payers *p);
/* The share of this purse; NULL: it has none. */
struct km_share *km_payers_share(struct km_payers_draft *d, const struct km_purse *purse);
/* KM_E_INVALID: they are too many. */
int km_payers_add(struct km_payers_draft *d, const struct km_share *share,
                  struct km_err *err) KM_MUST_USE;
void km_payers_drop(struct km_payers_draft *d, size_t i);
int km_payers_drawn(const struct km_payers_draft *d, struct km_payers **ret,
                    struct km_err *err) KM_MUST_USE;

/* The text with what each pays that pays for a part alone, where that is not `cost` with `reserved`
 * (store/payers.h); nothing is added else. */
void km_payers_write(const struct km_payers *p, int64_t cost, int64_t reserved, struct km_buf *out);

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
