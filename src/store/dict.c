/* SPDX-License-Identifier: Apache-2.0 */
/* dict.c - see dict.h for the contract.
 *
 * One look-up a ledger record on the writer's thread, so it is made for hits: the slot that was
 * found last is looked at first, because calls of one key come in bursts; then open addressing
 * over stored hashes, the bytes compared once where the hash is equal.
 *
 *     slot:  hash | value | -> [ head ][ body ]
 *
 * Names in records come from clients (the requested model), so hashing is keyed; and a client
 * that invents names for ever only makes the cache start anew.
 */
#include "store/dict.h"

#include <stdlib.h>

#include "base/hash.h"

#define FIRST_SLOTS 64 /* a power of two */

struct slot {
    uint64_t hash; /* 0: free */
    struct km_dict_value value;
    char *bytes;
    uint32_t head_n, body_n;
};

struct km_dict {
    struct km_hash_seed seed;
    struct slot *slots;
    size_t mask, count, max;
    size_t last; /* the slot found last; it may be free by now */
};

struct km_dict *km_dict_new(size_t max_entries)
{
    struct km_dict *d = calloc(1, sizeof *d);

    if (!d)
        return NULL;
    d->slots = calloc(FIRST_SLOTS, sizeof *d->slots);
    if (!d->slots) {
        free(d);
        return NULL;
    }
    d->mask = FIRST_SLOTS - 1;
    d->max = max_entries;
    km_hash_seed_random(&d->seed);
    return d;
}

void km_dict_clear(struct km_dict *d)
{
    for (size_t i = 0; d->count && i <= d->mask; i++)
        free(d->slots[i].bytes);
    if (d->count)
        memset(d->slots, 0, (d->mask + 1) * sizeof *d->slots);
    d->count = 0;
}

struct km_dict *km_dict_free(struct km_dict *d)
{
    if (!d)
        return NULL;
    km_dict_clear(d);
    free(d->slots);
    free(d);
    return NULL;
}

/* At most half full. */
static bool grow(struct km_dict *d)
{
    size_t n = 2 * (d->mask + 1);
    struct slot *slots = calloc(n, sizeof *slots);

    if (!slots)
        return false;
    for (size_t i = 0; i <= d->mask; i++) {
        size_t to = d->slots[i].hash & (n - 1);

        if (!d->slots[i].hash)
            continue;
        while (slots[to].hash)
            to = (to + 1) & (n - 1);
        slots[to] = d->slots[i];
    }
    free(d->slots);
    d->slots = slots;
    d->mask = n - 1;
    return true;
}

static uint64_t hash_of(const struct km_dict *d, struct km_str head, struct km_str body)
{
    uint64_t h = km_hash(&d->seed, body);

    if (head.n)
        h ^= km_hash(&d->seed, head) * 0x9e3779b97f4a7c15u;
    return h ? h : 1;
}

static bool same(const struct slot *s, struct km_str head, struct km_str body)
{
    return s->head_n == head.n && s->body_n == body.n &&
           (head.n == 0 || memcmp(s->bytes, head.p, head.n) == 0) &&
           (body.n == 0 || memcmp(s->bytes + head.n, body.p, body.n) == 0);
}

const struct km_dict_value *km_dict_find(struct km_dict *d, struct km_str head, struct km_str body)
{
    uint64_t hash;

    if (d->slots[d->last].hash && same(&d->slots[d->last], head, body))
        return &d->slots[d->last].value;
    hash = hash_of(d, head, body);
    for (size_t i = hash & d->mask; d->slots[i].hash; i = (i + 1) & d->mask)
        if (d->slots[i].hash == hash && same(&d->slots[i], head, body)) {
            d->last = i;
            return &d->slots[i].value;
        }
    return NULL;
}

void km_dict_add(struct km_dict *d, struct km_str head, struct km_str body,
                 struct km_dict_value value)
{
    uint64_t hash = hash_of(d, head, body);
    char *bytes;
    size_t i;

    if (d->count >= d->max)
        km_dict_clear(d);
    if (2 * (d->count + 1) > d->mask + 1 && !grow(d))
        return;
    bytes = malloc(head.n + body.n + 1);
    if (!bytes)
        return;
    if (head.n)
        memcpy(bytes, head.p, head.n);
    if (body.n)
        memcpy(bytes + head.n, body.p, body.n);
    for (i = hash & d->mask; d->slots[i].hash; i = (i + 1) & d->mask)
        ;
    d->slots[i] = (struct slot){ .hash = hash,
                                 .value = value,
                                 .bytes = bytes,
                                 .head_n = (uint32_t)head.n,
                                 .body_n = (uint32_t)body.n };
    d->count++;
}
