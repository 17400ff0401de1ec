/* SPDX-License-Identifier: Apache-2.0 */
/* guard.c - see guard.h for the contract.
 *
 * Each tick it has the files looked at (lookout.h), and reads a slice of what is in them, when a
 * check is under way: each check_ms begins one, and a write by another one at once.  It has also
 * the spill file looked after, which the writer does itself only when it is at work.
 */
#include "store/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/time.h"
#include "store/inside.h"
#include "store/writer.h"
#include "sys/background.h"

struct km_guard {
    struct km_store *store;
    pthread_t thread;
    struct km_check *check; /* under way */
    bool hurry; /* the check has a cause: without a pause between slices */
    uint64_t check_at_ms;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool stop;
};

/* NULL: it lies in no file of ours, and only the spill file is looked after. */
static const struct km_driver_file *file_of(const struct km_guard *g)
{
    return g->store->driver->file;
}

static void end_check(struct km_guard *g)
{
    if (g->check)
        g->check = file_of(g)->check_free(g->check);
}

static void begin_check(struct km_guard *g, bool hurry)
{
    end_check(g);
    g->check = file_of(g)->check_new(g->store->place.path);
    g->hurry = hurry;
    g->check_at_ms = km_mono_ms() + g->store->check_ms;
}

/* One slice. */
static void go_on_checking(struct km_guard *g)
{
    struct km_err err = { 0 };
    bool damaged = false, done = false;
    int r = file_of(g)->check_step(g->check, &done, &damaged, &err);
    char text[512];

    if (r < 0 && damaged) {
        (void)snprintf(text, sizeof text,
                       "The store is damaged: %.300s. Restore it from a backup; until a restart "
                       "nothing more is written to it.",
                       err.text);
        km_store_lose(g->store, KM_OUTAGE_DAMAGED, "the store is damaged", text);
    }
    if (r < 0 || done) /* what could not be read for another reason is tried again in its time */
        end_check(g);
}

static bool is_over(struct km_guard *g, uint64_t wait_ms)
{
    struct timespec ts;
    uint64_t at = km_mono_ms() + wait_ms;
    bool stop;

    ts.tv_sec = (time_t)(at / 1000);
    ts.tv_nsec = (long)(at % 1000) * 1000000;
    pthread_mutex_lock(&g->lock);
    while (!g->stop && wait_ms && pthread_cond_timedwait(&g->wake, &g->lock, &ts) != ETIMEDOUT)
        ;
    stop = g->stop;
    pthread_mutex_unlock(&g->lock);
    return stop;
}

static void *run(void *arg)
{
    struct km_guard *g = arg;

    km_thread_to_background();
    while (!is_over(g, g->check && g->hurry ? 0 : KM_GUARD_TICK_MS)) {
        if (!km_room_is_there(g->store))
            km_writer_wake(g->store->writer, true);
        if (!file_of(g) || km_outage_final(&g->store->outage))
            continue;
        if (atomic_load(&g->store->turns) % 2) {
            end_check(g);
            continue;
        }
        km_store_look(g->store);
        if (file_of(g)->was_written(g->store->lookout))
            begin_check(g, true);
        else if (!g->check && km_mono_ms() >= g->check_at_ms)
            begin_check(g, false);
        if (g->check && !km_outage_final(&g->store->outage))
            go_on_checking(g);
        if (km_outage_final(&g->store->outage))
            end_check(g);
    }
    return NULL;
}

int km_guard_new(struct km_store *store, struct km_guard **ret_guard, struct km_err *err)
{
    struct km_guard *g = calloc(1, sizeof *g);
    pthread_condattr_t attr;
    int r;

    if (!g)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    g->store = store;
    km_store_look(store);
    g->check_at_ms = km_mono_ms() + store->check_ms;
    pthread_mutex_init(&g->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&g->wake, &attr);
    pthread_condattr_destroy(&attr);
    r = pthread_create(&g->thread, NULL, run, g);
    if (r != 0) {
        pthread_cond_destroy(&g->wake);
        pthread_mutex_destroy(&g->lock);
        free(g);
        return km_fail_errno(err, r, "cannot start the store's guard");
    }
    *ret_guard = g;
    return 0;
}

struct km_guard *km_guard_free(struct km_guard *g)
{
    if (!g)
        return NULL;
    pthread_mutex_lock(&g->lock);
    g->stop = true;
    pthread_cond_signal(&g->wake);
    pthread_mutex_unlock(&g->lock);
    pthread_join(g->thread, NULL);
    end_check(g);
    pthread_cond_destroy(&g->wake);
    pthread_mutex_destroy(&g->lock);
    free(g);
    return NULL;
}
