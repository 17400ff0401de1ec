/* SPDX-License-Identifier: Apache-2.0 */
/* map.c - see map.h for the contract.
 *
 * One array of slots, linear probing, at most three quarters full:
 *
 *     hash:  [ 0 ][ h1 ][ h2 ][ 0 ]...     0: free (a hash of 0 is stored as 1)
 *     slot:  hash, key view, value         32 bytes, two to a cache line
 *
 * The stored hash is compared first, so a key is looked at only where it will be equal.
 * Removal moves the following slots of the run back instead of leaving a tombstone: a map
 * that lives for months with keys coming and going stays as fast as a new one.
 *
 * A borrowed key lives in its value; replacing the value therefore replaces the key too.
 */
#include "base/map.h"

#include <stdlib.h>

#include "base/hash.h"

#define FIRST_SLOTS 8 /* a power of two */

struct slot {
    uint64_t hash;
    struct km_str key;
    void *value;
};

struct km_map {
    struct slot *slots;
    size_t mask; /* slots - 1 */
    size_t count, max;
    struct km_hash_seed seed;
    bool borrowed;
};

static struct km_map *make(size_t max_entries, bool borrowed)
{
    struct km_map *map = calloc(1, sizeof *map);

    if (!map)
        return NULL;
    map->slots = calloc(FIRST_SLOTS, sizeof *map->slots);
    if (!map->slots) {
        free(map);
        return NULL;
    }
    map->mask = FIRST_SLOTS - 1;
    map->max = max_entries;
    map->borrowed = borrowed;
    km_hash_seed_random(&map->seed);
    return map;
}

struct km_map *km_map_new(size_t max_entries)
{
    return make(max_entries, false);
}

struct km_map *km_map_new_borrowed(size_t max_entries)
{
    return make(max_entries, true);
}

static void free_key(struct km_map *map, struct slot *slot)
{
    if (!map->borrowed)
        free((void *)(uintptr_t)slot->key.p); /* ours: copied in set() */
}

struct km_map *km_map_free(struct km_map *map, void (*free_value)(void *value))
{
    if (!map)
        return NULL;
    for (size_t i = 0; i <= map->mask; i++) {
        struct slot *slot = &map->slots[i];

        if (!slot->hash)
            continue;
        free_key(map, slot);
        if (free_value)
            free_value(slot->value);
    }
    free(map->slots);
    free(map);
    return NULL;
}

size_t km_map_count(const struct km_map *map)
{
    return map->count;
}

static uint64_t hash_of(const struct km_map *map, struct km_str key)
{
    uint64_t h = km_hash(&map->seed, key);

    return h ? h : 1;
}

/* The slot of the key, or the free one where it would go.  There is always a free one. */
static struct slot *find(const struct km_map *map, uint64_t hash, struct km_str key)
{
    for (size_t i = hash & map->mask;; i = (i + 1) & map->mask) {
        struct slot *slot = &map->slots[i];

        if (!slot->hash || (slot->hash == hash && km_str_eq(slot->key, key)))
            return slot;
    }
}

void *km_map_get(const struct km_map *map, struct km_str key)
{
    const struct slot *slot = find(map, hash_of(map, key), key);

    return slot->hash ? slot->value : NULL;
}

static int grow(struct km_map *map)
{
    const size_t old = map->mask + 1;
    struct slot *slots = calloc(old * 2, sizeof *slots);

    if (!slots)
        return KM_E_NOMEM;
    for (size_t i = 0; i < old; i++) {
        const struct slot *from = &map->slots[i];
        size_t at = from->hash & (old * 2 - 1);

        if (!from->hash)
            continue;
        while (slots[at].hash)
            at = (at + 1) & (old * 2 - 1);
        slots[at] = *from;
    }
    free(map->slots);
    map->slots = slots;
    map->mask = old * 2 - 1;
    return 0;
}

static int copy_key(struct km_str key, struct km_str *ret_copy)
{
    char *p = malloc(key.n + 1);

    if (!p)
        return KM_E_NOMEM;
    if (key.n)
        memcpy(p, key.p, key.n);
    p[key.n] = '\0';
    *ret_copy = km_str(p, key.n);
    return 0;
}

static int add(struct km_map *map, uint64_t hash, struct km_str key, void *value)
{
    if (map->count >= map->max)
        return KM_E_LIMIT;
    if ((map->count + 1) * 4 > (map->mask + 1) * 3 && grow(map) < 0)
        return KM_E_NOMEM;
    if (!map->borrowed && copy_key(key, &key) < 0)
        return KM_E_NOMEM;
    *find(map, hash, key) = (struct slot){ .hash = hash, .key = key, .value = value };
    map->count++;
    return 0;
}

int km_map_set(struct km_map *map, struct km_str key, void *value, void **ret_old)
{
    uint64_t hash = hash_of(map, key);
    struct slot *slot = find(map, hash, key);
    void *old = slot->hash ? slot->value : NULL;

    km_assert(value); /* NULL is what get() answers for "not there" */
    if (slot->hash) {
        slot->value = value;
        if (map->borrowed)
            slot->key = key;
    } else {
        int r = add(map, hash, key, value);

        if (r < 0)
            return r;
    }
    if (ret_old)
        *ret_old = old;
    return 0;
}

/* Closes the gap at `gap`: a later slot of the run moves back unless its home lies between. */
static void close_gap(struct km_map *map, size_t gap)
{
    for (size_t i = (gap + 1) & map->mask; map->slots[i].hash; i = (i + 1) & map->mask) {
        size_t home = map->slots[i].hash & map->mask;

        if (((i - home) & map->mask) >= ((i - gap) & map->mask)) {
            map->slots[gap] = map->slots[i];
            gap = i;
        }
    }
    map->slots[gap] = (struct slot){ .hash = 0 };
}

void *km_map_del(struct km_map *map, struct km_str key)
{
    struct slot *slot = find(map, hash_of(map, key), key);
    void *value;

    if (!slot->hash)
        return NULL;
    value = slot->value;
    free_key(map, slot);
    close_gap(map, (size_t)(slot - map->slots));
    map->count--;
    return value;
}

bool km_map_next(const struct km_map *map, size_t *it, struct km_str *ret_key, void **ret_value)
{
    for (; *it <= map->mask; ++*it) {
        const struct slot *slot = &map->slots[*it];

        if (!slot->hash)
            continue;
        if (ret_key)
            *ret_key = slot->key;
        if (ret_value)
            *ret_value = slot->value;
        ++*it;
        return true;
    }
    return false;
}
