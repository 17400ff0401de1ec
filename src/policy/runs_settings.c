/* SPDX-License-Identifier: Apache-2.0 */
/* runs_settings.c - what one run of an agent may do, whoever's it is (docs/runs.md).
 *
 * The first three are LiteLLM's names and ours of the same kind; they stand in a key's metadata as
 * well, and of both the tighter one holds.
 */
#include "http/json_span.h"
#include "policy/runs.h"

#define AT(member) offsetof(struct km_runs_settings, member)

static const struct km_setting rows[] = {
    { .name = "max_iterations",
      .type = KM_SET_INT,
      .offset = AT(iterations),
      .def = "-1",
      .min = -1,
      .max = 1000000000,
      .flags = KM_SET_SAFETY,
      .help = "Calls of models that one run (x-litellm-session-id, x-litellm-trace-id) may make; "
              "-1: no limit." },
    { .name = "max_budget_per_session",
      .type = KM_SET_MONEY,
      .offset = AT(budget),
      .flags = KM_SET_SAFETY,
      .help = "USD that one run may spend; none: no limit." },
    { .name = "max_identical_tool_calls",
      .type = KM_SET_INT,
      .offset = AT(same_calls),
      .def = "-1",
      .min = -1,
      .max = 1000000000,
      .flags = KM_SET_SAFETY,
      .help = "How often in a row one tool may be called with the same arguments before the loop "
              "is ended by an answer that says so; -1 or 0: for ever." },
    { .name = "repeatable_tools",
      .type = KM_SET_STR_LIST,
      .offset = AT(repeatable),
      .help = "Tools that are asked again and again by their nature (`*-get_status`): their calls "
              "are never identical ones." },
    { .name = "remember",
      .type = KM_SET_MS,
      .offset = AT(remember_ms),
      .def = "1h",
      .min = 1000,
      .max = INT64_C(31536000000),
      .help = "How long a run is remembered after its last call; then its name begins a new one." },
    { .name = "max_runs",
      .type = KM_SET_INT,
      .offset = AT(most),
      .def = "100000",
      .min = 1,
      .max = 10000000,
      .flags = KM_SET_SAFETY,
      .help = "Most runs that are remembered. One more takes the place of the one that has been "
              "idle for the longest time; one that has calls under way stays." },
    { 0 },
};

const struct km_settings_table km_runs_settings_table = {
    .section = "kanmon_settings.runs",
    .rows = rows,
    .size = sizeof(struct km_runs_settings),
    .extra = SIZE_MAX,
};

/* --- of a key --- */

enum { ITERATIONS, BUDGET, SAME_CALLS, LIMITS };

static const struct km_str names[LIMITS] = { [ITERATIONS] = { "max_iterations", 14 },
                                             [BUDGET] = { "max_budget_per_session", 22 },
                                             [SAME_CALLS] = { "max_identical_tool_calls", 24 } };

bool km_run_limits_in(struct km_str metadata)
{
    for (size_t i = 0; i < LIMITS; i++)
        if (km_str_find(metadata, names[i]) < metadata.n)
            return true;
    return false;
}

/* A number, or one in quotes, as LiteLLM takes it. */
static bool read_limit(struct km_str metadata, const struct km_json_span *span, bool money,
                       int64_t *ret)
{
    struct km_str text = km_json_value(metadata, span);
    int64_t v;

    if (span->type == KM_JSON_STRING && text.n >= 2)
        text = km_str_sub(text, 1, text.n - 2);
    else if (span->type != KM_JSON_NUMBER)
        return false;
    if ((money ? km_str_decimal(text, 9, &v) : km_str_i64(text, &v)) < 0 || v < 0)
        return false;
    *ret = v;
    return true;
}

int km_run_limits_of_key(struct km_str metadata, struct km_run_limits *ret, struct km_err *err)
{
    struct km_json_span spans[LIMITS];
    struct km_run_limits said = KM_RUN_NO_LIMITS;
    int64_t *const v[LIMITS] = { &said.iterations, &said.budget, &said.same_calls };

    if (!metadata.n || km_json_spans(metadata, names, LIMITS, spans, NULL, NULL) < 0)
        return 0;
    for (size_t i = 0; i < LIMITS; i++)
        if (spans[i].type != KM_JSON_ABSENT && spans[i].type != KM_JSON_NULL &&
            !read_limit(metadata, &spans[i], i == BUDGET, v[i]))
            return km_fail_param(err, KM_E_INVALID, names[i].p,
                                 "'%s' of the key's metadata must be %s.", names[i].p,
                                 i == BUDGET ? "an amount of USD that is not negative"
                                             : "a whole number that is not negative");
    if (said.same_calls == 0)
        said.same_calls = -1;
    km_run_limits_tighten(ret, &said);
    return 0;
}
