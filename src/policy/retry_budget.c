/* SPDX-License-Identifier: Apache-2.0 */
/* retry_budget.c - see retry_budget.h for the contract.
 *
 * A ring of ten words, each one second:
 *
 *     | number of the second, 24 bits | requests, 20 bits | repetitions, 20 bits |
 *
 * Counting is one addition.  Whoever comes first in a second finds the word of ten seconds ago and
 * puts its own in its place; the sum is made only when somebody asks for a repetition.  A second
 * holds a million requests at most: more are not counted, and change nothing.
 */
#include "policy/retry_budget.h"

#include <stdatomic.h>

#define COUNT_BITS 20
#define COUNT_MOST ((1u << COUNT_BITS) - 1)
#define SECOND_MASK ((1u << 24) - 1)

static uint64_t second_of(uint64_t word)
{
    return word >> (2 * COUNT_BITS);
}

static uint64_t requests_of(uint64_t word)
{
    return word >> COUNT_BITS & COUNT_MOST;
}

static uint64_t repetitions_of(uint64_t word)
{
    return word & COUNT_MOST;
}

static void add(struct km_retry_budget *b, uint64_t second, uint64_t one, bool repeated)
{
    _Atomic uint64_t *at = &b->seconds[second % KM_RETRY_BUDGET_SECONDS];
    uint64_t word = atomic_load_explicit(at, memory_order_relaxed);
    const uint64_t fresh = (second & SECOND_MASK) << (2 * COUNT_BITS);

    while (second_of(word) != (second & SECOND_MASK))
        if (atomic_compare_exchange_weak_explicit(at, &word, fresh | one, memory_order_relaxed,
                                                  memory_order_relaxed))
            return;
    if ((repeated ? repetitions_of(word) : requests_of(word)) < COUNT_MOST / 2)
        atomic_fetch_add_explicit(at, one, memory_order_relaxed);
}

void km_retry_budget_count(struct km_retry_budget *b, uint64_t now_ms)
{
    add(b, now_ms / 1000, (uint64_t)1 << COUNT_BITS, false);
}

bool km_retry_budget_take(struct km_retry_budget *b, uint64_t now_ms)
{
    const uint64_t now = now_ms / 1000;
    uint64_t requests = 0, repetitions = 0;

    for (uint64_t i = 0; i < KM_RETRY_BUDGET_SECONDS && i <= now; i++) {
        uint64_t word = atomic_load_explicit(&b->seconds[(now - i) % KM_RETRY_BUDGET_SECONDS],
                                             memory_order_relaxed);

        if (second_of(word) != ((now - i) & SECOND_MASK))
            continue;
        requests += requests_of(word);
        repetitions += repetitions_of(word);
    }
    if (repetitions >= KM_RETRY_BUDGET_LEAST &&
        repetitions * 100 >= requests * KM_RETRY_BUDGET_PERCENT)
        return false;
    add(b, now, 1, true);
    return true;
}
