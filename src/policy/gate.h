/* SPDX-License-Identifier: Apache-2.0 */
/* gate.h - the way to one resource, a deployment or an MCP server: so many calls at once, no faster
 * than its upstream lets them through, and a line of those that wait.
 *
 *     enter ──> there is a place ────────────────────> give
 *         └───> the line (queue.h) ── woken ──────────> give
 *                  │  └── shed for one of a higher class
 *                  └── withdrawn: it is gone, or its time is over
 *
 * One for each resource for as long as the process lives, beyond reloads; the rules are those of
 * the asker's configuration.  Locked inside; any thread.  What is woken is told by its own function
 * under the lock: it posts a message and does nothing else.
 */
#ifndef KM_POLICY_GATE_H
#define KM_POLICY_GATE_H

#include <stdatomic.h>

#include "base/err.h"
#include "policy/queue.h"
#include "policy/quota.h"

#define KM_SHARES_MOST 16

/* LiteLLM's priority_reservation: beyond the threshold each name has its part of the places, and
 * no more. */
struct km_shares {
    struct {
        struct km_str name;
        unsigned milli;
    } v[KM_SHARES_MOST];
    size_t n;
    unsigned default_milli; /* of all that have none of these names together */
    unsigned threshold_milli; /* of the limit: below, everybody may have any place */
};

struct km_gate_rules {
    int64_t limit; /* calls at once; 0: as many as come */
    int64_t most_waiting; /* in line */
    int64_t wait_ms; /* in line at most */
    const struct km_shares *shares; /* NULL: none is reserved */
    bool paces; /* what the upstream says of its limits is heeded */
};

/* What is looked at without the lock: the beginning of each gate. */
struct km_gate_face {
    atomic_bool paced; /* its upstream is near its limits: also who has no limit asks */
};
struct km_gate;
struct km_gates; /* by name */

struct km_gates *km_gates_new(void); /* NULL: no memory */
struct km_gates *km_gates_free(struct km_gates *g);
/* The same one for the same name, made when it is first asked for; lives as long as g.  NULL: no
 * memory. */
struct km_gate *km_gates_of(struct km_gates *g, struct km_str name);
void km_gates_each(struct km_gates *g, void (*each)(void *ctx, struct km_gate *gate), void *ctx);

struct km_str km_gate_name(const struct km_gate *g);

enum km_gate_outcome { KM_GATE_WAITS, KM_GATE_HAS_PLACE, KM_GATE_SHED };

/* Somebody who wants a place.  The asker's; the gate's while it waits. */
struct km_gate_item {
    struct km_queue_item item; /* priority, share: n of rules->shares stands for none of them */
    const struct km_gate_rules *rules; /* live as long as it waits */
    int64_t tokens; /* it may need, by estimate */
    bool never_waits; /* it is refused instead, and nobody is shed for it */
    /* It has a place, or was shed: once, and not after a withdrawal that said true. */
    void (*wake)(struct km_gate_item *item);
    enum km_gate_outcome outcome; /* of wake */
    struct km_quota_mark mark; /* of one that has a place */
    int64_t retry_ms; /* of one that was shed: when it may be worth another try */
};

/* Does nobody have to ask?  One look, without the lock. */
static inline bool km_gate_is_open(const struct km_gate *g, const struct km_gate_rules *rules)
{
    return rules->limit <= 0 &&
           !atomic_load_explicit(&((const struct km_gate_face *)(const void *)g)->paced,
                                 memory_order_relaxed);
}
/* Would one more wait now? */
bool km_gate_is_full(struct km_gate *g, const struct km_gate_rules *rules, uint64_t now_ms);

/* 0: it has a place.  KM_E_AGAIN: it waits, and wake() follows.  KM_E_RATE_LIMITED: the line is
 * full of those that go before it, or would last longer than it may: err->retry_after_ms. */
int km_gate_enter(struct km_gate *g, struct km_gate_item *item, uint64_t now_ms,
                  struct km_err *err) KM_MUST_USE;
/* true: it waits no more, and is not woken.  false: it was woken before. */
bool km_gate_withdraw(struct km_gate *g, struct km_gate_item *item, uint64_t now_ms) KM_MUST_USE;
/* What has a place gives it back; share as it was in its item. */
void km_gate_give(struct km_gate *g, unsigned share, uint64_t now_ms);
/* Time has gone by: who may go now goes.  When it is to be asked again; 0: nobody waits, or no time
 * is what they wait for. */
uint64_t km_gate_poll(struct km_gate *g, uint64_t now_ms);

/* An answer: mark of the place it was asked by, or one of zeros.  From now on the gate may not be
 * open any more. */
void km_gate_learn(struct km_gate *g, const struct km_quota_said *said,
                   const struct km_quota_mark *mark, uint64_t now_ms);
void km_gate_refused(struct km_gate *g, int64_t closed_ms, const struct km_quota_mark *mark,
                     uint64_t now_ms);
void km_gate_answered(struct km_gate *g, uint64_t now_ms);

struct km_gate_facts {
    struct km_str name;
    int64_t limit; /* as it was asked for last */
    int64_t running; /* with a place */
    size_t waiting[KM_PRIORITIES];
    uint64_t served[KM_PRIORITIES], shed[KM_PRIORITIES]; /* of those that waited */
    uint64_t waited_ms; /* all that were served together */
    uint64_t longest_ms; /* the one that waits longest, so far */
    bool paced;
    int64_t window; /* calls at once that its upstream is believed to bear; 0: not known */
    uint64_t closed_ms; /* for so long it takes nothing, as it said */
    int64_t left[KM_QUOTAS]; /* -1: it said nothing */
};
void km_gate_look(struct km_gate *g, uint64_t now_ms, struct km_gate_facts *ret);
/* How long a call of that class, if it came now, would mostly wait, and how many are before it. */
uint64_t km_gate_forecast(struct km_gate *g, const struct km_gate_rules *rules, enum km_priority p,
                          uint64_t now_ms, size_t *ret_ahead);

#endif
