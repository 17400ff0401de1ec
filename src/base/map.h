/* SPDX-License-Identifier: Apache-2.0 */
/* map.h - string to pointer, open addressing, SipHash with a random seed per map.
 *
 * Keys are copied unless the map was made with borrowed keys.  Values are the caller's.
 * Order of iteration is unspecified.  One thread at a time.
 */
#ifndef KM_BASE_MAP_H
#define KM_BASE_MAP_H

#include "base/str.h"

struct km_map;

/* At most max_entries (its limit); keys are copied. */
struct km_map *km_map_new(size_t max_entries);
/* Keys must outlive the map (they live in the value, or in an arena). */
struct km_map *km_map_new_borrowed(size_t max_entries);
/* Calls free_value(value) for each when it is not NULL.  Returns NULL. */
struct km_map *km_map_free(struct km_map *map, void (*free_value)(void *value));

size_t km_map_count(const struct km_map *map);
void *km_map_get(const struct km_map *map, struct km_str key); /* NULL: not there */

/* Replaces; the old value goes to *ret_old (may be NULL to ignore; NULL if none).  KM_E_LIMIT
 * when full.  value is never NULL. */
int km_map_set(struct km_map *map, struct km_str key, void *value, void **ret_old) KM_MUST_USE;
void *km_map_del(struct km_map *map, struct km_str key); /* the removed value, or NULL */

/* for (size_t it = 0; km_map_next(map, &it, &key, &value);) - no changes while iterating. */
bool km_map_next(const struct km_map *map, size_t *it, struct km_str *ret_key, void **ret_value);

#endif
