/* SPDX-License-Identifier: Apache-2.0 */
/* lookout.c - see lookout.h for the contract.
 *
 * SQLite holds its files open, so a store whose name was deleted or given to another file goes on
 * working, and all of it is gone at the next start.  Each look:
 *
 *     stat the store and its log    gone, another inode, shorter       -> lost
 *     the log's new frames          not there, not whole (wal.h)       -> lost
 *     written, and not by us        no checkpoint of ours explains it  -> to be checked
 *     the lock's file               gone, another inode                -> made again
 *
 * It never opens the store's file by itself: closing it again would drop the locks that SQLite
 * holds on it in this process.  The log has none.  After a hand-over the files are another
 * process's to watch.
 */
#include "store/sqlite/lookout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/time.h"
#include "store/inside.h"
#include "store/sqlite/check.h"
#include "store/sqlite/driver.h"
#include "store/sqlite/wal.h"

struct seen {
    bool there;
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec written;
};

struct km_lookout {
    struct km_store *store;
    pthread_mutex_t lock; /* guards what follows */
    struct km_db *reader; /* NULL: not opened */
    struct km_wal wal;
    struct seen db, log;
    uint64_t turns; /* of the writer, when they were seen */
    uint64_t checkpoints; /* when db.written was noted */
    bool written; /* by another */
    struct km_lookout_found found; /* in the look under way; "": all is well */
};

int km_lookout_new(struct km_store *store, struct km_lookout **ret_lookout, struct km_err *err)
{
    struct km_lookout *w = calloc(1, sizeof *w);

    if (!w)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    w->store = store;
    w->turns = UINT64_MAX;
    pthread_mutex_init(&w->lock, NULL);
    *ret_lookout = w;
    return 0;
}

struct km_lookout *km_lookout_free(struct km_lookout *w)
{
    if (!w)
        return NULL;
    km_db_close(w->reader);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return NULL;
}

static void name(const struct km_lookout *w, const char *suffix, char out[KM_PLACE_PATH])
{
    (void)snprintf(out, KM_PLACE_PATH, "%.*s%s", KM_PLACE_PATH - 16, w->store->place.path, suffix);
}

static struct seen look(const struct km_lookout *w, const char *suffix)
{
    char path[KM_PLACE_PATH];
    struct stat st;

    name(w, suffix, path);
    if (stat(path, &st) != 0)
        return (struct seen){ .there = errno != ENOENT && errno != ENOTDIR };
    return (struct seen){
        .there = true, .dev = st.st_dev, .ino = st.st_ino, .size = st.st_size, .written = st.st_mtim
    };
}

/* what: "the store", "the store's write-ahead log"; clients are told it with the reason, and no
 * path. */
static void lose(struct km_lookout *w, const char *what, const char *reason, const char *hint)
{
    (void)snprintf(w->found.reason, sizeof w->found.reason, "%s %s", what, reason);
    (void)snprintf(
        w->found.text, sizeof w->found.text,
        "%c%s ('%.240s') %s.%s Until a restart nothing more is written to it; what calls "
        "cost goes to '%.240s'.",
        what[0] - 'a' + 'A', what + 1, w->store->place.path, reason, hint, w->store->spill_path);
}

static bool is_other(const struct seen *was, const struct seen *now)
{
    /* ino 0: it is there and cannot be looked at, which says nothing about it. */
    return now->ino && (was->dev != now->dev || was->ino != now->ino);
}

/* A write that no checkpoint of ours explains. */
static bool is_foreign(struct km_lookout *w, const struct seen *now)
{
    uint64_t checkpoints = atomic_load(&w->store->checkpoints);
    bool written = w->db.written.tv_sec != now->written.tv_sec ||
                   w->db.written.tv_nsec != now->written.tv_nsec;
    bool ours = checkpoints != w->checkpoints;

    w->checkpoints = checkpoints;
    return written && !ours;
}

/* A connection has to have read something before it knows the log. */
static void open_reader(struct km_lookout *w)
{
    int64_t tables;

    if (!w->reader && !km_outage_final(&w->store->outage) &&
        w->store->driver->open(w->store->place.path, KM_DB_READ, &w->reader, NULL) == 0 &&
        km_sqlite_int(km_sqlite_of(w->reader), "SELECT count(*) FROM sqlite_schema", &tables,
                      NULL) < 0)
        w->reader = km_db_close(w->reader);
}

/* Not written since: its time tells, once that is older than a clock's ticks are long. */
static bool is_still(const struct seen *was, const struct seen *now)
{
    return was->there == now->there && was->size == now->size &&
           was->written.tv_sec == now->written.tv_sec &&
           was->written.tv_nsec == now->written.tv_nsec &&
           km_wall_us() / 1000000 - now->written.tv_sec > 1;
}

static void look_into_log(struct km_lookout *w)
{
    char path[KM_PLACE_PATH];

    name(w, "-wal", path);
    open_reader(w);
    if (w->reader && km_wal_is_broken(&w->wal, km_sqlite_of(w->reader), path))
        lose(w, "the store's write-ahead log", "was cut short or overwritten",
             " Calls of the last seconds may be lost.");
}

static void compare(struct km_lookout *w, const struct seen *db, const struct seen *log)
{
    bool foreign, shorter = db->size < w->db.size, still = is_still(&w->log, log);

    if (!db->there) {
        lose(w, "the store", "was deleted", "");
    } else if (is_other(&w->db, db)) {
        lose(w, "the store", "was replaced by another file", "");
    } else if (w->log.there && (!log->there || is_other(&w->log, log))) {
        lose(w, "the store's write-ahead log", log->there ? "was replaced" : "was deleted", "");
    } else if (db->ino) {
        foreign = is_foreign(w, db);
        if (shorter && !km_check_is_long_enough(w->store->place.path, (uint64_t)db->size))
            lose(w, "the store", "was cut short", "");
        else if (foreign || shorter)
            w->written = true;
        w->db = *db;
        if (log->ino)
            w->log = *log;
        if (!still || !log->ino)
            look_into_log(w);
    }
}

/* Without its name the lock keeps nobody out who makes the file anew. */
static void keep_lock(struct km_lookout *w)
{
    struct km_store *store = w->store;
    struct km_err err = { 0 };

    if (km_place_is_locked(&store->place))
        return;
    if (km_place_lock_again(&store->place, &err) == 0)
        km_log_msg(store->log, KM_LOG_WARN, "store.lock",
                   "the store's lock '%.200s.lock' was deleted or replaced: it was made again",
                   store->place.path);
}

bool km_lookout_look(struct km_lookout *w, struct km_lookout_found *ret_found)
{
    struct seen db, log;
    uint64_t turns;

    ret_found->reason[0] = 0;
    if (!w || km_outage_final(&w->store->outage))
        return false;
    pthread_mutex_lock(&w->lock);
    w->found.reason[0] = 0;
    turns = atomic_load(&w->store->turns);
    if (turns % 2 == 0) {
        db = look(w, "");
        log = look(w, "-wal");
        if (turns == w->turns) {
            keep_lock(w);
            compare(w, &db, &log);
        } else { /* the first time, or it was handed over and has come back, with another log */
            w->turns = turns;
            w->db = db;
            w->log = log;
            w->checkpoints = atomic_load(&w->store->checkpoints);
            memset(&w->wal, 0, sizeof w->wal);
            look_into_log(w);
        }
    }
    *ret_found = w->found;
    pthread_mutex_unlock(&w->lock);
    return ret_found->reason[0] != 0;
}

bool km_lookout_was_written(struct km_lookout *w)
{
    bool written;

    pthread_mutex_lock(&w->lock);
    written = w->written;
    w->written = false;
    pthread_mutex_unlock(&w->lock);
    return written;
}

void km_lookout_rest(struct km_lookout *w)
{
    pthread_mutex_lock(&w->lock);
    w->reader = km_db_close(w->reader);
    pthread_mutex_unlock(&w->lock);
}
