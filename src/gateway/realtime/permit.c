/* SPDX-License-Identifier: Apache-2.0 */
/* permit.c - what a session asks the broker for: room for what may come, and one more request for
 * each answer.
 *
 *     client's message     waits in its line, for each of its questions in turn
 *     upstream's message   is read at once; it, and what comes behind it, waits in its line until
 *                          all that it asked for is answered
 *
 * Mostly the broker answers at once and nothing waits.  A message of the client's that is refused
 * is not passed on; what the upstream began against a limit is stopped, or the session ends.
 */
#include "gateway/realtime/realtime.h"

#define SLICE_LEAST 16 /* tokens; a budget that leaves less is spent */
#define SLACK 2048 /* tokens reserved ahead, so that not every event asks */

/* The process that holds the counters is gone, or an older one: what is held stays as it is, and
 * the session ends with the answers under way, which are covered. */
static bool nobody_says(const struct km_err *err)
{
    return err->code == KM_E_OVERLOADED || err->code == KM_E_UNSUPPORTED;
}

static const struct km_err *refusal(const struct km_err *why)
{
    return why && !nobody_says(why) ? why : NULL;
}

/* Enough is held for what may come; with some room where there is, which `spare` hears of.
 * KM_E_AGAIN: one of the two is called. */
static int make_room(struct km_rt_session *s, km_broker_fn *spare, km_broker_fn *done,
                     struct km_err *err)
{
    struct km_call *call = s->call;
    struct km_err ignored;
    int r;

    if (!call->visit->who.key || km_rt_need(s, 0) <= call->reserve)
        return 0;
    r = km_broker_top_up(call, km_rt_need(s, SLACK), spare, s, &ignored);
    return r == 0 || r == KM_E_AGAIN ? r : km_broker_top_up(call, km_rt_need(s, 0), done, s, err);
}

/* There is none to spare.  true: done is called later. */
static bool make_bare_room(struct km_rt_session *s, km_broker_fn *done, struct km_err *err)
{
    km_err_clear(err);
    return km_broker_top_up(s->call, km_rt_need(s, 0), done, s, err) == KM_E_AGAIN;
}

static int limited(int r, struct km_err *err)
{
    if (r < 0 && r != KM_E_AGAIN)
        err->reason = "rate_limit_exceeded";
    return r;
}

/* One more request of the key, by its newest version; the first is the one that opening counted. */
static int count_request(struct km_rt_session *s, km_broker_fn *done, struct km_err *err)
{
    bool paid = s->paid;

    s->paid = true;
    return paid ? limited(km_broker_again(s->call, done, s, err), err) : 0;
}

int km_rt_check_key(struct km_rt_session *s, struct km_err *err)
{
    const struct km_visit *v = s->call->visit;
    const struct km_snapshot *now = s->call->w->view->snap;
    struct km_key *key;
    int r;

    if (!v->who.key) {
        if (!now->has_master || v->view->snap->auth_off ||
            memcmp(now->master_hash, v->view->snap->master_hash, sizeof now->master_hash) == 0)
            return 0;
        return km_fail(err, KM_E_UNAUTHENTICATED, "The master key was changed.");
    }
    key = km_keys_find(s->call->w->gw->keys, v->who.key->row.hash);
    if (!key)
        return km_fail(err, KM_E_UNAUTHENTICATED, "The key was revoked.");
    r = km_right_code(km_key_grants_use(key, km_wall_us(), err), err);
    if (r == 0)
        r = km_right_code(
            km_key_grants_model(key, s->call->req.model, s->call->match.alias_of, err), err);
    km_key_unref(key);
    return r;
}

/* --- what the client says --- */

enum { SAID, ASKED, COUNTED, HELD, JUDGED };

static void on_said(void *ctx, const struct km_err *why);
static void on_said_spare(void *ctx, const struct km_err *why);
static void on_booked(void *ctx, const struct km_err *why);

static int may_ask(struct km_rt_session *s, struct km_err *err)
{
    int r = km_rt_check_key(s, err);

    if (r < 0)
        return r;
    if (s->judged.leaving)
        return km_fail(err, KM_E_OVERLOADED, "kanmon is restarting; connect again.");
    if (s->active + s->asked >= KM_RT_RESPONSES)
        return km_fail(err, KM_E_LIMIT, "Over %d answers at once.", KM_RT_RESPONSES);
    return 0;
}

static int judge_step(struct km_rt_session *s, struct km_err *err)
{
    struct km_rt_judged *j = &s->judged;
    int r;

    switch (j->step) {
    case SAID:
        j->step = j->asks ? ASKED : JUDGED;
        return make_room(s, on_said_spare, on_said, err);
    case ASKED:
        j->step = COUNTED;
        r = may_ask(s, err);
        return r < 0 ? r : count_request(s, on_said, err);
    case COUNTED:
        j->step = HELD;
        j->counted = true;
        s->asked++;
        return make_room(s, on_said_spare, on_said, err);
    case HELD:
        j->step = JUDGED;
        return km_rt_ask(s, on_booked, err);
    default:
        return 0;
    }
}

/* An answer that is refused is none that was asked for. */
static int judge_on(struct km_rt_session *s, struct km_err *err)
{
    int r = 0;

    while (r == 0 && s->judged.step != JUDGED)
        r = judge_step(s, err);
    if (r < 0 && r != KM_E_AGAIN && s->judged.counted && s->asked > 0)
        s->asked--;
    return r;
}

static void on_said(void *ctx, const struct km_err *why)
{
    struct km_rt_session *s = ctx;
    struct km_err err = { 0 };

    why = refusal(why);
    if (why) {
        err = *why;
        if (s->judged.step == COUNTED)
            limited(err.code, &err);
        if (s->judged.counted && s->asked > 0)
            s->asked--;
    } else if (s->state == KM_RT_OPEN && judge_on(s, &err) == KM_E_AGAIN) {
        return;
    }
    km_rt_judged(s, err.code ? &err : NULL);
}

/* Its intent is committed, or the store takes none. */
static void on_booked(void *ctx, const struct km_err *why)
{
    struct km_rt_session *s = ctx;
    struct km_err err = { 0 };

    if (why) {
        err = *why;
        s->asked -= s->asked > 0;
    }
    km_rt_judged(s, why ? &err : NULL);
}

static void on_said_spare(void *ctx, const struct km_err *why)
{
    struct km_err err;

    if (!refusal(why)) {
        on_said(ctx, NULL);
    } else if (!make_bare_room(ctx, on_said, &err)) {
        on_said(ctx, err.code ? &err : NULL);
    }
}

int km_rt_said(struct km_rt_session *s, const struct km_rt_event *e, struct km_str text,
               struct km_err *err)
{
    km_rt_add(s, e, text);
    s->judged.asks = e->kind == KM_RT_RESPONSE_CREATE;
    s->judged.leaving = s->leaving;
    return judge_on(s, err);
}

/* --- what the upstream's messages wait for --- */

/* 0: it is there, or is waited for. */
static int awaited(struct km_rt_session *s, int r)
{
    if (r != KM_E_AGAIN)
        return r;
    s->asking++;
    km_rt_hold(s);
    return 0;
}

static void answered(struct km_rt_session *s)
{
    s->asking--;
    km_rt_go_on(s);
}

static void on_room(void *ctx, const struct km_err *why)
{
    struct km_rt_session *s = ctx;

    why = refusal(why);
    if (why)
        km_rt_end(s,
                  why->code == KM_E_BUDGET            ? KM_WS_POLICY
                  : why->code == KM_E_UNAUTHENTICATED ? KM_WS_UNAUTHORIZED
                                                      : KM_WS_TRY_LATER,
                  why, true);
    answered(s);
}

static void on_room_spare(void *ctx, const struct km_err *why)
{
    struct km_err err;

    if (!refusal(why))
        on_room(ctx, NULL);
    else if (!make_bare_room(ctx, on_room, &err))
        on_room(ctx, err.code ? &err : NULL);
}

int km_rt_make_room(struct km_rt_session *s, struct km_err *err)
{
    return awaited(s, make_room(s, on_room_spare, on_room, err));
}

int km_rt_hold_need(struct km_rt_session *s, struct km_err *err)
{
    return awaited(s, km_broker_top_up(s->call, km_rt_need(s, 0), on_room, s, err));
}

static void on_slice(void *ctx, const struct km_err *why);

static void have_slice(struct km_rt_session *s, int64_t more)
{
    s->written_for += more;
    s->last_slice = false;
    km_rt_reserved(s);
}

/* So many tokens more for what is written, or half as many as long as the key has not even those:
 * what is left of a budget is written, too.  refused: NULL, or why twice as many were. */
static int ask_slice(struct km_rt_session *s, int64_t more, const struct km_err *refused,
                     struct km_err *err)
{
    if (refused)
        *err = *refused;
    for (bool first = !refused; first || more >= SLICE_LEAST; first = false, more /= 2) {
        int64_t need = km_rt_need_written(s, more);
        int r = need <= s->call->reserve ? 0 : km_broker_top_up(s->call, need, on_slice, s, err);

        if (r == KM_E_AGAIN)
            s->asked_for = more;
        else if (r == 0)
            have_slice(s, more);
        if (r == 0 || r == KM_E_AGAIN || nobody_says(err))
            return awaited(s, r == KM_E_AGAIN ? r : 0);
    }
    if (s->last_slice && km_rt_past_reserved(s))
        return err->code;
    s->last_slice = true;
    return 0;
}

static void on_slice(void *ctx, const struct km_err *why)
{
    struct km_rt_session *s = ctx;
    struct km_err err = { 0 };
    int64_t more = s->asked_for;

    s->asked_for = 0;
    if (!why)
        have_slice(s, more);
    else if (!nobody_says(why) && ask_slice(s, more / 2, why, &err) < 0)
        km_rt_end(s, err.code == KM_E_BUDGET ? KM_WS_POLICY : KM_WS_TRY_LATER, &err, true);
    answered(s);
}

int km_rt_make_slice(struct km_rt_session *s, struct km_err *err)
{
    int64_t more = s->asked_for || s->state != KM_RT_OPEN ? 0 : km_rt_slice_due(s);

    return more > 0 ? ask_slice(s, more, NULL, err) : 0;
}

/* If it does not fit, the next word ends it: nothing waits for that. */
static void on_room_or_not(void *ctx, const struct km_err *why)
{
    (void)ctx;
    (void)why;
}

void km_rt_hold_what_fits(struct km_rt_session *s)
{
    struct km_err ignored;

    (void)!km_broker_top_up(s->call, km_rt_need(s, 0), on_room_or_not, s, &ignored);
}

/* One nobody asked for, a voice began it, is over the limits like any other: it is stopped.
 * r NULL: it has ended meanwhile. */
static void over_limits(struct km_rt_session *s, const struct km_rt_response *r,
                        const struct km_err *err)
{
    if (r)
        km_rt_cancel(s, r);
    km_rt_tell(s, err, KM_STR_NONE);
}

/* The broker answers in the order it was asked. */
static void on_unasked(void *ctx, const struct km_err *why)
{
    struct km_rt_session *s = ctx;
    struct km_rt_response *found = NULL;
    struct km_err err;

    s->unasked_told++;
    for (size_t i = 0; i < KM_RT_RESPONSES; i++)
        if (s->responses[i].used && s->responses[i].unasked == s->unasked_told)
            found = &s->responses[i];
    if (found)
        found->unasked = 0;
    if (refusal(why)) {
        err = *why;
        limited(err.code, &err);
        over_limits(s, found, &err);
    }
    answered(s);
}

void km_rt_unasked(struct km_rt_session *s, struct km_rt_response *r)
{
    struct km_err err = { 0 };
    int code = count_request(s, on_unasked, &err);

    if (code == KM_E_AGAIN)
        r->unasked = ++s->unasked;
    if (awaited(s, code) < 0)
        over_limits(s, r, &err);
}
