/* SPDX-License-Identifier: Apache-2.0 */
/* flow.h - what happens inside an MCP call's step `send`, as a table of steps of its own.
 *
 *     judge ──> approval ──> login ──> ask ──> done: the call goes on to relay
 *                              ^        │ ^
 *                              ├────────┤ ├── answered
 *                              │        └─> inputs
 *                              └── the server wants a login first
 *     parked: beside whichever of them waits, while no request of the client is here
 *
 * A step begins, and then waits or names the next.  What it waited for comes as
 * km_mcp_flow_resume(), which moves nothing itself: the call is resumed, and its step `send` runs
 * the flow on.  Whatever a step made is undone by its row, exactly once for each beginning, however
 * the step ends: well, with an error, or because the call is over (km_mcp_flow_end()).
 *
 * Thread: the loop of the call's worker.
 */
#ifndef KM_GATEWAY_MCP_FLOW_H
#define KM_GATEWAY_MCP_FLOW_H

#include "call/call.h"

enum km_mcp_flow_step {
    KM_MCP_FLOW_judge, /* may it run at all: pins, risk, the rule */
    KM_MCP_FLOW_approval, /* the client's user says whether it may */
    KM_MCP_FLOW_login, /* its caller logs in at the server */
    KM_MCP_FLOW_ask, /* the server works on it */
    KM_MCP_FLOW_inputs, /* the client answers what a stateless server has to know */
    KM_MCP_FLOW_parked, /* beside them: it waits for a stateless client's retry */
    KM_MCP_FLOW_STEPS,
    KM_MCP_FLOW_done = KM_MCP_FLOW_STEPS, /* its outcome is there */
    KM_MCP_FLOW_wait, /* of begin alone: km_mcp_flow_resume() follows */
};

/* What a step waits for when it waits. */
enum km_mcp_flow_waits {
    KM_MCP_WAITS_FOR_NOTHING, /* it never does */
    KM_MCP_WAITS_FOR_USER,
    KM_MCP_WAITS_FOR_CLIENT,
    KM_MCP_WAITS_FOR_SERVER,
};

struct km_mcp_flow {
    struct km_call *call;
    struct km_timer timer; /* of the step that waits: its row's late */
    enum km_mcp_flow_step step;
    int to; /* what the wait ended with: a step, or an error that is in call->err */
    unsigned begun; /* bits: to be undone */
    bool running, waits;
};

struct km_mcp_flow_row {
    const char *name;
    enum km_mcp_flow_waits waits;
    unsigned leads; /* bits: the steps it may name */
    bool beside; /* held by km_mcp_flow_hold(), never run */
    /* The next step, KM_MCP_FLOW_wait, or a negative code with *err: the call fails. */
    int (*begin)(struct km_mcp_flow *f, struct km_err *err);
    /* Gives back what begin made, also where that came to nothing.  NULL: nothing. */
    void (*undo)(struct km_mcp_flow *f);
    /* The time it set by km_mcp_flow_time() is over.  NULL: it sets none. */
    void (*late)(struct km_mcp_flow *f);
};

const struct km_mcp_flow_row *km_mcp_flow_row(enum km_mcp_flow_step step);

/* Nothing is begun. */
void km_mcp_flow_init(struct km_mcp_flow *f, struct km_call *call);
/* From the call's step `send` alone. */
enum km_next km_mcp_flow_run(struct km_mcp_flow *f);
/* The wait of `of` is over: `to` is what comes next (its own step: it begins again), or with err
 * the call fails of that.  The call may be gone afterwards.  Also from inside its own begin. */
void km_mcp_flow_resume(struct km_mcp_flow *f, enum km_mcp_flow_step of, enum km_mcp_flow_step to,
                        const struct km_err *err);
/* The step that runs or waits wants its late after so long; once, instead of what was set before.
 * From late and whatever else is called between its begin and its resume, too. */
void km_mcp_flow_time(struct km_mcp_flow *f, uint64_t after_ms);
/* A row beside the others: begun, unless it is held. */
void km_mcp_flow_hold(struct km_mcp_flow *f, enum km_mcp_flow_step step);
void km_mcp_flow_drop(struct km_mcp_flow *f, enum km_mcp_flow_step step);
/* The call is over, or stops for good: everything that was begun is undone.  Harmless twice. */
void km_mcp_flow_end(struct km_mcp_flow *f);

/* --- the rows, by file --- */

int km_mcp_begin_judge(struct km_mcp_flow *f, struct km_err *err); /* approve.c */
int km_mcp_begin_approval(struct km_mcp_flow *f, struct km_err *err);
void km_mcp_undo_approval(struct km_mcp_flow *f);
void km_mcp_late_approval(struct km_mcp_flow *f);
int km_mcp_begin_login(struct km_mcp_flow *f, struct km_err *err); /* login_ask.c */
void km_mcp_undo_login(struct km_mcp_flow *f);
void km_mcp_late_login(struct km_mcp_flow *f);
int km_mcp_begin_ask(struct km_mcp_flow *f, struct km_err *err); /* ask.c */
void km_mcp_undo_ask(struct km_mcp_flow *f);
int km_mcp_begin_inputs(struct km_mcp_flow *f, struct km_err *err); /* inputs.c */
void km_mcp_undo_inputs(struct km_mcp_flow *f);
void km_mcp_late_inputs(struct km_mcp_flow *f);
int km_mcp_begin_parked(struct km_mcp_flow *f, struct km_err *err); /* park.c */
void km_mcp_undo_parked(struct km_mcp_flow *f);

#endif
