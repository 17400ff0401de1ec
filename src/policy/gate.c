/* SPDX-License-Identifier: Apache-2.0 */
/* gate.c - see gate.h for the contract.
 *
 * Whoever comes joins the line and then all go who may, so that nobody overtakes a line and no
 * place stands empty beside one: entering, giving back, an answer that tells of more room, and time
 * that has gone by all end in let_in().  Because that happens under the one lock, a place that is
 * given back while another asks cannot be missed by both.
 *
 * A wait on time alone (what comes back to a quota, the end of a Retry-After) has nobody who gives
 * anything back: each that waits polls at its own end and at the gate's next opening.
 *
 * When the line is full, the last of the lowest class goes, if that is below who has come; else who
 * has come does.
 */
#include "policy/gate.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"

#define MOST_GATES ((size_t)1 << 20)
#define RETRY_LEAST_MS 1000
#define RETRY_MOST_MS 60000
#define INTERVAL_SHARE 8 /* of the newest, in the mean time between two that were served */

struct km_gate {
    struct km_gate_face face; /* first */
    pthread_mutex_t lock;
    struct km_queue queue;
    struct km_quota quota;
    int64_t running;
    int64_t running_of[KM_SHARES_MOST + 1]; /* by share; last: of none */
    int64_t limit; /* as it was asked for last */
    uint64_t served[KM_PRIORITIES], shed[KM_PRIORITIES], waited_ms;
    uint64_t given_ms; /* when a place was given back last; 0: never */
    uint64_t interval_ms; /* mostly between two of these */
    struct km_gate *next; /* of the table's list */
    struct km_str name;
    char text[];
};

struct km_gates {
    pthread_mutex_t lock; /* of the map and the list */
    struct km_map *map;
    struct km_gate *first;
};

struct km_gates *km_gates_new(void)
{
    struct km_gates *g = calloc(1, sizeof *g);

    if (!g)
        return NULL;
    g->map = km_map_new(MOST_GATES);
    if (!g->map) {
        free(g);
        return NULL;
    }
    pthread_mutex_init(&g->lock, NULL);
    return g;
}

static void free_gate(void *gate)
{
    struct km_gate *g = gate;

    pthread_mutex_destroy(&g->lock);
    free(g);
}

struct km_gates *km_gates_free(struct km_gates *g)
{
    if (!g)
        return NULL;
    km_map_free(g->map, free_gate);
    pthread_mutex_destroy(&g->lock);
    free(g);
    return NULL;
}

static struct km_gate *gate_new(struct km_str name)
{
    struct km_gate *g = calloc(1, sizeof *g + name.n);

    if (!g)
        return NULL;
    memcpy(g->text, name.p, name.n);
    g->name = km_str(g->text, name.n);
    km_queue_init(&g->queue);
    pthread_mutex_init(&g->lock, NULL);
    return g;
}

struct km_gate *km_gates_of(struct km_gates *g, struct km_str name)
{
    struct km_gate *gate;

    pthread_mutex_lock(&g->lock);
    gate = km_map_get(g->map, name);
    if (!gate) {
        gate = gate_new(name);
        if (gate && km_map_set(g->map, name, gate, NULL) < 0) {
            free_gate(gate);
            gate = NULL;
        }
        if (gate) {
            gate->next = g->first;
            g->first = gate;
        }
    }
    pthread_mutex_unlock(&g->lock);
    return gate;
}

void km_gates_each(struct km_gates *g, void (*each)(void *ctx, struct km_gate *gate), void *ctx)
{
    struct km_gate *gate;

    pthread_mutex_lock(&g->lock);
    gate = g->first; /* those behind it never change */
    pthread_mutex_unlock(&g->lock);
    for (; gate; gate = gate->next)
        each(ctx, gate);
}

struct km_str km_gate_name(const struct km_gate *g)
{
    return g->name;
}

/* --- who may go --- */

static unsigned milli_of(const struct km_shares *s, unsigned share)
{
    return share < s->n ? s->v[share].milli : s->default_milli;
}

/* Of a limit that is all but reached, everybody has what is reserved for him. */
static bool has_share(const struct km_gate *g, const struct km_gate_rules *r, unsigned share)
{
    const struct km_shares *s = r->shares;
    int64_t own;

    if (!s || (g->running + 1) * 1000 <= r->limit * (int64_t)s->threshold_milli)
        return true;
    own = r->limit * (int64_t)milli_of(s, share) / 1000;
    return g->running_of[share] < (own > 1 ? own : 1);
}

static bool may_go(const void *ctx, const struct km_queue_item *item)
{
    const struct km_gate *g = ctx;
    const struct km_gate_rules *r = KM_CONTAINER(item, struct km_gate_item, item)->rules;

    return r->limit <= 0 || (g->running < r->limit && has_share(g, r, item->share));
}

static bool quota_lets(const struct km_gate *g, const struct km_gate_item *it, uint64_t now_ms,
                       uint64_t *ret_opens_ms)
{
    *ret_opens_ms = 0;
    return !it->rules->paces ||
           km_quota_lets(&g->quota, g->running, it->tokens, now_ms, ret_opens_ms);
}

static void take_place(struct km_gate *g, struct km_gate_item *it, uint64_t now_ms)
{
    g->running++;
    g->running_of[it->item.share]++;
    it->mark = km_quota_send(&g->quota, it->tokens, now_ms);
    it->outcome = KM_GATE_HAS_PLACE;
}

static void set_paced(struct km_gate *g, uint64_t now_ms)
{
    atomic_store_explicit(&g->face.paced, g->queue.total || km_quota_is_tight(&g->quota, now_ms),
                          memory_order_relaxed);
}

/* All go who may; what is larger than what is left of a quota is not overtaken, so that it comes to
 * its turn.  self: who asks, and needs not be woken. */
static uint64_t let_in(struct km_gate *g, const struct km_gate_item *self, uint64_t now_ms)
{
    struct km_queue_item *best;
    uint64_t opens = 0;

    while ((best = km_queue_best(&g->queue, may_go, g, now_ms))) {
        struct km_gate_item *it = KM_CONTAINER(best, struct km_gate_item, item);

        if (!quota_lets(g, it, now_ms, &opens))
            break;
        km_queue_take(&g->queue, best, now_ms);
        take_place(g, it, now_ms);
        if (it == self)
            continue;
        g->served[best->priority]++;
        g->waited_ms += now_ms > best->since_ms ? now_ms - best->since_ms : 0;
        it->wake(it);
    }
    set_paced(g, now_ms);
    return g->queue.total ? opens : 0;
}

/* --- the line --- */

static int64_t retry_of(const struct km_gate *g, enum km_priority p, uint64_t opens_ms,
                        uint64_t now_ms)
{
    uint64_t ms = (km_queue_ahead(&g->queue, p) + 1) * g->interval_ms;

    if (opens_ms > now_ms && opens_ms - now_ms > ms)
        ms = opens_ms - now_ms;
    return (int64_t)(ms < RETRY_LEAST_MS  ? RETRY_LEAST_MS
                     : ms < RETRY_MOST_MS ? ms
                                          : RETRY_MOST_MS);
}

static void shed(struct km_gate *g, struct km_gate_item *it, uint64_t opens_ms, uint64_t now_ms)
{
    km_queue_remove(&g->queue, &it->item);
    g->shed[it->item.priority]++;
    it->outcome = KM_GATE_SHED;
    it->retry_ms = retry_of(g, it->item.priority, opens_ms, now_ms);
}

/* What it would wait for, and why it may not. */
static void say_why(const struct km_gate *g, const struct km_gate_item *it, uint64_t opens_ms,
                    uint64_t now_ms, struct km_err *err)
{
    const uint64_t s = opens_ms > now_ms ? (opens_ms - now_ms + 999) / 1000 : 0;
    const bool full = it->rules->limit > 0 && g->running >= it->rules->limit;
    char why[160], wait[96];

    if (g->quota.closed_until > now_ms && it->rules->paces)
        snprintf(why, sizeof why, "It rests for %llu s, because its upstream answered 429",
                 (unsigned long long)(g->quota.closed_until - now_ms + 999) / 1000);
    else if (s)
        snprintf(why, sizeof why,
                 "Its upstream has too little left of its limit, and is asked again in %llu s",
                 (unsigned long long)s);
    else
        snprintf(why, sizeof why, "%s",
                 full ? "All its places are taken"
                      : "As many calls run as its upstream or its reserved places allow");
    if (s * 1000 > (uint64_t)it->rules->wait_ms)
        snprintf(wait, sizeof wait, "a call waits for at most %lld s",
                 (long long)it->rules->wait_ms / 1000);
    else
        snprintf(wait, sizeof wait, "no more calls may wait: %zu do", g->queue.total);
    km_fail(err, KM_E_RATE_LIMITED, "%s; %s.", why, wait);
}

static int refuse(struct km_gate *g, struct km_gate_item *it, uint64_t opens_ms, uint64_t now_ms,
                  struct km_err *err)
{
    shed(g, it, opens_ms, now_ms);
    say_why(g, it, opens_ms, now_ms, err);
    err->retry_after_ms = (int)it->retry_ms;
    return KM_E_RATE_LIMITED;
}

static int stand_in_line(struct km_gate *g, struct km_gate_item *it, uint64_t opens_ms,
                         uint64_t now_ms, struct km_err *err)
{
    const bool too_late = opens_ms > now_ms + (uint64_t)it->rules->wait_ms;
    struct km_queue_item *victim;

    if (it->never_waits) {
        km_queue_remove(&g->queue, &it->item);
        return km_fail(err, KM_E_RATE_LIMITED, "There is no place for another attempt now.");
    }
    if (too_late)
        return refuse(g, it, opens_ms, now_ms, err);
    if (g->queue.total <= (size_t)it->rules->most_waiting)
        return KM_E_AGAIN;
    victim = km_queue_victim(&g->queue, it->item.priority);
    if (!victim)
        return refuse(g, it, opens_ms, now_ms, err);
    shed(g, KM_CONTAINER(victim, struct km_gate_item, item), opens_ms, now_ms);
    KM_CONTAINER(victim, struct km_gate_item, item)
        ->wake(KM_CONTAINER(victim, struct km_gate_item, item));
    return KM_E_AGAIN;
}

int km_gate_enter(struct km_gate *g, struct km_gate_item *it, uint64_t now_ms, struct km_err *err)
{
    uint64_t opens;
    int r = 0;

    pthread_mutex_lock(&g->lock);
    g->limit = it->rules->limit;
    it->outcome = KM_GATE_WAITS;
    km_queue_put(&g->queue, &it->item, now_ms);
    opens = let_in(g, it, now_ms);
    if (it->outcome == KM_GATE_WAITS)
        r = stand_in_line(g, it, opens, now_ms, err);
    pthread_mutex_unlock(&g->lock);
    return r;
}

bool km_gate_withdraw(struct km_gate *g, struct km_gate_item *it, uint64_t now_ms)
{
    bool waited;

    pthread_mutex_lock(&g->lock);
    waited = it->outcome == KM_GATE_WAITS;
    km_queue_remove(&g->queue, &it->item);
    (void)let_in(g, NULL, now_ms); /* it may have been what the others waited behind */
    pthread_mutex_unlock(&g->lock);
    return waited;
}

static void learn_interval(struct km_gate *g, uint64_t now_ms)
{
    const uint64_t since = now_ms > g->given_ms ? now_ms - g->given_ms : 0;

    if (g->given_ms && g->queue.total)
        g->interval_ms = g->interval_ms ? g->interval_ms - g->interval_ms / INTERVAL_SHARE +
                                              since / INTERVAL_SHARE
                                        : since;
    g->given_ms = now_ms;
}

void km_gate_give(struct km_gate *g, unsigned share, uint64_t now_ms)
{
    pthread_mutex_lock(&g->lock);
    km_assert(g->running > 0);
    g->running--;
    g->running_of[share]--;
    learn_interval(g, now_ms);
    (void)let_in(g, NULL, now_ms);
    pthread_mutex_unlock(&g->lock);
}

uint64_t km_gate_poll(struct km_gate *g, uint64_t now_ms)
{
    uint64_t opens;

    pthread_mutex_lock(&g->lock);
    opens = let_in(g, NULL, now_ms);
    pthread_mutex_unlock(&g->lock);
    return opens;
}

/* --- what is known of it --- */

bool km_gate_is_full(struct km_gate *g, const struct km_gate_rules *rules, uint64_t now_ms)
{
    const struct km_gate_item it = { .rules = rules };
    uint64_t opens;
    bool full;

    pthread_mutex_lock(&g->lock);
    full = (rules->limit > 0 && (g->running >= rules->limit || g->queue.total)) ||
           !quota_lets(g, &it, now_ms, &opens);
    pthread_mutex_unlock(&g->lock);
    return full;
}

void km_gate_learn(struct km_gate *g, const struct km_quota_said *said,
                   const struct km_quota_mark *mark, uint64_t now_ms)
{
    pthread_mutex_lock(&g->lock);
    km_quota_learn(&g->quota, said, mark, now_ms);
    (void)let_in(g, NULL, now_ms);
    pthread_mutex_unlock(&g->lock);
}

void km_gate_refused(struct km_gate *g, int64_t closed_ms, const struct km_quota_mark *mark,
                     uint64_t now_ms)
{
    pthread_mutex_lock(&g->lock);
    km_quota_refuse(&g->quota, closed_ms, mark, now_ms);
    set_paced(g, now_ms);
    pthread_mutex_unlock(&g->lock);
}

void km_gate_answered(struct km_gate *g, uint64_t now_ms)
{
    if (!atomic_load_explicit(&g->face.paced, memory_order_relaxed))
        return;
    pthread_mutex_lock(&g->lock);
    km_quota_answer(&g->quota, g->running, now_ms);
    (void)let_in(g, NULL, now_ms);
    pthread_mutex_unlock(&g->lock);
}

static uint64_t longest_wait(const struct km_queue *q, uint64_t now_ms)
{
    uint64_t longest = 0, waited;

    for (unsigned p = 0; p < KM_PRIORITIES; p++) {
        if (!q->n[p])
            continue;
        waited = now_ms - KM_CONTAINER(q->waiting[p].next, struct km_queue_item, link)->since_ms;
        longest = waited > longest ? waited : longest;
    }
    return longest;
}

void km_gate_look(struct km_gate *g, uint64_t now_ms, struct km_gate_facts *ret)
{
    pthread_mutex_lock(&g->lock);
    *ret = (struct km_gate_facts){
        .name = g->name,
        .limit = g->limit,
        .running = g->running,
        .waited_ms = g->waited_ms,
        .longest_ms = longest_wait(&g->queue, now_ms),
        .paced = km_quota_is_tight(&g->quota, now_ms),
        .window = g->quota.window,
        .closed_ms = g->quota.closed_until > now_ms ? g->quota.closed_until - now_ms : 0,
    };
    for (unsigned p = 0; p < KM_PRIORITIES; p++) {
        ret->waiting[p] = g->queue.n[p];
        ret->served[p] = g->served[p];
        ret->shed[p] = g->shed[p];
    }
    for (unsigned i = 0; i < KM_QUOTAS; i++)
        ret->left[i] = km_quota_left(&g->quota, (enum km_quota_of)i, now_ms);
    pthread_mutex_unlock(&g->lock);
}

uint64_t km_gate_forecast(struct km_gate *g, const struct km_gate_rules *rules, enum km_priority p,
                          uint64_t now_ms, size_t *ret_ahead)
{
    const struct km_gate_item it = { .rules = rules };
    uint64_t opens = 0, ms;
    bool at_once;

    pthread_mutex_lock(&g->lock);
    *ret_ahead = km_queue_ahead(&g->queue, p);
    at_once = !g->queue.total && (rules->limit <= 0 || g->running < rules->limit) &&
              quota_lets(g, &it, now_ms, &opens);
    ms = at_once ? 0 : (*ret_ahead + 1) * g->interval_ms;
    pthread_mutex_unlock(&g->lock);
    return opens > now_ms && opens - now_ms > ms ? opens - now_ms : ms;
}
