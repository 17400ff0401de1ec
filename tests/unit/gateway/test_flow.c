/* SPDX-License-Identifier: Apache-2.0 */
/* test_flow.c - the table of an MCP call's step `send` alone: what its rows begin and undo is
 * counted instead of done, and so is what becomes of the call.
 *
 * At each step each thing that can happen to it happens: and whatever it was, what was begun is
 * undone exactly once, and the call moves on at most once, by its own table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/mcp/flow.h"

#define STEPS ((int)KM_MCP_FLOW_STEPS)
#define SEQUENCE ((int)KM_MCP_FLOW_parked) /* the steps that follow each other */

enum event {
    GOES_WELL, /* at once */
    WAITS, /* and goes well */
    IS_RESUMED_AT_ONCE, /* before its begin is over */
    BEGINS_AGAIN,
    FAILS,
    WAITS_AND_FAILS,
    IS_LATE, /* its own time is over: its late ends it */
    IS_CANCELLED, /* or the call's deadline is over: what the call does is the same */
    IS_CANCELLED_PARKED, /* while it waits for a client that is gone */
    EVENTS,
};

static const char *const event_names[EVENTS] = {
    "goes well", "waits",           "is resumed at once", "begins again",       "fails",
    "waits, fails", "is late", "is cancelled",      "is cancelled parked",
};

static struct fixture {
    struct km_loop *loop;
    struct km_worker w;
    struct km_call call;
    struct km_mcp_flow flow;
    struct km_timer stop;

    int at; /* where it happens */
    enum event event;
    int next; /* where the step leads then */
    unsigned begun[STEPS], undone[STEPS], late[STEPS];
    unsigned relayed, recovered;
} f;

/* --- the call, as far as the flow knows it --- */

enum km_next km_call_go(struct km_call *call, enum km_step_id to)
{
    call->step = to;
    f.relayed += to == KM_STEP_relay;
    f.recovered += to == KM_STEP_recover;
    return KM_MORE;
}

void km_call_resume(struct km_call *call, int status)
{
    assert_ptr_equal(call, &f.call);
    assert_int_equal(status, 0);
    assert_int_equal(call->step, KM_STEP_send);
    (void)km_mcp_flow_run(&f.flow);
}

/* --- the rows --- */

/* On the way to `at`: the way there is judge, approval, login, ask, inputs. */
static int towards(int step)
{
    return step < f.at ? step + 1 : (int)KM_MCP_FLOW_done;
}

static int happen(int step, struct km_err *err)
{
    f.begun[step]++;
    if (step != f.at || f.begun[step] > 1)
        return towards(step);
    switch (f.event) {
    case GOES_WELL:
        return f.next;
    case FAILS:
        return km_fail(err, KM_E_OVERLOADED, "it fails");
    case IS_RESUMED_AT_ONCE:
        km_mcp_flow_resume(&f.flow, (enum km_mcp_flow_step)step, (enum km_mcp_flow_step)f.next,
                           NULL);
        return KM_MCP_FLOW_wait;
    case IS_LATE:
        km_mcp_flow_time(&f.flow, 0);
        return KM_MCP_FLOW_wait;
    case IS_CANCELLED_PARKED:
        km_mcp_flow_hold(&f.flow, KM_MCP_FLOW_parked);
        km_mcp_flow_hold(&f.flow, KM_MCP_FLOW_parked); /* it is */
        return KM_MCP_FLOW_wait;
    default:
        return KM_MCP_FLOW_wait;
    }
}

#define BEGIN(row)                                                                                \
    int km_mcp_begin_##row(struct km_mcp_flow *flow, struct km_err *err)                          \
    {                                                                                              \
        assert_ptr_equal(flow, &f.flow);                                                           \
        return happen(KM_MCP_FLOW_##row, err);                                                    \
    }
#define UNDO(row)                                                                                 \
    void km_mcp_undo_##row(struct km_mcp_flow *flow)                                              \
    {                                                                                              \
        assert_ptr_equal(flow, &f.flow);                                                           \
        assert_false(km_timer_running(&flow->timer) && flow->step == KM_MCP_FLOW_##row);          \
        f.undone[KM_MCP_FLOW_##row]++;                                                            \
    }
#define LATE(row)                                                                                 \
    void km_mcp_late_##row(struct km_mcp_flow *flow)                                              \
    {                                                                                              \
        f.late[KM_MCP_FLOW_##row]++;                                                              \
        km_mcp_flow_resume(flow, KM_MCP_FLOW_##row, (enum km_mcp_flow_step)f.next, NULL);         \
    }

BEGIN(judge)
BEGIN(approval)
BEGIN(login)
BEGIN(ask)
BEGIN(inputs)
UNDO(approval)
UNDO(login)
UNDO(ask)
UNDO(inputs)
UNDO(parked)
LATE(approval)
LATE(login)
LATE(inputs)

int km_mcp_begin_parked(struct km_mcp_flow *flow, struct km_err *err)
{
    (void)flow;
    (void)err;
    f.begun[KM_MCP_FLOW_parked]++;
    return KM_MCP_FLOW_wait;
}

/* --- one of each --- */

static void on_stop(void *ctx)
{
    km_loop_stop(ctx);
}

static void turn_loop(void)
{
    km_timer_start(&f.stop, 1);
    km_loop_run(f.loop);
}

static void set_up(void)
{
    struct km_loop *loop = f.loop;
    struct km_err err = { 0 };

    f = (struct fixture){ .loop = loop ? loop : km_loop_new(&err) };
    assert_non_null(f.loop);
    f.w.loop = f.loop;
    f.call.w = &f.w;
    f.call.at = &f.call.first;
    f.call.step = KM_STEP_send;
    km_timer_init(&f.stop, f.loop, on_stop, f.loop);
    km_mcp_flow_init(&f.flow, &f.call);
}

/* May a step do that at all? */
static bool can(int step, enum event event)
{
    const struct km_mcp_flow_row *row = km_mcp_flow_row((enum km_mcp_flow_step)step);

    if (event == GOES_WELL || event == FAILS)
        return true;
    return row->waits != KM_MCP_WAITS_FOR_NOTHING && (event != IS_LATE || row->late);
}

/* What the wait ends with, from outside. */
static void end_wait(void)
{
    enum km_mcp_flow_step step = (enum km_mcp_flow_step)f.at;
    struct km_err err = { 0 };

    switch (f.event) {
    case WAITS:
        km_mcp_flow_resume(&f.flow, step, (enum km_mcp_flow_step)f.next, NULL);
        break;
    case BEGINS_AGAIN:
        km_mcp_flow_resume(&f.flow, step, step, NULL);
        break;
    case WAITS_AND_FAILS:
        km_fail(&err, KM_E_UPSTREAM_TIMEOUT, "it fails later");
        km_mcp_flow_resume(&f.flow, step, step, &err);
        break;
    case IS_LATE:
        turn_loop();
        break;
    default: /* the call ends: once as it abandons, once as it finishes */
        km_mcp_flow_end(&f.flow);
        km_mcp_flow_end(&f.flow);
        break;
    }
}

static void check(void)
{
    bool fails = f.event == FAILS || f.event == WAITS_AND_FAILS;
    bool ends = f.event == IS_CANCELLED || f.event == IS_CANCELLED_PARKED;

    for (int i = 0; i < STEPS; i++)
        if (km_mcp_flow_row((enum km_mcp_flow_step)i)->undo)
            assert_int_equal(f.undone[i], f.begun[i]);
    assert_int_equal(f.begun[KM_MCP_FLOW_parked], f.event == IS_CANCELLED_PARKED);
    assert_int_equal(f.relayed, !fails && !ends);
    assert_int_equal(f.recovered, fails);
    assert_int_equal(f.call.failed, fails);
    assert_int_equal(f.call.err.code,
                     fails ? f.event == FAILS ? KM_E_OVERLOADED : KM_E_UPSTREAM_TIMEOUT : 0);
    assert_int_equal(f.flow.begun, 0);
    assert_false(km_timer_running(&f.flow.timer));
    assert_int_equal(f.late[f.at], f.event == IS_LATE);
}

static void one(int step, enum event event, int next)
{
    set_up();
    f.at = step;
    f.event = event;
    f.next = next;
    if (km_mcp_flow_run(&f.flow) == KM_WAIT)
        end_wait();
    km_mcp_flow_end(&f.flow); /* as every call does at its end */
    check();
}

static void every_step_and_every_event(void **state)
{
    (void)state;
    for (int step = 0; step < SEQUENCE; step++) {
        unsigned leads = km_mcp_flow_row((enum km_mcp_flow_step)step)->leads;

        for (int event = 0; event < EVENTS; event++) {
            if (!can(step, (enum event)event))
                continue;
            for (int next = 0; next <= (int)KM_MCP_FLOW_done; next++) {
                if (!(leads & 1U << (unsigned)next))
                    continue;
                print_message("%s %s, then %d\n",
                              km_mcp_flow_row((enum km_mcp_flow_step)step)->name,
                              event_names[event], next);
                one(step, (enum event)event, next);
            }
        }
    }
    f.loop = km_loop_free(f.loop);
}

static void the_table_is_whole(void **state)
{
    (void)state;
    for (int i = 0; i < STEPS; i++) {
        const struct km_mcp_flow_row *row = km_mcp_flow_row((enum km_mcp_flow_step)i);

        assert_non_null(row->name);
        assert_non_null(row->begin);
        assert_true(row->beside || row->leads);
        assert_true(row->waits != KM_MCP_WAITS_FOR_NOTHING || !row->undo); /* what it made stays */
        assert_int_equal(row->leads & 1U << KM_MCP_FLOW_parked, 0); /* it is no step to go to */
    }
}

/* A client that comes back takes the call off its park; it is parked again by the next question. */
static void parked_again_is_undone_again(void **state)
{
    (void)state;
    set_up();
    f.at = KM_MCP_FLOW_ask;
    f.event = WAITS;
    f.next = KM_MCP_FLOW_done;
    assert_int_equal(km_mcp_flow_run(&f.flow), KM_WAIT);
    for (unsigned n = 1; n <= 3; n++) {
        km_mcp_flow_hold(&f.flow, KM_MCP_FLOW_parked);
        km_mcp_flow_drop(&f.flow, KM_MCP_FLOW_parked);
        km_mcp_flow_drop(&f.flow, KM_MCP_FLOW_parked);
        assert_int_equal(f.begun[KM_MCP_FLOW_parked], n);
        assert_int_equal(f.undone[KM_MCP_FLOW_parked], n);
    }
    end_wait();
    km_mcp_flow_end(&f.flow);
    f.event = GOES_WELL;
    assert_int_equal(f.relayed, 1);
    f.loop = km_loop_free(f.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_whole),
        cmocka_unit_test(every_step_and_every_event),
        cmocka_unit_test(parked_again_is_undone_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
