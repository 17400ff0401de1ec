/* SPDX-License-Identifier: Apache-2.0 */
/* key_table.h - what key.c, key_admit.c and key_handover.c share; nobody else includes it. */
#ifndef KM_POLICY_KEY_TABLE_H
#define KM_POLICY_KEY_TABLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "policy/key.h"
#include "policy/purse.h"

/* A version of a key.  `key` first: the public pointer is the object's. */
struct km_key_object {
    struct km_key key;
    _Atomic int refs;
    struct km_key_row *row; /* owns the strings of key.row */
};

struct km_keys {
    pthread_rwlock_t lock; /* guards the map; an entry holds one reference */
    size_t max; /* keys */
    struct km_map *map; /* hash (32 bytes, in the object) to struct km_key_object */
    struct km_map *retired; /* hash of a former secret to the object that is in the map above */
    _Atomic uint64_t generation; /* counts changes */
    struct km_accounts *accounts; /* NULL: there are none */
    struct km_key *nobody; /* km_keys_nobody(); in no map */
    struct km_gateway_budget
        *gateway; /* all that calls cost counts there, too; NULL: there is none */
};

/* key_retired.c, under the lock.  The former secrets of the old version (NULL: none) are found no
 * more, and those of the new one (NULL: none) are. */
void km_keys_retire(struct km_keys *keys, const struct km_key_object *old,
                    struct km_key_object *fresh);
/* Whose former secret it is, and its time is not over; NULL: nobody's. */
struct km_key *km_keys_at_retired(const struct km_keys *keys, const uint8_t hash[32]);

#endif
