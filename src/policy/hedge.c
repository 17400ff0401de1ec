/* SPDX-License-Identifier: Apache-2.0 */
/* hedge.c - see hedge.h for the contract.
 *
 * What is learnt of a deployment is a guess and how many answers it is made of (quantile.h), packed
 * into a word, so that workers share it without a lock.  Two that learn at the same moment may lose
 * one of the two.
 */
#include "policy/hedge.h"

#include <stdatomic.h>

#include "policy/quantile.h"

#define COUNT_BITS 8

static const struct km_setting rows[] = {
    { .name = "models",
      .type = KM_SET_STR_LIST,
      .offset = offsetof(struct km_hedge_settings, models),
      .help = "Model groups whose calls are sent to a second deployment as well when the first is "
              "slow to begin: the first answer counts, and both cost. `*`: all groups." },
    { .name = "after",
      .type = KM_SET_MS,
      .offset = offsetof(struct km_hedge_settings, after_ms),
      .def = "0",
      .min = 0,
      .max = 3600000,
      .help = "How long the first may take; 0: as long as 19 of 20 of its answers took to begin." },
    { .name = "least",
      .type = KM_SET_MS,
      .offset = offsetof(struct km_hedge_settings, least_ms),
      .def = "50ms",
      .min = 1,
      .max = 3600000,
      .help = "However fast a deployment mostly is, it is given so long." },
    { 0 },
};

const struct km_settings_table km_hedge_settings_table = { .section = "kanmon_settings.hedge",
                                                           .rows = rows,
                                                           .size =
                                                               sizeof(struct km_hedge_settings),
                                                           .extra = SIZE_MAX };

bool km_hedge_has(const struct km_hedge_settings *s, struct km_str group)
{
    for (size_t i = 0; i < s->models.n; i++)
        if (km_str_eq(s->models.v[i], KM_STR("*")) || km_str_eq(s->models.v[i], group))
            return true;
    return false;
}

static struct km_quantile unpack(uint64_t word)
{
    return (struct km_quantile){ .sixteenths = (int64_t)(word >> COUNT_BITS),
                                 .count = (uint32_t)(word & UINT8_MAX) };
}

void km_hedge_learn(struct km_hedge_times *t, bool stream, uint64_t took_ms)
{
    struct km_quantile q = unpack(atomic_load_explicit(&t->begun[stream], memory_order_relaxed));

    km_quantile_learn_percent(&q, took_ms ? (int64_t)took_ms : 1, KM_HEDGE_PERCENT);
    atomic_store_explicit(&t->begun[stream],
                          (uint64_t)q.sixteenths << COUNT_BITS | (q.count & UINT8_MAX),
                          memory_order_relaxed);
}

uint64_t km_hedge_after_ms(const struct km_hedge_settings *s, const struct km_hedge_times *t,
                           bool stream)
{
    const struct km_quantile q =
        unpack(atomic_load_explicit(&t->begun[stream], memory_order_relaxed));
    const uint64_t least = (uint64_t)s->least_ms;
    uint64_t after;

    if (s->after_ms > 0)
        return (uint64_t)s->after_ms;
    if (q.count < KM_HEDGE_LEARNT)
        return 0;
    after = (uint64_t)km_quantile_get(&q);
    return after > least ? after : least;
}
