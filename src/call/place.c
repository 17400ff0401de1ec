/* SPDX-License-Identifier: Apache-2.0 */
/* place.c - see place.h for the contract.
 *
 *     turn ── enter ──> has a place
 *        │        └───> waits: gate ── wake ──> mailbox ──> on_told, on the call's loop
 *        └── its timer: time that lets somebody in (the gate is polled), and its own end
 *
 * Whoever gives a place back may be another worker, so who gets it is told by a message; the turn
 * is on the heap, since that may be under way when the call is gone.  Then the place that it brings
 * is given back where it is read.  A worker is not quiet before the last such message has come.
 */
#include "call/place.h"

#include <stdlib.h>

#include "call/place_metrics.h"
#include "call/priority.h"
#include "host/module.h"
#include "sys/mailbox.h"

struct km_turn {
    struct km_gate_item it;
    struct km_msg msg;
    struct km_worker *w;
    struct km_call *call; /* NULL: it is gone, and the message is still to come */
    struct km_attempt *at;
    struct km_gate *gate;
    void (*resume)(struct km_attempt *at);
    struct km_timer timer;
    uint64_t from_ms, until_ms; /* in line */
    bool waits; /* nothing was told yet */
    bool late; /* it has waited as long as it may */
};

/* --- of the worker: messages that are still to come --- */

struct places {
    size_t turns; /* in line, or told and not read */
};

static int places_init(struct km_worker *w, void **ret_state, struct km_err *err)
{
    struct places *p = calloc(1, sizeof *p);

    (void)w;
    *ret_state = p;
    return p ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static bool places_quiet(struct km_worker *w, void *state)
{
    const struct places *p = state;

    (void)w;
    return p->turns == 0;
}

static const char place KM_MODULE_PLACE;

const struct km_module km_places_module = {
    .name = "places at what calls ask",
    .place = &place,
    .worker_init = places_init,
    .worker_quiet = places_quiet,
    .worker_free = free,
};

static struct places *places_of(const struct km_worker *w)
{
    return km_module_state(w->slots, &km_places_module);
}

/* --- in line --- */

static uint64_t now_of(const struct km_turn *t)
{
    return km_loop_now_ms(t->w->loop);
}

static void end_wait(struct km_turn *t)
{
    const uint64_t now = now_of(t), waited = now > t->from_ms ? now - t->from_ms : 0;

    t->waits = false;
    km_timer_stop(&t->timer);
    places_of(t->w)->turns--;
    km_count_in_line(t->w, t->gate, t->it.item.priority, -1);
    km_count_waited(t->w, t->gate, t->it.item.priority, waited);
    if (t->call)
        t->call->queued_ms += waited;
}

static void on_told(struct km_msg *msg, void *owner)
{
    struct km_turn *t = KM_CONTAINER(msg, struct km_turn, msg);

    (void)owner;
    end_wait(t);
    if (t->call) {
        t->resume(t->at);
        return;
    }
    if (t->it.outcome == KM_GATE_HAS_PLACE)
        km_gate_give(t->gate, t->it.item.share, now_of(t));
    free(t);
}

/* Under the gate's lock, on any thread. */
static void wake(struct km_gate_item *it)
{
    struct km_turn *t = KM_CONTAINER(it, struct km_turn, it);

    km_mailbox_post(t->w->mailbox, &t->msg);
}

static void set_timer(struct km_turn *t, uint64_t opens_ms)
{
    const uint64_t now = now_of(t);
    uint64_t at = opens_ms && opens_ms < t->until_ms ? opens_ms : t->until_ms;

    km_timer_start(&t->timer, at > now ? at - now : 0);
}

static void on_time(void *ctx)
{
    struct km_turn *t = ctx;
    const uint64_t now = now_of(t), opens_ms = km_gate_poll(t->gate, now);

    if (now < t->until_ms) {
        set_timer(t, opens_ms);
        return;
    }
    if (!km_gate_withdraw(t->gate, &t->it, now)) /* it was told in the last moment */
        return;
    end_wait(t);
    t->late = true;
    t->resume(t->at);
}

static int refuse_late(struct km_turn *t, struct km_err *err)
{
    size_t ahead;
    const uint64_t ms =
        km_gate_forecast(t->gate, t->it.rules, t->it.item.priority, now_of(t), &ahead);

    km_fail(err, KM_E_RATE_LIMITED,
            "The call waited %lld ms for its turn, as long as kanmon_settings.performance."
            "queue_timeout allows; %zu are before it.",
            (long long)(now_of(t) - t->from_ms), ahead);
    err->retry_after_ms = (int)(ms < 1000 ? 1000 : ms < 60000 ? ms : 60000);
    return KM_E_RATE_LIMITED;
}

static int refuse_shed(const struct km_turn *t, struct km_err *err)
{
    const struct km_str name = km_priority_name(t->it.item.priority);

    km_fail(err, KM_E_RATE_LIMITED,
            "The call waited for its turn, with priority %.*s, and its place in line was needed "
            "for one with a higher priority.",
            KM_STR_ARG(name));
    err->retry_after_ms = (int)t->it.retry_ms;
    return KM_E_RATE_LIMITED;
}

/* The wait is over. */
static int judge(struct km_turn *t, struct km_err *err)
{
    int r;

    if (!t->late && t->it.outcome == KM_GATE_HAS_PLACE)
        return 0;
    r = t->late ? refuse_late(t, err) : refuse_shed(t, err);
    km_count_shed(t->w, t->gate, t->it.item.priority);
    t->at->turn = NULL;
    free(t);
    return r;
}

static struct km_turn *turn_new(struct km_call *call, const struct km_place_args *args,
                                struct km_err *err)
{
    struct km_turn *t = calloc(1, sizeof *t);

    if (!t) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    *t = (struct km_turn){
        .it = { .rules = args->rules, .tokens = args->tokens, .wake = wake },
        .msg.run = on_told,
        .w = call->w,
        .call = call,
        .at = call->at,
        .gate = args->gate,
        .resume = args->resume,
        .from_ms = km_loop_now_ms(call->w->loop),
    };
    t->it.never_waits = call->beside != NULL;
    t->it.item.priority = km_call_priority(call);
    t->it.item.share = args->rules->shares ? km_call_share(call, args->rules->shares) : 0;
    t->until_ms = t->from_ms + (uint64_t)args->rules->wait_ms;
    km_timer_init(&t->timer, call->w->loop, on_time, t);
    return t;
}

int km_call_take_place(struct km_call *call, const struct km_place_args *args, struct km_err *err)
{
    struct km_turn *t = call->at->turn;
    int r;

    if (t)
        return t->waits ? KM_E_AGAIN : judge(t, err);
    t = turn_new(call, args, err);
    if (!t)
        return err->code;
    r = km_gate_enter(t->gate, &t->it, t->from_ms, err);
    if (r < 0 && r != KM_E_AGAIN) {
        km_count_shed(t->w, t->gate, t->it.item.priority);
        free(t);
        return r;
    }
    call->at->turn = t;
    if (r == 0)
        return 0;
    t->waits = true;
    places_of(t->w)->turns++;
    km_count_in_line(t->w, t->gate, t->it.item.priority, 1);
    set_timer(t, km_gate_poll(t->gate, t->from_ms));
    return KM_E_AGAIN;
}

void km_call_leave_place(struct km_attempt *at)
{
    struct km_turn *t = at->turn;

    if (!t)
        return;
    at->turn = NULL;
    if (!t->waits) {
        km_gate_give(t->gate, t->it.item.share, now_of(t));
        free(t);
        return;
    }
    km_timer_stop(&t->timer);
    if (km_gate_withdraw(t->gate, &t->it, now_of(t))) {
        end_wait(t);
        free(t);
        return;
    }
    t->call = NULL;
}

/* --- what a deployment says of its limits --- */

static const struct km_quota_mark *mark_of(const struct km_attempt *at)
{
    static const struct km_quota_mark nobody = { .counted = false };

    return at->turn && !at->turn->waits ? &at->turn->it.mark : &nobody;
}

void km_call_hear_quota(struct km_call *call, const struct km_headers *h)
{
    const struct km_deployment *d = call->at->d;
    struct km_quota_said said;

    if (d && d->gate && d->gate_rules.paces && km_quota_read(h, km_wall_us() / 1000, &said))
        km_gate_learn(d->gate, &said, mark_of(call->at), km_loop_now_ms(call->w->loop));
}

void km_call_report_quota(struct km_call *call, enum km_outcome outcome)
{
    const struct km_deployment *d = call->at->d;
    const uint64_t now = km_loop_now_ms(call->w->loop);

    if (!d || !d->gate || !d->gate_rules.paces)
        return;
    if (outcome == KM_OUTCOME_OK)
        km_gate_answered(d->gate, now);
    if (outcome != KM_OUTCOME_RATE_LIMITED)
        return;
    km_call_hear_quota(call, &call->at->refusal);
    km_gate_refused(d->gate, call->err.retry_after_ms, mark_of(call->at), now);
}
