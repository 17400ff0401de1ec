/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - the run of an agent that a call is of, and what such a run may do (policy/runs.h).
 *
 *     limits     the configured ones and its key's, of each the tighter
 *     name       km_call_session(); of what asks within a call that has the key's place, where none
 *                is named, that call
 *
 * A call without limits has call->run NULL and has paid for two comparisons.
 */
#ifndef KM_CALL_RUN_H
#define KM_CALL_RUN_H

#include "call/call.h"
#include "policy/runs.h"
#include "policy/same_call.h"

/* Why one is refused. */
enum km_run_refusal {
    KM_RUN_REFUSED_ITERATIONS,
    KM_RUN_REFUSED_BUDGET,
    KM_RUN_REFUSED_SAME_CALLS,
    KM_RUN_REFUSED_FULL,
};

struct km_call_run {
    const struct km_call *call;
    const struct km_runs_settings *settings;
    struct km_run_limits limits;
    struct km_str shown; /* its name for messages and logs; empty: it has none */
    struct km_run *run; /* held until the call is gone; NULL: it has no name */
    struct km_purse *purse; /* the run's; NULL: it has no budget */
    bool counted;
};

extern const struct km_module km_runs_module;

/* Once its body is read: call->run, if it has limits.  Again is harmless. */
int km_call_enter_run(struct km_call *call, struct km_err *err) KM_MUST_USE;
/* It asks a model: one more of its run's.  KM_E_BUDGET: it has had as many as it may.  What is not
 * admitted does not count; of a dry run nothing does. */
int km_call_count_in_run(struct km_call *call, struct km_err *err) KM_MUST_USE;

/* What the run may spend, to pay beside its key; NULL: it has no budget, or no name. */
struct km_purse *km_call_run_purse(const struct km_call *call);

/* How many calls of a tool in a row may be the same; -1: any number, or this tool's may. */
int64_t km_call_same_calls(const struct km_call *call);
bool km_call_may_repeat_tool(const struct km_call *call, struct km_str tool);
/* A tool's call of its run: false: it is one too many like it.  count: it is made. */
bool km_call_tool_in_run(struct km_call *call, struct km_str tool, const struct km_json *arguments,
                         bool count) KM_MUST_USE;
/* What its model is told then. */
#define KM_RUN_LOOP_TEXT 640
void km_call_loop_text(const struct km_call *call, struct km_str tool, char out[KM_RUN_LOOP_TEXT]);
const struct km_hash_seed *km_call_run_seed(const struct km_call *call);

void km_call_count_run_refused(const struct km_call *call, enum km_run_refusal why);

#endif
