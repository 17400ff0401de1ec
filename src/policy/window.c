/* SPDX-License-Identifier: Apache-2.0 */
/* window.c - see window.h for the contract.
 *
 * A ring of ten words, each one second:
 *
 *     | number of the second, 24 bits | all, 20 bits | some, 20 bits |
 *
 * Counting is one addition.  Whoever comes first in a second finds the word of ten seconds ago and
 * puts its own in its place; the sum is made only when somebody asks.  A second holds half a
 * million of each at most: more are not counted.
 */
#include "policy/window.h"

#include <stdatomic.h>

#define COUNT_BITS 20
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define COUNT_MOST (COUNT_MASK / 2) /* threads that add at the same moment do not carry over */
#define SECOND_MASK ((UINT64_C(1) << 24) - 1)
#define ONE_OF_ALL (UINT64_C(1) << COUNT_BITS)
#define ONE_OF_SOME UINT64_C(1)

static uint64_t second_of(uint64_t word)
{
    return word >> (2 * COUNT_BITS);
}

static void add(struct km_window *w, uint64_t now_ms, uint64_t one)
{
    const uint64_t second = now_ms / 1000 & SECOND_MASK;
    _Atomic uint64_t *at = &w->seconds[now_ms / 1000 % KM_WINDOW_SECONDS];
    uint64_t word = atomic_load_explicit(at, memory_order_relaxed);

    while (second_of(word) != second)
        if (atomic_compare_exchange_weak_explicit(at, &word, second << (2 * COUNT_BITS) | one,
                                                  memory_order_relaxed, memory_order_relaxed))
            return;
    if ((word / one & COUNT_MASK) < COUNT_MOST)
        atomic_fetch_add_explicit(at, one, memory_order_relaxed);
}

void km_window_count_all(struct km_window *w, uint64_t now_ms)
{
    add(w, now_ms, ONE_OF_ALL);
}

void km_window_count_some(struct km_window *w, uint64_t now_ms)
{
    add(w, now_ms, ONE_OF_SOME);
}

struct km_window_sum km_window_sum(const struct km_window *w, uint64_t now_ms)
{
    const uint64_t now = now_ms / 1000;
    struct km_window_sum sum = { 0 };

    for (uint64_t i = 0; i < KM_WINDOW_SECONDS && i <= now; i++) {
        uint64_t word =
            atomic_load_explicit(&w->seconds[(now - i) % KM_WINDOW_SECONDS], memory_order_relaxed);

        if (second_of(word) != ((now - i) & SECOND_MASK))
            continue;
        sum.all += word >> COUNT_BITS & COUNT_MASK;
        sum.some += word & COUNT_MASK;
    }
    return sum;
}
