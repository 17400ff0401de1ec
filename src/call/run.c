/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - see run.h for the contract.
 *
 *     body read ──> limits? ──> run entered ──> hooks ──> counted ──> permit ──> ... ──> left
 *                     └ none: nothing                        └── refused: not counted
 *
 * The name is the caller's word, so it holds within its key alone, and who names another run each
 * time is in none: these are guards against loops that nobody meant, not limits of a key.
 */
#include "call/run.h"

#include "call/execution.h"
#include "call/session.h"
#include "host/module.h"

#include <stdio.h>

#include "base/encode.h"
#include "http/json.h"

static const struct km_metric_row refused = {
    .name = "kanmon_run_refusals_total",
    .type = KM_COUNTER,
    .help = "Calls that one run of an agent was not given: max_iterations, max_budget_per_session, "
            "max_identical_tool_calls, or too many runs under way (max_runs).",
    .labels = { "reason" }
};

/* --- of the gateway --- */

static int runs_init(struct km_gateway *gw, void **ret_state, struct km_err *err)
{
    (void)gw;
    *ret_state = km_runs_new();
    return *ret_state ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static void runs_free(void *state)
{
    km_runs_free(state);
}

static const char place KM_MODULE_PLACE;

const struct km_module km_runs_module = {
    .name = "runs of agents",
    .place = &place,
    .gateway_init = runs_init,
    .gateway_free = runs_free,
};

static struct km_runs *runs_of(const struct km_call *call)
{
    return km_module_state(call->w->gw->slots, &km_runs_module);
}

static const struct km_runs_settings *settings_of(const struct km_call *call)
{
    return call->visit->view->snap->runs;
}

const struct km_hash_seed *km_call_run_seed(const struct km_call *call)
{
    return km_runs_seed(runs_of(call));
}

void km_call_count_run_refused(const struct km_call *call, enum km_run_refusal why)
{
    static const struct km_str words[] = {
        [KM_RUN_REFUSED_ITERATIONS] = { "max_iterations", 14 },
        [KM_RUN_REFUSED_BUDGET] = { "max_budget_per_session", 22 },
        [KM_RUN_REFUSED_SAME_CALLS] = { "max_identical_tool_calls", 24 },
        [KM_RUN_REFUSED_FULL] = { "max_runs", 8 },
    };

    km_metric_count(call->w->gw->metrics, &refused, &words[why], call->w->index, 1);
}

/* --- entering --- */

static int limits_of(const struct km_call *call, struct km_run_limits *ret, struct km_err *err)
{
    const struct km_runs_settings *s = settings_of(call);
    const struct km_key *key = call->visit->who.key;

    *ret = (struct km_run_limits){ s->iterations, s->budget, s->same_calls ? s->same_calls : -1 };
    if (!key || !key->runs || km_run_limits_of_key(key->row.metadata, ret, err) == 0)
        return 0;
    err->code = KM_E_FORBIDDEN; /* whoever made the key has to correct it */
    return KM_E_FORBIDDEN;
}

/* Its caller's word in a line of ours. */
static struct km_str shown(struct km_call *call, struct km_str name)
{
    const struct km_str cut = km_utf8_cut(name, KM_RUN_SHOWN_BYTES);
    char *text = km_arena_alloc(&call->arena, cut.n + 1);

    if (!text)
        return KM_STR_NONE;
    for (size_t i = 0; i < cut.n; i++)
        text[i] = (unsigned char)cut.p[i] < 0x20 || cut.p[i] == 0x7f ? '?' : cut.p[i];
    return km_str(text, cut.n);
}

static struct km_str name_of(struct km_call *call)
{
    const struct km_str name = km_call_session(call);

    return name.n || !call->visit->has_place ? name : call->visit->within;
}

static void leave(void *data)
{
    struct km_call_run *r = data;
    struct km_runs *runs = runs_of(r->call);

    if (r->counted && !r->call->admitted)
        km_run_uncount(runs, r->run);
    km_runs_leave(runs, r->run, km_mono_ms());
}

static int enter(struct km_call_run *r, struct km_call *call, struct km_str name,
                 struct km_err *err)
{
    static const uint8_t nobody[32];
    const struct km_key *key = call->visit->who.key;
    int code;

    r->shown = shown(call, name);
    code = km_runs_enter(runs_of(call), key ? key->row.hash : nobody, name, r->settings,
                         km_mono_ms(), &r->run, err);
    if (code < 0) {
        km_call_count_run_refused(call, KM_RUN_REFUSED_FULL);
        return code;
    }
    if (r->limits.budget >= 0)
        r->purse = km_run_purse(runs_of(call), r->run, r->shown, r->limits.budget);
    if ((r->limits.budget < 0 || r->purse) && km_arena_defer(&call->arena, leave, r) == 0)
        return 0;
    km_runs_leave(runs_of(call), r->run, km_mono_ms());
    return km_fail(err, KM_E_NOMEM, "out of memory");
}

int km_call_enter_run(struct km_call *call, struct km_err *err)
{
    const struct km_runs_settings *s = settings_of(call);
    const struct km_key *key = call->visit->who.key;
    struct km_run_limits limits;
    struct km_call_run *r;
    struct km_str name;
    int code;

    if (call->run || call->kind->own ||
        (s->iterations < 0 && s->budget < 0 && s->same_calls <= 0 && !(key && key->runs)))
        return 0;
    code = limits_of(call, &limits, err);
    if (code < 0 || !km_run_limits_any(&limits))
        return code;
    r = km_arena_zalloc(&call->arena, sizeof *r);
    if (!r)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *r = (struct km_call_run){ .call = call, .settings = s, .limits = limits };
    name = name_of(call);
    code = name.n ? enter(r, call, name, err) : 0;
    if (code == 0)
        call->run = r;
    return code;
}

struct km_purse *km_call_run_purse(const struct km_call *call)
{
    return call->run ? call->run->purse : NULL;
}

/* --- calls of models --- */

static bool asks_a_model(const struct km_call *call)
{
    return call->req.model.n && !call->kind->outer && !(call->api && call->api->count);
}

int km_call_count_in_run(struct km_call *call, struct km_err *err)
{
    struct km_call_run *r = call->run;
    int64_t before;
    bool may;

    if (!r || !r->run || r->limits.iterations < 0 || r->counted || !asks_a_model(call))
        return 0;
    if (km_call_is_dry(call)) {
        may = km_run_may_count(runs_of(call), r->run, r->limits.iterations, &before);
    } else {
        may = km_run_count(runs_of(call), r->run, r->limits.iterations, &before);
        r->counted = may;
    }
    if (may)
        return 0;
    if (!km_call_is_dry(call))
        km_call_count_run_refused(call, KM_RUN_REFUSED_ITERATIONS);
    km_fail(
        err, KM_E_BUDGET,
        "Max iterations exceeded for session %.*s. Current count: %lld, max_iterations: %lld. "
        "This run has asked models as often as it may: end it, or begin another one under a new "
        "session id.",
        KM_STR_ARG(r->shown), (long long)before, (long long)r->limits.iterations);
    err->reason = "max_iterations_exceeded";
    err->final = true;
    return KM_E_BUDGET;
}

/* --- calls of tools --- */

int64_t km_call_same_calls(const struct km_call *call)
{
    return call->run ? call->run->limits.same_calls : -1;
}

bool km_call_may_repeat_tool(const struct km_call *call, struct km_str tool)
{
    return km_run_is_repeatable(call->run->settings, tool);
}

bool km_call_tool_in_run(struct km_call *call, struct km_str tool, const struct km_json *arguments,
                         bool count)
{
    struct km_call_run *r = call->run;
    uint64_t number;

    if (!r || !r->run || r->limits.same_calls < 0)
        return true;
    if (km_run_is_repeatable(r->settings, tool)) {
        if (count)
            km_run_other_tool(runs_of(call), r->run);
        return true;
    }
    number = km_same_call(km_call_run_seed(call), tool, arguments);
    if (km_run_tool(runs_of(call), r->run, number, r->limits.same_calls, count))
        return true;
    km_call_count_run_refused(call, KM_RUN_REFUSED_SAME_CALLS);
    return false;
}

void km_call_loop_text(const struct km_call *call, struct km_str tool, char out[KM_RUN_LOOP_TEXT])
{
    (void)snprintf(
        out, KM_RUN_LOOP_TEXT,
        "The tool '%.*s' was called %lld times in a row with the same arguments, and is "
        "not called with them again (max_identical_tool_calls). Use the result you have, "
        "change the arguments, use another tool, or answer without it.",
        KM_STR_ARG(km_utf8_cut(tool, 128)), (long long)km_call_same_calls(call));
}
