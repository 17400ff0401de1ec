/* SPDX-License-Identifier: Apache-2.0 */
/* runs.h - what the calls of one run of an agent have done together, and how much they may.
 *
 * A run is what one key calls one session: the caller names it (x-litellm-session-id and the like),
 * so its limits are guards against accidents and no rights.  Two keys with one name have two runs.
 *
 *     call ── enter ──> run: iterations, last tool call, purse ── leave ──> idle, oldest first
 *                                                                    └── over, or room is needed
 *
 * One table a process, locked inside for some dozen instructions; only calls that name a run and
 * have a limit come here.  Any thread.
 */
#ifndef KM_POLICY_RUNS_H
#define KM_POLICY_RUNS_H

#include "base/hash.h"
#include "base/setting.h"

#define KM_RUN_NAME_BYTES 256 /* of a name that count */
#define KM_RUN_SHOWN_BYTES 64 /* of one that are told in messages */

struct km_run;
struct km_runs;
struct km_purse;

/* -1: none. */
struct km_run_limits {
    int64_t iterations; /* calls of models */
    int64_t budget; /* nano-USD */
    int64_t same_calls; /* of a tool in a row, with the same arguments */
};
#define KM_RUN_NO_LIMITS ((struct km_run_limits){ -1, -1, -1 })

static inline bool km_run_limits_any(const struct km_run_limits *l)
{
    return l->iterations >= 0 || l->budget >= 0 || l->same_calls >= 0;
}
/* Of each the tighter one. */
void km_run_limits_tighten(struct km_run_limits *l, const struct km_run_limits *other);

struct km_runs_settings { /* kanmon_settings.runs */
    int64_t iterations, budget, same_calls;
    struct km_str_list repeatable; /* tools that may be called again and again; globs */
    int64_t remember_ms; /* after its last call */
    int64_t most; /* runs */
};
extern const struct km_settings_table km_runs_settings_table;

/* What a key's metadata says of them, by the names of the settings; `ret` is tightened.
 * KM_E_INVALID names the member that is no number of its kind. */
int km_run_limits_of_key(struct km_str metadata, struct km_run_limits *ret,
                         struct km_err *err) KM_MUST_USE;
/* May it say any?  One look at a text, when a key is read. */
bool km_run_limits_in(struct km_str metadata);

bool km_run_is_repeatable(const struct km_runs_settings *s, struct km_str tool);

struct km_runs *km_runs_new(void); /* NULL: no memory */
struct km_runs *km_runs_free(struct km_runs *t); /* no run is held any more */
const struct km_hash_seed *km_runs_seed(const struct km_runs *t); /* for same_call.h */

/* The run of that name of the key with this hash, begun or gone on with; held until it is left.
 * KM_E_OVERLOADED: there are s->most, and all of them are held. */
int km_runs_enter(struct km_runs *t, const uint8_t key[32], struct km_str name,
                  const struct km_runs_settings *s, uint64_t now_ms, struct km_run **ret,
                  struct km_err *err) KM_MUST_USE;
void km_runs_leave(struct km_runs *t, struct km_run *run, uint64_t now_ms);

/* One more call of a model, where that is within `most`; false: it is not counted.
 * *ret_before: those before it. */
bool km_run_count(struct km_runs *t, struct km_run *run, int64_t most,
                  int64_t *ret_before) KM_MUST_USE;
bool km_run_may_count(struct km_runs *t, struct km_run *run, int64_t most,
                      int64_t *ret_before) KM_MUST_USE; /* the same, and nothing is counted */
void km_run_uncount(struct km_runs *t, struct km_run *run); /* it never took place */

/* A tool's call with this number (same_call.h): false where `most` like it were the last ones, and
 * then it is none.  count: it is made. */
bool km_run_tool(struct km_runs *t, struct km_run *run, uint64_t call, int64_t most,
                 bool count) KM_MUST_USE;
/* A call that does not count: what comes behind it is no repetition of what came before. */
void km_run_other_tool(struct km_runs *t, struct km_run *run);

/* What it may spend and has spent; named as in messages.  Lives as long as the run, or whoever
 * references it.  NULL: no memory. */
struct km_purse *km_run_purse(struct km_runs *t, struct km_run *run, struct km_str shown,
                              int64_t max);

extern const char km_run_budget_reason[]; /* of the error: its purse had no more */

struct km_runs_told {
    size_t remembered, running;
};
void km_runs_tell(struct km_runs *t, struct km_runs_told *ret);

#endif
