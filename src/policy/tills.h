/* SPDX-License-Identifier: Apache-2.0 */
/* tills.h - a question to all purses that pay for a call: all of them say yes, or nothing changed.
 * key_admit.c asks; nobody else includes it. */
#ifndef KM_POLICY_TILLS_H
#define KM_POLICY_TILLS_H

#include "policy/key_table.h"
#include "policy/payers.h"

/* A purse while it is asked. */
struct km_till {
    struct km_purse *purse;
    struct km_limits limits;
    bool unasked; /* its budget refuses nothing */
    int64_t tokens; /* taken of its limit; of again: held already */
    enum km_limit_kind kind; /* which limit refused */
    int64_t more; /* of its reservation: to be taken by this question, or, below 0, given back */
    int64_t reserved; /* taken of its budget by this question */
    struct km_limit_state before; /* then, after it was asked: as it was or is */
};

struct km_tills {
    const struct km_key *key;
    struct km_payers *payers; /* NULL: the key's alone pays */
    const struct km_admission *a;
    bool rolled; /* a window of the key's budget began */
    struct km_till own;
    struct km_till v[KM_PURSES_MOST]; /* as many as payers has; unset without */
};

/* One purse, under its lock; 0, KM_E_RATE_LIMITED (till->kind set) or KM_E_BUDGET. */
typedef int km_till_fn(struct km_tills *t, struct km_till *till, struct km_err *err);

void km_tills_init(struct km_tills *t, const struct km_key *key, struct km_payers *payers,
                   const struct km_admission *a);
/* Under all locks; the error says who refused, in LiteLLM's words. */
int km_tills_ask(struct km_tills *t, km_till_fn *ask, struct km_err *err) KM_MUST_USE;
int km_till_reserve(struct km_till *till, int64_t amount, enum km_budget_mode mode,
                    struct km_err *err) KM_MUST_USE;
/* What the tightest limits have left, as it was when they were asked. */
void km_tills_tell(const struct km_tills *t, struct km_headroom *ret);
/* What each took is known to its share from then on. */
void km_tills_keep_tokens(const struct km_tills *t);

#endif
