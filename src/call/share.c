/* SPDX-License-Identifier: Apache-2.0 */
/* share.c - how long an attempt may take, so that another one is in time if it does not answer.
 *
 *     connect     the pool's own time, and no more than the share
 *     stream      its first event; then the silence between two counts
 *     whole       all of it, where the kind reads answers as a whole (falls_back: those that
 *                 can be asked of another); of the others the head
 *
 * policy/share.h says how much; here its facts are gathered.
 */
#include "call/call.h"

#include "policy/share.h"

static bool another_may_follow(const struct km_call *call)
{
    if (km_call_may_fall_back(call))
        return true;
    return call->match.n > 1 && call->route.attempts <= call->retries &&
           km_route_has_other(&call->route, call->match.v, call->match.n,
                              km_loop_now_ms(call->w->loop));
}

/* What bounds an attempt at this deployment, whoever follows; 0: nothing. */
static int64_t own_ms(const struct km_call *call)
{
    const struct km_deployment *d = call->at->d;

    if (!call->req.stream)
        return 0;
    if (call->req.stream_timeout_ms > 0)
        return call->req.stream_timeout_ms;
    return d->stream_timeout_ms > 0 ? d->stream_timeout_ms
                                    : call->visit->view->snap->routing->stream_timeout_ms;
}

static uint64_t time_left(const struct km_call *call)
{
    uint64_t until = km_call_deadline_ms(call), now = km_loop_now_ms(call->w->loop);

    return until > now ? until - now : 0;
}

void km_call_take_share(struct km_call *call, struct km_http_request *out)
{
    const bool follows = another_may_follow(call);
    int64_t own = own_ms(call);
    const struct km_share_facts facts = { .left_ms = time_left(call),
                                          .own_ms =
                                              (uint64_t)(own > 0 ? own : km_call_attempt_ms(call)),
                                          .stream = call->req.stream,
                                          .follows = follows };

    call->at->silent = false;
    out->until = KM_HTTP_UNTIL_HEAD;
    if (!follows && own <= 0) { /* the time of the call is its own */
        if (call->kind->falls_back && !call->req.stream)
            out->between_ms = 0;
        return;
    }
    out->connect_ms = out->first_byte_ms = km_share_ms(&facts);
    if (!call->kind->falls_back)
        return;
    out->until = call->req.stream ? KM_HTTP_UNTIL_BEGUN : KM_HTTP_UNTIL_END;
    call->at->silent = call->req.stream;
}

void km_call_begun(struct km_call *call)
{
    call->at->silent = false;
    if (call->at->up)
        km_http_begun(call->at->up);
}
