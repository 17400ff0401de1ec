/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - the life of one gateway call, as a list of steps.
 *
 * Read the table first: it is the whole flow, in order.  A step does one thing and says what
 * comes next (MORE, WAIT, DONE; see call.h).
 *
 * Why a loop and not callbacks calling callbacks: the stack stays flat, a step can finish
 * synchronously or not without the next one knowing, and there is one place to check invariants,
 * trace, and honour cancellation.
 *
 * Before admission a failure ends the call; after it everything passes through account, exactly
 * once; account and finish are never left early.  A deadline or a cancellation that comes while
 * they run is recorded and moves nothing.
 */
#include "call/call.h"

#include <stddef.h>
#include <string.h>

#include "call/hooks.h"
#include "call/metrics.h"
#include "call/throttle.h"

/* Steps in the order of the happy path.  XX(STEP, may_wait, on_error) */
#define KM_CALL_STEPS(XX)                                                                          \
    XX(auth, false, finish)                                                                        \
    XX(admit, true, finish)                                                                        \
    XX(guard, true, account)                                                                       \
    XX(route, true, recover)                                                                       \
    XX(send, true, recover)                                                                        \
    XX(relay, true, recover)                                                                       \
    XX(recover, true, account)                                                                     \
    XX(account, true, account)                                                                     \
    XX(finish, true, finish)

struct km_step {
    const char *name;
    enum km_next (*run)(struct km_call *call);
    bool may_wait;
    enum km_step_id on_error;
};

enum km_next km_call_go(struct km_call *call, enum km_step_id to)
{
    call->step = to;
    return KM_MORE;
}

static enum km_next fail_to(struct km_call *call, enum km_step_id to)
{
    call->failed = true;
    km_error_face(call->visit->dialect, &call->err);
    return km_call_go(call, to);
}

static enum km_next step_auth(struct km_call *call)
{
    if (km_visit_authorise(call->visit, &call->err) < 0)
        return fail_to(call, KM_STEP_finish);
    return km_call_go(call, KM_STEP_admit);
}

static enum km_next step_admit(struct km_call *call)
{
    return km_step_admit(call);
}

/* What is sent to the client is there, and no upstream was asked for it. */
static enum km_next answer(struct km_call *call)
{
    call->answered = true;
    call->at->status = 200;
    return km_call_go(call, KM_STEP_account);
}

/* An answer by heart would come without the yes that was needed for it. */
static bool may_be_answered(struct km_call *call)
{
    call->answered = !call->needs_yes;
    if (!call->answered)
        call->nparts = 0;
    return call->answered;
}

static int guard(struct km_call *call, struct km_err *err)
{
    int r = call->w->gw->budget ? km_call_throttle(call, err) : 0;

    return r < 0 ? r : km_call_run_hooks(call, KM_HOOK_GUARDED, err);
}

static enum km_next step_guard(struct km_call *call)
{
    int r;

    if (call->client_gone) { /* while the intent was being committed */
        km_fail(&call->err, KM_E_CANCELED, "The client went away.");
        return fail_to(call, KM_STEP_account);
    }
    r = call->answered ? KM_HOOK_ANSWERED : guard(call, &call->err);
    if (r == KM_E_AGAIN) {
        km_call_time_runs(call);
        return KM_WAIT;
    }
    if (r < 0)
        return fail_to(call, KM_STEP_account);
    return r == KM_HOOK_ANSWERED && may_be_answered(call) ? answer(call)
                                                          : km_call_go(call, KM_STEP_route);
}

static enum km_next step_route(struct km_call *call)
{
    return km_step_route(call);
}

static enum km_next step_send(struct km_call *call)
{
    return km_step_send(call);
}

/* The answer flows in the callbacks of the attempt; here it has come to its end. */
static enum km_next step_relay(struct km_call *call)
{
    int r = km_call_fetch_end(call, &call->err);

    if (r == 0 && km_call_stands(call))
        return KM_WAIT;
    if (r == 0 && call->unsaid)
        r = (call->err = *call->unsaid).code;
    if (r == 0)
        r = call->kind->complete(call, &call->err);
    if (r == KM_E_AGAIN && call->held)
        return KM_WAIT;
    if (r == KM_E_AGAIN) { /* the same attempt has one more request */
        km_call_forget_answer(call);
        return km_call_go(call, KM_STEP_send);
    }
    if (r < 0)
        return fail_to(call, KM_STEP_recover);
    return km_call_go(call, KM_STEP_account);
}

static enum km_next step_recover(struct km_call *call)
{
    return km_step_recover(call);
}

static enum km_next step_account(struct km_call *call)
{
    if (call->intake)
        km_call_end_intake(call);
    return km_step_account(call);
}

/* Before admission there is nothing to settle, but it is counted and logged as any other. */
static void refused(struct km_call *call)
{
    call->total_ns = km_mono_ns() - call->began_ns;
    if (call->dry) { /* of which nobody is to know but the log */
        call->client_status = 200;
        if (call->kind->record)
            (void)call->kind->record(call);
        km_call_log(call);
        return;
    }
    km_error_face(call->visit->dialect, &call->err);
    call->client_status = call->client_gone ? 499 : km_err_http(&call->err);
    if (call->kind->record)
        (void)call->kind->record(call);
    km_count_refused(call);
    km_call_log(call);
}

/* What account does first. */
static void end_work(struct km_call *call)
{
    km_timer_stop(&call->deadline);
    if (call->waiters)
        km_call_let_go(call);
    if (call->intake)
        km_call_end_intake(call);
    km_call_abandon(call);
}

/* No unit has any more of the answer, and its client is told why. */
static void take_from_units(struct km_call *call, const struct km_err *why)
{
    km_chain_done(&call->deliver);
    km_call_refuse(call, why);
    km_call_reply_refused(call);
}

static void end_held(struct km_call *call)
{
    struct km_err err = { 0 };

    km_fail(&err, KM_E_INTERNAL, "The answer's end was held back.");
    take_from_units(call, &err);
}

/* The only exit: the exchange is answered, everything is given back. */
static enum km_next step_finish(struct km_call *call)
{
    struct km_arena arena;

    if (!call->replied) {
        if (!call->settled)
            end_work(call);
        if (!call->admitted)
            refused(call);
        km_call_reply(call);
        call->replied = true;
        if (!call->ended && km_call_stands(call) && !call->timed_out) {
            km_call_time_runs(call); /* a unit has what is left of it */
            return KM_WAIT;
        }
        if (!call->ended && call->stands)
            take_from_units(call, &call->err); /* its time was over before */
    } else if (call->unsaid && !call->ended) {
        km_call_reply_refused(call);
    }
    if (!call->ended && call->joined && call->deliver.first)
        end_held(call);
    if (km_timer_running(&call->deadline))
        km_timer_stop(&call->deadline);
    if (call->deliver.first)
        km_chain_done(&call->deliver);
    km_buf_done(&call->batch);
    km_attempt_release(call);
    km_list_remove(&call->link);
    call->w->ncalls--;
    call->magic = 0;
    arena = call->arena;
    km_arena_done(&arena); /* the call itself is in it */
    return KM_DONE;
}

static const struct km_step steps[] = {
#define XX(n, w, e)                                                                                \
    [KM_STEP_##n] = { .name = #n, .run = step_##n, .may_wait = (w), .on_error = KM_STEP_##e },
    KM_CALL_STEPS(XX)
#undef XX
};

static void run(struct km_call *call)
{
    enum km_next next = KM_MORE;

    while (next == KM_MORE) {
        const struct km_step *step = &steps[call->step];

        next = step->run(call);
        km_assert(next != KM_WAIT || step->may_wait);
    }
}

void km_call_resume(struct km_call *call, int status)
{
    km_assert(call->magic == KM_CALL_MAGIC && !call->held);
    if (call->beside)
        km_attempt_look_at_waiting(call);
    call->stands = false; /* whatever it waited for: a unit resumes it only where it waits again */
    call->status = status;
    if (status < 0 && steps[call->step].on_error != call->step)
        fail_to(call, steps[call->step].on_error);
    run(call);
}

void km_call_served(struct km_call *call)
{
    km_call_go(call, KM_STEP_relay);
    km_call_resume(call, 0);
}

uint64_t km_call_deadline_ms(const struct km_call *call)
{
    return km_timer_running(&call->deadline) ? call->deadline.due_ms : 0;
}

void km_call_fail(struct km_call *call, const struct km_err *err)
{
    call->err = *err;
    km_call_resume(call, err->code);
}

/* Nothing moves while the books are being written: it is recorded and seen afterwards. */
static bool settled(const struct km_call *call)
{
    return call->held || call->step == KM_STEP_account || call->step == KM_STEP_finish;
}

/* All is settled, and what is left to be said stands before a unit: it is not waited for. */
static void end_stand(struct km_call *call, const struct km_err *why)
{
    if (call->step != KM_STEP_finish || !call->stands)
        return;
    call->stands = false;
    km_chain_done(&call->deliver);
    km_call_refuse(call, why);
    km_call_resume(call, 0);
}

static void on_deadline(void *ctx)
{
    struct km_call *call = ctx;
    struct km_err err = { 0 };

    call->timed_out = true;
    if (settled(call)) {
        km_fail(&err, KM_E_UPSTREAM_TIMEOUT, "What looks at the answer took too long.");
        end_stand(call, &err);
        return;
    }
    km_call_abandon(call);
    km_fail(&err, KM_E_UPSTREAM_TIMEOUT,
            "The call took longer than its time-out; raise `timeout` (request), litellm_params."
            "timeout or litellm_settings.request_timeout.");
    err.reason = "call_timeout";
    km_call_fail(call, &err);
}

void km_call_cancel(struct km_call *call, const char *why)
{
    struct km_err err = { 0 };

    km_fail(&err, KM_E_CANCELED, "%s", why);
    if (settled(call)) {
        end_stand(call, &err);
        return;
    }
    call->err = err;
    km_call_abandon(call);
    km_call_fail(call, &err);
}

void km_call_revoke(struct km_call *call, const struct km_err *why)
{
    struct km_err err = *why;

    if (settled(call)) {
        end_stand(call, why);
        return;
    }
    if (call->kind->on_revoked && call->streaming)
        call->kind->on_revoked(call, why);
    if (km_chain_waits(&call->deliver)) { /* it gets nothing more of what waits there */
        km_chain_done(&call->deliver);
        km_call_refuse(call, why);
    }
    km_call_abandon(call);
    km_call_fail(call, &err);
}

/* --- what its units say --- */

void km_call_heed(struct km_call *call)
{
    struct km_err err;

    if (settled(call) || call->failed)
        return;
    if (call->unsaid) {
        err = *call->unsaid;
        km_call_abandon(call);
        km_call_fail(call, &err);
    } else if (call->deliver.over && km_attempt_is_out(call->at)) { /* nobody needs the rest */
        km_call_abandon(call);
        km_call_go(call, KM_STEP_account);
        km_call_resume(call, 0);
    } else {
        km_call_let_flow(call);
    }
}

void km_call_on_more(void *ctx, const struct km_err *err)
{
    struct km_call *call = ctx;

    if (err)
        km_call_refuse(call, err);
    if (!call->replied)
        (void)km_call_flush(call);
    if (call->stands) {
        call->stands = false;
        km_call_resume(call, 0);
        return;
    }
    km_call_heed(call);
}

/* --- what its port says --- */

static void on_body(void *ctx, struct km_str body, const struct km_err *err)
{
    struct km_call *call = ctx;

    call->body = body;
    call->have_body = !err;
    if (err)
        km_call_fail(call, err);
    else
        km_call_resume(call, 0);
}

static void on_piece(void *ctx, struct km_str bytes, bool last, const struct km_err *err)
{
    struct km_call *call = ctx;

    km_call_on_piece(call, bytes, last, err);
}

static void on_writable(void *ctx)
{
    struct km_call *call = ctx;

    call->full = false;
    if (call->kind->on_writable)
        call->kind->on_writable(call);
    km_call_let_flow(call);
}

/* A stream whose last event is with its client: what its upstream may still say is for nobody. */
static bool was_served(const struct km_call *call)
{
    return call->streaming && !settled(call) && !call->failed && !call->unsaid &&
           call->at->relaying && call->kind->told_all && call->kind->told_all(call);
}

static void on_gone(void *ctx)
{
    struct km_call *call = ctx;

    call->client_gone = true;
    if (was_served(call)) { /* as Codex leaves: no failure, of nobody */
        km_call_abandon(call);
        km_call_served(call);
        return;
    }
    call->flags |= KM_CALL_CLIENT_GONE;
    if (call->port->ops->gone == KM_GONE_CANCEL)
        km_call_cancel(call, "The client went away.");
}

void km_call_take_port(struct km_call *call, struct km_visit *v, struct km_port *port)
{
    static const struct km_port_events events = {
        .on_body = on_body,
        .on_piece = on_piece,
        .on_writable = on_writable,
        .on_gone = on_gone,
    };

    call->visit = v;
    call->port = port;
    km_port_listen(port, &events, call);
}

size_t km_call_arena_bytes(const struct km_snapshot *snap)
{
    return (size_t)(snap->http->body_bytes * 8 + (16 << 20));
}

void *km_call_work(const struct km_call *call, const char *work_name)
{
    km_assert(call->kind->work_name == work_name);
    return call->work;
}

void km_call_set_work(struct km_call *call, void *work)
{
    km_assert(call->kind->work_name);
    call->work = work;
}

struct km_call_note {
    struct km_call_note *next;
    const void *tag;
    max_align_t data[];
};

void *km_call_note(const struct km_call *call, const void *tag)
{
    struct km_call_note *n = call->notes;

    while (n && n->tag != tag)
        n = n->next;
    return n ? n->data : NULL;
}

void *km_call_make_note(struct km_call *call, const void *tag, size_t size)
{
    void *data = km_call_note(call, tag);
    struct km_call_note *n;

    if (data)
        return data;
    n = km_arena_zalloc(&call->arena, sizeof *n + size);
    if (!n)
        return NULL;
    *n = (struct km_call_note){ .next = call->notes, .tag = tag };
    call->notes = n;
    return n->data;
}

struct km_call_waiter {
    struct km_call_waiter *next;
    void (*let_go)(void *data);
    void *data;
};

int km_call_when_over(struct km_call *call, void (*let_go)(void *data), void *data,
                      struct km_err *err)
{
    struct km_call_waiter *w = km_arena_alloc(&call->arena, sizeof *w);

    if (!w)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *w = (struct km_call_waiter){ .next = call->waiters, .let_go = let_go, .data = data };
    call->waiters = w;
    return 0;
}

void km_call_let_go(struct km_call *call)
{
    struct km_call_waiter *w = call->waiters;

    call->waiters = NULL;
    for (; w; w = w->next)
        w->let_go(w->data);
}

void km_call_time_runs(struct km_call *call)
{
    if (!km_timer_running(&call->deadline))
        km_timer_start(&call->deadline, km_call_time_left(call));
}

struct km_call *km_call_new(struct km_worker *w, const struct km_call_kind *kind, size_t bytes)
{
    struct km_arena arena;
    struct km_call *call;

    km_arena_init(&arena, bytes, km_loop_arenas(w->loop));
    call = km_arena_alloc(&arena, sizeof *call);
    if (!call) {
        km_arena_done(&arena);
        return NULL;
    }
    memset(call, 0, offsetof(struct km_call, err));
    km_err_clear(&call->err);
    call->arena = arena;
    call->magic = KM_CALL_MAGIC;
    call->at = call->newest = &call->first;
    call->first.call = call;
    call->w = w;
    call->kind = kind;
    call->bound_tokens = call->said_output = call->most_output = -1;
    call->hold.room.limit_requests = call->hold.room.limit_tokens = -1;
    call->began_ns = km_mono_ns();
    km_timer_init(&call->deadline, w->loop, on_deadline, call);
    km_list_push(&w->calls, &call->link);
    w->ncalls++;
    return call;
}

void km_call_drop(struct km_call *call)
{
    struct km_arena arena = call->arena;

    km_list_remove(&call->link);
    call->w->ncalls--;
    km_arena_done(&arena);
}

void km_call_become(struct km_call *call, const struct km_call_kind *kind, void *work)
{
    km_assert(call->step == KM_STEP_admit && !call->prepared);
    call->kind = kind;
    call->match = (struct km_model_match){ 0 };
    km_call_set_work(call, work);
}

void km_call_start(struct km_call *call)
{
    call->start_us = call->visit->came_us;
    call->at->answer.max = (size_t)call->visit->view->snap->gateway->response_bytes;
    call->step = KM_STEP_auth;
    run(call);
}

static void no_memory(struct km_visit *v)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_buf body KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_err err = { 0 };

    km_fail(&err, KM_E_NOMEM, "out of memory");
    km_error_head(&err, &head);
    km_id_lines(v, &head);
    km_error_json(v->dialect, &err, km_str(v->id_text, KM_UUID_LEN), &body);
    km_exchange_respond(v->x, km_err_http(&err), km_buf_view(&head), km_buf_view(&body));
}

void km_call_begin(struct km_visit *v, struct km_port *port, const struct km_call_kind *kind,
                   const struct km_llm_api *api)
{
    struct km_call *call =
        port ? km_call_new(v->w, kind, km_call_arena_bytes(v->view->snap)) : NULL;

    if (!call) {
        no_memory(v);
        return;
    }
    call->request = km_exchange_request(v->x);
    call->began_ns = km_exchange_began_ns(v->x);
    call->api = api;
    if (api)
        v->dialect = api->dialect;
    km_call_take_port(call, v, port);
    km_call_start(call);
}

void km_calls_leave(struct km_worker *w)
{
    KM_LIST_EACH(node, &w->calls)
    {
        struct km_call *call = KM_CONTAINER(node, struct km_call, link);

        if (call->kind->leave)
            call->kind->leave(call);
    }
}
