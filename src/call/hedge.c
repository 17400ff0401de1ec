/* SPDX-License-Identifier: Apache-2.0 */
/* hedge.c - a call whose deployment is slow to begin is sent to another one as well.
 *
 *     a deployment was picked ── timer ──> is another there, and may it be? ──> km_attempt_beside
 *     the answer is in the books ──> how long its deployment took to begin is learnt
 *
 * Only where the configuration names the group, once a call, and only for what may be asked twice.
 * The key reserves for both (call/attempt.h); who has no more gets no second one.  It is a
 * repetition to the retry budget of the deployment that is slow: an upstream that slows down is not
 * asked twice for everything.
 */
#include "call/hedge.h"

#include "call/call.h"
#include "call/metrics.h"
#include "policy/hedge.h"

#define EARLY_MOST 3

static const char tag; /* the call's note */

struct hedge {
    struct km_call *call;
    struct km_timer timer;
    uint64_t after_ms;
    unsigned early; /* times that its request was not out yet: credentials, the ledger */
};

static bool may_be_hedged(const struct km_call *call)
{
    return call->kind->falls_back && call->kind->repeats && call->match.n > 1 &&
           !(call->req.names & KM_NAMES_FILES);
}

static void on_slow(void *ctx)
{
    struct hedge *h = ctx;
    struct km_call *call = h->call;
    const uint64_t now = km_loop_now_ms(call->w->loop);
    struct km_err err;

    if (call->at->d && !call->at->status && !km_attempt_is_out(call->at) && !call->nsent &&
        h->early++ < EARLY_MOST) {
        km_timer_start(&h->timer, h->after_ms);
        return;
    }
    if (!call->at->d || !km_attempt_is_out(call->at) || call->at->status ||
        !km_route_has_other(&call->route, call->match.v, call->match.n, now))
        return;
    if (!km_retry_budget_take(&call->at->d->retries, now)) {
        km_count_hedge(call, "denied");
        return;
    }
    km_count_hedge(call, "sent");
    if (km_attempt_beside(call, &err) < 0) /* else the call may be over */
        km_count_hedge(call, err.code == KM_E_BUDGET ? "no_budget" : "not_now");
}

static void stop(void *data)
{
    struct hedge *h = data;

    km_timer_stop(&h->timer);
}

static int begin(struct km_call *call, struct km_err *err)
{
    uint64_t after;
    struct hedge *h;

    if (!call->match.hedge || call->nsent || call->beside || !call->at->d || !may_be_hedged(call) ||
        km_call_note(call, &tag))
        return KM_HOOK_PASS;
    after = km_hedge_after_ms(call->match.hedge, &call->at->d->begins, call->req.stream);
    h = after ? km_call_make_note(call, &tag, sizeof *h) : NULL;
    if (!h)
        return KM_HOOK_PASS;
    h->call = call;
    h->after_ms = after;
    km_timer_init(&h->timer, call->w->loop, on_slow, h);
    if (km_call_when_over(call, stop, h, err) == 0)
        km_timer_start(&h->timer, after);
    return KM_HOOK_PASS;
}

/* Those that were overtaken were not faster than the one that was heard. */
static int learn(struct km_call *call, struct km_err *err)
{
    const uint64_t head_ns = call->began_ns + call->first_ns;
    bool won = false;

    (void)err;
    if (!call->match.hedge || call->failed || !call->first_ns || call->at->status < 200 ||
        call->at->status > 299)
        return KM_HOOK_PASS;
    for (struct km_attempt *at = call->newest ? call->newest : call->at; at; at = at->before) {
        if (!at->d || !at->began_ns || at->began_ns > head_ns || at->money.error)
            continue;
        if (at != call->at && at->d == call->at->d)
            continue;
        km_hedge_learn(&at->d->begins, call->req.stream, (head_ns - at->began_ns) / 1000000);
        won = won || at != call->at;
    }
    if (won && call->at->before && km_call_note(call, &tag))
        km_count_hedge(call, "won");
    return KM_HOOK_PASS;
}

const struct km_call_hook km_hedge_hook = { .name = "hedge", .run = begin };
const struct km_call_hook km_hedge_learn_hook = { .name = "hedge, looking back", .run = learn };
