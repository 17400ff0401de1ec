/* SPDX-License-Identifier: Apache-2.0 */
/* budget.h - reservation and settlement against one budget.  Pure: the owner holds the lock.
 *
 * spent + reserved + held <= max holds always in reserve mode, so no interleaving of calls can
 * spend more than max, and of calls whose end nobody knows (store/holds.h) the rest is kept back. 
 * In `litellm` mode only spent < max is asked.
 */
#ifndef KM_POLICY_BUDGET_H
#define KM_POLICY_BUDGET_H

#include <stddef.h>

#include "base/err.h"
#include "base/id.h"
#include "base/money.h"
#include "base/time.h"

enum km_budget_mode { KM_BUDGET_RESERVE, KM_BUDGET_LITELLM };

#define KM_BUDGET_WINDOWS 32 /* others remembered of a budget; the earliest go first */

/* A window that is not the current one, by its end. */
struct km_budget_window {
    int64_t end_us, spent;
};

/* What is kept back for one call. */
struct km_budget_hold {
    struct km_uuid id; /* the call's */
    int64_t amount;
    uint64_t until_ms; /* monotonic: a clock that is set does not move it */
};

struct km_budget {
    int64_t max; /* nano-USD; -1 none */
    int64_t spent; /* of the current window */
    int64_t reserved; /* of calls in flight */
    int64_t duration_s; /* 0: one window for ever */
    int64_t reset_us; /* wall; when the window ends */
    struct km_budget_window *others; /* NULL until there is one; of a copy: the original's */
    size_t nothers;
    int64_t held; /* the sum of `holds`; of no window, as what is reserved */
    struct km_budget_hold *holds; /* NULL until there is one; of a copy: the original's */
    size_t nholds, hold_cap;
    uint64_t hold_end_ms; /* the earliest end of one */
};

void km_budget_done(struct km_budget *b);

/* Turns to the window that now_us is in, with what is known to be spent in it, when that is another
 * than the current one: the next, or an earlier one after the clock was set back.  true if it did.
 * Reservations stay. */
bool km_budget_roll(struct km_budget *b, int64_t now_us);
/* What km_budget_roll() would find spent. */
int64_t km_budget_spent_at(const struct km_budget *b, int64_t now_us);
/* Adds to the window that at_us is in, whichever is the current one. */
void km_budget_charge(struct km_budget *b, int64_t cost, int64_t at_us);
/* The current window is the one with this end, and so much is spent in it. */
void km_budget_set_window(struct km_budget *b, int64_t end_us, int64_t spent);
/* Another length, or other ends of windows of the same length: what is spent goes along, what is
 * known of other windows is forgotten.  With the windows it has nothing changes. */
void km_budget_set_length(struct km_budget *b, int64_t duration_s, int64_t reset_us);
/* Keeps this back until then.  Once a call: the same again is ignored.  Without memory nothing is.
 * */
void km_budget_hold(struct km_budget *b, const struct km_budget_hold *hold);
/* The hold of this call ends; none is fine. */
void km_budget_release(struct km_budget *b, const struct km_uuid *id);
/* Those whose time is over end: to be asked before what is left is. */
void km_budget_drop_holds(struct km_budget *b, uint64_t now_ms);
/* Adds `more`, which may be negative, to what was spent in the window that at_us is in; no sum
 * falls below zero. */
void km_budget_correct(struct km_budget *b, int64_t more, int64_t at_us);
/* What may still be reserved; INT64_MAX without a budget. */
int64_t km_budget_left(const struct km_budget *b);
/* The same as a call at that time would find it. */
int64_t km_budget_left_at(const struct km_budget *b, int64_t now_us);
/* KM_E_BUDGET with LiteLLM's text, amounts in USD. */
int km_budget_reserve(struct km_budget *b, int64_t amount, enum km_budget_mode mode,
                      struct km_err *err) KM_MUST_USE;
void km_budget_settle(struct km_budget *b, int64_t reserved, int64_t cost);

#endif
