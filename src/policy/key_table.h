/* SPDX-License-Identifier: Apache-2.0 */
/* key_table.h - what key.c, key_admit.c and key_handover.c share; nobody else includes it. */
#ifndef KM_POLICY_KEY_TABLE_H
#define KM_POLICY_KEY_TABLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "policy/key.h"

/* Counts and windows of a key, shared by all versions of it.  Everything but refs and moved is
 * guarded by lock, which is held for a few dozen instructions and never together with another. */
struct km_key_live {
    _Atomic int refs;
    pthread_mutex_t lock;
    struct km_budget budget;
    struct km_limit_state limit;
    int64_t imported_reserved; /* part of budget.reserved: calls of the process before us */
    int64_t imported_running; /* part of limit.running */
    int64_t imported_tokens, imported_holders; /* part of limit.reserved and limit.holders */
    uint8_t hash[32]; /* of the key that has it now: a regenerated one's is the new one */
    _Atomic bool moved; /* a key was regenerated: not all versions' rows say that hash any more */
};

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
};

#endif
