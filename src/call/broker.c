/* SPDX-License-Identifier: Apache-2.0 */
/* broker.c - see broker.h for the contract: the table of sources, this process's own row, and what
 * a call asks, one after the other.
 *
 *     call ──> hold.asks:  [ under way, its source has it ] ──> [ queued ] ──> [ queued ]
 *
 * Nearly every ask is answered at once and is never more than a struct on the stack.  One that a
 * source keeps is a copy of it, which the source answers in any case; so a call that ends leaves it
 * behind without an owner, and only what is queued is freed with the call.
 */
#include "call/broker.h"

#include <stdlib.h>

#include "call/call.h"
#include "policy/pace.h"

/* --- here: the counters of this process --- */

/* The newest version of its key says what it may; one that is gone says nothing: whoever looks at
 * the key next ends what it does. */
static int again_here(const struct km_broker_ask *ask, struct km_err *err)
{
    struct km_keys *keys = ask->w->gw->keys;
    const struct km_permit *held = &ask->call->hold.permit;
    struct km_key *key = !held->key ? NULL
                         : held->key == km_keys_nobody(keys)
                             ? km_key_ref(held->key)
                             : km_keys_find(keys, held->key->row.hash);
    int r = key ? km_permit_again(held, key, &ask->admission, err) : 0;

    km_key_unref(key);
    return r;
}

/* A budget window began: the store is to know. */
static void keep_window(const struct km_call *call, bool rolled)
{
    struct km_key *key = call->visit->who.key;

    if (rolled)
        km_store_key_reset(call->w->gw->store, NULL, key->row.hash, km_key_window_end(key), NULL,
                           NULL);
}

static int take_here(struct km_call *call, const struct km_admission *a, struct km_err *err)
{
    bool rolled = false;
    int r =
        km_permit_take(km_broker_key(call), a, &call->hold.permit, &call->hold.room, &rolled, err);

    keep_window(call, rolled);
    return r;
}

static int top_up_here(struct km_call *call, const struct km_admission *a, struct km_err *err)
{
    bool rolled = false;
    int r = km_permit_reserve(&call->hold.permit, a, &rolled, err);

    keep_window(call, rolled);
    return r;
}

/* A call without a key that no account pays for has no permit before it comes to a target with a
 * budget. */
static int move_here(struct km_call *call, const struct km_admission *a, struct km_err *err)
{
    struct km_admission nobodys = *a;
    struct km_permit *permit = &call->hold.permit;
    int r = 0;

    nobodys.payers = NULL;
    if (!permit->key && !call->hold.away && !call->kind->own)
        r = km_permit_take(km_broker_key(call), &nobodys, permit, NULL, NULL, err);
    return r == 0 ? km_permit_move(permit, a, err) : r;
}

static int ask_here(struct km_broker_ask *ask, struct km_err *err)
{
    switch (ask->what) {
    case KM_BROKER_TAKE:
        return take_here(ask->call, &ask->admission, err);
    case KM_BROKER_TOP_UP:
        return top_up_here(ask->call, &ask->admission, err);
    case KM_BROKER_MOVE:
        return move_here(ask->call, &ask->admission, err);
    case KM_BROKER_AGAIN:
        break;
    }
    return again_here(ask, err);
}

static void settle_here(struct km_call *call, int64_t cost, int64_t tokens)
{
    if (!(call->flags & KM_CALL_ESTIMATED))
        call->hold.permit.output_tokens = call->usage.completion_tokens;
    km_permit_settle(&call->hold.permit, cost, tokens, km_loop_now_ms(call->w->loop));
}

static void charge_here(const struct km_call *call, int64_t cost, int64_t tokens)
{
    const struct km_permit permit = { .key = km_broker_key(call), .payers = call->hold.payers };

    km_permit_charge(&permit, cost, tokens, km_loop_now_ms(call->w->loop));
}

/* --- the table --- */

static const struct km_permit_source km_source_here = { .ask = ask_here,
                                                        .settle = settle_here,
                                                        .charge = charge_here };

/* In the order they are asked: a row, and whether its counters count for the call now.  The last
 * stands always. */
#define KM_PERMIT_SOURCES(XX)                                                                      \
    XX(handed_over, call->w->frozen)                                                               \
    XX(here, true)

enum source {
#define XX(row, stands) SOURCE_##row,
    KM_PERMIT_SOURCES(XX)
#undef XX
};

static const struct km_permit_source *const sources[] = {
#define XX(row, stands) &km_source_##row,
    KM_PERMIT_SOURCES(XX)
#undef XX
};

/* The first of those from `from` on. */
static inline enum source standing(const struct km_call *call, unsigned from)
{
#define XX(row, stands)                                                                            \
    if ((unsigned)SOURCE_##row >= from && (stands))                                                \
        return SOURCE_##row;
    KM_PERMIT_SOURCES(XX)
#undef XX
    return SOURCE_here;
}

static void granted(const struct km_broker_ask *ask)
{
    if (ask->what == KM_BROKER_TOP_UP)
        ask->call->reserve = ask->admission.reserve;
    if (ask->what == KM_BROKER_MOVE)
        ask->call->hold.payers = ask->to;
}

/* Of those from ask->source on. */
static int ask_next(struct km_broker_ask *ask, struct km_err *err)
{
    int r;

    ask->source = standing(ask->call, ask->source);
    r = sources[ask->source]->ask(ask, err);
    if (r == 0)
        granted(ask);
    return r;
}

/* --- one after the other --- */

struct queued {
    struct km_broker_ask ask;
    struct km_deferred turn;
};

void *km_broker_keep(const struct km_broker_ask *ask, size_t size)
{
    struct km_broker_ask *kept = calloc(1, size);

    if (!kept)
        return NULL;
    *kept = *ask;
    kept->next = ask->call->hold.asks;
    ask->call->hold.asks = kept;
    ask->w->nasks++;
    return kept;
}

/* Before its asker is told, who may end the call. */
static void call_next(const struct km_call *call)
{
    struct km_broker_ask *next = call->hold.asks;

    if (next)
        km_deferred_queue(&KM_CONTAINER(next, struct queued, ask)->turn);
}

static void tell(const struct km_broker_ask *ask, int r, const struct km_err *err)
{
    call_next(ask->call);
    ask->done(ask->ctx, r < 0 ? err : NULL);
}

static void now(struct km_admission *a, const struct km_call *call)
{
    a->now_ms = km_loop_now_ms(call->w->loop);
    a->now_us = km_wall_us();
}

static void on_turn(void *ctx)
{
    struct queued *q = ctx;
    struct km_broker_ask ask = q->ask;
    struct km_err err = { 0 };
    int r;

    ask.call->hold.asks = ask.next;
    free(q);
    ask.queued = false;
    now(&ask.admission, ask.call);
    r = ask_next(&ask, &err);
    if (r != KM_E_AGAIN)
        tell(&ask, r, &err);
}

static int queue(const struct km_broker_ask *ask, struct km_err *err)
{
    struct queued *q = calloc(1, sizeof *q);
    struct km_broker_ask **end = &ask->call->hold.asks;

    if (!q)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    q->ask = *ask;
    q->ask.queued = true;
    km_deferred_init(&q->turn, ask->w->loop, on_turn, q);
    while (*end)
        end = &(*end)->next;
    *end = &q->ask;
    return KM_E_AGAIN;
}

void km_broker_answer(struct km_broker_ask *kept, enum km_broker_answer how,
                      const struct km_err *why)
{
    struct km_broker_ask ask = *kept;
    struct km_call *call = ask.call;
    struct km_err err = { 0 };
    int r = 0;

    ask.w->nasks--;
    if (!call && how == KM_BROKER_GRANTED)
        sources[ask.source]->give_back(kept);
    if (call)
        call->hold.asks = ask.next;
    if (how == KM_BROKER_REFUSED) {
        err = *why;
        r = err.code;
    }
    free(kept);
    if (!call)
        return;
    if (how == KM_BROKER_NOT_HERE) {
        ask.source++;
        r = ask_next(&ask, &err);
    } else if (r == 0) {
        granted(&ask);
    }
    if (r != KM_E_AGAIN)
        tell(&ask, r, &err);
}

/* --- what calls ask --- */

int64_t km_broker_reserved(const struct km_call *call)
{
    bool asks_only = call->visit->view->snap->keys->budget_mode == KM_BUDGET_LITELLM;

    return asks_only ? 0 : call->reserve;
}

struct km_admission km_broker_admission(const struct km_call *call)
{
    return (struct km_admission){
        .reserve = km_broker_reserved(call),
        .mode = (enum km_budget_mode)call->visit->view->snap->keys->budget_mode,
        .part = call->kind->outer        ? KM_PERMIT_PLACE
                : call->visit->has_place ? KM_PERMIT_WITHIN
                                         : KM_PERMIT_WHOLE,
        .now_ms = km_loop_now_ms(call->w->loop),
        .now_us = call->start_us,
        .payers = call->hold.payers,
        .default_max_parallel =
            call->visit->who.key ? call->visit->view->snap->keys->default_max_parallel : 0,
    };
}

struct km_key *km_broker_key(const struct km_call *call)
{
    return call->visit->who.key ? call->visit->who.key : km_keys_nobody(call->w->gw->keys);
}

static bool has_limits(const struct km_call *call)
{
    return (call->visit->who.key || call->hold.payers) && !call->kind->own;
}

static int begin(struct km_broker_ask *ask, struct km_err *err)
{
    return ask->call->hold.asks ? queue(ask, err) : ask_next(ask, err);
}

/* Of the limit of tokens a minute, where there is one: what is asked, and what may be answered. */
static void need_tokens(struct km_admission *a, const struct km_call *call)
{
    const struct km_key *key = call->visit->who.key;

    if (((!key || key->row.tpm < 0) && !call->hold.payers) || call->kind->reserve ||
        call->kind->outer)
        return;
    a->input_tokens = call->input_tokens;
    a->output_bound = call->most_output;
}

int km_broker_take(struct km_call *call, km_broker_fn *done, void *ctx, struct km_err *err)
{
    struct km_admission a;
    struct km_broker_ask ask;

    if (!has_limits(call))
        return 0;
    a = km_broker_admission(call);
    need_tokens(&a, call);
    if (standing(call, 0) == SOURCE_here) /* as nearly always: there is nothing to keep */
        return take_here(call, &a, err);
    ask = (struct km_broker_ask){
        .call = call, .w = call->w, .what = KM_BROKER_TAKE, .admission = a, .done = done, .ctx = ctx
    };
    return ask_next(&ask, err);
}

int km_broker_look(struct km_call *call, struct km_err *err)
{
    struct km_admission a;

    if (!has_limits(call))
        return 0;
    a = km_broker_admission(call);
    need_tokens(&a, call);
    a.look = true;
    return take_here(call, &a, err);
}

static int ask_more(struct km_call *call, enum km_broker_what what, int64_t reserve,
                    km_broker_fn *done, void *ctx, struct km_err *err)
{
    struct km_broker_ask ask = { .call = call,
                                 .w = call->w,
                                 .what = what,
                                 .admission = km_broker_admission(call),
                                 .done = done,
                                 .ctx = ctx };

    ask.admission.reserve = ask.admission.mode == KM_BUDGET_LITELLM ? 0 : reserve;
    now(&ask.admission, call);
    return begin(&ask, err);
}

int km_broker_top_up(struct km_call *call, int64_t reserve, km_broker_fn *done, void *ctx,
                     struct km_err *err)
{
    return has_limits(call) ? ask_more(call, KM_BROKER_TOP_UP, reserve, done, ctx, err) : 0;
}

int km_broker_move(struct km_call *call, struct km_payers *to, km_broker_fn *done, void *ctx,
                   struct km_err *err)
{
    struct km_broker_ask ask = { .call = call,
                                 .w = call->w,
                                 .what = KM_BROKER_MOVE,
                                 .admission = km_broker_admission(call),
                                 .to = to,
                                 .done = done,
                                 .ctx = ctx };

    now(&ask.admission, call);
    ask.admission.payers = to;
    need_tokens(&ask.admission, call);
    return begin(&ask, err);
}

int km_broker_again(struct km_call *call, km_broker_fn *done, void *ctx, struct km_err *err)
{
    return has_limits(call) ? ask_more(call, KM_BROKER_AGAIN, 0, done, ctx, err) : 0;
}

/* What is under way is its source's, which answers it in any case. */
static void forget_asks(struct km_call *call)
{
    struct km_broker_ask *ask = call->hold.asks, *next;

    call->hold.asks = NULL;
    for (; ask; ask = next) {
        next = ask->next;
        ask->call = NULL;
        if (!ask->queued)
            continue;
        km_deferred_cancel(&KM_CONTAINER(ask, struct queued, ask)->turn);
        free(KM_CONTAINER(ask, struct queued, ask));
    }
}

void km_broker_settle(struct km_call *call, int64_t cost, int64_t tokens)
{
    if (call->hold.asks)
        forget_asks(call);
#define XX(row, stands)                                                                            \
    if (km_source_##row.settle && (stands))                                                        \
        km_source_##row.settle(call, cost, tokens);
    KM_PERMIT_SOURCES(XX)
#undef XX
}

void km_broker_charge(const struct km_call *call, int64_t cost, int64_t tokens)
{
#define XX(row, stands)                                                                            \
    if (km_source_##row.charge && (stands))                                                        \
        km_source_##row.charge(call, cost, tokens);
    KM_PERMIT_SOURCES(XX)
#undef XX
}
