/* SPDX-License-Identifier: Apache-2.0 */
/* economy.h - the cheapest of those that are good enough (kanmon_settings.cost_optimization).
 *
 *     price x what the call needs ──> cost ──┐
 *     measured latency, failures ──> limits ─┴──> score, lowest serves; which stay behind, and why
 *
 * Limits leave nobody out: who is too slow or fails too often comes behind those who are not,
 * whatever he costs, and is asked when they fail.  What cannot serve a call at all the filters
 * leave out before.  Data in, numbers out; any thread.
 */
#ifndef KM_POLICY_ECONOMY_H
#define KM_POLICY_ECONOMY_H

#include "base/setting.h"
#include "policy/load.h"

struct km_economy_settings { /* kanmon_settings.cost_optimization */
    bool on; /* prefer_cost_efficient_models */
    int64_t latency_ms; /* the most, to the first byte of a stream or a whole answer; 0: any */
    int64_t failing_percent; /* the most, of the last ten seconds' attempts; 100: any */
    int64_t near_percent; /* of a key's budget: from there on cost alone decides */
};
extern const struct km_settings_table km_economy_settings_table;

enum km_economy_reason {
    KM_ECONOMY_GOOD, /* within the limits */
    KM_ECONOMY_SLOW,
    KM_ECONOMY_FAILING,
    KM_ECONOMY_UNPRICED, /* nobody knows what it costs */
    KM_ECONOMY_REASONS,
};
const char *km_economy_word(enum km_economy_reason r);

/* Of a deployment, for one call. */
struct km_economy_facts {
    const struct km_load *load; /* NULL: nothing is measured */
    int64_t input, output; /* pico-USD a token; -1: not known */
};

/* What the call needs, and by what it is judged. */
struct km_economy_ask {
    const struct km_economy_settings *limits;
    int64_t tokens_in, tokens_out;
    bool stream;
    bool near; /* the budget's threshold: a slow one will do */
    uint64_t now_ms;
};

/* Lower is better; at most KM_ECONOMY_SCORE_MOST. */
uint64_t km_economy_score(const struct km_economy_ask *ask, const struct km_economy_facts *f,
                          enum km_economy_reason *ret_reason);
#define KM_ECONOMY_SCORE_MOST (UINT64_MAX - 1)
/* Of a score: within the limits, and priced. */
static inline bool km_economy_good(uint64_t score)
{
    return score < UINT64_C(1) << 62;
}

/* Is so much of a budget spent that cost alone decides?  max: of the budget; -1: it has none. */
bool km_economy_near(const struct km_economy_settings *s, int64_t spent, int64_t max);

#endif
