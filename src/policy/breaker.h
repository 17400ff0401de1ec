/* SPDX-License-Identifier: Apache-2.0 */
/* breaker.h - circuit breaker of any upstream, a model's deployment or an MCP server: so many
 * failures in a row open it for a while, longer each time where its settings say so, and then it is
 * tried again.  Atomics; shared by all workers.
 *
 *     deployment   5 failures, 30 s; then one probe at a time decides      km_breaker_allow()
 *     MCP server   1 failure, 0.5 s doubling to 30 s; then whoever comes   km_breaker_left_ms()
 */
#ifndef KM_POLICY_BREAKER_H
#define KM_POLICY_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/setting.h"

enum km_breaker_state { KM_BREAKER_CLOSED, KM_BREAKER_OPEN, KM_BREAKER_HALF_OPEN };

struct km_breaker {
    _Atomic int failures; /* in a row */
    _Atomic uint64_t open_until; /* monotonic ms; 0 closed */
    _Atomic uint64_t probe_at; /* a probe began; 0 none */
    _Atomic unsigned opened; /* how often since it was last closed */
};

struct km_breaker_settings {
    int64_t failures; /* 5 */
    int64_t open_ms; /* 30 s */
    int64_t open_most_ms; /* it doubles each time up to this; 0: it stays the same */
};
extern const struct km_settings_table km_breaker_settings_table; /* kanmon_settings.performance */

#define KM_BREAKER_FAILURES 5
#define KM_BREAKER_OPEN_MS 30000

/* May a call go out now?  In half-open state true once, then false until it is reported. */
bool km_breaker_allow(struct km_breaker *b, const struct km_breaker_settings *s, uint64_t now_ms);
/* Looks without taking the probe. */
enum km_breaker_state km_breaker_state(const struct km_breaker *b, uint64_t now_ms);
/* How long nobody is to try yet; 0: it is not open. */
uint64_t km_breaker_left_ms(const struct km_breaker *b, uint64_t now_ms);
/* Whoever had the probe will not say: the next may have it. */
void km_breaker_release(struct km_breaker *b);
/* As if nothing had been reported. */
void km_breaker_reset(struct km_breaker *b);
void km_breaker_report(struct km_breaker *b, const struct km_breaker_settings *s, bool ok,
                       uint64_t now_ms);

#endif
