/* SPDX-License-Identifier: Apache-2.0 */
/* budget.c - see budget.h for the contract.
 *
 *     |--------- spent ---------|--- reserved ---|------- left -------|  max
 *
 * A call moves its worst case from `left` to `reserved` before it starts and what it really
 * cost from `reserved` to `spent` when it ends.  Because the worst case is taken first, calls
 * that run at once can never spend more than max together.  A call whose worst case is nothing
 * (a free model) passes even when all is spent: it cannot break the invariant.
 *
 * A new window forgets what was spent, never what is reserved: those calls still run and will
 * be paid in the window they end in.  Sums saturate, so no input overflows.
 */
#include "policy/budget.h"

#include <stdio.h>

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;

    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

bool km_budget_roll(struct km_budget *b, int64_t now_us)
{
    if (b->duration_s <= 0 || b->reset_us <= 0 || now_us < b->reset_us)
        return false;
    b->spent = 0;
    b->reset_us = km_time_budget_reset(now_us, b->duration_s);
    return true;
}

int64_t km_budget_left(const struct km_budget *b)
{
    int64_t used;

    if (b->max < 0)
        return INT64_MAX;
    used = add(b->spent, b->reserved);
    return used >= b->max ? 0 : b->max - used;
}

static int refuse_spent(const struct km_budget *b, struct km_err *err)
{
    char spent[32], max[32];

    km_money_text(b->spent, spent);
    km_money_text(b->max, max);
    return km_fail(err, KM_E_BUDGET, "Budget has been exceeded! Current cost: %s, Max budget: %s",
                   spent, max);
}

static int refuse_reserve(const struct km_budget *b, int64_t amount, struct km_err *err)
{
    char spent[32], max[32], reserved[32], wanted[32];

    km_money_text(b->spent, spent);
    km_money_text(b->max, max);
    km_money_text(b->reserved, reserved);
    km_money_text(amount, wanted);
    return km_fail(err, KM_E_BUDGET,
                   "Budget has been exceeded! Current cost: %s, Max budget: %s. This call may cost "
                   "up to %s%s%s: lower max_tokens%s",
                   spent, max, wanted, b->reserved > 0 ? " and running calls hold " : "",
                   b->reserved > 0 ? reserved : "",
                   b->reserved > 0 ? ", or try again when they have ended" : "");
}

int km_budget_reserve(struct km_budget *b, int64_t amount, enum km_budget_mode mode,
                      struct km_err *err)
{
    if (amount < 0)
        amount = 0;
    if (b->max >= 0 && mode == KM_BUDGET_LITELLM && b->spent >= b->max)
        return refuse_spent(b, err);
    if (b->max >= 0 && mode == KM_BUDGET_RESERVE && amount > 0) {
        if (b->spent >= b->max)
            return refuse_spent(b, err);
        if (amount > km_budget_left(b))
            return refuse_reserve(b, amount, err);
    }
    b->reserved = add(b->reserved, amount);
    return 0;
}

void km_budget_settle(struct km_budget *b, int64_t reserved, int64_t cost)
{
    if (reserved > 0)
        b->reserved = reserved > b->reserved ? 0 : b->reserved - reserved;
    if (cost > 0)
        b->spent = add(b->spent, cost);
}

void km_money_text(int64_t nanousd, char out[32])
{
    uint64_t v = nanousd < 0 ? 0 - (uint64_t)nanousd : (uint64_t)nanousd;
    int n = snprintf(out, 32, "%s%llu.%09llu", nanousd < 0 ? "-" : "",
                     (unsigned long long)(v / 1000000000u), (unsigned long long)(v % 1000000000u));

    while (n > 0 && out[n - 1] == '0')
        out[--n] = 0;
    if (n > 0 && out[n - 1] == '.')
        out[--n] = 0;
}
