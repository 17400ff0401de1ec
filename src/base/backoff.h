/* SPDX-License-Identifier: Apache-2.0 */
/* backoff.h - how long to wait before something that failed is tried again: twice as long each
 * time, up to a bound. */
#ifndef KM_BASE_BACKOFF_H
#define KM_BASE_BACKOFF_H

#include <stdint.h>

/* first, doubled as often as it failed before in a row, and never over most.  In any one unit. */
uint64_t km_backoff(uint64_t first, uint64_t most, uint64_t before);

#endif
