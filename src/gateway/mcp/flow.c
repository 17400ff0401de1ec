/* SPDX-License-Identifier: Apache-2.0 */
/* flow.c - see flow.h for the contract.
 *
 * Read the table first.  One function moves the flow (km_mcp_flow_run), one is how a wait ends
 * (km_mcp_flow_resume), one undoes (leave).  The call's own table stays the only one that moves
 * the call: the flow returns the call's next step, as any step does.
 */
#include "gateway/mcp/flow.h"

#define BIT(step) (1U << (unsigned)(step))
#define TO(step) BIT(KM_MCP_FLOW_##step)

static const struct km_mcp_flow_row rows[KM_MCP_FLOW_STEPS] = {
    [KM_MCP_FLOW_judge] = { .name = "judge",
                            .leads = TO(approval) | TO(done),
                            .begin = km_mcp_begin_judge },
    [KM_MCP_FLOW_approval] = { .name = "approval",
                               .waits = KM_MCP_WAITS_FOR_USER,
                               .leads = TO(login) | TO(done),
                               .begin = km_mcp_begin_approval,
                               .undo = km_mcp_undo_approval,
                               .late = km_mcp_late_approval },
    [KM_MCP_FLOW_login] = { .name = "login",
                            .waits = KM_MCP_WAITS_FOR_USER,
                            .leads = TO(ask) | TO(done),
                            .begin = km_mcp_begin_login,
                            .undo = km_mcp_undo_login,
                            .late = km_mcp_late_login },
    [KM_MCP_FLOW_ask] = { .name = "ask",
                          .waits = KM_MCP_WAITS_FOR_SERVER,
                          .leads = TO(login) | TO(inputs) | TO(done),
                          .begin = km_mcp_begin_ask,
                          .undo = km_mcp_undo_ask },
    [KM_MCP_FLOW_inputs] = { .name = "inputs",
                             .waits = KM_MCP_WAITS_FOR_CLIENT,
                             .leads = TO(ask) | TO(done),
                             .begin = km_mcp_begin_inputs,
                             .undo = km_mcp_undo_inputs,
                             .late = km_mcp_late_inputs },
    [KM_MCP_FLOW_parked] = { .name = "parked",
                             .waits = KM_MCP_WAITS_FOR_CLIENT,
                             .beside = true,
                             .begin = km_mcp_begin_parked,
                             .undo = km_mcp_undo_parked },
};

const struct km_mcp_flow_row *km_mcp_flow_row(enum km_mcp_flow_step step)
{
    return &rows[step];
}

static void on_late(void *ctx)
{
    struct km_mcp_flow *f = ctx;

    rows[f->step].late(f);
}

void km_mcp_flow_init(struct km_mcp_flow *f, struct km_call *call)
{
    *f = (struct km_mcp_flow){ .call = call, .to = KM_MCP_FLOW_judge };
    km_timer_init(&f->timer, call->w->loop, on_late, f);
}

/* What was begun is undone; its bit goes first, so that undoing cannot do it again. */
static void leave(struct km_mcp_flow *f, enum km_mcp_flow_step step)
{
    if (!(f->begun & BIT(step)))
        return;
    f->begun &= ~BIT(step);
    if (!rows[step].beside)
        km_timer_stop(&f->timer);
    if (rows[step].undo)
        rows[step].undo(f);
}

/* A step, an error, or KM_MCP_FLOW_wait. */
static int begin(struct km_mcp_flow *f, enum km_mcp_flow_step step)
{
    int to;

    f->step = step;
    f->to = KM_MCP_FLOW_wait;
    f->begun |= BIT(step);
    f->running = true;
    to = rows[step].begin(f, &f->call->err);
    f->running = false;
    return to == KM_MCP_FLOW_wait ? f->to : to; /* it may have been resumed at once */
}

enum km_next km_mcp_flow_run(struct km_mcp_flow *f)
{
    int to = f->to;

    f->waits = false;
    while (to >= 0 && to < KM_MCP_FLOW_STEPS) {
        leave(f, f->step);
        to = begin(f, (enum km_mcp_flow_step)to);
        km_assert(to < 0 || to == (int)f->step || to == KM_MCP_FLOW_wait ||
                  rows[f->step].leads & BIT(to));
    }
    if (to == KM_MCP_FLOW_wait) {
        km_assert(rows[f->step].waits != KM_MCP_WAITS_FOR_NOTHING);
        f->waits = true;
        return KM_WAIT;
    }
    leave(f, f->step);
    f->to = to;
    if (to == KM_MCP_FLOW_done) {
        f->call->at->status = 200;
        return km_call_go(f->call, KM_STEP_relay);
    }
    f->call->failed = true;
    return km_call_go(f->call, KM_STEP_recover);
}

void km_mcp_flow_resume(struct km_mcp_flow *f, enum km_mcp_flow_step of, enum km_mcp_flow_step to,
                        const struct km_err *err)
{
    km_assert(f->step == of && (f->waits || f->running));
    f->to = err ? err->code : (int)to;
    if (err && err != &f->call->err)
        f->call->err = *err;
    if (!f->running)
        km_call_resume(f->call, 0);
}

void km_mcp_flow_time(struct km_mcp_flow *f, uint64_t after_ms)
{
    km_assert(rows[f->step].late && f->begun & BIT(f->step));
    km_timer_start(&f->timer, after_ms);
}

void km_mcp_flow_hold(struct km_mcp_flow *f, enum km_mcp_flow_step step)
{
    struct km_err err = { 0 };
    int to;

    km_assert(rows[step].beside);
    if (f->begun & BIT(step))
        return;
    f->begun |= BIT(step);
    to = rows[step].begin(f, &err);
    km_assert(to == KM_MCP_FLOW_wait);
}

void km_mcp_flow_drop(struct km_mcp_flow *f, enum km_mcp_flow_step step)
{
    km_assert(rows[step].beside);
    leave(f, step);
}

void km_mcp_flow_end(struct km_mcp_flow *f)
{
    f->waits = false;
    for (unsigned step = KM_MCP_FLOW_STEPS; step-- > 0;)
        leave(f, (enum km_mcp_flow_step)step);
}
