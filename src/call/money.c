/* SPDX-License-Identifier: Apache-2.0 */
/* money.c - what a call costs, attempt by attempt.
 *
 *     admit     call->each is reserved: the input, and what may come out to begin with
 *     send      km_call_intend()   the ledger hears that the request is about to leave
 *     relay     km_call_heard()    more is reserved half a slice ahead; the ledger hears how much
 *                                  has come
 *     over      km_call_bill()     what it costs, by how it ended (policy/bill.h)
 *     recover   km_call_need()     what is reserved before a further attempt: what the others cost
 *                                  or may cost, and call->each once more
 *     account   km_call_sum()      the row: the sum of its attempts
 *
 * Every ending goes through km_call_bill(), once an attempt, and nothing else says what one costs:
 * so a time-out, a lost client, a hedge that was overtaken, and a crash (which finds the last
 * progress in the ledger) are charged by one rule.
 *
 * What comes is looked at seldom: a token has four bytes of an answer at least, so until so many
 * bytes have come nothing can have changed, and a read costs an addition and two comparisons.
 */
#include "call/call.h"

#include "call/flight.h"
#include "call/metrics.h"
#include "http/json_out.h"
#include "llm/api/priced.h"
#include "policy/pace.h"
#include "policy/usage_limits.h"

#define TELL_MS 1000 /* a call that is older tells how far it is, so often */
#define TELL_BYTES (16 * 1024)
#define LEAST_MORE 16 /* tokens; a budget that leaves less is spent */
#define BYTES_A_TOKEN 4 /* no token of an answer has fewer: JSON is around it */
#define PAST_BOUND 1024 /* tokens beyond twice the bound at which an estimate cuts */
#define ATTEMPTS_BYTES ((size_t)4096)

static const struct km_deployment *deployment_of(const struct km_call *call)
{
    return call->at->d;
}

static bool is_counted(const struct km_call *call)
{
    return call->api || call->priced;
}

/* To count tokens costs nothing, whatever they do. */
static bool has_price(const struct km_call *call)
{
    return is_counted(call) && !(call->api && call->api->count);
}

/* Counted, and a model writes the answer. */
static bool writes(const struct km_call *call)
{
    return is_counted(call) && km_call_writes(call);
}

static const struct km_price *price_of(const struct km_call *call, struct km_price *room)
{
    return call->price ? call->price : km_call_price(call, deployment_of(call), room);
}

/* --- how it ended --- */

/* An error that came as a stream's first event has a status of its own. */
static int status_of(const struct km_call *call)
{
    int status = call->at->status;

    return call->failed && call->err.code == KM_E_UPSTREAM_STATUS && status >= 200 && status < 300
               ? km_err_http(&call->err)
               : status;
}

/* Did an upstream get all of its request? */
static bool was_sent(const struct km_call *call)
{
    const struct km_attempt *at = call->at;

    return call->answered || (at->money.number && (at->sent || at->status));
}

/* May it have done what it was asked for?  What has a price by the call is not paid for a no. */
static bool was_served(const struct km_call *call)
{
    return was_sent(call) && (call->answered || km_bill_end_of(call->at->status, false,
                                                               !call->failed) != KM_BILL_REFUSED);
}

static uint64_t upstream_ms(const struct km_attempt *at)
{
    uint64_t now_ns = km_mono_ns();

    return at->began_ns && now_ns > at->began_ns ? (now_ns - at->began_ns) / 1000000 : 0;
}

static enum km_bill_end end_of(const struct km_call *call, const struct km_usage *heard)
{
    bool whole = !call->failed && !call->at->money.cut;
    bool output = call->at->status < 300 && (call->streaming || heard->completion_tokens > 0);

    if (!was_sent(call))
        return KM_BILL_UNSENT;
    if (call->answered)
        return KM_BILL_ANSWERED;
    return km_bill_end_of(status_of(call), output, whole);
}

static void add_reserved(const struct km_call *call, struct km_bill_facts *f)
{
    f->reserved_input = call->reserve_input > 0 ? call->reserve_input : -1;
    f->reserved_output = call->reserve_output > 0 ? call->at->money.reserved_output : -1;
    f->reserved = is_counted(call) && call->each > 0 ? call->at->money.reserved : -1;
}

/* The facts but for its usage, which is there. */
static void find_facts(const struct km_call *call, struct km_bill_facts *f)
{
    const struct km_pace *pace = deployment_of(call)->pace;

    f->end = end_of(call, &f->usage);
    f->writes = writes(call);
    f->streamed = call->at->relaying;
    f->upstream_ms = upstream_ms(call->at);
    f->rate = km_pace_rate(pace);
    f->median_output = km_pace_median_output(pace);
    add_reserved(call, f);
}

/* What its caller said is no bound where the deployment's settings take it out. */
static int64_t bound_sent(const struct km_call *call)
{
    if (call->bound_tokens >= 0)
        return call->bound_tokens;
    if (call->at->money.bound > 0)
        return call->at->money.bound;
    return !call->kind->verbatim && deployment_of(call)->drops_bound ? -1 : call->req.max_tokens;
}

static bool is_possible(const struct km_call *call, bool opens_input, const struct km_usage *u)
{
    struct km_price room;
    const struct km_price *price = km_call_price(call, deployment_of(call), &room);
    const struct km_usage_limits limits = {
        .bound_sent = bound_sent(call),
        .known_max = price->max_output_tokens,
        .answers = km_llm_answers(&call->req),
        .bytes_sent = call->at->money.bytes_sent,
        .window = price->max_input_tokens,
        .opens_input = opens_input || !call->body.n, /* a form is read as it comes */
    };

    return km_usage_is_possible(u, &limits);
}

/* What was reported, if it can be; else what was heard. */
static void ask_usage(struct km_call *call, bool opens_input, struct km_usage *u)
{
    call->kind->usage(call, u);
    if (call->at->status >= 300) { /* an error's words are no output */
        u->completion_tokens = 0;
        u->known = false;
    }
    if (!u->known || !call->kind->doubt || call->answered || is_possible(call, opens_input, u))
        return;
    call->kind->doubt(call);
    call->kind->usage(call, u);
}

/* Of an answer that several take each pays its part. */
static void take_share(const struct km_taker *t, struct km_bill *b)
{
    b->cost = km_taker_share(t, b->cost);
    b->usage.prompt_tokens = km_taker_share(t, b->usage.prompt_tokens);
    b->usage.completion_tokens = km_taker_share(t, b->usage.completion_tokens);
    b->usage.cached_tokens = km_taker_share(t, b->usage.cached_tokens);
}

/* What it reported teaches what others like it come to. */
static void learn(const struct km_call *call, bool opens_input, const struct km_bill_facts *f)
{
    struct km_pace *pace = deployment_of(call)->pace;

    if (!pace || f->end != KM_BILL_ANSWERED || !f->usage.known || call->answered || !writes(call) ||
        call->at->taker)
        return;
    if (!opens_input)
        km_pace_learn_input(pace, &call->req.size, f->usage.prompt_tokens);
    km_pace_learn_output(pace, f->usage.completion_tokens, f->upstream_ms);
}

static void bill_usage(struct km_call *call, struct km_bill *b)
{
    struct km_llm_priced own;
    const struct km_llm_priced *priced = km_llm_priced_at(&call->req, deployment_of(call), &own);
    struct km_bill_facts facts;
    struct km_price room;

    facts.usage = (struct km_usage){ .known = false };
    call->req.pace = deployment_of(call)->pace;
    ask_usage(call, priced->opens_input, &facts.usage);
    km_llm_priced_served(priced, &facts.usage);
    find_facts(call, &facts);
    /* Its kind may have found another price just now. */
    km_bill_make(&facts, price_of(call, &room), b);
    b->unpriced = b->unpriced && has_price(call);
    learn(call, priced->opens_input, &facts);
    if (call->at->taker)
        take_share(call->at->taker, b);
}

void km_call_bill(struct km_call *call)
{
    struct km_attempt_money *m = &call->at->money;

    if (m->billed)
        return;
    m->billed = true;
    if (call->failed && call->err.code)
        m->error = km_err_name(call->err.code);
    m->bill.usage.known = true;
    if (call->kind->cost && call->kind->cost(call, was_served(call), &m->bill.cost))
        ;
    else if (deployment_of(call) && was_sent(call) && !call->kind->session)
        bill_usage(call, &m->bill);
    else if (call->kind->session && call->streaming) /* its parts have rows of their own */
        call->kind->usage(call, &m->bill.usage);
}

static unsigned flags_of(const struct km_bill *b)
{
    return (b->estimated ? KM_CALL_ESTIMATED : 0) | (b->unpriced ? KM_CALL_UNPRICED : 0) |
           (b->over_reserved ? KM_CALL_OVER_RESERVED : 0);
}

void km_call_sum(struct km_call *call)
{
    call->cost = 0;
    call->usage = call->at->money.bill.usage;
    for (const struct km_attempt *at = call->newest; at; at = at->before) {
        const struct km_bill *b = &at->money.bill;

        call->cost += b->cost;
        call->flags |= flags_of(b);
        if (at == call->at)
            continue;
        call->usage.prompt_tokens += b->usage.prompt_tokens;
        call->usage.completion_tokens += b->usage.completion_tokens;
        call->usage.cached_tokens += b->usage.cached_tokens;
    }
    if (call->flags & KM_CALL_OVER_RESERVED)
        km_count_over_reserved(call);
}

/* --- the attempts of a call, as its row lists them --- */

static void put_attempt(struct km_json_out *o, const struct km_attempt *at)
{
    const struct km_bill *b = &at->money.bill;

    km_out_open(o, '{');
    km_out_member_i64(o, "attempt", at->money.number);
    km_out_member(o, "deployment", at->d ? at->d->id : KM_STR_NONE);
    km_out_member(o, "model", at->d ? at->d->model : KM_STR_NONE);
    km_out_member_i64(o, "status", at->status);
    if (at->money.error)
        km_out_member(o, "error", km_str_c(at->money.error));
    km_out_member_i64(o, "prompt_tokens", b->usage.prompt_tokens);
    km_out_member_i64(o, "completion_tokens", b->usage.completion_tokens);
    km_out_member_i64(o, "cost_nanousd", b->cost);
    km_out_key(o, "estimated");
    km_out_bool(o, b->estimated);
    km_out_close(o, '}');
}

/* The first of them first. */
static void put_attempts(struct km_json_out *o, const struct km_attempt *at)
{
    if (at->before)
        put_attempts(o, at->before);
    if (at->money.number)
        put_attempt(o, at);
}

struct km_str km_call_attempts_json(struct km_call *call)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(ATTEMPTS_BYTES);
    struct km_json_out o;

    if (call->nsent < 2)
        return KM_STR_NONE;
    km_json_out_init(&o, &text);
    km_out_open(&o, '[');
    put_attempts(&o, call->newest);
    km_out_close(&o, ']');
    return km_buf_failed(&text) ? KM_STR_NONE : km_arena_str(&call->arena, km_buf_view(&text));
}

/* --- what the ledger knows of it --- */

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

/* What the other attempts cost, or may cost while they are under way. */
static int64_t cost_of_others(const struct km_call *call)
{
    int64_t sum = 0;

    for (const struct km_attempt *at = call->newest; at; at = at->before)
        if (at != call->at)
            sum += at->money.billed ? at->money.bill.cost : at->money.reserved;
    return sum;
}

static void fill_so_far(const struct km_call *call, struct km_bill_facts *facts,
                        struct km_ledger_entry *e)
{
    struct km_price room;
    struct km_bill b;

    add_reserved(call, facts);
    km_bill_so_far(facts, price_of(call, &room), &b);
    e->prompt_tokens = b.usage.prompt_tokens;
    e->completion_tokens = b.usage.completion_tokens;
    e->cost = b.cost;
    e->flags = b.unpriced && has_price(call) ? KM_CALL_UNPRICED : 0;
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
    } else if (deployment_of(call)) {
        fill_so_far(call, facts, e);
    }
    e->cost += cost_of_others(call);
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

/* When the next look is due: no sooner than `tokens` more can have come. */
static void look_after(struct km_attempt *at, int64_t tokens)
{
    uint64_t more = tokens > 0 ? (uint64_t)tokens * BYTES_A_TOKEN : 1;

    at->money.look_at = at->money.bytes + (more < TELL_BYTES ? more : TELL_BYTES);
}

/* More is reserved as it comes: the key has a budget, and its stream can be ended. */
static bool grows(const struct km_call *call)
{
    const struct km_attempt_money *m = &call->at->money;

    return call->slices && (call->unbound || m->reserved_output < call->most_output);
}

static void look_on(struct km_call *call, const struct km_usage *u)
{
    const struct km_attempt_money *m = &call->at->money;
    int64_t ahead = grows(call) ? m->reserved_output - u->completion_tokens : INT64_MAX / 8;

    look_after(call->at, m->last ? ahead : ahead - KM_CALL_SLICE / 2);
}

static int64_t input_estimate(const struct km_call *call)
{
    const struct km_deployment *d = deployment_of(call);

    if (!d || call->reserve_input <= 0)
        return 0;
    if (call->match.n == 1) /* the one that was estimated for */
        return call->input_tokens;
    return km_pace_input(d->pace, &call->req.size);
}

/* Tokens of output that its codec asks for beyond what each attempt reserves. */
static int64_t output_beyond(const struct km_call *call)
{
    int64_t all = call->at->money.bound * km_llm_answers(&call->req);

    if (call->bound_tokens >= 0 || call->slices || all < call->reserve_output)
        return 0;
    return all - call->reserve_output;
}

/* What they may cost. */
static int64_t cost_beyond(const struct km_call *call)
{
    const int64_t output = call->reserve_output, beyond = output_beyond(call);

    return beyond == 0 ? 0
                       : km_price_worst_cost(&call->worst, 0, output + beyond) -
                             km_price_worst_cost(&call->worst, 0, output);
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
    need = cost_of_others(call) + call->each + cost_beyond(call);
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
    m->reserved = call->each + cost_beyond(call);
    for (size_t i = 0; i < call->at->out.nbody; i++)
        m->bytes_sent += (int64_t)call->at->out.body[i].n;
    m->reserved_output = call->reserve_output + output_beyond(call);
    m->tell_ms = km_loop_now_ms(call->w->loop) + TELL_MS;
    look_on(call, &facts.usage);
    if (call->reserve_input && deployment_of(call)) /* its body is measured: once is enough */
        call->req.pace = deployment_of(call)->pace;
    if (call->reserve_input || !deployment_of(call) || call->kind->session)
        facts.usage.prompt_tokens = input_estimate(call);
    else /* what it costs hangs on what was asked for, not on tokens */
        call->kind->usage(call, &facts.usage);
    /* One that takes another's request waits for nothing: that is out. */
    r = write_state(call, &facts, call->at->taker ? NULL : on_intent, &wait, err);
    if (r < 0) {
        m->number = 0;
        call->unbooked = !call->intent;
        return r;
    }
    call->nsent++;
    call->intent = true;
    m->waits = wait;
    return wait ? KM_E_AGAIN : 0;
}

int64_t km_call_need(const struct km_call *call)
{
    const struct km_attempt_money *m = &call->at->money;

    return cost_of_others(call) + (m->billed ? m->bill.cost : m->reserved) + call->each;
}

/* --- while it comes --- */

static void tell(struct km_call *call, const struct km_usage *u)
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
static bool cut(struct km_call *call, unsigned flag, const struct km_err *why)
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
        return cut(call, KM_CALL_BUDGET_CUT, why);
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
        r = cost_of_others(call) + m->asked > call->reserve
                ? km_broker_top_up(call, cost_of_others(call) + m->asked, on_more, call->at, &err)
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
        bound = bound_sent(call);
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
    return cut(call, KM_CALL_BOUND_CUT, &err);
}

/* Of an answer that is gathered nothing is read before all of it is there. */
static void heard_so_far(struct km_call *call, struct km_usage *u)
{
    if (call->at->relaying || !call->reserve_input) {
        call->kind->usage(call, u);
        return;
    }
    u->prompt_tokens = input_estimate(call);
    if (writes(call))
        u->completion_tokens = (int64_t)(call->at->money.bytes / BYTES_A_TOKEN);
}

static bool look(struct km_call *call)
{
    struct km_attempt_money *m = &call->at->money;
    struct km_usage u = { 0 };
    bool old = km_loop_now_ms(call->w->loop) >= m->tell_ms;

    if (!deployment_of(call) || call->kind->session) {
        m->look_at = m->tell_ms = UINT64_MAX;
        return true;
    }
    heard_so_far(call, &u);
    if (old || (m->told && m->bytes - m->told_bytes >= TELL_BYTES))
        tell(call, &u);
    if (call->at->relaying && is_past_bound(call, &u))
        return cut_past_bound(call);
    if (call->at->relaying && !call->covering && grows(call) &&
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
    return look(call);
}
