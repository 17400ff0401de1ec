/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - the store as its own modules see it; nobody outside store/ includes it. */
#ifndef KM_STORE_INSIDE_H
#define KM_STORE_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/ledger.h"
#include "store/place.h"

struct km_writer;
struct km_readers;

#define KM_STORE_LEDGERS 256 /* most workers */

struct km_store {
    struct km_place place;
    bool strict;
    uint64_t commit_ms;
    size_t queue_bytes;
    struct km_log *log;
    struct km_events *events;
    struct km_writer *writer;
    struct km_readers *readers;
    struct km_ledger *imports;
    char state_dir[480]; /* where the key of kept answers lies */
    _Atomic bool healthy;

    pthread_mutex_t lock; /* guards the list; held to look, never while writing */
    struct km_ledger *ledgers[KM_STORE_LEDGERS];
    _Atomic size_t nledgers; /* filled slots; a freed ledger's slot is taken by the last */
};

#endif
