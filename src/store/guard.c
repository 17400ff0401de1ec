/* SPDX-License-Identifier: Apache-2.0 */
/* guard.c - see guard.h for the contract.
 *
 * SQLite holds its files open, so a store whose name was deleted or given to another file goes on
 * working, and all of it is gone at the next start.  Each tick:
 *
 *     stat the store and its log    gone, another inode, shorter       -> lost
 *     written, and not by us        no checkpoint of ours explains it  -> checked at once
 *     one slice of the check        each check_ms begins a new one     -> damaged
 *
 * It never opens the store's file by itself: closing it again would drop the locks that SQLite
 * holds on it in this process.  After a hand-over the file is another process's to watch: this one
 * stops when the writer has let go.
 */
#include "store/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/time.h"
#include "store/check.h"
#include "store/inside.h"
#include "sys/background.h"

struct seen {
    bool there;
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec written;
};

struct km_guard {
    struct km_store *store;
    pthread_t thread;
    struct seen db, log;
    uint64_t turns; /* of the writer, when they were seen */
    uint64_t checkpoints; /* when db.written was noted */
    struct km_check *check; /* under way */
    bool hurry; /* the check has a cause: without a pause between slices */
    uint64_t check_at_ms;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool stop;
};

static struct seen look(const struct km_store *store, const char *suffix)
{
    char path[KM_PLACE_PATH];
    struct stat st;

    (void)snprintf(path, sizeof path, "%.*s%s", KM_PLACE_PATH - 16, store->place.path, suffix);
    if (stat(path, &st) != 0)
        return (struct seen){ .there = errno != ENOENT && errno != ENOTDIR };
    return (struct seen){
        .there = true, .dev = st.st_dev, .ino = st.st_ino, .size = st.st_size, .written = st.st_mtim
    };
}

static void lose(struct km_guard *g, const char *what, const char *reason)
{
    char text[512];

    (void)snprintf(text, sizeof text,
                   "%s '%.200s' %s. Until a restart nothing more is written to it; what calls cost "
                   "goes to '%.100s'.",
                   what, g->store->place.path, reason, g->store->spill_path);
    km_store_lose(g->store, KM_OUTAGE_LOST, reason, text);
}

static bool is_other(const struct seen *was, const struct seen *now)
{
    /* ino 0: it is there and cannot be looked at, which says nothing about it. */
    return now->ino && (was->dev != now->dev || was->ino != now->ino);
}

/* A write that no checkpoint of ours explains. */
static bool is_foreign(struct km_guard *g, const struct seen *now)
{
    uint64_t checkpoints = atomic_load(&g->store->checkpoints);
    bool written = g->db.written.tv_sec != now->written.tv_sec ||
                   g->db.written.tv_nsec != now->written.tv_nsec;
    bool ours = checkpoints != g->checkpoints;

    g->checkpoints = checkpoints;
    return written && !ours;
}

static void begin_check(struct km_guard *g, bool hurry)
{
    km_check_free(g->check);
    g->check = km_check_new(g->store->place.path);
    g->hurry = hurry;
    g->check_at_ms = km_mono_ms() + g->store->check_ms;
}

static void look_at_files(struct km_guard *g)
{
    uint64_t turns = atomic_load(&g->store->turns);
    struct seen db = look(g->store, ""), log = look(g->store, "-wal");
    bool foreign;

    if (turns != g->turns || turns != atomic_load(&g->store->turns)) {
        g->db = db; /* it was handed over and has come back, with another log */
        g->log = log;
        g->turns = turns;
        return;
    }
    if (!db.there) {
        lose(g, "The store", "was deleted");
    } else if (is_other(&g->db, &db)) {
        lose(g, "The store", "was replaced by another file");
    } else if (g->log.there && (!log.there || is_other(&g->log, &log))) {
        lose(g, "The write-ahead log of the store", log.there ? "was replaced" : "was deleted");
    } else if (db.ino) {
        foreign = is_foreign(g, &db);
        if (db.size < g->db.size &&
            !km_check_is_long_enough(g->store->place.path, (uint64_t)db.size))
            lose(g, "The store", "was cut short");
        else if (foreign || db.size < g->db.size)
            begin_check(g, true);
        g->db = db;
        if (log.ino)
            g->log = log;
    }
}

/* One slice. */
static void go_on_checking(struct km_guard *g)
{
    struct km_err err = { 0 };
    bool damaged = false, done = false;
    int r = km_check_step(g->check, &done, &damaged, &err);
    char text[512];

    if (r < 0 && damaged) {
        (void)snprintf(text, sizeof text,
                       "The store is damaged: %.300s. Restore it from a backup; until a restart "
                       "nothing more is written to it.",
                       err.text);
        km_store_lose(g->store, KM_OUTAGE_DAMAGED, "the store is damaged", text);
    }
    if (r < 0 || done) /* what could not be read for another reason is tried again in its time */
        g->check = km_check_free(g->check);
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
        if (km_outage_final(&g->store->outage))
            continue;
        if (atomic_load(&g->store->turns) % 2) {
            g->check = km_check_free(g->check);
            continue;
        }
        look_at_files(g);
        if (!g->check && km_mono_ms() >= g->check_at_ms)
            begin_check(g, false);
        if (g->check && !km_outage_final(&g->store->outage))
            go_on_checking(g);
        if (km_outage_final(&g->store->outage))
            g->check = km_check_free(g->check);
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
    g->db = look(store, "");
    g->log = look(store, "-wal");
    g->checkpoints = atomic_load(&store->checkpoints);
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
    km_check_free(g->check);
    pthread_cond_destroy(&g->wake);
    pthread_mutex_destroy(&g->lock);
    free(g);
    return NULL;
}
