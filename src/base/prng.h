/* SPDX-License-Identifier: Apache-2.0 */
/* prng.h - pseudo-random numbers for choices that need no secrecy: which deployment, how long to
 * wait.  What must not be guessed comes from base/crypto.
 *
 * splitmix64 over a state of the caller's own: no lock, and a test that sets the state sees the
 * same choices.
 */
#ifndef KM_BASE_PRNG_H
#define KM_BASE_PRNG_H

#include <stdint.h>

static inline uint64_t km_prng_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

#endif
