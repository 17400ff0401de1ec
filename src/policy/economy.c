/* SPDX-License-Identifier: Apache-2.0 */
/* economy.c - see economy.h for the contract.
 *
 * A score is a cost in pico-USD below 2^62, and one of three bands above for what stays behind:
 *
 *     0 .. 2^62          within the limits: by cost
 *     2^62 .. 2^63       priced, and too slow or failing: by cost, behind all of those
 *     2^63               nobody knows its price: last
 *
 * Nothing measured is no limit broken: a deployment that was never asked is asked, and known then.
 * A failure rate of fewer than five attempts says nothing.
 */
#include "policy/economy.h"

#include <stddef.h>

#define BAND (UINT64_C(1) << 62)
#define LEAST_ATTEMPTS 5
#define MEASURED_MS 3600000 /* older latencies do not count; LiteLLM's ttl */

const char *km_economy_word(enum km_economy_reason r)
{
    static const char *const words[KM_ECONOMY_REASONS] = {
        [KM_ECONOMY_GOOD] = "good",
        [KM_ECONOMY_SLOW] = "slow",
        [KM_ECONOMY_FAILING] = "failing",
        [KM_ECONOMY_UNPRICED] = "unpriced",
    };

    return words[r];
}

static bool is_slow(const struct km_economy_ask *ask, const struct km_load *l)
{
    const int64_t most = ask->limits->latency_ms;

    return most > 0 && !ask->near && l &&
           km_load_took_us(l, ask->stream, MEASURED_MS, ask->now_ms) > (uint64_t)most * 1000;
}

static bool is_failing(const struct km_economy_ask *ask, const struct km_load *l)
{
    struct km_window_sum sum;

    if (!l || ask->limits->failing_percent >= 100)
        return false;
    sum = km_window_sum(&l->outcomes, ask->now_ms);
    return sum.all >= LEAST_ATTEMPTS &&
           sum.some * 100 > sum.all * (uint64_t)ask->limits->failing_percent;
}

/* Saturates below a band. */
static uint64_t cost_of(const struct km_economy_ask *ask, const struct km_economy_facts *f)
{
    const double cost = (double)(f->input > 0 ? f->input : 0) * (double)ask->tokens_in +
                        (double)(f->output > 0 ? f->output : 0) * (double)ask->tokens_out;
    const uint64_t most = BAND / 2;

    return cost < (double)most ? (uint64_t)cost : most;
}

uint64_t km_economy_score(const struct km_economy_ask *ask, const struct km_economy_facts *f,
                          enum km_economy_reason *ret_reason)
{
    if (f->input < 0 && f->output < 0)
        *ret_reason = KM_ECONOMY_UNPRICED;
    else if (is_failing(ask, f->load))
        *ret_reason = KM_ECONOMY_FAILING;
    else
        *ret_reason = is_slow(ask, f->load) ? KM_ECONOMY_SLOW : KM_ECONOMY_GOOD;
    if (*ret_reason == KM_ECONOMY_UNPRICED)
        return 2 * BAND;
    return cost_of(ask, f) + (*ret_reason == KM_ECONOMY_GOOD ? 0 : BAND);
}

bool km_economy_near(const struct km_economy_settings *s, int64_t spent, int64_t max)
{
    return max >= 0 && s->near_percent < 100 &&
           (double)spent * 100 >= (double)max * (double)s->near_percent;
}

/* --- rows --- */

#define AT(member) offsetof(struct km_economy_settings, member)

static const struct km_setting rows[] = {
    { .name = "prefer_cost_efficient_models",
      .type = KM_SET_BOOL,
      .offset = AT(on),
      .help = "Of a model group, and of the `substitutes` that a route names, the cheapest "
              "deployment serves a call whose model can do what it asks for, and that is within "
              "the limits here." },
    { .name = "max_latency",
      .type = KM_SET_MS,
      .offset = AT(latency_ms),
      .def = "0",
      .min = 0,
      .max = 86400000,
      .help = "Seconds that its answers may take on average, streams to their first byte; "
              "slower ones come behind. 0: any." },
    { .name = "max_failure_rate",
      .type = KM_SET_INT,
      .offset = AT(failing_percent),
      .def = "20",
      .min = 0,
      .max = 100,
      .help = "Per cent of its attempts of the last ten seconds that may have failed." },
    { .name = "near_budget",
      .type = KM_SET_INT,
      .offset = AT(near_percent),
      .def = "80",
      .min = 0,
      .max = 100,
      .help = "Per cent of a key's budget from which on max_latency does not count: what is left "
              "goes further with a slower one. 100: never." },
    { 0 },
};

const struct km_settings_table km_economy_settings_table = {
    .section = "kanmon_settings.cost_optimization",
    .rows = rows,
    .size = sizeof(struct km_economy_settings),
    .extra = SIZE_MAX,
};
