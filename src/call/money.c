/* SPDX-License-Identifier: Apache-2.0 */
/* money.c - what the ledger hears of an attempt before it leaves, and its money while it comes
 * (money.h).
 *
 * What comes is looked at seldom: a token has four bytes of an answer at least, so until so many
 * bytes have come nothing can have changed, and a read costs an addition and two comparisons.
 */
#include "call/money.h"

#include "call/flight.h"

#define TELL_MS 1000 /* a call that is older tells how far it is, so often */
#define TELL_BYTES (16 * 1024)
#define LEAST_MORE 16 /* tokens; a budget that leaves less is spent */
#define BYTES_A_TOKEN 4 /* no token of an answer has fewer: JSON is around it */
#define PAST_BOUND 1024 /* tokens beyond twice the bound at which an estimate cuts */

/* When the next look is due: no sooner than `tokens` more can have come. */
static void look_after(struct km_attempt *at, int64_t tokens)
{
    uint64_t more = tokens > 0 ? (uint64_t)tokens * BYTES_A_TOKEN : 1;

    at->money.look_at = at->money.bytes + (more < TELL_BYTES ? more : TELL_BYTES);
}

/* More is reserved as it comes: the key has a budget, and its stream can be ended. */
static bool is_growing(const struct km_call *call)
{
    const struct km_attempt_money *m = &call->at->money;

    return call->slices && (call->unbound || m->reserved_output < call->most_output);
}

static void look_on(struct km_call *call, const struct km_usage *u)
{
    const struct km_attempt_money *m = &call->at->money;
    int64_t ahead = is_growing(call) ? m->reserved_output - u->completion_tokens : INT64_MAX / 8;

    look_after(call->at, m->last ? ahead : ahead - KM_CALL_SLICE / 2);
}

static void begin_looking(struct km_call *call, const struct km_usage *u)
{
    call->at->money.tell_ms = km_loop_now_ms(call->w->loop) + TELL_MS;
    look_on(call, u);
}

/* --- before it leaves --- */

static void on_intent(void *ctx, const struct km_err *err)
{
    struct km_attempt *at = ctx;
    struct km_err why;

    if (!at->money.waits) /* it was given up meanwhile */
        return;
    at->money.waits = false;
    km_attempt_look(at);
    if (!err && at->call->kind->intended) {
        at->call->kind->intended(at->call);
        return;
    }
    if (!err) {
        km_call_resume(at->call, 0);
        return;
    }
    why = *err; /* a store that does not take it now may do so soon */
    if (why.retry_after_ms == 0)
        why.retry_after_ms = 1000;
    km_call_fail(at->call, &why);
}

static void fill_so_far(const struct km_call *call, struct km_bill_facts *facts,
                        struct km_ledger_entry *e)
{
    struct km_price room;
    struct km_bill b;

    km_money_add_reserved(call, facts);
    km_bill_so_far(facts, km_money_price(call, &room), &b);
    e->prompt_tokens = b.usage.prompt_tokens;
    e->completion_tokens = b.usage.completion_tokens;
    e->cost = b.cost;
    e->flags = b.unpriced && km_money_has_price(call) ? KM_CALL_UNPRICED : 0;
}

/* As it stands: what would be charged if nothing were heard of it any more. */
static void fill_entry(struct km_call *call, struct km_bill_facts *facts, char *ip,
                       struct km_ledger_entry *e)
{
    uint64_t deadline_ms = km_call_deadline_ms(call), now_ms = km_loop_now_ms(call->w->loop);

    km_call_entry(call, e, ip);
    e->start_us = call->start_us;
    e->attempt = call->at->money.number;
    if (deadline_ms > now_ms)
        e->deadline_us = km_wall_us() + (int64_t)(deadline_ms - now_ms) * 1000;
    if (call->kind->session)
        return;
    e->reserved = km_broker_reserved(call);
    if (call->kind->cost && call->kind->cost(call, true, &e->cost)) {
        e->prompt_tokens = facts->usage.prompt_tokens;
        e->completion_tokens = facts->usage.completion_tokens;
    } else if (km_money_deployment(call)) {
        fill_so_far(call, facts, e);
    }
    e->cost += km_money_of_others(call);
}

/* The first time a row, then what is to be known of it instead.  Of the facts only the usage is
 * there. */
static int write_state(struct km_call *call, struct km_bill_facts *facts, km_store_done_fn *done,
                       bool *ret_wait, struct km_err *err)
{
    struct km_ledger_entry e = { 0 };
    char ip[KM_ADDR_TEXT];

    fill_entry(call, facts, ip, &e);
    if (!call->intent)
        return km_ledger_intent(call->w->ledger, &e, done, call->at, ret_wait, err);
    km_ledger_progress(call->w->ledger, &e, done, call->at, ret_wait);
    return 0;
}

/* Whoever has to be asked elsewhere is not waited for: what is granted goes back with the rest. */
static void on_late(void *ctx, const struct km_err *err)
{
    (void)ctx;
    (void)err;
}

bool km_call_cover_bound(struct km_call *call)
{
    int64_t all = call->at->money.bound * km_llm_answers(&call->req), need;
    struct km_err ignored = { 0 };

    if (call->most_output >= 0 && call->most_output < all && call->bound_tokens < 0)
        call->most_output = all;
    need = km_money_of_others(call) + call->each + km_money_beyond(call);
    return need <= call->reserve || km_broker_top_up(call, need, on_late, NULL, &ignored) == 0;
}

int km_call_intend(struct km_call *call, struct km_err *err)
{
    struct km_attempt_money *m = &call->at->money;
    struct km_bill_facts facts = { .usage.known = false };
    bool wait = false;
    int r;

    if (m->number || call->kind->outer)
        return 0;
    m->number = call->nsent + 1;
    m->reserved = call->each + km_money_beyond(call);
    for (size_t i = 0; i < call->at->out.nbody; i++)
        m->bytes_sent += (int64_t)call->at->out.body[i].n;
    m->reserved_output = call->reserve_output + km_money_output_beyond(call);
    begin_looking(call, &facts.usage);
    if (call->reserve_input && km_money_deployment(call)) /* its body is measured: once is enough */
        call->req.pace = km_money_deployment(call)->pace;
    if (call->reserve_input || !km_money_deployment(call) || call->kind->session)
        facts.usage.prompt_tokens = km_money_input(call);
    else /* what it costs hangs on what was asked for, not on tokens */
        call->kind->usage(call, &facts.usage);
    /* One that takes another's request waits for nothing: that is out. */
    r = write_state(call, &facts, call->at->taker ? NULL : on_intent, &wait, err);
    if (r < 0) {
        m->number = 0;
        call->unbooked = !call->intent;
        return r;
    }
    if (!call->intent)
        call->hold.payers_kept = km_call_payers_text(call).n;
    call->nsent++;
    call->intent = true;
    m->waits = wait;
    return wait ? KM_E_AGAIN : 0;
}

/* --- while it comes --- */

static void tell_ledger(struct km_call *call, const struct km_usage *u)
{
    struct km_attempt_money *m = &call->at->money;
    struct km_bill_facts facts = { .usage = *u };
    bool ignored = false;

    m->tell_ms = km_loop_now_ms(call->w->loop) + TELL_MS;
    m->told = true;
    m->told_bytes = m->bytes;
    if (call->intent && !call->kind->session)
        (void)write_state(call, &facts, NULL, &ignored, NULL);
}

/* Its stream ends here as one whose length was reached, or breaks where it cannot.  false: it did,
 * and the call may be over; true: not before more of it has come. */
static bool cut_stream(struct km_call *call, unsigned flag, const struct km_err *why)
{
    struct km_attempt_money *m = &call->at->money;
    struct km_err err = { 0 };
    struct km_usage told = { 0 };
    int r = KM_E_UNSUPPORTED;

    call->kind->usage(call, &told);
    if (call->reserve_output > 0 && told.completion_tokens > m->reserved_output)
        told.completion_tokens = m->reserved_output; /* as the books will have it */
    if (call->kind->cut_short)
        r = call->kind->cut_short(call, &told, &err);
    if (r == KM_E_AGAIN) {
        m->look_at = m->bytes + 1;
        return true;
    }
    call->flags |= flag;
    m->cut = true;
    km_call_abandon(call);
    if (r < 0) {
        err = *why;
        km_call_fail(call, &err);
        return false;
    }
    km_call_served(call);
    return false;
}

/* The key has no more: what is reserved is written yet, then it is asked once more.  false: the
 * stream was cut. */
static bool go_without(struct km_call *call, const struct km_usage *u, const struct km_err *why)
{
    struct km_attempt_money *m = &call->at->money;

    if (m->last && u->completion_tokens >= m->reserved_output)
        return cut_stream(call, KM_CALL_BUDGET_CUT, why);
    m->last = true;
    return true;
}

static void on_more(void *ctx, const struct km_err *err);

static void have_more(struct km_attempt_money *m)
{
    m->reserved = m->asked;
    m->reserved_output = m->asked_output;
    m->last = false;
}

/* So many tokens more, or half as many as long as the key has not even those: what is left of a
 * budget is written, too.  refused: NULL, or why twice as many were.  false: the stream was cut. */
static bool ask_more(struct km_call *call, const struct km_usage *u, int64_t more,
                     const struct km_err *refused)
{
    struct km_attempt_money *m = &call->at->money;
    struct km_err err = { 0 };
    int r = 0;

    if (refused)
        err = *refused;
    for (bool first = !refused; first || more >= LEAST_MORE; first = false, more /= 2) {
        m->asked_output = m->reserved_output + more;
        m->asked = m->reserved + km_price_worst_cost(&call->worst, 0, m->asked_output) -
                   km_price_worst_cost(&call->worst, 0, m->reserved_output);
        r = km_money_of_others(call) + m->asked > call->reserve
                ? km_broker_top_up(call, km_money_of_others(call) + m->asked, on_more, call->at,
                                   &err)
                : 0;
        call->covering = r == KM_E_AGAIN;
        if (r == 0)
            have_more(m);
        if (r == 0 || r == KM_E_AGAIN)
            return true;
    }
    return go_without(call, u, &err);
}

/* Its upstream is held up where nothing is reserved for what it would write. */
static void wait_for_more(struct km_call *call, const struct km_usage *u)
{
    struct km_attempt_money *m = &call->at->money;

    m->starved = call->covering && u->completion_tokens >= m->reserved_output;
}

static void on_more(void *ctx, const struct km_err *err)
{
    struct km_attempt *at = ctx;
    struct km_attempt_money *m = &at->money;
    struct km_usage u = { 0 };

    at->call->covering = false;
    if (at->call->at != at || m->billed)
        return;
    at->call->kind->usage(at->call, &u);
    if (!err)
        have_more(m);
    else if (!ask_more(at->call, &u, (m->asked_output - m->reserved_output) / 2, err))
        return;
    look_on(at->call, &u);
    wait_for_more(at->call, &u);
    km_call_let_flow(at->call);
}

/* Half a slice is left of what is reserved: one more, and what was written beyond it.  false: the
 * stream was cut. */
static bool top_up(struct km_call *call, const struct km_usage *u)
{
    int64_t reserved = call->at->money.reserved_output, more = KM_CALL_SLICE;

    if (u->completion_tokens > reserved)
        more += u->completion_tokens - reserved;
    if (!call->unbound && more > call->most_output - reserved)
        more = call->most_output - reserved;
    return ask_more(call, u, more, NULL);
}

/* Has its upstream written past what was asked for?  By its own count that is plain; an estimate
 * may be wrong, so it has to be far past. */
static bool is_past_bound(const struct km_call *call, const struct km_usage *u)
{
    int64_t bound = call->said_output;

    if (call->bound_tokens >= 0 || call->at->money.bound > 0)
        bound = km_money_bound_sent(call);
    if (bound < 0)
        return false;
    bound *= km_llm_answers(&call->req);
    return u->completion_tokens > (u->counting ? bound : 2 * bound + PAST_BOUND);
}

static bool cut_past_bound(struct km_call *call)
{
    struct km_err err = { 0 };

    km_fail(&err, KM_E_UPSTREAM_PROTOCOL,
            "The upstream wrote on far past the length that was asked for.");
    return cut_stream(call, KM_CALL_BOUND_CUT, &err);
}

/* Of an answer that is gathered nothing is read before all of it is there. */
static void heard_so_far(struct km_call *call, struct km_usage *u)
{
    if (call->at->relaying || !call->reserve_input) {
        call->kind->usage(call, u);
        return;
    }
    u->prompt_tokens = km_money_input(call);
    if (km_money_writes(call))
        u->completion_tokens = (int64_t)(call->at->money.bytes / BYTES_A_TOKEN);
}

static bool look_at_answer(struct km_call *call)
{
    struct km_attempt_money *m = &call->at->money;
    struct km_usage u = { 0 };
    bool old = km_loop_now_ms(call->w->loop) >= m->tell_ms;

    if (!km_money_deployment(call) || call->kind->session) {
        m->look_at = m->tell_ms = UINT64_MAX;
        return true;
    }
    heard_so_far(call, &u);
    if (old || (m->told && m->bytes - m->told_bytes >= TELL_BYTES))
        tell_ledger(call, &u);
    if (call->at->relaying && is_past_bound(call, &u))
        return cut_past_bound(call);
    if (call->at->relaying && !call->covering && is_growing(call) &&
        u.completion_tokens >= m->reserved_output - (m->last ? 0 : KM_CALL_SLICE / 2) &&
        !top_up(call, &u))
        return false;
    look_on(call, &u);
    wait_for_more(call, &u);
    if (m->starved)
        km_call_let_flow(call);
    return true;
}

bool km_call_heard(struct km_call *call, size_t n)
{
    struct km_attempt_money *m = &call->at->money;

    m->bytes += n;
    if (m->bytes < m->look_at && km_loop_now_ms(call->w->loop) < m->tell_ms)
        return true;
    return look_at_answer(call);
}
