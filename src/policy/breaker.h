/* SPDX-License-Identifier: Apache-2.0 */
/* breaker.h - circuit breaker of any upstream, a model's deployment or an MCP server: failures open
 * it for a while, longer each time where its settings say so, and then it is tried again.  Atomics;
 * shared by all workers.
 *
 *     deployment   5 failures in a row, 30 s; then one probe at a time decides,
 *                  and its load comes back by and by                          km_breaker_allow()
 *     MCP server   1 failure, 0.5 s doubling to 30 s; then whoever comes      km_breaker_left_ms()
 *
 * An upstream that is merely full (429) rests for as long as it asks, and opens nothing.
 */
#ifndef KM_POLICY_BREAKER_H
#define KM_POLICY_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/setting.h"
#include "policy/retry.h"
#include "policy/window.h"

enum km_breaker_state { KM_BREAKER_CLOSED, KM_BREAKER_OPEN, KM_BREAKER_HALF_OPEN };

struct km_breaker {
    _Atomic int failures; /* in a row */
    _Atomic uint64_t open_until; /* monotonic ms; 0 closed */
    _Atomic uint64_t probe_at; /* a probe began; 0 none */
    _Atomic uint64_t
        ramp_from; /* a probe went well, and its load comes back since then; 0: it has */
    _Atomic uint64_t rest_until; /* it asked for a pause; 0: it did not */
    _Atomic unsigned opened; /* how often since it was last closed */
    struct km_window outcomes; /* and the failures among them, where a rate is set */
    _Atomic uint64_t minutes[KM_FAILURES_COUNTED + 1]; /* failures of a minute by kind; last: all */
};

struct km_breaker_settings {
    int64_t failures; /* in a row: 5; 0: the default */
    int64_t open_ms; /* 30 s */
    int64_t open_most_ms; /* it doubles each time up to this; 0: it stays the same */
    int64_t rate_percent; /* of the outcomes of 10 s; 0: no rate opens it */
    int64_t rate_least; /* outcomes before a rate counts */
    int64_t a_minute; /* failures of a minute that open it, instead of those in a row; 0: not so */
    const struct km_failure_counts *allowed_of; /* by kind, how many do not; NULL: none is said */
    int64_t deployments; /* of a provider that have to be left alone for it to be; 0: it never is */
    bool never; /* nothing opens it, and it never rests */
    bool ramps; /* its load comes back by and by where another can take the rest */
};
extern const struct km_settings_table km_breaker_settings_table; /* kanmon_settings.performance */

#define KM_BREAKER_FAILURES 5
#define KM_BREAKER_OPEN_MS 30000
#define KM_BREAKER_REST_MS 5000 /* of one that is full and does not say for how long */
#define KM_BREAKER_REST_MOST_MS 60000
#define KM_BREAKER_STEP_MS 10000 /* of the ramp: 10, 25, 50 per cent, and then all */

/* May a call go out now?  In half-open state true once, then false until it is reported. */
bool km_breaker_allow(struct km_breaker *b, const struct km_breaker_settings *s, uint64_t now_ms);
/* Looks without taking the probe. */
enum km_breaker_state km_breaker_state(const struct km_breaker *b, uint64_t now_ms);
/* How long nobody is to try yet; 0: it is not open. */
uint64_t km_breaker_left_ms(const struct km_breaker *b, uint64_t now_ms);
/* The per cent of its load that it gets, while others can take the rest. */
unsigned km_breaker_share(const struct km_breaker *b, uint64_t now_ms);
/* It is full: nobody goes there for so long who can go elsewhere. */
void km_breaker_rest(struct km_breaker *b, uint64_t ms, uint64_t now_ms);
bool km_breaker_rests(const struct km_breaker *b, uint64_t now_ms);
/* Whoever had the probe will not say: the next may have it. */
void km_breaker_release(struct km_breaker *b);
/* As if nothing had been reported. */
void km_breaker_reset(struct km_breaker *b);
/* true: this opened it. */
bool km_breaker_fail(struct km_breaker *b, const struct km_breaker_settings *s,
                     enum km_failure failure, uint64_t now_ms);
void km_breaker_report(struct km_breaker *b, const struct km_breaker_settings *s, bool ok,
                       uint64_t now_ms);

#endif
