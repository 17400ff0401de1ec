/* SPDX-License-Identifier: Apache-2.0 */
/* send.c - attempts: pick a deployment, sign, send, gather what comes.
 *
 *     route ──> send ──> (head 2xx) relay ──> account
 *       ^         │                     │
 *       └── recover <────── failure ────┘        (call/recover.c)
 *
 * Each attempt begins from the caller's original body.  Header lines that are made for each
 * request (auth.h) may have to be waited for: the step is then run again.  Last of all, before its
 * first byte leaves, the ledger is told (km_call_intend); in strict accounting that is waited for
 * too.
 */
#include "call/call.h"

#include "call/execution.h"
#include "call/flight.h"
#include "call/hooks.h"
#include "call/place.h"
#include "call/session.h"
#include "call/which.h"
#include "policy/execution.h"

#define AUTH_HEAD_BYTES ((size_t)64 * 1024)
#define AUTH_LINES_BYTES 512 /* what a signature mostly takes */

static unsigned retries_of(const struct km_call *call)
{
    const struct km_snapshot *snap = call->visit->view->snap;
    int64_t n = call->req.num_retries;

    if (n > 0 && n > snap->execution->max_retries)
        n = snap->execution->max_retries;
    if (n < 0 && call->at->d)
        n = call->at->d->num_retries;
    if (n < 0)
        n = snap->routing->num_retries;
    if (n < 0)
        n = snap->llm->num_retries;
    return n < 0 ? KM_RETRIES_DEFAULT : (unsigned)n;
}

int64_t km_call_attempt_ms(const struct km_call *call)
{
    const struct km_snapshot *snap = call->visit->view->snap;

    if (call->at->d && call->at->d->timeout_ms > 0)
        return call->at->d->timeout_ms;
    return snap->routing->timeout_ms > 0 ? 0 : snap->llm->request_timeout_ms;
}

/* What bounds an attempt (km_call_request) all of them have together as often as there are; and
 * once more where another model follows, which must have its turn before the time is over. */
static int64_t deadline_of(const struct km_call *call)
{
    size_t attempts = call->retries < call->match.n ? (size_t)call->retries + 1 : call->match.n;
    int64_t each = km_call_attempt_ms(call);

    attempts += km_call_may_fall_back(call);

    if (call->req.timeout_ms <= 0)
        each = each > 0 ? each * (int64_t)(attempts ? attempts : 1)
                        : call->visit->view->snap->routing->timeout_ms;
    else
        each = call->req.timeout_ms;
    return call->execution ? km_call_bound_time(call, each) : each;
}

uint64_t km_call_time_left(const struct km_call *call)
{
    uint64_t own = (uint64_t)deadline_of(call), until = call->visit->deadline_ms,
             now = km_loop_now_ms(call->w->loop);

    if (!until)
        return own;
    until = until > now ? until - now : 0;
    return until < own ? until : own;
}

static bool is_full(const struct km_call *call)
{
    return km_route_is_full(&call->route, call->match.v, call->match.n,
                            km_loop_now_ms(call->w->loop));
}

/* Limits of deployments are of the minute of the clock they are counted by. */
static int all_full(const struct km_call *call, struct km_err *err)
{
    const uint64_t into = km_loop_now_ms(call->w->loop) % 60000;

    km_fail(err, KM_E_RATE_LIMITED,
            "All deployments of model '%.*s' are at their rpm or tpm of this minute.",
            KM_STR_ARG(km_str_sub(call->req.model, 0, 100)));
    err->retry_after_ms = (int)(60000 - into);
    return KM_E_RATE_LIMITED;
}

void km_call_seed(struct km_call *call)
{
    if (!call->route.rng)
        call->route.rng = call->w->rng = call->w->rng * 6364136223846793005U + 1442695040888963407U;
}

void km_call_route_facts(struct km_call *call)
{
    km_call_seed(call);
    call->route.strategy = call->match.strategy;
    call->route.stream = call->req.stream;
    call->route.tokens = call->input_tokens + call->reserve_output;
    call->route.strict = km_call_may_fall_back(call);
    if (call->match.affinity && !call->route.sticky)
        call->route.sticky = km_call_sticky(call);
}

static int pick(struct km_call *call, struct km_err *err)
{
    const int r = call->match.filters ? km_call_filter(call, err) : 0;

    if (r < 0)
        return r;
    km_call_route_facts(call);
    call->at->candidate =
        km_route_pick(&call->route, call->match.v, call->match.n, km_loop_now_ms(call->w->loop));
    if (!call->at->candidate && is_full(call))
        return all_full(call, err);
    if (!call->at->candidate && km_call_has_spent_target(call))
        return km_call_all_spent(call, err);
    if (!call->at->candidate)
        return km_fail(err, KM_E_NO_DEPLOYMENT, "No deployment of model '%.*s' is available.",
                       KM_STR_ARG(km_str_sub(call->req.model, 0, 100)));
    call->at->d = call->at->candidate->deployment;
    call->at->resigned = false;
    if (call->route.probes)
        km_call_tell_probe(call);
    if (call->at->d->unavailable.n) {
        km_fail(err, KM_E_NOT_IMPLEMENTED, "Model '%.*s' cannot be called: %.*s.",
                KM_STR_ARG(km_str_sub(call->req.model, 0, 100)),
                KM_STR_ARG(call->at->d->unavailable));
        return KM_E_NOT_IMPLEMENTED;
    }
    return 0;
}

static void on_moved(void *ctx, const struct km_err *err)
{
    static const struct km_err no_memory = { .code = KM_E_NOMEM };
    struct km_attempt *at = ctx;
    struct km_err *why = NULL;

    if (!at->moves) /* it was given up meanwhile */
        return;
    at->moves = false;
    at->moved = !err;
    if (err && (why = km_arena_alloc(&at->call->arena, sizeof *why)))
        *why = *err;
    if (err)
        at->unpaid = why ? why : &no_memory;
    km_attempt_look(at);
    km_call_resume(at->call, 0);
}

/* Where it goes is known, and has the money for it. */
static int choose(struct km_call *call, bool placed, struct km_err *err)
{
    int r;

    do {
        km_err_clear(err);
        r = placed ? 0 : pick(call, err);
        if (r == 0)
            r = km_call_move_payers(call, on_moved, err);
        else
            break;
        placed = placed && r != KM_E_BUDGET;
    } while (r == KM_E_BUDGET && !call->kind->placed && km_call_pass_over(call));
    return r;
}

/* There is no money for more than was asked for: once more, with that as the bound. */
static int keep_bound(struct km_call *call, struct km_err *err)
{
    call->at->money.bound = 0;
    call->bound_tokens = call->said_output;
    if (call->kind->forget)
        call->kind->forget(call);
    return call->kind->attempt(call, err);
}

/* Its deployment has a limit, or its upstream is near one. */
static bool must_ask_for_place(const struct km_call *call)
{
    const struct km_deployment *d = call->at->d;

    return d && d->gate && !call->kind->placed && !km_gate_is_open(d->gate, &d->gate_rules);
}

static void on_place(struct km_attempt *at)
{
    km_attempt_look(at);
    km_call_resume(at->call, 0);
}

static int take_place(struct km_call *call, struct km_err *err)
{
    const struct km_deployment *d = call->at->d;
    const struct km_place_args args = { .gate = d->gate,
                                        .rules = &d->gate_rules,
                                        .tokens = call->input_tokens + call->reserve_output,
                                        .resume = on_place };

    return km_call_take_place(call, &args, err);
}

enum km_next km_step_route(struct km_call *call)
{
    bool first = call->route.attempts == 0;
    bool placed = call->at->same || call->kind->placed;
    int r = choose(call, placed, &call->err);

    call->at->same = false;
    if (first) {
        call->retries = retries_of(call);
        km_call_time_runs(call);
    }
    if (r == 0 && must_ask_for_place(call))
        r = take_place(call, &call->err);
    if (r == 0)
        r = call->kind->attempt(call, &call->err);
    if (r == 0 && call->at->money.bound > 0 && !km_call_cover_bound(call))
        r = keep_bound(call, &call->err);
    if (r == 0)
        r = km_call_run_hooks(call, KM_HOOK_ROUTED, &call->err);
    if (r == KM_HOOK_ANSWERED) {
        call->answered = true;
        r = 0;
    }
    if (r == KM_E_AGAIN) {
        call->at->same = true; /* it goes on */
        return KM_WAIT;
    }
    if (r < 0) {
        call->failed = true;
        return km_call_go(call, KM_STEP_recover);
    }
    return km_call_go(call, KM_STEP_send);
}

/* A redirect is none: where an upstream is, the configuration says. */
static bool good(const struct km_call *call, int status)
{
    return call->kind->session ? status == 101 : status >= 200 && status < 300;
}

/* A head, until its body is here too. */
void km_call_keep_head(struct km_call *call, const struct km_headers *h)
{
    call->at->refusal = km_headers_copy(&call->arena, h);
}

/* The call of an attempt that something happened to. */
static struct km_call *look_at(void *ctx)
{
    struct km_attempt *at = ctx;

    if (at->call->at != at)
        km_attempt_look(at);
    return at->call;
}

static void on_head(void *ctx, const struct km_response *response)
{
    struct km_call *call = look_at(ctx);

    call->at->status = response->status;
    if (!call->streaming) { /* what goes on with a stream is not its beginning */
        call->first_ns = km_mono_ns() - call->began_ns;
        call->first_us = call->start_us + (int64_t)(call->first_ns / 1000);
    }
    if (good(call, response->status) || call->kind->any_status) {
        if (call->beside)
            km_attempt_wins(call);
        if (call->lesson.of && good(call, response->status))
            km_lesson_holds(&call->lesson, call->at->d);
        km_call_go(call, KM_STEP_relay);
        km_call_fetch_begin(call);
        call->kind->on_head(call, response);
        return;
    }
    km_call_keep_head(call, &response->headers); /* its body is read whole, then recover decides */
}

static void stop_with(struct km_call *call, const struct km_err *err)
{
    struct km_err copy = *err;

    km_call_abandon_one(call);
    km_call_fail(call, &copy);
}

static void on_body(void *ctx, const char *bytes, size_t n)
{
    struct km_call *call = look_at(ctx);
    KM_ERR_NONE(err);

    if (km_call_fetch_bytes(call, km_str(bytes, n), &err) < 0)
        stop_with(call, &err);
    else if (km_call_heard(call, n) && (call->deliver.first || call->at->fetch.first))
        km_call_heed(call);
}

/* What broke, with whom: the connection knows only the first half. */
static void broken(struct km_call *call, const struct km_err *why)
{
    struct km_err err = *why;
    struct km_str name = call->at->d ? call->at->d->provider_name : km_call_label(call);
    struct km_str base = call->at->d ? call->at->d->api_base : call->kind->base(call);

    km_fail(&err, why->code, "%.*s at %.*s: %s", KM_STR_ARG(name), KM_STR_ARG(base), why->text);
    err.http = why->http;
    err.retry_after_ms = why->retry_after_ms;
    err.type = why->type;
    err.reason = why->reason;
    if (!err.reason && why->code == KM_E_UPSTREAM_TIMEOUT && call->at->unconnected)
        err.reason = KM_TIMEOUT_CONNECT;
    km_call_fail(call, &err);
}

static void on_done(void *ctx, const struct km_http_result *result)
{
    struct km_call *call = look_at(ctx);

    call->at->up = NULL;
    call->upstream_ns += km_mono_ns() - call->at->began_ns;
    call->at->sent = result->request_sent;
    call->at->unconnected = result->connect_failed;
    if (result->err)
        broken(call, result->err);
    else
        km_call_resume(call, 0);
}

static void on_room(void *ctx)
{
    struct km_call *call = look_at(ctx);

    if (call->kind->on_room)
        call->kind->on_room(call);
}

static void on_drain(void *ctx)
{
    struct km_call *call = look_at(ctx);

    if (call->kind->on_drain)
        call->kind->on_drain(call);
}

static const struct km_http_events upstream_events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_drain = on_drain,
    .on_done = on_done,
    .on_room = on_room,
};

static void on_authorized(void *ctx, const struct km_err *err)
{
    struct km_call *call = look_at(ctx);

    call->at->auth_waits = false;
    if (err)
        km_call_fail(call, err);
    else
        km_call_resume(call, 0);
}

/* Header lines that are made for each request. */
static int authorize(struct km_call *call, struct km_err *err)
{
    struct km_auth *auth = call->at->d->auth;
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(AUTH_HEAD_BYTES);
    struct km_auth_args args = { .loop = call->w->loop,
                                 .client = call->w->client,
                                 .mailbox = call->w->mailbox,
                                 .method = call->at->out.method,
                                 .host = call->at->out.origin->host_header,
                                 .target = call->at->out.target,
                                 .body = call->at->out.body,
                                 .nbody = call->at->out.nbody,
                                 .now_us = km_wall_us() };
    int r;

    (void)km_buf_reserve(&head, call->at->out.head.n + AUTH_LINES_BYTES);
    km_buf_str(&head, call->at->out.head);
    call->at->auth_wait = (struct km_auth_wait){ .ready = on_authorized, .ctx = call->at };
    km_list_init(&call->at->auth_wait.link);
    r = auth->ops->head(auth, &args, &call->at->auth_wait, &head, err);
    call->at->auth_waits = r == KM_E_AGAIN;
    if (r < 0)
        return r;
    call->at->out.head = km_arena_str(
        call->at->request_arena ? call->at->request_arena : &call->arena, km_buf_view(&head));
    return call->at->out.head.n ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static enum km_next failed(struct km_call *call)
{
    call->failed = true;
    return km_call_go(call, KM_STEP_recover);
}

/* May it leave, and with whose name? */
static int ready(struct km_call *call, struct km_err *err)
{
    int r = km_target_check(call->at->out.target, err);

    return r == 0 && call->at->d && call->at->d->auth ? authorize(call, err) : r;
}

static bool send_out(struct km_call *call)
{
    struct km_attempt *at = call->at;

    at->began_ns = km_mono_ns();
    if (at->d)
        km_retry_budget_count(&at->d->retries, km_loop_now_ms(call->w->loop));
    if (at->candidate && at->candidate->facts.load && !at->weighs)
        km_load_begin(at->candidate->facts.load, km_loop_now_ms(call->w->loop));
    at->weighs = at->candidate && at->candidate->facts.load;
    if (at->taker) /* it is out already, of another call */
        return true;
    if (at->opens)
        at->taker = km_flight_send(call->w->client, call->w->loop, &call->w->gw->bodies, &at->out,
                                   at->opens, &call->arena, &upstream_events, at);
    else
        at->up = km_http_send(call->w->client, &at->out, &upstream_events, at);
    if (at->up || at->taker)
        return true;
    km_fail(&call->err, KM_E_NOMEM, "out of memory");
    return false;
}

int km_attempt_join(struct km_call *call, struct km_flight *flight, int64_t weight,
                    struct km_err *err)
{
    if (call->at->turn) /* it asks nothing itself */
        km_call_leave_place(call->at);
    call->at->taker = km_flight_join(flight, weight, &call->arena, &upstream_events, call->at);
    return call->at->taker ? KM_HOOK_JOINED : km_fail(err, KM_E_NOMEM, "out of memory");
}

enum km_next km_step_send(struct km_call *call)
{
    int r;

    if (call->kind->send)
        return call->kind->send(call);
    if (call->answered) {
        if (call->beside)
            km_attempt_wins(call);
        call->at->status = 200;
        call->first_us = km_wall_us();
        return km_call_go(call, KM_STEP_account);
    }
    if (call->at->status && call->at->began_ns &&
        !km_attempt_is_out(call->at)) { /* resumed: an error was read whole */
        km_call_refused(call);
        return failed(call);
    }
    r = call->at->taker || call->at->ready ? 0 : ready(call, &call->err);
    call->at->ready = r == 0;
    if (r == 0)
        r = km_call_intend(call, &call->err);
    if (r == KM_E_AGAIN)
        return KM_WAIT;
    return r < 0 || !send_out(call) ? failed(call) : KM_WAIT;
}
