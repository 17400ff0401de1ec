/* SPDX-License-Identifier: Apache-2.0 */
/* backoff.c - see backoff.h. */
#include "base/backoff.h"

uint64_t km_backoff(uint64_t first, uint64_t most, uint64_t before)
{
    uint64_t wait = first;

    while (before-- > 0 && wait > 0 && wait < most)
        wait = wait > most / 2 ? most : wait * 2;
    return wait < most ? wait : most;
}
