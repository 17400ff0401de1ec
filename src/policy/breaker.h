/* SPDX-License-Identifier: Apache-2.0 */
/* breaker.h - circuit breaker keyed by any upstream: 5 failures in a row open it for 30 s, then
 * one probe at a time decides.  Atomics; shared by all workers. */
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
};

struct km_breaker_settings {
    int64_t failures; /* 5 */
    int64_t open_ms; /* 30 s */
};
extern const struct km_settings_table km_breaker_settings_table; /* kanmon_settings.performance */

#define KM_BREAKER_FAILURES 5
#define KM_BREAKER_OPEN_MS 30000

/* May a call go out now?  In half-open state true once, then false until it is reported. */
bool km_breaker_allow(struct km_breaker *b, const struct km_breaker_settings *s, uint64_t now_ms);
/* Looks without taking the probe. */
enum km_breaker_state km_breaker_state(const struct km_breaker *b, uint64_t now_ms);
void km_breaker_report(struct km_breaker *b, const struct km_breaker_settings *s, bool ok,
                       uint64_t now_ms);

#endif
