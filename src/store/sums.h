/* SPDX-License-Identifier: Apache-2.0 */
/* sums.h - what one transaction adds to the daily roll-ups and to the spend of keys. */
#ifndef KM_STORE_SUMS_H
#define KM_STORE_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct km_sum {
    int64_t day, key, route; /* what it is of */
    int64_t calls; /* 0: a free slot */
    int64_t failed, prompt_tokens, completion_tokens, cached_tokens;
    int64_t cost;
    int64_t spend; /* part of cost that counts in the key's running window */
};

struct km_sums {
    struct km_sum *slots;
    size_t mask, count;
    const struct km_sum **sorted; /* by km_sums_sort() */
    size_t nsorted, cap;
};

/* The sum of this day, key and route, one call added to it, made when new;
 * NULL when out of memory.  Valid until the next call. */
struct km_sum *km_sums_at(struct km_sums *s, int64_t day, int64_t key, int64_t route);
void km_sums_clear(struct km_sums *s); /* keeps a little memory */
void km_sums_done(struct km_sums *s);

/* Fills s->sorted: by key, day, route.  KM_E_NOMEM. */
int km_sums_sort(struct km_sums *s);

/* for (size_t it = 0; (sum = km_sums_next(s, &it));) */
const struct km_sum *km_sums_next(const struct km_sums *s, size_t *it);

#endif
