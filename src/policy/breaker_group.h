/* SPDX-License-Identifier: Apache-2.0 */
/* breaker_group.h - the circuit breaker of a provider: of all deployments at one place.
 *
 *     two of its deployments (s->deployments) are left alone, none has answered well in between
 *         -> all are, for as long; then one call probes it, and load comes back to all by and by
 *
 * Only what may be the provider's counts (km_breaker_group_counts): no connection, no answer in
 * time, a server's error; not a key that one deployment has and the others do not.  Atomics; shared
 * by all workers.  A provider with one deployment has none: that one's own says the same.
 */
#ifndef KM_POLICY_BREAKER_GROUP_H
#define KM_POLICY_BREAKER_GROUP_H

#include "policy/breaker.h"

struct km_breaker_group {
    struct km_breaker breaker;
    struct km_breaker_settings settings; /* how long, and whether load ramps: as its deployments' */
    _Atomic uint64_t down; /* bit: a deployment that was left alone since one answered well */
};

/* As its deployments are configured, but that it opens at once. */
void km_breaker_group_init(struct km_breaker_group *g, const struct km_breaker_settings *s);
bool km_breaker_group_counts(enum km_failure failure);
/* Its deployment at `place` is left alone. */
void km_breaker_group_fail(struct km_breaker_group *g, unsigned place, uint64_t now_ms);
/* One of its deployments has answered. */
void km_breaker_group_ok(struct km_breaker_group *g, uint64_t now_ms);

#endif
