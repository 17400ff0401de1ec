/* SPDX-License-Identifier: Apache-2.0 */
/* room.c - see room.h for the contract.
 *
 * Every look adds up first what is needed and reads then what there is.  The writer moves the
 * file's end first and says then that the records lie in it.  So a look that falls between sees too
 * little room, never too much.
 */
#include "store/room.h"

#include <stdio.h>

#include "base/time.h"
#include "store/chunk.h"
#include "store/inside.h"
#include "store/writer.h"

#define AGAIN_MS 250 /* between two tries to get what the disk does not have */

void km_room_init(struct km_room *r, bool bounded)
{
    r->bounded = bounded;
    atomic_init(&r->share, bounded ? 0 : SIZE_MAX);
    pthread_mutex_init(&r->lock, NULL);
}

void km_room_done(struct km_room *r)
{
    pthread_mutex_destroy(&r->lock);
}

/* Bytes that all workers may still write, with one call more of each that is just beginning. */
static uint64_t needed(struct km_store *store)
{
    uint64_t n = km_ledger_needs(store->imports);

    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < atomic_load(&store->nledgers); i++)
        n += km_ledger_needs(store->ledgers[i]) + KM_ROOM_CALL;
    pthread_mutex_unlock(&store->lock);
    return n;
}

/* Under the lock. */
static void publish(struct km_store *store)
{
    struct km_room *r = &store->room;
    uint64_t room = r->spill ? km_spill_room(r->spill) : 0;
    size_t workers = atomic_load(&store->nledgers), share;

    if (!r->bounded || r->elsewhere) {
        atomic_store(&r->share, SIZE_MAX);
        r->none_us = 0;
        return;
    }
    workers = workers ? workers : 1;
    /* What waits is compared without its frames: a record has at least three times their size. */
    share = (size_t)(room / 4 * 3 / workers);
    atomic_store(&r->share, share > KM_ROOM_CALL ? share - KM_ROOM_CALL : 0);
    if (room >= (workers + 1) * KM_ROOM_CALL)
        r->none_us = 0;
    else if (r->none_us == 0)
        r->none_us = km_wall_us();
}

void km_room_use(struct km_store *store, struct km_spill *spill, const char *why)
{
    struct km_room *r = &store->room;

    pthread_mutex_lock(&r->lock);
    r->spill = spill;
    r->elsewhere = !spill && !why;
    (void)snprintf(r->why, sizeof r->why, "%s", why ? why : "");
    publish(store);
    pthread_mutex_unlock(&r->lock);
}

/* Under the lock. */
static int reserve(struct km_store *store, uint64_t least, uint64_t want, struct km_err *err)
{
    struct km_room *r = &store->room;
    int code;

    if (!r->spill || km_mono_ms() < r->again_ms)
        return km_fail(err, KM_E_OVERLOADED, "%s", r->why);
    code = km_spill_reserve(r->spill, least, want, err);
    if (code < 0) {
        r->again_ms = km_mono_ms() + AGAIN_MS;
        (void)snprintf(r->why, sizeof r->why, "%.255s", err->text);
    }
    publish(store);
    return code;
}

void km_room_tend(struct km_store *store)
{
    struct km_room *r = &store->room;
    struct km_err err = { 0 };
    uint64_t need;

    if (!r->bounded)
        return;
    pthread_mutex_lock(&r->lock);
    need = needed(store);
    if (r->spill && need > km_spill_room(r->spill) / 2)
        (void)!reserve(store, need, 4 * need, &err);
    else
        publish(store);
    pthread_mutex_unlock(&r->lock);
}

void km_room_share(struct km_store *store)
{
    pthread_mutex_lock(&store->room.lock);
    publish(store);
    pthread_mutex_unlock(&store->room.lock);
}

int km_room_find(struct km_store *store, size_t more, struct km_err *err)
{
    struct km_room *r = &store->room;
    struct km_err why = { 0 };
    uint64_t need;
    int code = 0;

    if (!r->bounded)
        return 0;
    pthread_mutex_lock(&r->lock);
    need = r->elsewhere ? 0 : needed(store) + more;
    if (need && (!r->spill || need > km_spill_room(r->spill)))
        code = reserve(store, need, 2 * need, &why);
    pthread_mutex_unlock(&r->lock);
    if (code == 0)
        return 0;
    km_writer_wake(store->writer, true); /* it may find another file, or that there is room again */
    km_fail(err, KM_E_OVERLOADED,
            "This call was not made, because it could not be booked: the disk is full or small, "
            "and no room for its record is left in the spill file.");
    if (err)
        err->retry_after_ms = 1000;
    return KM_E_OVERLOADED;
}

int64_t km_room_none_since(struct km_store *store, char *text)
{
    struct km_room *r = &store->room;
    int64_t since;

    pthread_mutex_lock(&r->lock);
    since = r->none_us;
    (void)snprintf(text, sizeof r->why, "%s", r->why);
    pthread_mutex_unlock(&r->lock);
    return since;
}

bool km_room_is_there(struct km_store *store)
{
    struct km_room *r = &store->room;
    bool there;

    pthread_mutex_lock(&r->lock);
    there = r->spill ? km_spill_look(r->spill) == KM_SPILL_THERE : r->elsewhere;
    pthread_mutex_unlock(&r->lock);
    return there;
}

void km_room_harm(struct km_store *store, const char *text)
{
    struct km_room *r = &store->room;

    pthread_mutex_lock(&r->lock);
    r->harmed_us = km_wall_us();
    (void)snprintf(r->harm, sizeof r->harm, "%s", text);
    pthread_mutex_unlock(&r->lock);
}

int64_t km_room_harmed_since(struct km_store *store, char *text)
{
    struct km_room *r = &store->room;
    int64_t since;

    pthread_mutex_lock(&r->lock);
    since = r->harmed_us;
    (void)snprintf(text, sizeof r->harm, "%s", r->harm);
    pthread_mutex_unlock(&r->lock);
    return since;
}
