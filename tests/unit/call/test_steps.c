/* SPDX-License-Identifier: Apache-2.0 */
/* test_steps.c - the table of steps alone, in the world of fake_call.h.
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

#include "fake_call.h"
#include "torture.h"

/* --- one call --- */

static void strike(enum event event, enum place p)
{
    struct km_err why = { 0 };

    if (event == IS_CANCELLED) {
        km_call_cancel(f.call, "It is not wanted any more.");
    } else if (event == RUNS_OUT_OF_TIME) {
        km_timer_start(&f.call->deadline, 0);
        turn();
    } else if (event == CLIENT_GOES) {
        f.port.events->on_gone(f.port.ctx);
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
    f.call = km_call_new(&f.w, &fake_kind, ARENA_BYTES);
    if (!f.call)
        return;
    km_call_take_port(f.call, &f.visit, &f.port);
    km_call_start(f.call);
    if (is_over() || !f.waiting)
        return;
    if (is_hook(p)) /* nobody waits for ever */
        assert_true(km_timer_running(&f.call->deadline));
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
    if (f.of_intents != f.intents || f.settlements > 1)
        fail_msg("%s: %s: %u intents, %u settlements", place_names[p], event_names[event],
                 f.intents, f.settlements);
    if (f.responds + f.ends + f.aborts != 1 || f.starts > 1 || (f.starts && f.responds))
        fail_msg("%s: %s: %u responses, %u starts, %u ends, %u aborts", place_names[p],
                 event_names[event], f.responds, f.starts, f.ends, f.aborts);
    assert_int_equal(f.aborts, gone && f.visits[p] > 0);
    if (gone && p < AT_ATTEMPT) /* nobody waits for it: no upstream is asked */
        assert_int_equal(f.visits[AT_ATTEMPT], 0);
    if (f.let_gos != (is_hook(p) && f.waited[p]))
        fail_msg("%s: %s: it was called off %u times", place_names[p], event_names[event],
                 f.let_gos);
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
    if (p == AT_COMPLETE) /* seen once it is done */
        return true;
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
            f.call = km_call_new(&f.w, &fake_kind, ARENA_BYTES);
            km_call_take_port(f.call, &f.visit, &f.port);
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
    f.call = km_call_new(&f.w, &fake_kind, ARENA_BYTES);
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
        check_settled();
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
