/* SPDX-License-Identifier: Apache-2.0 */
/* holds.h - what is not known of a call's price: held for a while, corrected by a person.
 *
 * A call that a crash ended is charged by what was known of it last.  The rest of what it had
 * reserved is held in its key's budget until the call would have been over at the latest, and for
 * crash_hold_time at most: until then its upstream may still be at work for it.  A hold is no
 * spend; it ends by its time, is released by an administrator, or goes with a correction.
 *
 * Thread and answers as in store.h.
 */
#ifndef KM_STORE_HOLDS_H
#define KM_STORE_HOLDS_H

#include "base/id.h"
#include "store/store.h"

/* Whose budget it is: a call's key, and the one that its books go to by now. */
struct km_payer {
    uint8_t hash[32], heir[32];
    /* Who pays beside it (payers.h), valid until the callback that tells it returns; of a release
     * none is told. */
    struct km_str text;
};

struct km_spend_hold {
    struct km_uuid id; /* the call's */
    struct km_payer payer;
    int64_t amount; /* nano-USD; 0: none */
    int64_t made_us, until_us; /* wall */
};

/* A call that was charged though nobody knows how it ended. */
struct km_open_charge {
    struct km_payer payer;
    int64_t reserved, cost, tokens;
    unsigned flags; /* enum km_call_flag */
    struct km_spend_hold hold;
};

struct km_correction {
    struct km_payer payer;
    int64_t more; /* nano-USD: what is added to the call's cost; may be negative */
    int64_t at_us; /* the moment whose budget window it counts in */
};

/* Who has the keys' budgets in memory hears of what the books took here.  On the writer's thread,
 * after the commit and before anybody else is told. */
struct km_store_books {
    void *ctx;
    void (*charged)(void *ctx, const struct km_open_charge *c);
    void (*released)(void *ctx, const struct km_spend_hold *hold);
    void (*corrected)(void *ctx, const struct km_correction *c);
};
/* books lives as long as the store.  Before loops run. */
void km_store_use_books(struct km_store *store, const struct km_store_books *books);

/* Those that are not over; blocking, before loops run (and at hand-over). */
typedef void km_spend_hold_fn(void *ctx, const struct km_spend_hold *hold);
int km_store_holds(struct km_store *store, km_spend_hold_fn *each, void *ctx,
                   struct km_err *err) KM_MUST_USE;

/* {"holds":[{"request_id","api_key","key_alias","model","model_group","model_id","amount",
 * "made_at","until"}],"amount"} of those that are not over, the oldest first; amounts in USD. */
void km_store_holds_list(struct km_store *store, struct km_mailbox *reply, km_store_json_fn *fn,
                         void *ctx);

struct km_spend_hold_which {
    bool by_id, by_key; /* neither: all */
    struct km_uuid id;
    uint8_t key_hash[32];
};
/* {"released":n,"amount":USD}.  KM_E_NOT_FOUND: no hold is of that call.  Audited as
 * "spend.release" of `target`. */
void km_store_holds_release(struct km_store *store, struct km_mailbox *reply,
                            const struct km_spend_hold_which *which, struct km_str actor,
                            struct km_str target, km_store_json_fn *fn, void *ctx);

/* The call's cost is this: its row says so and is marked, the day's sums and the window of its key
 * that it was paid in follow by the difference, and a hold of it goes.  The same once more changes
 * nothing.  {"request_id","spend","was"}; KM_E_NOT_FOUND: no such row.  Audited as "spend.correct".
 * */
void km_store_spend_correct(struct km_store *store, struct km_mailbox *reply,
                            const struct km_uuid *id, int64_t cost, struct km_str reason,
                            struct km_str actor, km_store_json_fn *fn, void *ctx);

#endif
