/* SPDX-License-Identifier: Apache-2.0 */
/* budget.c - see budget.h for the contract.
 *
 *     |--------- spent ---------|--- reserved ---|-- held --|---- left ----|  max
 *
 * A call moves what it may cost from `left` to `reserved` before it starts, more of it while it
 * runs, and what it really cost from `reserved` to `spent` when it ends.  Because the money is
 * taken first, calls that run at once cannot each spend what is left.  A call that reserves nothing
 * (a free model) passes even when all is spent.  What was reserved is an estimate, so a settlement
 * may be more: it is spent as it is, and the next call finds less, or nothing, left.
 *
 * Windows are a grid: which one a moment is in follows from the moment alone, and what is spent in
 * one is kept when another becomes the current one.  So a clock that jumps, to any time and back,
 * finds each window as it was.  Reservations belong to none: those calls still run and will be
 * paid in the window they end in.  Sums saturate, so no input overflows.
 *
 * What is held is of calls whose end nobody knows: no window's either, and each for its time.
 * There are few of them and mostly none, so an admission looks at one number.
 */
#include "policy/budget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A call that came just before a window turned may be admitted just after: that turns nothing
 * back. */
#define SLACK_US 1000000

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;

    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

void km_budget_done(struct km_budget *b)
{
    free(b->others);
    b->others = NULL;
    b->nothers = 0;
    free(b->holds);
    b->holds = NULL;
    b->nholds = b->hold_cap = 0;
    b->held = 0;
}

static bool has_windows(const struct km_budget *b)
{
    return b->duration_s > 0 && b->reset_us > 0;
}

/* slack_us: how far before its beginning a moment may lie and still be taken for one of it. */
static bool is_current(const struct km_budget *b, int64_t at_us, int64_t slack_us)
{
    int64_t begin_us;

    if (!has_windows(b))
        return true;
    begin_us = km_time_budget_begin(b->reset_us, b->duration_s);
    return at_us < b->reset_us && (begin_us < INT64_MIN + slack_us || at_us >= begin_us - slack_us);
}

static struct km_budget_window *find_window(const struct km_budget *b, int64_t end_us)
{
    for (size_t i = 0; i < b->nothers; i++)
        if (b->others[i].end_us == end_us)
            return &b->others[i];
    return NULL;
}

/* Without memory what is spent there is known to the store alone, until the next start. */
static void add_to_window(struct km_budget *b, int64_t end_us, int64_t spent)
{
    struct km_budget_window *w = find_window(b, end_us);

    if (!b->others)
        b->others = calloc(KM_BUDGET_WINDOWS, sizeof *b->others);
    if (!b->others || spent <= 0)
        return;
    if (w) {
        w->spent = add(w->spent, spent);
        return;
    }
    if (b->nothers < KM_BUDGET_WINDOWS) {
        w = &b->others[b->nothers++];
    } else {
        w = b->others;
        for (size_t i = 1; i < b->nothers; i++)
            if (b->others[i].end_us < w->end_us)
                w = &b->others[i];
        if (end_us < w->end_us)
            return;
    }
    *w = (struct km_budget_window){ end_us, spent };
}

static int64_t take_window(struct km_budget *b, int64_t end_us)
{
    struct km_budget_window *w = find_window(b, end_us);
    int64_t spent = w ? w->spent : 0;

    if (w)
        *w = b->others[--b->nothers];
    return spent;
}

static void turn(struct km_budget *b, int64_t end_us)
{
    int64_t spent = take_window(b, end_us);

    if (b->spent > 0)
        add_to_window(b, b->reset_us, b->spent);
    b->spent = spent;
    b->reset_us = end_us;
}

bool km_budget_roll(struct km_budget *b, int64_t now_us)
{
    if (is_current(b, now_us, SLACK_US))
        return false;
    turn(b, km_time_budget_end(now_us, b->duration_s, b->reset_us));
    return true;
}

int64_t km_budget_spent_at(const struct km_budget *b, int64_t now_us)
{
    const struct km_budget_window *w;

    if (is_current(b, now_us, SLACK_US))
        return b->spent;
    w = find_window(b, km_time_budget_end(now_us, b->duration_s, b->reset_us));
    return w ? w->spent : 0;
}

void km_budget_charge(struct km_budget *b, int64_t cost, int64_t at_us)
{
    if (cost <= 0)
        return;
    if (is_current(b, at_us, 0))
        b->spent = add(b->spent, cost);
    else
        add_to_window(b, km_time_budget_end(at_us, b->duration_s, b->reset_us), cost);
}

void km_budget_correct(struct km_budget *b, int64_t more, int64_t at_us)
{
    struct km_budget_window *w;
    int64_t *spent = &b->spent;

    if (more >= 0) {
        km_budget_charge(b, more, at_us);
        return;
    }
    if (!is_current(b, at_us, 0)) {
        w = find_window(b, km_time_budget_end(at_us, b->duration_s, b->reset_us));
        if (!w)
            return;
        spent = &w->spent;
    }
    *spent = add(*spent, more) < 0 ? 0 : *spent + more;
}

/* --- what is held --- */

static struct km_budget_hold *find_hold(const struct km_budget *b, const struct km_uuid *id)
{
    for (size_t i = 0; i < b->nholds; i++)
        if (memcmp(b->holds[i].id.b, id->b, sizeof id->b) == 0)
            return &b->holds[i];
    return NULL;
}

void km_budget_hold(struct km_budget *b, const struct km_budget_hold *hold)
{
    if (hold->amount <= 0 || find_hold(b, &hold->id))
        return;
    if (b->nholds == b->hold_cap) {
        size_t cap = b->hold_cap ? 2 * b->hold_cap : 4;
        struct km_budget_hold *grown = realloc(b->holds, cap * sizeof *grown);

        if (!grown)
            return;
        b->holds = grown;
        b->hold_cap = cap;
    }
    if (b->nholds == 0 || hold->until_ms < b->hold_end_ms)
        b->hold_end_ms = hold->until_ms;
    b->holds[b->nholds++] = *hold;
    b->held = add(b->held, hold->amount);
}

static void end_hold(struct km_budget *b, struct km_budget_hold *hold)
{
    b->held -= hold->amount;
    *hold = b->holds[--b->nholds];
}

void km_budget_release(struct km_budget *b, const struct km_uuid *id)
{
    struct km_budget_hold *hold = find_hold(b, id);

    if (hold)
        end_hold(b, hold);
}

void km_budget_drop_holds(struct km_budget *b, uint64_t now_ms)
{
    if (b->nholds == 0 || now_ms < b->hold_end_ms)
        return;
    b->hold_end_ms = UINT64_MAX;
    for (size_t i = 0; i < b->nholds;) {
        if (b->holds[i].until_ms <= now_ms) {
            end_hold(b, &b->holds[i]);
            continue;
        }
        if (b->holds[i].until_ms < b->hold_end_ms)
            b->hold_end_ms = b->holds[i].until_ms;
        i++;
    }
}

void km_budget_set_window(struct km_budget *b, int64_t end_us, int64_t spent)
{
    if (has_windows(b) && end_us > 0 && end_us != b->reset_us)
        turn(b, end_us);
    b->spent = spent;
}

void km_budget_set_length(struct km_budget *b, int64_t duration_s, int64_t reset_us)
{
    if (b->duration_s == duration_s && (b->reset_us > 0) == (reset_us > 0) &&
        km_time_budget_same(duration_s, b->reset_us, reset_us))
        return;
    b->nothers = 0;
    b->duration_s = duration_s;
    b->reset_us = reset_us;
}

static int64_t left_of(const struct km_budget *b, int64_t spent)
{
    int64_t used;

    if (b->max < 0)
        return INT64_MAX;
    used = add(add(spent, b->reserved), b->held);
    return used >= b->max ? 0 : b->max - used;
}

int64_t km_budget_left(const struct km_budget *b)
{
    return left_of(b, b->spent);
}

int64_t km_budget_left_at(const struct km_budget *b, int64_t now_us)
{
    return left_of(b, km_budget_spent_at(b, now_us));
}

static int refuse_spent(const struct km_budget *b, struct km_err *err)
{
    char spent[32], max[32];

    km_money_text(b->spent, spent);
    km_money_text(b->max, max);
    return km_fail(err, KM_E_BUDGET, "Budget has been exceeded! Current cost: %s, Max budget: %s",
                   spent, max);
}

/* The beginning is what clients of LiteLLM know it by; the rest says what is true of it. */
static int refuse_reserve(const struct km_budget *b, int64_t amount, struct km_err *err)
{
    char spent[32], max[32], reserved[32], wanted[32], held[32], running[64] = "", kept[160] = "";

    km_money_text(b->spent, spent);
    km_money_text(b->max, max);
    km_money_text(b->reserved, reserved);
    km_money_text(amount, wanted);
    km_money_text(b->held, held);
    if (b->held > 0)
        (void)snprintf(kept, sizeof kept,
                       ", and %s is held for calls that ended with the gateway before this one",
                       held);
    if (b->reserved > 0)
        (void)snprintf(running, sizeof running, ", while running calls hold %s", reserved);
    return km_fail(err, KM_E_BUDGET,
                   "Budget has been exceeded! Current cost: %s, Max budget: %s - not by what was "
                   "spent, but by what this call may cost, up to %s%s%s: a shorter prompt or a "
                   "(smaller) max_tokens asks for less%s",
                   spent, max, wanted, running, kept,
                   b->reserved > 0 ? "; or try again when they have ended" : "");
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
