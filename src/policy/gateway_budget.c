/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_budget.c - see gateway_budget.h for the contract.
 *
 *     a call's end:  lock
 *                      now within [since, until)?  no: each window turns
 *                      each window: spent += cost
 *                      spent >= next?              an alert is due, `next` is the line behind it
 *                    unlock, tell
 *
 * `since` and `until` bound the time in which every window is the current one, and `next` is the
 * line of a window that comes next: the threshold, then the limit, then none.  So nearly every call
 * takes a few comparisons and additions, whatever the lengths of the windows are.
 *
 * Only windows that block keep reservations: nothing else is refused by them.  Whatever is spent in
 * a window that is not the current one (a clock that was set, a correction) is kept by budget.c.
 */
#include "policy/gateway_budget.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"

#define HOUR_S 3600
#define DAY_S 86400
#define MONTH_S (30 * (int64_t)86400) /* as budgets name a month of the calendar */
#define HOUR_US (HOUR_S * (int64_t)1000000)
#define AVERAGE_SHARE 16 /* what one call weighs in the mean cost of calls */

struct window {
    enum km_gateway_window_kind kind;
    bool blocks;
    struct km_budget budget;
    int64_t alert_at; /* nano-USD; INT64_MAX: not limited */
    int64_t next; /* the line that is to be crossed next */
    int64_t told_end_us; /* of which window `lines` are */
    unsigned lines; /* that were crossed: 0 none, 1 the threshold, 2 the limit too */
};

struct km_gateway_budget {
    struct km_gateway_near near; /* first: it is looked at without the lock */
    pthread_mutex_t lock;
    struct window v[KM_GATEWAY_WINDOWS];
    size_t n;
    bool blocks;
    enum km_gateway_action action;
    int64_t alert_percent, wait_us;
    int64_t since_us, until_us; /* all windows are the current ones */
    int64_t imported_reserved; /* of calls of the process before */
    int64_t average; /* nano-USD, of calls that cost anything */
    int64_t slot_us; /* when the next call that is held back may go */
    _Atomic uint64_t throttled;
    km_gateway_alert_fn *tell;
    void *tell_ctx;
};

static const struct {
    const char *name, *setting;
} words[KM_GATEWAY_WINDOWS] = {
    [KM_GATEWAY_HOUR] = { "hour", "kanmon_settings.cost_budget_usd_per_hour" },
    [KM_GATEWAY_DAY] = { "day", "kanmon_settings.cost_budget_usd_per_day" },
    [KM_GATEWAY_MONTH] = { "month", "kanmon_settings.cost_budget_usd_per_month" },
    [KM_GATEWAY_PROXY] = { "proxy", "litellm_settings.max_budget" },
};

/* --- windows --- */

static int64_t end_of(const struct window *w)
{
    return w->budget.duration_s > 0 ? w->budget.reset_us : INT64_MAX;
}

static int64_t begin_of(const struct window *w)
{
    return w->budget.duration_s > 0 ? km_time_budget_begin(w->budget.reset_us, w->budget.duration_s)
                                    : INT64_MIN;
}

/* Which lines what is spent has crossed. */
static unsigned crossed(const struct window *w)
{
    if (w->budget.max < 0 || w->budget.spent < w->alert_at)
        return 0;
    return w->budget.spent < w->budget.max ? 1 : 2;
}

static void set_next(struct window *w)
{
    if (w->told_end_us != end_of(w)) {
        w->told_end_us = end_of(w);
        w->lines = 0;
    }
    w->next = w->budget.max < 0 || w->lines == 2 ? INT64_MAX
              : w->lines == 0                    ? w->alert_at
                                                 : w->budget.max;
}

/* After a window turned, or its spend went down or was set. */
static void look_anew(struct km_gateway_budget *b)
{
    int64_t near = 0;

    b->since_us = INT64_MIN;
    b->until_us = INT64_MAX;
    for (size_t i = 0; i < b->n; i++) {
        struct window *w = &b->v[i];
        const int64_t begin = begin_of(w), end = end_of(w);

        set_next(w);
        b->since_us = begin > b->since_us ? begin : b->since_us;
        b->until_us = end < b->until_us ? end : b->until_us;
        if (crossed(w) && end > near)
            near = end;
    }
    atomic_store_explicit(&b->near.until_us, near, memory_order_relaxed);
}

static void turn(struct km_gateway_budget *b, int64_t now_us)
{
    bool turned = false;

    if (now_us >= b->since_us && now_us < b->until_us)
        return;
    for (size_t i = 0; i < b->n; i++)
        turned = km_budget_roll(&b->v[i].budget, now_us) || turned;
    if (turned)
        look_anew(b);
}

static unsigned percent_of(const struct window *w)
{
    const double percent =
        w->budget.max > 0 ? (double)w->budget.spent * 100 / (double)w->budget.max : 100;

    return w->budget.max < 0 ? 0 : percent < 1e6 ? (unsigned)percent : 1000000;
}

static struct km_gateway_window_facts facts_of(const struct window *w)
{
    const bool ends = w->budget.duration_s > 0;

    return (struct km_gateway_window_facts){
        .kind = w->kind,
        .name = words[w->kind].name,
        .setting = words[w->kind].setting,
        .kept = true,
        .max = w->budget.max,
        .spent = w->budget.spent,
        .reserved = w->budget.reserved,
        .held = w->budget.held,
        .begin_us = ends ? begin_of(w) : 0,
        .end_us = ends ? end_of(w) : 0,
        .percent = percent_of(w),
        .past = crossed(w) > 0,
        .blocks = w->blocks,
    };
}

/* --- the object --- */

static void add_window(struct km_gateway_budget *b, enum km_gateway_window_kind kind, int64_t max,
                       int64_t length_s, int64_t now_us)
{
    struct window *w = &b->v[b->n++];

    w->kind = kind;
    w->blocks = max >= 0 && (kind == KM_GATEWAY_PROXY || b->action == KM_GATEWAY_BLOCK);
    w->budget.max = max;
    w->budget.duration_s = length_s;
    /* Days and months are the calendar's; all others follow each other from 1970 on. */
    if (length_s > 0)
        w->budget.reset_us = km_time_budget_end(now_us, length_s, 0);
    w->alert_at =
        max < 0 ? INT64_MAX : (int64_t)((double)max * (double)b->alert_percent / 100.0 + 0.5);
    w->told_end_us = end_of(w);
    b->blocks = b->blocks || w->blocks;
}

int km_gateway_budget_new(const struct km_gateway_budget_settings *s,
                          const struct km_proxy_budget_settings *proxy, int64_t now_us,
                          struct km_gateway_budget **ret, struct km_err *err)
{
    static const int64_t lengths[KM_GATEWAY_PROXY] = { HOUR_S, DAY_S, MONTH_S };
    struct km_gateway_budget *b;

    *ret = NULL;
    if (s->max[KM_GATEWAY_HOUR] < 0 && s->max[KM_GATEWAY_DAY] < 0 && s->max[KM_GATEWAY_MONTH] < 0 &&
        proxy->max_budget <= 0)
        return 0;
    b = calloc(1, sizeof *b);
    if (!b || pthread_mutex_init(&b->lock, NULL) != 0) {
        free(b);
        return km_fail(err, KM_E_NOMEM, "out of memory");
    }
    b->action = (enum km_gateway_action)s->action;
    b->alert_percent = s->alert_percent;
    b->wait_us = s->throttle_wait_ms * 1000;
    for (int kind = KM_GATEWAY_HOUR; kind < KM_GATEWAY_PROXY; kind++)
        if (s->max[kind] >= 0 || kind == KM_GATEWAY_MONTH) /* a month's projection is always told */
            add_window(b, (enum km_gateway_window_kind)kind, s->max[kind], lengths[kind], now_us);
    if (proxy->max_budget > 0)
        add_window(b, KM_GATEWAY_PROXY, proxy->max_budget, proxy->budget_duration_s, now_us);
    look_anew(b);
    *ret = b;
    return 0;
}

struct km_gateway_budget *km_gateway_budget_free(struct km_gateway_budget *b)
{
    if (!b)
        return NULL;
    for (size_t i = 0; i < b->n; i++)
        km_budget_done(&b->v[i].budget);
    pthread_mutex_destroy(&b->lock);
    free(b);
    return NULL;
}

enum km_gateway_action km_gateway_budget_action(const struct km_gateway_budget *b)
{
    return b ? b->action : KM_GATEWAY_ALERT;
}

bool km_gateway_budget_blocks(const struct km_gateway_budget *b)
{
    return b && b->blocks;
}

void km_gateway_budget_tell(struct km_gateway_budget *b, km_gateway_alert_fn *fn, void *ctx)
{
    b->tell = fn;
    b->tell_ctx = ctx;
}

void km_gateway_budget_look(struct km_gateway_budget *b, int64_t now_us,
                            struct km_gateway_window_facts ret[KM_GATEWAY_WINDOWS])
{
    memset(ret, 0, KM_GATEWAY_WINDOWS * sizeof ret[0]);
    pthread_mutex_lock(&b->lock);
    turn(b, now_us);
    for (size_t i = 0; i < b->n; i++) {
        km_budget_drop_holds(&b->v[i].budget, km_mono_ms());
        ret[b->v[i].kind] = facts_of(&b->v[i]);
    }
    pthread_mutex_unlock(&b->lock);
}

int64_t km_gateway_budget_projected(const struct km_gateway_window_facts *month, int64_t now_us)
{
    const int64_t whole = month->end_us - month->begin_us;
    int64_t over = now_us - month->begin_us;
    double projected;

    if (!month->kept || whole <= 0)
        return 0;
    over = over < HOUR_US ? HOUR_US : over > whole ? whole : over;
    projected = (double)month->spent * ((double)whole / (double)over);
    return projected < (double)INT64_MAX ? (int64_t)projected : INT64_MAX;
}

uint64_t km_gateway_budget_throttled(const struct km_gateway_budget *b)
{
    return b ? atomic_load_explicit(&b->throttled, memory_order_relaxed) : 0;
}

/* --- what was spent --- */

/* What was crossed before us was told before us. */
static void set_told(struct km_gateway_budget *b)
{
    for (size_t i = 0; i < b->n; i++) {
        b->v[i].told_end_us = end_of(&b->v[i]);
        b->v[i].lines = crossed(&b->v[i]);
    }
    look_anew(b);
}

void km_gateway_budget_load(struct km_gateway_budget *b, enum km_gateway_window_kind kind,
                            int64_t spent)
{
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->n; i++)
        if (b->v[i].kind == kind)
            b->v[i].budget.spent = spent;
    set_told(b);
    pthread_mutex_unlock(&b->lock);
}

/* What is to be told when the lock is not held any more. */
struct alerts {
    struct km_gateway_window_facts v[KM_GATEWAY_WINDOWS];
    unsigned lines[KM_GATEWAY_WINDOWS]; /* told before, and crossed now */
    size_t n;
};

static void cross(struct km_gateway_budget *b, struct alerts *ret)
{
    for (size_t i = 0; i < b->n; i++) {
        struct window *w = &b->v[i];

        if (w->budget.spent < w->next)
            continue;
        ret->v[ret->n] = facts_of(w);
        ret->lines[ret->n++] = w->lines;
        w->lines = crossed(w);
    }
    look_anew(b);
}

static void tell_all(const struct km_gateway_budget *b, const struct alerts *a)
{
    for (size_t i = 0; b->tell && i < a->n; i++) {
        if (a->lines[i] == 0)
            b->tell(b->tell_ctx, &a->v[i], false);
        if (a->v[i].spent >= a->v[i].max)
            b->tell(b->tell_ctx, &a->v[i], true);
    }
}

/* Under the lock.  Did a window come to its next line? */
static bool charge(struct km_gateway_budget *b, int64_t cost, int64_t at_us)
{
    bool due = false;

    turn(b, at_us);
    b->average += b->average ? (cost - b->average) / AVERAGE_SHARE : cost;
    if (at_us >= b->since_us && at_us < b->until_us) {
        for (size_t i = 0; i < b->n; i++) {
            struct window *w = &b->v[i];

            if (__builtin_add_overflow(w->budget.spent, cost, &w->budget.spent))
                w->budget.spent = INT64_MAX;
            due = due || w->budget.spent >= w->next;
        }
        return due;
    }
    for (size_t i = 0; i < b->n; i++) {
        km_budget_charge(&b->v[i].budget, cost, at_us);
        due = due || b->v[i].budget.spent >= b->v[i].next;
    }
    return due;
}

static void give_back(struct km_gateway_budget *b, int64_t reserved)
{
    for (size_t i = 0; reserved > 0 && i < b->n; i++)
        if (b->v[i].blocks)
            km_budget_settle(&b->v[i].budget, reserved, 0);
}

void km_gateway_budget_settle(struct km_gateway_budget *b, int64_t reserved, int64_t cost,
                              int64_t at_us)
{
    struct alerts due;

    if (!b || (reserved <= 0 && cost <= 0))
        return;
    due.n = 0;
    pthread_mutex_lock(&b->lock);
    give_back(b, reserved);
    if (cost > 0 && charge(b, cost, at_us))
        cross(b, &due);
    pthread_mutex_unlock(&b->lock);
    if (due.n)
        tell_all(b, &due);
}

void km_gateway_budget_correct(struct km_gateway_budget *b, int64_t more, int64_t at_us)
{
    struct alerts due = { .n = 0 };

    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->n; i++)
        km_budget_correct(&b->v[i].budget, more, at_us);
    cross(b, &due);
    pthread_mutex_unlock(&b->lock);
    tell_all(b, &due);
}

void km_gateway_budget_hold(struct km_gateway_budget *b, const struct km_budget_hold *hold)
{
    if (!km_gateway_budget_blocks(b))
        return;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->n; i++)
        if (b->v[i].blocks)
            km_budget_hold(&b->v[i].budget, hold);
    pthread_mutex_unlock(&b->lock);
}

void km_gateway_budget_release(struct km_gateway_budget *b, const struct km_uuid *id)
{
    if (!km_gateway_budget_blocks(b))
        return;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->n; i++)
        km_budget_release(&b->v[i].budget, id);
    pthread_mutex_unlock(&b->lock);
}

/* --- what is refused --- */

/* Of all that it says the beginning is LiteLLM's; the end says which budget it is. */
static int refuse(const struct window *w, struct km_err *err)
{
    char text[sizeof err->text], end[KM_TIME_ISO_LEN + 1];

    if (!err)
        return KM_E_BUDGET;
    memcpy(text, err->text, sizeof text);
    km_time_iso(end_of(w), end);
    end[10] = ' '; /* "2026-11-20 08:00:00" of "2026-11-20T08:00:00.000000Z" */
    if (w->budget.duration_s > 0)
        return km_fail(err, KM_E_BUDGET,
                       "%s. This is the gateway's budget of this %s (%s), which "
                       "ends at %.19s UTC.",
                       text, w->kind == KM_GATEWAY_PROXY ? "period" : words[w->kind].name,
                       words[w->kind].setting, end);
    return km_fail(err, KM_E_BUDGET,
                   "%s. This is the gateway's budget (%s), which does not start "
                   "anew.",
                   text, words[w->kind].setting);
}

/* Under the lock. */
static int take(struct km_gateway_budget *b, int64_t amount, enum km_budget_mode mode,
                int64_t now_us, struct km_err *err)
{
    size_t i = 0;
    int r = 0;

    turn(b, now_us);
    for (; r == 0 && i < b->n; i++) {
        struct window *w = &b->v[i];

        if (!w->blocks)
            continue;
        if (w->budget.nholds)
            km_budget_drop_holds(&w->budget, km_mono_ms());
        r = km_budget_reserve(&w->budget, amount, mode, err);
    }
    if (r == 0)
        return 0;
    for (size_t k = 0; k + 1 < i; k++)
        if (b->v[k].blocks)
            km_budget_settle(&b->v[k].budget, amount, 0);
    return refuse(&b->v[i - 1], err);
}

int km_gateway_budget_take(struct km_gateway_budget *b, int64_t amount, enum km_budget_mode mode,
                           int64_t now_us, struct km_err *err)
{
    int r;

    if (!km_gateway_budget_blocks(b))
        return 0;
    pthread_mutex_lock(&b->lock);
    r = take(b, amount, mode, now_us, err);
    pthread_mutex_unlock(&b->lock);
    return r;
}

int64_t km_gateway_budget_left(struct km_gateway_budget *b, int64_t now_us)
{
    int64_t least = INT64_MAX;

    if (!km_gateway_budget_blocks(b))
        return least;
    pthread_mutex_lock(&b->lock);
    turn(b, now_us);
    for (size_t i = 0; i < b->n; i++) {
        struct km_budget *budget = &b->v[i].budget;

        if (!b->v[i].blocks)
            continue;
        if (budget->nholds)
            km_budget_drop_holds(budget, km_mono_ms());
        least = km_budget_left(budget) < least ? km_budget_left(budget) : least;
    }
    pthread_mutex_unlock(&b->lock);
    return least;
}

/* --- what is held back --- */

/* How much of the way from the threshold to the limit a class goes unhindered, in thirds. */
static int64_t thirds_of(enum km_priority p)
{
    static const int64_t thirds[KM_PRIORITIES] = { [KM_PRIORITY_UNSAID] = 1,
                                                   [KM_PRIORITY_LOW] = 0,
                                                   [KM_PRIORITY_MEDIUM] = 1,
                                                   [KM_PRIORITY_HIGH] = 2,
                                                   [KM_PRIORITY_CRITICAL] = 3 };

    return thirds[p];
}

static bool is_paced(const struct window *w, enum km_priority p)
{
    return w->budget.max >= 0 && w->budget.duration_s > 0 &&
           w->budget.spent >= w->alert_at + (w->budget.max - w->alert_at) / 3 * thirds_of(p);
}

/* Between two calls, so that those of mean cost use what is left just at the end; at most the most
 * that one waits. */
static int64_t interval_of(const struct km_gateway_budget *b, const struct window *w,
                           int64_t now_us)
{
    const int64_t left = w->budget.max - w->budget.spent, time = end_of(w) - now_us;
    double interval;

    if (left <= 0)
        return b->wait_us;
    interval = (double)time * ((double)b->average / (double)left);
    return interval < (double)b->wait_us ? (int64_t)interval : b->wait_us;
}

uint64_t km_gateway_budget_pace(struct km_gateway_budget *b, enum km_priority p, int64_t now_us)
{
    int64_t interval = 0, slot = 0;
    bool paced = false;

    if (!b || b->action != KM_GATEWAY_THROTTLE || !km_gateway_budget_is_near(b, now_us))
        return 0;
    pthread_mutex_lock(&b->lock);
    turn(b, now_us);
    for (size_t i = 0; i < b->n; i++) {
        if (!is_paced(&b->v[i], p))
            continue;
        paced = true;
        if (interval_of(b, &b->v[i], now_us) > interval)
            interval = interval_of(b, &b->v[i], now_us);
    }
    if (paced) {
        const int64_t last = now_us + b->wait_us;

        slot = b->slot_us > now_us ? b->slot_us : now_us;
        slot = slot > last ? last : slot; /* the clock was set back */
        b->slot_us = slot + interval > last ? last : slot + interval;
    }
    pthread_mutex_unlock(&b->lock);
    if (slot <= now_us)
        return 0;
    atomic_fetch_add_explicit(&b->throttled, 1, memory_order_relaxed);
    return (uint64_t)(slot - now_us + 999) / 1000;
}

/* --- hand-over --- */

/* By name and length: a window of another length is another one, and the store knows its spend. */
static void name_window(const struct window *w, uint8_t ret[32])
{
    char text[64];
    const int n = snprintf(text, sizeof text, "gateway budget %s %lld", words[w->kind].name,
                           (long long)w->budget.duration_s);

    km_sha256(km_str(text, (size_t)n), ret);
}

bool km_gateway_budget_export(struct km_gateway_budget *b, size_t i, struct km_gateway_line *ret)
{
    if (!b || i >= b->n)
        return false;
    pthread_mutex_lock(&b->lock);
    name_window(&b->v[i], ret->hash);
    ret->spent = b->v[i].budget.spent;
    ret->reserved = b->v[i].budget.reserved;
    ret->end_us = b->v[i].budget.reset_us;
    pthread_mutex_unlock(&b->lock);
    return true;
}

void km_gateway_budget_import(struct km_gateway_budget *b, const struct km_gateway_line *line)
{
    uint8_t hash[32];

    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->n; i++) {
        struct window *w = &b->v[i];

        name_window(w, hash);
        if (memcmp(hash, line->hash, sizeof hash) != 0)
            continue;
        km_budget_set_window(&w->budget, line->end_us, line->spent);
        if (!w->blocks)
            continue;
        w->budget.reserved += line->reserved;
        if (line->reserved > b->imported_reserved) /* all that block have the same */
            b->imported_reserved = line->reserved;
    }
    set_told(b);
    pthread_mutex_unlock(&b->lock);
}

int km_gateway_budget_take_imported(struct km_gateway_budget *b, int64_t amount,
                                    enum km_budget_mode mode, int64_t now_us, struct km_err *err)
{
    int r;

    if (!km_gateway_budget_blocks(b))
        return 0;
    pthread_mutex_lock(&b->lock);
    r = take(b, amount, mode, now_us, err);
    if (r == 0 && amount > 0)
        b->imported_reserved += amount;
    pthread_mutex_unlock(&b->lock);
    return r;
}

void km_gateway_budget_settle_imported(struct km_gateway_budget *b, int64_t reserved, int64_t cost,
                                       int64_t at_us)
{
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    reserved = reserved < b->imported_reserved ? reserved : b->imported_reserved;
    b->imported_reserved -= reserved > 0 ? reserved : 0;
    pthread_mutex_unlock(&b->lock);
    km_gateway_budget_settle(b, reserved, cost, at_us);
}

void km_gateway_budget_end_import(struct km_gateway_budget *b)
{
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    give_back(b, b->imported_reserved);
    b->imported_reserved = 0;
    pthread_mutex_unlock(&b->lock);
}
