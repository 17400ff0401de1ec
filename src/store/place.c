/* SPDX-License-Identifier: Apache-2.0 */
/* place.c - see place.h for the contract.
 *
 * SQLite makes a database of any empty file and of any missing one.  A ledger cannot be so
 * forgiving: a file cut to nothing, or one deleted while its write-ahead log stayed, was a
 * ledger once, and a fresh one in its place would silently forgive all spend.  So a store is
 * made under another name, with all its tables, and linked to its own name when it is whole;
 * whatever is found under that name and is not a store is an error that says what it is.
 *
 * The lock is a file beside the store, held by flock: it goes with the process, also by kill -9,
 * and holds the writer's process id for the message to the second one.  Whoever deletes it would
 * let a second one in, so a byte of the store itself is locked too, far behind those that SQLite
 * locks.  That lock is the open file's: it does not go when SQLite closes its own, but SQLite's
 * would go if this file were closed before, so it stays open when the lock is let go.
 */
#include "store/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/driver.h"

#define HOLD_AT ((off_t)KM_PLACE_APPLICATION_ID << 16) /* SQLite's bytes are at 1 GiB */

static int make_state_dir(const char *dir, struct km_err *err)
{
    if (mkdir(dir, 0700) == 0 || errno == EEXIST)
        return 0;
    return km_fail_errno(err, errno, "cannot make the state folder '%s'", dir);
}

int km_place_init(struct km_place *p, struct km_str setting, const char *state_dir,
                  struct km_err *err)
{
    struct km_str where;
    int n;

    p->lock_fd = p->hold_fd = -1;
    p->driver = km_driver_find(setting.n ? setting : KM_STR("sqlite:"), &where);
    if (!p->driver)
        return km_fail(err, KM_E_UNSUPPORTED,
                       "store '%.*s': only sqlite:<path> is supported by this version",
                       (int)km_str_chr(setting, ':'), setting.p);
    if (setting.n) {
        n = snprintf(p->path, sizeof p->path, "%.*s", KM_STR_ARG(where));
    } else {
        n = make_state_dir(state_dir, err);
        if (n < 0)
            return n;
        n = snprintf(p->path, sizeof p->path, "%s/kanmon.db", state_dir);
    }
    /* Room for "-wal", ".lock" and the like behind it. */
    if (n <= 0 || (size_t)n + 16 > sizeof p->path)
        return km_fail(err, KM_E_INVALID, "store: the path is empty or too long");
    return 0;
}

static void beside(const struct km_place *p, const char *suffix, char out[KM_PLACE_PATH])
{
    (void)snprintf(out, KM_PLACE_PATH, "%.*s%s", KM_PLACE_PATH - 16, p->path, suffix);
}

/* The open file that has the lock, with our process id in it. */
static int take_lock(const struct km_place *p, int *ret_fd, struct km_err *err)
{
    char path[KM_PLACE_PATH], text[32] = "";
    int fd, n;

    beside(p, ".lock", path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return km_fail_errno(err, errno, "cannot open '%s'", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t got = pread(fd, text, sizeof text - 1, 0);

        (void)close(fd);
        return km_fail(err, KM_E_EXISTS, "store '%s' is in use by process %.*s", p->path,
                       got > 0 ? (int)strcspn(text, "\n") : 1, got > 0 ? text : "?");
    }
    n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        /* The number is a courtesy; a full disk must not keep a gateway from starting. */
    }
    *ret_fd = fd;
    return 0;
}

int km_place_lock(struct km_place *p, struct km_err *err)
{
    return take_lock(p, &p->lock_fd, err);
}

static bool has_name(int fd, const char *path)
{
    struct stat st, named;

    return fd >= 0 && fstat(fd, &st) == 0 && stat(path, &named) == 0 && st.st_dev == named.st_dev &&
           st.st_ino == named.st_ino;
}

bool km_place_is_locked(const struct km_place *p)
{
    char path[KM_PLACE_PATH];

    beside(p, ".lock", path);
    return has_name(p->lock_fd, path);
}

int km_place_lock_again(struct km_place *p, struct km_err *err)
{
    int fd, r = take_lock(p, &fd, err);

    if (r < 0)
        return r;
    (void)close(p->lock_fd);
    p->lock_fd = fd;
    return 0;
}

static int hold(const struct km_place *p, short type)
{
    struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = HOLD_AT, .l_len = 1 };

    return fcntl(p->hold_fd, F_OFD_SETLK, &lock);
}

int km_place_hold(struct km_place *p, struct km_err *err)
{
    if (p->hold_fd >= 0 && !has_name(p->hold_fd, p->path)) {
        (void)close(p->hold_fd); /* another file was put there while it was another process's */
        p->hold_fd = -1;
    }
    if (p->hold_fd < 0)
        p->hold_fd = open(p->path, O_RDWR | O_CLOEXEC);
    if (p->hold_fd < 0)
        return km_fail_errno(err, errno, "cannot open the store '%s'", p->path);
    if (hold(p, F_WRLCK) != 0 && (errno == EAGAIN || errno == EACCES))
        return km_fail(err, KM_E_EXISTS,
                       "store '%s' is in use by another process, whose '.lock' was deleted",
                       p->path);
    return 0; /* a file system without such locks has the other one */
}

void km_place_unlock(struct km_place *p)
{
    if (p->hold_fd >= 0)
        (void)hold(p, F_UNLCK);
    if (p->lock_fd >= 0)
        (void)close(p->lock_fd);
    p->lock_fd = -1;
}

void km_place_done(struct km_place *p)
{
    km_place_unlock(p);
    if (p->hold_fd >= 0)
        (void)close(p->hold_fd);
    p->hold_fd = -1;
}

/* A name is on the disk only when its folder is. */
static int sync_folder(const char *path, struct km_err *err)
{
    char dir[KM_PLACE_PATH];
    size_t n = km_str_rchr(km_str_c(path), '/');
    int fd, r = 0;

    if (n == strlen(path))
        (void)snprintf(dir, sizeof dir, ".");
    else
        (void)snprintf(dir, sizeof dir, "%.*s", n ? (int)n : 1, path);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        r = km_fail_errno(err, errno, "cannot make '%s' durable", path);
    if (fd >= 0)
        (void)close(fd);
    return r;
}

static int create(const struct km_place *p, struct km_err *err)
{
    char fresh[KM_PLACE_PATH];
    int r;

    beside(p, ".new", fresh);
    (void)unlink(fresh); /* of a start that died half-way; we hold the lock */
    r = p->driver->file->build(fresh, err);
    /* Not rename: what came to lie there meanwhile is not ours to replace. */
    if (r == 0 && link(fresh, p->path) != 0)
        r = km_fail_errno(err, errno, "cannot make the store '%s'", p->path);
    (void)unlink(fresh);
    return r == 0 ? sync_folder(p->path, err) : r;
}

int km_place_prepare(const struct km_place *p, struct km_err *err)
{
    char wal[KM_PLACE_PATH];
    struct stat st, wal_st;

    beside(p, "-wal", wal);
    if (stat(p->path, &st) != 0) {
        if (errno != ENOENT)
            return km_fail_errno(err, errno, "cannot look at the store '%s'", p->path);
        if (stat(wal, &wal_st) == 0 && wal_st.st_size > 0)
            return km_fail(err, KM_E_STORE,
                           "the store '%s' is missing but its '-wal' is there: restore the file, "
                           "or move the '-wal' away to begin a new store",
                           p->path);
        return create(p, err);
    }
    if (!S_ISREG(st.st_mode))
        return km_fail(err, KM_E_STORE, "the store '%s' is not a file", p->path);
    if (st.st_size == 0)
        return km_fail(err, KM_E_STORE,
                       "the store '%s' is empty (0 bytes), which no store ever is: restore it from "
                       "a backup, or remove it to begin a new one",
                       p->path);
    return p->driver->file->look_at(p->path, true, err);
}

int km_place_look(const struct km_place *p, struct km_err *err)
{
    if (!p->driver->file)
        return 0;
    if (access(p->path, F_OK) != 0)
        return errno == ENOENT ? km_fail(err, KM_E_NOT_FOUND, "there is no store '%s'", p->path)
                               : km_fail_errno(err, errno, "cannot look at '%s'", p->path);
    return p->driver->file->look_at(p->path, false, err);
}

bool km_place_is_passing(const struct km_place *p)
{
    return p->driver->passing;
}

uint64_t km_place_bytes(const struct km_place *p)
{
    char wal[KM_PLACE_PATH];
    struct stat st;
    uint64_t n = 0;

    if (!p->driver->file)
        return 0;
    beside(p, "-wal", wal);
    if (stat(p->path, &st) == 0)
        n += (uint64_t)st.st_size;
    if (stat(wal, &st) == 0)
        n += (uint64_t)st.st_size;
    return n;
}
