/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - the store as its own modules see it; nobody outside store/ includes it. */
#ifndef KM_STORE_INSIDE_H
#define KM_STORE_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/driver.h"
#include "store/holds.h"
#include "store/identity.h"
#include "store/ledger.h"
#include "store/outage.h"
#include "store/place.h"
#include "store/room.h"

struct km_writer;
struct km_readers;
struct km_guard;
struct km_lookout;
struct km_ahead;

#define KM_STORE_LEDGERS 256 /* most workers */

struct km_store {
    const struct km_driver *driver;
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
    struct km_identity identity;
    struct km_outage outage;
    struct km_room room;
    struct km_ahead *ahead; /* NULL: the store itself has all there is */
    struct km_guard *guard;
    struct km_lookout *lookout;
    uint64_t check_ms;
    int64_t hold_us; /* most time that the rest of a lost call's reservation is held */
    const struct km_store_books *books; /* NULL: nobody has them in memory */
    char spill_path[KM_PLACE_PATH];
    uint64_t spill_max;
    _Atomic uint64_t spilled_bytes;
    _Atomic uint64_t turns; /* of the writer's hold on the file: odd while it is handed over */
    _Atomic uint64_t checkpoints; /* counts those that may have written the file */

    pthread_mutex_t lock; /* guards the list; held to look, never while writing */
    struct km_ledger *ledgers[KM_STORE_LEDGERS];
    _Atomic size_t nledgers; /* filled slots; a freed ledger's slot is taken by the last */
};

/* A read-only connection; none once the name may lead to another file. */
int km_store_open_reader(struct km_store *store, struct km_db **ret_db,
                         struct km_err *err) KM_MUST_USE;

/* A statement's rows, over a connection of its own: both are the caller's to end, the statement
 * first. */
int km_store_ask(struct km_store *store, const struct km_statement *s, const void *in,
                 struct km_db **ret_db, struct km_ready **ret_ready,
                 struct km_err *err) KM_MUST_USE;

/* The file is not what it was, or cannot be read as one: said once, and the writer leaves it alone
 * from then on.  Any thread. */
void km_store_lose(struct km_store *store, enum km_outage_kind kind, const char *reason,
                   const char *text);

/* Looks whether the files are those that were opened, where it lies in some; if not, it is lost. */
void km_store_look(struct km_store *store);

#endif
