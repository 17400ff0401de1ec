/* SPDX-License-Identifier: Apache-2.0 */
/* test_steps.c - the table of steps alone: a fake kind and a fake port on a real loop, with real
 * keys and permits; the ledger is counted instead of written.
 *
 * At each place where a call may wait or fail, each thing that can happen to it happens: and
 * whatever it was, a call that was admitted is settled exactly once, its client gets exactly one
 * end, and all that it took is given back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/veil.h"
#include "gateway/call.h"
#include "gateway/hooks.h"
#include "host/settings.h"
#include "torture.h"

#define ARENA_BYTES ((size_t)1 << 20)
#define BUDGET 1000000000

/* Where something is made to happen, in the order of a call's life. */
enum place {
    AT_TAKE,
    AT_PREPARE,
    AT_PREPARED,
    AT_RESERVE,
    AT_PERMIT,
    AT_INTENT,
    AT_GUARDED,
    AT_ATTEMPT,
    AT_ROUTED,
    AT_SEND,
    AT_COMPLETE,
    AT_SETTLE,
    AT_RECORD,
    AT_SETTLED,
    PLACES,
};

static const char *const place_names[PLACES] = {
    [AT_TAKE] = "take",
    [AT_PREPARE] = "prepare",
    [AT_PREPARED] = "prepared hook",
    [AT_RESERVE] = "reserve",
    [AT_PERMIT] = "permit",
    [AT_INTENT] = "intent",
    [AT_GUARDED] = "guarded hook",
    [AT_ATTEMPT] = "attempt",
    [AT_ROUTED] = "routed hook",
    [AT_SEND] = "send",
    [AT_COMPLETE] = "complete",
    [AT_SETTLE] = "settle",
    [AT_RECORD] = "record",
    [AT_SETTLED] = "settled hook",
};

enum event {
    GOES_WELL,
    WAITS,
    FAILS,
    WAITS_AND_FAILS,
    IS_CANCELLED,
    RUNS_OUT_OF_TIME,
    CLIENT_GOES,
    WORKER_DRAINS,
    KEY_IS_REVOKED,
    IS_ANSWERED, /* by a hook */
    EVENTS,
};

static const char *const event_names[EVENTS] = {
    "goes well",   "waits",         "fails",          "waits and fails", "is cancelled",
    "times out",   "client gone",   "drain",          "key revoked",     "answered by a hook",
};

static bool may_wait(enum place p)
{
    return p != AT_PREPARE && p != AT_RESERVE && p != AT_PERMIT;
}

static bool may_fail(enum place p)
{
    return p != AT_SETTLE && p != AT_RECORD && p != AT_SETTLED;
}

static bool is_hook(enum place p)
{
    return p == AT_PREPARED || p == AT_GUARDED || p == AT_ROUTED;
}

/* The books are being written: nothing may move the call before they are. */
static bool is_the_books(enum place p)
{
    return p == AT_INTENT || p >= AT_SETTLE;
}

static struct fixture {
    struct km_loop *loop;
    struct km_gateway gw;
    struct km_worker w;
    struct km_view view;
    struct km_snapshot snap;
    struct km_visit visit;
    struct km_key *key;
    struct km_gateway_args args;
    struct km_gateway_settings gateway;
    struct km_http_settings http;
    struct km_key_settings keys;
    struct km_llm_defaults llm;
    struct km_router_settings routing;
    struct km_general_settings general;
    struct km_timer stop;
    struct km_port port;
    struct km_call *call; /* NULL: it is over */

    /* what is to happen */
    enum place place;
    enum event event;
    bool waiting, waited[PLACES];
    km_store_done_fn *written; /* of the ledger */
    void *written_ctx;

    /* what happened */
    unsigned intents, settlements, starts, ends, aborts, responds, records, abandons;
    unsigned visits[PLACES];
    bool left;
    struct km_ledger_entry last;
    int status;
} f;

/* --- what happens at a place: 0, KM_E_AGAIN or an error --- */

static int happen(enum place p, struct km_err *err)
{
    f.visits[p]++;
    if (f.place != p)
        return 0;
    if (f.event == FAILS)
        return km_fail(err, KM_E_INVALID, "It fails at %s.", place_names[p]);
    if (f.event == GOES_WELL || f.waited[p])
        return 0;
    if (f.event == IS_ANSWERED)
        return KM_HOOK_ANSWERED;
    f.waited[p] = f.waiting = true;
    return KM_E_AGAIN;
}

/* --- the ledger --- */

int __wrap_km_ledger_intent(struct km_ledger *l, const struct km_ledger_entry *e,
                            km_store_done_fn *done, void *ctx, bool *ret_wait, struct km_err *err);
void __wrap_km_ledger_settle(struct km_ledger *l, const struct km_ledger_entry *e,
                             km_store_done_fn *done, void *ctx, bool *ret_wait);

int __wrap_km_ledger_intent(struct km_ledger *l, const struct km_ledger_entry *e,
                            km_store_done_fn *done, void *ctx, bool *ret_wait, struct km_err *err)
{
    int r = happen(AT_INTENT, err);

    (void)l;
    assert_int_equal(e->reserved, f.call->reserve);
    f.intents += r == 0 || r == KM_E_AGAIN;
    *ret_wait = r == KM_E_AGAIN;
    f.written = done;
    f.written_ctx = ctx;
    return r == KM_E_AGAIN ? 0 : r;
}

void __wrap_km_ledger_settle(struct km_ledger *l, const struct km_ledger_entry *e,
                             km_store_done_fn *done, void *ctx, bool *ret_wait)
{
    (void)l;
    f.settlements++;
    f.last = *e;
    *ret_wait = happen(AT_SETTLE, NULL) == KM_E_AGAIN;
    f.written = done;
    f.written_ctx = ctx;
}

/* --- the kind --- */

static int take(struct km_call *call, struct km_err *err)
{
    (void)call;
    return happen(AT_TAKE, err);
}

static int prepare(struct km_call *call, struct km_err *err)
{
    call->req = (struct km_llm_request){ .max_tokens = -1, .choices = 1, .num_retries = -1 };
    return happen(AT_PREPARE, err);
}

static int reserve(struct km_call *call, struct km_err *err)
{
    call->reserve = f.place == AT_PERMIT && f.event == FAILS ? 2 * (int64_t)BUDGET : BUDGET / 2;
    return happen(AT_RESERVE, err);
}

static int attempt(struct km_call *call, struct km_err *err)
{
    (void)call;
    return happen(AT_ATTEMPT, err);
}

static void answer_come(struct km_call *call)
{
    call->at->status = 200;
    call->first_us = 1;
    km_buf_str(&call->at->answer, KM_STR("an answer"));
    km_call_go(call, KM_STEP_relay);
}

static enum km_next send_it(struct km_call *call)
{
    int r = call->answered ? KM_HOOK_ANSWERED : happen(AT_SEND, &call->err);

    if (r == KM_HOOK_ANSWERED) {
        call->at->status = 200;
        return km_call_go(call, KM_STEP_account);
    }
    if (r == KM_E_AGAIN)
        return KM_WAIT;
    if (r < 0) {
        call->failed = true;
        return km_call_go(call, KM_STEP_recover);
    }
    answer_come(call);
    return KM_MORE;
}

static void abandon(struct km_call *call)
{
    (void)call;
    f.abandons++;
    if (f.place == AT_SEND)
        f.waiting = false;
}

static int complete(struct km_call *call, struct km_err *err)
{
    int r = happen(AT_COMPLETE, err);

    call->ledger_waits = r == KM_E_AGAIN;
    return r;
}

static bool cost(const struct km_call *call, bool sent, int64_t *ret_cost)
{
    (void)sent;
    *ret_cost = call->first_us ? BUDGET / 4 : 0;
    return true;
}

static bool record(struct km_call *call)
{
    int r = happen(AT_RECORD, NULL);

    f.records++;
    call->ledger_waits = r == KM_E_AGAIN;
    return r == KM_E_AGAIN;
}

static void books(struct km_call *call, struct km_ledger_entry *e)
{
    (void)call;
    e->call_type = KM_STR("fake");
}

static void leave(struct km_call *call)
{
    (void)call;
    f.left = true;
}

static const struct km_call_kind kind = {
    .name = "fake",
    .placed = true,
    .take = take,
    .prepare = prepare,
    .reserve = reserve,
    .attempt = attempt,
    .send = send_it,
    .abandon = abandon,
    .complete = complete,
    .cost = cost,
    .record = record,
    .books = books,
    .leave = leave,
};

/* --- hooks --- */

static int prepared(struct km_call *call, struct km_err *err)
{
    (void)call;
    return happen(AT_PREPARED, err);
}

static int guarded(struct km_call *call, struct km_err *err)
{
    (void)call;
    return happen(AT_GUARDED, err);
}

static int routed(struct km_call *call, struct km_err *err)
{
    (void)call;
    return happen(AT_ROUTED, err);
}

static int settled(struct km_call *call, struct km_err *err)
{
    assert_int_equal(f.settlements, f.intents);
    (void)call;
    return happen(AT_SETTLED, err);
}

#define ROW(name_) (const struct km_call_hook *const[]){ &name_##_hook, NULL }
static const struct km_call_hook prepared_hook = { "prepared", prepared };
static const struct km_call_hook guarded_hook = { "guarded", guarded };
static const struct km_call_hook routed_hook = { "routed", routed };
static const struct km_call_hook settled_hook = { "settled", settled };
static const struct km_call_hooks hooks = { .at = { [KM_HOOK_PREPARED] = ROW(prepared),
                                                    [KM_HOOK_GUARDED] = ROW(guarded),
                                                    [KM_HOOK_ROUTED] = ROW(routed),
                                                    [KM_HOOK_SETTLED] = ROW(settled) } };

/* --- the port --- */

static void port_start(struct km_port *port, int status, struct km_str head, uint64_t length)
{
    (void)port;
    (void)head;
    (void)length;
    f.starts++;
    f.status = status;
}

static bool port_write(struct km_port *port, const struct km_str *parts, size_t n)
{
    (void)port;
    (void)parts;
    (void)n;
    return true;
}

static void port_end(struct km_port *port)
{
    (void)port;
    f.ends++;
}

static void port_abort(struct km_port *port)
{
    (void)port;
    f.aborts++;
}

static void port_respond(struct km_port *port, int status, struct km_str head, struct km_str body)
{
    (void)port;
    (void)head;
    (void)body;
    f.responds++;
    f.status = status;
}

static const struct km_port_ops port_ops = {
    .name = "fake",
    .start = port_start,
    .write = port_write,
    .end = port_end,
    .abort = port_abort,
    .respond = port_respond,
};

/* --- the world around it --- */

static void on_stop(void *ctx)
{
    km_loop_stop(ctx);
}

/* Lets what is due now come: the loop's timers fire in their order. */
static void turn(void)
{
    km_timer_start(&f.stop, 1);
    km_loop_run(f.loop);
}

/* false: there was no memory for it. */
static bool make_world(void)
{
    static struct km_key_row row;
    struct km_err err = { 0 };

    memset(&f, 0, sizeof f);
    row = (struct km_key_row){ .hash = { 1 },
                               .alias = KM_STR("test"),
                               .max_budget = BUDGET,
                               .soft_budget = -1,
                               .rpm = -1,
                               .tpm = -1,
                               .max_parallel = 1 };
    f.loop = km_loop_new(&err);
    f.gw.keys = km_keys_new(10);
    f.gw.metrics = km_metrics_new(1, 1000);
    f.gw.veil = km_veil_new();
    if (!f.loop || !f.gw.keys || !f.gw.metrics || !f.gw.veil ||
        km_keys_put(f.gw.keys, &row, &err) < 0)
        return false;
    f.key = km_keys_find(f.gw.keys, row.hash);
    f.args.hooks = &hooks;
    f.gw.args = &f.args;
    f.gw.bodies.limit = 1 << 20;
    f.gateway.response_bytes = 1 << 20;
    f.keys.default_max_parallel = -1;
    f.llm.num_retries = f.routing.num_retries = -1;
    f.llm.request_timeout_ms = 600000;
    f.snap = (struct km_snapshot){ .refs = 1,
                                   .gateway = &f.gateway,
                                   .general = &f.general,
                                   .http = &f.http,
                                   .keys = &f.keys,
                                   .llm = &f.llm,
                                   .routing = &f.routing };
    f.view = (struct km_view){ .snap = &f.snap, .refs = 1 };
    f.w.gw = &f.gw;
    f.w.loop = f.loop;
    f.w.view = &f.view;
    km_list_init(&f.w.calls);
    km_buf_init(&f.w.scratch, 1 << 20);
    f.visit.w = &f.w;
    f.visit.view = &f.view;
    f.visit.who.key = f.key;
    f.visit.standing = KM_STANDING_KNOWN;
    f.port.ops = &port_ops;
    km_timer_init(&f.stop, f.loop, on_stop, f.loop);
    return true;
}

static void unmake_world(void)
{
    km_key_unref(f.key);
    km_buf_done(&f.w.scratch);
    f.gw.keys = f.gw.keys ? km_keys_free(f.gw.keys) : NULL;
    f.gw.metrics = f.gw.metrics ? km_metrics_free(f.gw.metrics) : NULL;
    f.gw.veil = km_veil_free(f.gw.veil);
    f.loop = f.loop ? km_loop_free(f.loop) : NULL;
}

/* --- one call --- */

static bool is_over(void)
{
    return f.w.ncalls == 0;
}

static void resume(enum place p, const struct km_err *why)
{
    f.waiting = false;
    if (p == AT_INTENT || p == AT_SETTLE) {
        f.written(f.written_ctx, why);
        return;
    }
    f.call->ledger_waits = false;
    if (p == AT_SEND && !why)
        answer_come(f.call);
    if (why)
        km_call_fail(f.call, why);
    else
        km_call_resume(f.call, 0);
}

static void strike(enum event event, enum place p)
{
    struct km_err why = { 0 };

    if (event == IS_CANCELLED) {
        km_call_cancel(f.call, "It is not wanted any more.");
    } else if (event == RUNS_OUT_OF_TIME) {
        km_timer_start(&f.call->deadline, 0);
        turn();
    } else if (event == CLIENT_GOES) {
        km_call_gone(f.call);
    } else if (event == WORKER_DRAINS) {
        km_calls_leave(&f.w);
    } else if (event == KEY_IS_REVOKED) {
        km_fail(&why, KM_E_UNAUTHENTICATED, "The key was revoked.");
        km_call_revoke(f.call, &why);
    } else if (event == WAITS_AND_FAILS && may_fail(p)) {
        km_fail(&why, KM_E_STORE, "It came to nothing.");
        resume(p, &why);
    }
}

static void run_call(enum place p, enum event event)
{
    f.place = p;
    f.event = event;
    f.call = km_call_new(&f.w, &kind, ARENA_BYTES);
    if (!f.call)
        return;
    f.call->visit = &f.visit;
    f.call->port = &f.port;
    km_call_start(f.call);
    if (is_over() || !f.waiting)
        return;
    strike(event, p);
    if (p == AT_SEND && is_over() && f.waiting)
        fail_msg("%s: what was sent was not stopped", event_names[event]);
    if (!is_over() && f.waiting)
        resume(p, NULL);
}

/* --- what must hold --- */

static void check_all(enum place p, enum event event)
{
    struct km_admission a = { .reserve = BUDGET / 2, .default_max_parallel = -1 };
    struct km_permit probe = { 0 };
    struct km_headroom room;
    struct km_err err = { 0 };
    const bool gone = event == CLIENT_GOES;

    if (!is_over())
        fail_msg("%s: %s: the call is not over", place_names[p], event_names[event]);
    assert_true(km_list_empty(&f.w.calls));
    if (f.settlements != f.intents || f.intents > 1)
        fail_msg("%s: %s: %u intents, %u settlements", place_names[p], event_names[event],
                 f.intents, f.settlements);
    if (f.responds + f.ends + f.aborts != 1 || f.starts > 1 || (f.starts && f.responds))
        fail_msg("%s: %s: %u responses, %u starts, %u ends, %u aborts", place_names[p],
                 event_names[event], f.responds, f.starts, f.ends, f.aborts);
    assert_int_equal(f.aborts, gone && f.visits[p] > 0);
    if (gone && p < AT_ATTEMPT) /* nobody waits for it: no upstream is asked */
        assert_int_equal(f.visits[AT_ATTEMPT], 0);
    assert_int_equal(f.gw.bodies.used, 0);
    assert_int_equal(km_key_reserved(f.key), 0);
    /* One at a time, and no more than is left of its budget: both are there again. */
    if (km_permit_take(f.key, &a, &probe, &room, NULL, &err) < 0)
        fail_msg("%s: %s: the permit is not back: %s", place_names[p], event_names[event],
                 err.text);
    km_permit_settle(&probe, 0, 0, 0);
}

/* The call did what was asked of it, and nothing was in the way. */
static bool ends_well(enum place p, enum event event)
{
    if (event == GOES_WELL || event == WAITS || event == WORKER_DRAINS || event == IS_ANSWERED)
        return true;
    if (event == FAILS)
        return !may_fail(p);
    if (event == WAITS_AND_FAILS)
        return !may_fail(p);
    if (p == AT_INTENT || p == AT_COMPLETE) /* seen once it is written */
        return event != CLIENT_GOES || p == AT_COMPLETE;
    return p >= AT_SETTLE || !may_wait(p);
}

static void every_place_and_every_event(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PLACES; p++)
        for (unsigned e = 0; e < EVENTS; e++) {
            if ((e != GOES_WELL && e != FAILS && !may_wait((enum place)p)) ||
                (e == FAILS && !may_fail((enum place)p)) ||
                (e == IS_ANSWERED && !is_hook((enum place)p)))
                continue;
            assert_true(make_world());
            run_call((enum place)p, (enum event)e);
            check_all((enum place)p, (enum event)e);
            if (f.responds + f.ends == 1 &&
                ends_well((enum place)p, (enum event)e) != (f.status == 200))
                fail_msg("%s: %s: the client got %d: %s", place_names[p], event_names[e], f.status,
                         "");
            if (e == WORKER_DRAINS)
                assert_true(f.left);
            unmake_world();
        }
}

static void what_it_cost_is_settled_and_charged(void **state)
{
    (void)state;
    assert_true(make_world());
    run_call(AT_SEND, GOES_WELL);
    check_all(AT_SEND, GOES_WELL);
    assert_int_equal(f.last.cost, BUDGET / 4);
    assert_int_equal(f.last.reserved, BUDGET / 2);
    assert_int_equal(f.last.status, 200);
    assert_int_equal(km_key_spend(f.key), BUDGET / 4);
    assert_int_equal(f.last.flags & (KM_CALL_FAILED | KM_CALL_CLIENT_GONE), 0);
    unmake_world();
    assert_true(make_world());
    run_call(AT_SEND, CLIENT_GOES);
    check_all(AT_SEND, CLIENT_GOES);
    assert_int_equal(f.last.status, 499);
    assert_int_equal(f.last.cost, 0);
    assert_int_equal(f.last.flags & (KM_CALL_FAILED | KM_CALL_CLIENT_GONE),
                     KM_CALL_FAILED | KM_CALL_CLIENT_GONE);
    unmake_world();
}

/* While its books are written nothing moves a call: not a cancellation, not the deadline. */
static void nothing_moves_a_call_while_its_books_are_written(void **state)
{
    static const enum event strikes[] = { IS_CANCELLED, RUNS_OUT_OF_TIME, CLIENT_GOES,
                                          KEY_IS_REVOKED };

    (void)state;
    for (unsigned p = 0; p < PLACES; p++)
        for (size_t e = 0; is_the_books((enum place)p) && e < sizeof strikes / sizeof *strikes;
             e++) {
            enum km_step_id before;

            assert_true(make_world());
            f.place = (enum place)p;
            f.event = strikes[e];
            f.call = km_call_new(&f.w, &kind, ARENA_BYTES);
            f.call->visit = &f.visit;
            f.call->port = &f.port;
            km_call_start(f.call);
            assert_true(f.waiting);
            before = f.call->step;
            strike(strikes[e], (enum place)p);
            assert_false(is_over());
            assert_int_equal(f.call->step, before);
            assert_int_equal(f.responds + f.ends + f.aborts, 0);
            resume((enum place)p, NULL);
            check_all((enum place)p, strikes[e]);
            unmake_world();
        }
}

/* A call that nobody listens to ends as any other, but says nothing. */
static void a_call_without_a_port_is_settled_too(void **state)
{
    (void)state;
    assert_true(make_world());
    f.place = AT_SEND;
    f.event = GOES_WELL;
    f.call = km_call_new(&f.w, &kind, ARENA_BYTES);
    f.call->visit = &f.visit;
    km_call_start(f.call);
    assert_true(is_over());
    assert_int_equal(f.settlements, 1);
    assert_int_equal(f.responds + f.starts + f.ends + f.aborts, 0);
    unmake_world();
}

static void life(void)
{
    if (make_world()) {
        run_call(AT_ROUTED, WAITS);
        assert_true(is_over());
        assert_int_equal(f.settlements, f.intents);
        assert_true(f.responds + f.ends + f.aborts <= 1);
        assert_int_equal(km_key_reserved(f.key), 0);
    }
    unmake_world();
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    assert_true(km_torture(life) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_place_and_every_event),
        cmocka_unit_test(what_it_cost_is_settled_and_charged),
        cmocka_unit_test(nothing_moves_a_call_while_its_books_are_written),
        cmocka_unit_test(a_call_without_a_port_is_settled_too),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
