/* SPDX-License-Identifier: Apache-2.0 */
/* budget.h - reservation and settlement against one budget.  Pure: the owner holds the lock.
 *
 * spent + reserved <= max holds always in reserve mode, so no interleaving of calls can spend
 * more than max.  In `litellm` mode only spent < max is asked.
 */
#ifndef KM_POLICY_BUDGET_H
#define KM_POLICY_BUDGET_H

#include "base/err.h"
#include "base/time.h"

enum km_budget_mode { KM_BUDGET_RESERVE, KM_BUDGET_LITELLM };

struct km_budget {
    int64_t max; /* nano-USD; -1 none */
    int64_t spent; /* of the current window */
    int64_t reserved; /* of calls in flight */
    int64_t duration_s; /* 0: one window for ever */
    int64_t reset_us; /* wall; when the window ends */
};

/* Begins a new window when reset_us has passed; true if it did.  Reservations stay. */
bool km_budget_roll(struct km_budget *b, int64_t now_us);
/* What may still be reserved; INT64_MAX without a budget. */
int64_t km_budget_left(const struct km_budget *b);
/* KM_E_BUDGET with LiteLLM's text, amounts in USD. */
int km_budget_reserve(struct km_budget *b, int64_t amount, enum km_budget_mode mode,
                      struct km_err *err) KM_MUST_USE;
void km_budget_settle(struct km_budget *b, int64_t reserved, int64_t cost);

/* "1.0025" from nano-USD, no trailing zeros. */
void km_money_text(int64_t nanousd, char out[32]);

#endif
