/* SPDX-License-Identifier: Apache-2.0 */
/* retry.c - a failed attempt gets another one in its model group: whether, where and when.
 *
 * policy/retry.h decides; here its facts are gathered, and its wait is waited.  The wait runs on
 * the call's own time and keeps its place and its reservation.  A deployment that was tried already
 * is tried again only as far as its retry budget goes; one that was not is failed over to in any
 * case.
 */
#include "call/call.h"

#include "call/metrics.h"
#include "llm/refusal.h"

static const char pause_tag; /* a note: the wait before the next attempt */

struct pause {
    struct km_call *call;
    struct km_timer timer;
    bool over;
};

/* The status that the upstream answered with, or would have before its stream began. */
static enum km_failure failure_of_answer(const struct km_call *call)
{
    const bool inside = call->at->status >= 200 && call->at->status < 300;

    switch (call->err.kind) {
    case KM_REFUSED_CONTEXT:
        return KM_FAILURE_CONTEXT_WINDOW;
    case KM_REFUSED_FILTER:
        return KM_FAILURE_CONTENT_POLICY;
    case KM_REFUSED_CREDENTIALS:
        return KM_FAILURE_AUTHENTICATION;
    default:
        return km_failure_of_status(inside ? km_err_http(&call->err) : call->at->status);
    }
}

enum km_failure km_call_failure(const struct km_call *call)
{
    switch (call->err.code) {
    case KM_E_INVALID: /* no deployment was asked: all take less */
        return call->err.kind == KM_REFUSED_CONTEXT ? KM_FAILURE_CONTEXT_WINDOW : KM_FAILURE_OTHER;
    case KM_E_UPSTREAM_STATUS:
        return failure_of_answer(call);
    case KM_E_UPSTREAM_TIMEOUT: /* that of a connection is no answer that came too late */
        return call->at->unconnected ? KM_FAILURE_CONNECTION : KM_FAILURE_TIMEOUT;
    case KM_E_UPSTREAM_CONNECT:
    case KM_E_UPSTREAM_PROTOCOL:
    case KM_E_CLOSED:
    case KM_E_SYSTEM:
        return KM_FAILURE_CONNECTION;
    default:
        return KM_FAILURE_OTHER;
    }
}

/* May the same deployment do better in a while?  One that was too slow has had all the time there
 * is, and may have been paid for it, as one that began to answer: these are asked again only where
 * a policy says so. */
static bool is_passing(const struct km_call *call, enum km_again again)
{
    if (!call->kind->repeats)
        return false;
    if (call->err.code == KM_E_UPSTREAM_STATUS)
        return again == KM_AGAIN_SAME;
    return km_call_failure(call) == KM_FAILURE_CONNECTION && !call->at->status;
}

static uint64_t time_left(const struct km_call *call)
{
    uint64_t until = km_call_deadline_ms(call), now = km_loop_now_ms(call->w->loop);

    return until > now ? until - now : 0;
}

static enum km_retry judge(struct km_call *call, enum km_again again, bool elsewhere,
                           uint64_t *ret_wait_ms)
{
    const struct km_snapshot *snap = call->visit->view->snap;
    const uint64_t now = km_loop_now_ms(call->w->loop);
    const struct km_retry_facts facts = {
        .failure = km_call_failure(call),
        .passing = is_passing(call, again),
        .elsewhere = elsewhere,
        .instead = km_call_may_fall_back(call),
        .others = km_route_has_other(&call->route, call->match.v, call->match.n, now),
        .left_alone = km_route_has_untried(&call->route, call->match.v, call->match.n),
        .done = (int64_t)call->route.attempts - 1,
        .most = call->retries,
        .policy = call->req.num_retries == 0 || !call->kind->repeats ? NULL : call->match.retry,
        .asked_ms = call->err.retry_after_ms,
        .least_ms = snap->routing->retry_after_ms,
        .left_ms = time_left(call),
    };

    return km_retry_judge(&facts, &call->route.rng, ret_wait_ms);
}

static void on_pause_over(void *ctx)
{
    struct pause *p = ctx;

    p->over = true;
    p->call->pause = NULL;
    km_call_resume(p->call, 0);
}

static void end_pause(void *data)
{
    struct pause *p = data;

    km_timer_stop(&p->timer);
    p->call->pause = NULL;
}

/* false: there is no memory for it. */
static bool begin_pause(struct km_call *call, uint64_t wait_ms)
{
    struct pause *p = km_call_note(call, &pause_tag);
    struct km_err err;

    if (!p) {
        p = km_call_make_note(call, &pause_tag, sizeof *p);
        if (!p)
            return false;
        p->call = call;
        km_timer_init(&p->timer, call->w->loop, on_pause_over, p);
        if (km_call_when_over(call, end_pause, p, &err) < 0)
            return false;
    }
    p->over = false;
    call->pause = &p->timer;
    km_timer_start(&p->timer, wait_ms);
    return true;
}

enum km_call_retry km_call_retry(struct km_call *call, enum km_again again, bool elsewhere)
{
    uint64_t wait_ms = 0;
    enum km_retry verdict = judge(call, again, elsewhere, &wait_ms);

    if (verdict == KM_RETRY_NO)
        return KM_CALL_RETRY_NO;
    if (verdict == KM_RETRY_NOW) {
        km_count_retry(call, km_failure_word(km_call_failure(call)));
        return KM_CALL_RETRY_NOW;
    }
    if (!km_retry_budget_take(&call->at->d->retries, km_loop_now_ms(call->w->loop))) {
        km_count_retry_denied(call);
        return KM_CALL_RETRY_NO;
    }
    km_count_retry(call, km_failure_word(km_call_failure(call)));
    return km_call_pause(call, wait_ms);
}

enum km_call_retry km_call_pause(struct km_call *call, uint64_t wait_ms)
{
    km_call_bill(call); /* the wait is no time of its upstream's */
    return begin_pause(call, wait_ms) ? KM_CALL_RETRY_PAUSED : KM_CALL_RETRY_NO;
}

bool km_call_pause_over(struct km_call *call)
{
    struct pause *p = km_call_note(call, &pause_tag);
    const bool over = p && p->over;

    if (over) {
        p->over = false;
        km_route_again(&call->route);
    }
    return over;
}
