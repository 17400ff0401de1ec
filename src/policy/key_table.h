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
    struct km_map *map; /* hash (32 bytes, in the object) to struct km_key_object */
    _Atomic uint64_t generation; /* counts changes */
    struct km_accounts *accounts; /* NULL: there are none */
    struct km_key *nobody; /* km_keys_nobody(); in no map */
};

#endif
