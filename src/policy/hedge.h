/* SPDX-License-Identifier: Apache-2.0 */
/* hedge.h - when a call that waits for its answer is sent to a second deployment as well.
 *
 *     sent ──── nineteen of twenty answers have begun ────> one more, elsewhere
 *
 * How long that is, is learnt of each deployment, of streams and of whole answers by themselves.
 * An attempt that was overtaken counts with the time it had: it would have taken longer.  Atomics;
 * shared by all workers.
 */
#ifndef KM_POLICY_HEDGE_H
#define KM_POLICY_HEDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/setting.h"

#define KM_HEDGE_PERCENT 95
#define KM_HEDGE_LEARNT 20 /* answers before anything is concluded from them */

struct km_hedge_settings { /* kanmon_settings.hedge */
    struct km_str_list models; /* the groups whose calls are hedged; "*": all */
    int64_t after_ms; /* 0: what is learnt */
    int64_t least_ms; /* never sooner */
};
extern const struct km_settings_table km_hedge_settings_table;

/* One word each: | guess in sixteenths of a ms, 56 bits | answers, 8 bits | */
struct km_hedge_times {
    _Atomic uint64_t begun[2]; /* whole answers, streams */
};

bool km_hedge_has(const struct km_hedge_settings *s, struct km_str group);
void km_hedge_learn(struct km_hedge_times *t, bool stream, uint64_t took_ms);
/* How long to wait before one more is sent; 0: not known yet. */
uint64_t km_hedge_after_ms(const struct km_hedge_settings *s, const struct km_hedge_times *t,
                           bool stream);

#endif
