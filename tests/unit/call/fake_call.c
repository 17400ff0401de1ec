/* SPDX-License-Identifier: Apache-2.0 */
/* fake_call.c - see fake_call.h. */
#include "fake_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/veil.h"

struct fake_world f;

const char *const place_names[PLACES] = {
    [AT_TAKE] = "take",
    [AT_PREPARE] = "prepare",
    [AT_PREPARED] = "prepared hook",
    [AT_RESERVE] = "reserve",
    [AT_PERMIT] = "permit",
    [AT_GUARDED] = "guarded hook",
    [AT_ATTEMPT] = "attempt",
    [AT_ROUTED] = "routed hook",
    [AT_INTENT] = "intent",
    [AT_SEND] = "send",
    [AT_COMPLETE] = "complete",
    [AT_SETTLE] = "settle",
    [AT_RECORD] = "record",
    [AT_SETTLED] = "settled hook",
};

const char *const event_names[EVENTS] = {
    "goes well",   "waits",         "fails",          "waits and fails", "is cancelled",
    "times out",   "client gone",   "drain",          "key revoked",     "answered by a hook",
};

bool may_wait(enum place p)
{
    return p != AT_PREPARE && p != AT_RESERVE && p != AT_PERMIT;
}

bool may_fail(enum place p)
{
    return p != AT_SETTLE && p != AT_RECORD && p != AT_SETTLED;
}

bool is_hook(enum place p)
{
    return p == AT_PREPARED || p == AT_GUARDED || p == AT_ROUTED;
}

bool is_the_books(enum place p)
{
    return p >= AT_SETTLE;
}

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
void __wrap_km_ledger_progress(struct km_ledger *l, const struct km_ledger_entry *e,
                               km_store_done_fn *done, void *ctx, bool *ret_wait);
void __wrap_km_ledger_settle(struct km_ledger *l, const struct km_ledger_entry *e,
                             km_store_done_fn *done, void *ctx, bool *ret_wait);
bool __wrap_km_ledger_settle_in_place(struct km_ledger *l, const struct km_ledger_entry *e);

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

void __wrap_km_ledger_progress(struct km_ledger *l, const struct km_ledger_entry *e,
                               km_store_done_fn *done, void *ctx, bool *ret_wait)
{
    (void)l;
    (void)done;
    (void)ctx;
    (void)e;
    assert_true(f.intents > 0);
    f.progress++;
    *ret_wait = false;
}

void __wrap_km_ledger_settle(struct km_ledger *l, const struct km_ledger_entry *e,
                             km_store_done_fn *done, void *ctx, bool *ret_wait)
{
    (void)l;
    f.settlements++;
    f.of_intents += !e->unasked;
    f.last = *e;
    f.costs += e->cost;
    *ret_wait = happen(AT_SETTLE, NULL) == KM_E_AGAIN;
    f.written = done;
    f.written_ctx = ctx;
}

/* What is settled is looked at whole. */
bool __wrap_km_ledger_settle_in_place(struct km_ledger *l, const struct km_ledger_entry *e)
{
    (void)l;
    (void)e;
    return false;
}

/* --- the kind --- */

static int take(struct km_call *call, struct km_err *err)
{
    f.call = call; /* also one that was asked for within */
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
    int r = call->answered ? KM_HOOK_ANSWERED : km_call_intend(call, &call->err);

    if (r == 0)
        r = happen(AT_SEND, &call->err);
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

    call->held = r == KM_E_AGAIN;
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
    call->held = r == KM_E_AGAIN;
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

const struct km_call_kind fake_kind = {
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

static void let_go(void *data)
{
    (void)data;
    assert_int_equal(f.settlements, 0);
    f.let_gos++;
}

/* A hook that waits says how that is called off. */
static int wait_at(struct km_call *call, enum place p, struct km_err *err)
{
    int r = happen(p, err);

    if (r != KM_E_AGAIN)
        return r;
    if (km_call_when_over(call, let_go, NULL, err) == 0)
        return r;
    f.waiting = false;
    return KM_E_NOMEM;
}

static int prepared(struct km_call *call, struct km_err *err)
{
    return wait_at(call, AT_PREPARED, err);
}

static int guarded(struct km_call *call, struct km_err *err)
{
    return wait_at(call, AT_GUARDED, err);
}

static int routed(struct km_call *call, struct km_err *err)
{
    return wait_at(call, AT_ROUTED, err);
}

static int settled(struct km_call *call, struct km_err *err)
{
    assert_int_equal(f.of_intents, f.intents);
    (void)call;
    return happen(AT_SETTLED, err);
}

#define ROW(name_) (const struct km_call_hook *const[]){ &name_##_hook, NULL }
static const struct km_call_hook prepared_hook = { .name = "prepared", .run = prepared };
static const struct km_call_hook guarded_hook = { .name = "guarded", .run = guarded };
static const struct km_call_hook routed_hook = { .name = "routed", .run = routed };
static const struct km_call_hook settled_hook = { .name = "settled", .run = settled };
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
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < parts[i].n && f.nsaid < sizeof f.said - 1; k++)
            f.said[f.nsaid++] = parts[i].p[k];
    return !f.full;
}

static bool port_take_back(struct km_port *port)
{
    (void)port;
    return false;
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
    .take_back = port_take_back,
};

/* --- the world around it --- */

static void on_stop(void *ctx)
{
    km_loop_stop(ctx);
}

void turn(void)
{
    km_timer_start(&f.stop, 1);
    km_loop_run(f.loop);
}

bool make_world(void)
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
    f.execution.max_retries = KM_RETRIES_MOST;
    f.runs.iterations = f.runs.budget = f.runs.same_calls = -1;
    f.snap = (struct km_snapshot){ .refs = 1,
                                   .gateway = &f.gateway,
                                   .general = &f.general,
                                   .http = &f.http,
                                   .keys = &f.keys,
                                   .llm = &f.llm,
                                   .routing = &f.routing,
                                   .execution = &f.execution,
                                   .runs = &f.runs,
                                   .callers = &f.callers,
                                   .caller_tags = &f.caller_tags };
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

void unmake_world(void)
{
    km_key_unref(f.key);
    km_buf_done(&f.w.scratch);
    f.gw.keys = f.gw.keys ? km_keys_free(f.gw.keys) : NULL;
    f.gw.metrics = f.gw.metrics ? km_metrics_free(f.gw.metrics) : NULL;
    f.gw.veil = km_veil_free(f.gw.veil);
    f.loop = f.loop ? km_loop_free(f.loop) : NULL;
}

bool is_over(void)
{
    return f.w.ncalls == 0;
}

void check_settled(void)
{
    assert_true(is_over());
    assert_int_equal(f.of_intents, f.intents);
    assert_true(f.responds + f.ends + f.aborts <= 1);
    assert_int_equal(km_key_reserved(f.key), 0);
}

void resume(enum place p, const struct km_err *why)
{
    f.waiting = false;
    if (p == AT_INTENT || p == AT_SETTLE) {
        f.written(f.written_ctx, why);
        return;
    }
    f.call->held = false;
    if (p == AT_SEND && !why)
        answer_come(f.call);
    if (why)
        km_call_fail(f.call, why);
    else
        km_call_resume(f.call, 0);
}
