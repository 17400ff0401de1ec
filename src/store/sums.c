/* SPDX-License-Identifier: Apache-2.0 */
/* sums.c - see sums.h for the contract.
 *
 * A commit holds hundreds of calls but few kinds of them: adding here, in memory, and once a
 * kind to the table makes roll-ups nearly free.  Open addressing over a power of two, at most
 * half full; the key is three small integers that only we give out, so a plain mix will do.
 */
#include "store/sums.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define FIRST 64
#define KEPT 1024 /* slots kept from one commit to the next */

static size_t place(const struct km_sums *s, int64_t day, int64_t key, int64_t route)
{
    uint64_t h = (uint64_t)day * 0x9e3779b97f4a7c15u;

    h = (h ^ (uint64_t)key) * 0xff51afd7ed558ccdu;
    h = (h ^ (h >> 32) ^ (uint64_t)route) * 0xc4ceb9fe1a85ec53u;
    return (size_t)(h >> 20) & s->mask;
}

static struct km_sum *find(const struct km_sums *s, int64_t day, int64_t key, int64_t route)
{
    size_t i = place(s, day, key, route);

    while (s->slots[i].calls &&
           (s->slots[i].key != key || s->slots[i].route != route || s->slots[i].day != day))
        i = (i + 1) & s->mask;
    return &s->slots[i];
}

static bool resize(struct km_sums *s, size_t n)
{
    struct km_sums bigger = { .slots = calloc(n, sizeof *s->slots), .mask = n - 1 };
    const struct km_sum *sum;

    if (!bigger.slots)
        return false;
    for (size_t it = 0; (sum = km_sums_next(s, &it));)
        *find(&bigger, sum->day, sum->key, sum->route) = *sum;
    free(s->slots);
    s->slots = bigger.slots;
    s->mask = bigger.mask;
    return true;
}

struct km_sum *km_sums_at(struct km_sums *s, int64_t day, int64_t key, int64_t route)
{
    struct km_sum *sum;

    if ((!s->slots && !resize(s, FIRST)) ||
        (2 * (s->count + 1) > s->mask + 1 && !resize(s, 2 * (s->mask + 1))))
        return NULL;
    sum = find(s, day, key, route);
    if (sum->calls == 0) {
        *sum = (struct km_sum){ .day = day, .key = key, .route = route };
        s->count++;
    }
    sum->calls++;
    return sum;
}

void km_sums_clear(struct km_sums *s)
{
    if (s->mask + 1 > KEPT)
        km_sums_done(s);
    else if (s->count)
        memset(s->slots, 0, (s->mask + 1) * sizeof *s->slots);
    s->count = 0;
    s->nsorted = 0;
}

void km_sums_done(struct km_sums *s)
{
    free(s->slots);
    free(s->sorted);
    *s = (struct km_sums){ 0 };
}

static int order(const void *a, const void *b)
{
    const struct km_sum *x = *(const struct km_sum *const *)a;
    const struct km_sum *y = *(const struct km_sum *const *)b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    return (x->route > y->route) - (x->route < y->route);
}

int km_sums_sort(struct km_sums *s)
{
    const struct km_sum *sum;

    s->nsorted = 0;
    if (s->cap < s->count) {
        const struct km_sum **grown = realloc(s->sorted, s->count * sizeof *grown);

        if (!grown)
            return KM_E_NOMEM;
        s->sorted = grown;
        s->cap = s->count;
    }
    for (size_t it = 0; (sum = km_sums_next(s, &it));)
        s->sorted[s->nsorted++] = sum;
    if (s->nsorted)
        qsort(s->sorted, s->nsorted, sizeof *s->sorted, order);
    return 0;
}

const struct km_sum *km_sums_next(const struct km_sums *s, size_t *it)
{
    while (s->slots && *it <= s->mask) {
        const struct km_sum *sum = &s->slots[(*it)++];

        if (sum->calls)
            return sum;
    }
    return NULL;
}
