/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_budget.h - what all calls together may cost: in an hour, a day, a month.
 *
 *     hour, day, month    kanmon_settings.cost_budget_usd_per_...: past a threshold they alert, and
 *                         action says what else happens
 *     proxy               litellm_settings.max_budget: refuses what it does not cover
 *
 * Every call that costs anything pays, whoever made it.  So these are no purses of an account,
 * which each call would have to name (payers.h), but one object with one lock.  Windows are the
 * calendar's, as a key's are (budget.h).  What was spent the ledger says at the start, and at a
 * hand-over the process before this one.
 *
 * An alert is told once a window by whoever's call crossed the line, so all workers together tell
 * it once.  Any thread; NULL is a gateway without such budgets wherever a pointer is taken.
 */
#ifndef KM_POLICY_GATEWAY_BUDGET_H
#define KM_POLICY_GATEWAY_BUDGET_H

#include <stdatomic.h>

#include "base/setting.h"
#include "policy/budget.h"
#include "policy/queue.h"

enum km_gateway_window_kind {
    KM_GATEWAY_HOUR,
    KM_GATEWAY_DAY,
    KM_GATEWAY_MONTH,
    KM_GATEWAY_PROXY, /* LiteLLM's */
    KM_GATEWAY_WINDOWS,
};

/* What happens past the threshold beside the alert. */
enum km_gateway_action {
    KM_GATEWAY_ALERT, /* nothing */
    KM_GATEWAY_THROTTLE, /* calls are spread over what is left of the window */
    KM_GATEWAY_CHEAPER, /* the cheapest deployment serves them */
    KM_GATEWAY_BLOCK, /* at the limit, not at the threshold: calls are refused */
};

struct km_gateway_budget_settings { /* kanmon_settings */
    int64_t max[KM_GATEWAY_PROXY]; /* nano-USD, by kind; -1 none */
    int64_t action; /* enum km_gateway_action */
    int64_t alert_percent;
    int64_t throttle_wait_ms; /* a call is held back for so long at most */
};
extern const struct km_settings_table km_gateway_budget_settings_table;

/* Is there a budget whose action is `cheaper`? */
bool km_gateway_budget_makes_cheaper(const struct km_gateway_budget_settings *s);

struct km_proxy_budget_settings { /* litellm_settings */
    int64_t max_budget; /* nano-USD; 0 and less: none */
    int64_t budget_duration_s; /* 0: for ever */
};
extern const struct km_settings_table km_proxy_budget_settings_table;

struct km_gateway_budget;

/* *ret NULL: nothing is limited.  KM_E_NOMEM. */
int km_gateway_budget_new(const struct km_gateway_budget_settings *s,
                          const struct km_proxy_budget_settings *proxy, int64_t now_us,
                          struct km_gateway_budget **ret, struct km_err *err) KM_MUST_USE;
struct km_gateway_budget *km_gateway_budget_free(struct km_gateway_budget *b);
enum km_gateway_action km_gateway_budget_action(const struct km_gateway_budget *b);

/* A window as somebody sees it. */
struct km_gateway_window_facts {
    const char *name; /* "hour" */
    const char *setting; /* its name */
    int64_t max; /* -1: it is counted and not limited */
    int64_t spent, reserved, held;
    int64_t begin_us, end_us; /* wall; 0: it has no end, and no beginning */
    enum km_gateway_window_kind kind;
    unsigned percent; /* spent of max, rounded down */
    bool kept; /* it is counted; else all but its names and kind is 0 */
    bool past; /* the threshold */
    bool blocks;
};
/* As a call at that moment would find them; by kind. */
void km_gateway_budget_look(struct km_gateway_budget *b, int64_t now_us,
                            struct km_gateway_window_facts ret[KM_GATEWAY_WINDOWS]);
/* What the month will have cost if it goes on as it went so far: spent, by the part of it that is
 * over.  The first hour of a month counts as a whole one. */
int64_t km_gateway_budget_projected(const struct km_gateway_window_facts *month, int64_t now_us);
/* How many calls were held back so far. */
uint64_t km_gateway_budget_throttled(const struct km_gateway_budget *b);

/* --- what was spent --- */

/* At the start: so much was spent in the window that is current.  Tells nobody. */
void km_gateway_budget_load(struct km_gateway_budget *b, enum km_gateway_window_kind kind,
                            int64_t spent);

/* Who hears that a window's spend crossed the threshold, or its limit: once each a window, from
 * whichever thread charged, without the lock.  Before loops run. */
typedef void km_gateway_alert_fn(void *ctx, const struct km_gateway_window_facts *w, bool limit);
void km_gateway_budget_tell(struct km_gateway_budget *b, km_gateway_alert_fn *fn, void *ctx);

/* Does any window refuse calls?  If not, nothing has to be taken. */
bool km_gateway_budget_blocks(const struct km_gateway_budget *b);
/* KM_E_BUDGET, in LiteLLM's words and with the window and its end: nothing was taken. */
int km_gateway_budget_take(struct km_gateway_budget *b, int64_t amount, enum km_budget_mode mode,
                           int64_t now_us, struct km_err *err) KM_MUST_USE;
/* What was taken is given back, and it cost so much at that moment. */
void km_gateway_budget_settle(struct km_gateway_budget *b, int64_t reserved, int64_t cost,
                              int64_t at_us);
/* What the tightest window that blocks has left; INT64_MAX: none does. */
int64_t km_gateway_budget_left(struct km_gateway_budget *b, int64_t now_us);

/* As budget.h has it for one. */
void km_gateway_budget_correct(struct km_gateway_budget *b, int64_t more, int64_t at_us);
void km_gateway_budget_hold(struct km_gateway_budget *b, const struct km_budget_hold *hold);
void km_gateway_budget_release(struct km_gateway_budget *b, const struct km_uuid *id);

/* --- past the threshold --- */

struct km_gateway_near { /* what is looked at without the lock: the beginning of each */
    _Atomic int64_t until_us; /* a window is past its threshold until then; 0: none is */
};
static inline bool km_gateway_budget_is_near(const struct km_gateway_budget *b, int64_t now_us)
{
    return now_us <
           atomic_load_explicit(&((const struct km_gateway_near *)(const void *)b)->until_us,
                                memory_order_relaxed);
}

/* For how long a call that comes now is held back, so that what is left lasts for the window; 0:
 * not at all, as of every action but `throttle`.  Of the way from the threshold to the limit low
 * priorities are held back on all of it, medium ones (and those that name none) on its last two
 * thirds, high ones on its last third, critical ones behind it. */
uint64_t km_gateway_budget_pace(struct km_gateway_budget *b, enum km_priority p, int64_t now_us);

/* --- hand-over (key_handover.c) --- */

/* What a window has, and which one it is: 32 bytes that stay from process to process. */
struct km_gateway_line {
    uint8_t hash[32];
    int64_t spent, reserved, end_us;
};
/* The i-th; false: there are no more. */
bool km_gateway_budget_export(struct km_gateway_budget *b, size_t i, struct km_gateway_line *ret);
/* Takes the place of what the store said; reserved is what the calls of the process before hold. */
void km_gateway_budget_import(struct km_gateway_budget *b, const struct km_gateway_line *line);
/* A call of the process before asks, and settles. */
int km_gateway_budget_take_imported(struct km_gateway_budget *b, int64_t amount,
                                    enum km_budget_mode mode, int64_t now_us,
                                    struct km_err *err) KM_MUST_USE;
void km_gateway_budget_settle_imported(struct km_gateway_budget *b, int64_t reserved, int64_t cost,
                                       int64_t at_us);
/* That process is gone: what its calls still hold is given back. */
void km_gateway_budget_end_import(struct km_gateway_budget *b);

#endif
