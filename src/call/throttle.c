/* SPDX-License-Identifier: Apache-2.0 */
/* throttle.c - see throttle.h.
 *
 * Whether a call waits, and for how long, policy/gateway_budget.c says: once a call, by its class.
 * The wait is a timer, so nobody stands in a line that has to be kept, and a call that ends before
 * its time leaves nothing behind.  Its time (`timeout`) runs meanwhile.  What costs nothing goes
 * on, and so does what is made of several calls: those are held back one by one.
 */
#include "call/throttle.h"

#include "call/call.h"
#include "call/priority.h"
#include "policy/gateway_budget.h"

static const char tag;

struct wait {
    struct km_call *call;
    struct km_timer timer;
    uint64_t ms;
    bool over;
};

static void on_time(void *ctx)
{
    struct wait *wait = ctx;

    wait->over = true;
    wait->call->queued_ms += wait->ms;
    km_call_resume(wait->call, 0);
}

static void stop(void *data)
{
    struct wait *wait = data;

    km_timer_stop(&wait->timer);
}

static int begin(struct km_call *call, uint64_t ms, struct km_err *err)
{
    struct wait *wait = km_call_make_note(call, &tag, sizeof *wait);

    if (!wait)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    wait->call = call;
    wait->ms = ms;
    km_timer_init(&wait->timer, call->w->loop, on_time, wait);
    if (km_call_when_over(call, stop, wait, err) < 0)
        return KM_E_NOMEM;
    km_timer_start(&wait->timer, ms);
    return KM_E_AGAIN;
}

/* May it cost something, and is it held back by nobody else? */
static bool counts(const struct km_call *call)
{
    return call->reserve > 0 && !call->kind->outer && !call->kind->own;
}

int km_call_throttle(struct km_call *call, struct km_err *err)
{
    struct km_gateway_budget *b = call->w->gw->budget;
    const struct wait *wait;
    uint64_t ms;

    if (km_gateway_budget_action(b) != KM_GATEWAY_THROTTLE || !counts(call))
        return 0;
    wait = km_call_note(call, &tag);
    if (wait)
        return wait->over ? 0 : KM_E_AGAIN;
    ms = km_gateway_budget_pace(b, km_call_priority(call), km_wall_us());
    return ms ? begin(call, ms, err) : 0;
}
