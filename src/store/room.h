/* SPDX-License-Identifier: Apache-2.0 */
/* room.h - room in the spill file for all that admitted calls may still write.
 *
 *     what waits + what calls in flight keep for their settlement  <=  room reserved in the file
 *
 * holds at every moment, whichever moment the disk turns out to be full at: a call is admitted
 * only when its records have their blocks already.  So nothing that is answered depends on a full
 * disk.  It is not kept in strict accounting, where an intent is committed before its call goes
 * out, nor where calls go on whatever is lost (store_unavailable: serve).
 * Nothing is kept for progress: it is written where there is room, and left out where there is
 * none.
 *
 * While the store can be written no frame is, and each worker has an equal share, which it compares
 * with what it keeps: one load.  Past the share, and in an outage, all workers are added up.  The
 * writer reserves more when half is taken; a worker does it itself only when that came too late.
 */
#ifndef KM_STORE_ROOM_H
#define KM_STORE_ROOM_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/spill.h"

struct km_store;

/* What a call in flight keeps for its settlement and the frame around it, and one that is audited
 * for its audit record.  Longer ones lose text when there is no more room than that. */
#define KM_ROOM_SETTLE 768
#define KM_ROOM_AUDIT 2048
/* What one call may take in all: each worker may be about to add one. */
#define KM_ROOM_CALL 4096

struct km_room {
    bool bounded; /* the rule above holds */
    _Atomic size_t share; /* most bytes a worker may keep without asking */
    pthread_mutex_t lock; /* guards what follows */
    struct km_spill *spill; /* NULL: none */
    bool elsewhere; /* another process has the store, and takes what is written here */
    uint64_t again_ms; /* nothing was to be had: when it is tried again */
    int64_t none_us; /* since then not even one call had room; 0: one has */
    char why[256]; /* and why not */
    int64_t harmed_us; /* what the file held was found damaged or moved; 0: no */
    char harm[400];
};

void km_room_init(struct km_room *r, bool bounded);
void km_room_done(struct km_room *r);

/* Writer's thread: this is the file now.  NULL: there is none, because of `why`, or (NULL) because
 * another process took over. */
void km_room_use(struct km_store *store, struct km_spill *spill, const char *why);
/* Writer's thread: reserves ahead of what is needed; cheap.  After frames came or went too. */
void km_room_tend(struct km_store *store);
/* A worker came or went. */
void km_room_share(struct km_store *store);

/* Is there room for `more` bytes, and all else that may come?  KM_E_OVERLOADED says why not.  A
 * worker's, when its share is used up or there is an outage. */
int km_room_find(struct km_store *store, size_t more, struct km_err *err) KM_MUST_USE;

/* Not even one call has room, and since when (wall); 0: one has.  text: why, at least 256 bytes. */
int64_t km_room_none_since(struct km_store *store, char *text);

/* Is the file still there, with its room?  Any thread. */
bool km_room_is_there(struct km_store *store);

/* Something is wrong with what the file held: said until a restart, nothing is refused for it. */
void km_room_harm(struct km_store *store, const char *text);
/* Since when (wall); 0: no.  text: at least 400 bytes. */
int64_t km_room_harmed_since(struct km_store *store, char *text);

static inline size_t km_room_own(const struct km_room *r)
{
    return atomic_load_explicit(&r->share, memory_order_relaxed);
}

#endif
