/* SPDX-License-Identifier: Apache-2.0 */
/* key.h - virtual keys in memory, and admission: the one place where a call takes its permit.
 *
 * The table maps SHA-256 to an immutable, reference-counted km_key whose live part (spend,
 * reservations, windows, running calls) is shared by all versions of the key and guarded by
 * one mutex.  It is shared by all workers; finding takes a read lock.
 *
 * A permit is what an admitted call holds; it is given back exactly once, whatever happens.
 */
#ifndef KM_POLICY_KEY_H
#define KM_POLICY_KEY_H

#include "base/right.h"
#include "policy/budget.h"
#include "policy/limit.h"
#include "store/holds.h"

struct km_accounts;
struct km_gateway_budget;
struct km_payers;
struct km_purse;

struct km_key {
    struct km_key_row row; /* spend here is as of loading: ask km_key_spend() */
    struct km_purse *live;
    struct km_accounts *accounts; /* of its team, user ...; NULL: there are none */
    struct km_str payer; /* its account of further limits (key_limits.h); empty: it has none */
    bool master; /* the master key's own pseudo key */
    bool routes; /* its row says where its calls go (key_routes.h) */
    bool runs; /* its metadata may say what one run of its may do (runs.h) */
    struct km_str alias_label; /* alias, or the name, or "default" - for logs and metrics */
};

struct km_key *km_key_ref(struct km_key *k); /* any thread */
struct km_key *km_key_unref(struct km_key *k);

struct km_keys;
struct km_keys *km_keys_new(size_t max_keys);
struct km_keys *km_keys_free(struct km_keys *keys);
/* Whoever calls without a key: a key without limits, of no store.  Only the accounts that such
 * calls name and the targets that they go to pay for them.  No reference is taken; it lives as
 * long. */
struct km_key *km_keys_nobody(struct km_keys *keys);
/* Whose teams, users ... its keys name; before any key is put, and it lives as long. */
void km_keys_use_accounts(struct km_keys *keys, struct km_accounts *accounts);
/* What the books take without a call of this process is paid from there, too; likewise. */
void km_keys_use_gateway_budget(struct km_keys *keys, struct km_gateway_budget *budget);

/* Is there room for so many more?  Asked before they are stored; KM_E_LIMIT. */
int km_keys_make_room(struct km_keys *keys, size_t more, struct km_err *err) KM_MUST_USE;
/* A reference, or NULL.  A former secret (key_retired.h) finds its key until its time is over. */
struct km_key *km_keys_find(struct km_keys *keys, const uint8_t hash[32]);
/* Inserts or replaces the immutable part; the live part stays.  KM_E_LIMIT when full. */
int km_keys_put(struct km_keys *keys, const struct km_key_row *row, struct km_err *err) KM_MUST_USE;
/* As put, for a key that takes the place of `before` (NULL: of none), which is gone at the same
 * moment: they share the live part, so that calls admitted under the old secret count for the new
 * one. */
int km_keys_succeed(struct km_keys *keys, const struct km_key_row *row, const uint8_t before[32],
                    struct km_err *err) KM_MUST_USE;
/* The hash whose books a call of this key goes to: its own, or that of its successor. */
void km_key_books(struct km_key *k, uint8_t ret_hash[32]);
/* Another number whenever a key came, changed or went: what was derived from all of them is to be
 * derived anew. */
uint64_t km_keys_generation(struct km_keys *keys);
bool km_keys_del(struct km_keys *keys, const uint8_t hash[32]);
/* By alias: a reference, or NULL. */
struct km_key *km_keys_by_alias(struct km_keys *keys, struct km_str alias);
/* The first found of that team: a reference, or NULL. */
struct km_key *km_keys_by_team(struct km_keys *keys, struct km_str team_id);
/* References to all, in an array the caller frees (free()) after unref'ing each; NULL+0 if none. */
struct km_key **km_keys_all(struct km_keys *keys, size_t *ret_n);

int64_t km_key_spend(struct km_key *k); /* nano-USD, current window */
int64_t km_key_reserved(struct km_key *k);
int64_t km_key_held(struct km_key *k); /* of calls whose end nobody knows */
/* When the budget window ends that is current since the last admission; 0: it has none. */
int64_t km_key_window_end(struct km_key *k);
/* At start: what the store knows of a window that is not the current one. */
void km_keys_add_window(struct km_keys *keys, const uint8_t hash[32], int64_t end_us,
                        int64_t spent);
/* What the store's books took without a permit of this process (store/holds.h), told by any thread:
 * a hold that is loaded or made, the end of one, a correction.  An unknown key is ignored. */
void km_keys_hold(struct km_keys *keys, const struct km_spend_hold *hold);
void km_keys_release(struct km_keys *keys, const struct km_spend_hold *hold);
void km_keys_correct(struct km_keys *keys, const struct km_correction *c);
/* What a reservation may still take; INT64_MAX without a budget.  Another call may take it
 * first. */
int64_t km_key_left(struct km_key *k);

/* May this key use the model (or its group name)?  Empty list, "*", "all-proxy-models",
 * wildcards such as "openai/...".  Denied: KM_E_MODEL_DENIED with LiteLLM's text. */
/* Does a name of a list, which may have stars, fit this one? */
bool km_model_name_fits(struct km_str allowed, struct km_str model);
enum km_right km_key_grants_model(const struct km_key *k, struct km_str model,
                                  struct km_str alias_of, struct km_err *err) KM_MUST_USE;
/* Is it neither expired nor blocked, itself or an account that it fixes?  Denied:
 * KM_E_UNAUTHENTICATED with LiteLLM's texts. */
enum km_right km_key_grants_use(const struct km_key *k, int64_t now_us,
                                struct km_err *err) KM_MUST_USE;

/* A call that is made of several: the outer one has the place among those that run at once, what
 * it asks for has the rest. */
enum km_permit_part {
    KM_PERMIT_WHOLE, /* a request, its tokens and money, and a place */
    KM_PERMIT_PLACE, /* a place alone */
    KM_PERMIT_WITHIN, /* all but a place */
    /* Of a call of the process before this one, on top of what it has: asked for by
     * km_keys_admit_imported() alone, no permit is of these. */
    KM_PERMIT_MORE, /* money */
    KM_PERMIT_AGAIN, /* one more request */
};

struct km_permit {
    struct km_key *key; /* referenced; NULL: none held */
    enum km_permit_part part;
    int64_t reserved; /* nano-USD */
    struct km_payers *payers; /* who pays beside the key, of the call; NULL: nobody */
    int64_t tokens; /* of the limit of tokens a minute */
    /* Set by who settles or charges: what was written as its upstream reported; 0: nobody said. */
    int64_t output_tokens;
    int64_t start_us; /* wall and monotonic, of the admission */
    uint64_t start_ms;
};

struct km_admission {
    int64_t reserve; /* what it may cost, or begins with, nano-USD */
    /* Of the limit of tokens a minute: what goes in, an estimate, and what may come out at most
     * (-1: not bounded); of the latter no more is reserved than this key's calls mostly write. */
    int64_t input_tokens, output_bound;
    enum km_budget_mode mode;
    enum km_permit_part part;
    bool look; /* nothing is taken: it is only asked whether it could be */
    uint64_t now_ms;
    int64_t now_us;
    int64_t default_max_parallel; /* for keys that name none; 0 and less: no limit */
    struct km_payers *payers; /* who pays beside the key (payers.h); NULL: nobody */
};

/* What the response headers tell. */
struct km_headroom {
    int64_t limit_requests, remaining_requests; /* -1: no limit */
    int64_t limit_tokens, remaining_tokens;
    uint64_t reset_ms;
};

/* All or nothing: rate windows, parallelism, budget.  KM_E_RATE_LIMITED (retry_after_ms set,
 * LiteLLM's text), KM_E_BUDGET.  *rolled (may be NULL): a budget window began (persist it). */
int km_permit_take(struct km_key *key, const struct km_admission *a, struct km_permit *ret_permit,
                   struct km_headroom *ret_headroom, bool *ret_rolled,
                   struct km_err *err) KM_MUST_USE;
/* a->payers pay from now on (payers_move.c), each with what its share is to have reserved, and
 * those of the whole call and the key with a->reserve: all or nothing.  Less is always granted.
 * Those of the permit that are not among them get back what they had. */
int km_permit_move(struct km_permit *permit, const struct km_admission *a,
                   struct km_err *err) KM_MUST_USE;
/* Gives it back with what it really cost, of which a share of a part pays what it says; a second
 * call is harmless. */
void km_permit_settle(struct km_permit *permit, int64_t cost, int64_t tokens, uint64_t now_ms);

/* --- of a permit that is held for long (a session) --- */

/* One more request of its holder, under the limits of `key` (the newest version of its key).
 * KM_E_RATE_LIMITED as above. */
int km_permit_again(const struct km_permit *permit, const struct km_key *key,
                    const struct km_admission *a, struct km_err *err) KM_MUST_USE;
/* What it holds becomes a->reserve; KM_E_BUDGET: nothing changed.  Always granted when less. */
int km_permit_reserve(struct km_permit *permit, const struct km_admission *a, bool *ret_rolled,
                      struct km_err *err) KM_MUST_USE;
/* Part of what its holder does is done: spent, besides what it holds. */
void km_permit_charge(const struct km_permit *permit, int64_t cost, int64_t tokens,
                      uint64_t now_ms);

/* Hand-over: the live part of every key that has one, as text, and back (added to what is
 * there; windows shift with the monotonic clock, which both processes share). */
void km_keys_export(struct km_keys *keys, struct km_buf *out);
int km_keys_import(struct km_keys *keys, struct km_str text, struct km_err *err) KM_MUST_USE;
/* A call that the old process is about to admit takes its permit here; it counts as handed over
 * from then on.  As km_permit_take(); KM_E_UNAUTHENTICATED when the key is gone.  One that the old
 * process goes on with gets more (KM_PERMIT_MORE: of a->reserve) or takes one more request
 * (KM_PERMIT_AGAIN), as by km_permit_reserve() and km_permit_again().  A part that is not known:
 * KM_E_UNSUPPORTED. */
int km_keys_admit_imported(struct km_keys *keys, const uint8_t hash[32],
                           const struct km_admission *a, struct km_headroom *ret_headroom,
                           bool *ret_rolled, struct km_err *err) KM_MUST_USE;
/* A call of the old process ended (its record came by km_store_import_record, or it has none): what
 * it held here is given back.  Tokens are not told by call: each holds as many as the others
 * (held->tokens below 0: none).  An unknown key is ignored. */
void km_keys_settle_imported(struct km_keys *keys, const uint8_t hash[32],
                             const struct km_permit *held, int64_t cost, int64_t tokens,
                             uint64_t now_ms);
/* A part of a call of the old process ended, the call goes on: spent there. */
void km_keys_charge_imported(struct km_keys *keys, const uint8_t hash[32],
                             const struct km_payers *payers, int64_t cost, int64_t tokens,
                             uint64_t now_ms);
/* A call that the old process left open was charged by the store: what it held here is given back,
 * and its cost and its hold count instead. */
void km_keys_charge_open(struct km_keys *keys, const struct km_open_charge *c);
/* The old process is gone and what it left open is charged: what its calls still hold here was of
 * none that was sent, and is given back. */
void km_keys_end_import(struct km_keys *keys);

/* Proxy-wide default and bounds for keys. */
struct km_key_settings {
    int64_t max_keys; /* 100,000 */
    int64_t max_accounts; /* 100,000 */
    int64_t budget_mode; /* enum km_budget_mode */
    int64_t unknown_max_output; /* 131,072 tokens */
    bool allow_unpriced; /* on budgeted keys */
    int64_t default_max_parallel; /* of keys that name none; -1 */
    bool user_of_team_key_pays; /* LiteLLM's apply_user_budget_to_team_keys */
};
extern const struct km_settings_table km_key_settings_table; /* kanmon_settings */

#endif
