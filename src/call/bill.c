/* SPDX-License-Identifier: Apache-2.0 */
/* bill.c - what an attempt may cost, what it does cost by how it ended, and a call, which is their
 * sum (money.h).
 *
 *     before     what is reserved for it, beside what the others cost
 *     after      its bill: the usage that was reported, or an estimate within what was reserved
 */
#include "call/money.h"

#include "call/flight.h"
#include "call/metrics.h"
#include "call/place.h"
#include "call/resume.h"
#include "http/json_out.h"
#include "llm/api/priced.h"
#include "policy/pace.h"
#include "policy/usage_limits.h"

#define ATTEMPTS_BYTES ((size_t)4096)

/* --- what it may cost --- */

/* What the other attempts cost, or may cost while they are under way. */
int64_t km_money_of_others(const struct km_call *call)
{
    int64_t sum = 0;

    for (const struct km_attempt *at = call->newest; at; at = at->before)
        if (at != call->at)
            sum += at->money.billed ? at->money.bill.cost : at->money.reserved;
    return sum;
}

int64_t km_money_input(const struct km_call *call)
{
    const struct km_deployment *d = km_money_deployment(call);

    if (!d || call->reserve_input <= 0)
        return 0;
    if (call->match.n == 1) /* the one that was estimated for */
        return call->input_tokens;
    return km_pace_input(d->pace, &call->req.size);
}

/* Tokens of output that its codec asks for beyond what each attempt reserves. */
int64_t km_money_output_beyond(const struct km_call *call)
{
    int64_t all = call->at->money.bound * km_llm_answers(&call->req);

    if (call->bound_tokens >= 0 || call->slices || all < call->reserve_output)
        return 0;
    return all - call->reserve_output;
}

/* What they may cost. */
int64_t km_money_beyond(const struct km_call *call)
{
    const int64_t output = call->reserve_output, beyond = km_money_output_beyond(call);

    return beyond == 0 ? 0
                       : km_price_worst_cost(&call->worst, 0, output + beyond) -
                             km_price_worst_cost(&call->worst, 0, output);
}

int64_t km_call_need(const struct km_call *call)
{
    const struct km_attempt_money *m = &call->at->money;

    return km_money_of_others(call) + (m->billed ? m->bill.cost : m->reserved) + call->each;
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

/* Has its client had something of this attempt? */
static bool has_begun(const struct km_call *call)
{
    return call->streaming && (!km_resume_goes_on(call->resume) || call->at->relaying);
}

static enum km_bill_end end_of(const struct km_call *call, const struct km_usage *heard)
{
    bool whole = !call->failed && !call->at->money.cut;
    bool refused = call->failed && call->err.code == KM_E_UPSTREAM_STATUS;
    /* A no that came in a stream is out at the client, too, and no output. */
    bool output =
        call->at->status < 300 && (heard->completion_tokens > 0 || (has_begun(call) && !refused));

    if (!was_sent(call))
        return KM_BILL_UNSENT;
    if (call->answered)
        return KM_BILL_ANSWERED;
    return km_bill_end_of(status_of(call), output, whole);
}

void km_money_add_reserved(const struct km_call *call, struct km_bill_facts *f)
{
    f->reserved_input = call->reserve_input > 0 ? call->reserve_input : -1;
    f->reserved_output = call->reserve_output > 0 ? call->at->money.reserved_output : -1;
    f->reserved = km_money_is_counted(call) && call->each > 0 ? call->at->money.reserved : -1;
}

/* The facts but for its usage, which is there. */
static void find_facts(const struct km_call *call, struct km_bill_facts *f)
{
    const struct km_pace *pace = km_money_deployment(call)->pace;

    f->end = end_of(call, &f->usage);
    f->works = call->api && km_money_has_price(call);
    f->writes = km_money_writes(call);
    f->streamed = call->at->relaying;
    f->upstream_ms = upstream_ms(call->at);
    f->rate = km_pace_rate(pace);
    f->median_output = km_pace_median_output(pace);
    km_money_add_reserved(call, f);
}

/* What its caller said is no bound where the deployment's settings take it out. */
int64_t km_money_bound_sent(const struct km_call *call)
{
    if (call->bound_tokens >= 0)
        return call->bound_tokens;
    if (call->at->money.bound > 0)
        return call->at->money.bound;
    return !call->kind->verbatim && km_money_deployment(call)->drops_bound ? -1
                                                                           : call->req.max_tokens;
}

static bool is_possible(const struct km_call *call, bool opens_input, const struct km_usage *u)
{
    struct km_price room;
    const struct km_price *price = km_call_price(call, km_money_deployment(call), &room);
    const struct km_usage_limits limits = {
        .bound_sent = km_money_bound_sent(call),
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

/* Did it fail by its deployment's fault? */
static bool failed_there(const struct km_call *call)
{
    const int code = call->err.code;

    return call->failed && (code == KM_E_UPSTREAM_CONNECT || code == KM_E_UPSTREAM_TIMEOUT ||
                            code == KM_E_UPSTREAM_PROTOCOL ||
                            (code == KM_E_UPSTREAM_STATUS && call->at->status >= 500));
}

/* It weighs on its deployment no more; and how fast that was. */
static void end_load(const struct km_call *call)
{
    struct km_attempt *at = call->at;
    const struct km_bill *b = &at->money.bill;
    const uint64_t now_ns = km_mono_ns();
    const struct km_load_end end = {
        .good = !call->failed,
        .timed_out = call->failed && call->err.code == KM_E_UPSTREAM_TIMEOUT,
        .failed = failed_there(call),
        .tokens = b->usage.prompt_tokens + b->usage.completion_tokens,
        .tokens_out = b->usage.completion_tokens,
        .took_us = at->began_ns ? (now_ns - at->began_ns) / 1000 : 0,
        .first_us = call->req.stream ? call->first_ns / 1000 : 0,
    };

    at->weighs = false;
    km_load_end(at->candidate->facts.load, &end, km_loop_now_ms(call->w->loop));
}

/* What it reported teaches what others like it come to. */
static void learn_from(const struct km_call *call, bool opens_input, const struct km_bill_facts *f)
{
    struct km_pace *pace = km_money_deployment(call)->pace;

    if (!pace || f->end != KM_BILL_ANSWERED || !f->usage.known || call->answered ||
        !km_money_writes(call) || call->at->taker)
        return;
    if (!opens_input)
        km_pace_learn_input(pace, &call->req.size, f->usage.prompt_tokens);
    km_pace_learn_output(pace, f->usage.completion_tokens, f->upstream_ms);
}

static void bill_usage(struct km_call *call, struct km_bill *b)
{
    struct km_llm_priced own;
    const struct km_llm_priced *priced =
        km_llm_priced_at(&call->req, km_money_deployment(call), &own);
    struct km_bill_facts facts;
    struct km_price room;

    facts.usage = (struct km_usage){ .known = false };
    call->req.pace = km_money_deployment(call)->pace;
    ask_usage(call, priced->opens_input, &facts.usage);
    km_llm_priced_served(priced, &facts.usage);
    find_facts(call, &facts);
    /* Its kind may have found another price just now. */
    km_bill_make(&facts, km_money_price(call, &room), b);
    b->unpriced = b->unpriced && km_money_has_price(call);
    learn_from(call, priced->opens_input, &facts);
    if (call->at->taker && !km_taker_has_part(call->at->taker))
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
    else if (km_money_deployment(call) && was_sent(call) && !call->kind->session)
        bill_usage(call, &m->bill);
    else if (call->kind->session && call->streaming) /* its parts have rows of their own */
        call->kind->usage(call, &m->bill.usage);
    if (call->at->weighs)
        end_load(call);
    if (call->at->turn)
        km_call_leave_place(call->at);
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
