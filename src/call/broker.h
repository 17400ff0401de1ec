/* SPDX-License-Identifier: Apache-2.0 */
/* broker.h - what a call has of its key, and where it is asked for.
 *
 * Whose counters count for a key changes: those of this process; while it is handed over those of
 * the process after it; in time those that several replicas share.  A call asks the broker, and
 * the broker the first source that stands, which answers now or later:
 *
 *     take, top up, again ──> handed over   the process that holds the counters (handover.h)
 *                             here          this one's (policy/key.h)
 *     settle, charge ───────> all that stand
 *
 * Later means: KM_E_AGAIN now, and the asker's function once, from a callback of the loop and
 * never from within.  What a call asks is asked one after the other, in its order.  When the call
 * is settled first nobody is told any more, and what is granted then is given back.
 *
 * Loop thread of the call's worker.
 */
#ifndef KM_CALL_BROKER_H
#define KM_CALL_BROKER_H

#include "policy/payers.h"

struct km_call;
struct km_worker;
struct km_broker_ask;

/* Of a call.  What it has reserved in all (km_broker_reserved) the settlement's record gives back,
 * whichever process wrote the rest of it. */
struct km_hold {
    struct km_permit permit; /* of this process's counters; key NULL: none */
    struct km_payers
        *payers; /* who pays beside its key; NULL: nobody.  In the call's arena's care */
    struct km_headroom room; /* as it was then */
    bool away; /* the permit lies in another process */
    bool targets; /* some of those that pay do so for one target of the call */
    size_t payers_kept; /* bytes of payers in its intent */
    int64_t gateway; /* nano-USD, of the gateway's budget (gateway_budget.h) */
    struct km_broker_ask *asks; /* what it waits for, in order: the first may be under way */
};

/* err: why not; NULL: granted.  May end the call. */
typedef void km_broker_fn(void *ctx, const struct km_err *err);

/* Each returns 0, why not, or KM_E_AGAIN: done(ctx) follows.  A call that nobody pays for, neither
 * a key nor an account nor a target's budget, or that the gateway makes for its own ends, has no
 * limits: 0. */

/* The permit of admission, once a call: for call->reserve and what the call is a part of.
 * KM_E_RATE_LIMITED, KM_E_BUDGET; of another process also KM_E_UNAUTHENTICATED (the key is gone)
 * and KM_E_OVERLOADED. */
int km_broker_take(struct km_call *call, km_broker_fn *done, void *ctx,
                   struct km_err *err) KM_MUST_USE;
/* Would km_broker_take() grant it?  Nothing is taken; while another process holds the counters, by
 * those that this one had. */
int km_broker_look(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* What the call holds becomes `reserve` (nano-USD, in all), and so does call->reserve: before a
 * further attempt, or as a session says more.  KM_E_BUDGET: it is as it was.  Less is always
 * granted; while another process holds the counters it is given back with the settlement, since
 * what was spent of it may come there after us.  KM_E_OVERLOADED and KM_E_UNSUPPORTED: that process
 * is gone, or an older one: nobody can say, it is as it was. */
int km_broker_top_up(struct km_call *call, int64_t reserve, km_broker_fn *done, void *ctx,
                     struct km_err *err) KM_MUST_USE;
/* These pay from now on, each with what its share is to have reserved (km_permit_move); `to` is in
 * the arena's care.  KM_E_BUDGET, KM_E_RATE_LIMITED: it is as it was.  While another process holds
 * the counters only those are asked that did not pay before. */
int km_broker_move(struct km_call *call, struct km_payers *to, km_broker_fn *done, void *ctx,
                   struct km_err *err) KM_MUST_USE;
/* One more request, under the limits of its key as it is now.  KM_E_RATE_LIMITED; and as above. */
int km_broker_again(struct km_call *call, km_broker_fn *done, void *ctx,
                    struct km_err *err) KM_MUST_USE;

/* What the key has reserved for it, nano-USD: call->reserve, or nothing where its budget asks only
 * whether all is spent. */
int64_t km_broker_reserved(const struct km_call *call);

/* What was taken is given back with what it really cost (nano-USD), and nothing asked for is waited
 * for any more.  Once a call that was admitted; again is harmless. */
void km_broker_settle(struct km_call *call, int64_t cost, int64_t tokens);
/* Part of what it does is done: spent, besides what it holds. */
void km_broker_charge(const struct km_call *call, int64_t cost, int64_t tokens);

/* --- for sources --- */

enum km_broker_what { KM_BROKER_TAKE, KM_BROKER_TOP_UP, KM_BROKER_AGAIN, KM_BROKER_MOVE };

/* What a call asks for. */
struct km_broker_ask {
    struct km_broker_ask *next; /* of the call's */
    struct km_call *call; /* NULL: it ended meanwhile */
    struct km_worker *w;
    enum km_broker_what what;
    unsigned source; /* whom it is asked of: a row */
    bool queued; /* not asked of anybody yet */
    struct km_admission admission; /* TOP_UP: reserve is what is to be held in all */
    struct km_payers *to; /* of MOVE */
    km_broker_fn *done;
    void *ctx;
};

/* A row of the table in broker.c, which says beside it when its counters count: another place where
 * permits come from is another row, before those that are asked where it does not stand, or when it
 * says so itself. */
struct km_permit_source {
    /* 0, why not, or KM_E_AGAIN: it has kept the ask, and answers it. */
    int (*ask)(struct km_broker_ask *ask, struct km_err *err);
    /* What it granted later is not used.  NULL: it answers at once. */
    void (*give_back)(const struct km_broker_ask *ask);
    /* The call ended, or a part of it; NULL: its row in the ledger tells. */
    void (*settle)(struct km_call *call, int64_t cost, int64_t tokens);
    void (*charge)(const struct km_call *call, int64_t cost, int64_t tokens);
};

extern const struct km_permit_source km_source_handed_over; /* broker_away.c */

/* Its key, or km_keys_nobody(). */
struct km_key *km_broker_key(const struct km_call *call);

/* What admission asks for. */
struct km_admission km_broker_admission(const struct km_call *call);

/* From within ask: a copy that lives until it is answered, as the first member of `size` bytes,
 * the rest of them zeroed.  NULL: no memory. */
void *km_broker_keep(const struct km_broker_ask *ask, size_t size);

enum km_broker_answer {
    KM_BROKER_GRANTED,
    KM_BROKER_REFUSED,
    KM_BROKER_NOT_HERE, /* it does not stand after all: the next one is asked */
};
/* Exactly once, from a callback of the loop; `kept` is freed, and its call may be over. */
void km_broker_answer(struct km_broker_ask *kept, enum km_broker_answer how,
                      const struct km_err *why);

#endif
