/* SPDX-License-Identifier: Apache-2.0 */
/* sticky.h - who asks again is served by the same one: by hashing, without a table.
 *
 *     session, key or prompt ──> 64 bits ──┬── with each deployment's own ──> score, lowest serves
 *                                          └── with a rule's name ──────────> its part of a split
 *
 * Rendezvous hashing: where one deployment goes, those alone move that it had, and they come back
 * with it.  Nothing is kept, so there is nothing to bound, to share or to lose at a restart.
 */
#ifndef KM_POLICY_STICKY_H
#define KM_POLICY_STICKY_H

#include "base/str.h"

/* Of the same two texts always the same, in every process; never 0. */
uint64_t km_sticky(struct km_str a, struct km_str b);
/* Lower is better; of many keys each deployment has its weight's share.  weight: at least 1. */
uint64_t km_sticky_score(uint64_t sticky, uint64_t deployment, uint64_t weight);
/* 0 to 9999, evenly. */
unsigned km_sticky_part(uint64_t sticky, struct km_str of);

#endif
