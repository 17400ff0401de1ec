/* SPDX-License-Identifier: Apache-2.0 */
/* throttle.h - so many a minute of somebody, where nobody has shown a key yet.
 *
 * A fixed table of counters, chosen by a hash of who asks (an address): it never grows, and two
 * who share a counter share its limit.  Locked inside; any thread.
 */
#ifndef KM_POLICY_THROTTLE_H
#define KM_POLICY_THROTTLE_H

#include "base/str.h"

struct km_throttle;

struct km_throttle *km_throttle_new(size_t counters, unsigned a_minute);
struct km_throttle *km_throttle_free(struct km_throttle *t);

/* KM_E_RATE_LIMITED with retry_after_ms when it is one too many. */
int km_throttle_take(struct km_throttle *t, struct km_str who, uint64_t now_ms,
                     struct km_err *err) KM_MUST_USE;
/* The same without counting: would one more be too many? */
int km_throttle_look(struct km_throttle *t, struct km_str who, uint64_t now_ms,
                     struct km_err *err) KM_MUST_USE;

#endif
